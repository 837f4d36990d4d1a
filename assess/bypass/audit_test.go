package bypass_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/bypass"
)

// machine is a machine whose sockets the tests change.
type machine struct {
	mu          sync.Mutex // guards rows
	rows, rows6 string
	own         []uint64
	err         error
	addresses   []netip.Addr
	// onRead changes the machine behind a read, as connections come and go.
	onRead  func()
	changes []bypass.Change
}

// set changes the table for IPv4.
func (m *machine) set(rows string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = rows
}

func (m *machine) read() (bypass.Tables, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := bypass.Tables{TCP: []byte(head4 + m.rows), Own: map[uint64]struct{}{}, Machine: m.addresses}
	if m.rows6 != "" {
		t.TCP6 = []byte(head6 + m.rows6)
	}
	for _, inode := range m.own {
		t.Own[inode] = struct{}{}
	}
	err := m.err
	if m.onRead != nil {
		m.onRead()
	}
	return t, err
}

func (m *machine) audit(host string) *bypass.Audit {
	return bypass.NewAudit(bypass.Options{
		Backend: bypass.Target{Host: host, Port: 9000}, Read: m.read, Now: time.Now,
		Pseudonym: func(a netip.Addr) string { return "p-" + a.String() },
		Changed:   func(c bypass.Change) { m.changes = append(m.changes, c) },
	})
}

// watched runs an audit in a bubble of time, and hands it to a test that can wait for
// the next look.
func watched(t *testing.T, m *machine, host string, test func(a *bypass.Audit, next func() bypass.Document)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := m.audit(host)
		since := time.Now()
		done := make(chan error, 1)
		ctx, cancel := newContext(t)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		test(a, func() bypass.Document {
			time.Sleep(bypass.Interval)
			synctest.Wait()
			return bypass.Compose(since, bypass.NewArrivals(bypass.Front{}), a)
		})
		cancel()
		assert.NoError(t, <-done)
	})
}

const (
	onLoopback = "127.0.0.1:9000"
	sidecarEnd = "127.0.0.1:40000"
)

// served is a backend on loopback to which the sidecar, whose socket is 7, is connected.
func served() string {
	return row(onLoopback, "0.0.0.0:0", "0A", 1) + row(sidecarEnd, onLoopback, "01", 7) + row(onLoopback, sidecarEnd, "01", 2)
}

func TestAListenerOnLoopbackAlone(t *testing.T) {
	m := &machine{rows: served(), own: []uint64{7}}
	watched(t, m, "127.0.0.1", func(a *bypass.Audit, next func() bypass.Document) {
		d := next()
		assert.Equal(t, bypass.Finding{Test: bypass.BY2, State: bypass.NoneFound}, d.Listeners.Finding)
		assert.Equal(t, []bypass.Listener{{Address: onLoopback, Scope: bypass.ScopeLoopback}}, d.Listeners.Listeners)
		assert.Equal(t, bypass.Finding{Test: bypass.BY3, State: bypass.NoneFound}, d.Connections.Finding)
		assert.Zero(t, d.Connections.Open)
		assert.Empty(t, d.Connections.Peers)
		assert.Equal(t, "no bypass found on 2 tested paths (BY2, BY3) since 2000-01-01T00:00:00Z; BY1 not-applicable (no-gateway)", d.Claim)
		assert.Equal(t, map[bypass.Test]bypass.Stats{bypass.BY2: {Tested: true}, bypass.BY3: {Tested: true}}, a.Stats())
	})
	assert.Equal(t, []bypass.Change{{Test: bypass.BY2, State: bypass.NoneFound}, {Test: bypass.BY3, State: bypass.NoneFound}}, m.changes, "what does not change is told once")
}

func TestThreatABackendThatListensBeyondLoopback(t *testing.T) {
	for _, c := range []struct {
		rule, row string
		want      bypass.Listener
	}{
		{"every address", row("0.0.0.0:9000", "0.0.0.0:0", "0A", 3), bypass.Listener{Address: "0.0.0.0:9000", Scope: bypass.ScopeAny}},
		{"one address of the pod", row("10.1.2.3:9000", "0.0.0.0:0", "0A", 3), bypass.Listener{Address: "10.1.2.3:9000", Scope: bypass.ScopeInterface}},
	} {
		m := &machine{rows: served() + c.row, own: []uint64{7}}
		watched(t, m, "localhost", func(a *bypass.Audit, next func() bypass.Document) {
			first := next()
			again := next()
			assert.Equal(t, bypass.Found, again.Listeners.State, c.rule)
			assert.Equal(t, uint64(1), again.Listeners.Count, "one that stays is counted once")
			assert.Equal(t, first.Listeners.FirstSeen, again.Listeners.FirstSeen, c.rule)
			assert.True(t, again.Listeners.LastSeen.After(first.Listeners.LastSeen), c.rule)
			assert.Contains(t, again.Listeners.Listeners, c.want, c.rule)
			assert.Equal(t, "a bypass was found by BY2 since 2000-01-01T00:00:00Z; BY1 not-applicable (no-gateway)", again.Claim)
			m.set(served())
			gone := next()
			assert.Equal(t, bypass.NoneFound, gone.Listeners.State, c.rule)
			assert.Equal(t, uint64(1), gone.Listeners.Count, "what was found stays found")
			assert.Contains(t, gone.Claim, "a bypass was found by BY2", c.rule)
			m.set(served() + c.row)
			assert.Equal(t, uint64(2), next().Listeners.Count, "one that comes back is another one")
			assert.Equal(t, bypass.Stats{Detected: 2, Tested: true}, a.Stats()[bypass.BY2])
		})
		assert.Equal(t, []bypass.State{bypass.Found, bypass.NoneFound, bypass.Found}, toldOf(bypass.BY2, m.changes), c.rule)
		assert.Equal(t, []bypass.Listener{c.want}, m.changes[0].Listeners, c.rule)
	}
}

// By the table of IPv6, which has IPv4 connections too.
func TestThreatABackendThatListensBeyondLoopbackOnIPv6(t *testing.T) {
	m := &machine{
		rows:  row(sidecarEnd, onLoopback, "01", 7),
		rows6: row("[::]:9000", "[::]:0", "0A", 1) + row("[::ffff:127.0.0.1]:9000", "[::ffff:127.0.0.1]:40000", "01", 2),
		own:   []uint64{7},
	}
	watched(t, m, "::1", func(_ *bypass.Audit, next func() bypass.Document) {
		d := next()
		assert.Equal(t, []bypass.Listener{{Address: "[::]:9000", Scope: bypass.ScopeAny}}, d.Listeners.Listeners)
		assert.Equal(t, bypass.Found, d.Listeners.State)
		assert.Equal(t, bypass.NoneFound, d.Connections.State, "the sidecar's own connection is its own in either table")
	})
}

func TestThreatAConnectionToTheBackendAroundTheSidecar(t *testing.T) {
	stranger := row(onLoopback, "127.0.0.1:50000", "01", 3) + row("127.0.0.1:50000", onLoopback, "01", 4)
	remote := row("10.1.2.3:9000", "192.0.2.7:50001", "01", 5)
	m := &machine{rows: served() + row("10.1.2.3:9000", "0.0.0.0:0", "0A", 6) + stranger + remote, own: []uint64{7}}
	watched(t, m, "127.0.0.1", func(a *bypass.Audit, next func() bypass.Document) {
		d := next()
		assert.Equal(t, bypass.Found, d.Connections.State)
		assert.Equal(t, 2, d.Connections.Open)
		assert.Equal(t, uint64(2), d.Connections.Count, "one that stays is counted once")
		assert.Equal(t, []string{"p-127.0.0.1", "p-192.0.2.7"}, names(d.Connections.Peers))
		m.set(strings.Replace(m.rows, remote, row("10.1.2.3:9000", "192.0.2.7:50002", "01", 8), 1))
		d = next()
		assert.Equal(t, 2, d.Connections.Open)
		assert.Equal(t, uint64(3), d.Connections.Count, "another port is another connection")
		assert.Equal(t, uint64(2), d.Connections.Peers[1].Count)
		m.set(served())
		for range bypass.CleanLooks - 1 {
			d = next()
			assert.Equal(t, bypass.Found, d.Connections.State, "one look is one instant")
			assert.Zero(t, d.Connections.Open)
		}
		d = next()
		assert.Equal(t, bypass.NoneFound, d.Connections.State)
		assert.Len(t, d.Connections.Peers, 2, "who was there is told")
		assert.Equal(t, uint64(3), a.Stats()[bypass.BY3].Detected)
		m.set(served() + strings.Replace(stranger, " 01 ", " 06 ", 2))
		assert.Equal(t, bypass.NoneFound, next().Connections.State, "what is closing is no connection")
	})
	assert.Equal(t, bypass.Change{Test: bypass.BY3, State: bypass.Found, Connections: 2}, m.changes[1])
}

// Another sidecar in front of the same backend keeps its connections for less than the
// time between two looks: whether one has them is chance, and an operator is not told of
// every throw.
func TestConnectionsThatComeAndGoAreToldOnce(t *testing.T) {
	another := func(port int) string {
		return row(onLoopback, fmt.Sprintf("127.0.0.1:%d", port), "01", 3) + row(fmt.Sprintf("127.0.0.1:%d", port), onLoopback, "01", 4)
	}
	m := &machine{rows: served(), own: []uint64{7}}
	watched(t, m, "127.0.0.1", func(a *bypass.Audit, next func() bypass.Document) {
		for i := range 100 {
			m.set(served() + another(50000+i))
			assert.Equal(t, bypass.Found, next().Connections.State)
			m.set(strings.ReplaceAll(served(), " 0A ", " 06 ")) // the backend starts again
			assert.Equal(t, bypass.Unknown, next().Connections.State)
			m.set(served())
			assert.Equal(t, bypass.Found, next().Connections.State, "a look that cannot be made is no clean one")
		}
		assert.Equal(t, uint64(100), a.Stats()[bypass.BY3].Detected)
	})
	assert.Equal(t, []bypass.State{bypass.NoneFound, bypass.Found, bypass.Unknown}, toldOf(bypass.BY3, m.changes), "in 50 minutes each once")
}

// What the hour kept back is told when it is over, so that the last line of the log does
// not say "none" for ever.
func TestAStateThatWasKeptBackIsToldAfterTheHour(t *testing.T) {
	stranger := row(onLoopback, "127.0.0.1:50000", "01", 3) + row("127.0.0.1:50000", onLoopback, "01", 4)
	m := &machine{rows: served() + stranger, own: []uint64{7}}
	watched(t, m, "127.0.0.1", func(_ *bypass.Audit, next func() bypass.Document) {
		m.set(served())
		for range bypass.CleanLooks {
			next()
		}
		m.set(served() + stranger)
		for range int(50 * time.Minute / bypass.Interval) {
			next()
		}
		assert.Equal(t, []bypass.State{bypass.Found, bypass.NoneFound}, toldOf(bypass.BY3, m.changes))
		for range int(10 * time.Minute / bypass.Interval) {
			next()
		}
	})
	assert.Equal(t, []bypass.State{bypass.Found, bypass.NoneFound, bypass.Found}, toldOf(bypass.BY3, m.changes))
}

func toldOf(test bypass.Test, changes []bypass.Change) []bypass.State {
	var told []bypass.State
	for _, c := range changes {
		if c.Test == test {
			told = append(told, c.State)
		}
	}
	return told
}

// A connection of the sidecar that was opened behind the list of its sockets, and is in
// the table, is not somebody else's: the next look has it in neither.
func TestAConnectionThatComesAndGoesIsNobodyElses(t *testing.T) {
	brief := row(onLoopback, "127.0.0.1:50000", "01", 3) + row("127.0.0.1:50000", onLoopback, "01", 4)
	m := &machine{rows: served() + brief, own: []uint64{7}}
	m.onRead = func() { m.rows, m.onRead = served(), nil }
	watched(t, m, "127.0.0.1", func(_ *bypass.Audit, next func() bypass.Document) {
		d := next()
		assert.Equal(t, bypass.NoneFound, d.Connections.State)
		assert.Zero(t, d.Connections.Count)
	})
}

func TestWhatCannotBeTestedIsNeverClean(t *testing.T) {
	elsewhere := []netip.Addr{netip.MustParseAddr("10.1.2.3")}
	for _, c := range []struct {
		rule, host string
		m          *machine
		state      bypass.State
		why        bypass.Why
	}{
		{"not on Linux", "127.0.0.1", &machine{err: errors.New("no such file")}, bypass.Unknown, bypass.Unreadable},
		{"a table that is too large", "127.0.0.1", &machine{err: fmt.Errorf("tcp: %w", bypass.ErrTooLarge)}, bypass.Unknown, bypass.TooLarge},
		{"a table that is none", "127.0.0.1", &machine{rows: "x\n"}, bypass.Unknown, bypass.Unreadable},
		{"a table of IPv6 that is none", "127.0.0.1", &machine{rows: served(), rows6: "x\n"}, bypass.Unknown, bypass.Unreadable},
		{"a backend that is named", "backend.example.net", &machine{rows: served()}, bypass.Unknown, bypass.BackendByName},
		{"a backend on another machine", "10.9.9.9", &machine{rows: served(), addresses: elsewhere}, bypass.NotApplicable, bypass.BackendElsewhere},
		{"nobody listens", "127.0.0.1", &machine{rows: strings.ReplaceAll(served(), " 0A ", " 06 ")}, bypass.Unknown, bypass.NothingListens},
	} {
		watched(t, c.m, c.host, func(a *bypass.Audit, next func() bypass.Document) {
			d := next()
			assert.Equal(t, bypass.Finding{Test: bypass.BY2, State: c.state, Why: c.why}, d.Listeners.Finding, c.rule)
			assert.Equal(t, bypass.Finding{Test: bypass.BY3, State: c.state, Why: c.why}, d.Connections.Finding, c.rule)
			assert.False(t, a.Stats()[bypass.BY2].Tested || a.Stats()[bypass.BY3].Tested, c.rule)
			assert.True(t, strings.HasPrefix(d.Claim, "no path was tested since 2000-01-01T00:00:00Z; "), d.Claim)
			assert.Contains(t, d.Claim, fmt.Sprintf("BY2 %s (%s)", c.state, c.why), c.rule)
		})
		assert.Len(t, c.m.changes, 2, c.rule)
	}
	own := &machine{rows: row("10.1.2.3:9000", "0.0.0.0:0", "0A", 1), addresses: elsewhere}
	watched(t, own, "10.1.2.3", func(_ *bypass.Audit, next func() bypass.Document) {
		assert.Equal(t, bypass.Found, next().Listeners.State, "an address of this machine is one that others may reach")
	})
}

func TestBeforeTheFirstLookNothingIsClean(t *testing.T) {
	t.Parallel()
	m := &machine{rows: served()}
	d := bypass.Compose(time.Unix(0, 0), bypass.NewArrivals(bypass.Front{Gateway: true, Proof: true}), m.audit("127.0.0.1"))
	assert.Equal(t, bypass.Finding{Test: bypass.BY2, State: bypass.Unknown, Why: bypass.NotLooked}, d.Listeners.Finding)
	assert.Equal(t, "no path was tested since 1970-01-01T00:00:00Z; BY1 unknown (no-request), BY2 unknown (not-looked), BY3 unknown (not-looked)", d.Claim)
}

func TestPeersOfTheBackendAreBounded(t *testing.T) {
	var rows strings.Builder
	for i := range 1200 {
		rows.WriteString(row(onLoopback, fmt.Sprintf("192.0.%d.%d:50000", i/200, i%200), "01", 0))
	}
	m := &machine{rows: served() + rows.String(), own: []uint64{7}}
	watched(t, m, "127.0.0.1", func(_ *bypass.Audit, next func() bypass.Document) {
		d := next()
		assert.Equal(t, uint64(1200), d.Connections.Count)
		assert.Len(t, d.Connections.Peers, 1001)
		assert.Equal(t, "other", d.Connections.Peers[0].Name)
		assert.Equal(t, uint64(200), d.Connections.Peers[0].Count)
	})
}

func names(counts []bypass.Count) []string {
	var all []string
	for _, c := range counts {
		all = append(all, c.Name)
	}
	return all
}
