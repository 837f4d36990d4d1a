package token_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

const (
	signatureKey     = "key-of-the-gateway-0123456789-0123456789"
	nextSignatureKey = "next-key-of-the-gateway-0123456789-01234"
)

func privateKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("g", ed25519.SeedSize)))
}

func publicKeys() []ed25519.PublicKey {
	public, ok := privateKey().Public().(ed25519.PublicKey)
	if !ok {
		panic("the public key of Ed25519 is another one")
	}
	return []ed25519.PublicKey{public}
}

func signatureOptions() token.SignatureOptions {
	return token.SignatureOptions{
		Label: "gateway", Secrets: []string{signatureKey, nextSignatureKey}, PublicKeys: publicKeys(),
		Components: token.NeedsComponents(), MaxAge: 30 * time.Second,
	}
}

// bySignature is a gateway that signs, and has to cover more components.
func bySignature(t testing.TB, more ...string) *token.Gateway {
	t.Helper()
	o := signatureOptions()
	o.Components = append(o.Components, more...)
	return newGateway(t, token.GatewayOptions{Signature: &o})
}

// order is a request as the gateway forwards it.
func order() *policy.Request {
	return &policy.Request{
		Time: epoch, Method: "POST", Target: "/v1/orders/o%2f1?b=2&a=%20", Path: "/v1/orders/o%2f1", RawQuery: "b=2&a=%20", Host: "API.example.net:8443",
		Header: http.Header{"X-Request-Id": {" r-1 ", "r-2"}},
	}
}

// ofOrder is a good signature of order.
func ofOrder() tokentest.MessageSignature {
	return tokentest.MessageSignature{
		Key: signatureKey, Params: fmt.Sprintf(";created=%d", epoch.Unix()),
		Components: [][2]string{{"@method", "POST"}, {"@authority", "api.example.net:8443"}, {"@path", "/v1/orders/o%2f1"}, {"@query", "?b=2&a=%20"}},
	}
}

// signedBy puts a signature onto a request.
func signedBy(r *policy.Request, s tokentest.MessageSignature) *policy.Request {
	input, signature := s.Fields()
	r.Header["Signature-Input"], r.Header["Signature"] = append(r.Header["Signature-Input"], input), append(r.Header["Signature"], signature)
	return r
}

// but returns the signature of order with a change.
func but(change func(s *tokentest.MessageSignature)) *policy.Request {
	s := ofOrder()
	change(&s)
	return signedBy(order(), s)
}

// altered returns a signed order with a change that came after the signature.
func altered(change func(r *policy.Request)) *policy.Request {
	r := signedBy(order(), ofOrder())
	change(r)
	return r
}

func created(offset time.Duration, more string) *policy.Request {
	return but(func(s *tokentest.MessageSignature) {
		s.Params = fmt.Sprintf(";created=%d%s", epoch.Add(offset).Unix(), more)
	})
}

func TestGatewaySignature(t *testing.T) {
	t.Parallel()
	check := bySignature(t)
	for _, c := range []struct {
		rule string
		r    *policy.Request
	}{
		{"as the gateway signs", signedBy(order(), ofOrder())},
		{"with the next key during a rotation", but(func(s *tokentest.MessageSignature) { s.Key = nextSignatureKey })},
		{"with a key of Ed25519", but(func(s *tokentest.MessageSignature) { s.Private = privateKey() })},
		{"in another order", but(func(s *tokentest.MessageSignature) {
			s.Components[0], s.Components[3] = s.Components[3], s.Components[0]
		})},
		{"with every parameter", created(0, fmt.Sprintf(`;expires=%d;keyid="a\"b";alg="hmac-sha256";nonce="n";tag="t"`, epoch.Add(time.Second).Unix()))},
		{"as old as may be", created(-30*time.Second, "")},
		{"by a clock that is a little ahead", created(5*time.Second, "")},
		{"with more components", but(func(s *tokentest.MessageSignature) {
			s.Components = append(s.Components, [2]string{"x-request-id", "r-1, r-2"}, [2]string{"@request-target", "/v1/orders/o%2f1?b=2&a=%20"})
		})},
		{"beside signatures of others", func() *policy.Request {
			r := order()
			r.Header.Add("Signature-Input", `client=("@method";req "@status");created=1;sf;x=?0;y=*t/1;z=-1.5, other=();tag="a, b=c"`)
			r.Header.Add("Signature", "client=:AAAA:,\tother=:AA==:")
			return signedBy(r, ofOrder())
		}()},
		{"with room around it", altered(func(r *policy.Request) {
			r.Header["Signature"][0] = "  " + r.Header["Signature"][0] + " "
			r.Header["Signature-Input"][0] = strings.Replace(r.Header["Signature-Input"][0], `("@method" `, `(  "@method"  `, 1)
		})},
	} {
		assert.Equal(t, policy.Permitted(), check.Check(t.Context(), c.r), c.rule)
		policytest.Run(t, check, c.r)
	}
	bare := signedBy(&policy.Request{Time: epoch, Method: "GET", Header: http.Header{}}, tokentest.MessageSignature{
		Key: signatureKey, Params: fmt.Sprintf(";created=%d", epoch.Unix()),
		Components: [][2]string{{"@method", "GET"}, {"@authority", ""}, {"@path", "/"}, {"@query", "?"}},
	})
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), bare), "no path is the root, no query is a question mark (RFC 9421 2.2.6, 2.2.7)")
}

func TestThreatAGatewaySignatureOfAnotherRequest(t *testing.T) {
	t.Parallel()
	check := bySignature(t)
	for rule, change := range map[string]func(r *policy.Request){
		"another method":                      func(r *policy.Request) { r.Method = "DELETE" },
		"another path":                        func(r *policy.Request) { r.Path = "/v1/orders/o%2f2" },
		"the same path in another spelling":   func(r *policy.Request) { r.Path = "/v1/orders/o%2F1" },
		"another query":                       func(r *policy.Request) { r.RawQuery += "&admin=1" },
		"no query":                            func(r *policy.Request) { r.RawQuery = "" },
		"another host":                        func(r *policy.Request) { r.Host = "internal.example.net" },
		"a line of the base in the path":      func(r *policy.Request) { r.Path += "\n\"@query\": ?" },
		"a host that ends a line of the base": func(r *policy.Request) { r.Host = "api.example.net:8443\n" },
	} {
		r := altered(change)
		assert.Equal(t, policy.Denied(policy.GatewaySignatureMismatch, ""), check.Check(t.Context(), r), rule)
		policytest.Run(t, check, r)
	}
	for rule, r := range map[string]*policy.Request{
		"another key":                   but(func(s *tokentest.MessageSignature) { s.Key = signatureKey[1:] }),
		"no key":                        but(func(s *tokentest.MessageSignature) { s.Key = "" }),
		"a public key as a shared one":  but(func(s *tokentest.MessageSignature) { s.Key = string(publicKeys()[0]) }),
		"parameters that nobody signed": altered(func(r *policy.Request) { r.Header["Signature-Input"][0] += `;nonce="x"` }),
		"a key that no secret is for, by its name": but(func(s *tokentest.MessageSignature) {
			s.Params += `;alg="ed25519"`
		}),
		"half a signature": altered(func(r *policy.Request) { r.Header["Signature"][0] = "gateway=:AAAA:" }),
	} {
		assert.Equal(t, policy.Denied(policy.GatewaySignatureMismatch, ""), check.Check(t.Context(), r), rule)
	}
}

func TestThreatAGatewaySignatureThatIsReplayed(t *testing.T) {
	t.Parallel()
	check := bySignature(t)
	for _, c := range []struct {
		rule string
		r    *policy.Request
		want policy.Reason
	}{
		{"a second too old", created(-31*time.Second, ""), policy.GatewaySignatureStale},
		{"of last year", created(-365*24*time.Hour, ""), policy.GatewaySignatureStale},
		{"over by its own word", created(-2*time.Second, fmt.Sprintf(";expires=%d", epoch.Unix())), policy.GatewaySignatureStale},
		{"of a clock that is ahead", created(6*time.Second, ""), policy.GatewaySignatureFuture},
		{"of the next century", created(100*365*24*time.Hour, ""), policy.GatewaySignatureFuture},
		{"with the largest of numbers", but(func(s *tokentest.MessageSignature) { s.Params = ";created=999999999999999" }), policy.GatewaySignatureFuture},
	} {
		assert.Equal(t, policy.Denied(c.want, ""), check.Check(t.Context(), c.r), c.rule)
	}
}

func TestThreatAGatewaySignatureThatCoversLess(t *testing.T) {
	t.Parallel()
	check := bySignature(t, "x-request-id")
	whole := func(s *tokentest.MessageSignature) {
		s.Components = append(s.Components, [2]string{"x-request-id", "r-1, r-2"})
	}
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), but(whole)))
	for i, name := range append(token.NeedsComponents(), "x-request-id") {
		r := but(func(s *tokentest.MessageSignature) {
			whole(s)
			s.Components = append(s.Components[:i], s.Components[i+1:]...)
		})
		assert.Equal(t, policy.Denied(policy.GatewaySignatureComponents, name), check.Check(t.Context(), r), name)
	}
	for rule, component := range map[string][2]string{
		"a header that is not there":           {"x-account-id", ""},
		"a name in another case":               {"X-Request-Id", "r-1, r-2"},
		"a component of answers":               {"@status", "200"},
		"a component that nobody here derives": {"@target-uri", "https://api.example.net:8443/v1/orders/o%2f1?b=2&a=%20"},
	} {
		r := but(func(s *tokentest.MessageSignature) {
			whole(s)
			s.Components = append(s.Components, component)
		})
		assert.Equal(t, policy.Denied(policy.GatewaySignatureComponents, ""), check.Check(t.Context(), r), rule)
	}
	stripped := but(whole)
	delete(stripped.Header, "X-Request-Id") // named by Connection, for example
	assert.Equal(t, policy.Denied(policy.GatewaySignatureComponents, ""), check.Check(t.Context(), stripped))
}

func TestThreatAGatewaySignatureThatIsMalformed(t *testing.T) {
	t.Parallel()
	check := bySignature(t)
	input, signature := ofOrder().Fields()
	for _, c := range []struct {
		rule, input, signature string
		want                   policy.Reason
		detail                 string
	}{
		{"neither field", "", "", policy.GatewaySignatureMissing, ""},
		{"no signature", input, "", policy.GatewaySignatureMissing, ""},
		{"no input", "", signature, policy.GatewaySignatureMissing, ""},
		{"another label", strings.Replace(input, "gateway", "client", 1), strings.Replace(signature, "gateway", "client", 1), policy.GatewaySignatureMissing, ""},
		{"two labels of which one is ours in each", strings.Replace(input, "gateway", "client", 1), signature, policy.GatewaySignatureMissing, ""},
		{"the label twice", input + ", " + input, signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"two signatures", input, signature + ", " + signature, policy.GatewaySignatureMalformed, "Signature"},
		{"a comma at the end", input + ",", signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"no comma between", input + " b=1", signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"a key in upper case beside it", "B=1, " + input, signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"no list", `gateway="@method";created=1800000000`, signature, policy.GatewaySignatureMalformed, "components"},
		{"a list that does not end", `gateway=("@method"`, signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"items that touch", strings.Replace(input, `" "`, `""`, 1), signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"a component twice", strings.Replace(input, `("@method"`, `("@method" "@method"`, 1), signature, policy.GatewaySignatureMalformed, "components"},
		{"a component with a parameter", strings.Replace(input, `"@method"`, `"@method";req`, 1), signature, policy.GatewaySignatureMalformed, "components"},
		{"a component that is no string", strings.Replace(input, `"@method"`, `method`, 1), signature, policy.GatewaySignatureMalformed, "components"},
		{"an escaped component", strings.Replace(input, `"@method"`, `"\"@method"`, 1), signature, policy.GatewaySignatureMalformed, "components"},
		{"a parameter twice", input + ";created=1", signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"a parameter that is not known", input + ";x=1", signature, policy.GatewaySignatureMalformed, "parameter"},
		{"never created", strings.Split(input, ";")[0], signature, policy.GatewaySignatureMalformed, "created"},
		{"created by a word", strings.Split(input, ";")[0] + ";created=now", signature, policy.GatewaySignatureMalformed, "created"},
		{"created before 1970", strings.Split(input, ";")[0] + ";created=-1800000000", signature, policy.GatewaySignatureMalformed, "created"},
		{"created with a zero in front", strings.Replace(input, "created=", "created=0", 1), signature, policy.GatewaySignatureMalformed, "created"},
		{"created with a fraction", input + ".0", signature, policy.GatewaySignatureMalformed, "created"},
		{"created with too many digits", input + "000000", signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"over at a word", input + ";expires=never", signature, policy.GatewaySignatureMalformed, "expires"},
		{"an algorithm that is a word", input + ";alg=hmac-sha256", signature, policy.GatewaySignatureMalformed, "alg"},
		{"an algorithm without a name", input + `;alg=""`, signature, policy.GatewaySignatureMalformed, "alg"},
		{"a key id that is a number", input + ";keyid=1", signature, policy.GatewaySignatureMalformed, "keyid"},
		{"an algorithm without a key", input + `;alg="rsa-v1_5-sha256"`, signature, policy.GatewaySignatureAlgorithm, ""},
		{"an empty signature", input, "gateway=::", policy.GatewaySignatureMalformed, "Signature"},
		{"a signature that is a string", input, `gateway="AAAA"`, policy.GatewaySignatureMalformed, "Signature"},
		{"a signature without its padding", input, strings.Replace(signature, "=:", ":", 1), policy.GatewaySignatureMalformed, "Signature"},
		{"a signature with parameters", input, signature + ";a", policy.GatewaySignatureMalformed, "Signature"},
		{"a signature in base64url", input, "gateway=:-_-_:", policy.GatewaySignatureMalformed, "Signature"},
		{"bytes that no field has", input + ";nonce=\"\x7f\"", signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"more members than are read", input + strings.Repeat(", a", 64), signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"more components than are read", strings.Replace(input, ")", strings.Repeat(` "a"`, 64)+")", 1), signature, policy.GatewaySignatureMalformed, "Signature-Input"},
		{"more bytes than are read", input + `;nonce="` + strings.Repeat("n", 8<<10) + `"`, signature, policy.GatewaySignatureMalformed, "Signature-Input"},
	} {
		r := order()
		if c.input != "" {
			r.Header["Signature-Input"] = []string{c.input}
		}
		if c.signature != "" {
			r.Header["Signature"] = []string{c.signature}
		}
		assert.Equal(t, policy.Denied(c.want, c.detail), check.Check(t.Context(), r), c.rule)
		policytest.Run(t, check, r)
	}
	twoLines := signedBy(signedBy(order(), ofOrder()), ofOrder())
	assert.Equal(t, policy.Denied(policy.GatewaySignatureMalformed, "Signature-Input"), check.Check(t.Context(), twoLines), "the label once in each of two lines")
}

// The examples of RFC 9421, appendix B.2.5 and B.2.6.
func TestGatewaySignatureOfTheStandard(t *testing.T) {
	t.Parallel()
	shared, err := base64.StdEncoding.DecodeString("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	require.NoError(t, err)
	der, err := base64.StdEncoding.DecodeString("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
	require.NoError(t, err)
	public, err := x509.ParsePKIXPublicKey(der)
	require.NoError(t, err)
	ed, ok := public.(ed25519.PublicKey)
	require.True(t, ok)
	o := token.SignatureOptions{Secrets: []string{string(shared)}, PublicKeys: []ed25519.PublicKey{ed}, MaxAge: time.Minute}
	for _, c := range []struct{ label, input, signature string }{
		{"sig-b25", `("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="},
		{"sig-b26", `("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`, "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="},
	} {
		r := &policy.Request{
			Time: time.Unix(1618884473, 0), Method: "POST", Path: "/foo", RawQuery: "param=Value&Pet=dog", Host: "example.com",
			Header: http.Header{
				"Date": {"Tue, 20 Apr 2021 02:07:55 GMT"}, "Content-Type": {"application/json"}, "Content-Length": {"18"},
				"Signature-Input": {c.label + "=" + c.input}, "Signature": {c.label + "=:" + c.signature + ":"},
			},
		}
		o.Label = c.label
		v, err := token.VerifySignature(o, r)
		require.NoError(t, err)
		assert.Equal(t, policy.Permitted(), v, c.label)
		r.Header.Set("Content-Type", "application/xml")
		v, err = token.VerifySignature(o, r)
		require.NoError(t, err)
		assert.Equal(t, policy.Denied(policy.GatewaySignatureMismatch, ""), v, c.label)
	}
}

func TestWhatProvesNoSignatureIsNotMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		change func(o *token.SignatureOptions)
		want   string
	}{
		{"no label", func(o *token.SignatureOptions) { o.Label = "" }, "no key of a dictionary"},
		{"a label in upper case", func(o *token.SignatureOptions) { o.Label = "Gateway" }, "no key of a dictionary"},
		{"no key", func(o *token.SignatureOptions) { o.Secrets, o.PublicKeys = nil, nil }, "no key verifies"},
		{"an empty secret", func(o *token.SignatureOptions) { o.Secrets = append(o.Secrets, "") }, "a secret of the gateway's signature is empty"},
		{"half a public key", func(o *token.SignatureOptions) { o.PublicKeys[0] = o.PublicKeys[0][:16] }, "no key of Ed25519"},
		{"no age", func(o *token.SignatureOptions) { o.MaxAge = 0 }, "counts for no time"},
		{"no method", func(o *token.SignatureOptions) { o.Components = o.Components[1:] }, "leaves out @method"},
		{"a component of answers", func(o *token.SignatureOptions) { o.Components = append(o.Components, "@status") }, "is no component"},
		{"a field in upper case", func(o *token.SignatureOptions) { o.Components = append(o.Components, "X-Id") }, "is no component"},
		{"a field without a name", func(o *token.SignatureOptions) { o.Components = append(o.Components, "") }, "is no component"},
	} {
		o := signatureOptions()
		c.change(&o)
		_, err := token.NewGateway(token.GatewayOptions{Signature: &o})
		require.ErrorContains(t, err, c.want, c.rule)
		assert.NotContains(t, err.Error(), signatureKey, c.rule)
	}
}

// Whoever prints a gateway by accident prints no key of its signatures.
func TestAGatewayKeepsItsSignatureKeys(t *testing.T) {
	t.Parallel()
	g := bySignature(t)
	text := fmt.Sprintf("%v %+v %#v", g, *g, g)
	assert.NotContains(t, text, signatureKey)
	assert.NotContains(t, text, nextSignatureKey)
}
