package test_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// call is one request as a test writes it. It is sent byte for byte.
type call struct {
	method, target string
	header         [][2]string
	body           []byte
	hasBody        bool
	chunked        bool
	encrypted      bool
	certificate    tls.Certificate // of the client; the zero one sends none
	from           string          // local address to send from; "" for any
}

// answered is what came back.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// bytes returns the request as it goes over the wire, one per connection.
func (c *call) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", c.method, c.target)
	if !c.has("Host") {
		b.WriteString("Host: api.example.net\r\n")
	}
	if !c.has("Connection") {
		b.WriteString("Connection: close\r\n")
	}
	for _, h := range c.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case !c.hasBody:
		b.WriteString("\r\n")
	case c.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		half := len(c.body) / 2
		for _, part := range [][]byte{c.body[:half], c.body[half:]} {
			if len(part) > 0 {
				fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
			}
		}
		b.WriteString("0\r\n\r\n")
	default:
		if !c.has("Content-Length") {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(c.body))
		}
		b.WriteString("\r\n")
		b.Write(c.body)
	}
	return b.Bytes()
}

func (c *call) has(name string) bool {
	for _, h := range c.header {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
}

// send sends the request to an address and reads the answer.
func (c *call) send(address string) (answered, error) {
	conn, err := c.dial(address)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = conn.Close() }() // everything was read
	return exchange(conn, c.bytes(), c.method)
}

func (c *call) dial(address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	if c.from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.from)}
	}
	conn, err := d.Dial("tcp", address)
	if err != nil || !c.encrypted {
		return conn, err
	}
	return tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the test made the certificate
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &c.certificate, nil // whatever authorities the sidecar names
		},
	}), nil
}

// exchange writes raw bytes and reads one answer. A connection that is closed
// without one gives status 0; the head of an answer that ends early comes with the
// error.
func exchange(conn net.Conn, raw []byte, method string) (answered, error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answered{}, err
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(raw)
		written <- err
	}()
	in, request := bufio.NewReader(conn), &http.Request{Method: method}
	resp, err := http.ReadResponse(in, request)
	for err == nil && resp.StatusCode < 200 { // 100 Continue: the rest was on its way already
		resp, err = http.ReadResponse(in, request)
	}
	if err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // ReadResponse does not wrap it
			return answered{}, fmt.Errorf("no answer and no closed connection within %s", patience)
		}
		return answered{}, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		err = fmt.Errorf("the answer ended early: %w", err)
	}
	return answered{status: resp.StatusCode, header: resp.Header, body: body}, err
}
