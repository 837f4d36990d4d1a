package message_test

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// proof permits requests with the proof of the gateway.
type proof struct{}

func (proof) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if len(r.Header["X-Proof"]) == 1 {
		return policy.Permitted()
	}
	return policy.Denied(policy.GatewayProofMissing, "")
}

func options() message.HeaderOptions {
	return message.HeaderOptions{
		Own: []string{"X-Verified-Client"}, Reserved: []string{"x-user-id"}, Judged: []string{"X-Account-Id", "X-API-Key", "Tenant_Name"},
		Single: []string{"Authorization"}, Pass: []string{"X-HTTP-Method-Override", "X-Forwarded-Color"},
		Hops: message.NewHops([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}),
	}
}

// lines makes a request of header lines, as net/http reads them and proxy fills it.
func lines(from string, all ...string) *policy.Request {
	r := &policy.Request{Method: http.MethodGet, Header: http.Header{}, Peer: policy.Peer{Addr: netip.MustParseAddr(from)}}
	for _, line := range all {
		name, value, _ := strings.Cut(line, ": ")
		switch name = http.CanonicalHeaderKey(name); name {
		case "Connection":
			r.Hop.Connection = append(r.Hop.Connection, value)
		case "Trailer":
			r.Hop.Trailer = append(r.Hop.Trailer, value)
		case "Upgrade":
			r.Hop.Upgrade = append(r.Hop.Upgrade, value)
		default:
			r.Header.Add(name, value)
		}
	}
	return r
}

const (
	client = "192.0.2.1"
	hop    = "::ffff:10.1.1.1"
)

func TestHeaderRule(t *testing.T) {
	t.Parallel()
	permitted := policy.Permitted()
	for _, c := range []struct {
		name  string
		r     *policy.Request
		want  policy.Verdict
		strip string
	}{
		{"nothing", lines(client), permitted, ""},
		{"what every client sends", lines(client, "Accept: */*", "User-Agent: a", "Cookie: a=b", "X_Custom: 1", "Accept_Language: de"), permitted, ""},
		{"what counts, in its spelling", lines(client, "Authorization: Bearer a", "x-account-id: a", "X-ACCOUNT-ID: b", "Tenant_Name: c"), permitted, ""},
		{"what a hop says", lines(hop, "X-Forwarded-For: 192.0.2.1", "Forwarded: for=a", "X-Real-IP: a", "X-Forwarded-Anything: b"), permitted, ""},
		{"what is passed", lines(client, "X-HTTP-Method-Override: PUT", "X-Forwarded-Color: red"), permitted, ""},

		{"the sidecar's own", lines(hop, "X-Verified-Client: a"), policy.Denied(policy.HeaderReserved, "X-Verified-Client"), "X-Verified-Client"},
		{"the sidecar's own, respelt", lines(hop, "x_verified-client: a"), policy.Denied(policy.HeaderReserved, "X-Verified-Client"), "X_verified-Client"},
		{"the gateway's", lines(client, "X-User-Id: a"), policy.Denied(policy.HeaderReserved, "X-User-Id"), "X-User-Id"},
		{"a judged one, respelt", lines(client, "X_Account_Id: a"), policy.Denied(policy.HeaderSpelling, "X-Account-Id"), "X_account_id"},
		{"half respelt, beside the true one", lines(client, "X-Account_Id: a", "X-Account-Id: b"), policy.Denied(policy.HeaderSpelling, "X-Account-Id"), "X-Account_id"},
		{"one that has an underscore, respelt", lines(client, "Tenant-Name: a"), policy.Denied(policy.HeaderSpelling, "Tenant_name"), "Tenant-Name"},
		{"the length, respelt", lines(client, "Content_Length: 5"), policy.Denied(policy.HeaderSpelling, "Content-Length"), "Content_length"},
		{"a hop's word, respelt", lines(hop, "X_Forwarded_For: a"), policy.Denied(policy.HeaderSpelling, "X-Forwarded-For"), "X_forwarded_for"},
		{"any hop's word, respelt", lines(hop, "X-Forwarded-Any_Thing: a"), policy.Denied(policy.HeaderSpelling, "X-Forwarded-*"), "X-Forwarded-Any_thing"},
		{"another path", lines(hop, "X-Original-URL: /admin"), policy.Denied(policy.HeaderOverride, "X-Original-Url"), "X-Original-Url"},
		{"another method, respelt", lines(client, "X_HTTP_Method_Override: PUT"), policy.Denied(policy.HeaderOverride, "X-Http-Method-Override"), "X_http_method_override"},
		{"a client's word", lines(client, "X-Forwarded-For: 127.0.0.1"), policy.Denied(policy.HeaderForwarding, "X-Forwarded-For"), "X-Forwarded-For"},
		{"a client's word, in a way of its own", lines(client, "X-Forwarded-Zzz: 127.0.0.1"), policy.Denied(policy.HeaderForwarding, "X-Forwarded-*"), "X-Forwarded-Zzz"},
		{"one that passes, respelt", lines(client, "X_Forwarded_Color: red"), policy.Denied(policy.HeaderForwarding, "X-Forwarded-*"), "X_forwarded_color"},
		{"trailers", lines(client, "Trailer: X-Account-Id"), policy.Denied(policy.HeaderTrailer, ""), "Trailer"},
		{"an upgrade", lines(client, "Upgrade: websocket", "Connection: upgrade"), policy.Denied(policy.HeaderUpgrade, "websocket"), "Upgrade"},
		{"an upgrade that nobody announces", lines(client, "Upgrade: foo, H2C"), policy.Denied(policy.HeaderUpgrade, "h2c"), "Upgrade"},
		{"an empty upgrade", lines(client, "Upgrade: "), policy.Denied(policy.HeaderUpgrade, ""), "Upgrade"},

		{"the gravest is told, all are taken", lines(client, "X-Real-IP: a", "Trailer: a", "X-Original-URL: /", "X_Account_Id: a"), policy.Denied(policy.HeaderSpelling, "X-Account-Id"), "Trailer X-Original-Url X-Real-Ip X_account_id"},
		{"of equal ones, the first by name", lines(client, "X-Real-IP: a", "Forwarded: a", "True-Client-IP: a"), policy.Denied(policy.HeaderForwarding, "Forwarded"), "Forwarded True-Client-Ip X-Real-Ip"},

		{"twice", lines(client, "Authorization: Bearer a", "authorization: Bearer b"), policy.Denied(policy.HeaderDuplicate, "Authorization"), ""},
		{"a credential taken away", lines(client, "Connection: close, aUTHORIZATION"), policy.Denied(policy.HeaderConnection, "Authorization"), ""},
		{"an account taken away, in another line", lines(client, "Connection: keep-alive", "Connection: te,\tx_account_id"), policy.Denied(policy.HeaderConnection, "X-Account-Id"), ""},
		{"a hop's word taken away", lines(hop, "Connection: x-forwarded-for"), policy.Denied(policy.HeaderConnection, "X-Forwarded-For"), ""},
		{"any hop's word taken away", lines(hop, "Connection: x-forwarded-zzz"), policy.Denied(policy.HeaderConnection, "X-Forwarded-*"), ""},
		{"the sidecar's own taken away", lines(client, "Connection: X-Verified-Client"), policy.Denied(policy.HeaderConnection, "X-Verified-Client"), ""},
		{"options that take nothing away", lines(client, "Connection: close, keep-alive, Upgrade, TE, HTTP2-Settings, x-mine,, ", "HTTP2-Settings: a"), permitted, ""},
	} {
		h := message.NewHeader(options())
		got := h.Check(t.Context(), c.r)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.strip, strings.Join(h.Strip(c.r), " "), c.name)
		if got.Effect == policy.Deny {
			assert.Equal(t, c.strip != "", slices.Contains(message.Stripped(), got.Reason), "%s: what is taken away does not block, and what is not does", c.name)
		}
	}
}

func TestHeaderIsTheGatewaysWithItsProof(t *testing.T) {
	t.Parallel()
	o := options()
	o.Vouched = proof{}
	h := message.NewHeader(o)
	proven := lines(client, "X-User-Id: a", "X-Proof: p")
	assert.Equal(t, policy.Permitted(), h.Check(t.Context(), proven))
	assert.Empty(t, h.Strip(proven))
	assert.Equal(t, policy.HeaderReserved, h.Check(t.Context(), lines(client, "X-User-Id: a")).Reason)
	assert.Equal(t, policy.HeaderSpelling, h.Check(t.Context(), lines(client, "X_User_Id: a", "X-Proof: p")).Reason, "the gateway spells it as it is")
	assert.Equal(t, policy.HeaderReserved, h.Check(t.Context(), lines(client, "X-Verified-Client: a", "X-Proof: p")).Reason, "nobody is the sidecar")
}

func TestHeaderOfAnyHop(t *testing.T) {
	t.Parallel()
	o := options()
	o.Hops, o.AnyHop = message.Hops{}, true
	h := message.NewHeader(o)
	assert.Equal(t, policy.Permitted(), h.Check(t.Context(), lines(client, "X-Forwarded-For: a", "X-Real-IP: b")))
	assert.Equal(t, policy.HeaderSpelling, h.Check(t.Context(), lines(client, "X_Real_IP: b")).Reason)
	o.AnyHop = false
	assert.Equal(t, policy.HeaderForwarding, message.NewHeader(o).Check(t.Context(), lines(hop, "X-Forwarded-For: a")).Reason)
}

// What another control denies for its spelling is not denied twice.
func TestHeaderRespeltIsLeftToOthers(t *testing.T) {
	t.Parallel()
	o := options()
	o.Respelt = []string{"X-Account-Id"}
	h := message.NewHeader(o)
	assert.Equal(t, policy.Permitted(), h.Check(t.Context(), lines(client, "X_Account_Id: a")))
	assert.Equal(t, policy.HeaderConnection, h.Check(t.Context(), lines(client, "Connection: X-Account-Id")).Reason)
}

func TestHeaderUpgradeOfAnOperation(t *testing.T) {
	t.Parallel()
	h := message.NewHeader(options())
	op := &policy.Operation{ID: "events", Upgrade: []string{"websocket"}}
	with := func(change func(*policy.Request), upgrade ...string) *policy.Request {
		r := lines(client)
		r.Hop.Upgrade, r.Match.Operation = upgrade, op
		if change != nil {
			change(r)
		}
		return r
	}
	for _, c := range []struct {
		name    string
		r       *policy.Request
		allowed bool
	}{
		{"as it is", with(nil, "websocket"), true},
		{"in another case", with(nil, "WebSocket"), true},
		{"twice", with(nil, "websocket", "websocket"), true},
		{"beside another", with(nil, "websocket, h2c"), false},
		{"before another", with(nil, "websocket", "h2c"), false},
		{"another", with(nil, "h2c"), false},
		{"with a version", with(nil, "websocket/13"), false},
		{"nothing", with(nil, " , "), false},
		{"by a POST", with(func(r *policy.Request) { r.Method = http.MethodPost }, "websocket"), false},
		{"with a body", with(func(r *policy.Request) { r.Body.Size = -1 }, "websocket"), false},
		{"where none is allowed", with(func(r *policy.Request) { r.Match.Operation = &policy.Operation{} }, "websocket"), false},
		{"where nothing matched", with(func(r *policy.Request) { r.Match.Operation = nil }, "websocket"), false},
	} {
		assert.Equal(t, c.allowed, c.r.Upgrades(), c.name)
		v := h.Check(t.Context(), c.r)
		if c.allowed {
			assert.Equal(t, policy.Permitted(), v, c.name)
			assert.Empty(t, h.Strip(c.r), c.name)
			continue
		}
		assert.Equal(t, policy.HeaderUpgrade, v.Reason, c.name)
		assert.Equal(t, []string{"Upgrade"}, h.Strip(c.r), c.name)
	}
}

func TestHeaderKnows(t *testing.T) {
	t.Parallel()
	h := message.NewHeader(options())
	for name, want := range map[string][2]bool{
		"X-Account-Id": {false, true}, "x_account_id": {false, true}, "Authorization": {false, true}, "Host": {false, true},
		"X-Original-URL": {true, false}, "X-Real-IP": {true, false}, "X-Forwarded-Zzz": {true, false}, "X-User-Id": {true, false},
		"X-Verified-Client": {true, false}, "X-Custom": {false, false}, "X-Forwarded": {true, false},
	} {
		takes, counts := h.Knows(name)
		assert.Equal(t, want, [2]bool{takes, counts}, name)
	}
}

func TestHeaderKeepsTheRules(t *testing.T) {
	t.Parallel()
	o := options()
	o.Vouched = proof{}
	policytest.Run(t, message.NewHeader(o),
		lines(client, "Accept: */*"), lines(client, "X_Account_Id: a", "X-Forwarded-Foo: b"), lines(client, "Connection: authorization"),
		lines(client, "Authorization: a", "Authorization: b"), lines(client, "Upgrade: h2c", "Trailer: x"), lines(client, "X-User-Id: a"))
}

// What is left after stripping has no finding that stripping answers, whatever the names.
func TestHeaderNothingIsLeft(t *testing.T) {
	t.Parallel()
	h := message.NewHeader(options())
	base := append(append(message.Forwarding(), policy.Overriding()...), "X-Account-Id", "X-User-Id", "X-Verified-Client", "X-Custom", "X-Forwarded-Zzz")
	rapid.Check(t, func(t *rapid.T) {
		r := lines(rapid.SampledFrom([]string{client, hop}).Draw(t, "peer"))
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			name := []byte(rapid.SampledFrom(base).Draw(t, "name"))
			for i, c := range name {
				if c == '-' && rapid.Bool().Draw(t, "underscore") {
					name[i] = '_'
				}
			}
			r.Header.Add(string(name), "v")
		}
		for _, name := range h.Strip(r) {
			require.Contains(t, r.Header, name)
			delete(r.Header, name)
		}
		require.Equal(t, policy.Permitted(), h.Check(t.Context(), r))
		for name := range r.Header {
			key := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
			require.False(t, key == "x-verified-client" || key == "x-user-id" || strings.Contains(key, "original-url"), name)
		}
	})
}
