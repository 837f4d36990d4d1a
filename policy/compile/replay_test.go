package compile_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// sent is a request of listSites, or another path, with a proven token.
type sent struct{ path, id, from, gateway, number string }

// replayed judges tok.replay of a request; not applicable without a rule.
func replayed(t *testing.T, p *policy.Policy, s sent) policy.Verdict {
	t.Helper()
	good := &policy.Token{
		ID: s.id, Type: "at+jwt", Audience: []string{"a"}, IssuedAt: now(), Expires: now().Add(time.Hour),
		Claimed: policy.Identity{Issuer: "https://i.example", Client: "c", Accounts: []string{"acct-1"}},
	}
	r := &policy.Request{
		Method: "GET", Path: s.path, Time: now(), Header: http.Header{},
		Auth: policy.Authentication{Proof: policy.Permitted(), Token: good, Identity: &good.Claimed},
	}
	r.Source = netip.MustParseAddr("192.0.2.1")
	if s.from != "" {
		r.Source = netip.MustParseAddr(s.from)
	}
	for name, value := range map[string]string{"X-Proof": s.gateway, "X-Number": s.number} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	r.Match = p.Matcher.Match(r)
	r.Frame = unambiguous()
	d := p.Evaluate(t.Context(), r, policy.HeadPhase)
	r.Spent = p.Spender.Spend(t.Context(), r, d)
	for _, f := range p.Extend(t.Context(), r, d, policy.LimitPhase).Findings {
		if f.Rule.Control == policy.TokReplay {
			return f.Verdict
		}
	}
	return policy.Inapplicable()
}

const (
	sites = "/sites"
	ports = "/accounts/acct-1/ports"
	other = "198.51.100.1"
)

func replaying(mode string) string {
	return strings.Replace(head, "token:\n", "token:\n  replay: {mode: "+mode+"}\n", 1)
}

func TestHowATokenMayBeUsed(t *testing.T) {
	t.Parallel()
	ok, none := policy.Permitted(), policy.Inapplicable()
	again, elsewhere := policy.Denied(policy.TokenReplayed, ""), policy.Denied(policy.TokenOtherSender, "")
	for _, c := range []struct {
		name, text string
		// wants are of the first use, the second, and one from another network.
		wants [3]policy.Verdict
	}{
		{"reuse is normal and nothing is judged", head, [3]policy.Verdict{none, none, none}},
		{"off says the same", replaying(`"off"`), [3]policy.Verdict{none, none, none}},
		{"also where the control is asked for by name", head + "controls: {tok.replay: shadow}\n", [3]policy.Verdict{none, none, none}},
		{"single use", replaying("single_use"), [3]policy.Verdict{ok, again, again}},
		{"same sender", replaying("same_sender"), [3]policy.Verdict{ok, ok, elsewhere}},
		{"single use of the operation", head + "operations: {listSites: {replay: single_use}}\n", [3]policy.Verdict{ok, again, again}},
		{"same sender of the operation", replaying("single_use") + "operations: {listSites: {replay: same_sender}}\n", [3]policy.Verdict{ok, ok, elsewhere}},
		{"the operation turns it off", replaying("single_use") + "operations: {listSites: {replay: \"off\"}}\n", [3]policy.Verdict{none, none, none}},
		{"of another operation", head + "operations: {listPorts: {replay: same_sender}}\n", [3]policy.Verdict{none, none, none}},
		{"a public operation", replaying("same_sender") + "operations: {listSites: {public: true}}\n", [3]policy.Verdict{none, none, none}},
		{"the control is off", replaying("same_sender") + "controls: {tok.replay: \"off\"}\n", [3]policy.Verdict{none, none, none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := must(t, c.text).Policy
			for i, from := range []string{"", "", other} {
				assert.Equal(t, c.wants[i], replayed(t, p, sent{path: sites, id: "jti", from: from}), "use %d", i)
			}
		})
	}
}

// TestSingleUseAndSameSenderDoNotMeet: a use under one rule is none under the other,
// and neither are those in shadow and those that enforce.
func TestSingleUseAndSameSenderDoNotMeet(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"two kinds of use": "operations: {listSites: {replay: single_use}, listPorts: {replay: same_sender}}\n",
		"two modes": "controls: {tok.present: enforce, tok.sig: enforce, path.gateway: \"off\"}\n" +
			"operations: {listSites: {replay: single_use}, listPorts: {replay: single_use, controls: {tok.replay: enforce}}}\n",
	} {
		p := must(t, head+text).Policy
		assert.Equal(t, policy.Permitted(), replayed(t, p, sent{path: sites, id: "jti"}), name)
		assert.Equal(t, policy.Permitted(), replayed(t, p, sent{path: ports, id: "jti", from: other}), name)
		assert.Equal(t, policy.TokenReplayed, replayed(t, p, sent{path: sites, id: "jti"}).Reason, name)
		assert.Equal(t, policy.Deny, replayed(t, p, sent{path: ports, id: "jti"}).Effect, name)
	}
	p := must(t, head+"operations: {listSites: {replay: single_use}, listPorts: {replay: single_use}}\n").Policy
	require.Equal(t, policy.Permitted(), replayed(t, p, sent{path: sites, id: "jti"}))
	assert.Equal(t, policy.TokenReplayed, replayed(t, p, sent{path: ports, id: "jti"}).Reason, "operations of one kind and mode share")
}

func TestARetryOfTheGatewayNeedsItsProof(t *testing.T) {
	t.Parallel()
	const secret, number = proofOfScript, "n-1"
	proof := "gateway: {present: true, request_id_header: x-number, proof: {header: X-Proof, secret: \"${file:proof}\"}}\n"
	for _, c := range []struct {
		name, gateway string
		second        sent
		same          bool
	}{
		{"with proof and number", proof, sent{gateway: secret, number: number}, true},
		{"with another number", proof, sent{gateway: secret, number: "n-2"}, false},
		{"without the proof", proof, sent{number: number}, false},
		{"with a wrong proof", proof, sent{gateway: "next-" + secret, number: number}, false},
		{"without a number", proof, sent{gateway: secret}, false},
		{"nothing proves the gateway", "gateway: {present: true, request_id_header: x-number}\n", sent{gateway: secret, number: number}, false},
		{"no header has the number", strings.Replace(proof, "request_id_header: x-number, ", "", 1), sent{gateway: secret, number: number}, false},
		{"nobody judges the proof", proof + "controls: {path.gateway: \"off\"}\n", sent{gateway: secret, number: number}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := compiled(t, replaying("single_use")+c.gateway)
			require.NoError(t, err)
			p := out.Policy
			first := sent{path: sites, id: "jti", gateway: secret, number: number}
			require.Equal(t, policy.Permitted(), replayed(t, p, first))
			c.second.path, c.second.id = sites, "jti"
			want := policy.Denied(policy.TokenReplayed, "")
			if c.same {
				want = policy.Permitted()
			}
			assert.Equal(t, want, replayed(t, p, c.second))
		})
	}
}

func TestAReloadKeepsUsesOfTokens(t *testing.T) {
	t.Parallel()
	const before = "operations: {listSites: {replay: single_use}, listPorts: {replay: same_sender}}\n"
	for _, c := range []struct {
		name, text string
		kept       bool
	}{
		{"nothing changed", head + before, true},
		{"something else changed", strings.Replace(head+before, "listSites: {", "listSites: {max_request_bytes: 9, ", 1), true},
		{"another clock skew", strings.Replace(head+before, "token:\n", "token:\n  clock_skew: 10s\n", 1), true},
		{"another operation is added", strings.Replace(head+before, "operations: {", "operations: {createPort: {replay: same_sender}, ", 1), true},
		{"another product has its own", strings.Replace(head+before, "product: orders", "product: ports", 1), false},
	} {
		first := must(t, head+before)
		require.Equal(t, policy.Permitted(), replayed(t, first.Policy, sent{path: sites, id: "jti"}), c.name)
		require.Equal(t, policy.Permitted(), replayed(t, first.Policy, sent{path: ports, id: "jti"}), c.name)
		out, err := compile.Compile(compile.Input{Config: read(t, c.text), Now: now, Previous: first.Parts})
		require.NoError(t, err, c.name)
		want := policy.Permit
		if c.kept {
			want = policy.Deny
		}
		assert.Equal(t, want, replayed(t, out.Policy, sent{path: sites, id: "jti"}).Effect, c.name)
		assert.Equal(t, want, replayed(t, out.Policy, sent{path: ports, id: "jti", from: other}).Effect, c.name)
	}
}

func TestSendersThatOnlyTheGatewaysNetworkTellsApartAreNamed(t *testing.T) {
	t.Parallel()
	const gateway = "gateway: {present: true}\n"
	warning := warningOf(must(t, head+gateway+"operations: {listSites: {replay: same_sender}, listPorts: {replay: single_use}}\n"), "same_sender")
	assert.Contains(t, warning, "same_sender compares for listSites the network that a request connects from, which is the gateway's")
	assert.Contains(t, warning, "with a client certificate or DPoP")
	for name, text := range map[string]string{
		"every token is bound, and held to it":  constrained("required") + gateway + "operations: {listSites: {replay: same_sender}}\n",
		"every token is bound to a certificate": constrained("mtls") + gateway + "operations: {listSites: {replay: same_sender}}\n",
		"without a gateway it is the client's":  head + "operations: {listSites: {replay: same_sender}}\n",
		"single use compares nobody":            head + gateway + "operations: {listSites: {replay: single_use}}\n",
		"nothing judges it":                     head + gateway + "controls: {tok.replay: \"off\"}\noperations: {listSites: {replay: same_sender}}\n",
	} {
		assert.Empty(t, warningOf(must(t, text), "same_sender"), name)
	}
}

// constrained is head with what the tokens of its issuer must be bound to.
func constrained(constraint string) string {
	return strings.Replace(head, "audiences: [a]", "audiences: [a], sender_constraint: "+constraint, 1)
}

// What proves some senders leaves the others to the network.
func TestSendersThatMayBeProvenAreNamed(t *testing.T) {
	t.Parallel()
	const gateway = "gateway: {present: true}\noperations: {listSites: {replay: same_sender}}\n"
	const header = "gateway: {present: true, client_cert_header: Client-Cert, proof: {peers: [10.0.0.0/8]}}\noperations: {listSites: {replay: same_sender}}\n"
	other := strings.Replace(constrained("required"), "issuers: [", `issuers: [{issuer: "https://o.example", jwks_file: keys.json, audiences: [a]}, `, 1)
	for name, text := range map[string]string{
		"proofs are looked at":               taking("", gateway),
		"the gateway passes certificates on": head + header,
		"one issuer of two":                  other + gateway,
		"nobody holds them to it":            constrained("required") + "controls: {tok.bind: \"off\"}\n" + gateway,
	} {
		assert.Contains(t, warningOf(must(t, text), "same_sender compares"), "for listSites the network", name)
	}
}

func TestRetriesThatNothingTellsFromReplaysAreNamed(t *testing.T) {
	t.Parallel()
	const uses = "operations: {listSites: {replay: single_use}, listPorts: {replay: same_sender}}\n"
	const proof = "proof: {peers: [10.0.0.0/8]}"
	for name, text := range map[string]string{
		"nothing":                 "gateway: {present: true}\n",
		"a number without proof":  "gateway: {present: true, request_id_header: X-Number}\n",
		"a proof without number":  "gateway: {present: true, " + proof + "}\n",
		"nobody judges the proof": "gateway: {present: true, request_id_header: X-Number, " + proof + "}\ncontrols: {path.gateway: \"off\"}\n",
	} {
		warning := warningOf(must(t, head+text+uses), "single_use denies")
		assert.Contains(t, warning, "single_use denies for listSites a request that the gateway sends again", name)
		assert.Contains(t, warning, "add gateway.proof and gateway.request_id_header", name)
	}
	for name, text := range map[string]string{
		"both":               "gateway: {present: true, request_id_header: X-Number, " + proof + "}\n" + uses,
		"no gateway":         uses,
		"nobody judges uses": "gateway: {present: true}\ncontrols: {tok.replay: \"off\"}\n" + uses,
		"same sender alone":  "gateway: {present: true}\noperations: {listPorts: {replay: same_sender}}\n",
	} {
		assert.Empty(t, warningOf(must(t, head+text), "single_use denies"), name)
	}
}

func TestObjectionsThatLeaveATokenUnusedAreNamed(t *testing.T) {
	t.Parallel()
	const uses = "operations: {listSites: {replay: single_use}, listPorts: {replay: same_sender, controls: {tok.replay: shadow}}}\n"
	warning := warningOf(must(t, head+"controls: {tok: enforce, tok.bind: shadow, tok.aud: shadow}\n"+uses), "tok.replay enforces")
	assert.Contains(t, warning, "tok.replay enforces for listSites, and not tok.aud, tok.bind: a token to which they object is not used up")
	assert.Contains(t, warning, "add to controls: {tok.aud: enforce, tok.bind: enforce}")
	for name, text := range map[string]string{
		"all enforce":         "controls: {tok: enforce}\n" + uses,
		"nothing enforces":    uses,
		"what is off is mute": "controls: {tok: enforce, tok.bind: \"off\"}\n" + uses,
	} {
		assert.Empty(t, warningOf(must(t, head+text), "tok.replay enforces"), name)
	}
}
