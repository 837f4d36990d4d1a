package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// client sends one request after the other.
type client interface {
	// do sends a request and returns the status of the answer, read to its end.
	do(ctx context.Context, s *shot, wire []byte) (status int, err error)
	// until bounds what follows.
	until(t time.Time) error
	io.Closer
}

// rawClient is one HTTP/1.1 connection. It writes prepared bytes and reads of the
// answer only what frames it: a general client would cost more than the proxy.
type rawClient struct {
	address  string
	roots    *x509.CertPool // nil: no TLS
	conn     net.Conn
	r        *bufio.Reader
	deadline time.Time
}

func (c *rawClient) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	if c.roots != nil {
		secure := tls.Client(conn, &tls.Config{RootCAs: c.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
		if err := secure.HandshakeContext(ctx); err != nil {
			return errors.Join(err, conn.Close())
		}
		conn = secure
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, 4<<10)
	return conn.SetDeadline(c.deadline)
}

func (c *rawClient) until(t time.Time) error {
	c.deadline = t
	return c.conn.SetDeadline(t)
}

func (c *rawClient) do(ctx context.Context, _ *shot, wire []byte) (int, error) {
	if _, err := c.conn.Write(wire); err != nil {
		return 0, fmt.Errorf("send a request: %w", err)
	}
	h, err := readHead(c.r)
	if err != nil {
		return 0, fmt.Errorf("read an answer: %w", err)
	}
	status, err := h.status()
	if err != nil {
		return 0, err
	}
	if h.length < 0 && status != http.StatusNoContent {
		return 0, fmt.Errorf("an answer of status %d has no Content-Length", status)
	}
	if err := h.skipBody(c.r); err != nil {
		return 0, fmt.Errorf("read an answer: %w", err)
	}
	if h.closing {
		_ = c.conn.Close() // the other side said so
		err = c.dial(ctx)
	}
	return status, err
}

// status reads the status line: "HTTP/1.1 200 OK".
func (h *head) status() (int, error) {
	if len(h.start) < 12 || string(h.start[:9]) != "HTTP/1.1 " {
		return 0, errors.New("an answer does not begin with a status line of HTTP/1.1")
	}
	return strconv.Atoi(string(h.start[9:12]))
}

func (c *rawClient) Close() error { return c.conn.Close() }

// h2Client is one stream after the other of a connection that several share.
type h2Client struct {
	transport *http.Transport
	base      string
	deadline  time.Time
}

// streamsPerConnection is how many clients share an HTTP/2 connection.
const streamsPerConnection = 8

func (c *h2Client) until(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *h2Client) do(ctx context.Context, s *shot, _ []byte) (int, error) {
	ctx, cancel := context.WithDeadline(ctx, c.deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+s.target, nil)
	if err != nil {
		return 0, err
	}
	req.Host = host
	req.Header["Accept"] = []string{"application/json"}
	req.Header["Authorization"] = []string{"Bearer " + s.token}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		return 0, fmt.Errorf("the answer came over %s, not HTTP/2", resp.Proto)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (c *h2Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// connect opens the connections of a workload to a proxy.
func connect(ctx context.Context, w workload, address string, roots *x509.CertPool) ([]client, error) {
	if !w.tls {
		roots = nil
	}
	all := make([]client, 0, w.connections)
	var shared *http.Transport
	for i := range w.connections {
		if w.h2 {
			if i%streamsPerConnection == 0 {
				shared = &http.Transport{
					TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, DisableCompression: true, Protocols: new(http.Protocols),
				}
				shared.Protocols.SetHTTP2(true)
			}
			all = append(all, &h2Client{transport: shared, base: "https://" + address})
			continue
		}
		c := &rawClient{address: address, roots: roots, deadline: time.Now().Add(patience)}
		if err := c.dial(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("connection %d: %w", i+1, err), closeAll(all))
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(clients []client) error {
	var err error
	for _, c := range clients {
		if failed := c.Close(); !errors.Is(failed, net.ErrClosed) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
