package proxy_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy"
)

// named is an extension with subject alternative names by their tags.
func named(t testing.TB, names ...asn1.RawValue) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(names)
	require.NoError(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

func name(tag int, text string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(text)}
}

// Names are those of the certificate, byte for byte; those of dns have no letter case.
func TestFactsHaveTheNamesAsTheyAre(t *testing.T) {
	t.Parallel()
	pair, _ := (*authority)(nil).issue(t, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{named(t, name(2, "Gateway.example.net"), name(2, "*.example.net"), name(6, "spiffe://example.net/Gateway#"), name(1, "Ops@example.net"),
			name(7, string(net.IPv4(192, 0, 2, 1).To4())), name(7, string(net.IPv4(192, 0, 2, 2).To16())), name(8, "\x2a\x03"))}
	})
	facts := new(proxy.Shown).Of([]*x509.Certificate{pair.Leaf}, nil, time.Now())
	assert.Equal(t, []string{
		"dns:gateway.example.net", "dns:*.example.net", "uri:spiffe://example.net/Gateway#", "email:Ops@example.net", "ip:192.0.2.1", "ip:192.0.2.2",
	}, facts.Names)
}

// FuzzNamesOf: whatever the extension holds, a name has a kind in front, there are no
// more of them than bytes, and none of dns has an upper-case letter.
func FuzzNamesOf(f *testing.F) {
	f.Add(named(f, name(2, "A.example.net"), name(7, "1234")).Value)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, value []byte) {
		all := proxy.NamesOf([]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}})
		require.LessOrEqual(t, len(all), len(value))
		for _, one := range all {
			kind, text, ok := strings.Cut(one, ":")
			require.True(t, ok)
			require.Contains(t, []string{"dns", "uri", "email", "ip"}, kind)
			require.False(t, kind == "dns" && strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		}
	})
}
