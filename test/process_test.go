package test_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// plain is a configuration without tokens; records go where the caller says.
const plain = `version: 1
product: orders
listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
backend: {url: "${env:BACKEND}"}
spec: {file: openapi.yaml}
controls: {tok: off, az: off}
`

// serveBeside starts a sidecar with a configuration beside the contract of the
// scripts.
func serveBeside(t *testing.T, cmd func(binary, config string) *exec.Cmd, config, backend string) *sidecar {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	file := filepath.Join(dir, "plain.yaml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	path, err := binary()
	require.NoError(t, err)
	s, err := startCommand(cmd(path, file), file, "BACKEND=http://"+backend)
	require.NoError(t, err)
	return s
}

// Whoever reads the records may go away; the traffic may not go with him. The exit
// code tells in the end that records were lost.
func TestTrafficOutlivesTheReaderOfRecords(t *testing.T) {
	t.Parallel()
	b := backendOf(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	s := serveBeside(t, func(binary, config string) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "--config", config)
		cmd.Stdout = write
		return cmd
	}, plain, b.address)
	require.NoError(t, write.Close())
	require.NoError(t, read.Close())
	for range 5 {
		resp, err := http.Get("http://" + s.data + "/v1/sites")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
		time.Sleep(20 * time.Millisecond) // each record is a write of its own
	}
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.done
	assert.Equal(t, 1, s.cmd.ProcessState.ExitCode(), "signal or code: %s", s.cmd.ProcessState)
}

// A reader that is stuck holds neither the traffic nor the end.
func TestAStuckReaderOfRecordsDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	b := backendOf(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = read.Close() })
	s := serveBeside(t, func(binary, config string) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "--config", config)
		cmd.Stdout = write
		return cmd
	}, plain, b.address)
	require.NoError(t, write.Close())
	for range 200 { // more than a pipe holds
		resp, err := http.Get("http://" + s.data + "/v1/sites")
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
	}
	begun := time.Now()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		require.FailNow(t, "the sidecar did not end")
	}
	assert.Less(t, time.Since(begun), 15*time.Second)
	assert.Equal(t, 1, s.cmd.ProcessState.ExitCode(), "signal or code: %s", s.cmd.ProcessState)
}

// A tunnel never ends by itself; the end of the process ends it, and it is recorded.
func TestATunnelAtTheEndHasARecord(t *testing.T) {
	t.Parallel()
	addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(io.Discard, in)
	})
	s := serveBeside(t, func(binary, config string) *exec.Cmd {
		return exec.Command(binary, "serve", "--config", config)
	}, plain, addr)
	_, in := proxytest.Dial(t, s.data, "GET /v1/sites HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	head, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, head, "101")
	require.NoError(t, s.stop())
	assert.Contains(t, s.stdout.String(), `"status":101`)
}
