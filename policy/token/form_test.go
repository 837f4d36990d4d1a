package token_test

import (
	"encoding/base64"
	stdjson "encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// json is a value with exactly this text.
func json(text string) stdjson.RawMessage { return stdjson.RawMessage(text) }

func TestThreatMalformedJOSE(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	good := rsa.Token(claims(nil))
	w.allPermit(t, bearer(good))
	part := strings.Split(good, ".")
	head := func(text string) string { return rsa.Mint(tokentest.Spec{HeaderJSON: text, Claims: claims(nil)}) }
	body := func(text string) string { return rsa.Mint(tokentest.Spec{ClaimsJSON: text}) }
	for _, row := range []struct {
		name, token string
		reason      policy.Reason
		detail      string
	}{
		{"unknown crit", head(`{"alg":"RS256","kid":"rsa-1","crit":["x"],"x":1}`), policy.TokenHeaderCrit, "crit"},
		{"empty crit", head(`{"alg":"RS256","kid":"rsa-1","crit":[]}`), policy.TokenHeaderCrit, "crit"},
		{"b64 false", head(`{"alg":"RS256","kid":"rsa-1","b64":false}`), policy.TokenHeaderUnencoded, "b64"},
		{"b64 true", head(`{"alg":"RS256","kid":"rsa-1","b64":true}`), policy.TokenHeaderUnencoded, "b64"},
		{"escaped crit", head(`{"alg":"RS256","kid":"rsa-1","\u0063rit":["x"]}`), policy.TokenHeaderCrit, "crit"},
		{"nested JWT", head(`{"alg":"RS256","kid":"rsa-1","cty":"JWT"}`), policy.TokenHeaderNested, "cty"},
		{"alg is a number", head(`{"alg":256,"kid":"rsa-1"}`), policy.TokenHeader, "alg"},
		{"typ is an array", head(`{"alg":"RS256","kid":"rsa-1","typ":["at+jwt"]}`), policy.TokenHeader, "typ"},
		{"kid is null", head(`{"alg":"RS256","kid":null}`), policy.TokenHeader, "kid"},
		{"duplicate header member", head(`{"alg":"RS256","kid":"x","kid":"rsa-1"}`), policy.TokenMalformed, "header"},
		{"duplicate by an escape", head(`{"alg":"RS256","kid":"x","k\u0069d":"rsa-1"}`), policy.TokenMalformed, "header"},
		{"nested duplicate in the header", head(`{"alg":"RS256","kid":"rsa-1","x":{"a":1,"a":2}}`), policy.TokenMalformed, "header"},
		{"header is an array", head(`["alg","RS256"]`), policy.TokenMalformed, "header"},
		{"header has bytes after the object", head(`{"alg":"RS256","kid":"rsa-1"} {}`), policy.TokenMalformed, "header"},
		{"header has a comment", head(`{"alg":"RS256"/**/,"kid":"rsa-1"}`), policy.TokenMalformed, "header"},
		{"header with a byte order mark", head("\ufeff" + `{"alg":"RS256","kid":"rsa-1"}`), policy.TokenMalformed, "header"},
		{"duplicate claim", body(`{"iss":"a","iss":"` + issuerName + `"}`), policy.TokenMalformed, "claims"},
		{"nested duplicate claim", body(`{"iss":"` + issuerName + `","act":{"sub":"a","sub":"b"}}`), policy.TokenMalformed, "claims"},
		{"claims are an array", body(`[]`), policy.TokenMalformed, "claims"},
		{"claims have bytes after the object", body(`{"iss":"` + issuerName + `"}x`), policy.TokenMalformed, "claims"},
		{"claims are cut", body(`{"iss":"` + issuerName + `"`), policy.TokenMalformed, "claims"},
		{"claims are not UTF-8", body("{\"iss\":\"" + issuerName + "\",\"sub\":\"\xff\"}"), policy.TokenMalformed, "claims"},
		{"half a surrogate pair", body(`{"iss":"` + issuerName + `","sub":"\ud800"}`), policy.TokenMalformed, "claims"},
		{"claims are a JWT", body(good), policy.TokenMalformed, "claims"},
		{"padding", part[0] + "=." + part[1] + "." + part[2], policy.TokenMalformed, "segments"},
		{"standard alphabet", part[0] + "." + part[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(part[2]) + "/", policy.TokenMalformed, "segments"},
		{"line break in a segment", part[0] + "." + part[1][:4] + "\n" + part[1][4:] + "." + part[2], policy.TokenMalformed, "segments"},
		{"space at the end", good + " ", policy.TokenMalformed, "segments"},
		{"tab at the start", "\t" + good, policy.TokenMalformed, "segments"},
		{"unused bits of the signature", withUnusedBits(t, good), policy.TokenMalformed, "signature"},
		{"segment of impossible length", part[0] + "." + part[1] + ".AAAAA", policy.TokenMalformed, "signature"},
		{"two segments", part[0] + "." + part[1], policy.TokenMalformed, "segments"},
		{"four segments", good + ".AA", policy.TokenMalformed, "segments"},
		{"empty header", "." + part[1] + "." + part[2], policy.TokenMalformed, "segments"},
		{"empty claims", part[0] + ".." + part[2], policy.TokenMalformed, "segments"},
		{"empty signature", part[0] + "." + part[1] + ".", policy.TokenMalformed, "segments"},
		{"two tokens with a comma", good + ", " + good, policy.TokenMalformed, "segments"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := w.onlyDenied(t, bearer(row.token), policy.TokSig, row.reason)
			assert.Equal(t, row.detail, v.Detail)
		})
	}
}

// withUnusedBits returns the token with a signature that decodes to the same
// bytes in a lenient decoder.
func withUnusedBits(t *testing.T, good string) string {
	t.Helper()
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, good[len(good)-1])
	changed := good[:len(good)-1] + string(digits[last+1])
	a, err := base64.RawURLEncoding.DecodeString(good[strings.LastIndex(good, ".")+1:])
	require.NoError(t, err)
	b, err := base64.RawURLEncoding.DecodeString(changed[strings.LastIndex(changed, ".")+1:])
	require.NoError(t, err)
	require.Equal(t, a, b)
	return changed
}

// A JSON serialization has members beside the signed ones, which a verifier may
// take for claims. No form but the compact one is read, whatever it contains.
func TestThreatFlattenedJSONSerialization(t *testing.T) {
	w, rsa := standardWorld(t), tokentest.RSA()
	part := strings.Split(rsa.Token(claims(nil)), ".")
	flattened := map[string]any{
		"protected": part[0], "payload": part[1], "signature": part[2],
		"iss": issuerName, "aud": audience, "sub": "somebody-else", "exp": epoch.Unix() + 60,
	}
	general := map[string]any{
		"payload":    part[1],
		"signatures": []any{map[string]any{"protected": part[0], "signature": "AA"}, map[string]any{"protected": part[0], "signature": part[2]}},
	}
	for _, form := range []map[string]any{flattened, general} {
		text, err := stdjson.Marshal(form)
		require.NoError(t, err)
		for _, sent := range []string{string(text), " " + string(text), tokentest.Encode(text), tokentest.Encode(text) + "." + part[1] + "." + part[2]} {
			a := w.authenticate(t, bearer(sent))
			assert.Equal(t, policy.Deny, a.Proof.Effect)
			assert.Nil(t, a.Identity)
		}
	}
}

func TestThreatTokenInTheWrongPlace(t *testing.T) {
	w, good := standardWorld(t), tokentest.RSA().Token(claims(nil))
	access := []policy.Pair{{Name: "access_token", Value: good}}
	for _, row := range []struct {
		name   string
		header http.Header
		query  []policy.Pair
		reason policy.Reason
	}{
		{"nowhere", http.Header{}, nil, policy.CredentialMissing},
		{"query only", http.Header{}, access, policy.CredentialMissing},
		{"header and query", http.Header{"Authorization": {"Bearer " + good}}, access, policy.CredentialDuplicate},
		{"two headers", http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}}, nil, policy.CredentialDuplicate},
		{"another scheme first", http.Header{"Authorization": {"Basic QTpC", "Bearer " + good}}, nil, policy.CredentialDuplicate},
		{"another scheme", http.Header{"Authorization": {"Basic QTpC"}}, nil, policy.CredentialScheme},
		{"DPoP scheme", http.Header{"Authorization": {"DPoP " + good}}, nil, policy.CredentialScheme},
		{"no scheme", http.Header{"Authorization": {good}}, nil, policy.CredentialScheme},
		{"scheme alone", http.Header{"Authorization": {"Bearer"}}, nil, policy.CredentialScheme},
		{"scheme and a space", http.Header{"Authorization": {"Bearer "}}, nil, policy.CredentialScheme},
		{"scheme without a space", http.Header{"Authorization": {"Bearer" + good}}, nil, policy.CredentialScheme},
		{"scheme with a tab", http.Header{"Authorization": {"Bearer\t" + good}}, nil, policy.CredentialScheme},
		{"empty header", http.Header{"Authorization": {""}}, nil, policy.CredentialScheme},
		{"another header", http.Header{"X-Authorization": {"Bearer " + good}}, nil, policy.CredentialMissing},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &policy.Request{Time: epoch, Header: row.header, Query: row.query}
			w.onlyDenied(t, r, policy.TokPresent, row.reason)
			assert.Nil(t, r.Auth.Token)
			assert.Equal(t, policy.TokPresent, r.Auth.Proof.Cause)
		})
	}
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		w.allPermit(t, &policy.Request{Time: epoch, Header: http.Header{"Authorization": {scheme + good}}})
	}
}

func TestHeaderWithoutScheme(t *testing.T) {
	keys := fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256")
	stage, err := token.NewAuthenticator(token.Options{Header: "x-jwt-assertion", Issuers: []token.Issuer{issuerWith(keys, "ES256")}, CacheBytes: -1})
	require.NoError(t, err)
	good := tokentest.EC().Token(claims(nil))
	for range 2 {
		a := stage.Authenticate(t.Context(), &policy.Request{Time: epoch, Header: http.Header{"X-Jwt-Assertion": {good}}})
		assert.Equal(t, policy.Permit, a.Proof.Effect)
	}
}

func TestEveryAlgorithm(t *testing.T) {
	for _, name := range token.Algorithms() {
		t.Run(name, func(t *testing.T) {
			s := tokentest.Shared(name, "key-1")
			w := newWorld(t, issuerWith(fileSet(t, issuerName, tokentest.JWKS(s), name), name))
			w.allPermit(t, bearer(s.Token(claims(nil))))
			w.onlyDenied(t, bearer(s.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit})), policy.TokSig, policy.TokenSignature)
			w.onlyDenied(t, bearer(s.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.ZeroSignature})), policy.TokSig, policy.TokenSignature)
			cut := s.Token(claims(nil))
			w.onlyDenied(t, bearer(cut[:strings.LastIndexByte(cut, '.')+1+40]), policy.TokSig, policy.TokenSignature)
		})
	}
}
