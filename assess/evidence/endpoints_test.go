package evidence_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// ports is a contract with a deprecated operation.
func ports(digest string, more ...*policy.Operation) *policy.Policy {
	return &policy.Policy{
		Digest: digest,
		Operations: append([]*policy.Operation{
			{ID: "getPort", Method: "GET", Template: "/v3/ports/{portId}", Aliases: []string{"/eu/ports/{portId}"}},
			{ID: "listPorts", Method: "GET", Template: "/v3/ports"},
			{ID: "oldPorts", Method: "GET", Template: "/v2/ports", Deprecated: true},
		}, more...),
		Health: []*policy.Operation{{ID: policy.HealthID, Method: "GET", Template: "/pulse"}},
	}
}

func endpoints() *evidence.Endpoints {
	return evidence.NewEndpoints(evidence.EndpointOptions{Policy: ports("sha256:1"), Since: t0})
}

// asked is one request for an endpoint, as its record has it. Without op it is one
// that no operation matched, of the policy sha256:1.
type asked struct {
	op, method, path, client, digest, id string
	class                                policy.ResponseClass // R-OK by default
	at                                   time.Duration
	lacks                                policy.Control // that denies; in.route by default
	change                               func(rec *audit.Record)
}

func (a asked) record() *audit.Record {
	rec := &audit.Record{
		Time: t0.Add(a.at), RecordID: a.id, ClientID: a.client, Disposition: policy.WouldBlock.String(),
		Policy: audit.PolicyRef{Digest: orDefault(a.digest, "sha256:1")},
		Op:     audit.Op{ID: orDefault(a.op, policy.UnmatchedID)},
		HTTP:   audit.HTTP{Method: orDefault(a.method, "GET"), Path: a.path},
		Be:     audit.Backend{Class: policy.ResponseClass(orDefault(string(a.class), string(policy.ClassOK)))},
	}
	if a.op == "" {
		rec.Findings = []audit.Finding{denial(policy.Control(orDefault(string(a.lacks), string(policy.InRoute))), policy.RouteUnknown)}
	}
	if a.change != nil {
		a.change(rec)
	}
	return rec
}

func listing(requests ...asked) evidence.EndpointsDocument {
	e := endpoints()
	for _, a := range requests {
		e.Consume(a.record())
	}
	return e.Document()
}

// named lists undeclared endpoints in words.
func named(list []evidence.UndeclaredEndpoint) []string {
	all := []string{}
	for _, u := range list {
		all = append(all, fmt.Sprintf("%s %s %s %d", u.Method, u.Template, u.Undeclared, u.Requests))
	}
	return all
}

// ids lists operations.
func ids(list []evidence.DeclaredEndpoint) []string {
	all := []string{}
	for _, d := range list {
		all = append(all, d.Operation)
	}
	return all
}

func TestOperationsAreUsedZombiesOrDead(t *testing.T) {
	doc := listing()
	assert.Equal(t, []string{"getPort", "listPorts", "oldPorts"}, ids(doc.Dead), "nothing was asked for")
	assert.Equal(t, evidence.EndpointStats{Dead: 3}, doc.Counts)
	doc = listing(
		asked{op: "listPorts", at: time.Minute}, asked{op: "listPorts", at: time.Second, client: "p1_a"},
		asked{op: "oldPorts", class: policy.Class404},
	)
	assert.Equal(t, []string{"getPort"}, ids(doc.Dead))
	assert.Equal(t, []string{"listPorts", "oldPorts"}, ids(doc.Used), "a deprecated operation that is gone is no zombie")
	assert.Empty(t, doc.Zombie)
	assert.EqualValues(t, 3, doc.Requests)
	assert.Equal(t, evidence.Usage{Requests: 2, Served: 2, Known: 1, FirstSeen: t0.Add(time.Second), LastSeen: t0.Add(time.Minute)}, doc.Used[0].Usage)
	assert.Equal(t, evidence.Usage{}, doc.Dead[0].Usage)
	assert.Equal(t, t0, doc.Dead[0].Since)

	doc = listing(asked{op: "oldPorts", class: policy.Class404}, asked{op: "oldPorts", class: policy.ClassEmpty})
	assert.Equal(t, []string{"oldPorts"}, ids(doc.Zombie))
	assert.Equal(t, "GET", doc.Zombie[0].Method)
	assert.Equal(t, "/v2/ports", doc.Zombie[0].Template)
	assert.True(t, doc.Zombie[0].Deprecated)
	assert.Equal(t, evidence.EndpointStats{Dead: 2, Zombie: 1}, doc.Counts)
}

func TestUndeclaredEndpointsAreShadowOnceTheBackendServesThem(t *testing.T) {
	doc := listing(
		asked{path: "/internal/debug", class: policy.Class404, id: "r1"},
		asked{path: "/admin", class: policy.Class403, id: "r2"},
		asked{path: "/v3/ports/p1_k/p1_l", client: "p1_a", id: "r3"},
		asked{path: "/v3/ports/p1_k/p1_m", class: policy.ClassInput, id: "r4"},
		asked{path: "/v3/ports", method: "DELETE", lacks: policy.InMethod, id: "r5"},
		asked{path: "/v3/ports", method: "OTHER", lacks: policy.InMethod, class: policy.Class405, id: "r6"},
	)
	assert.Equal(t, []string{"DELETE /v3/ports method 1", "GET /v3/ports/{}/{} path 2"}, named(doc.Shadow))
	assert.Equal(t, []string{"GET /admin path 1", "GET /internal/debug path 1", "OTHER /v3/ports method 1"}, named(doc.Probed))
	assert.Equal(t, evidence.Usage{Requests: 2, Served: 1, Refused: 1, Known: 1, FirstSeen: t0, LastSeen: t0}, doc.Shadow[1].Usage)
	assert.Equal(t, "r3", doc.Shadow[1].Example, "the last that was served")
	assert.Equal(t, "r1", doc.Probed[1].Example)
	assert.Equal(t, evidence.EndpointStats{Shadow: 2, Probed: 3, Dead: 3}, doc.Counts)
}

// Every class of answers counts somewhere, and only what the backend did counts as
// served.
func TestAnswersSayWhetherThereIsAnEndpoint(t *testing.T) {
	served := []policy.ResponseClass{policy.ClassOK, policy.ClassEmpty, policy.ClassAccepted, policy.ClassOpaque, policy.ClassUpgrade, policy.ClassRedir}
	failed := []policy.ResponseClass{policy.ClassNone, policy.ClassAbort, policy.Class500, policy.Class501, policy.ClassUnavail}
	for _, class := range policy.Classes() {
		want := evidence.Usage{Requests: 1, FirstSeen: t0, LastSeen: t0}
		switch {
		case slices.Contains(served, class):
			want.Served = 1
		case slices.Contains(failed, class):
			want.Failed = 1
		case class == policy.Class404:
			want.NotFound = 1
		default:
			want.Refused = 1
		}
		assert.Equal(t, want, listing(asked{op: "getPort", class: class}).Used[0].Usage, class)
	}
	usage := func(change func(rec *audit.Record)) evidence.Usage {
		return listing(asked{op: "getPort", change: change}).Used[0].Usage
	}
	assert.EqualValues(t, 1, usage(func(rec *audit.Record) { rec.Be = audit.Backend{Class: policy.ClassAfter, Status: 304} }).Served)
	assert.EqualValues(t, 1, usage(func(rec *audit.Record) { rec.Be = audit.Backend{Class: policy.ClassAfter, Status: 412} }).Refused)
	assert.EqualValues(t, 1, usage(func(rec *audit.Record) {
		rec.Be.Class, rec.Disposition = policy.ClassNone, policy.Blocked.String()
	}).NotForwarded)
	assert.EqualValues(t, 1, usage(func(rec *audit.Record) { rec.Disposition = policy.Blocked.String() }).Served,
		"an answer that the client did not get is one of the backend nevertheless")
}

func TestWhatTheContractLacks(t *testing.T) {
	lacks := func(change func(rec *audit.Record)) string {
		doc := listing(asked{path: "/v3/ports", change: func(rec *audit.Record) { rec.Findings = nil; change(rec) }})
		require.Len(t, doc.Shadow, 1)
		return string(doc.Shadow[0].Undeclared)
	}
	assert.Equal(t, "unknown", lacks(func(*audit.Record) {}), "both controls are off")
	assert.Equal(t, "method", lacks(func(rec *audit.Record) { rec.Permits = []policy.Control{policy.TokSig, policy.InRoute} }), "in.method is off")
	assert.Equal(t, "unknown", lacks(func(rec *audit.Record) {
		rec.Findings = []audit.Finding{doubt(policy.InRoute, policy.InternalError), after(policy.InMethod, policy.InRoute)}
	}))
	assert.Equal(t, "path", lacks(func(rec *audit.Record) {
		rec.Findings = []audit.Finding{denial(policy.InRoute, policy.RouteUnknown), after(policy.InMethod, policy.InRoute)}
	}))
	assert.Equal(t, "method", lacks(func(rec *audit.Record) {
		rec.Permits, rec.Findings = []policy.Control{policy.InRoute}, []audit.Finding{denial(policy.InMethod, policy.MethodNotAllowed)}
	}))
}

func TestSomeRequestsAreForNoEndpoint(t *testing.T) {
	doc := listing(
		asked{path: "/v3/ports", method: "OPTIONS", change: func(rec *audit.Record) {
			rec.Findings, rec.NotApplicable = nil, []policy.Control{policy.TokSig, policy.InMethod}
		}},
		asked{path: ""},
		asked{op: policy.HealthID, path: "/pulse"},
		asked{op: "ofAnEarlierPolicy"},
		asked{path: "/x", digest: "sha256:0"},
		asked{op: "getPort", digest: "sha256:0"},
	)
	assert.Empty(t, doc.Shadow)
	assert.EqualValues(t, 1, doc.Preflights)
	assert.EqualValues(t, 1, doc.Unread)
	assert.EqualValues(t, 2, doc.Forgotten)
	assert.Equal(t, []string{"getPort"}, ids(doc.Used), "an operation is the same under both policies")
	assert.EqualValues(t, 5, doc.Requests)
}

func TestAReloadKeepsWhatIsStillThere(t *testing.T) {
	e := endpoints()
	for _, a := range []asked{
		{op: "getPort"},
		{op: "listPorts"},
		{op: "listPorts"},
		{op: "oldPorts"},
		{path: "/v3/p1_a"},
		{path: "/v3/p1_a", method: "PUT"},
		{path: "/eu/p1_a/p1_b/x"},
		{path: "/eu/p1_a/p1_b"},
		{path: "/pulse/p1_a"},
	} {
		e.Consume(a.record())
	}
	next := ports("sha256:2",
		&policy.Operation{ID: "getSite", Method: "GET", Template: "/v3/sites"},
		&policy.Operation{ID: "getCable", Method: "GET", Template: "/uk/cables/{id}", Aliases: []string{"/eu/cables/{id}"}})
	next.Operations[1].Template = "/v4/ports" // listPorts moved
	e.Use(next, t0.Add(time.Hour))
	doc := e.Document()
	assert.Equal(t, []string{"getPort"}, ids(doc.Used))
	assert.Equal(t, []string{"oldPorts"}, ids(doc.Zombie))
	assert.Equal(t, []string{"getCable", "getSite", "listPorts"}, ids(doc.Dead))
	assert.Equal(t, t0.Add(time.Hour), doc.Dead[0].Since)
	assert.Equal(t, t0, doc.Used[0].Since)
	assert.Equal(t, []string{"GET /eu/{}/{}/{} path 1", "GET /pulse/{} path 1", "PUT /v3/{} path 1"}, named(doc.Shadow),
		"GET /v3/{} may have been getSite, and GET /eu/{}/{} getCable")
	assert.EqualValues(t, 4, doc.Forgotten)
	assert.EqualValues(t, 9, doc.Requests)

	// Of requests that the reload overtook nothing can be said.
	e.Consume(asked{path: "/v3/sites"}.record())
	e.Consume(asked{path: "/v3/p1_b", digest: "sha256:2"}.record())
	doc = e.Document()
	assert.EqualValues(t, 5, doc.Forgotten)
	assert.Contains(t, named(doc.Shadow), "GET /v3/{} path 1")

	// A policy with the same operations changes nothing.
	before := e.Document()
	again := *next
	again.Digest = "sha256:3"
	e.Use(&again, t0.Add(2*time.Hour))
	assert.Equal(t, before, e.Document())
}

// Of the end of a long path nothing is known, so it may be that of a long operation.
func TestALongEndpointMayBeALongOperation(t *testing.T) {
	long := strings.Repeat("/v3", 20)
	for template, gone := range map[string]bool{
		long: true, long + "/{id}": true, strings.Repeat("/v3", 16): false, strings.Repeat("/v3", 15) + "/ports/v3/v3": false,
	} {
		e := endpoints()
		e.Consume(asked{path: long}.record())
		e.Use(ports("sha256:2", &policy.Operation{ID: "long", Method: "GET", Template: template}), t0)
		assert.Equal(t, gone, len(e.Document().Shadow) == 0, template)
	}
}

func TestTheDocumentOfEndpointsHasNoNull(t *testing.T) {
	text, err := json.Marshal(evidence.NewEndpoints(evidence.EndpointOptions{Policy: &policy.Policy{}, Since: t0}).Document())
	require.NoError(t, err)
	assert.NotContains(t, string(text), "null")
	assert.NotContains(t, string(text), "first_seen")
}

// TestEndpointsAreCountedConcurrently is for the race detector, and loses nothing.
func TestEndpointsAreCountedConcurrently(t *testing.T) {
	e := endpoints()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				e.Consume(asked{op: "getPort"}.record())
				e.Consume(asked{path: fmt.Sprintf("/v3%s", strings.Repeat("/ports", (n+i)%8))}.record())
				if n%100 == 0 {
					e.Document()
					e.Stats()
				}
			}
		})
	}
	for range 20 {
		e.Use(ports("sha256:1"), t0)
	}
	all.Wait()
	doc := e.Document()
	assert.EqualValues(t, 4000, doc.Requests)
	assert.EqualValues(t, 2000, doc.Used[0].Requests)
	assert.Equal(t, doc.Counts, e.Stats())
}

func BenchmarkEndpoints(b *testing.B) {
	e := endpoints()
	for name, rec := range map[string]*audit.Record{
		"declared":   asked{op: "getPort", client: "p1_a"}.record(),
		"undeclared": asked{path: "/v3/ports/p1_abcdefghijklmnopqrstuvwxyz/p1_abcdefghijklmnopqrstuvwxyz", client: "p1_a"}.record(),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Consume(rec)
			}
		})
	}
}
