package evidence

import (
	"strings"
	"sync"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// CensusBuckets returns the upper bounds of the buckets in which lifetimes and ages
// are counted, in seconds, each inclusive. One more bucket has what is longer.
func CensusBuckets() [buckets]int64 {
	return [...]int64{60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 604800}
}

const buckets = 11

// entry is what was counted of one client and operation.
type entry struct {
	issuer *censusIssuer // nil for those without a name of their own

	mu sync.Mutex // guards all below

	requests, read, proven, refused, undecided   uint64
	actors, scopesNone, scopesUndeclared         uint64
	first, last                                  int64 // Unix time in nanoseconds
	lifetime, age                                histogram
	algorithms, keyIDs, types, scopes, lack, cnf names
	objections                                   []refusal
}

// histogram counts times in seconds.
type histogram struct {
	counts           [buckets + 1]uint64
	absent, negative uint64
}

func (h *histogram) count(s *int64) {
	switch {
	case s == nil:
		h.absent++
	case *s < 0:
		h.negative++
	default:
		bounds := CensusBuckets()
		at := 0
		for at < buckets && *s > bounds[at] {
			at++
		}
		h.counts[at]++
	}
}

// names counts by name. The few that one client has are found faster in a list than
// in a map.
type names []named

type named struct {
	name  string
	count uint64
}

// count counts a name if the list has it, and returns where it stands. It looks from
// index hint on: what comes in order again is found at once.
func (n names) count(name string, hint int) (at int, counted bool) {
	if hint < len(n) && n[hint].name == name {
		n[hint].count++
		return hint, true
	}
	for i := range n {
		if n[i].name == name {
			n[i].count++
			return i, true
		}
	}
	return 0, false
}

// add counts a name that the list does not have, and reports whether there was room
// for it. The last place is that of Other. The name is kept as it is: records share
// those that they have.
func (n *names) add(name string) (fits bool) {
	if len(*n) < maxNames-1 || name == Other {
		*n = append(*n, named{name: name, count: 1})
		return true
	}
	if _, counted := n.count(Other, 0); !counted {
		n.add(Other)
	}
	return false
}

// refusal counts denials of one control for one reason, or its doubts.
type refusal struct {
	control   policy.Control
	reason    policy.Reason
	undecided bool
	count     uint64
}

func (e *entry) count(c *Census, rec *audit.Record, proven bool) {
	at := rec.Time.UnixNano()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.requests == 0 || at < e.first {
		e.first = at
	}
	if e.requests == 0 || at > e.last {
		e.last = at
	}
	e.requests++
	if proven {
		e.proven++
	}
	if len(rec.Findings) > 0 {
		e.judge(c, rec.Findings)
	}
	if rec.Tok != nil {
		e.token(c, rec.Tok, proven)
		if rec.ActorID != "" || rec.Claimed != nil && rec.Claimed.ActorID != "" {
			e.actors++
		}
	}
}

// token counts the facts of a token. The caller holds e.mu.
func (e *entry) token(c *Census, tok *audit.Tok, proven bool) {
	e.read++
	e.lifetime.count(tok.TTLS)
	e.age.count(tok.AgeS)
	c.name(&e.algorithms, orAbsent(tok.Alg), 0)
	c.name(&e.types, orAbsent(tok.Typ), 0)
	c.name(&e.cnf, orBearer(tok.Bound), 0)
	if id := orAbsent(tok.Kid); id == Absent {
		c.name(&e.keyIDs, id, 0)
	} else if _, counted := e.keyIDs.count(id, 0); !counted {
		c.name(&e.keyIDs, c.keyID(e.issuer, id, proven), 0)
	}
	hint := 0
	for _, claim := range tok.Missing {
		hint = c.name(&e.lack, claim, hint)
	}
	hint = 0
	for _, scope := range tok.Scopes {
		hint = c.name(&e.scopes, scope, hint)
	}
	switch {
	case tok.ScopesN == 0:
		e.scopesNone++
	case tok.ScopesN > len(tok.Scopes):
		e.scopesUndeclared++
	}
}

func orBearer(bound string) string {
	if bound == "" {
		return Bearer
	}
	return bound
}

// name counts one name and returns where the next one is looked for first.
func (c *Census) name(n *names, name string, hint int) (next int) {
	if at, counted := n.count(name, hint); counted {
		return at + 1
	}
	if !n.add(name) {
		c.stats.names.Add(1)
	}
	return 0
}

// judge counts what controls of credentials object to. What another control left
// undecided is not counted: that one is. The caller holds e.mu.
func (e *entry) judge(c *Census, findings []audit.Finding) {
	denied, doubted := false, false
	for i := range findings {
		f := &findings[i]
		if !ofCredential(f.Control) || f.Cause != "" {
			continue
		}
		undecided := f.Effect != policy.Deny.String()
		denied, doubted = denied || !undecided, doubted || undecided
		if !e.object(refusal{control: f.Control, reason: f.Reason, undecided: undecided}) {
			c.stats.objections.Add(1)
		}
	}
	switch {
	case denied:
		e.refused++
	case doubted:
		e.undecided++
	}
}

// ofCredential reports whether a control judges credentials.
func ofCredential(control policy.Control) bool {
	return strings.HasPrefix(string(control), "tok.") || control == policy.KeyValid
}

// object counts an objection, and reports whether there was room for it. The caller
// holds e.mu.
func (e *entry) object(o refusal) bool {
	for i := range e.objections {
		if was := &e.objections[i]; was.control == o.control && was.reason == o.reason && was.undecided == o.undecided {
			was.count++
			return true
		}
	}
	if len(e.objections) >= maxObjections {
		return false
	}
	o.count = 1
	e.objections = append(e.objections, o)
	return true
}
