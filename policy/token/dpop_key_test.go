package token_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestEveryAlgorithmOfProofs(t *testing.T) {
	for _, name := range token.Algorithms() {
		t.Run(name, func(t *testing.T) {
			client := tokentest.Shared(name, "")
			w := newProving(t, client, nil)
			r := w.good(nil)
			w.allPermit(t, r)
			assert.Equal(t, client.Thumbprint(), r.Auth.Sender().Key)
			w.onlyDenied(t, w.good(func(p *tokentest.Proof) { p.Fault = tokentest.FlippedBit }), policy.TokBind, policy.DPoPSignature)
		})
	}
}

// The thumbprint of RFC 7638 section 3.1 and of RFC 8037 appendix A.3.
func TestThumbprintsOfTheStandards(t *testing.T) {
	for _, row := range []struct{ rule, key, alg, want string }{
		{"RFC 7638", `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`, "RS256", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"RFC 8037", `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "EdDSA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		{"RFC 9449", `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`, "ES256", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
	} {
		thumb, ok := token.ReadProofKey([]byte(row.key), row.alg)
		require.True(t, ok, row.rule)
		assert.Equal(t, row.want, thumb, row.rule)
	}
}

func TestThreatDPoPWeakOrOddKeys(t *testing.T) {
	rsa, ec, ed := tokentest.Shared("RS256", ""), tokentest.Shared("ES256", ""), tokentest.Shared("EdDSA", "")
	with := func(s *tokentest.Signer, name string, value any) map[string]any {
		k := s.PublicJWK()
		if k[name] = value; value == nil {
			delete(k, name)
		}
		return k
	}
	text := func(s *tokentest.Signer, name string) string {
		value, ok := s.PublicJWK()[name].(string)
		require.True(t, ok)
		return value
	}
	short := new(big.Int).Lsh(big.NewInt(1), 1023)
	huge := new(big.Int).SetBit(big.NewInt(1), 8192, 1)
	for _, row := range []struct {
		rule   string
		signer *tokentest.Signer
		jwk    any
	}{
		{"RSA of 1024 bits", rsa, with(rsa, "n", tokentest.Encode(short.Bytes()))},
		{"RSA of 8193 bits", rsa, with(rsa, "n", tokentest.Encode(huge.Bytes()))},
		{"exponent 1", rsa, with(rsa, "e", "AQ")},
		{"an even exponent", rsa, with(rsa, "e", "Ag")},
		{"an exponent of 64 bits", rsa, with(rsa, "e", "AQAAAAAAAAE")},
		{"a modulus with a leading zero", rsa, with(rsa, "n", "AA"+text(rsa, "n"))},
		{"an exponent with a leading zero", rsa, with(rsa, "e", "AAEAAQ")},
		{"a modulus with padding", rsa, with(rsa, "n", text(rsa, "n")+"=")},
		{"a modulus with a line break", rsa, with(rsa, "n", text(rsa, "n")+"\n")},
		{"a point beside the curve", ec, with(ec, "y", text(ec, "x"))},
		{"a coordinate that is too short", ec, with(ec, "x", "AQ")},
		{"a coordinate with a leading zero", ec, with(ec, "x", "AA"+text(ec, "x"))},
		{"no y", ec, with(ec, "y", nil)},
		{"another curve", ec, with(ec, "crv", "P-384")},
		{"a curve that nobody knows", ec, with(ec, "crv", "secp256k1")},
		{"an Ed25519 key that is too short", ed, with(ed, "x", "AQ")},
		{"an encryption curve", ed, with(ed, "crv", "X25519")},
		{"a key of another kind than the algorithm", ec, rsa.PublicJWK()},
		{"a key for another algorithm", rsa, with(rsa, "alg", "PS256")},
		{"a key for encryption", ec, with(ec, "use", "enc")},
		{"a key that must not verify", ec, with(ec, "key_ops", []string{"encrypt"})},
		{"a type that is a number", ec, with(ec, "kty", 1)},
		{"a symmetric key", ec, map[string]any{"kty": "oct", "k": "AQAB"}},
		{"a key that is a text", ec, "key"},
		{"an empty key", ec, map[string]any{}},
	} {
		w := newProving(t, row.signer, nil)
		v := w.onlyDenied(t, w.good(func(p *tokentest.Proof) { p.Header = map[string]any{"jwk": row.jwk} }), policy.TokBind, policy.DPoPKey)
		assert.Empty(t, v.Detail, row.rule)
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		w := newProving(t, rsa, nil)
		r := w.good(func(p *tokentest.Proof) { p.Header = map[string]any{"jwk": with(rsa, name, "AQAB")} })
		w.onlyDenied(t, r, policy.TokBind, policy.DPoPKey)
	}
	w := newProving(t, ec, nil)
	twice := `{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","kty":"EC"}}`
	w.onlyDenied(t, w.good(func(p *tokentest.Proof) { p.HeaderJSON = twice }), policy.TokBind, policy.DPoPMalformed)
}

func TestPublicURLs(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	for _, row := range []struct {
		public, path, htu string
		part              string // "" if they are the same
	}{
		{"https://api.example.net", "/", "https://api.example.net", ""},
		{"https://api.example.net", "/", "https://api.example.net/", ""},
		{"https://api.example.net", "/", "https://api.example.net?x=/y", ""},
		{"https://api.example.net/", "/a", "https://api.example.net/a", ""},
		{"HTTPS://API.example.net:443/v1", "/a", "https://api.example.net/v1/a", ""},
		{"http://127.0.0.1:80", "/a", "http://127.0.0.1/a", ""},
		{"http://127.0.0.1:8080", "/a", "http://127.0.0.1:8080/a", ""},
		{"http://[::1]:8080", "/a", "http://[::1]:8080/a", ""},
		{"http://[::1]", "/a", "http://[::1]:80/a", ""},
		{"https://api.example.net", "/%7Ea/%C3%A4", "https://api.example.net/~a/%c3%a4", ""},
		{"https://api.example.net", "/a", "https://api.example.net/a/", "path"},
		{"https://api.example.net", "/a/", "https://api.example.net/a", "path"},
		{"https://api.example.net", "/a", "https://api.example.net//a", "path"},
		{"https://api.example.net", "*", "https://api.example.net", "path"},
		{"https://api.example.net", "/a", "https://api.example.net:080/a", "form"},
		{"https://api.example.net", "/a", "https://api.example.net:4x3/a", "form"},
		{"https://api.example.net", "/a", "https://api.example%2Enet/a", "form"},
		{"https://api.example.net", "/a", "https://api.example.net:1@api.example.net/a", "form"},
		{"https://api.example.net", "/a", "https://api.example.net/%", "form"},
		{"https://api.example.net", "/a", "https://api.example.net/%4", "form"},
		{"https://api.example.net", "/a", "https://api.example.net/%zz", "form"},
		{"https://api.example.net", "/a", "https://api.example.net/\u00e4", "form"},
		{"https://api.example.net", "/a", " https://api.example.net/a", "form"},
		{"https://api.example.net", "/a", "https:///a", "form"},
		{"https://api.example.net", "/a", "https:/api.example.net/a", "form"},
		{"https://api.example.net", "/a", "ftp://api.example.net/a", "form"},
		{"https://api.example.net", "/a", "https://api.example.net\\@evil.example/a", "form"},
		{"https://api.example.net", "/a", "https://api.example.net/" + strings.Repeat("a", 4<<10), "form"},
	} {
		w := newProving(t, client, func(o *token.DPoP) { o.PublicURL = row.public })
		r := w.good(func(p *tokentest.Proof) { p.URL = row.htu })
		r.Path = row.path
		if row.part == "" {
			w.allPermit(t, r)
			continue
		}
		assert.Equal(t, policy.Denied(policy.DPoPURL, row.part), w.verdicts(t, r)[policy.TokBind], "%s of %s%s", row.htu, row.public, row.path)
	}
}

func TestBadOptionsOfProofs(t *testing.T) {
	issuer := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.RSA()), "RS256"), "RS256")
	for want, change := range map[string]func(*token.DPoP){
		"public URL":         func(o *token.DPoP) { o.PublicURL = "api.example.net" },
		"no algorithm":       func(o *token.DPoP) { o.Algorithms = nil },
		`"HS256"`:            func(o *token.DPoP) { o.Algorithms = []string{"HS256"} },
		"no bound":           func(o *token.DPoP) { o.MaxAge = 0 },
		"nothing remembers":  func(o *token.DPoP) { o.Used = nil },
		"age of proofs has ": func(o *token.DPoP) { o.Skew = -1 },
	} {
		_, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: []token.Issuer{issuer}, DPoP: proofs(change)})
		assert.ErrorContains(t, err, want)
	}
}
