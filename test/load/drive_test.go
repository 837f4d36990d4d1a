package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowClient answers 200 at once, but for the first request, which it holds.
type slowClient struct {
	once sync.Once
	hold time.Duration
}

func (c *slowClient) do(context.Context, *shot, []byte) (int, error) {
	c.once.Do(func() { time.Sleep(c.hold) })
	return 200, nil
}

func (*slowClient) until(time.Time) error { return nil }
func (*slowClient) Close() error          { return nil }

func TestDriveAtAFixedRateChargesAStallToEveryRequestThatItDelayed(t *testing.T) {
	const hold = 100 * time.Millisecond
	got, err := drive(t.Context(), []client{&slowClient{hold: hold}}, newFeed([]shot{{enforced: 200}}, nil, false), 200*time.Millisecond, 1000)
	require.NoError(t, err)
	assert.EqualValues(t, 200, got.sent, "every planned request is sent, late or not")
	delayed := 0
	for _, l := range got.latencies {
		if l > hold/4 {
			delayed++
		}
	}
	assert.Greater(t, delayed, 50, "about 75 requests were due in the first three quarters of the stall")
	assert.Greater(t, percentile(got.late, 0.9), time.Duration(0))
}

func TestDriveWithoutARateChargesAStallOnce(t *testing.T) {
	got, err := drive(t.Context(), []client{&slowClient{hold: 30 * time.Millisecond}}, newFeed([]shot{{enforced: 200}}, nil, false), 40*time.Millisecond, 0)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, got.latencies[len(got.latencies)-1], 30*time.Millisecond)
	assert.Less(t, percentile(got.latencies, 0.5), 10*time.Millisecond)
}

func TestDriveTellsWrongStatuses(t *testing.T) {
	f := newFeed([]shot{{wire: []byte("GET /x HTTP/1.1\r\n"), enforced: 403}}, []string{"a", "b"}, true)
	got, err := drive(t.Context(), []client{&slowClient{}}, f, time.Second, 0)
	require.NoError(t, err)
	assert.EqualValues(t, 2, got.sent, "with new tokens it ends when they are used up")
	assert.EqualValues(t, 2, got.wrong)
	assert.Contains(t, got.wrongText, "GET /x HTTP/1.1 was answered 200, not 403")
}

func TestFeedUsesEveryTokenOnce(t *testing.T) {
	f := newFeed([]shot{{wire: []byte("GET / HTTP/1.1\r\n")}}, []string{"one", "two"}, false)
	seen := ""
	for {
		_, wire, want, more := f.next(nil)
		if !more {
			break
		}
		assert.Equal(t, 200, want)
		seen += string(wire)
	}
	assert.Equal(t, "GET / HTTP/1.1\r\nAuthorization: Bearer one\r\n\r\nGET / HTTP/1.1\r\nAuthorization: Bearer two\r\n\r\n", seen)
}

func TestHeadReadsTheFraming(t *testing.T) {
	for text, want := range map[string]head{
		"GET / HTTP/1.1\r\n\r\n":                                                {length: -1},
		"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n":                         {length: 12},
		"HTTP/1.1 401 No\r\nContent-Length:0\r\nConnection: close\r\n\r\n":      {closing: true},
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Padding: 1\r\n\r\n": {length: -1, chunked: true},
	} {
		h, err := readHead(bufio.NewReader(strings.NewReader(text)))
		require.NoError(t, err, text)
		h.start = nil
		assert.Equal(t, want, h, text)
	}
	for _, broken := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"} {
		_, err := readHead(bufio.NewReader(strings.NewReader(broken)))
		assert.Error(t, err, "%q", broken)
	}
}

func TestBackendAnswersOneRequestAfterTheOther(t *testing.T) {
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- answerAll(far) }()
	c := &rawClient{conn: near, r: bufio.NewReader(near)}
	for _, wire := range []string{"GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "GET / HTTP/1.1\r\n\r\n"} {
		status, err := c.do(t.Context(), nil, []byte(wire))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	}
	require.NoError(t, near.Close())
	assert.ErrorIs(t, <-ended, io.EOF)
}

func TestOrdersAreJSONOfTheirSize(t *testing.T) {
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		body := order(size)
		assert.True(t, json.Valid([]byte(body)))
		assert.InDelta(t, size, len(body), 100)
		assert.LessOrEqual(t, len(body), size)
	}
}

func TestTheMixHasTwoPercentViolations(t *testing.T) {
	mix := newMaterial(time.Now(), 1).mix
	violations := map[int]int{}
	for _, s := range mix {
		if s.enforced != 200 {
			violations[s.enforced]++
		}
	}
	assert.Equal(t, map[int]int{400: 1, 401: 2, 403: 1, 404: 1}, violations)
	assert.Len(t, mix, 250)
}

func TestPercentileNeedsEnoughValues(t *testing.T) {
	var values []time.Duration
	for i := range 1000 {
		values = append(values, time.Duration(i+1))
	}
	assert.Equal(t, time.Duration(501), percentile(values, 0.5))
	assert.Equal(t, time.Duration(991), percentile(values, 0.99))
	assert.Zero(t, percentile(values[:500], 0.999), "of 500 values none stands for one in a thousand")
	assert.Zero(t, percentile(nil, 0.5))
}

func TestTailShowsWholeLines(t *testing.T) {
	var seen []string
	log := &tail{see: func(line []byte) { seen = append(seen, string(line)) }}
	for _, part := range []string{"a\nb", "c\n", strings.Repeat("x", tailBytes)} {
		n, err := log.Write([]byte(part))
		require.NoError(t, err)
		assert.Len(t, part, n)
	}
	assert.Equal(t, []string{"a", "bc"}, seen)
	assert.Equal(t, strings.Repeat("x", tailBytes), log.String(), "the end is kept")
}

var errStub = errors.New("the connection broke")

// brokenClient fails.
type brokenClient struct{ slowClient }

func (*brokenClient) do(context.Context, *shot, []byte) (int, error) { return 0, errStub }

func TestDriveEndsWhenAConnectionBreaks(t *testing.T) {
	began := time.Now()
	_, err := drive(t.Context(), []client{&slowClient{}, &brokenClient{}}, newFeed([]shot{{enforced: 200}}, nil, false), time.Minute, 0)
	require.ErrorIs(t, err, errStub)
	assert.Less(t, time.Since(began), 30*time.Second)
}
