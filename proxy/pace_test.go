package proxy

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	t.Parallel()
	p := pace{grace: 30 * time.Second, rate: 1000}
	for _, c := range []struct {
		name         string
		left, waited time.Duration
		n            int
		want         time.Duration
	}{
		{"waiting uses it up", 30 * time.Second, 10 * time.Second, 0, 20 * time.Second},
		{"at the rate nothing is lost", 20 * time.Second, 5 * time.Second, 5000, 20 * time.Second},
		{"at half of it, half of the time is", 20 * time.Second, 10 * time.Second, 5000, 15 * time.Second},
		{"what is faster earns it back", 20 * time.Second, 0, 5000, 25 * time.Second},
		{"and never more than all", 20 * time.Second, 0, 1 << 30, 30 * time.Second},
		{"it may be over", 5 * time.Second, 10 * time.Second, 1000, -4 * time.Second},
	} {
		assert.Equal(t, c.want, p.after(c.left, c.waited, c.n), c.name)
	}
	assert.Equal(t, 20*time.Second, pace{grace: 30 * time.Second}.after(25*time.Second, 5*time.Second, 1<<20), "without a rate there is one deadline")
}

// sending returns a connection over which somebody sends a body in pieces, with a pause
// before each, until he cannot, and what waits for him.
func sending(piece string, pause time.Duration, times int) (near net.Conn, joined func()) {
	near, far := net.Pipe()
	var sender sync.WaitGroup
	sender.Go(func() {
		for range times {
			time.Sleep(pause)
			if _, err := io.WriteString(far, piece); err != nil {
				return
			}
		}
		_ = far.Close()
	})
	return near, func() {
		_ = near.Close()
		sender.Wait()
	}
}

// A body of ten minutes arrives if it keeps the rate, however it is cut up; one that is
// slower fails when the grace is used up, and one that stands still after the grace, also
// behind much that came at once.
func TestAPacedBodyArrivesOrFailsByItsRate(t *testing.T) {
	t.Parallel()
	p := pace{grace: 30 * time.Second, rate: 1000}
	for _, c := range []struct {
		name  string
		piece int
		pause time.Duration
		times int
		fails time.Duration // after which it is too late; zero for never
	}{
		{"at the rate", 1000, time.Second, 600, 0},
		{"at the rate in few pieces", 25_000, 25 * time.Second, 24, 0},
		{"at a byte a time", 1, time.Millisecond, 60_000, 0},
		{"at half the rate", 500, time.Second, 600, 59 * time.Second}, // 30 s, and half a second more for each of them
		{"not at all", 1, time.Hour, 1, 30 * time.Second},
		{"a byte at the end of every grace", 1, 29 * time.Second, 100, 30*time.Second + time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, joined := sending(strings.Repeat("x", c.piece), c.pause, c.times)
			defer joined()
			began := time.Now()
			body := newPacedBody(near, p, time.Now, near.SetReadDeadline)
			n, err := io.Copy(io.Discard, body)
			if c.fails == 0 {
				require.NoError(t, err, c.name)
				assert.EqualValues(t, c.piece*c.times, n, c.name)
				return
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, c.name)
			assert.True(t, isTimeout(err), c.name)
			assert.InDelta(t, c.fails.Seconds(), time.Since(began).Seconds(), 1.1, c.name)
		})
	}
}

func TestWhatCameAtOnceEarnsNoMoreThanTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		var sender sync.WaitGroup
		sender.Go(func() { _, _ = io.WriteString(far, strings.Repeat("x", 1<<20)) }) // a quarter of an hour of the rate
		defer sender.Wait()
		began := time.Now()
		_, err := io.Copy(io.Discard, newPacedBody(near, pace{30 * time.Second, 1000}, time.Now, near.SetReadDeadline))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}

// What a backend takes its time for is not the client's: the time between two reads does
// not count, and no deadline stands then.
func TestTheTimeBetweenReadsDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, joined := sending("x", 0, 5)
		defer joined()
		var deadline time.Time
		body := newPacedBody(near, pace{grace: time.Second}, time.Now, func(at time.Time) error {
			deadline = at
			return near.SetReadDeadline(at)
		})
		for range 5 {
			_, err := body.Read(make([]byte, 1))
			require.NoError(t, err)
			assert.True(t, deadline.IsZero())
			time.Sleep(time.Hour)
		}
	})
}

// A transport may read on when the request has ended and the connection is another one's.
func TestNoDeadlineIsSetBehindTheEnd(t *testing.T) {
	t.Parallel()
	set := 0
	body := newPacedBody(io.NopCloser(strings.NewReader("ab")), pace{grace: time.Second}, time.Now, func(time.Time) error {
		set++
		return nil
	})
	_, err := body.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, 2, set)
	body.end()
	_, err = body.Read(make([]byte, 1))
	require.NoError(t, err)
	assert.Equal(t, 2, set)
}

// In shadow the copy of a body waits for it at the same pace.
func TestACopyWaitsAtThePaceOfABody(t *testing.T) {
	t.Parallel()
	for rate, kept := range map[int64]int{100: 120, 10: 120, 1000: 0} {
		synctest.Test(t, func(t *testing.T) {
			near, joined := sending("x", 10*time.Millisecond, 120) // 100 bytes a second
			defer joined()
			held := &budget{limit: 1 << 20}
			in := newTee(near, 1<<20, -1, held)
			in.expire(pace{grace: time.Second, rate: rate}, time.Now)
			_, err := io.Copy(io.Discard, in)
			require.NoError(t, err, "the body itself goes on")
			p := in.seal()
			assert.EqualValues(t, 120, p.size)
			assert.Len(t, p.bytes, kept, "rate %d", rate)
			in.release()
			assert.Zero(t, held.used.Load())
		})
	}
}
