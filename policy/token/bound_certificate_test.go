package token_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// A token that is bound to a certificate (RFC 8705 section 3) counts with it alone,
// whether it comes from the connection or from a hop that proved itself, remembered or
// not.
func TestThreatCertificateBoundToken(t *testing.T) {
	own, other := certificate(t), certificate(t)
	issuer := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	behindHop := func(hop *token.Certificates) world {
		return newWorldOf(t, token.Options{Certificates: hop}, issuer)
	}
	direct, behind := behindHop(nil), behindHop(certificates(t))
	sent := tokentest.EC().Token(claims(map[string]any{"cnf": map[string]any{"x5t#S256": certThumbprint(own)}}))
	for _, row := range []struct {
		name string
		world
		peer   []byte
		header []string
		proves bool
		want   policy.Verdict
	}{
		{"its own, by the connection", direct, own, nil, false, policy.Permitted()},
		{"another", direct, other, nil, false, policy.Denied(policy.CertificateMismatch, "")},
		{"none, or a plain connection", direct, nil, nil, false, policy.Denied(policy.CertificateMissing, "")},
		{"a header where no hop is", direct, nil, []string{item(own)}, true, policy.Denied(policy.CertificateMissing, "")},
		{"its own, by the hop", behind, other, []string{item(own)}, true, policy.Permitted()},
		{"another, by the hop", behind, own, []string{item(other)}, true, policy.Denied(policy.CertificateMismatch, "")},
		{"the hop's own stands for nobody", behind, own, nil, true, policy.Denied(policy.CertificateMissing, "")},
		{"a header of somebody else", behind, nil, []string{item(own)}, false, policy.Denied(policy.CertificateMissing, "")},
		{"a client's own beside the header of somebody else", behind, own, []string{item(other)}, false, policy.Permitted()},
		{"two headers", behind, nil, []string{item(own), item(own)}, true, policy.Denied(policy.CertificateMissing, token.CertificateDuplicate)},
		{"an unreadable header", behind, nil, []string{"own"}, true, policy.Denied(policy.CertificateMissing, token.CertificateMalformed)},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 {
				r := bearer(sent)
				r.Peer.Certificate = row.peer
				if row.header != nil {
					r.Header[certHeader] = row.header
				}
				if row.proves {
					r.Header.Set(proofHeader, proofSecret)
				}
				all := row.verdicts(t, r)
				assert.Equal(t, row.want, all[policy.TokBind])
				assert.Equal(t, policy.Permitted(), all[policy.TokSig], "who sends it says nothing of the token")
			}
		})
	}
}

// A token may be bound in two ways, and each has to be proven.
func TestThreatTokenBoundTwice(t *testing.T) {
	own := certificate(t)
	w := standardWorld(t)
	r := bearer(tokentest.EC().Token(claims(map[string]any{"cnf": map[string]any{"x5t#S256": certThumbprint(own), "jkt": certThumbprint(own)}})))
	r.Peer.Certificate = own
	assert.Equal(t, policy.Denied(policy.DPoPScheme, ""), w.verdicts(t, r)[policy.TokBind])
}
