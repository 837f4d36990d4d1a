package test_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// backend is a scripted server that keeps every request as it came over the
// wire. The request header X-Backend tells it what to do, see answer; without it
// the answer is 200 and a small JSON document.
type backend struct {
	address string
	secure  *tls.Config // nil for plain HTTP
	kept    *os.File    // see keepAddress

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]struct{}
	seen     []seen
}

// seen is one request of the wire.
type seen struct {
	Method, Target, Host string
	Header               http.Header
	Body                 []byte
	Raw                  []byte // head and body, as they came
}

// newBackend returns a backend that listens.
func newBackend() (*backend, error) {
	kept, address, err := keepAddress()
	if err != nil {
		return nil, err
	}
	b := &backend{address: address, kept: kept, open: map[net.Conn]struct{}{}}
	return b, b.up()
}

// keepAddress returns an address that is the test's until the file is closed, or nobody has
// it any more: a backend that is down and comes back would find it taken, if only by a
// connection of another test. Who connects to it meanwhile is refused.
func keepAddress() (*os.File, string, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", fmt.Errorf("a socket for the backend of the test: %w", err)
	}
	kept := os.NewFile(uintptr(fd), "backend")
	if err := shared(uintptr(fd)); err != nil {
		return nil, "", err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, "", fmt.Errorf("an address for the backend of the test: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, "", fmt.Errorf("the address of the backend of the test: %w", err)
	}
	at, is := name.(*syscall.SockaddrInet4)
	if !is {
		return nil, "", fmt.Errorf("the address of the backend of the test is %T", name)
	}
	return kept, fmt.Sprintf("127.0.0.1:%d", at.Port), nil
}

// shared lets others of the same user have the address of a socket too, if theirs is shared.
func shared(fd uintptr) error {
	const reusePort = 0xf // SO_REUSEPORT of Linux, see socket(7)
	if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1); err != nil {
		return fmt.Errorf("a shared address for the backend of the test: %w", err)
	}
	return nil
}

// backendOf returns a backend that listens until the test ends.
func backendOf(t *testing.T) *backend {
	t.Helper()
	b, err := newBackend()
	require.NoError(t, err)
	t.Cleanup(b.down)
	return b
}

// up listens, at the same address each time.
func (b *backend) up() error {
	var config net.ListenConfig
	config.Control = func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = shared(fd) })
		return errors.Join(err, failed)
	}
	l, err := config.Listen(context.Background(), "tcp", b.address)
	if err != nil {
		return fmt.Errorf("the backend of the test: %w", err)
	}
	b.mu.Lock()
	b.listener = l
	b.mu.Unlock()
	if b.secure != nil {
		l = tls.NewListener(l, b.secure)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.open[c] = struct{}{}
			b.mu.Unlock()
			go b.converse(c)
		}
	}()
	return nil
}

// down closes the listener and every connection.
func (b *backend) down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.listener.Close() // closed twice is closed
	for c := range b.open {
		_ = c.Close() // as above
	}
	clear(b.open)
}

// requests returns what came so far.
func (b *backend) requests() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]seen(nil), b.seen...)
}

func (b *backend) converse(c net.Conn) {
	defer func() { _ = c.Close() }() // the other side sees it
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &raw))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") // a failed write shows at the answer
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.seen = append(b.seen, seen{
			Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header, Body: body, Raw: bytes.Clone(raw.Bytes()),
		})
		b.mu.Unlock()
		raw.Reset()
		if echo(c, in, r) || !answer(c, r) || r.Close {
			return
		}
	}
}

// answer does what X-Backend says: space-separated status=503, sleep=2s, body=TEXT,
// pad=BYTES for a JSON document of that size, type=MEDIA/TYPE, header=NAME:VALUE,
// location=/login, instance=NAME, chunked for a body without a declared length, or
// close for no answer at all. It reports whether the connection goes on.
func answer(c io.Writer, r *http.Request) bool {
	status, body, extra, instance, media, chunked := 200, `{"ok":true}`, "", "one", "application/json", false
	for word := range strings.FieldsSeq(r.Header.Get("X-Backend")) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "status":
			status, _ = strconv.Atoi(value) // a wrong script fails by its answer
			if status >= 400 {
				body = `{"error":"internal-host-7: stack trace"}`
			}
		case "sleep":
			d, _ := time.ParseDuration(value) // as above
			time.Sleep(d)
		case "body":
			body = value
		case "pad":
			n, _ := strconv.Atoi(value) // as above
			body = `{"pad":"` + strings.Repeat("x", n-len(`{"pad":""}`)) + `"}`
		case "type":
			media = value
		case "header":
			header, content, _ := strings.Cut(value, ":")
			extra += header + ": " + content + "\r\n"
		case "chunked":
			chunked = true
		case "location":
			extra += "Location: " + value + "\r\n"
		case "instance":
			instance = value
		case "close":
			return false
		}
	}
	framing := fmt.Sprintf("Content-Length: %d", len(body))
	if chunked {
		framing, body = "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nX-Instance: %s\r\n%s%s\r\n\r\n",
		status, http.StatusText(status), media, instance, extra, framing)
	if r.Method == http.MethodHead {
		body = ""
	}
	_, err := io.WriteString(c, head+body)
	return err == nil
}
