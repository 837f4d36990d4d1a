package compile_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// judged returns what in.hdr says of a header of one operation.
func judged(t *testing.T, p *policy.Policy, id string, h http.Header) policy.Verdict {
	t.Helper()
	rule := find(operation(t, p, id), policy.InHdr)
	require.NotNil(t, rule, id)
	return rule.Check.Check(t.Context(), &policy.Request{Header: h, Peer: policy.Peer{Addr: netip.MustParseAddr("192.0.2.1")}})
}

func TestHeadersThatMeanSomething(t *testing.T) {
	t.Parallel()
	identity := "credential: {kind: identity_headers, headers: {client: X-Client-Id, principal: X-Person-Id, accounts: X-Accounts}}\n" +
		"gateway: {present: true, request_id_header: X-Request-Id, proof: {header: X-Proof, secret: \"${file:proof}\"}}\n"
	twice := func(name string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {"a", "b"}} }
	one := func(name string) http.Header { return http.Header{name: {"a"}} }
	for _, c := range []struct {
		name, text, operation string
		h                     http.Header
		want                  policy.Verdict
	}{
		{"an account", head + accounts, "listPorts", one("X_account_id"), policy.Denied(policy.HeaderSpelling, "X-Account-Id")},
		{"an account where nothing matched", head + accounts, "unmatched", one("X_account_id"), policy.Denied(policy.HeaderSpelling, "X-Account-Id")},
		{"no account", head, "listPorts", one("X_account_id"), policy.Permitted()},
		{"a token twice is tok.present's", head, "listPorts", twice("Authorization"), policy.Permitted()},
		{"but not where it does not judge", head, "GET /status", twice("Authorization"), policy.Denied(policy.HeaderDuplicate, "Authorization")},
		{"or is off", head + "controls: {tok: off, az: off}", "listPorts", twice("Authorization"), policy.Denied(policy.HeaderDuplicate, "Authorization")},
		{"or judges another field", head + "credential: {header: X-Token, scheme: \"\"}", "listPorts", twice("Authorization"), policy.Denied(policy.HeaderDuplicate, "Authorization")},
		{"which is its own to judge", head + "credential: {header: X-Token, scheme: \"\"}", "listPorts", twice("X-Token"), policy.Permitted()},
		{"and counts in one spelling", head + "credential: {header: X-Token, scheme: \"\"}", "listPorts", one("X_token"), policy.Denied(policy.HeaderSpelling, "X-Token")},
		{"a client's word without a gateway", head, "listPorts", one("X-Forwarded-For"), policy.Denied(policy.HeaderForwarding, "X-Forwarded-For")},
		{"is the gateway's with one", head + "gateway: {present: true}", "listPorts", one("X-Forwarded-For"), policy.Permitted()},
		{"passed", head + "headers: {pass: [x-real-ip]}", "listPorts", one("X-Real-Ip"), policy.Permitted()},
		{"reserved", head + "headers: {reserved: [x-user-id]}", "listPorts", one("X_user_id"), policy.Denied(policy.HeaderReserved, "X-User-Id")},
		{"a certificate twice", head + "gateway: {present: true, client_cert_header: Client-Cert, proof: {header: X-Proof, secret: \"${file:proof}\"}}", "listPorts", twice("Client-Cert"), policy.Denied(policy.HeaderDuplicate, "Client-Cert")},
		{"the proof respelt", plain + identity, "listPorts", one("X_proof"), policy.Denied(policy.HeaderSpelling, "X-Proof")},
		{"a request id respelt", plain + identity, "listPorts", one("X_request_id"), policy.Denied(policy.HeaderSpelling, "X-Request-Id")},
		{"identity respelt is tok.present's", plain + identity, "listPorts", one("X_client_id"), policy.Permitted()},
		{"but not where it does not judge", plain + identity, "GET /status", one("X_client_id"), policy.Denied(policy.HeaderSpelling, "X-Client-Id")},
		{"identity twice, there", plain + identity, "GET /status", twice("X-Person-Id"), policy.Denied(policy.HeaderDuplicate, "X-Person-Id")},
	} {
		out, err := compiled(t, c.text)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, judged(t, out.Policy, c.operation, c.h), c.name)
	}
}

func TestReservedHeadersPassWithTheProofOfTheGateway(t *testing.T) {
	t.Parallel()
	out := mustBehind(t, "controls: {path.gateway: shadow}\nheaders: {reserved: [X-User-Id]}\n")
	proven := http.Header{"X-Gateway-Proof": {proofOfScript}, "X-User-Id": {"a"}}
	assert.Equal(t, policy.Permitted(), judged(t, out.Policy, "listPorts", proven))
	delete(proven, "X-Gateway-Proof")
	assert.Equal(t, policy.HeaderReserved, judged(t, out.Policy, "listPorts", proven).Reason)
}

// Header parameters of the contract are judged by in.schema under their own name.
func TestHeaderParametersCountInOneSpelling(t *testing.T) {
	t.Parallel()
	spec := strings.Replace(contract, "get: {operationId: listSites, ", "get: {operationId: listSites, parameters: [{name: X-Page-Size, in: header, schema: {type: integer}}], ", 1)
	p := mustOf(t, spec, head).Policy
	assert.Equal(t, policy.Denied(policy.HeaderSpelling, "X-Page-Size"), judged(t, p, "listSites", http.Header{"X_page_size": {"a"}}))
	assert.Equal(t, policy.Permitted(), judged(t, p, "listPorts", http.Header{"X_page_size": {"a"}}))
}

func TestHeadersAreTakenAwayWhereTheControlEnforces(t *testing.T) {
	t.Parallel()
	p := must(t, head+"controls: {in.hdr: enforce}\noperations: {listSites: {controls: {in.hdr: shadow}}, listPorts: {controls: {in.hdr: off}}}\n").Policy
	assert.NotNil(t, operation(t, p, "createPort").Strip)
	assert.NotNil(t, operation(t, p, "unmatched").Strip)
	assert.Nil(t, operation(t, p, "listSites").Strip)
	assert.Nil(t, operation(t, p, "listPorts").Strip)
	rule := find(operation(t, p, "createPort"), policy.InHdr)
	assert.ElementsMatch(t, message.Stripped(), rule.Reports, "what is taken away blocks nothing")
}

func TestHeadersThatCanHaveNoEffectAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"headers: {reserved: [x_account_id]}":              "headers.reserved[0]: means something",
		"headers: {reserved: [X-User-Id, Content-Type]}":   "headers.reserved[1]: means something",
		"headers: {reserved: [X-Real-IP]}":                 "headers.reserved[0]: is taken away as it is",
		"headers: {reserved: [X-HTTP_Method-Override]}":    "headers.reserved[0]: is taken away as it is",
		"headers: {pass: [X-Custom]}":                      "headers.pass[0]: is not among the names",
		"headers: {pass: [X-Real-IP, X-Account_Id]}":       "headers.pass[1]: means something",
		"headers: {pass: [Authorization]}":                 "headers.pass[0]: means something",
		"operations: {createPort: {upgrade: [websocket]}}": "operations.createPort.upgrade: is for an operation with the method POST",
	} {
		_, err := build(t, head+accounts+text+"\n")
		assert.ErrorContains(t, err, want, text)
	}
	inClear := strings.Replace(head, "backend: {", "backend: {http: h2c, ", 1)
	_, err := build(t, inClear+"operations: {listSites: {upgrade: [websocket]}}\n")
	assert.ErrorContains(t, err, "operations.listSites.upgrade: cannot happen: backend.http is h2c")
	_, err = build(t, strings.Replace(inClear, "h2c", "h1", 1)+"operations: {listSites: {upgrade: [websocket]}}\n")
	require.NoError(t, err)
	p := must(t, head+"operations: {listSites: {upgrade: [websocket]}}\n").Policy
	assert.Equal(t, []string{"websocket"}, operation(t, p, "listSites").Upgrade)
	assert.Empty(t, operation(t, p, "listPorts").Upgrade)
}
