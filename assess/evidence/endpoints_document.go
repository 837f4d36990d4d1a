package evidence

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// EndpointsDocument is what the admin listener answers on /endpoints. Its order is the
// same for the same counts.
type EndpointsDocument struct {
	// Since is when counting began: with the process.
	Since time.Time `json:"since"`
	// Requests counts all requests but health checks. It is the sum of those of all
	// endpoints, and of Preflights, Unread, Forgotten and Overflow.
	Requests uint64 `json:"requests"`
	// Counts has the number of endpoints of each kind, also of those that the lists
	// leave out.
	Counts EndpointStats `json:"counts"`
	// Shadow are the endpoints that the backend served and that the contract does not
	// declare, Probed those that were asked for and not served. Both are sorted by
	// template and method.
	Shadow []UndeclaredEndpoint `json:"shadow"`
	Probed []UndeclaredEndpoint `json:"probed"`
	// Zombie are the deprecated operations that the backend served, Dead those that
	// nobody asked for, Used all others. They are sorted by id.
	Zombie []DeclaredEndpoint `json:"zombie"`
	Dead   []DeclaredEndpoint `json:"dead"`
	Used   []DeclaredEndpoint `json:"used"`
	// Preflights counts the CORS preflights of operations, Unread the requests that
	// ended before their path was known, Forgotten those of endpoints that a reload took
	// out of the contract or may have put into it.
	Preflights uint64 `json:"preflights"`
	Unread     uint64 `json:"unread"`
	Forgotten  uint64 `json:"forgotten"`
	// Overflow is what found no room.
	Overflow EndpointOverflow `json:"overflow"`
}

// EndpointStats count endpoints by kind.
type EndpointStats struct {
	Shadow int `json:"shadow"`
	Probed int `json:"probed"`
	Zombie int `json:"zombie"`
	Dead   int `json:"dead"`
	Used   int `json:"used"`
}

// EndpointOverflow is what found no room.
type EndpointOverflow struct {
	// Usage has the requests of undeclared endpoints for which there was none.
	Usage
	// Replaced counts the endpoints that lost their place to one that is served, or is
	// served to a known caller.
	Replaced uint64 `json:"replaced"`
	// Operations counts those that the lists leave out.
	Operations int `json:"operations"`
}

// UndeclaredEndpoint is an endpoint that the contract does not declare.
type UndeclaredEndpoint struct {
	// Method is a registered method, or OTHER. Template has "{}" for each segment that
	// is no word of the contract and no common one, and "…" for the end of a long path.
	Method   string `json:"method"`
	Template string `json:"template"`
	// Undeclared is what the contract lacks.
	Undeclared Undeclared `json:"undeclared"`
	Usage
	// Example is the record id of the last request that was served, or of the last one
	// if none was.
	Example string `json:"example"`
}

// DeclaredEndpoint is an operation of the contract.
type DeclaredEndpoint struct {
	Operation  string `json:"operation"`
	Method     string `json:"method"`
	Template   string `json:"template"`
	Deprecated bool   `json:"deprecated"`
	// Since is when the contract came to have it: the start of the process, or a reload.
	Since time.Time `json:"since"`
	Usage
}

// Usage counts requests by how the backend answered them, whatever the client got.
type Usage struct {
	Requests uint64 `json:"requests"`
	// Served counts answers 1xx to 3xx, but for those that deny in what they say: error
	// envelopes, and ways to a login page. Refused counts these, and 4xx but for 404 and
	// 410, which NotFound has. Failed counts 5xx and no answer, NotForwarded what was
	// blocked and so did not get to the backend.
	Served       uint64 `json:"served"`
	Refused      uint64 `json:"refused"`
	NotFound     uint64 `json:"not_found"`
	Failed       uint64 `json:"failed"`
	NotForwarded uint64 `json:"not_forwarded"`
	// Known counts those requests whose caller proved to be somebody.
	Known uint64 `json:"known"`
	// FirstSeen and LastSeen are the times of the first and the last request.
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

func (u *usage) document() Usage {
	d := Usage{
		Requests: u.requests(), Served: u.answers[isServed], Refused: u.answers[isRefused], NotFound: u.answers[isNotFound],
		Failed: u.answers[isFailed], NotForwarded: u.answers[isNotForwarded], Known: u.known,
	}
	if d.Requests > 0 {
		d.FirstSeen, d.LastSeen = time.Unix(0, u.first).UTC(), time.Unix(0, u.last).UTC()
	}
	return d
}

// Stats counts the endpoints by kind.
func (e *Endpoints) Stats() EndpointStats {
	var s EndpointStats
	s.Shadow, s.Probed = e.undeclared()
	for _, d := range e.contract.Load().byID {
		u := d.document()
		switch {
		case u.dead():
			s.Dead++
		case u.zombie():
			s.Zombie++
		default:
			s.Used++
		}
	}
	return s
}

func (e *Endpoints) undeclared() (shadow, probed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	probed = len(e.ranks[notServed])
	return len(e.seen) - probed, probed
}

// dead reports that nobody asked for an operation since counting began.
func (d *DeclaredEndpoint) dead() bool { return d.Requests == 0 }

// zombie reports that the backend serves what nobody should use any more. One that it
// no longer serves is deprecated and no zombie, whoever asks for it.
func (d *DeclaredEndpoint) zombie() bool { return d.Deprecated && d.Served > 0 }

func (d *declared) document() DeclaredEndpoint {
	d.uses.mu.Lock()
	defer d.uses.mu.Unlock()
	op := d.operation
	return DeclaredEndpoint{
		Operation: op.ID, Method: op.Method, Template: op.Template, Deprecated: op.Deprecated, Since: d.since.UTC(),
		Usage: d.uses.document(),
	}
}

// Document returns what was counted so far. Requests that end meanwhile are in it as a
// whole or not at all.
func (e *Endpoints) Document() EndpointsDocument {
	doc := e.undeclaredDocument()
	doc.Counts.Shadow, doc.Counts.Probed = len(doc.Shadow), len(doc.Probed)
	for _, list := range [...][]UndeclaredEndpoint{doc.Shadow, doc.Probed} {
		slices.SortFunc(list, func(a, b UndeclaredEndpoint) int {
			return cmp.Or(strings.Compare(a.Template, b.Template), strings.Compare(a.Method, b.Method), cmp.Compare(a.Undeclared, b.Undeclared))
		})
		for i := range list {
			doc.Requests += list[i].Requests
		}
	}
	var all []DeclaredEndpoint
	for _, d := range e.contract.Load().byID {
		all = append(all, d.document())
	}
	slices.SortFunc(all, func(a, b DeclaredEndpoint) int { return compareOperations(a.Operation, b.Operation) })
	for i := range all {
		doc.Requests += all[i].Requests
		list, n := &doc.Used, &doc.Counts.Used
		switch {
		case all[i].dead():
			list, n = &doc.Dead, &doc.Counts.Dead
		case all[i].zombie():
			list, n = &doc.Zombie, &doc.Counts.Zombie
		}
		if *n++; *n > e.max {
			doc.Overflow.Operations++
			continue
		}
		*list = append(*list, all[i])
	}
	doc.Requests += doc.Preflights + doc.Unread + doc.Forgotten + doc.Overflow.Requests
	return doc
}

// undeclaredDocument begins a document with what is counted under one lock.
func (e *Endpoints) undeclaredDocument() EndpointsDocument {
	doc := EndpointsDocument{
		Since: e.since.UTC(), Shadow: []UndeclaredEndpoint{}, Probed: []UndeclaredEndpoint{},
		Zombie: []DeclaredEndpoint{}, Dead: []DeclaredEndpoint{}, Used: []DeclaredEndpoint{},
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	doc.Preflights, doc.Unread, doc.Forgotten = e.preflights, e.unread, e.forgotten
	doc.Overflow = EndpointOverflow{Usage: e.overflow.document(), Replaced: e.replaced}
	for rank, list := range e.ranks {
		for _, ep := range list {
			u := UndeclaredEndpoint{Method: ep.method, Template: ep.template, Undeclared: ep.undeclared, Usage: ep.document(), Example: ep.example}
			if rank == notServed {
				doc.Probed = append(doc.Probed, u)
			} else {
				doc.Shadow = append(doc.Shadow, u)
			}
		}
	}
	return doc
}
