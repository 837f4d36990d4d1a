package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"sync"
	"time"
)

// heap is what a bare proxy answers to a line on its standard input.
type heap struct {
	Mallocs uint64 `json:"mallocs"`
}

// serveBare is a reverse proxy without any control, tuned as the sidecar's own
// forwarding is: it is what the sidecar is compared with. It serves until its
// standard input ends, and answers every line there with its heap statistics.
func serveBare(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet(roleBare, flag.ContinueOnError)
	backend := flags.String("backend", "", "address of the backend")
	cert := flags.String("cert", "", "certificate; serves TLS and HTTP/2")
	key := flags.String("key", "", "its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := &http.Server{
		Handler: bareProxy(*backend), ReadHeaderTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 256 << 10, DisableGeneralOptionsHandler: true,
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		if *cert != "" {
			served <- server.ServeTLS(l, *cert, *key)
		} else {
			served <- server.Serve(l)
		}
	}()
	if err := json.NewEncoder(out).Encode(hello{l.Addr().String()}); err != nil {
		return err
	}
	err = tellHeap(in, out)
	err = errors.Join(err, server.Close())
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

func tellHeap(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := json.NewEncoder(out).Encode(heap{m.Mallocs}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// bareProxy keeps Host and the forwarded headers, as shadow promises to; idle
// connections, buffers and compression are set so that nothing is wasted.
func bareProxy(backend string) http.Handler {
	target := &url.URL{Scheme: "http", Host: backend}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ResponseHeaderTimeout: 5 * time.Minute,
			IdleConnTimeout:       500 * time.Millisecond, // the sidecar's default
			MaxIdleConns:          512,
			MaxIdleConnsPerHost:   512,
			DisableCompression:    true,
		},
		BufferPool: &buffers{pool: sync.Pool{New: func() any { return new([bufferBytes]byte) }}},
	}
}

const bufferBytes = 32 << 10

// buffers lends copy buffers.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	return b.pool.Get().(*[bufferBytes]byte)[:] //nolint:errcheck // the pool holds nothing else
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferBytes]byte)(p)) }
