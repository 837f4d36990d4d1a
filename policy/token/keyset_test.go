package token_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// changed returns the key of a signer with some members replaced, or removed by
// nil.
func changed(s *tokentest.Signer, change map[string]any) map[string]any {
	k := s.JWK()
	for name, v := range change {
		if k[name] = v; v == nil {
			delete(k, name)
		}
	}
	return k
}

// number returns 2^bits + plus in base64url.
func number(bits uint, plus int64) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits)
	return tokentest.Encode(n.Add(n, big.NewInt(plus)).Bytes())
}

func TestThreatOddKeysAreSkippedOneByOne(t *testing.T) {
	rsa, ec, ed := tokentest.RSA(), tokentest.EC(), tokentest.Shared("EdDSA", "ed-1")
	good := tokentest.Fresh("ES256", "good")
	for _, row := range []struct {
		name string
		key  map[string]any
		why  token.SkipReason
	}{
		{"oct", map[string]any{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "x"}, token.SkipSymmetric},
		{"AKP", map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "x"}, token.SkipType},
		{"no kty", map[string]any{"kid": "x"}, token.SkipType},
		{"kty is a number", map[string]any{"kty": 1}, token.SkipMalformed},
		{"RSA 1024", changed(rsa, map[string]any{"n": number(1023, 1)}), token.SkipModulus},
		{"RSA 2047", changed(rsa, map[string]any{"n": number(2046, 1)}), token.SkipModulus},
		{"RSA 16384", changed(rsa, map[string]any{"n": number(16383, 1)}), token.SkipModulus},
		{"RSA 8193", changed(rsa, map[string]any{"n": number(8192, 1)}), token.SkipModulus},
		{"RSA of a broken generator", changed(rsa, map[string]any{"n": tokentest.Encode(roca(0).Bytes())}), token.SkipGenerator},
		{"RSA with an even modulus", changed(rsa, map[string]any{"n": number(2047, 2)}), token.SkipInvalid},
		{"RSA without n", changed(rsa, map[string]any{"n": nil}), token.SkipInvalid},
		{"RSA n of zero", changed(rsa, map[string]any{"n": "AAAA"}), token.SkipInvalid},
		{"RSA e = 1", changed(rsa, map[string]any{"e": "AQ"}), token.SkipExponent},
		{"RSA e = 0", changed(rsa, map[string]any{"e": "AA"}), token.SkipExponent},
		{"RSA e even", changed(rsa, map[string]any{"e": number(16, 0)}), token.SkipExponent},
		{"RSA e = 2^31+1", changed(rsa, map[string]any{"e": number(31, 1)}), token.SkipExponent},
		{"RSA e = 2^64+3, cut to 3", changed(rsa, map[string]any{"e": number(64, 3)}), token.SkipExponent},
		{"RSA private", changed(rsa, map[string]any{"d": "AQ"}), token.SkipPrivate},
		{"EC private", changed(ec, map[string]any{"d": "AQ"}), token.SkipPrivate},
		{"EC private d of null", changed(ec, map[string]any{"d": json("null")}), token.SkipPrivate},
		{"Ed25519 private", changed(ed, map[string]any{"d": "AQ"}), token.SkipPrivate},
		{"use enc", changed(rsa, map[string]any{"use": "enc"}), token.SkipUse},
		{"key_ops encrypt", changed(rsa, map[string]any{"key_ops": []string{"encrypt"}}), token.SkipOperations},
		{"key_ops empty", changed(rsa, map[string]any{"key_ops": []string{}}), token.SkipOperations},
		{"key_ops of numbers", changed(rsa, map[string]any{"key_ops": []int{1}}), token.SkipMalformed},
		{"secp256k1", changed(ec, map[string]any{"crv": "secp256k1", "alg": "ES256K"}), token.SkipCurve},
		{"X25519", changed(ed, map[string]any{"crv": "X25519"}), token.SkipCurve},
		{"Ed448", changed(ed, map[string]any{"crv": "Ed448"}), token.SkipCurve},
		{"point off the curve", changed(ec, map[string]any{"y": ec.JWK()["x"]}), token.SkipInvalid},
		{"point of another curve", changed(ec, map[string]any{"crv": "P-384", "alg": nil}), token.SkipInvalid},
		{"coordinate longer than the curve", changed(ec, map[string]any{"x": "", "y": number(260, 1)}), token.SkipInvalid},
		{"point without y", changed(ec, map[string]any{"y": nil}), token.SkipInvalid},
		{"alg missing, no allowed one fits", changed(tokentest.Shared("ES512", "x"), map[string]any{"alg": nil}), token.SkipAlgorithm},
		{"short Ed25519", changed(ed, map[string]any{"x": "AAAA"}), token.SkipInvalid},
		{"alg of another type", changed(rsa, map[string]any{"alg": "ES256"}), token.SkipAlgorithm},
		{"alg for encryption", changed(rsa, map[string]any{"alg": "RSA-OAEP"}), token.SkipAlgorithm},
		{"alg none", changed(rsa, map[string]any{"alg": "none"}), token.SkipAlgorithm},
		{"alg HS256", changed(rsa, map[string]any{"alg": "HS256"}), token.SkipAlgorithm},
		{"alg not allowed", changed(rsa, map[string]any{"alg": "RS512"}), token.SkipAlgorithm},
	} {
		t.Run(row.name, func(t *testing.T) {
			allowed := []string{"RS256", "ES256", "ES384", "EdDSA"}
			keys := fileSet(t, issuerName, tokentest.KeySet(row.key, good.JWK()), allowed...)
			assert.Equal(t, skips(row.why), keys.Stats().Skipped)
			assert.Equal(t, 1, keys.Stats().Keys)
			newWorld(t, issuerWith(keys, "ES256")).allPermit(t, bearer(good.Token(claims(nil))))
		})
	}
}

// roca returns a number of 2048 bits that is a power of 65537 modulo each of the
// primes up to 167, as the modulus of a broken generator is, plus some.
func roca(plus int64) *big.Int {
	product := big.NewInt(1)
	for p := int64(2); p <= 167; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			product.Mul(product, big.NewInt(p))
		}
	}
	power := new(big.Int).Exp(big.NewInt(65537), big.NewInt(987_654_321), product)
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	n.Sub(n, new(big.Int).Mod(n, product)).Add(n, product)
	return n.Add(n, power).Add(n, big.NewInt(plus))
}

func TestThreatKeyOfABrokenGenerator(t *testing.T) {
	for plus, want := range map[int64]int{0: 1, 2: 2, 30: 2} {
		n := tokentest.Encode(roca(plus).Bytes())
		keys := fileSet(t, issuerName, tokentest.KeySet(changed(tokentest.RSA(), map[string]any{"n": n, "kid": "x"}), tokentest.EC().JWK()), "RS256", "ES256")
		assert.Equal(t, want, keys.Stats().Keys, "%d beside the form of the generator", plus)
	}
}

func TestThreatDuplicateMembersOfAKey(t *testing.T) {
	good := tokentest.EC()
	inner := strings.TrimSuffix(strings.TrimPrefix(string(tokentest.JWKS(good)), `{"keys":[`), `]}`)
	double := `{"kid":"a",` + strings.TrimPrefix(inner, "{")
	keys := fileSet(t, issuerName, []byte(`{"keys":[`+double+`,null,[],"x",`+inner+`],"extra":{"a":1,"a":2}}`), "ES256")
	assert.Equal(t, 1, keys.Stats().Keys)
	assert.Equal(t, skips(token.SkipMalformed, token.SkipMalformed, token.SkipMalformed, token.SkipMalformed), keys.Stats().Skipped)
}

func TestThreatDuplicateKeyIDs(t *testing.T) {
	one, two, good := tokentest.Fresh("ES256", "twice"), tokentest.Fresh("ES256", "twice"), tokentest.EC()
	keys := fileSet(t, issuerName, tokentest.JWKS(one, good, two), "ES256")
	assert.Equal(t, skips(token.SkipDuplicateID, token.SkipDuplicateID), keys.Stats().Skipped)
	w := newWorld(t, issuerWith(keys, "ES256"))
	w.allPermit(t, bearer(good.Token(claims(nil))))
	for _, s := range []*tokentest.Signer{one, two} {
		w.onlyDenied(t, bearer(s.Token(claims(nil))), policy.TokSig, policy.KeyUnknown)
	}
	// A key that is refused anyway does not take the id away from a usable one.
	encryption := changed(one, map[string]any{"use": "enc"})
	keys = fileSet(t, issuerName, tokentest.KeySet(encryption, two.JWK()), "ES256")
	newWorld(t, issuerWith(keys, "ES256")).allPermit(t, bearer(two.Token(claims(nil))))
}

func TestBrokenFileIsAnErrorThatNamesFileAndCause(t *testing.T) {
	many := make([]map[string]any, 101)
	for i := range many {
		many[i] = changed(tokentest.EC(), map[string]any{"kid": fmt.Sprint(i)})
	}
	secret := base64.RawURLEncoding.EncodeToString([]byte("the-secret"))
	for _, row := range []struct{ name, document, cause string }{
		{"empty", ``, "not a JSON object"},
		{"HTML", `<html>`, "not a JSON object"},
		{"array", `[]`, "not a JSON object"},
		{"cut", `{"keys":[`, "not JSON"},
		{"trailing", `{"keys":[]} {}`, "bytes after the object"},
		{"no keys", `{"key":[]}`, "member keys is missing"},
		{"keys is an object", `{"keys":{}}`, "member keys is no array"},
		{"keys twice", `{"keys":[],"keys":[]}`, "there twice"},
		{"empty set", `{"keys":[]}`, "none of its 0 keys is usable"},
		{"one key without a set", strings.TrimSuffix(strings.TrimPrefix(string(tokentest.JWKS(tokentest.EC())), `{"keys":[`), `]}`), "member keys is missing"},
		{"all refused", `{"keys":[{"kty":"oct","k":"` + secret + `"},{"kty":"AKP"}]}`, "none of its 2 keys is usable (unsupported-type: 1, symmetric: 1)"},
		{"101 keys", string(tokentest.KeySet(many...)), "101 keys, more than 100"},
		{"too deep", `{"keys":` + strings.Repeat("[", 5000), "nested deeper than 32"},
		{"too large", `{"keys":[]}` + strings.Repeat(" ", 1<<20), "more than 1048576 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jwks.json")
			require.NoError(t, os.WriteFile(path, []byte(row.document), 0o600))
			_, err := token.NewKeySet(token.KeySetOptions{Issuer: issuerName, File: path, Algorithms: []string{"ES256"}, Now: atEpoch})
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, row.cause)
			assert.NotContains(t, err.Error(), secret)
		})
	}
	_, err := token.NewKeySet(token.KeySetOptions{Issuer: issuerName, File: "/nonexistent/jwks.json", Algorithms: []string{"ES256"}, Now: atEpoch})
	require.EqualError(t, err, `key set of issuer "`+issuerName+`": file /nonexistent/jwks.json: no such file or directory`)
}

func TestKeySetOptionsAreJudged(t *testing.T) {
	valid := token.KeySetOptions{Issuer: issuerName, URL: "https://idp.example.net/jwks", Algorithms: []string{"ES256"}, Now: atEpoch}
	_, err := token.NewKeySet(valid)
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		change func(*token.KeySetOptions)
		cause  string
	}{
		{"no issuer", func(o *token.KeySetOptions) { o.Issuer = "" }, "issuer is missing"},
		{"no clock", func(o *token.KeySetOptions) { o.Now = nil }, "clock is missing"},
		{"neither URL nor file, and no URL to ask", func(o *token.KeySetOptions) { o.URL, o.Issuer = "", "idp" }, "give a URL or a file"},
		{"URL and file", func(o *token.KeySetOptions) { o.File = "x" }, "not both"},
		{"no algorithm", func(o *token.KeySetOptions) { o.Algorithms = nil }, "no algorithm"},
		{"symmetric algorithm", func(o *token.KeySetOptions) { o.Algorithms = []string{"HS256"} }, `"HS256"`},
		{"http", func(o *token.KeySetOptions) { o.URL = "http://idp.example.net/jwks" }, "must be https"},
		{"another scheme", func(o *token.KeySetOptions) { o.URL = "ftp://idp.example.net/jwks" }, "must be https"},
		{"no host", func(o *token.KeySetOptions) { o.URL = "https:///jwks" }, "needs a host"},
		{"user in the URL", func(o *token.KeySetOptions) { o.URL = "https://a:b@idp.example.net/jwks" }, "no user"},
		{"not a URL", func(o *token.KeySetOptions) { o.URL = "https://idp example" }, "cannot be parsed"},
		{"stale before it is refreshed", func(o *token.KeySetOptions) { o.Refresh, o.MaxStale = time.Hour, time.Minute }, "shorter"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := valid
			row.change(&o)
			_, err := token.NewKeySet(o)
			require.ErrorContains(t, err, row.cause)
			assert.NotContains(t, err.Error(), "a:b@")
		})
	}
	for _, host := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1"} {
		o := valid
		o.URL = "http://" + host + "/jwks"
		_, err := token.NewKeySet(o)
		require.NoError(t, err)
	}
}

// refreshed runs the key set until one read is over.
func refreshed(t *testing.T, o token.KeySetOptions) (*token.KeySet, token.RefreshResult, error) {
	t.Helper()
	type end struct {
		result token.RefreshResult
		err    error
	}
	ends := make(chan end, 16)
	o.Issuer, o.Now = issuerName, realClock
	if o.Algorithms == nil {
		o.Algorithms = []string{"ES256"}
	}
	o.OnRefresh = func(r token.RefreshResult, err error) { ends <- end{r, err} }
	keys, err := token.NewKeySet(o)
	require.NoError(t, err)
	stop := start(t, keys)
	defer stop()
	select {
	case e := <-ends:
		return keys, e.result, e.err
	case <-t.Context().Done():
		t.Fatal("no read")
	}
	return nil, "", nil
}

// says is a server that answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// hostileServer is what a server of a key set does, and how a read of it ends.
type hostileServer struct {
	name    string
	handler http.HandlerFunc
	result  token.RefreshResult
}

func hostileServers(elsewhere string) []hostileServer {
	many := make([]map[string]any, 50_000)
	for i := range many {
		many[i] = map[string]any{"kty": "oct"}
	}
	return []hostileServer{
		{"good", says(string(tokentest.JWKS(tokentest.EC()))), token.RefreshOK},
		{"HTML", says("<html></html>"), token.RefreshMalformed},
		{"nothing", says(""), token.RefreshMalformed},
		{"empty set", says(`{"keys":[]}`), token.RefreshNoUsableKey},
		{"symmetric key", says(`{"keys":[{"kty":"oct","k":"AA"}]}`), token.RefreshNoUsableKey},
		{"50,000 keys", says(string(tokentest.KeySet(many...))), token.RefreshTooManyKeys},
		{"status 404", http.NotFound, token.RefreshStatus},
		{"status 206", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }, token.RefreshStatus},
		{"100 MB", func(w http.ResponseWriter, r *http.Request) {
			for range 100 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil || r.Context().Err() != nil {
					return
				}
			}
		}, token.RefreshTooLarge},
		{"declared 100 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "104857600")
			w.WriteHeader(http.StatusOK)
		}, token.RefreshTooLarge},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusFound)
		}, token.RefreshRedirect},
		{"redirect to itself for ever", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, token.RefreshRedirect},
		{"redirect on the same host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/jwks" {
				http.Redirect(w, r, "/keys", http.StatusMovedPermanently)
				return
			}
			_, _ = w.Write(tokentest.JWKS(tokentest.EC()))
		}, token.RefreshOK},
		{"connection cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, token.RefreshUnreachable},
		{"body cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":[`)
			panic(http.ErrAbortHandler)
		}, token.RefreshUnreachable},
		{"header of 1 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 1<<20))
		}, token.RefreshUnreachable},
	}
}

func TestThreatHostileKeySetServer(t *testing.T) {
	other := httptest.NewServer(says(string(tokentest.JWKS(tokentest.EC()))))
	defer other.Close()
	for _, row := range hostileServers(other.URL) {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(row.handler)
			defer server.Close()
			keys, result, err := refreshed(t, token.KeySetOptions{URL: server.URL + "/jwks?key=the-secret"})
			assert.Equal(t, row.result, result, "%v", err)
			assert.Contains(t, token.RefreshResults(), result)
			assert.Equal(t, row.result == token.RefreshOK, keys.Ready())
			assert.Equal(t, uint64(1), keys.Stats().Refreshes[row.result])
			assert.Equal(t, err, keys.Stats().LastError)
			if err != nil {
				assert.NotContains(t, err.Error(), "the-secret")
			}
		})
	}
}

func TestThreatKeySetOverTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(tokentest.JWKS(tokentest.EC()))
	}))
	defer plain.Close()
	downgrade := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if downgrade {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		_, _ = w.Write(tokentest.JWKS(tokentest.EC()))
	}))
	server.Config.ErrorLog = nil
	defer server.Close()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	_, result, err := refreshed(t, token.KeySetOptions{URL: server.URL, RootCAs: roots})
	assert.Equal(t, token.RefreshOK, result, "%v", err)
	_, result, _ = refreshed(t, token.KeySetOptions{URL: server.URL})
	assert.Equal(t, token.RefreshUnreachable, result, "an unknown authority is an error")
	downgrade = true
	_, result, _ = refreshed(t, token.KeySetOptions{URL: server.URL, RootCAs: roots})
	assert.Equal(t, token.RefreshRedirect, result, "https never becomes http")
}
