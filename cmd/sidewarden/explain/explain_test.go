package explain

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/proxy"
)

const contract = `openapi: 3.0.3
info: {title: Orders, version: "1"}
paths:
  /orders:
    post:
      operationId: createOrder
      requestBody: {content: {application/json: {schema: {type: object, properties: {a: {type: integer}}}}}}
      responses: {"200": {description: d}}
    get: {operationId: listOrders, responses: {"200": {description: d}}}
`

// options compiles a configuration; rest is added to it.
func options(t *testing.T, rest string) Options {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), []byte(contract), 0o600))
	file := filepath.Join(dir, "sidewarden.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`version: 1
product: orders
listen: {address: "127.0.0.1:0"}
backend: {url: "http://127.0.0.1:9"}
spec: {file: openapi.yaml}
payload: {max_request_bytes: 64}
`+rest), 0o600))
	cfg, err := config.Load(file, config.Env{})
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	out, err := compile.Compile(compile.Input{Config: cfg, Now: func() time.Time { return at }})
	require.NoError(t, err)
	return Options{
		Config: cfg, Output: out, At: at, Bounds: proxy.Bounds{HeadBytes: 1 << 12},
		Proxy: proxy.Options{Policy: out.Policy, Backend: &url.URL{Scheme: "http", Host: "127.0.0.1:9"}, MaxHeldBytes: 1 << 20},
	}
}

func request(t *testing.T, o Options, message string) *Explanation {
	t.Helper()
	m, err := ReadMessage([]byte(message))
	require.NoError(t, err)
	e, err := Request(t.Context(), m, o)
	require.NoError(t, err)
	return e
}

const public = "controls: {tok: \"off\", az: \"off\"}\n"

// Every shape of request comes to an end and has three answers.
func TestEveryRequestIsExplained(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1", 100)
	for _, row := range []struct {
		name, message, enforced string
		decides                 policy.Control
		status                  int
	}{
		{"one that passes", "POST /orders\nContent-Type: application/json\n\n{\"a\": 1}", "allowed", "", 0},
		{"one that waits to send", "POST /orders\nExpect: 100-continue\nContent-Type: application/json\n\n{\"a\": 1}", "allowed", "", 0},
		{"one that expects what nobody knows", "POST /orders\nExpect: wonders\n\n", "blocked", policy.InFrame, 417},
		{"one that asks for the head", "HEAD /orders\n\n", "blocked", policy.InMethod, 405},
		{"one of the whole server", "OPTIONS *\n\n", "blocked", policy.InRoute, 404},
		{"a tunnel", "CONNECT h:443\n\n", "blocked", policy.InPath, 400},
		{"an upgrade", "GET /orders\nConnection: Upgrade\nUpgrade: websocket\n\n", "allowed", "", 0},
		{"a body beyond its limit", "POST /orders\nContent-Type: application/json\n\n" + long, "blocked", policy.InSize, 413},
		{"a chunked body beyond its limit", "POST /orders\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n" + long, "blocked", policy.InSize, 413},
		{"a head beyond its bound", "GET /orders\nX: " + strings.Repeat("x", 1<<14) + "\n\n", "failed", "", 431},
		{"a length that nobody can send", "POST /orders\nContent-Length: 99999999999999999999\n\nab", "blocked", policy.InFrame, 400},
		{"two hosts", "GET /orders\nHost: a\nHost: b\n\n", "blocked", policy.InFrame, 400},
		{"two lengths", "POST /orders\nContent-Length: 1\nContent-Length: 2\n\nab", "blocked", policy.InFrame, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := request(t, options(t, public), row.message)
			require.Len(t, e.Answers, 3)
			enforced := e.Answers[2]
			assert.Equal(t, row.enforced, enforced.Disposition)
			assert.Equal(t, row.decides, enforced.Decides)
			assert.Equal(t, row.status, enforced.Status)
			assert.Equal(t, row.enforced != "allowed", e.Objects)
			switch {
			case row.decides == policy.InFrame:
				assert.Equal(t, "failed", e.Answers[1].Disposition, "the server reads none of these, in no mode")
				assert.Equal(t, row.status, e.Answers[1].Status)
			case row.enforced == "blocked":
				assert.Equal(t, "would-block", e.Answers[1].Disposition, "shadow forwards")
				assert.Zero(t, e.Answers[1].Status)
			}
			var b bytes.Buffer
			require.NoError(t, e.WriteTable(&b))
			require.NoError(t, e.WriteJSON(&b))
		})
	}
}

// A limit of one request is not spent by the first look at it.
func TestLimitsAreTakenOnceForAllModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"shadow", "enforce"} {
		e := request(t, options(t, public+"mode: "+mode+"\nlimits: [{name: one, key: [peer], rate: 1/h, burst: 1}]\n"), "GET /orders\n\n")
		for _, a := range e.Answers {
			assert.Equal(t, "allowed", a.Disposition, "%s: %s", mode, a.Mode)
		}
	}
}

// Shadow reaches every control, also where the configuration blocks before.
func TestEveryControlHasAVerdictWhereTheConfigurationBlocks(t *testing.T) {
	t.Parallel()
	e := request(t, options(t, public+"mode: enforce\n"), "POST /orders\nContent-Type: text/plain\n\n{\"b\": ")
	assert.Equal(t, policy.InCtype, e.Answers[0].Decides)
	var ids []policy.Control
	for _, c := range e.Controls {
		ids = append(ids, c.ID)
		assert.Equal(t, "enforce", c.Mode)
	}
	assert.Equal(t, []policy.Control{"in.frame", "in.path", "in.hdr", "in.route", "in.method", "in.ctype", "in.size", "in.wellformed", "in.schema"}, ids)
}

func TestValuesAreMasked(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "****42", mask{}.value("4711-00042"))
	assert.Equal(t, "****", mask{}.value("47112"), "too short to keep a part of")
	assert.Equal(t, "acct-1", mask{show: true}.value("acct-1"))
	assert.Equal(t, `"a\x1b[31m\n"`, mask{show: true}.value("a\x1b[31m\n"), "no value moves the cursor")
	assert.Equal(t, "known, ****99", mask{}.values([]string{"known", "secret-99"}, []string{"known"}))
	assert.Equal(t, "none", mask{}.values(nil, nil))
	many := mask{}.values(make([]string, maxListed+3), nil)
	assert.True(t, strings.HasSuffix(many, " and 3 more"), many)
}

// A control that is added has something to show, or says here that it has not.
func TestEveryControlOfARequestShowsWhatItLookedAt(t *testing.T) {
	t.Parallel()
	o := options(t, `controls: {tok: "off", az: "off"}
account: {rules: [{in: query, name: account}]}
limits: [{name: one, key: [peer], rate: 1/h}]
`)
	v := newView(o, &policy.Request{Time: o.At})
	for _, entry := range policy.Catalogue() {
		if !entry.Implemented || entry.Phase == policy.ResponsePhase.String() || entry.ID == "rate.customer" || entry.ID == "rate.quota" {
			continue // limits by account or with a quota are shown like the one above
		}
		assert.NotEmpty(t, v.inputs(entry.ID), "%s: add what it looks at to inputs", entry.ID)
	}
}

// What stands behind a message is another request, and not the one that is explained.
func TestOneRequestIsExplained(t *testing.T) {
	t.Parallel()
	for _, framed := range []string{"Content-Length: 2\nContent-Length: 2", "Content-Length:\n 2"} {
		e := request(t, options(t, public), "POST /orders\nContent-Type: application/json\n"+framed+"\n\n{}GET /admin HTTP/1.1\r\nHost: h\r\n\r\n")
		assert.Equal(t, "createOrder", e.Operation, framed)
	}
}

// The peer is what the command line says, and behind a hop there is a client, whose address
// is shown as what it is: somebody's.
func TestWhereARequestComesFrom(t *testing.T) {
	t.Parallel()
	o := options(t, public+`gateway: {present: true, proof: {peers: [10.0.0.0/8]}, forwarded: {peers: [10.0.0.0/8]}}
limits: [{name: address, key: [peer], rate: 1/s, burst: 1}]
`)
	const message = "GET /orders HTTP/1.1\nHost: h\nX-Forwarded-For: 198.51.100.77\n\n"
	inputs := func(o Options, control policy.Control) string {
		for _, c := range request(t, o, message).Controls {
			if c.ID == control {
				return fmt.Sprint(c.Inputs)
			}
		}
		return ""
	}
	assert.Contains(t, inputs(o, policy.PathGateway), "{peer 127.0.0.1}")
	assert.NotContains(t, inputs(o, policy.RateApp), "address of the client")
	o.Peer = netip.MustParseAddr("10.1.2.3")
	assert.Contains(t, inputs(o, policy.PathGateway), "{peer 10.1.2.3}")
	assert.Contains(t, inputs(o, policy.RateApp), "{address of the client ****77, told by peer 10.1.2.3 (")
	o.ShowValues = true
	assert.Contains(t, inputs(o, policy.RateApp), "{address of the client 198.51.100.77, told by peer 10.1.2.3 (")
}
