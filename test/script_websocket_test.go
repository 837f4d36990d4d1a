package test_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// webSocketFrame is a text in a masked frame (RFC 6455 section 5.7).
const webSocketFrame = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"

// webSocket MODE TARGET [FLAGS] [EXPECTATION...] asks for a WebSocket, of a backend that
// grants every one that it is asked for and echoes. With a 101, frames go there and come
// back as they were, and then the client ends it.
func (s *story) webSocket(ts *testscript.TestScript, args []string) error {
	p, err := s.parse(ts, append([]string{http.MethodGet}, args[1:]...))
	if err != nil {
		return err
	}
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	s.sent++
	s.last[args[0]] = fmt.Sprintf("%s-%d", args[0], s.sent)
	p.header = append(p.header, [][2]string{
		{"Connection", "Upgrade"},
		{"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"X-Backend", "upgrade"},
		{"X-Request-Id", s.last[args[0]]},
	}...)
	conn, err := p.dial(c.data)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything was read
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(p.bytes()); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	a := answered{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		a.body, err = io.ReadAll(resp.Body)
		return errors.Join(err, resp.Body.Close(), a.check(p.expect))
	}
	return errors.Join(echoed(conn, in), a.check(p.expect))
}

// echoed sends frames, wants them back, and ends the tunnel.
func echoed(conn net.Conn, in io.Reader) error {
	for range 3 {
		if _, err := io.WriteString(conn, webSocketFrame); err != nil {
			return err
		}
		back := make([]byte, len(webSocketFrame))
		if _, err := io.ReadFull(in, back); err != nil {
			return fmt.Errorf("no echo: %w", err)
		}
		if string(back) != webSocketFrame {
			return fmt.Errorf("the echo is %q", back)
		}
	}
	return nil
}

// echo grants an upgrade that was asked for together with X-Backend: upgrade, and sends
// back what comes. It reports whether there was one.
func echo(c io.Writer, in io.Reader, r *http.Request) bool {
	protocol := r.Header.Get("Upgrade")
	if protocol == "" || r.Header.Get("X-Backend") != "upgrade" {
		return false
	}
	if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err == nil {
		_, _ = io.Copy(c, in) // until the other side ends it
	}
	return true
}
