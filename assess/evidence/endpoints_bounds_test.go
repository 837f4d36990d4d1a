package evidence_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// flood asks for n undeclared endpoints of which no two have the same template.
func flood(e *evidence.Endpoints, n int, like asked) {
	words := audit.CommonSegments()[1:]
	for i := range n {
		like.path = "/v3/ports/" + words[i%len(words)] + "/" + words[i/len(words)%len(words)] + "/" + words[i/len(words)/len(words)]
		e.Consume(like.record())
	}
}

// A scanner asks for everything before and after the one endpoint that matters, which is
// found nevertheless, whatever the backend answers the scanner.
func TestAFloodCostsNoKnownEndpointItsPlace(t *testing.T) {
	for name, scan := range map[string]asked{
		"not there":                        {class: policy.Class404},
		"refused":                          {class: policy.Class401},
		"not forwarded":                    {change: func(rec *audit.Record) { rec.Be.Class, rec.Disposition = policy.ClassNone, policy.Blocked.String() }},
		"a backend that serves everything": {class: policy.ClassOK},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoints()
			e.Consume(asked{path: "/v3/early", client: "p1_a"}.record())
			flood(e, 5000, scan)
			e.Consume(asked{path: "/v3/late/p1_x", client: "p1_a"}.record())
			flood(e, 5000, scan)
			doc := e.Document()
			assert.Subset(t, named(doc.Shadow), []string{"GET /v3/{} path 1", "GET /v3/{}/{} path 1"})
			assert.Len(t, append(doc.Shadow, doc.Probed...), evidence.DefaultMaxEndpoints)
			assert.EqualValues(t, 1, doc.Overflow.Replaced)
			assert.EqualValues(t, 10_002, doc.Requests)
			assert.EqualValues(t, 10_000-2*998, doc.Overflow.Requests, "998 endpoints of the flood keep their place")
		})
	}
}

// Served to anybody comes before not served, and served to a caller who is known before
// both; who came first stays among equals.
func TestUndeclaredEndpointsGiveWayToThoseThatMatterMore(t *testing.T) {
	e := evidence.NewEndpoints(evidence.EndpointOptions{Policy: ports("sha256:1"), Max: 2, Since: t0})
	see := func(want ...string) {
		t.Helper()
		doc := e.Document()
		assert.ElementsMatch(t, want, append(named(doc.Shadow), named(doc.Probed)...))
		assert.Equal(t, doc.Counts.Shadow, e.Stats().Shadow)
	}
	none := policy.Class404
	e.Consume(asked{path: "/v1", class: none}.record())
	e.Consume(asked{path: "/v2", class: none}.record())
	e.Consume(asked{path: "/v3", class: none}.record())
	see("GET /v1 path 1", "GET /v2 path 1")
	e.Consume(asked{path: "/v4"}.record())
	see("GET /v1 path 1", "GET /v4 path 1")
	e.Consume(asked{path: "/v1"}.record()) // it is served now
	e.Consume(asked{path: "/v5"}.record())
	see("GET /v1 path 2", "GET /v4 path 1")
	e.Consume(asked{path: "/v6", client: "p1_a", class: none}.record()) // known, and not served
	see("GET /v1 path 2", "GET /v4 path 1")
	e.Consume(asked{path: "/v4", client: "p1_a"}.record())
	e.Consume(asked{path: "/v7", client: "p1_a"}.record())
	see("GET /v4 path 2", "GET /v7 path 1")
	e.Consume(asked{path: "/v8", client: "p1_a"}.record())
	see("GET /v4 path 2", "GET /v7 path 1")
	doc := e.Document()
	assert.EqualValues(t, 2, doc.Overflow.Replaced)
	assert.EqualValues(t, 7, doc.Overflow.Requests, "v2, v3, v5, v6, v8, and two of v1")
	assert.EqualValues(t, 3, doc.Overflow.Served)
}

// TestEndpointsAddUp draws requests and reloads. Whatever comes, there are no more
// endpoints than the bound, every request is counted once, and what was served to a
// known caller has a place, and keeps it, unless all places are taken by such endpoints.
func TestEndpointsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "max")
		e := evidence.NewEndpoints(evidence.EndpointOptions{Policy: ports("sha256:1"), Max: limit, Since: t0})
		var sent uint64
		keep := map[string]bool{} // what was served to a known caller and had a place then
		for range rapid.IntRange(0, 200).Draw(t, "requests") {
			a := asked{
				op:     rapid.SampledFrom([]string{"", "", "", "", "getPort", "oldPorts", "gone"}).Draw(t, "op"),
				client: rapid.SampledFrom([]string{"", "p1_a"}).Draw(t, "client"),
				method: rapid.SampledFrom([]string{"GET", "PUT"}).Draw(t, "method"),
				class:  rapid.SampledFrom([]policy.ResponseClass{policy.ClassOK, policy.Class404, policy.Class403, policy.Class500, policy.ClassNone}).Draw(t, "class"),
				path:   "/v3" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"/ports", "/x", "/admin"}), 0, 3).Draw(t, "path"), ""),
			}
			e.Consume(a.record())
			sent++
			doc := e.Document()
			require.LessOrEqual(t, len(doc.Shadow)+len(doc.Probed), limit)
			require.Equal(t, sent, doc.Requests)
			require.Equal(t, e.Stats(), doc.Counts)
			listed := map[string]bool{}
			for _, u := range append(doc.Shadow, doc.Probed...) {
				listed[u.Method+" "+u.Template] = true
				require.Equal(t, u.Requests, u.Served+u.Refused+u.NotFound+u.Failed+u.NotForwarded)
			}
			if name := a.method + " " + evidence.TemplateOf(ports(""), a.path); a.op == "" && a.client != "" && a.class == policy.ClassOK {
				if listed[name] {
					keep[name] = true
				} else {
					require.Len(t, keep, limit)
				}
			}
			for name := range keep {
				require.Contains(t, listed, name)
			}
		}
		e.Use(ports("sha256:2", &policy.Operation{ID: "more", Method: "PUT", Template: "/v3/{x}"}), t0)
		require.Equal(t, sent, e.Document().Requests)
	})
}

func TestListsOfOperationsAreBounded(t *testing.T) {
	var many []*policy.Operation
	for i := range 2500 {
		many = append(many, &policy.Operation{ID: fmt.Sprintf("op-%04d", i), Method: "GET", Template: fmt.Sprintf("/%04d", i), Deprecated: i%2 == 0})
	}
	e := evidence.NewEndpoints(evidence.EndpointOptions{Policy: &policy.Policy{Operations: many}, Since: t0})
	doc := e.Document()
	assert.Len(t, doc.Dead, evidence.DefaultMaxEndpoints)
	assert.Equal(t, 2500, doc.Counts.Dead)
	assert.Equal(t, 1500, doc.Overflow.Operations)
	for _, op := range many {
		e.Consume(asked{op: op.ID}.record())
	}
	doc = e.Document()
	assert.Len(t, doc.Zombie, evidence.DefaultMaxEndpoints)
	assert.Len(t, doc.Used, evidence.DefaultMaxEndpoints)
	assert.Empty(t, doc.Dead)
	assert.Equal(t, evidence.EndpointStats{Zombie: 1250, Used: 1250}, doc.Counts)
	assert.EqualValues(t, 2500, doc.Requests)
}

// TestTheMemoryOfEndpointsIsBounded fills the list with templates and methods as long as
// records have them, each of which is part of a long request line.
func TestTheMemoryOfEndpointsIsBounded(t *testing.T) {
	const documented = 2 << 20
	var contract []*policy.Operation
	for i := range 16 {
		contract = append(contract, &policy.Operation{ID: fmt.Sprint(i), Method: "GET", Template: fmt.Sprintf("/%0120d", i)})
	}
	p := &policy.Policy{Digest: "sha256:1", Operations: contract}
	random := rand.New(rand.NewPCG(1, 2))
	before := heap()
	e := evidence.NewEndpoints(evidence.EndpointOptions{Policy: p, Since: t0})
	for range 20_000 {
		line := "PATCH " + strings.Repeat("x", 4000)
		path := ""
		for range 4 {
			path += contract[random.IntN(16)].Template
		}
		e.Consume(asked{method: line[:5], path: path, id: fmt.Sprintf("%026d", random.IntN(1e9))}.record())
	}
	full := heap() - before
	doc := e.Document()
	require.Len(t, doc.Shadow, evidence.DefaultMaxEndpoints)
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	t.Logf("%d KiB of memory, a document of %d KiB", full>>10, len(text)>>10)
	assert.Less(t, full, int64(documented))
	assert.Less(t, len(text), documented)
	runtime.KeepAlive(e)
}
