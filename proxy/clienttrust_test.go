package proxy_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// authority is a certificate that signs others.
type authority tls.Certificate

// issue makes a certificate, which may be an authority; a nil authority signs it with its
// own key.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *authority) {
	t.Helper()
	pair := proxytest.Issue(t, (*tls.Certificate)(a), change)
	return pair, (*authority)(&pair)
}

func ca(c *x509.Certificate) { c.IsCA = true }

func newAuthority(t *testing.T) (*authority, *x509.CertPool) {
	t.Helper()
	pair, pool := proxytest.Authority(t)
	return (*authority)(pair), pool
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
			chain = append(chain, c.above.Leaf)
		}
		var shown proxy.Shown
		facts := shown.Of(chain, c.pool, c.at)
		assert.Equal(t, c.want, facts.State(c.at), c.name)
		assert.Same(t, facts, shown.Of(chain, c.pool, c.at.Add(time.Second)), "%s: the requests of a connection share the facts", c.name)
		assert.NotSame(t, facts, shown.Of(chain, c.pool, c.at.Add(time.Hour)), "%s: for a while", c.name)
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
	facts := new(proxy.Shown).Of([]*x509.Certificate{pair.Leaf}, nil, time.Now())
	assert.Equal(t, `CN=partner,CN=a\,b=c`, facts.Subject)
	assert.Equal(t, []string{"dns:localhost", "email:ops@example.net", "uri:spiffe://example.net/partner"}, facts.Names)
}

// Other authorities are asked at once, also of a connection that was judged by the ones
// before.
func TestFactsAreThoseOfTheAuthorities(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	_, other := newAuthority(t)
	pair, _ := root.issue(t, nil)
	chain, now := []*x509.Certificate{pair.Leaf}, time.Now()
	var shown proxy.Shown
	for range 2 {
		assert.Equal(t, policy.StateVerified, shown.Of(chain, pool, now).State(now))
		assert.Equal(t, policy.StateUntrusted, shown.Of(chain, other, now).State(now))
	}
}

// What a client writes into its certificate is known up to a bound, and beyond it not at
// all: it says itself what would come first.
func TestFactsAreBounded(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	names := func(n, size int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.DNSNames = nil
			for i := range n {
				c.DNSNames = append(c.DNSNames, fmt.Sprintf("%0*d", size, i))
			}
		}
	}
	kinds := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			names(n, 4)(c)
			c.EmailAddresses = []string{"ops@example.net"}
		}
	}
	subject := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: strings.Repeat("a", n)} }
	}
	for _, c := range []struct {
		rule          string
		change        func(*x509.Certificate)
		names         int
		subjectLength int
	}{
		{"as many names as are known", names(proxy.MaxNames, 4), proxy.MaxNames, len("O=Example,CN=partner")},
		{"one more", names(proxy.MaxNames+1, 4), 0, len("O=Example,CN=partner")},
		{"one more, of another kind", kinds(proxy.MaxNames), 0, len("O=Example,CN=partner")},
		{"long names", names(8, proxy.MaxNameBytes/8-len("dns:")), 8, len("O=Example,CN=partner")},
		{"longer ones", names(8, proxy.MaxNameBytes/8), 0, len("O=Example,CN=partner")},
		{"a long subject", subject(proxy.MaxSubjectBytes - 32), 1, proxy.MaxSubjectBytes - 32 + len("CN=")},
		{"a longer one", subject(proxy.MaxSubjectBytes), 1, 0},
	} {
		pair, _ := root.issue(t, c.change)
		facts := new(proxy.Shown).Of([]*x509.Certificate{pair.Leaf}, pool, time.Now())
		assert.Len(t, facts.Names, c.names, c.rule)
		assert.Len(t, facts.Subject, c.subjectLength, c.rule)
		assert.Equal(t, policy.TrustVerified, facts.Trust, c.rule)
		assert.Len(t, facts.Thumbprint, 64, c.rule)
	}
}

// A handshake with too many certificates, or too large ones, ends before the client
// proves anything. What is within the bounds is taken.
func TestChainsAreBoundedInTheHandshake(t *testing.T) {
	t.Parallel()
	listen := proxy.NewListenTLS(proxy.ListenKeys{Certificate: proxytest.Issue(t, nil, nil), ClientAuth: tls.RequestClientCert})
	big := func(size int) tls.Certificate {
		pair, _ := (*authority)(nil).issue(t, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, size)}}
		})
		return pair
	}
	many := func(n int) tls.Certificate {
		pair := proxytest.Issue(t, nil, nil)
		for len(pair.Certificate) < n {
			pair.Certificate = append(pair.Certificate, pair.Certificate[0])
		}
		return pair
	}
	for _, c := range []struct {
		rule string
		own  tls.Certificate
		want bool
	}{
		{"a large one", big(proxy.MaxChainBytes - 1024), true},
		{"a larger one", big(proxy.MaxChainBytes), false},
		{"many", many(proxy.MaxChainLength), true},
		{"one more", many(proxy.MaxChainLength + 1), false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			near, far := net.Pipe()
			done := make(chan error, 1)
			go func() {
				secure := tls.Server(far, listen.Config())
				err := secure.HandshakeContext(t.Context())
				_ = secure.Close()
				done <- err
			}()
			client := tls.Client(near, &tls.Config{
				InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, //nolint:gosec // the test made the certificate
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.own, nil },
			})
			_, _ = client.Read(make([]byte, 1)) // the handshake, and an alert behind that of TLS 1.3
			err := <-done
			assert.Equal(t, c.want, err == nil, "%s, %s: %v", c.rule, tls.VersionName(version), err)
			_ = near.Close()
		}
	}
}

// Keys that are made to be costly are not verified with, also not beside good ones: the
// time of a connection is not for who sends them to choose.
func TestThreatCertificatesThatAreCostlyToVerify(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	pair, _ := root.issue(t, nil)
	now := time.Now()
	large := new(big.Int).Lsh(big.NewInt(1), 8191)
	for name, key := range map[string]*rsa.PublicKey{"a large modulus": {N: large, E: 65537}, "a large exponent": {N: big.NewInt(1 << 60), E: 1<<31 - 1}} {
		chain := []*x509.Certificate{pair.Leaf, {Raw: []byte{0}, PublicKey: key}}
		assert.Equal(t, policy.StateUntrusted, new(proxy.Shown).Of(chain, pool, now).State(now), name)
	}
	usual := &x509.Certificate{Raw: []byte{0}, PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4095), E: 65537}}
	assert.Equal(t, policy.StateVerified, new(proxy.Shown).Of([]*x509.Certificate{pair.Leaf, usual}, pool, now).State(now))
}
