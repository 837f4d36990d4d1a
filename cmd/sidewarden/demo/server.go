package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// servers are the listeners of the world.
type servers struct {
	running []*http.Server
	served  sync.WaitGroup
}

// listen opens a port that the system chooses.
func listen(ctx context.Context) (net.Listener, *url.URL, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	return l, &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}

// serve answers on l until close.
func (s *servers) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: answerTime, ErrorLog: silent()}
	s.running = append(s.running, server)
	s.served.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
}

// start listens and serves at once.
func (s *servers) start(ctx context.Context, h http.Handler) (*url.URL, error) {
	l, at, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	s.serve(l, h)
	return at, nil
}

// close ends all servers, lets what they are answering finish for a moment, and
// waits for their goroutines.
func (s *servers) close() error {
	const grace = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var failed []error
	for _, server := range s.running {
		if err := server.Shutdown(ctx); err != nil {
			failed = append(failed, server.Close())
		}
	}
	s.served.Wait()
	s.running = nil
	return errors.Join(failed...)
}

// reserve finds n loopback addresses that somebody else can listen on in a
// moment. They lie below the ports from which systems take those of outgoing
// connections, which would otherwise be gone by then.
func reserve(ctx context.Context, n int) ([]string, error) {
	const low, span, tries = 20000, 12000, 200
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // nothing was accepted
		}
	}()
	var addresses []string
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(low+rand.IntN(span))) //nolint:gosec // any free port will do
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			continue
		}
		held = append(held, l)
		if addresses = append(addresses, address); len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, fmt.Errorf("no free port on loopback between %d and %d", low, low+span)
}

// newTransport makes the connections of one hop.
func newTransport() *http.Transport {
	const idle = 16
	return &http.Transport{MaxIdleConnsPerHost: idle, DisableCompression: true, ResponseHeaderTimeout: answerTime}
}

// silent is the log of servers whose clients may leave at any time.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
