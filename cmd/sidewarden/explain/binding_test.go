package explain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// What a token alone cannot bring is no objection to it, unless no request could.
func TestWhatATokenAloneLacksOfItsSender(t *testing.T) {
	t.Parallel()
	const proof, certificate = "a DPoP proof by the key that it is bound to", "the client certificate that it is bound to"
	key, cert, both := policy.Confirmation{Key: "k"}, policy.Confirmation{Certificate: "c"}, policy.Confirmation{Key: "k", Certificate: "c"}
	asked := config.Listen{TLS: &config.ListenTLS{ClientAuth: config.ClientAuthRequest}}
	for _, c := range []struct {
		name   string
		to     policy.Confirmation
		reason policy.Reason
		listen config.Listen
		header string
		want   string
	}{
		{"the proof", key, policy.DPoPMissing, config.Listen{}, "", proof},
		{"the certificate of a connection", cert, policy.CertificateMissing, asked, "", certificate},
		{"the certificate in a header", cert, policy.CertificateMissing, config.Listen{}, "Client-Cert", certificate},
		{"both", both, policy.DPoPMissing, asked, "", proof + " and " + certificate},
		{"a certificate that nobody asks for", cert, policy.CertificateMissing, config.Listen{}, "", ""},
		{"a certificate that a listener does not ask for", cert, policy.CertificateMissing, config.Listen{TLS: &config.ListenTLS{ClientAuth: config.ClientAuthNone}}, "", ""},
		{"both, of which one can not come", both, policy.DPoPMissing, config.Listen{}, "", ""},
		{"no proof is looked at", key, policy.DPoPScheme, config.Listen{}, "", ""},
		{"it is bound to nothing", policy.Confirmation{}, policy.TokenUnbound, asked, "Client-Cert", ""},
		{"it is bound to something else", policy.Confirmation{Other: true}, policy.ConfirmationUnsupported, asked, "Client-Cert", ""},
	} {
		v := &view{cfg: &config.Config{Listen: c.listen, Gateway: config.Gateway{ClientCertHeader: c.header}}, r: &policy.Request{}}
		v.r.Auth.Token = &policy.Token{Confirmation: c.to}
		assert.Equal(t, c.want, v.besides(c.reason), c.name)
	}
}

// What explain alone does not see of a sender is told with the verdict.
func TestWhatIsNotSeenOfASenderIsNoted(t *testing.T) {
	t.Parallel()
	o := options(t, public)
	noted := func(part string, cfg config.Config, token policy.Token, from policy.Sender) bool {
		r := &policy.Request{Auth: policy.Authentication{Token: &token, SentBy: &from}}
		notes := (&view{cfg: &cfg, r: r}).notes(o.Output.Parts)
		require.NotEmpty(t, notes)
		return strings.Contains(strings.Join(notes, "\n"), part)
	}
	nonces := config.Config{Token: config.Token{DPoP: &config.DPoP{Nonce: true}}}
	bound := policy.Token{Confirmation: policy.Confirmation{Key: "k", Certificate: "c"}}
	without := policy.Sender{DPoP: true, Proof: policy.Denied(policy.DPoPNonce, "")}
	const random = "serve makes nonces with a random key"
	assert.True(t, noted(random, nonces, bound, without))
	assert.False(t, noted(random, nonces, policy.Token{}, without), "tok.bind says something else of a bearer token")
	assert.False(t, noted(random, nonces, bound, policy.Sender{DPoP: true, Proof: policy.Denied(policy.DPoPURL, "path")}))
	keyed := nonces
	keyed.Token.DPoP = &config.DPoP{Nonce: true, NonceKey: config.NewSecret("0123456789abcdef")}
	assert.False(t, noted(random, keyed, bound, without), "replicas know each other's nonces, and so does explain")

	connected := config.Config{Listen: config.Listen{TLS: &config.ListenTLS{ClientAuth: config.ClientAuthRequire}}}
	const nobody = "there is no certificate of a connection"
	assert.True(t, noted(nobody, connected, bound, policy.Sender{}))
	assert.False(t, noted(nobody, connected, policy.Token{}, policy.Sender{}))
	assert.False(t, noted(nobody, connected, bound, policy.Sender{Certificate: "c"}), "the gateway passed one on")
	assert.False(t, noted(nobody, config.Config{}, bound, policy.Sender{}), "no client is asked for one")
}
