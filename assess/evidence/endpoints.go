package evidence

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// DefaultMaxEndpoints is how many endpoints that the contract does not declare are
// told apart, and how many endpoints each list of the document has.
const DefaultMaxEndpoints = 1000

// EndpointOptions say what Endpoints count.
type EndpointOptions struct {
	// Policy is the first policy; its operations are the declared endpoints.
	Policy *policy.Policy
	// Max bounds the undeclared endpoints that are told apart, and each list of the
	// document. Zero means DefaultMaxEndpoints.
	Max int
	// Since is when counting began.
	Since time.Time
}

// Undeclared says what the contract lacks of an endpoint.
type Undeclared string

// What the contract can lack.
const (
	// UndeclaredPath: it has no such path.
	UndeclaredPath Undeclared = "path"
	// UndeclaredMethod: it has the path without the method.
	UndeclaredMethod Undeclared = "method"
	// UndeclaredUnknown: nobody asked, because in.route and in.method are off or could
	// not decide.
	UndeclaredUnknown Undeclared = "unknown"
)

// Endpoints count which endpoints are asked for: the operations of the contract, and
// what is none of them. They tell the shadow endpoints, which the backend serves and
// the contract does not declare, the zombies, which are deprecated and served, and the
// dead ones, which are declared and were never asked for. They are safe for concurrent
// use.
//
// They are a fold over records, as the cells are. As the census they begin with the
// process and go on over a reload: an operation that stays keeps its counts.
//
// An undeclared endpoint is a method and a template, never a path. A record has
// pseudonyms for what may be somebody's name; the template has "{}" for all of them,
// and so for everything but the literal segments of the contract and the words of
// [audit.CommonSegments]. Nothing is guessed from how a segment looks or how often it
// comes: a customer's name looks like any other word, and a busy one comes often.
type Endpoints struct {
	max      int
	since    time.Time
	contract atomic.Pointer[contract] // replaced under mu, never changed

	mu    sync.Mutex // guards all below; taken before the lock of an operation
	seen  map[endpointKey]*endpoint
	ranks [ranks][]*endpoint // the same, by rank; as far as none left, who came first is first
	// Requests that are counted for no endpoint.
	overflow                      usage
	replaced                      uint64
	preflights, unread, forgotten uint64
}

// contract is what a policy declares.
type contract struct {
	policy string
	words  words
	byID   map[string]*declared
}

// declared is an operation of the contract.
type declared struct {
	operation *policy.Operation
	since     time.Time
	uses      *uses // goes on when the policy goes
}

type uses struct {
	mu sync.Mutex // guards usage
	usage
}

type endpointKey struct {
	undeclared       Undeclared
	method, template string
}

// endpoint is one that the contract does not declare.
type endpoint struct {
	endpointKey
	usage
	example  string // record id
	rank, at int    // its place in ranks
}

// The ranks of undeclared endpoints. Where there is no room, one of a higher rank takes
// the place of one of a lower rank: what strangers can make up, by asking for what is
// not there, or is there for everybody, costs no place that a known caller needs.
const (
	notServed     = iota
	served        // to anybody
	servedToKnown // to a caller who proved to be somebody
	ranks
)

var _ audit.Consumer = (*Endpoints)(nil)

// NewEndpoints returns endpoints of which none was asked for.
func NewEndpoints(o EndpointOptions) *Endpoints {
	if o.Max <= 0 {
		o.Max = DefaultMaxEndpoints
	}
	e := &Endpoints{max: o.Max, since: o.Since, seen: make(map[endpointKey]*endpoint)}
	e.contract.Store(&contract{})
	e.Use(o.Policy, o.Since)
	return e
}

// Use tells what a new policy declares, from a time on; it is called before the policy
// decides. Operations with the same id, method and template keep their counts, those of
// operations that are gone are forgotten. So are undeclared endpoints that may be what
// the contract has now.
func (e *Endpoints) Use(p *policy.Policy, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.contract.Load()
	next := &contract{policy: p.Digest, words: wordsOf(p), byID: make(map[string]*declared, len(p.Operations))}
	var fresh []*policy.Operation
	for _, op := range p.Operations {
		d := &declared{operation: op, since: at, uses: &uses{}}
		if was := old.byID[op.ID]; was != nil && was.operation.Method == op.Method && was.operation.Template == op.Template {
			d.since, d.uses = was.since, was.uses
		} else {
			fresh = append(fresh, op)
		}
		next.byID[op.ID] = d
	}
	for id, was := range old.byID {
		if now := next.byID[id]; now == nil || now.uses != was.uses {
			e.forgotten += was.uses.requests()
		}
	}
	e.contract.Store(next)
	for _, list := range e.ranks {
		for _, ep := range slices.Backward(list) { // what takes the place of a removed one was looked at
			if slices.ContainsFunc(fresh, ep.mayBe) {
				e.forgotten += ep.requests()
				e.remove(ep)
			}
		}
	}
}

// requests locks what counts the uses of an operation.
func (u *uses) requests() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.usage.requests()
}

// Consume counts one record. It keeps nothing of it but its method, the template of its
// path, and its id, and costs no allocation once it has seen the endpoint.
func (e *Endpoints) Consume(rec *audit.Record) {
	if rec.Op.ID == policy.HealthID {
		return // nobody judged it
	}
	c := e.contract.Load()
	if rec.Op.ID == policy.UnmatchedID {
		e.unmatched(c, rec)
		return
	}
	d := c.byID[rec.Op.ID]
	if d == nil { // a policy that is gone had it
		e.mu.Lock()
		defer e.mu.Unlock()
		e.forgotten++
		return
	}
	answer, known := answerOf(rec), isKnown(rec)
	d.uses.mu.Lock()
	defer d.uses.mu.Unlock()
	d.uses.count(rec.Time, answer, known)
}

// unmatched counts a request that no operation matched.
func (e *Endpoints) unmatched(c *contract, rec *audit.Record) {
	var room [maxTemplate]byte
	template := c.words.template(room[:0], rec.HTTP.Path)
	undeclared, preflight := undeclaredOf(rec)
	answer, known := answerOf(rec), isKnown(rec)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case rec.HTTP.Path == "":
		e.unread++
	case c != e.contract.Load(), c.policy != "" && rec.Policy.Digest != c.policy: // to the policy in force it may be an operation
		e.forgotten++
	case preflight:
		e.preflights++
	default:
		ep := e.seen[endpointKey{undeclared, rec.HTTP.Method, string(template)}]
		if ep == nil {
			ep = e.admit(endpointKey{undeclared, rec.HTTP.Method, string(template)}, rankOf(answer, known))
		}
		if ep == nil {
			e.overflow.count(rec.Time, answer, known)
			return
		}
		ep.count(rec.Time, answer, known)
		if answer == isServed || ep.answers[isServed] == 0 {
			ep.example = rec.RecordID
		}
		if rank := rankOf(answer, known); rank > ep.rank {
			e.unlist(ep)
			e.list(ep, rank)
		}
	}
}

// admit makes room for an endpoint; nil if there is none. The caller holds e.mu.
func (e *Endpoints) admit(k endpointKey, rank int) *endpoint {
	if len(e.seen) >= e.max {
		lowest := slices.IndexFunc(e.ranks[:], func(list []*endpoint) bool { return len(list) > 0 })
		if lowest < 0 || lowest >= rank {
			return nil
		}
		list := e.ranks[lowest]
		last := list[len(list)-1] // who came first stays
		e.overflow.add(&last.usage)
		e.replaced++
		e.remove(last)
	}
	k.method = strings.Clone(k.method) // may be part of something larger
	ep := &endpoint{endpointKey: k}
	e.seen[k] = ep
	e.list(ep, rank)
	return ep
}

// list gives an endpoint its place in a rank, unlist takes it away. The caller holds
// e.mu.
func (e *Endpoints) list(ep *endpoint, rank int) {
	ep.rank, ep.at = rank, len(e.ranks[rank])
	e.ranks[rank] = append(e.ranks[rank], ep)
}

func (e *Endpoints) unlist(ep *endpoint) {
	list := e.ranks[ep.rank]
	last := len(list) - 1
	list[ep.at] = list[last]
	list[ep.at].at = ep.at
	list[last] = nil
	e.ranks[ep.rank] = list[:last]
}

// remove forgets an endpoint. The caller holds e.mu.
func (e *Endpoints) remove(ep *endpoint) {
	e.unlist(ep)
	delete(e.seen, ep.endpointKey)
}

func rankOf(answer int, known bool) int {
	switch {
	case answer != isServed:
		return notServed
	case known:
		return servedToKnown
	}
	return served
}
