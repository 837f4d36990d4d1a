package openapi_test

import (
	"net"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heap watches how much memory objects take from now on. What it returns tells the most
// that it saw, and ends it.
func heap(t *testing.T) func() uint64 {
	t.Helper()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		var highest uint64
		for {
			metrics.Read(sample)
			highest = max(highest, sample[0].Value.Uint64())
			select {
			case <-ticker.C:
			case <-stop:
				most <- highest
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-most
	}
}

// silent is a listener to which nobody may connect. It returns its address.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
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
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		own := c.LocalAddr().String()
		_, _ = c.Read(make([]byte, 1))
		_ = c.Close()
		_ = l.Close()
		<-done
		assert.Equal(t, []string{own}, connected, "somebody connected")
	})
	return l.Addr().String()
}
