package test_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// certified says how a certificate differs from a self-signed one for localhost.
type certified struct {
	by      string // file of the authority, whose key is beside it; "" for itself
	dns     string // subject alternative name; "" for localhost
	uri     string // another one
	subject string // common name
	use     x509.ExtKeyUsage
	used    bool          // use counts
	life    time.Duration // 0 for an hour
	ca      bool
}

// keyOf returns the file with the key of a certificate, as scripts name it.
func keyOf(certFile string) string { return strings.TrimSuffix(certFile, ".pem") + "-key.pem" }

// pem makes a certificate and its key.
func (c certified) pem() (cert, private []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	if c.dns == "" {
		c.dns = "localhost"
	}
	if c.life == 0 {
		c.life = time.Hour
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: c.subject}, DNSNames: []string{c.dns},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(c.life), IsCA: c.ca, BasicConstraintsValid: true,
	}
	if c.used {
		template.ExtKeyUsage = []x509.ExtKeyUsage{c.use}
	}
	if c.uri != "" {
		u, err := url.Parse(c.uri)
		if err != nil {
			return nil, nil, err
		}
		template.URIs = []*url.URL{u}
	}
	parent, signer := template, any(key)
	if c.by != "" {
		pair, err := tls.LoadX509KeyPair(c.by, keyOf(c.by))
		if err != nil {
			return nil, nil, err
		}
		parent, signer = pair.Leaf, pair.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// write makes them in two files.
func (c certified) write(certFile, keyFile string) error {
	cert, private, err := c.pem()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, private, 0o600))
}

// cert CERT KEY [ca] [by=CA.pem] [dns=NAME] [uri=URI] [cn=NAME] [for=client|server] [life=DURATION]
// writes a certificate and its key: self-signed and for localhost but for what is given. A
// life that is negative is over.
func (s *story) cert(ts *testscript.TestScript, args []string) error {
	var c certified
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "ca":
			c.ca = true
		case "by":
			c.by = ts.MkAbs(value)
		case "dns":
			c.dns = value
		case "uri":
			c.uri = value
		case "cn":
			c.subject = value
		case "for":
			c.used, c.use = true, map[string]x509.ExtKeyUsage{"client": x509.ExtKeyUsageClientAuth, "server": x509.ExtKeyUsageServerAuth}[value]
		case "life":
			life, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			c.life = life
		default:
			return fmt.Errorf("unknown argument %s", arg)
		}
	}
	return c.write(ts.MkAbs(args[0]), ts.MkAbs(args[1]))
}

// handshake MODE VERSION [SUITE] [shows=CERT] shakes hands with openssl, by a version such
// as tls1_2 alone and, of that, by a cipher suite as openssl calls it; with shows, asks for
// the certificate that the sidecar shows.
func (s *story) handshake(ts *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	flags := []string{"s_client", "-connect", c.data, "-" + args[1], "-showcerts"}
	suite, shown := "DEFAULT:@SECLEVEL=0", "" // what openssl itself would not offer is offered
	for _, arg := range args[2:] {
		if file, is := strings.CutPrefix(arg, "shows="); is {
			shown = file
		} else {
			suite = arg + ":@SECLEVEL=0"
		}
	}
	cmd := exec.Command("openssl", append(flags, "-cipher", suite)...)
	out, err := cmd.CombinedOutput() // without input it ends after the handshake
	if err != nil {
		return fmt.Errorf("openssl: %w\n%s", err, out)
	}
	if shown == "" {
		return nil
	}
	return compare([]string{"certificate=" + strings.TrimSpace(ts.ReadFile(shown))}, func(string) (string, error) {
		_, text, _ := strings.Cut(string(out), "-----BEGIN")
		text, _, _ = strings.Cut(text, "-----END CERTIFICATE-----")
		return "-----BEGIN" + text + "-----END CERTIFICATE-----", nil
	})
}

// corpusCertificates are the client certificates of the corpus, by the name that its
// vectors give them.
type corpusCertificates struct {
	dir   string
	pairs map[string]tls.Certificate
}

func newCorpusCertificates(t *testing.T) *corpusCertificates {
	t.Helper()
	c := &corpusCertificates{dir: t.TempDir(), pairs: map[string]tls.Certificate{"none": {}}}
	ca := filepath.Join(c.dir, "ca.pem")
	for _, one := range []struct {
		name string
		certified
	}{
		{"ca", certified{ca: true}},
		{"server", certified{}},
		{"own", certified{by: ca, uri: "spiffe://example.net/own"}},
		{"stranger", certified{uri: "spiffe://example.net/own"}},
		{"expired", certified{by: ca, uri: "spiffe://example.net/own", life: -time.Minute}},
		{"purpose", certified{by: ca, uri: "spiffe://example.net/own", used: true, use: x509.ExtKeyUsageServerAuth}},
		{"unmapped", certified{by: ca, uri: "spiffe://example.net/unmapped"}},
	} {
		file := filepath.Join(c.dir, one.name+".pem")
		require.NoError(t, one.write(file, keyOf(file)))
		pair, err := tls.LoadX509KeyPair(file, keyOf(file))
		require.NoError(t, err)
		c.pairs[one.name] = pair
	}
	return c
}

// asking is a configuration that asks for client certificates, and knows whose one is.
func (c *corpusCertificates) asking(t *testing.T, text string) string {
	t.Helper()
	const plain = `listen: {address: "127.0.0.1:0"}`
	require.Contains(t, text, plain)
	return strings.Replace(text, plain, fmt.Sprintf(`listen:
  address: "127.0.0.1:0"
  tls:
    cert_file: %[1]s/server.pem
    key_file: %[1]s/server-key.pem
    client_ca_file: %[1]s/ca.pem
    client_auth: request
    clients: [{san: "spiffe://example.net/own", client: mtls-good, issuer: "https://idp.example.net"}]`, c.dir), 1)
}
