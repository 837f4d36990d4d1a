package token_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// Each test named after a threat has one row per way in which other verifiers
// were fooled, beside a valid control of the same shape.

func TestThreatAlgorithmTricks(t *testing.T) {
	w, rsa, ec := standardWorld(t), tokentest.RSA(), tokentest.EC()
	w.allPermit(t, bearer(rsa.Token(claims(nil))))
	w.allPermit(t, bearer(ec.Token(claims(nil))))
	header := func(change map[string]any) tokentest.Spec { return tokentest.Spec{Header: change, Claims: claims(nil)} }
	for _, row := range []struct {
		name   string
		token  string
		reason policy.Reason
	}{
		{"none with a signature", rsa.Mint(header(map[string]any{"alg": "none"})), policy.TokenAlg},
		{"None", rsa.Mint(header(map[string]any{"alg": "None"})), policy.TokenAlg},
		{"nOnE", rsa.Mint(header(map[string]any{"alg": "nOnE"})), policy.TokenAlg},
		{"none without a signature", rsa.Mint(tokentest.Spec{Header: map[string]any{"alg": "none"}, Claims: claims(nil), Fault: tokentest.EmptySignature}), policy.TokenMalformed},
		{"empty", rsa.Mint(header(map[string]any{"alg": ""})), policy.TokenAlg},
		{"missing", rsa.Mint(header(map[string]any{"alg": nil})), policy.TokenAlg},
		{"lower case", rsa.Mint(header(map[string]any{"alg": "rs256"})), policy.TokenAlg},
		{"HS256 with the RSA key in PEM", rsa.Mint(tokentest.Spec{Header: map[string]any{"alg": "HS256"}, Claims: claims(nil), Fault: tokentest.HMACWithPEM}), policy.TokenAlg},
		{"HS256 with the RSA key in DER", rsa.Mint(tokentest.Spec{Header: map[string]any{"alg": "HS256"}, Claims: claims(nil), Fault: tokentest.HMACWithDER}), policy.TokenAlg},
		{"HS256 with the EC key as JWK", ec.Mint(tokentest.Spec{Header: map[string]any{"alg": "HS256"}, Claims: claims(nil), Fault: tokentest.HMACWithJWK}), policy.TokenAlg},
		{"RS256 header over an HMAC", rsa.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.HMACWithPEM}), policy.TokenSignature},
		{"PS256 by an RS256 key, not allowed", tokentest.Shared("PS256", "rsa-1").Token(claims(nil)), policy.TokenAlg},
		{"RS256 header over a PS256 signature", tokentest.Shared("PS256", "rsa-1").Mint(header(map[string]any{"alg": "RS256"})), policy.TokenSignature},
		{"ES256 header with an RSA key", rsa.Mint(header(map[string]any{"alg": "ES256"})), policy.TokenAlg},
		{"ES256 with a P-384 key", tokentest.Shared("ES384", "ec-1").Mint(header(map[string]any{"alg": "ES256"})), policy.TokenSignature},
		{"ES256 of zero bytes", ec.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.ZeroSignature}), policy.TokenSignature},
		{"RS256 of zero bytes", rsa.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.ZeroSignature}), policy.TokenSignature},
		{"one bit of an RS256 signature", rsa.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}), policy.TokenSignature},
		{"one bit of an ES256 signature", ec.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}), policy.TokenSignature},
		{"another key with a known id", tokentest.Fresh("ES256", "ec-1").Token(claims(nil)), policy.TokenSignature},
		{"duplicate alg", rsa.Mint(tokentest.Spec{HeaderJSON: `{"alg":"none","alg":"RS256","kid":"rsa-1","typ":"at+jwt"}`, Claims: claims(nil)}), policy.TokenMalformed},
	} {
		t.Run(row.name, func(t *testing.T) { w.onlyDenied(t, bearer(row.token), policy.TokSig, row.reason) })
	}
}

func TestThreatAlgorithmPinnedWhenSeveralAreAllowed(t *testing.T) {
	allowed := []string{"RS256", "PS256", "ES256"}
	unpinned := tokentest.RSA().JWK()
	delete(unpinned, "alg")
	unpinned["kid"] = "rsa-2"
	document := tokentest.KeySet(tokentest.RSA().JWK(), unpinned, tokentest.EC().JWK())
	keys := fileSet(t, issuerName, document, allowed...)
	w := newWorld(t, issuerWith(keys, allowed...))
	w.allPermit(t, bearer(tokentest.RSA().Token(claims(nil))))
	w.onlyDenied(t, bearer(tokentest.Shared("PS256", "rsa-1").Token(claims(nil))), policy.TokSig, policy.TokenAlg)
	w.onlyDenied(t, bearer(tokentest.Shared("RS256", "rsa-2").Token(claims(nil))), policy.TokSig, policy.KeyUnknown)
	assert.Equal(t, skips(token.SkipAmbiguous), keys.Stats().Skipped)
}

func TestThreatKeyInjection(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { connections.Add(1) }))
	defer server.Close()
	w, rsa := standardWorld(t), tokentest.RSA()
	own := tokentest.Fresh("RS256", "rsa-1")
	for _, row := range []struct {
		name   string
		header map[string]any
		reason policy.Reason
	}{
		{"jku", map[string]any{"jku": server.URL}, policy.TokenHeaderKey},
		{"x5u", map[string]any{"x5u": server.URL}, policy.TokenHeaderKey},
		{"jwk", map[string]any{"jwk": own.JWK()}, policy.TokenHeaderKey},
		{"x5c", map[string]any{"x5c": []string{"MIIB"}}, policy.TokenHeaderKey},
		{"kid as a path", map[string]any{"kid": "../../dev/null"}, policy.KeyUnknown},
		{"kid as SQL", map[string]any{"kid": "x' UNION SELECT 'key"}, policy.KeyUnknown},
		{"kid with line breaks", map[string]any{"kid": "a\r\nX-Injected: 1"}, policy.KeyUnknown},
		{"kid of 5 KB", map[string]any{"kid": strings.Repeat("k", 5<<10)}, policy.KeyUnknown},
		{"kid of 10 KB", map[string]any{"kid": strings.Repeat("k", 10<<10)}, policy.TokenOversize},
		{"kid as a URL", map[string]any{"kid": server.URL}, policy.KeyUnknown},
		{"kid as a number", map[string]any{"kid": 1}, policy.TokenHeader},
		{"no kid, one key of the algorithm", map[string]any{"kid": nil}, policy.TokenSignature},
		{"the attacker's key with a known kid", nil, policy.TokenSignature},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.onlyDenied(t, bearer(own.Mint(tokentest.Spec{Header: row.header, Claims: claims(nil)})), policy.TokSig, row.reason)
		})
	}
	// A member that offers a key is refused even when the signature is good.
	w.onlyDenied(t, bearer(rsa.Mint(tokentest.Spec{Header: map[string]any{"jwk": rsa.JWK()}, Claims: claims(nil)})), policy.TokSig, policy.TokenHeaderKey)
	assert.Zero(t, connections.Load())
}

func TestThreatMissingKeyID(t *testing.T) {
	anonymous := tokentest.Shared("RS256", "")
	one := newWorld(t, issuerWith(fileSet(t, issuerName, tokentest.JWKS(anonymous), "RS256"), "RS256"))
	one.allPermit(t, bearer(anonymous.Token(claims(nil))))
	one.onlyDenied(t, bearer(tokentest.RSA().Token(claims(nil))), policy.TokSig, policy.KeyUnknown)
	document := tokentest.JWKS(anonymous, tokentest.Fresh("RS256", ""))
	two := newWorld(t, issuerWith(fileSet(t, issuerName, document, "RS256"), "RS256"))
	two.onlyDenied(t, bearer(anonymous.Token(claims(nil))), policy.TokSig, policy.KeyUnknown)
}

func TestThreatTokenType(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"} {
		w.allPermit(t, bearer(rsa.Mint(tokentest.Spec{Header: map[string]any{"typ": typ}, Claims: claims(nil)})))
	}
	for _, typ := range []any{"JWT", "jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "at+jwt ", "text/at+jwt", "application/", "", nil} {
		t.Run(fmt.Sprintf("typ %v", typ), func(t *testing.T) {
			r := bearer(rsa.Mint(tokentest.Spec{Header: map[string]any{"typ": typ}, Claims: claims(nil)}))
			w.onlyDenied(t, r, policy.TokTyp, policy.TokenType)
		})
	}
}

func TestThreatIssuer(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	for _, row := range []struct {
		name    string
		iss     any
		control policy.Control
		reason  policy.Reason
	}{
		{"trailing slash", issuerName + "/", policy.TokIss, policy.IssuerUnknown},
		{"other case", strings.ToUpper(issuerName), policy.TokIss, policy.IssuerUnknown},
		{"prefix", "https://idp.example", policy.TokIss, policy.IssuerUnknown},
		{"empty", "", policy.TokIss, policy.IssuerMissing},
		{"missing", nil, policy.TokIss, policy.IssuerMissing},
		{"array", []string{issuerName}, policy.TokSig, policy.TokenMalformed},
		{"null", json(`null`), policy.TokSig, policy.TokenMalformed},
		{"number", 1, policy.TokSig, policy.TokenMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.onlyDenied(t, bearer(rsa.Token(claims(map[string]any{"iss": row.iss}))), row.control, row.reason)
		})
	}
}

func TestThreatKeyOfAnotherIssuer(t *testing.T) {
	const second = "https://second.example.net"
	first, other := tokentest.Fresh("ES256", "key-1"), tokentest.Fresh("ES256", "key-1")
	one := issuerWith(fileSet(t, issuerName, tokentest.JWKS(first), "ES256"), "ES256")
	two := issuerWith(fileSet(t, second, tokentest.JWKS(other), "ES256"), "ES256")
	two.Issuer = second
	w := newWorld(t, one, two)
	w.allPermit(t, bearer(first.Token(claims(nil))))
	w.allPermit(t, bearer(other.Token(claims(map[string]any{"iss": second}))))
	w.onlyDenied(t, bearer(first.Token(claims(map[string]any{"iss": second}))), policy.TokSig, policy.TokenSignature)
	w.onlyDenied(t, bearer(other.Token(claims(nil))), policy.TokSig, policy.TokenSignature)
}

func TestThreatAudience(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	w.allPermit(t, bearer(rsa.Token(claims(map[string]any{"aud": []string{"https://other.example.net", audience}}))))
	for _, row := range []struct {
		name    string
		aud     any
		control policy.Control
		reason  policy.Reason
	}{
		{"missing", nil, policy.TokAud, policy.AudienceMissing},
		{"empty array", []string{}, policy.TokAud, policy.AudienceMissing},
		{"empty string", "", policy.TokAud, policy.AudienceMissing},
		{"null", json(`null`), policy.TokSig, policy.TokenMalformed},
		{"object", map[string]any{"a": audience}, policy.TokSig, policy.TokenMalformed},
		{"array with a number", []any{audience, 1}, policy.TokSig, policy.TokenMalformed},
		{"substring", "https://api.example", policy.TokAud, policy.TokenAudience},
		{"superstring", audience + "/v2", policy.TokAud, policy.TokenAudience},
		{"several without ours", []string{"https://a.example.net", "https://b.example.net"}, policy.TokAud, policy.TokenAudience},
		{"joined by a comma", audience + ",x", policy.TokAud, policy.TokenAudience},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.onlyDenied(t, bearer(rsa.Token(claims(map[string]any{"aud": row.aud}))), row.control, row.reason)
		})
	}
}

func TestThreatAudienceAllRequired(t *testing.T) {
	i := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	i.Audiences, i.AllAudiences = []string{"a", "b"}, true
	w := newWorld(t, i)
	w.allPermit(t, bearer(tokentest.EC().Token(claims(map[string]any{"aud": []string{"b", "x", "a"}}))))
	w.onlyDenied(t, bearer(tokentest.EC().Token(claims(map[string]any{"aud": "a"}))), policy.TokAud, policy.TokenAudience)
	i.Audiences = nil
	newWorld(t, i).onlyDenied(t, bearer(tokentest.EC().Token(claims(nil))), policy.TokAud, policy.TokenAudience)
}

func TestThreatTime(t *testing.T) {
	w, ec := standardWorld(t), tokentest.EC()
	at := func(name string, offset time.Duration) map[string]any {
		change := map[string]any{name: epoch.Add(offset).Unix()}
		if name == "exp" {
			change["iat"] = epoch.Add(-time.Hour).Unix()
		}
		return claims(change)
	}
	for _, row := range []struct {
		name   string
		claims map[string]any
	}{
		{"exp 59 s ago", at("exp", -59*time.Second)},
		{"nbf in 59 s", at("nbf", 59*time.Second)},
		{"iat in 59 s", at("iat", 59*time.Second)},
		{"nbf in 60 s", at("nbf", 60*time.Second)},
	} {
		t.Run(row.name, func(t *testing.T) { w.allPermit(t, bearer(ec.Token(row.claims))) })
	}
	for _, row := range []struct {
		name    string
		claims  map[string]any
		control policy.Control
		reason  policy.Reason
	}{
		{"exp 60 s ago", at("exp", -60*time.Second), policy.TokTime, policy.TokenExpired},
		{"exp 61 s ago", at("exp", -61*time.Second), policy.TokTime, policy.TokenExpired},
		{"nbf in 61 s", at("nbf", 61*time.Second), policy.TokTime, policy.TokenNotYetValid},
		{"iat in 61 s", at("iat", 61*time.Second), policy.TokTime, policy.TokenIssuedInFuture},
		{"exp missing", claims(map[string]any{"exp": nil}), policy.TokTime, policy.ExpiryMissing},
		{"exp 0", claims(map[string]any{"exp": 0}), policy.TokSig, policy.TokenMalformed},
		{"exp as string", claims(map[string]any{"exp": "1800003600"}), policy.TokSig, policy.TokenMalformed},
		{"exp 1e999", claims(map[string]any{"exp": json(`1e999`)}), policy.TokSig, policy.TokenMalformed},
		{"exp with a fraction", claims(map[string]any{"exp": json(`1800003600.0`)}), policy.TokSig, policy.TokenMalformed},
		{"exp with an exponent", claims(map[string]any{"exp": json(`18e8`)}), policy.TokSig, policy.TokenMalformed},
		{"exp negative", claims(map[string]any{"exp": -1}), policy.TokSig, policy.TokenMalformed},
		{"exp 2^63", claims(map[string]any{"exp": json(`9223372036854775808`)}), policy.TokSig, policy.TokenMalformed},
		{"exp 2^40", claims(map[string]any{"exp": int64(1) << 40}), policy.TokSig, policy.TokenMalformed},
		{"exp null", claims(map[string]any{"exp": json(`null`)}), policy.TokSig, policy.TokenMalformed},
		{"nbf as string", claims(map[string]any{"nbf": "1"}), policy.TokSig, policy.TokenMalformed},
		{"iat as object", claims(map[string]any{"iat": map[string]any{}}), policy.TokSig, policy.TokenMalformed},
		{"EXP in upper case only", claims(map[string]any{"exp": nil, "EXP": epoch.Add(time.Hour).Unix()}), policy.TokTime, policy.ExpiryMissing},
	} {
		t.Run(row.name, func(t *testing.T) { w.onlyDenied(t, bearer(ec.Token(row.claims)), row.control, row.reason) })
	}
}

func TestThreatLifetime(t *testing.T) {
	w, ec := standardWorld(t), tokentest.EC()
	exact := claims(map[string]any{"exp": epoch.Add(maxTTL).Unix()})
	w.allPermit(t, bearer(ec.Token(exact)))
	for _, row := range []struct {
		name   string
		change map[string]any
		reason policy.Reason
	}{
		{"a second too long", map[string]any{"exp": epoch.Add(maxTTL + time.Second).Unix()}, policy.TokenLifetime},
		{"ten thousand years", map[string]any{"exp": int64(1)<<40 - 1}, policy.TokenLifetime},
		{"iat missing", map[string]any{"iat": nil}, policy.TokenIssuedAtMissing},
		{"ends before it was issued", map[string]any{"iat": epoch.Unix(), "exp": epoch.Unix() - 1}, policy.TokenLifetimeNegative},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.onlyDenied(t, bearer(ec.Token(claims(row.change))), policy.TokTTL, row.reason)
		})
	}
}

func TestThreatParserExhaustion(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	nested := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	some := strings.Repeat("[", 33) + strings.Repeat("]", 33)
	for _, row := range []struct {
		name   string
		token  string
		reason policy.Reason
	}{
		{"1 MB of dots", strings.Repeat(".", 1<<20), policy.TokenOversize},
		{"8 KB of dots", strings.Repeat(".", 8<<10), policy.TokenMalformed},
		{"a JWE with a costly p2c", tokentest.Encode([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648}`)) + ".AA.AA.AA.AA", policy.TokenMalformed},
		{"p2c in three segments", rsa.Mint(tokentest.Spec{Header: map[string]any{"p2c": 1 << 31}, Claims: claims(nil)}), policy.TokenHeaderJWE},
		{"zip in three segments", rsa.Mint(tokentest.Spec{Header: map[string]any{"zip": "DEF"}, Claims: claims(nil)}), policy.TokenHeaderJWE},
		{"a header of depth 10,000", rsa.Mint(tokentest.Spec{HeaderJSON: `{"alg":"RS256","x":` + nested + `}`, Claims: claims(nil)}), policy.TokenOversize},
		{"a header of depth 34", rsa.Mint(tokentest.Spec{HeaderJSON: `{"alg":"RS256","x":` + some + `}`, Claims: claims(nil)}), policy.TokenMalformed},
		{"claims of depth 34", rsa.Mint(tokentest.Spec{ClaimsJSON: `{"x":` + some + `}`}), policy.TokenMalformed},
		{"a claim of 1 MB", rsa.Token(claims(map[string]any{"x": strings.Repeat("x", 1<<20)})), policy.TokenOversize},
	} {
		t.Run(row.name, func(t *testing.T) {
			began := realClock()
			w.onlyDenied(t, bearer(row.token), policy.TokSig, row.reason)
			assert.Less(t, realClock().Sub(began), 200*time.Millisecond)
		})
	}
}

// The answer to each of these is the same; the record tells them apart.
func TestThreatErrorOracleIsForTheRecordAlone(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	reasons := map[policy.Reason]bool{}
	for _, row := range []struct {
		name    string
		spec    tokentest.Spec
		control policy.Control
		reason  policy.Reason
	}{
		{"signature", tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}, policy.TokSig, policy.TokenSignature},
		{"kid", tokentest.Spec{Header: map[string]any{"kid": "rsa-9"}, Claims: claims(nil)}, policy.TokSig, policy.KeyUnknown},
		{"exp", tokentest.Spec{Claims: claims(map[string]any{"iat": epoch.Add(-time.Hour).Unix(), "exp": epoch.Add(-2 * skew).Unix()})}, policy.TokTime, policy.TokenExpired},
		{"aud", tokentest.Spec{Claims: claims(map[string]any{"aud": "https://other.example.net"})}, policy.TokAud, policy.TokenAudience},
		{"iss", tokentest.Spec{Claims: claims(map[string]any{"iss": "https://other.example.net"})}, policy.TokIss, policy.IssuerUnknown},
		{"typ", tokentest.Spec{Header: map[string]any{"typ": "JWT"}, Claims: claims(nil)}, policy.TokTyp, policy.TokenType},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := w.onlyDenied(t, bearer(rsa.Mint(row.spec)), row.control, row.reason)
			assert.False(t, reasons[v.Reason], "a reason of its own")
			reasons[v.Reason] = true
		})
	}
}

// Other bytes are no other token: an ECDSA signature can be made anew by anybody who
// has the key, and turned into its twin by anybody.
func TestThreatReplayUnderAnotherSignature(t *testing.T) {
	w, ec := standardWorld(t), tokentest.EC()
	one, two := bearer(ec.Token(claims(nil))), bearer(ec.Token(claims(nil)))
	w.allPermit(t, one)
	w.allPermit(t, two)
	assert.NotEqual(t, one.Auth.Token.Fingerprint, two.Auth.Token.Fingerprint)
	assert.Equal(t, one.Auth.Token.ID, two.Auth.Token.ID, "by which tok.replay knows it")
}
