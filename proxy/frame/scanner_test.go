package frame_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/frame"
)

func TestRawRequestsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range rawCases(t) {
		assert.False(t, names[c.name], "two cases are called %s", c.name)
		names[c.name] = true
		marks := scanned([]byte(c.bytes), 0)
		require.NotEmpty(t, marks, c.name)
		last := marks[len(marks)-1]
		if c.want == "ok" {
			assert.Equal(t, mark{frame.End, len(c.bytes), ""}, last, c.name)
			continue
		}
		at := slices.IndexFunc(marks, func(m mark) bool { return m.event == frame.BadHead || m.event == frame.BadBody })
		require.GreaterOrEqual(t, at, 0, c.name)
		assert.Equal(t, c.want, marks[at].reason, c.name)
		if at < len(marks)-1 {
			assert.Equal(t, mark{frame.End, len(c.bytes), ""}, last, "%s is followed to its end", c.name)
		}
	}
	assert.Greater(t, len(names), 120)
}

// The answers do not depend on how the bytes arrive.
func TestPiecesDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, c := range rawCases(t) {
		whole := scanned([]byte(c.bytes), 0)
		for _, size := range []int{1, 2, 3, 5, 7, 64} {
			assert.Equal(t, whole, scanned([]byte(c.bytes), size), "%s in pieces of %d", c.name, size)
		}
	}
}

// Of a head that is at fault, the end is where a lenient reader takes it to be.
func TestABadHeadEndsAtItsEmptyLine(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\n\r\n", "GET / HTTP/1.1\r\nHost : h\r\n\n",
		"GET / HTTP/1.1\r\nX: \r\n \r\nHost: h\r\n\r\n", "\n", "\r\n",
	} {
		marks := scanned([]byte(head+"rest"), 0)
		require.Len(t, marks, 1, head)
		assert.Equal(t, frame.BadHead, marks[0].event, head)
		assert.Equal(t, len(head), marks[0].at, head)
	}
}

func TestAHeadBeyondItsBoundIsLost(t *testing.T) {
	t.Parallel()
	const most = 100
	for _, size := range []int{1, 7, most, 1000} {
		for _, extra := range []int{0, 1} {
			stream := []byte("GET / HTTP/1.1\r\nHost: h\r\nX: ")
			stream = append(stream, strings.Repeat("x", most+extra-len(stream)-len("\r\n\r\n"))+"\r\n\r\n"...)
			var s frame.Scanner
			s.Reset(most)
			at, e := 0, frame.More
			for at < len(stream) && e == frame.More {
				var n int
				n, e = s.Scan(stream[at:min(at+size, len(stream))])
				at += n
			}
			assert.Equal(t, most, at, "%d", size)
			if extra == 0 {
				assert.Equal(t, frame.Head, e, "%d", size)
			} else {
				assert.Equal(t, frame.Lost, e, "%d", size)
			}
		}
	}
}

// What net/http refuses before the head is complete has its reason, too.
func TestPartialTellsTheFaultOfAnUnfinishedHead(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]policy.Reason{
		"hello\r\n":            policy.FrameRequestLine,
		"GET / HTTP/1.1\r\nHo": "",
		"GET / HTTP/1.1\r\n":   "", // no Host yet
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n": policy.FrameLength,
		"": "",
	} {
		var s frame.Scanner
		s.Reset(headBytes)
		_, e := s.Scan([]byte(part))
		require.Equal(t, frame.More, e)
		assert.Equal(t, want, s.Partial().Reason, part)
		assert.Equal(t, policy.Permit, s.Fault().Effect, part)
	}
}

// A scan costs no memory when a head arrives in one piece.
//
//nolint:paralleltest // allocations are counted for the process
func TestScanAllocatesNothing(t *testing.T) {
	stream := post()
	var s frame.Scanner
	s.Reset(headBytes)
	assert.Zero(t, testing.AllocsPerRun(100, func() { scanAll(&s, stream) }))
}

func scanAll(s *frame.Scanner, stream []byte) (ends int) {
	for {
		n, e := s.Scan(stream)
		stream = stream[n:]
		if e == frame.More {
			return ends
		}
		if e == frame.End {
			ends++
		}
	}
}

func post() []byte {
	return append([]byte("POST /v1/orders?limit=10 HTTP/1.1\r\nHost: api.example.net\r\nUser-Agent: client/1.0\r\nAccept: application/json\r\n"+
		"Content-Type: application/json\r\nAuthorization: Bearer "+strings.Repeat("x", 600)+"\r\nContent-Length: 1024\r\n\r\n"), bytes.Repeat([]byte("x"), 1024)...)
}

func BenchmarkScan(b *testing.B) {
	chunked := append([]byte("POST /v1/orders HTTP/1.1\r\nHost: api.example.net\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n"),
		append(bytes.Repeat([]byte("x"), 1024), "\r\n0\r\n\r\n"...)...)
	for name, stream := range map[string][]byte{"post": post(), "chunked": chunked} {
		b.Run(name, func(b *testing.B) {
			var s frame.Scanner
			s.Reset(headBytes)
			b.ReportAllocs()
			for b.Loop() {
				if scanAll(&s, stream) != 1 {
					b.Fatal("not one message")
				}
			}
		})
	}
}
