package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

const certHeader = "Client-Cert"

func certificates(t testing.TB) *token.Certificates {
	t.Helper()
	c, err := token.NewCertificates(token.CertificateOptions{Gateway: bySecret(t), Header: "client-cert"})
	require.NoError(t, err)
	return c
}

// certificate returns a self-signed certificate in DER.
func certificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

// item is a byte sequence of RFC 8941.
func item(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }

func certThumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// The example of RFC 9440 section 2.2 has this thumbprint.
func TestTheCertificateOfTheStandardsExample(t *testing.T) {
	t.Parallel()
	const example = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:"
	r := shows(proofSecret)
	r.Header.Set(certHeader, example)
	got, fault := certificates(t).Thumbprint(t.Context(), r)
	assert.Empty(t, fault)
	der, err := base64.StdEncoding.DecodeString(strings.Trim(example, ":"))
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	assert.Equal(t, certThumbprint(leaf.Raw), got)
}

func TestWhoseCertificateCounts(t *testing.T) {
	t.Parallel()
	own, passed := certificate(t), certificate(t)
	for _, c := range []struct {
		rule   string
		reader *token.Certificates
		proof  string
		tls    []byte
		header []string
		want   []byte
	}{
		{"no hop, no TLS", nil, proofSecret, nil, nil, nil},
		{"no hop: that of the connection", nil, proofSecret, own, nil, own},
		{"no hop: a header says nothing", nil, proofSecret, own, []string{item(passed)}, own},
		{"no hop, no TLS: a header says nothing", nil, proofSecret, nil, []string{item(passed)}, nil},
		{"the gateway passes one on", certificates(t), proofSecret, nil, []string{item(passed)}, passed},
		{"the gateway's own does not count beside it", certificates(t), proofSecret, own, []string{item(passed)}, passed},
		{"the gateway's own never counts as the client's", certificates(t), proofSecret, own, nil, nil},
		{"a stranger sets the header", certificates(t), "guess", nil, []string{item(passed)}, nil},
		{"a stranger sets the header over TLS of its own", certificates(t), "guess", own, []string{item(passed)}, own},
	} {
		r := shows(c.proof)
		r.Peer.Certificate = c.tls
		if c.header != nil {
			r.Header[certHeader] = c.header
		}
		want := ""
		if c.want != nil {
			want = certThumbprint(c.want)
		}
		got, fault := c.reader.Thumbprint(t.Context(), r)
		assert.Equal(t, want, got, c.rule)
		assert.Empty(t, fault, c.rule)
	}
}

// What can be read in two ways is no certificate, and neither is the gateway's own in
// its place.
func TestWhatIsNoCertificate(t *testing.T) {
	t.Parallel()
	der := certificate(t)
	good := item(der)
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for _, c := range []struct {
		rule  string
		name  string
		value []string
		want  string
	}{
		{"twice", certHeader, []string{good, good}, token.CertificateDuplicate},
		{"in another spelling", "Client_Cert", []string{good}, token.CertificateDuplicate},
		{"empty", certHeader, []string{""}, token.CertificateMalformed},
		{"one colon", certHeader, []string{":"}, token.CertificateMalformed},
		{"nothing between the colons", certHeader, []string{"::"}, token.CertificateMalformed},
		{"no colons", certHeader, []string{strings.Trim(good, ":")}, token.CertificateMalformed},
		{"no colon at the end", certHeader, []string{strings.TrimSuffix(good, ":")}, token.CertificateMalformed},
		{"a list", certHeader, []string{good + ", " + good}, token.CertificateMalformed},
		{"with a parameter", certHeader, []string{good + ";a=1"}, token.CertificateMalformed},
		{"spaces inside", certHeader, []string{": " + good[1:]}, token.CertificateMalformed},
		{"a line break inside", certHeader, []string{good[:9] + "\n" + good[9:]}, token.CertificateMalformed},
		{"base64url", certHeader, []string{":" + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 9)) + ":"}, token.CertificateMalformed},
		{"no padding", certHeader, []string{":" + base64.RawStdEncoding.EncodeToString(append(der, make([]byte, 3-len(der)%3+1)...)) + ":"}, token.CertificateMalformed},
		{"bytes after the certificate", certHeader, []string{item(append(bytes.Clone(der), 0))}, token.CertificateMalformed},
		{"a part of the certificate", certHeader, []string{item(der[:len(der)-1])}, token.CertificateMalformed},
		{"PEM", certHeader, []string{item(inPEM)}, token.CertificateMalformed},
		{"PEM of nginx", certHeader, []string{"-----BEGIN%20CERTIFICATE-----%0A"}, token.CertificateMalformed},
		{"another structure", certHeader, []string{item([]byte{4, 1, 0})}, token.CertificateMalformed},
		{"too long", certHeader, []string{item(append([]byte{0x30, 0x82, 0x20, 0}, make([]byte, 8<<10)...))}, token.CertificateMalformed},
	} {
		r := shows(proofSecret)
		r.Peer.Certificate = der
		r.Header[c.name] = c.value
		got, fault := certificates(t).Thumbprint(t.Context(), r)
		assert.Empty(t, got, c.rule)
		assert.Equal(t, c.want, fault, c.rule)
	}
}

func TestCertificatesWithoutAProofAreNotRead(t *testing.T) {
	t.Parallel()
	_, err := token.NewCertificates(token.CertificateOptions{Header: certHeader})
	require.ErrorContains(t, err, "without a proof of the gateway")
	_, err = token.NewCertificates(token.CertificateOptions{Gateway: bySecret(t)})
	require.ErrorContains(t, err, "is not named")
}

// The sender is looked at for tokens that ask for it, or for every token that proved
// itself, remembered or not; a token that did not has none.
func TestTheSenderOfAToken(t *testing.T) {
	t.Parallel()
	der := certificate(t)
	issuers := []token.Issuer{issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.RSA()), "RS256"), "RS256")}
	stage := func(every bool) *token.Authenticator {
		a, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: issuers, Certificates: certificates(t), EverySender: every})
		require.NoError(t, err)
		return a
	}
	r := bearer(tokentest.RSA().Token(claims(nil)))
	r.Header.Set(proofHeader, proofSecret)
	r.Header.Set(certHeader, item(der))
	want := &policy.Sender{Proof: policy.Inapplicable(), Certificate: certThumbprint(der)}
	held := bearer(tokentest.RSA().Token(claims(map[string]any{"cnf": map[string]any{"x5t#S256": certThumbprint(certificate(t))}})))
	held.Header.Set(proofHeader, proofSecret)
	held.Header.Set(certHeader, item(der))
	every, bound := stage(true), stage(false)
	for range 2 {
		assert.Equal(t, want, every.Authenticate(t.Context(), r).SentBy)
		assert.Nil(t, bound.Authenticate(t.Context(), r).SentBy)
		assert.Equal(t, want, bound.Authenticate(t.Context(), held).SentBy)
	}

	r.Header[certHeader] = []string{"x"}
	assert.Equal(t, &policy.Sender{Proof: policy.Inapplicable(), CertificateFault: token.CertificateMalformed}, every.Authenticate(t.Context(), r).SentBy)

	forged := bearer(tokentest.RSA().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}))
	forged.Peer.Certificate = der
	assert.Nil(t, every.Authenticate(t.Context(), forged).SentBy)
}

// FuzzClientCert: a thumbprint is that of bytes which are one DER structure and which
// the field spells in the only way there is.
func FuzzClientCert(f *testing.F) {
	der := certificate(f)
	f.Add(item(der), "X-Other", "")
	f.Add(item(der), "Client_cert", item(der))
	f.Add(item(der[:40]), "Client-Cert", "")
	f.Add(":MAA=:", "", "")
	f.Add(":MAB=:", "", "")
	f.Add(":MA=\n=:", "", "")
	f.Add(strings.Repeat(":", 9000), "CLIENT_CERT", "x")
	reader := certificates(f)
	f.Fuzz(func(t *testing.T, value, name, other string) {
		r := shows(proofSecret)
		r.Header[certHeader] = []string{value}
		if name = http.CanonicalHeaderKey(name); name == proofHeader {
			return
		}
		r.Header[name] = append(r.Header[name], other)
		got, fault := reader.Thumbprint(t.Context(), r)
		if (got == "") != (fault != "") {
			t.Fatalf("thumbprint %q with fault %q", got, fault)
		}
		if got == "" {
			return
		}
		if policy.SameVariable(name, certHeader) {
			t.Fatal("a certificate of two fields")
		}
		read, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
		if err != nil || item(read) != value || certThumbprint(read) != got || len(value) > 8<<10 || read[0] != 0x30 {
			t.Fatalf("%q has the thumbprint %s", value, got)
		}
	})
}

// BenchmarkSender measures what a certificate costs that somebody asks for.
func BenchmarkSender(b *testing.B) {
	reader, r := certificates(b), shows(proofSecret)
	r.Header[certHeader] = []string{item(certificate(b))}
	b.ReportAllocs()
	for b.Loop() {
		if got, _ := reader.Thumbprint(b.Context(), r); got == "" {
			b.Fatal("no certificate")
		}
	}
}
