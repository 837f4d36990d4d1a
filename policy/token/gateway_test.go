package token_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

const (
	proofHeader = "X-Gateway-Proof"
	proofSecret = "proof-of-the-gateway-0123456789"
	nextSecret  = "next-proof-of-the-gateway-01234"
)

func newGateway(t testing.TB, o token.GatewayOptions) *token.Gateway {
	t.Helper()
	g, err := token.NewGateway(o)
	require.NoError(t, err)
	return g
}

// bySecret is a gateway whose secret is being rotated.
func bySecret(t testing.TB) *token.Gateway {
	t.Helper()
	return newGateway(t, token.GatewayOptions{Header: "x-gateway-proof", Secrets: []string{proofSecret, nextSecret}})
}

func networks(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func from(peer string) *policy.Request {
	return &policy.Request{Peer: policy.Peer{Addr: netip.MustParseAddr(peer)}, Header: http.Header{}}
}

func shows(proofs ...string) *policy.Request {
	r := from("10.1.2.3")
	if proofs != nil {
		r.Header[proofHeader] = proofs
	}
	return r
}

func TestGateway(t *testing.T) {
	t.Parallel()
	byPeer := newGateway(t, token.GatewayOptions{Peers: networks("10.0.0.0/8", "fd00::/8")})
	both := newGateway(t, token.GatewayOptions{Header: proofHeader, Secrets: []string{proofSecret}, Peers: networks("10.0.0.0/8")})
	stranger := shows(proofSecret)
	stranger.Peer.Addr = netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		rule  string
		check *token.Gateway
		r     *policy.Request
		want  policy.Reason // "" permits
	}{
		{"the secret", bySecret(t), shows(proofSecret), ""},
		{"the next secret during a rotation", bySecret(t), shows(nextSecret), ""},
		{"no header", bySecret(t), shows(), policy.GatewayProofMissing},
		{"an empty header", bySecret(t), shows(""), policy.GatewayProofMismatch},
		{"a guess", bySecret(t), shows("guess"), policy.GatewayProofMismatch},
		{"a prefix of the secret", bySecret(t), shows(proofSecret[:len(proofSecret)-1]), policy.GatewayProofMismatch},
		{"the secret and more", bySecret(t), shows(proofSecret + "0"), policy.GatewayProofMismatch},
		{"another letter case", bySecret(t), shows(strings.ToUpper(proofSecret)), policy.GatewayProofMismatch},
		{"both secrets joined", bySecret(t), shows(proofSecret + "," + nextSecret), policy.GatewayProofMismatch},
		{"the secret twice", bySecret(t), shows(proofSecret, proofSecret), policy.GatewayProofDuplicate},
		{"a guess before the secret", bySecret(t), shows("guess", proofSecret), policy.GatewayProofDuplicate},
		{"a long value", bySecret(t), shows(strings.Repeat("x", 200_000)), policy.GatewayProofMismatch},
		{"a peer of the network", byPeer, from("10.255.0.1"), ""},
		{"an IPv6 peer with a zone", byPeer, from("fd00::1%eth0"), ""},
		{"an IPv4 peer in IPv6 form", byPeer, from("::ffff:10.0.0.1"), ""},
		{"another peer", byPeer, from("11.0.0.1"), policy.GatewayPeer},
		{"no peer", byPeer, &policy.Request{}, policy.GatewayPeer},
		{"both hold", both, shows(proofSecret), ""},
		{"the secret from elsewhere", both, stranger, policy.GatewayPeer},
		{"the network without the secret", both, shows(), policy.GatewayProofMissing},
	} {
		v := c.check.Check(t.Context(), c.r)
		if c.want == "" {
			assert.Equal(t, policy.Permitted(), v, c.rule)
		} else {
			assert.Equal(t, policy.Denied(c.want, ""), v, c.rule)
		}
		policytest.Run(t, c.check, c.r)
	}
}

func TestWhatProvesNoGatewayIsNotMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		o    token.GatewayOptions
		want string
	}{
		{"nothing", token.GatewayOptions{}, "nothing proves the gateway"},
		{"a header alone", token.GatewayOptions{Header: proofHeader}, "a header or secrets and not both"},
		{"secrets alone", token.GatewayOptions{Secrets: []string{proofSecret}}, "a header or secrets and not both"},
		{"an empty secret", token.GatewayOptions{Header: proofHeader, Secrets: []string{proofSecret, ""}}, "a secret of the gateway is empty"},
		{"no network", token.GatewayOptions{Peers: []netip.Prefix{{}}}, "is not a network of the gateway"},
		{"IPv4 in IPv6 form, which no peer has", token.GatewayOptions{Peers: networks("::ffff:10.0.0.0/104")}, "is not a network of the gateway"},
	} {
		_, err := token.NewGateway(c.o)
		require.ErrorContains(t, err, c.want, c.rule)
		assert.NotContains(t, err.Error(), proofSecret, c.rule)
	}
}

// Whoever prints a gateway by accident prints no secret.
func TestAGatewayKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf("%v %+v %#v", bySecret(t), *bySecret(t), bySecret(t))
	assert.NotContains(t, text, proofSecret)
	assert.NotContains(t, text, nextSecret)
}
