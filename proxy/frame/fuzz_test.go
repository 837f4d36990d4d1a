package frame_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy/frame"
)

const headBytes = 64 << 10

// message is one whole message that was found in a stream.
type message struct {
	method, target string
	body           int64
	end            int // in the stream
}

// mark is an event and where in the stream it was.
type mark struct {
	event  frame.Event
	at     int
	reason string
}

// scanned returns what the scanner says of a stream that arrives in pieces of the given
// sizes, taken in turn; a size of 0 is one of all the rest.
func scanned(stream []byte, sizes ...int) []mark {
	var s frame.Scanner
	s.Reset(headBytes)
	var marks []mark
	at := 0
	for i := 0; at < len(stream); i++ {
		size := len(stream) - at
		if want := sizes[i%len(sizes)]; want > 0 {
			size = min(size, want)
		}
		for piece := stream[at : at+size]; ; {
			n, e := s.Scan(piece)
			at, piece = at+n, piece[n:]
			if e == frame.More {
				break
			}
			marks = append(marks, mark{e, at, string(s.Fault().Reason)})
			if !s.Following() {
				return marks
			}
		}
	}
	return marks
}

// heads counts the heads that were permitted, or at fault and followed all the same, and
// returns where messages ended.
func heads(marks []mark) (heads int, ends []int) {
	for i, m := range marks {
		if m.event == frame.Head || m.event == frame.BadHead && i < len(marks)-1 {
			heads++
		}
		if m.event == frame.End {
			ends = append(ends, m.at)
		}
	}
	return heads, ends
}

// read returns the whole messages that net/http finds in a stream, up to a number.
func read(t *testing.T, stream []byte, most int) []message {
	t.Helper()
	source := bytes.NewReader(stream)
	in := bufio.NewReader(source)
	var all []message
	for len(all) < most {
		if n := len(all); n > 0 && all[n-1].method == http.MethodPost {
			// As the server of net/http does.
			peeked, _ := in.Peek(4)
			_, _ = in.Discard(len(peeked) - len(bytes.TrimLeft(peeked, "\r\n")))
		}
		r, err := http.ReadRequest(in)
		require.NoError(t, err, "the head of message %d", len(all))
		n, err := io.Copy(io.Discard, r.Body)
		require.NoError(t, err, "the body of message %d", len(all))
		all = append(all, message{r.Method, r.RequestURI, n, len(stream) - source.Len() - in.Buffered()})
	}
	return all
}

// feed is a connection whose client has sent everything.
type feed struct {
	in     io.Reader
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	out    bytes.Buffer
}

func (f *feed) Read(p []byte) (int, error) { return f.in.Read(p) }

func (f *feed) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Write(p)
}

func (f *feed) Close() error                     { f.once.Do(func() { close(f.closed) }); return nil }
func (f *feed) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (f *feed) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (f *feed) SetDeadline(time.Time) error      { return nil }
func (f *feed) SetReadDeadline(time.Time) error  { return nil }
func (f *feed) SetWriteDeadline(time.Time) error { return nil }

// once is a listener of one connection.
type once struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return &net.TCPAddr{} }

// served returns what a handler of a real server gets of a stream.
func served(stream []byte) (all []message, answers string) {
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, MaxHeaderBytes: headBytes, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err == nil {
				all = append(all, message{method: r.Method, target: r.RequestURI, body: n})
			}
			w.WriteHeader(http.StatusNoContent)
		}),
	}
	conn := &feed{in: bytes.NewReader(stream), closed: make(chan struct{})}
	l := &once{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conn <- conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	<-conn.closed
	close(l.done)
	<-ended
	_ = server.Close()
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return all, conn.out.String()
}

// FuzzGuard sends any bytes, in any pieces. The scanner says the same however they are
// cut. What it permits, net/http reads as the same messages with the same ends, and a
// real server hands each of them to its handler.
func FuzzGuard(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed, byte(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size byte) {
		if len(stream) > 1<<16 {
			return
		}
		whole := scanned(stream, 0)
		for _, sizes := range [][]int{{1}, {int(size)}, {int(size), 1}, {2, int(size)}} {
			require.Equal(t, whole, scanned(stream, sizes...), "in pieces of %v", sizes)
		}
		permitted, ends := heads(whole)
		found := read(t, stream, len(ends))
		for i, m := range found {
			require.Equal(t, ends[i], m.end, "the end of message %d", i)
		}
		agrees(t, stream, found, permitted)
	})
}

// agrees compares the whole messages of a stream with those that a server gets.
func agrees(t *testing.T, stream []byte, found []message, permitted int) {
	t.Helper()
	end := 0
	if len(found) > 0 {
		end = found[len(found)-1].end
	}
	got, answers := served(stream[:end])
	require.LessOrEqual(t, len(got), len(found), "%q", stream)
	for i, m := range found {
		if i >= len(got) {
			// The one before asked for the end of the connection.
			require.NotZero(t, i, "%q: %q", stream, answers)
			break
		}
		require.Equal(t, message{m.method, m.target, m.body, 0}, got[i])
	}
	require.NotContains(t, answers, "HTTP/1.1 4", "%q", stream)
	require.NotContains(t, answers, "HTTP/1.1 5", "%q", stream)
	if permitted > len(found) {
		// A head that is permitted is read, whatever becomes of its body.
		rest := bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(stream[end:], []byte("\r\n"))))
		_, err := http.ReadRequest(rest)
		require.NoError(t, err, "%q", stream[end:])
	}
}

// seeds are the raw requests of testdata.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	var all [][]byte
	for _, c := range rawCases(tb) {
		all = append(all, []byte(c.bytes), []byte(c.bytes+"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"))
	}
	require.NotEmpty(tb, all)
	return all
}

// rawCase is one line of testdata/raw.txt.
type rawCase struct{ name, want, bytes string }

// rawCases reads testdata/raw.txt: a name, what is found, and the bytes with the escapes of Go.
func rawCases(tb testing.TB) []rawCase {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "raw.txt"))
	require.NoError(tb, err)
	var all []rawCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		require.Len(tb, parts, 3, line)
		bytes, err := unescape(parts[2])
		require.NoError(tb, err, line)
		all = append(all, rawCase{parts[0], parts[1], bytes})
	}
	return all
}

// unescape reads \r \n \t \\ and \xNN, and \*N{...} as N times what is in braces.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("a backslash at the end")
		}
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\':
			b.WriteByte('\\')
		case 'x':
			var c byte
			if _, err := fmt.Sscanf(s[i+1:], "%02x", &c); err != nil {
				return "", err
			}
			b.WriteByte(c)
			i += 2
		case '*':
			var n int
			if _, err := fmt.Sscanf(s[i+1:], "%d{", &n); err != nil {
				return "", err
			}
			from := i + strings.IndexByte(s[i:], '{') + 1
			to := from + strings.IndexByte(s[from:], '}')
			repeated, err := unescape(s[from:to])
			if err != nil {
				return "", err
			}
			b.WriteString(strings.Repeat(repeated, n))
			i = to
		default:
			return "", fmt.Errorf("escape \\%c", s[i])
		}
	}
	return b.String(), nil
}
