package token_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestCacheHoldsFactsAndNoVerdicts(t *testing.T) {
	w := standardWorld(t)
	sent := tokentest.EC().Token(claims(nil))
	first := w.authenticate(t, bearer(sent))
	assert.Same(t, first.Token, w.authenticate(t, bearer(sent)).Token, "the second use is a hit")
	w.allPermit(t, bearer(sent))
	late := bearer(sent)
	late.Time = epoch.Add(time.Hour + skew)
	w.onlyDenied(t, late, policy.TokTime, policy.TokenExpired)
	assert.Same(t, first.Token, late.Auth.Token, "a hit is judged like any other")
}

func TestCacheCountsByIssuer(t *testing.T) {
	keys := fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256")
	options := token.Options{Scheme: "Bearer", Issuers: []token.Issuer{issuerWith(keys, "ES256")}}
	stage, err := token.NewAuthenticator(options)
	require.NoError(t, err)
	use := func(sent string) { stage.Authenticate(t.Context(), bearer(sent)) }
	counted := func(hits, misses uint64) {
		t.Helper()
		assert.Equal(t, []token.CacheStats{{Issuer: issuerName, Hits: hits, Misses: misses}}, stage.CacheStats())
	}
	counted(0, 0)
	one := tokentest.EC().Token(claims(nil))
	use(one)
	counted(0, 1)
	use(one)
	use(one)
	counted(2, 1)
	use(tokentest.EC().Token(claims(map[string]any{"jti": "another"})))
	counted(2, 2)
	use(tokentest.EC().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}))
	counted(2, 3)
	use(tokentest.EC().Token(claims(map[string]any{"iss": "https://elsewhere.example"})))
	use("not-a-token")
	counted(2, 3)

	options.Previous = stage
	stage, err = token.NewAuthenticator(options)
	require.NoError(t, err)
	counted(2, 3)
	use(one)
	counted(2, 4)
}

func TestCacheHoldsNothingUnproven(t *testing.T) {
	w := standardWorld(t)
	sent := tokentest.EC().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit})
	assert.NotSame(t, w.authenticate(t, bearer(sent)).Token, w.authenticate(t, bearer(sent)).Token)
}

func TestCacheIsBounded(t *testing.T) {
	keys := fileSet(t, issuerName, tokentest.JWKS(tokentest.Shared("EdDSA", "ed-1")), "EdDSA")
	stage, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: []token.Issuer{issuerWith(keys, "EdDSA")}, CacheBytes: 16 << 10})
	require.NoError(t, err)
	var sent []string
	var first []*policy.Token
	for i := range 200 {
		sent = append(sent, tokentest.Shared("EdDSA", "ed-1").Token(claims(map[string]any{"jti": time.Duration(i).String()})))
		first = append(first, stage.Authenticate(t.Context(), bearer(sent[i])).Token)
	}
	hits := 0
	for i := range sent {
		a := stage.Authenticate(t.Context(), bearer(sent[i]))
		require.Equal(t, policy.Permitted(), a.Proof)
		if a.Token == first[i] {
			hits++
		}
	}
	assert.LessOrEqual(t, hits, 16, "each takes more than a kilobyte of the sixteen")
}

func TestAllocationBudget(t *testing.T) {
	w := standardWorld(t)
	for _, row := range []struct {
		name, token string
		want        float64
	}{
		{"cached", tokentest.RSA().Token(claims(nil)), 2},
		{"too few segments", "not-a-token", 0},
		{"a foreign character", tokentest.RSA().Token(claims(nil)) + "=", 0},
		{"too long", string(make([]byte, 9<<10)), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := bearer(row.token)
			for range 100 {
				w.stage.Authenticate(t.Context(), r)
			}
			ctx := t.Context()
			got := testing.AllocsPerRun(1000, func() { w.stage.Authenticate(ctx, r) })
			assert.LessOrEqual(t, got, row.want)
		})
	}
}
