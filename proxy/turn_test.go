package proxy

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// turnsOf returns those of a process that keeps up with its work, or does not.
func turnsOf(limit int, late bool) *turns {
	return &turns{limit: limit, behind: func() bool { return late }}
}

// asked begins a request of a connection and returns its turn once it is there.
func asked(t *turns, l *lane) <-chan *turn {
	got := make(chan *turn, 1)
	go func() { got <- t.take(l) }()
	synctest.Wait()
	return got
}

// idle lets whoever watches see that nobody waits, and go home.
func idle(t *testing.T, ts *turns) {
	t.Helper()
	time.Sleep(2 * shortTurn)
	synctest.Wait()
	assert.False(t, ts.watching)
	assert.Zero(t, ts.working.Len())
	assert.Zero(t, ts.lanes.Len())
}

func begun(got <-chan *turn) bool { return len(got) > 0 }

func TestTurnsGoFromConnectionToConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := turnsOf(2, true)
		var busy, other, third lane
		first, second := ts.take(&busy), ts.take(&busy)
		fourth, fifth := asked(ts, &busy), asked(ts, &busy)
		require.False(t, begun(fourth) || begun(fifth), "more than the limit")

		alone := <-asked(ts, &other)
		assert.NotNil(t, alone, "a connection that has no other request does not wait")
		others, thirds := asked(ts, &other), <-asked(ts, &third)
		require.False(t, begun(others))

		first.end()
		alone.end()
		synctest.Wait()
		require.False(t, begun(fourth) || begun(others), "those that did not wait count, too")
		thirds.end()
		synctest.Wait()
		assert.True(t, begun(fourth), "who waited first")
		assert.False(t, begun(fifth), "the connection has had its turn")
		second.end()
		synctest.Wait()
		assert.True(t, begun(others), "the turn of the other connection")
		assert.False(t, begun(fifth))
		(<-others).end()
		synctest.Wait()
		assert.True(t, begun(fifth))
		assert.EqualValues(t, 3, ts.waited.Load())
		(<-fourth).end()
		(<-fifth).end()
		idle(t, ts)
	})
}

func TestATurnDoesNotLast(t *testing.T) {
	for name, kind := range map[string]struct {
		late bool
		from time.Duration // waiting until then, at the least
		to   time.Duration
	}{
		"in a process that keeps up":   {false, 0, 2 * shortTurn},
		"in one that does not keep up": {true, longTurn - shortTurn, longTurn + shortTurn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := turnsOf(1, kind.late)
				var l lane
				slow := ts.take(&l)
				began := time.Now()
				next := ts.take(&l)
				assert.GreaterOrEqual(t, time.Since(began), kind.from)
				assert.LessOrEqual(t, time.Since(began), kind.to)
				next.end()
				slow.end() // over for long
				assert.Zero(t, l.working)
				idle(t, ts)
			})
		})
	}
}

func TestNobodyWatchesWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := turnsOf(1, true)
		var l lane
		for range 3 {
			first := ts.take(&l)
			second := asked(ts, &l)
			require.False(t, begun(second))
			first.end()
			(<-second).end()
			idle(t, ts)
		}
	})
}

// Whatever connections ask, in whatever order they are done, everybody has a turn, and no
// more are worked on than the limit and one of each connection.
func TestEverybodyHasATurn(t *testing.T) {
	const limit, connections, requests = 4, 5, 40
	synctest.Test(t, func(t *testing.T) {
		ts := turnsOf(limit, true)
		lanes := make([]lane, connections)
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
		var all sync.WaitGroup
		var mu sync.Mutex
		working, most, done := 0, 0, 0
		for range requests {
			for i := range lanes {
				lasts := time.Duration(random.IntN(30)) * time.Millisecond
				all.Go(func() {
					turn := ts.take(&lanes[i])
					mu.Lock()
					working++
					most = max(most, working)
					mu.Unlock()
					time.Sleep(lasts)
					mu.Lock()
					working--
					done++
					mu.Unlock()
					turn.end()
				})
			}
		}
		all.Wait()
		assert.Equal(t, connections*requests, done)
		assert.LessOrEqual(t, most, limit+connections)
		assert.GreaterOrEqual(t, most, limit)
		idle(t, ts)
	})
}
