package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; a nil authority signs it with its own key.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "partner", Organization: []string{"Example"}}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, &authority{leaf, key}
}

func ca(c *x509.Certificate) { c.IsCA = true }

func newAuthority(t *testing.T) (*authority, *x509.CertPool) {
	t.Helper()
	_, a := (*authority)(nil).issue(t, ca)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return a, pool
}

func TestFactsOfClientCertificates(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	_, middle := root.issue(t, ca)
	_, old := root.issue(t, func(c *x509.Certificate) { ca(c); c.NotAfter = time.Now().Add(-time.Minute) })
	_, forServers := root.issue(t, func(c *x509.Certificate) { ca(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	now := time.Now()
	use := func(u x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{u} }
	}
	for _, c := range []struct {
		name   string
		by     *authority
		above  *authority // sent along
		change func(*x509.Certificate)
		at     time.Time
		pool   *x509.CertPool
		want   string
	}{
		{"signed", root, nil, nil, now, pool, policy.StateVerified},
		{"for clients", root, nil, use(x509.ExtKeyUsageClientAuth), now, pool, policy.StateVerified},
		{"for everything", root, nil, use(x509.ExtKeyUsageAny), now, pool, policy.StateVerified},
		{"for servers", root, nil, use(x509.ExtKeyUsageServerAuth), now, pool, policy.StatePurpose},
		{"below one for servers", forServers, forServers, nil, now, pool, policy.StatePurpose},
		{"below an intermediate", middle, middle, nil, now, pool, policy.StateVerified},
		{"whose intermediate did not come along", middle, nil, nil, now, pool, policy.StateUntrusted},
		{"signed by itself", nil, nil, nil, now, pool, policy.StateUntrusted},
		{"signed by itself, and over", nil, nil, nil, now.Add(2 * time.Hour), pool, policy.StateUntrusted},
		{"over", root, nil, nil, now.Add(2 * time.Hour), pool, policy.StateExpired},
		{"not yet valid", root, nil, nil, now.Add(-2 * time.Hour), pool, policy.StateExpired},
		{"below one that is over", old, old, nil, now, pool, policy.StateExpired},
		{"of nobody who was asked", nil, nil, nil, now, nil, policy.StateUnverified},
		{"of nobody who was asked, for servers", nil, nil, use(x509.ExtKeyUsageServerAuth), now, nil, policy.StatePurpose},
	} {
		pair, _ := c.by.issue(t, c.change)
		chain := []*x509.Certificate{pair.Leaf}
		if c.above != nil {
			chain = append(chain, c.above.cert)
		}
		trust := proxy.NewClientTrust(c.pool)
		facts := trust.Facts(chain, c.at)
		assert.Equal(t, c.want, facts.State(c.at), c.name)
		assert.Same(t, facts, trust.Facts(chain, c.at.Add(time.Second)), "%s: the facts of a chain are shared", c.name)
		assert.NotSame(t, facts, trust.Facts(chain, c.at.Add(time.Hour)), "%s: for a while", c.name)
		assert.Len(t, facts.Thumbprint, 64, c.name)
	}
}

// A certificate may have one name twice. x509 keeps the last of several common names,
// which must not be taken for the only one.
func TestFactsHaveTheWholeName(t *testing.T) {
	t.Parallel()
	cn := pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 3}, Value: "partner"}
	other := pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 3}, Value: "a,b=c"}
	uri, err := url.Parse("spiffe://example.net/partner")
	require.NoError(t, err)
	pair, _ := (*authority)(nil).issue(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{other, cn}}
		c.URIs, c.EmailAddresses = []*url.URL{uri}, []string{"ops@example.net"}
	})
	facts := proxy.NewClientTrust(nil).Facts([]*x509.Certificate{pair.Leaf}, time.Now())
	assert.Equal(t, `CN=partner,CN=a\,b=c`, facts.Subject)
	assert.Equal(t, []string{"dns:localhost", "email:ops@example.net", "uri:spiffe://example.net/partner"}, facts.Names)
}

// What is remembered is bounded: strangers can make certificates without end.
func TestFactsAreBounded(t *testing.T) {
	t.Parallel()
	trust := proxy.NewClientTrust(nil)
	pair, _ := (*authority)(nil).issue(t, nil)
	for i := range proxy.MaxChains + 10 {
		c := *pair.Leaf
		c.Raw = append([]byte{byte(i), byte(i >> 8)}, pair.Leaf.Raw...)
		trust.Facts([]*x509.Certificate{&c}, time.Now())
		require.LessOrEqual(t, trust.Known(), proxy.MaxChains)
	}
}
