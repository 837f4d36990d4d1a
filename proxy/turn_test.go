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

func begun(got <-chan *turn) bool {
	synctest.Wait()
	return len(got) > 0
}

// idle lets whoever watches see that nobody waits, and go home.
func idle(t *testing.T, ts *turns) {
	t.Helper()
	time.Sleep(2 * shortTurn)
	synctest.Wait()
	assert.False(t, ts.watching)
	assert.Zero(t, ts.working.Len())
	assert.Zero(t, ts.further)
	assert.Zero(t, ts.lanes.Len())
}

func TestTurnsGoFromConnectionToConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := turnsOf(2, true)
		var busy, other lane
		first, second, third := ts.take(&busy), ts.take(&busy), ts.take(&busy)
		fourth, fifth := asked(ts, &busy), asked(ts, &busy)
		require.False(t, begun(fourth) || begun(fifth), "beyond the limit of further ones")
		alone := <-asked(ts, &other)
		require.NotNil(t, alone, "a connection that has no other request does not wait")
		others := asked(ts, &other)
		require.False(t, begun(others))

		second.end()
		assert.True(t, begun(fourth), "who waited longest")
		assert.False(t, begun(fifth) || begun(others))
		third.end()
		assert.True(t, begun(others), "the turn of the other connection")
		assert.False(t, begun(fifth), "its connection has had its turn")
		first.end()
		assert.True(t, begun(fifth))
		assert.EqualValues(t, 3, ts.waits.Load())
		for _, u := range []*turn{<-fourth, <-fifth, <-others, alone} {
			u.end()
		}
		idle(t, ts)
	})
}

// However many connections have one request that lasts, another one has its turns: they
// are as connections of HTTP/1.
func TestAConnectionAmongManyHasItsTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := turnsOf(2, true)
		singles := make([]lane, 10)
		held := make([]*turn, len(singles))
		for i := range singles {
			held[i] = ts.take(&singles[i])
		}
		var busy lane
		first, second, third := ts.take(&busy), ts.take(&busy), ts.take(&busy)
		fourth := asked(ts, &busy)
		require.False(t, begun(fourth))
		third.end()
		require.True(t, begun(fourth))

		// Where others that wait longer take what room there is, it has one at a time.
		greedy := make([]lane, 2)
		var hoarded []<-chan *turn
		for range 4 {
			for i := range greedy {
				hoarded = append(hoarded, asked(ts, &greedy[i]))
			}
		}
		fifth := asked(ts, &busy)
		(<-fourth).end()
		second.end()
		require.False(t, begun(fifth))
		first.end()
		require.True(t, begun(fifth), "it has no other")
		(<-fifth).end()
		for _, u := range held {
			u.end()
		}
		for _, got := range hoarded {
			(<-got).end()
		}
		idle(t, ts)
	})
}

func TestATurnDoesNotLast(t *testing.T) {
	for name, kind := range map[string]struct {
		late bool
		from time.Duration // waiting until then, at the least
		to   time.Duration
	}{
		"in a process that keeps up":   {false, shortTurn, 2 * shortTurn},
		"in one that does not keep up": {true, longTurn, longTurn + 2*shortTurn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := turnsOf(1, kind.late)
				var l lane
				slow := []*turn{ts.take(&l), ts.take(&l)}
				began := time.Now()
				next := ts.take(&l)
				took := time.Since(began)
				assert.GreaterOrEqual(t, took, kind.from)
				assert.LessOrEqual(t, took, kind.to)
				assert.Equal(t, took, next.waited)
				assert.EqualValues(t, took, ts.waited.Load())
				next.end()
				for _, u := range slow {
					assert.Zero(t, u.waited)
					u.end() // one of them is over
				}
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
			first, second := ts.take(&l), ts.take(&l)
			third := asked(ts, &l)
			require.False(t, begun(third))
			first.end()
			(<-third).end()
			second.end()
			idle(t, ts)
		}
	})
}

// Whatever connections ask, in whatever order they are done, everybody has a turn, and no
// more are in theirs than the limit and one of each connection.
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
				lasts := time.Duration(random.IntN(int(longTurn)))
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
