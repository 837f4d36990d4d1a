package token_test

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// loadedSet returns a key set that has read a document once, and is not read any more.
func loadedSet(t *testing.T, algorithms []string, keys ...map[string]any) *token.KeySet {
	t.Helper()
	from := answers(func(*http.Request) (*http.Response, error) {
		return document(http.StatusOK, bytes.NewReader(tokentest.KeySet(keys...))), nil
	})
	set, err := token.NewKeySet(seeded(nil, from, algorithms...))
	require.NoError(t, err)
	stop := start(t, set)
	synctest.Wait()
	stop()
	require.True(t, set.Ready())
	return set
}

// seeded are the options of a key set that takes the place of another.
func seeded(seed *token.KeySet, from http.RoundTripper, algorithms ...string) token.KeySetOptions {
	return token.KeySetOptions{
		Issuer: issuerName, URL: "https://idp.example.net/jwks", Client: &http.Client{Transport: from},
		Algorithms: algorithms, Refresh: refresh, MaxStale: maxStale, Now: realClock, Seed: seed,
	}
}

func TestANewKeySetGoesOnWithTheKeysOfTheOldOne(t *testing.T) {
	one, two := tokentest.Fresh("ES256", "one"), tokentest.Fresh("ES256", "two")
	synctest.Test(t, func(t *testing.T) {
		old := loadedSet(t, []string{"ES256"}, one.JWK())
		time.Sleep(maxStale / 2)
		issuer := &idp{down: true}
		next, err := token.NewKeySet(seeded(old, issuer, "ES256"))
		require.NoError(t, err)
		assert.Equal(t, maxStale/2, next.Stats().Age, "the keys are as old as they are")
		w := newWorld(t, issuerWith(next, "ES256"))
		start(t, next)
		synctest.Wait()
		require.Positive(t, issuer.fetches.Load(), "it is read at once all the same")
		require.Equal(t, policy.Permitted(), w.proof(t, one.Token(claims(nil))), "an issuer that is down does no harm")
		time.Sleep(maxStale/2 + time.Second)
		require.False(t, next.Ready(), "nor are the keys used for longer")
		issuer.serve(two)
		time.Sleep(2 * time.Minute)
		require.Equal(t, policy.Permitted(), w.proof(t, two.Token(claims(nil))))
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, one.Token(claims(nil))))
	})
}

func TestASeedKeepsToTheAlgorithms(t *testing.T) {
	rsa, ec := tokentest.RSA(), tokentest.EC()
	unnamed := changed(rsa, map[string]any{"alg": nil})
	for _, row := range []struct {
		name     string
		old, new []string
		keys     []map[string]any
		want     int
	}{
		{"both stay", []string{"RS256", "ES256"}, []string{"RS256", "ES256"}, []map[string]any{rsa.JWK(), ec.JWK()}, 2},
		{"one is not allowed any more", []string{"RS256", "ES256"}, []string{"ES256"}, []map[string]any{rsa.JWK(), ec.JWK()}, 1},
		{"none is allowed any more", []string{"RS256"}, []string{"ES256"}, []map[string]any{rsa.JWK()}, 0},
		{"a key that names its algorithm is pinned to it", []string{"RS256"}, []string{"PS256"}, []map[string]any{rsa.JWK()}, 0},
		{"a key without one is pinned anew", []string{"RS256"}, []string{"PS256"}, []map[string]any{unnamed}, 1},
		{"a key that two would fit is not used", []string{"RS256"}, []string{"RS256", "PS256"}, []map[string]any{unnamed}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := loadedSet(t, row.old, row.keys...)
				next, err := token.NewKeySet(seeded(old, &idp{down: true}, row.new...))
				require.NoError(t, err)
				assert.Equal(t, row.want, next.Stats().Keys)
				assert.Equal(t, row.want > 0, next.Ready())
			})
		})
	}
}

func TestAnotherIssuerOrSourceIsNoSeed(t *testing.T) {
	ec := tokentest.EC()
	synctest.Test(t, func(t *testing.T) {
		old := loadedSet(t, []string{"ES256"}, ec.JWK())
		for _, change := range []func(*token.KeySetOptions){
			func(o *token.KeySetOptions) { o.Issuer = "https://other.example.net" },
			func(o *token.KeySetOptions) { o.URL = "https://idp.example.net/other" },
		} {
			o := seeded(old, &idp{down: true}, "ES256")
			change(&o)
			next, err := token.NewKeySet(o)
			require.NoError(t, err)
			assert.False(t, next.Ready())
		}
	})
}
