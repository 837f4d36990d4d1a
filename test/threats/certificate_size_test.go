package threats_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// manyNames is a certificate with n names of one letter, each of which is a string once
// it was read.
func manyNames(n int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		names, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Repeat([]byte{0x82, 1, 'a'}, n)})
		if err == nil {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}}
		}
	}
}

// inUse is how many bytes of the heap somebody holds.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what has finalizers goes the second time
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Strangers make certificates themselves, as large and as many as they like. None of them
// is held when its connection is gone, and the largest do not get one. Not parallel: it
// measures the memory of the process.
func TestThreatHugeClientCertificates(t *testing.T) {
	_, pool := proxytest.Authority(t)
	for _, mode := range modes() {
		for _, c := range []struct {
			name   string
			names  int
			served bool
		}{
			{"as large as is taken", 10_000, true},
			{"as large as TLS has them", 80_000, false},
		} {
			w := askingFor(t, mode, pool, nil)
			own := proxytest.Issue(t, nil, nil)
			client := connection(t, tls.VersionTLS13, false, &own)
			client.TLSClientConfig.ClientSessionCache = nil
			status, _ := w.ping(t, client)
			w.judged(t, mode, status, policy.ClientCertificateUntrusted, "an ordinary one")
			client.CloseIdleConnections()
			before := inUse()
			for range 12 {
				own = proxytest.Issue(t, nil, manyNames(c.names))
				if c.served {
					status, _ = w.ping(t, client)
					w.judged(t, mode, status, policy.ClientCertificateUntrusted, c.name)
					client.CloseIdleConnections()
					continue
				}
				req, err := http.NewRequest(http.MethodGet, "https://"+w.addr+"/ping", nil)
				require.NoError(t, err)
				resp, err := client.RoundTrip(req)
				if err == nil {
					require.NoError(t, resp.Body.Close())
				}
				assert.Error(t, err, "%s, %s", mode, c.name)
				client.CloseIdleConnections()
			}
			own = tls.Certificate{}
			held := int64(inUse()) - int64(before)
			t.Logf("%s, %s: %d KiB", mode, c.name, held>>10)
			assert.Less(t, held, int64(2<<20), "%s, %s", mode, c.name)
		}
	}
}
