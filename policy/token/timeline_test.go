package token_test

import (
	"crypto"
	stdjson "encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// thumbprint is that of the JOSE library.
func thumbprint(t *testing.T, s *tokentest.Signer) string {
	t.Helper()
	text, err := stdjson.Marshal(s.JWK())
	require.NoError(t, err)
	k, err := jwk.ParseKey(text)
	require.NoError(t, err)
	sum, err := k.Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	return tokentest.Encode(sum)
}

// lifeOf returns the life of a key, which has to be on the timeline.
func lifeOf(t *testing.T, keys *token.KeySet, id string) token.KeyLife {
	t.Helper()
	for _, k := range keys.Timeline() {
		if k.KeyID == id {
			return k
		}
	}
	require.Fail(t, "not on the timeline", id)
	return token.KeyLife{}
}

func read(t *testing.T, keys *token.KeySet) {
	t.Helper()
	_, err := keys.Refresh(t.Context())
	require.NoError(t, err)
}

func TestTimelineOfKeys(t *testing.T) {
	old, next := tokentest.Fresh("ES256", "old"), tokentest.Fresh("ES256", "new")
	byOld := old.Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		began := realClock().UTC()
		at := func(d time.Duration) time.Time { return began.Add(d) }
		issuer := &idp{keys: []*tokentest.Signer{old}}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		require.Empty(t, keys.Timeline(), "nothing was read")
		read(t, keys)
		require.Equal(t, []token.KeyLife{{
			KeyID: "old", Thumbprint: thumbprint(t, old), Algorithm: "ES256", FirstSeen: began, LastSeen: began,
		}}, keys.Timeline())

		time.Sleep(time.Minute)
		require.Equal(t, policy.Permitted(), w.proof(t, byOld))
		time.Sleep(time.Minute)
		require.Equal(t, policy.Permitted(), w.proof(t, byOld), "a remembered one is a use too")
		require.Equal(t, policy.Denied(policy.TokenSignature, ""), w.proof(t, old.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit})))
		issuer.serve(old, next)
		read(t, keys)
		require.Equal(t, token.KeyLife{
			KeyID: "old", Thumbprint: thumbprint(t, old), Algorithm: "ES256", FirstSeen: began, LastSeen: at(2 * time.Minute),
			LastUsed: at(2 * time.Minute), Uses: 2,
		}, lifeOf(t, keys, "old"))
		require.Equal(t, at(2*time.Minute), lifeOf(t, keys, "new").FirstSeen)

		time.Sleep(time.Minute)
		issuer.serve(next)
		read(t, keys)
		require.Equal(t, at(3*time.Minute), lifeOf(t, keys, "old").RetiredAt)
		time.Sleep(time.Minute)
		for range 3 {
			r := now(byOld)
			all := w.verdicts(t, r)
			require.Equal(t, policy.Denied(policy.KeyRetired, ""), all[policy.TokSig])
			require.Nil(t, r.Auth.Identity, "it proves nothing")
			require.Equal(t, policy.UndecidedBy(policy.TokSig), all[policy.TokAud])
		}
		forged := tokentest.Fresh("ES256", "old").Token(claims(nil))
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, forged), "only real signatures count")
		require.Equal(t, token.KeyLife{
			KeyID: "old", Thumbprint: thumbprint(t, old), Algorithm: "ES256", FirstSeen: began, LastSeen: at(2 * time.Minute),
			RetiredAt: at(3 * time.Minute), LastUsed: at(4 * time.Minute), Uses: 2, UsesAfterRetirement: 3,
		}, lifeOf(t, keys, "old"))
		require.Equal(t, uint64(3), keys.Stats().RetiredUses)

		// A failed read retires nothing, and a key may come back.
		issuer.serve()
		_, err := keys.Refresh(t.Context())
		require.Error(t, err)
		require.Zero(t, lifeOf(t, keys, "new").RetiredAt)
		issuer.serve(old, next)
		read(t, keys)
		require.Equal(t, policy.Permitted(), w.proof(t, byOld))
		again := lifeOf(t, keys, "old")
		require.Zero(t, again.RetiredAt)
		require.Equal(t, began, again.FirstSeen)
		require.Equal(t, []uint64{3, 3}, []uint64{again.Uses, again.UsesAfterRetirement})
	})
}

func TestRetiredKeysOfEveryShape(t *testing.T) {
	anonymous, other := tokentest.Fresh("ES256", ""), tokentest.Fresh("ES256", "")
	one, two := tokentest.Fresh("ES256", "same"), tokentest.Fresh("ES256", "same")
	rsa, ec := tokentest.Shared("RS256", "moved"), tokentest.Shared("ES256", "moved")
	for _, row := range []struct {
		name     string
		old, new *tokentest.Signer
		header   map[string]any
		want     policy.Reason
	}{
		{"key and token without an id", anonymous, other, nil, policy.KeyRetired},
		{"token without an id", one, ec, map[string]any{"kid": nil}, policy.KeyRetired},
		{"another key under its id", one, two, nil, policy.KeyRetired},
		{"a key of another algorithm under its id", rsa, ec, nil, policy.KeyRetired},
		{"another id over the same key", one, ec, map[string]any{"kid": "else"}, policy.KeyUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := &idp{keys: []*tokentest.Signer{row.old}}
				o := seeded(nil, issuer, "ES256", "RS256")
				keys, err := token.NewKeySet(o)
				require.NoError(t, err)
				w := newWorld(t, issuerWith(keys, "ES256", "RS256"))
				read(t, keys)
				issuer.serve(row.new)
				time.Sleep(time.Second)
				read(t, keys)
				sent := row.old.Mint(tokentest.Spec{Header: row.header, Claims: claims(nil)})
				require.Equal(t, policy.Denied(row.want, ""), w.proof(t, sent))
				require.NotEqual(t, policy.KeyRetired, w.proof(t, row.old.Mint(tokentest.Spec{Header: row.header, Claims: claims(nil), Fault: tokentest.FlippedBit})).Reason)
			})
		})
	}
}

func TestRetiredKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		signers := make([]*tokentest.Signer, 40)
		for i := range signers {
			signers[i] = tokentest.Fresh("ES256", fmt.Sprint("key-", i))
			issuer.serve(signers[i])
			read(t, keys)
			time.Sleep(time.Hour)
		}
		require.Len(t, keys.Timeline(), 32+1)
		require.Equal(t, "key-7", keys.Timeline()[0].KeyID, "the oldest are forgotten first")
		read(t, keys)
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, signers[6].Token(claims(nil))))
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, signers[7].Token(claims(nil))))
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, signers[38].Token(claims(nil))))

		time.Sleep(30*24*time.Hour - 10*time.Hour)
		read(t, keys)
		require.Less(t, len(keys.Timeline()), 32+1)
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, signers[7].Token(claims(nil))))
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, signers[38].Token(claims(nil))))
		time.Sleep(11 * time.Hour)
		read(t, keys)
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, signers[38].Token(claims(nil))))
		require.Len(t, keys.Timeline(), 1)
		require.EqualValues(t, 3, keys.Stats().RetiredUses, "what was counted stays counted")
	})
}

func TestTheTimelineGoesOnWithASeed(t *testing.T) {
	old, next := tokentest.Fresh("ES256", "old"), tokentest.Fresh("ES256", "new")
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{old}}
		first, err := token.NewKeySet(seeded(nil, issuer, "ES256"))
		require.NoError(t, err)
		read(t, first)
		require.Equal(t, policy.Permitted(), newWorld(t, issuerWith(first, "ES256")).proof(t, old.Token(claims(nil))))
		before := first.Timeline()
		second, err := token.NewKeySet(seeded(first, issuer, "ES256", "RS256"))
		require.NoError(t, err)
		require.Equal(t, before, second.Timeline())
		require.Equal(t, uint64(1), second.Stats().Refreshes[token.RefreshOK], "counts never fall")
		w := newWorld(t, issuerWith(second, "ES256", "RS256"))
		require.Equal(t, policy.Permitted(), w.proof(t, old.Token(claims(nil))), "before the first read")
		issuer.serve(next)
		time.Sleep(time.Minute)
		read(t, second)
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, old.Token(claims(nil))))
		life := lifeOf(t, second, "old")
		require.Equal(t, []uint64{2, 1}, []uint64{life.Uses, life.UsesAfterRetirement})
		require.Equal(t, before[0].FirstSeen, life.FirstSeen)

		o := seeded(second, issuer, "ES256")
		o.URL = "https://idp.example.net/other"
		third, err := token.NewKeySet(o)
		require.NoError(t, err)
		require.Empty(t, third.Timeline(), "another source is another timeline")
	})
}

func TestTimelineNamesKeysByTheirNumbers(t *testing.T) {
	var signers []*tokentest.Signer
	for _, name := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		signers = append(signers, tokentest.Shared(name, name))
	}
	keys := fileSet(t, issuerName, tokentest.JWKS(signers...), token.Algorithms()...)
	for _, s := range signers {
		assert.Equal(t, thumbprint(t, s), lifeOf(t, keys, s.KeyID).Thumbprint, s.KeyID)
	}
	// The example of RFC 7638 section 3.1.
	const example = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs` +
		`tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI` +
		`SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	keys = fileSet(t, issuerName, []byte(`{"keys":[`+example+`]}`), "RS256")
	assert.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", keys.Timeline()[0].Thumbprint)
}

// Requests count while Run rotates the keys and others look.
func TestTimelineUnderLoad(t *testing.T) {
	a, b := tokentest.Fresh("ES256", "a"), tokentest.Fresh("ES256", "b")
	issuer := &idp{keys: []*tokentest.Signer{a, b}}
	keys := keySet(t, issuer)
	read(t, keys)
	w := newWorld(t, issuerWith(keys, "ES256"))
	sent := []string{a.Token(claims(nil)), b.Token(claims(nil))}
	const workers, requests = 8, 200
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range requests {
				w.stage.Authenticate(t.Context(), now(sent[i%2]))
			}
		})
	}
	for i := range 50 {
		issuer.serve([]*tokentest.Signer{a, b}[i%2])
		read(t, keys)
		keys.Timeline()
	}
	wg.Wait()
	var uses uint64
	for _, k := range keys.Timeline() {
		uses += k.Uses + k.UsesAfterRetirement
	}
	assert.EqualValues(t, workers*requests, uses, "every token was proven or of a retired key, and counted once")
}
