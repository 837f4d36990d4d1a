package token_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// faultyProof is a change of a good proof, and what is found then.
type faultyProof struct {
	name   string
	change func(*tokentest.Proof)
	reason policy.Reason
	detail string
}

func inHeader(change map[string]any) func(*tokentest.Proof) {
	return func(p *tokentest.Proof) { p.Header = change }
}

func inClaims(change map[string]any) func(*tokentest.Proof) {
	return func(p *tokentest.Proof) { p.Claims = change }
}

// faultyClaims are the checks 3 and 8 to 12 of RFC 9449 section 4.3.
func faultyClaims(client *tokentest.Signer) []faultyProof {
	return []faultyProof{
		{"3: no jti", inClaims(map[string]any{"jti": nil}), policy.DPoPMalformed, "/jti"},
		{"3: an empty jti", inClaims(map[string]any{"jti": ""}), policy.DPoPMalformed, "/jti"},
		{"3: a jti of 257 bytes", inClaims(map[string]any{"jti": strings.Repeat("j", 257)}), policy.DPoPMalformed, "/jti"},
		{"3: a jti that is a number", inClaims(map[string]any{"jti": 1}), policy.DPoPMalformed, "/jti"},
		{"3: no htm", inClaims(map[string]any{"htm": nil}), policy.DPoPMalformed, "/htm"},
		{"3: no htu", inClaims(map[string]any{"htu": nil}), policy.DPoPMalformed, "/htu"},
		{"3: no iat", inClaims(map[string]any{"iat": nil}), policy.DPoPMalformed, "/iat"},
		{"3: iat as a string", inClaims(map[string]any{"iat": "1800000000"}), policy.DPoPMalformed, "/iat"},
		{"3: iat with a fraction", inClaims(map[string]any{"iat": 1_800_000_000.5}), policy.DPoPMalformed, "/iat"},
		{"3: claims that are a list", func(p *tokentest.Proof) { p.ClaimsJSON = `[]` }, policy.DPoPMalformed, "claims"},
		{"3: a claim twice", func(p *tokentest.Proof) { p.ClaimsJSON = `{"htm":"POST","htm":"POST"}` }, policy.DPoPMalformed, "claims"},
		{"8: another method", inClaims(map[string]any{"htm": "GET"}), policy.DPoPMethod, ""},
		{"8: the method in lower case", inClaims(map[string]any{"htm": "post"}), policy.DPoPMethod, ""},
		{"9: another path", inClaims(map[string]any{"htu": publicURL + "/orders"}), policy.DPoPURL, "path"},
		{"9: the path without that of the public URL", inClaims(map[string]any{"htu": "https://api.example.net" + path}), policy.DPoPURL, "path"},
		{"9: a path in other letter case", inClaims(map[string]any{"htu": publicURL + "/Orders/o%2F1"}), policy.DPoPURL, "path"},
		{"9: a separator that was escaped", inClaims(map[string]any{"htu": publicURL + "/orders/o/1"}), policy.DPoPURL, "path"},
		{"9: dot segments", inClaims(map[string]any{"htu": publicURL + "/x/../orders/o%2F1"}), policy.DPoPURL, "path"},
		{"9: another host", inClaims(map[string]any{"htu": "https://other.example.net/base" + path}), policy.DPoPURL, "host"},
		{"9: the host of the header Host", inClaims(map[string]any{"htu": "https://evil.example/base" + path}), policy.DPoPURL, "host"},
		{"9: another port", inClaims(map[string]any{"htu": "https://api.example.net:8443/base" + path}), policy.DPoPURL, "host"},
		{"9: another scheme", inClaims(map[string]any{"htu": "http://api.example.net/base" + path}), policy.DPoPURL, "scheme"},
		{"9: a user", inClaims(map[string]any{"htu": "https://api.example.net@evil.example/base" + path}), policy.DPoPURL, "form"},
		{"9: no URL", inClaims(map[string]any{"htu": path}), policy.DPoPURL, "form"},
		{"11: a minute and a second old", func(p *tokentest.Proof) { p.Time = epoch.Add(-maxAge - time.Second) }, policy.DPoPTime, "old"},
		{"11: too far ahead", func(p *tokentest.Proof) { p.Time = epoch.Add(skew + time.Second) }, policy.DPoPTime, "ahead"},
		{"11: not before its time", inClaims(map[string]any{"nbf": epoch.Add(skew + time.Second).Unix()}), policy.DPoPTime, "ahead"},
		{"11: past its own end", inClaims(map[string]any{"exp": epoch.Add(-skew).Unix()}), policy.DPoPTime, "expired"},
		{"12: no ath", func(p *tokentest.Proof) { p.Token = "" }, policy.DPoPToken, ""},
		{"12: ath of another token", func(p *tokentest.Proof) { p.Token = bound(client, map[string]any{"jti": "id-2"}) }, policy.DPoPToken, ""},
		{"12: ath with padding", func(p *tokentest.Proof) {
			p.Claims = map[string]any{"ath": strings.Repeat("A", 43) + "="}
		}, policy.DPoPToken, ""},
	}
}

// faultyHeaders are the checks 4 to 7, and what changes how a proof is read.
func faultyHeaders(client *tokentest.Signer) []faultyProof {
	private := client.PublicJWK()
	private["d"] = "AQAB"
	return []faultyProof{
		{"4: no typ", inHeader(map[string]any{"typ": nil}), policy.DPoPType, ""},
		{"4: an access token as a proof", inHeader(map[string]any{"typ": "at+jwt"}), policy.DPoPType, ""},
		{"4: any JWT", inHeader(map[string]any{"typ": "JWT"}), policy.DPoPType, ""},
		{"4: a type that only begins so", inHeader(map[string]any{"typ": "dpop+jwt2"}), policy.DPoPType, ""},
		{"5: none", inHeader(map[string]any{"alg": "none"}), policy.DPoPAlg, ""},
		{"5: a symmetric algorithm", func(p *tokentest.Proof) {
			p.Header, p.Fault = map[string]any{"alg": "HS256"}, tokentest.HMACWithJWK
		}, policy.DPoPAlg, ""},
		{"5: no alg", inHeader(map[string]any{"alg": nil}), policy.DPoPAlg, ""},
		{"5: an algorithm that is not allowed", inHeader(map[string]any{"alg": "ES512"}), policy.DPoPAlg, ""},
		{"6: one bit of the signature", func(p *tokentest.Proof) { p.Fault = tokentest.FlippedBit }, policy.DPoPSignature, ""},
		{"6: a signature of zeros", func(p *tokentest.Proof) { p.Fault = tokentest.ZeroSignature }, policy.DPoPSignature, ""},
		{"6: no signature", func(p *tokentest.Proof) { p.Fault = tokentest.EmptySignature }, policy.DPoPMalformed, "segments"},
		{"7: a private key", inHeader(map[string]any{"jwk": private}), policy.DPoPKey, ""},
		{"7: a secret beside the key", inHeader(map[string]any{"jwk": added(client.PublicJWK(), "k", "AQAB")}), policy.DPoPKey, ""},
		{"7: no key", inHeader(map[string]any{"jwk": nil}), policy.DPoPKey, ""},
		{"crit", inHeader(map[string]any{"crit": []string{"b64"}}), policy.DPoPHeader, "crit"},
		{"b64", inHeader(map[string]any{"b64": false}), policy.DPoPHeader, "b64"},
		{"jku", inHeader(map[string]any{"jku": "https://evil.example"}), policy.DPoPHeader, "jku"},
		{"x5u", inHeader(map[string]any{"x5u": "https://evil.example"}), policy.DPoPHeader, "x5u"},
		{"x5c", inHeader(map[string]any{"x5c": []string{"MIIB"}}), policy.DPoPHeader, "x5c"},
		{"a kid that is no text", inHeader(map[string]any{"kid": 1}), policy.DPoPHeader, "kid"},
		{"a header that is a list", func(p *tokentest.Proof) { p.HeaderJSON = `[]` }, policy.DPoPMalformed, "header"},
		{"a header member twice", func(p *tokentest.Proof) { p.HeaderJSON = `{"typ":"dpop+jwt","typ":"dpop+jwt"}` }, policy.DPoPMalformed, "header"},
	}
}

// The checks of RFC 9449 section 4.3 by their numbers, each beside a valid control.
func TestThreatDPoPEveryCheckOfTheProof(t *testing.T) {
	client := tokentest.Shared("ES384", "")
	stranger := tokentest.Fresh("ES384", "")
	for _, row := range slices.Concat(faultyClaims(client), faultyHeaders(client)) {
		t.Run(row.name, func(t *testing.T) {
			w := newProving(t, client, func(o *token.DPoP) { o.Algorithms = []string{"ES256", "ES384"} })
			v := w.onlyDenied(t, w.good(row.change), policy.TokBind, row.reason)
			assert.Equal(t, row.detail, v.Detail)
			assert.Zero(t, w.used.size(), "only what would pass is remembered")
			w.allPermit(t, w.good(nil))
			assert.Equal(t, 1, w.used.size())
		})
	}
	t.Run("1: two headers", func(t *testing.T) {
		w := newProving(t, client, nil)
		one := client.Proof(w.spec(nil))
		w.onlyDenied(t, with(w.token, one, one), policy.TokBind, policy.DPoPDuplicate)
		w.onlyDenied(t, with(w.token, one+", "+one), policy.TokBind, policy.DPoPMalformed)
	})
	t.Run("1: no header", func(t *testing.T) {
		w := newProving(t, client, nil)
		w.onlyDenied(t, with(w.token), policy.TokBind, policy.DPoPMissing)
	})
	t.Run("2: not a JWT", func(t *testing.T) {
		w := newProving(t, client, nil)
		for _, text := range []string{"", "x", "a.b", "a.b.c.d", "a..c", "{}", "ey.ey.ey\n", "a=.b.c"} {
			w.onlyDenied(t, with(w.token, text), policy.TokBind, policy.DPoPMalformed)
		}
		w.onlyDenied(t, with(w.token, strings.Repeat("a", 8<<10+1)), policy.TokBind, policy.DPoPOversize)
	})
	t.Run("12: the key is not the one that the token is bound to", func(t *testing.T) {
		w := newProving(t, client, nil)
		w.onlyDenied(t, with(w.token, stranger.Proof(w.spec(nil))), policy.TokBind, policy.DPoPMismatch)
		assert.Zero(t, w.used.size())
	})
	t.Run("6: the key of the client and the signature of another", func(t *testing.T) {
		w := newProving(t, client, nil)
		forged := stranger.Proof(w.spec(inHeader(map[string]any{"jwk": client.PublicJWK()})))
		w.onlyDenied(t, with(w.token, forged), policy.TokBind, policy.DPoPSignature)
	})
}

func added(m map[string]any, name string, value any) map[string]any {
	m[name] = value
	return m
}

func TestThreatDPoPWhatDoesNotCount(t *testing.T) {
	client := tokentest.Shared("EdDSA", "")
	for name, change := range map[string]func(*tokentest.Proof){
		"query and fragment of htu":        func(p *tokentest.Proof) { p.URL += "?a=1#b" },
		"case of scheme and host":          func(p *tokentest.Proof) { p.URL = "HTTPS://API.Example.NET/base" + path },
		"the default port":                 func(p *tokentest.Proof) { p.URL = "https://api.example.net:443/base" + path },
		"an empty port":                    func(p *tokentest.Proof) { p.URL = "https://api.example.net:/base" + path },
		"escapes of unreserved characters": func(p *tokentest.Proof) { p.URL = publicURL + "/%6Frders/o%2f1" },
		"the prefix of the media type":     func(p *tokentest.Proof) { p.Header = map[string]any{"typ": "application/DPoP+jwt"} },
		"a key id":                         func(p *tokentest.Proof) { p.Header = map[string]any{"kid": "rsa-1"} },
		"an unknown member and claim": func(p *tokentest.Proof) {
			p.Header, p.Claims = map[string]any{"x": 1}, map[string]any{"y": []int{1}}
		},
		"a key that says what it is for": func(p *tokentest.Proof) {
			p.Header = map[string]any{"jwk": tokentest.Shared("EdDSA", "kid-1").JWK()}
		},
		"the oldest proof":          func(p *tokentest.Proof) { p.Time = epoch.Add(-maxAge) },
		"the most that is ahead":    func(p *tokentest.Proof) { p.Time = epoch.Add(skew) },
		"a nonce that nobody asked": func(p *tokentest.Proof) { p.Nonce = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newProving(t, client, nil)
			w.allPermit(t, w.good(change))
		})
	}
	w := newProving(t, client, nil)
	r := w.good(nil)
	r.Header["Authorization"] = []string{"dpop   " + w.token}
	w.allPermit(t, r)
}

func TestThreatDPoPReplayedProof(t *testing.T) {
	w := newProving(t, tokentest.Shared("ES256", ""), nil)
	w.allPermit(t, w.good(nil))
	w.onlyDenied(t, w.good(nil), policy.TokBind, policy.DPoPReplayed)
	// Another signature of the same claims, another time and another token are the same id.
	other := w.good(func(p *tokentest.Proof) { p.Time = epoch.Add(-time.Second) })
	w.onlyDenied(t, other, policy.TokBind, policy.DPoPReplayed)
	w.allPermit(t, w.good(func(p *tokentest.Proof) { p.ID = "proof-2" }))
	// Another client may have the same id.
	second := tokentest.Fresh("ES256", "")
	theirs := bound(second, nil)
	w.allPermit(t, with(theirs, second.Proof(w.spec(func(p *tokentest.Proof) { p.Token = theirs }))))
	// It is remembered for as long as its time passes.
	for _, until := range w.used.until {
		assert.True(t, until.After(epoch.Add(maxAge+skew)))
	}
	assert.Len(t, w.used.until, 3)
}

// A token that is over takes no place among the proofs, however good they are.
func TestThreatDPoPExpiredTokensTakeNoPlace(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	w := newProving(t, client, nil)
	for _, exp := range []any{nil, epoch.Add(-skew).Unix()} {
		over := bound(client, map[string]any{"iat": epoch.Add(-time.Hour).Unix(), "exp": exp})
		r := with(over, client.Proof(w.spec(func(p *tokentest.Proof) { p.Token = over })))
		for range 2 {
			assert.Equal(t, policy.UndecidedBy(policy.TokTime), w.verdicts(t, r)[policy.TokBind])
		}
	}
	assert.Empty(t, w.used.until)
}

func TestThreatDPoPStoreFull(t *testing.T) {
	w := newProving(t, tokentest.Shared("ES256", ""), func(o *token.DPoP) { o.Used = newLedger(1) })
	w.allPermit(t, w.good(nil))
	r := w.good(func(p *tokentest.Proof) { p.ID = "proof-2" })
	assert.Equal(t, policy.Undecided(policy.DPoPStoreFull, errFull), w.verdicts(t, r)[policy.TokBind])
}

// A store that gives no answer in time is another matter than one without room.
func TestDPoPStoreUnavailable(t *testing.T) {
	w := newProving(t, tokentest.Shared("ES256", ""), nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r := w.good(nil)
	r.Auth = w.stage.Authenticate(ended, r)
	want := policy.Undecided(policy.DPoPStoreUnavailable, context.Canceled)
	assert.Equal(t, want, token.NewBind(nil).Check(t.Context(), r))
	assert.Zero(t, w.used.size())
	w.allPermit(t, w.good(nil))
}

// Nobody fills the store with keys of his own making, nor gets a signature verified
// without a token that proved itself.
func TestThreatDPoPStrangersAreNotRemembered(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	w := newProving(t, client, nil)
	unbound := tokentest.RSA().Token(claims(nil))
	w.onlyDenied(t, with(unbound, client.Proof(w.spec(func(p *tokentest.Proof) { p.Token = unbound }))), policy.TokBind, policy.TokenUnbound)
	forged := tokentest.Fresh("RS256", "rsa-1").Token(claims(map[string]any{"cnf": map[string]any{"jkt": client.Thumbprint()}}))
	r := with(forged, client.Proof(w.spec(func(p *tokentest.Proof) { p.Token = forged })))
	w.onlyDenied(t, r, policy.TokSig, policy.TokenSignature)
	assert.Equal(t, policy.Sender{DPoP: true}, r.Auth.Sender())
	assert.Zero(t, w.used.size())
}

func TestThreatDPoPBoundTokenAsBearer(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	w := newProving(t, client, nil)
	w.onlyDenied(t, bearer(w.token), policy.TokBind, policy.DPoPScheme)
	// A proof beside the wrong scheme does not help.
	r := w.good(nil)
	r.Header["Authorization"] = []string{"Bearer " + w.token}
	w.onlyDenied(t, r, policy.TokBind, policy.DPoPScheme)
	// Nor does it where no proof is looked at.
	without := standardWorld(t)
	without.onlyDenied(t, bearer(w.token), policy.TokBind, policy.DPoPScheme)
	assert.Equal(t, policy.Denied(policy.CredentialScheme, ""), without.verdicts(t, w.good(nil))[policy.TokPresent])
}

func TestThreatDPoPNonce(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	asking := func(key string) func(*token.DPoP) {
		return func(o *token.DPoP) { o.Nonce, o.NonceKey = true, []byte(key) }
	}
	w := newProving(t, client, asking("a key that the replicas share"))
	r := w.good(nil)
	w.onlyDenied(t, r, policy.TokBind, policy.DPoPNonce)
	nonce := r.Auth.Sender().Nonce
	require.Regexp(t, `^[A-Za-z0-9_-]{24}$`, nonce)
	assert.Zero(t, w.used.size(), "the client asks again with the same token")

	having := func(id, nonce string, at time.Time) *policy.Request {
		r := w.good(func(p *tokentest.Proof) { p.ID, p.Nonce, p.Time = id, nonce, at })
		r.Time = at
		return r
	}
	w.allPermit(t, having("proof-2", nonce, epoch))
	w.allPermit(t, having("proof-3", nonce, epoch.Add(maxAge)))
	for _, wrong := range []string{"x", nonce[1:] + "A", strings.ToUpper(nonce)} {
		bad := having("proof-4", wrong, epoch)
		w.onlyDenied(t, bad, policy.TokBind, policy.DPoPNonce)
		assert.Equal(t, nonce, bad.Auth.Sender().Nonce)
	}
	old := having("proof-5", nonce, epoch.Add(2*maxAge))
	w.onlyDenied(t, old, policy.TokBind, policy.DPoPNonce)
	assert.NotEqual(t, nonce, old.Auth.Sender().Nonce)

	replica := newProving(t, client, asking("a key that the replicas share"))
	replica.allPermit(t, having("proof-6", nonce, epoch))
	other := newProving(t, client, asking("another key"))
	other.onlyDenied(t, having("proof-7", nonce, epoch), policy.TokBind, policy.DPoPNonce)
	random := newProving(t, client, asking(""))
	random.onlyDenied(t, having("proof-8", nonce, epoch), policy.TokBind, policy.DPoPNonce)
}

// A reload that changes something else keeps the random key of the nonces.
func TestRandomNonceKeyOutlivesAReload(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	issuer := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.RSA()), "RS256"), "RS256")
	stage := func(key string, previous *token.Authenticator) *token.Authenticator {
		a, err := token.NewAuthenticator(token.Options{
			Scheme: "Bearer", Issuers: []token.Issuer{issuer}, Previous: previous,
			DPoP: proofs(func(o *token.DPoP) { o.Nonce, o.NonceKey = true, []byte(key) }),
		})
		require.NoError(t, err)
		return a
	}
	w := newProving(t, client, nil)
	nonce := func(a *token.Authenticator) string { return a.Authenticate(t.Context(), w.good(nil)).SentBy.Nonce }
	first := stage("", nil)
	assert.Equal(t, nonce(first), nonce(stage("", first)))
	assert.NotEqual(t, nonce(first), nonce(stage("", nil)))
	keyed := stage("a key of the operator", first)
	assert.NotEqual(t, nonce(first), nonce(keyed))
	assert.NotEqual(t, nonce(keyed), nonce(stage("", keyed)), "a key that was configured does not stay when it is removed")
}

// The cache knows the token and never its sender.
func TestThreatDPoPCachedTokenStillNeedsAProof(t *testing.T) {
	w := newProving(t, tokentest.Shared("ES256", ""), nil)
	w.allPermit(t, w.good(nil))
	w.onlyDenied(t, with(w.token), policy.TokBind, policy.DPoPMissing)
	w.onlyDenied(t, bearer(w.token), policy.TokBind, policy.DPoPScheme)
	w.onlyDenied(t, w.good(nil), policy.TokBind, policy.DPoPReplayed)
	assert.Equal(t, uint64(3), w.stage.CacheStats()[0].Hits)
}
