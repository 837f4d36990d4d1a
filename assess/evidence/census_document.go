package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// CensusDocument is what the admin listener answers on /census. Its order is the
// same for the same counts.
type CensusDocument struct {
	// Since is when counting began: with the process.
	Since time.Time `json:"since"`
	// Records counts all records but those of health checks. It is the sum of
	// NotEvaluated and of the requests of None and of all issuers.
	Records uint64 `json:"records"`
	// NotEvaluated counts requests that ended before anybody looked for a credential.
	NotEvaluated uint64 `json:"not_evaluated"`
	// Buckets are the upper bounds, in seconds, of the counts of Seconds.
	Buckets []int64 `json:"buckets_s"`
	// None has the requests without a credential, or of which nobody wanted one.
	None CensusClient `json:"none"`
	// Issuers has every configured issuer, sorted, then NoToken and Other if there were
	// any.
	Issuers []CensusIssuer `json:"issuers"`
	// TLS is how both hops were secured.
	TLS CensusTLS `json:"tls"`
	// Overflow counts requests that are not counted where they belong.
	Overflow CensusStats `json:"overflow"`
}

// CensusIssuer is what came with the name of one issuer.
type CensusIssuer struct {
	Issuer string `json:"issuer"`
	Credentials
	// Keys is the life of its keys, sorted by the time when each was first seen.
	Keys []KeyLife `json:"keys"`
	// Clients are sorted by pseudonym, then Absent, Other and Unproven.
	Clients []CensusClient `json:"clients"`
}

// CensusClient is what one client sent. Client is a pseudonym, Absent, Other or
// Unproven; it is empty of requests without a credential.
type CensusClient struct {
	Client string `json:"client,omitempty"`
	Credentials
	// Operations are sorted by id, unmatched requests last.
	Operations []CensusOperation `json:"operations"`
}

// CensusOperation is what one client sent to one operation.
type CensusOperation struct {
	Operation string `json:"operation"`
	Credentials
}

// Credentials are counts of requests by what was said of their credential. Those of
// a client are the sums of its operations, those of an issuer of its clients.
type Credentials struct {
	Requests uint64 `json:"requests"`
	// Proven counts those whose credential proved itself, Refused those that a control
	// of credentials denies, whatever its mode, Undecided others that one could not
	// decide.
	Proven    uint64 `json:"proven"`
	Refused   uint64 `json:"refused"`
	Undecided uint64 `json:"undecided"`
	// FirstSeen and LastSeen are the times of the first and the last request.
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	// RefusedBy has the denials, UndecidedBy the doubts, in order of evaluation. One
	// request can have several.
	RefusedBy   []CensusReason `json:"refused_by"`
	UndecidedBy []CensusReason `json:"undecided_by"`
	// Tokens has the facts of tokens; the JSON leaves it out where none was read.
	Tokens Tokens `json:"tokens,omitzero"`
}

// Tokens are counts of requests by the facts of their token, proven or not.
type Tokens struct {
	// Read counts the requests with a token of which facts could be read.
	Read uint64 `json:"read"`
	// Algorithms, KeyIDs, Types and Bound count by name, Absent and Bearer among them.
	Algorithms map[string]uint64 `json:"algorithms"`
	KeyIDs     map[string]uint64 `json:"key_ids"`
	Types      map[string]uint64 `json:"types"`
	Bound      map[string]uint64 `json:"bound"`
	// Lifetime is from issue to expiry, Age from issue to use.
	Lifetime Seconds `json:"lifetime"`
	Age      Seconds `json:"age"`
	// Scopes counts by declared scope; NoScopes counts tokens without any, and
	// UndeclaredScopes those that have others too.
	Scopes           map[string]uint64 `json:"scopes"`
	NoScopes         uint64            `json:"no_scopes"`
	UndeclaredScopes uint64            `json:"undeclared_scopes"`
	// Missing counts by claim that the token lacks.
	Missing map[string]uint64 `json:"missing"`
	// Actors counts tokens that name an actor.
	Actors uint64 `json:"actors"`
}

// IsZero reports that no token was read.
func (t Tokens) IsZero() bool { return t.Read == 0 }

// Seconds counts times by bucket.
type Seconds struct {
	// Counts has one number for each bucket, and one for what is longer than all.
	Counts [buckets + 1]uint64 `json:"counts"`
	// Absent counts tokens that do not say, Negative those that say what cannot be: an
	// expiry before the issue, an issue after the use.
	Absent   uint64 `json:"absent"`
	Negative uint64 `json:"negative"`
}

// CensusReason counts what one control said for one reason.
type CensusReason struct {
	Control  policy.Control `json:"control"`
	Reason   policy.Reason  `json:"reason"`
	Requests uint64         `json:"requests"`
}

// Document returns what was counted so far. Requests that end meanwhile are in it as
// a whole or not at all.
func (c *Census) Document() CensusDocument {
	bounds := CensusBuckets()
	doc := CensusDocument{Since: c.since, Buckets: bounds[:], None: CensusClient{Credentials: noCredentials(), Operations: []CensusOperation{}}}
	byName := make(map[string]*CensusIssuer)
	for name := range *c.issuers.Load() {
		byName[name] = newCensusIssuer(name)
	}
	for _, k := range c.sortedEntries() {
		counts := c.entry(k).credentials()
		doc.Records += counts.Requests
		switch k.issuer {
		case notEvaluated:
			doc.NotEvaluated += counts.Requests
		case withoutCredential:
			doc.None.add(CensusOperation{k.operation, counts})
		default:
			if byName[k.issuer] == nil {
				byName[k.issuer] = newCensusIssuer(k.issuer)
			}
			byName[k.issuer].add(k.client, CensusOperation{k.operation, counts})
		}
	}
	if c.keys != nil {
		for name, lives := range c.keys() {
			if is := byName[name]; is != nil {
				is.Keys = append(is.Keys, lives...)
				slices.SortFunc(is.Keys, func(a, b KeyLife) int { return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.Key, b.Key)) })
			}
		}
	}
	doc.Issuers = make([]CensusIssuer, 0, len(byName))
	for _, name := range slices.SortedFunc(maps.Keys(byName), compareNames) {
		doc.Issuers = append(doc.Issuers, *byName[name])
	}
	doc.TLS = c.hops.document()
	doc.Overflow = c.Stats()
	return doc
}

// sortedEntries returns the keys of all entries in the order of the document.
func (c *Census) sortedEntries() []entryKey {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(c.entries), func(a, b entryKey) int {
		return cmp.Or(compareNames(a.issuer, b.issuer), compareNames(a.client, b.client), compareOperations(a.operation, b.operation))
	})
}

// compareNames sorts issuers and clients, those that stand for none or many last.
func compareNames(a, b string) int {
	last := func(name string) int { return slices.Index([]string{Absent, NoToken, Other, Unproven}, name) }
	return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a, b))
}

func newCensusIssuer(name string) *CensusIssuer {
	return &CensusIssuer{Issuer: name, Credentials: noCredentials(), Keys: []KeyLife{}, Clients: []CensusClient{}}
}

// add takes the operations of a client, which stand together.
func (is *CensusIssuer) add(client string, op CensusOperation) {
	is.plus(&op.Credentials)
	if last := len(is.Clients) - 1; last >= 0 && is.Clients[last].Client == client {
		is.Clients[last].add(op)
		return
	}
	cl := CensusClient{Client: client, Credentials: noCredentials()}
	cl.add(op)
	is.Clients = append(is.Clients, cl)
}

func (cl *CensusClient) add(op CensusOperation) {
	cl.plus(&op.Credentials)
	cl.Operations = append(cl.Operations, op)
}

// noCredentials has no null in its JSON.
func noCredentials() Credentials {
	return Credentials{RefusedBy: []CensusReason{}, UndecidedBy: []CensusReason{}, Tokens: Tokens{
		Algorithms: map[string]uint64{}, KeyIDs: map[string]uint64{}, Types: map[string]uint64{}, Bound: map[string]uint64{},
		Scopes: map[string]uint64{}, Missing: map[string]uint64{},
	}}
}

// credentials returns what an entry counted.
func (e *entry) credentials() Credentials {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := noCredentials()
	c.Requests, c.Proven, c.Refused, c.Undecided = e.requests, e.proven, e.refused, e.undecided
	c.FirstSeen, c.LastSeen = time.Unix(0, e.first).UTC(), time.Unix(0, e.last).UTC()
	for _, o := range e.objections {
		r := CensusReason{Control: o.control, Reason: o.reason, Requests: o.count}
		if o.undecided {
			c.UndecidedBy = addReason(c.UndecidedBy, r)
		} else {
			c.RefusedBy = addReason(c.RefusedBy, r)
		}
	}
	t := &c.Tokens
	t.Read, t.NoScopes, t.UndeclaredScopes, t.Actors = e.read, e.scopesNone, e.scopesUndeclared, e.actors
	t.Lifetime = Seconds{e.lifetime.counts, e.lifetime.absent, e.lifetime.negative}
	t.Age = Seconds{e.age.counts, e.age.absent, e.age.negative}
	for i, from := range [...]names{e.algorithms, e.keyIDs, e.types, e.cnf, e.scopes, e.lack} {
		for _, n := range from {
			t.lists()[i][n.name] = n.count
		}
	}
	return c
}

// lists returns what is counted by name, in the order of credentials.
func (t *Tokens) lists() [6]map[string]uint64 {
	return [...]map[string]uint64{t.Algorithms, t.KeyIDs, t.Types, t.Bound, t.Scopes, t.Missing}
}

// plus adds what another one counted.
func (c *Credentials) plus(o *Credentials) {
	c.Requests, c.Proven = c.Requests+o.Requests, c.Proven+o.Proven
	c.Refused, c.Undecided = c.Refused+o.Refused, c.Undecided+o.Undecided
	if c.FirstSeen.IsZero() || o.FirstSeen.Before(c.FirstSeen) {
		c.FirstSeen = o.FirstSeen
	}
	if o.LastSeen.After(c.LastSeen) {
		c.LastSeen = o.LastSeen
	}
	for _, r := range o.RefusedBy {
		c.RefusedBy = addReason(c.RefusedBy, r)
	}
	for _, r := range o.UndecidedBy {
		c.UndecidedBy = addReason(c.UndecidedBy, r)
	}
	t, u := &c.Tokens, &o.Tokens
	t.Read, t.Actors = t.Read+u.Read, t.Actors+u.Actors
	t.NoScopes, t.UndeclaredScopes = t.NoScopes+u.NoScopes, t.UndeclaredScopes+u.UndeclaredScopes
	t.Lifetime.plus(&u.Lifetime)
	t.Age.plus(&u.Age)
	for i, list := range u.lists() {
		for name, n := range list {
			t.lists()[i][name] += n
		}
	}
}

func (s *Seconds) plus(o *Seconds) {
	for i := range s.Counts {
		s.Counts[i] += o.Counts[i]
	}
	s.Absent, s.Negative = s.Absent+o.Absent, s.Negative+o.Negative
}

// addReason adds to the one of its control and reason in a list in order of
// evaluation.
func addReason(list []CensusReason, r CensusReason) []CensusReason {
	at, found := slices.BinarySearchFunc(list, r, func(a, b CensusReason) int {
		return cmp.Or(compareControls(a.Control, b.Control), cmp.Compare(a.Reason, b.Reason))
	})
	if found {
		list[at].Requests += r.Requests
		return list
	}
	return slices.Insert(list, at, r)
}
