package bypass

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Interval is how often the socket table is looked at.
const Interval = 10 * time.Second

// CleanLooks is how many looks in a row have to find no connection of others before BY3
// says so again. A look is one instant, and connections come and go: after one look
// without any, the next one would have them.
const CleanLooks = 30

// toldAgain is how long BY3 does not tell a state again that it told.
const toldAgain = time.Hour

// maxPeers bounds the peers of other connections that are told apart.
const maxPeers = 1000

// ErrTooLarge says that there are more sockets than are read.
var ErrTooLarge = errors.New("bypass: more sockets than are read")

// Tables is what one look reads.
type Tables struct {
	// TCP and TCP6 are the socket tables of the network namespace. TCP6 is empty where the
	// machine has no IPv6.
	TCP, TCP6 []byte
	// Own are the inodes of the sockets of this process, also of those that were closed or
	// opened while the tables were read.
	Own map[uint64]struct{}
	// Machine are the addresses of this machine.
	Machine []netip.Addr
}

// Options are what an Audit needs; every field is required.
type Options struct {
	Backend Target
	// Read reads the tables anew. An error that is [ErrTooLarge] says so, any other one
	// that they cannot be read.
	Read func() (Tables, error)
	// Pseudonym names the peer of a connection.
	Pseudonym func(netip.Addr) string
	// Changed is told of a test that found something else than it told last, by Run's
	// goroutine; of BY3 each state at most once an hour.
	Changed func(Change)
	Now     func() time.Time
}

// Change is a test that found something else than before.
type Change struct {
	Test  Test
	State State
	Why   Why
	// Listeners are those beyond loopback, of BY2; Connections counts those of others that
	// are there now, of BY3.
	Listeners   []Listener
	Connections int
}

// Audit looks at who listens at the backend's port and who is connected to it. It is
// safe for concurrent use; Run is called once.
type Audit struct {
	options Options

	mu          sync.Mutex // guards all below
	now         seen
	listeners   record
	connections record
	peers       map[string]*record
	// clean counts the looks since the last one with connections of others; it is
	// CleanLooks where there was none, or none for so long.
	clean int

	told map[Test]Change       // what each test told last, by Run's goroutine
	when map[outcome]time.Time // when BY3 told each state last, by the same
}

// outcome is a state and its reason.
type outcome struct {
	state State
	why   Why
}

// record counts what was found, and when.
type record struct {
	count       uint64
	first, last time.Time
}

func (r *record) add(n uint64, at time.Time) {
	if n == 0 {
		return
	}
	if r.count == 0 {
		r.first = at
	}
	r.count += n
	r.last = at
}

// NewAudit returns an audit that has not looked yet.
func NewAudit(o Options) *Audit {
	return &Audit{
		options: o, now: seen{state: Unknown, why: NotLooked}, clean: CleanLooks,
		peers: make(map[string]*record), told: make(map[Test]Change), when: make(map[outcome]time.Time),
	}
}

// Run looks at once and then at every Interval until ctx ends. It returns nil.
func (a *Audit) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		a.take(a.look())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads the tables. A connection that is not ours is looked for once more: one of
// ours that was opened behind the list of our sockets and closed before the next is in
// one table, and not in two.
func (a *Audit) look() seen {
	first := a.once()
	if len(first.foreign) == 0 {
		return first
	}
	again := a.once()
	if again.state != "" {
		return again
	}
	again.foreign = slices.DeleteFunc(again.foreign, func(c connection) bool { return !slices.Contains(first.foreign, c) })
	return again
}

func (a *Audit) once() seen {
	tables, err := a.options.Read()
	switch {
	case errors.Is(err, ErrTooLarge):
		return seen{state: Unknown, why: TooLarge}
	case err != nil:
		return seen{state: Unknown, why: Unreadable}
	}
	if state, why := a.options.Backend.place(tables.Machine); state != "" {
		return seen{state: state, why: why}
	}
	sockets, err := ParseSockets(tables.TCP)
	if err != nil {
		return seen{state: Unknown, why: Unreadable}
	}
	if len(tables.TCP6) > 0 {
		more, err := ParseSockets(tables.TCP6)
		if err != nil {
			return seen{state: Unknown, why: Unreadable}
		}
		sockets = append(sockets, more...)
	}
	return judge(a.options.Backend, sockets, tables.Own)
}

// take counts what is new and tells what changed.
func (a *Audit) take(next seen) {
	at := a.options.Now()
	a.mu.Lock()
	before := a.now
	a.now = next
	a.count(before, next, at)
	a.damp(&next)
	changes := []Change{a.changeOf(BY2), a.changeOf(BY3)}
	a.mu.Unlock()
	for _, is := range changes {
		a.tell(is, at)
	}
}

// damp counts looks without connections of others. One that could not be made counts
// neither way. The caller holds a.mu.
func (a *Audit) damp(next *seen) {
	switch {
	case next.state != "":
	case len(next.foreign) > 0:
		a.clean = 0
	case a.clean < CleanLooks:
		a.clean++
	}
}

// tell tells what is something else than was told last. What BY3 told within the hour
// is told when that is over, if it still holds.
func (a *Audit) tell(is Change, at time.Time) {
	was, before := a.told[is.Test]
	if before && was.same(is) {
		return
	}
	if is.Test == BY3 {
		now := outcome{is.State, is.Why}
		if last, known := a.when[now]; known && at.Sub(last) < toldAgain {
			return
		}
		a.when[now] = at
	}
	a.told[is.Test] = is
	a.options.Changed(is)
}

// count adds what the look before did not have. The caller holds a.mu.
func (a *Audit) count(before, next seen, at time.Time) {
	known := before.beyond()
	for _, l := range next.beyond() {
		if slices.Contains(known, l) {
			a.listeners.last = at
			continue
		}
		a.listeners.add(1, at)
	}
	open := make(map[connection]struct{}, len(before.foreign))
	for _, c := range before.foreign {
		open[c] = struct{}{}
	}
	for _, c := range next.foreign {
		peer := a.peer(c.remote.Addr())
		if _, still := open[c]; still {
			a.connections.last, peer.last = at, at
			continue
		}
		a.connections.add(1, at)
		peer.add(1, at)
	}
}

// peer returns the record of a peer, or of all that found no room. The caller holds
// a.mu.
func (a *Audit) peer(addr netip.Addr) *record {
	name := a.options.Pseudonym(addr)
	if a.peers[name] == nil && len(a.peers) >= maxPeers {
		name = other
	}
	p := a.peers[name]
	if p == nil {
		p = &record{}
		a.peers[name] = p
	}
	return p
}

// changeOf says what the looks so far say about a test. The caller holds a.mu.
func (a *Audit) changeOf(test Test) Change {
	s := &a.now
	c := Change{Test: test, State: s.state, Why: s.why}
	if s.state != "" {
		return c
	}
	c.State = NoneFound
	if test == BY2 {
		c.Listeners = s.beyond()
	} else {
		c.Connections = len(s.foreign)
	}
	if len(c.Listeners) > 0 || test == BY3 && a.clean < CleanLooks {
		c.State = Found
	}
	return c
}

// same reports whether nothing changed that somebody wants to be told of. How many
// connections there are is not: they come and go.
func (c Change) same(o Change) bool {
	return c.State == o.State && c.Why == o.Why && slices.Equal(c.Listeners, o.Listeners)
}

// Stats is what metrics tell of one test.
type Stats struct {
	// Detected counts requests (BY1), listeners (BY2) or connections (BY3) that were
	// found since the start.
	Detected uint64
	// Tested reports that the test is being made: its state is found or none-found.
	Tested bool
}

// Stats returns what is known of BY2 and BY3.
func (a *Audit) Stats() map[Test]Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	tested := a.now.state == ""
	return map[Test]Stats{
		BY2: {Detected: a.listeners.count, Tested: tested},
		BY3: {Detected: a.connections.count, Tested: tested},
	}
}

// documents returns what is known of BY2 and BY3, for [Compose].
func (a *Audit) documents() (ListenersDocument, ConnectionsDocument) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by2, by3 := a.changeOf(BY2), a.changeOf(BY3)
	l := ListenersDocument{
		Finding:   findingOf(BY2, by2.State, by2.Why, a.listeners),
		Listeners: slices.Clone(a.now.listeners),
	}
	if l.Listeners == nil {
		l.Listeners = []Listener{}
	}
	c := ConnectionsDocument{
		Finding: findingOf(BY3, by3.State, by3.Why, a.connections), Open: len(a.now.foreign), Peers: []Count{},
	}
	for _, name := range slices.SortedFunc(maps.Keys(a.peers), strings.Compare) {
		c.Peers = append(c.Peers, countOf(name, *a.peers[name]))
	}
	return l, c
}
