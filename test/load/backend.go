package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// hello is the first line that a child writes: where it listens.
type hello struct {
	Address string `json:"address"`
}

// backendAnswer is the only answer of the backend: a small JSON document.
func backendAnswer() []byte {
	body := `{"id":"port-00a1b2","site":"ZRH-4","megabits":10000,"state":"active","note":"` + string(bytes.Repeat([]byte{'x'}, 160)) + `"}`
	return []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// serveBackend answers every request alike until its standard input ends. It
// speaks just enough HTTP/1.1 to cost next to nothing.
func serveBackend(ctx context.Context, in io.Reader, out io.Writer) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = answerAll(c) // the proxy under test tells when an answer is missing
				_ = c.Close()
			}()
		}
	}()
	if err := json.NewEncoder(out).Encode(hello{l.Addr().String()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, l.Close())
}

// answerAll answers the requests of one connection until it ends.
func answerAll(c net.Conn) error {
	answer := backendAnswer()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		h, err := readHead(r)
		if err != nil {
			return err
		}
		if err := h.skipBody(r); err != nil {
			return err
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}

// head is what the generator and the backend read of a message's head.
type head struct {
	start   []byte // request or status line; valid until the next read
	length  int64  // Content-Length, -1 without one
	chunked bool
	closing bool // the sender closes the connection after this message
}

// readHead reads a head line by line.
func readHead(r *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return h, err
	}
	h.start = append(make([]byte, 0, 48), line[:min(len(line), 48)]...)
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return h, fmt.Errorf("in the head of a message: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// field takes what a header line says about the framing.
func (h *head) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimSpace(value)
	switch len(name) { // most lines are decided by their length
	case len("Content-Length"):
		if bytes.EqualFold(name, []byte("Content-Length")) {
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil || n < 0 {
				return errors.New("a Content-Length is no number")
			}
			h.length = n
		}
	case len("Transfer-Encoding"):
		h.chunked = h.chunked || bytes.EqualFold(name, []byte("Transfer-Encoding"))
	case len("Connection"):
		h.closing = h.closing || bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// skipBody reads past a body of known length. A chunked one is not expected here:
// no message of the load test is sent so, and no proxy has a reason to change that.
func (h *head) skipBody(r *bufio.Reader) error {
	if h.chunked {
		return errors.New("a chunked message, where every message has a Content-Length")
	}
	if h.length <= 0 {
		return nil
	}
	_, err := io.CopyN(io.Discard, r, h.length)
	return err
}
