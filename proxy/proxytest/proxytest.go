// Package proxytest has what tests put around a sidecar on the loopback interface: a client
// that repairs nothing, backends that repair nothing either, and certificates for both
// sides. It knows no sidecar, so that what it sees does not depend on what is tested.
//
// # Backends
//
// A [Recorder] keeps what it reads byte for byte, and answers every request alike. [Script]
// leaves the conversation to the test. To the address of [Silent] nobody may connect, and at
// that of [FreeAddress] nobody listens.
//
// # Ends
//
// Whatever is started here ends with its test, which waits for it. No connection lives longer
// than a minute without a request, so that a test that forgets one ends, too.
package proxytest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long a connection waits. Nothing that works takes so long.
const patience = time.Minute

// Listen returns a listener of loopback that is closed when the test ends, if not before.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	var plain net.ListenConfig
	l, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			assert.NoError(t, err)
		}
	})
	return l
}

// Serve serves on a listener until the test ends, and returns the address.
func Serve(t testing.TB, server *http.Server, l net.Listener) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		assert.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return l.Addr().String()
}

// Script starts a backend that talks over each connection as the test says. It returns its
// address.
func Script(t testing.TB, talk func(c net.Conn, in *bufio.Reader)) string {
	t.Helper()
	return accept(t, func(c net.Conn) { talk(c, bufio.NewReader(c)) })
}

// accept hands every connection to a goroutine of its own.
func accept(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l := Listen(t)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }() // the other side sees it
				_ = c.SetDeadline(time.Now().Add(patience))
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // closed twice is closed
		all.Wait()
	})
	return l.Addr().String()
}

// Silent is a listener to which nobody may connect. It returns its address.
func Silent(t testing.TB) string {
	t.Helper()
	l := Listen(t)
	var connected []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connected = append(connected, c.RemoteAddr().String())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		// Whoever connected before is accepted before this.
		var own net.Dialer
		c, err := own.DialContext(context.WithoutCancel(t.Context()), "tcp", l.Addr().String())
		require.NoError(t, err)
		local := c.LocalAddr().String()
		_, _ = c.Read(make([]byte, 1))
		_ = c.Close()
		_ = l.Close()
		<-done
		assert.Equal(t, []string{local}, connected, "somebody connected")
	})
	return l.Addr().String()
}

// FreeAddress returns an address at which nobody listens. Somebody else may take it any
// time.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l := Listen(t)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// Dial opens a connection, which is closed when the test ends, if not before, and sends
// bytes over it. What comes back is read from the reader.
func Dial(t testing.TB, addr, text string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	var anywhere net.Dialer
	c, err := anywhere.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() }) // closed twice is closed
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	tcp, is := c.(*net.TCPConn)
	require.True(t, is)
	return tcp, bufio.NewReader(c)
}
