package compile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/token"
)

// Two packages read the names of certificates: config, which may import nobody, and the
// stage. What one of them takes the other takes too: else a name is refused without its
// place in the file, or stands there and is nobody's.
func TestEveryNameOfACertificateIsReadAlike(t *testing.T) {
	t.Parallel()
	sans := []string{"dns", "dns:", ":", ":a", "ip:", "spiffe://", "spiffe://a", "uri:spiffe://a/b", "SPIFFE://a", "DNS:a", "dns :a", "dns: a", "dns:a b", "other:a", "dns:a:b", "dns:*", "dns:a.*.b", "uri:*", "email:*@a", "ip:1.2.3", "ip:192.0.2.1", "ip:192.0.2.01", "ip:::1", "ip:fe80::1%eth0", "ip:::ffff:192.0.2.1", "ip:[::1]", "dns:A.Example", "dns:ä"}
	for c := range rune(0x80) {
		for _, kind := range token.SANTypes() {
			sans = append(sans, kind+":"+string(c), kind+":a"+string(c)+"b")
		}
	}
	digest := strings.Repeat("0aF9", 16)
	thumbprints := []string{digest, digest[1:], digest + "0", digest[:63] + "g", strings.Repeat("ab:", 31) + "ab", strings.Repeat("ab:", 32), ":" + strings.Repeat("ab:", 31) + "ab", strings.Repeat("a:b", 32), digest + ":", strings.Repeat("abcd:", 15) + "abcd", " " + digest, strings.Repeat("::", 32)}

	read := map[string]func(string) (string, error){"san": token.ParseSAN, "thumbprint": token.ParseThumbprint}
	var taken int
	for field, texts := range map[string][]string{"san": sans, "thumbprint": thumbprints} {
		for _, text := range texts {
			normal, stage := read[field](text)
			_, err := config.Parse("f", []byte(strings.Replace(head, `"127.0.0.1:8080"`, `"127.0.0.1:8080", tls: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem, client_auth: request}`, 1)+
				"gateway: {present: true, proof: {certificates: [{"+field+": "+yamlOf(t, text)+"}]}}\n"), config.Env{})
			if stage != nil {
				require.ErrorContains(t, err, "gateway.proof.certificates[0]."+field, "%q: %v", text, stage)
				continue
			}
			require.NoError(t, err, "%q", text)
			again, err := read[field](normal)
			require.NoError(t, err, "%q", text)
			assert.Equal(t, normal, again, "%q: the form in which names are compared", text)
			taken++
		}
	}
	assert.Greater(t, taken, 500)
}
