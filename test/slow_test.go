package test_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hasty is a configuration whose bounds of time end within four seconds, which a busy machine
// does not need for an honest request.
const hasty = `version: 1
product: orders
listen: {address: "127.0.0.1:0", head_timeout: 4s, body_timeout: 4s, min_body_rate: 1KiB/s, take_timeout: 4s, idle_timeout: 4s}
admin: {address: "127.0.0.1:0"}
backend: {url: "${env:BACKEND}"}
spec: {file: openapi.yaml}
controls: {tok: off, az: off, in: %s}
`

// slowClients is how many come at once, lasting how long they hold what they can.
const (
	slowClients = 200
	lasting     = 80 * time.Second
)

// broad is a backend one of whose answers is more than the buffers of a connection take.
func broad(t *testing.T) string {
	t.Helper()
	large := bytes.Repeat([]byte(" "), 8<<20)
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{}`)
		if r.URL.Path == "/v1/orders" {
			_, _ = w.Write(large)
		}
	}))
	t.Cleanup(b.Close)
	return strings.TrimPrefix(b.URL, "http://")
}

// Whoever is slow with a head, a body or the reading of an answer loses the connection soon
// after the time for it, in every mode but for bodies, which in shadow may take their time.
// Everybody else is served meanwhile, and nothing is left of it afterwards (OWASP
// API4:2023; CWE-400).
func TestThreatSlowClients(t *testing.T) {
	t.Parallel()
	backend := broad(t)
	for _, mode := range []string{"shadow", "enforce"} {
		s := serveBeside(t, func(binary, config string) *exec.Cmd {
			return exec.Command(binary, "serve", "--config", config)
		}, fmt.Sprintf(hasty, mode), backend)
		for name, arguments := range map[string][]string{
			"heads":   {"-H", "-i", "1", "-u", "http://" + s.data + "/v1/sites"},
			"bodies":  {"-B", "-i", "1", "-x", "8", "-s", "4000", "-f", "application/json", "-u", "http://" + s.data + "/v1/documents"},
			"answers": {"-X", "-n", "2", "-z", "8", "-w", "16", "-y", "64", "-u", "http://" + s.data + "/v1/orders"},
		} {
			if mode == "shadow" && name == "bodies" {
				continue
			}
			outlast(t, s, mode+" "+name, arguments)
		}
		honestUpload(t, s)
		require.NoError(t, s.stop())
	}
}

// outlast lets slowhttptest do what it can, and requires that the sidecar has shaken it off
// long before it gives up by itself.
func outlast(t *testing.T, s *sidecar, name string, arguments []string) {
	t.Helper()
	files, routines := descriptors(t, s), goroutines(t, s)
	seconds := strconv.Itoa(int(lasting.Seconds()))
	cmd := exec.Command("slowhttptest", append(arguments, "-c", strconv.Itoa(slowClients), "-r", "200", "-l", seconds, "-p", "20")...)
	said := &output{}
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start(), "the Debian packages of the tests have slowhttptest")
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it says of the outcome is not asked for
		close(ended)
	}()
	defer func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}()
	begun := time.Now()
	most, now, served := 0, 0, 0
	var failed []error
	for time.Since(begun) < lasting*3/4 {
		now = descriptors(t, s)
		most = max(most, now)
		if most > files+slowClients/2 && now <= files+20 {
			break
		}
		if err := get(s.data, "/v1/sites"); err != nil {
			failed = append(failed, err)
		} else {
			served++
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s: %d descriptors before, %d at most, %d after %s; %d honest requests", name, files, most, now, time.Since(begun).Round(time.Millisecond), served)
	assert.LessOrEqual(t, len(failed), 1+served/100, "%s: everybody else: %v", name, failed)
	assert.Greater(t, most, files+slowClients/2, "%s: it did not come to an attack: %s", name, said)
	assert.LessOrEqual(t, now, files+20, "%s: connections that are still held", name)
	assert.NoError(t, eventually(func() error {
		if n := goroutines(t, s); n > routines+20 {
			return fmt.Errorf("%d goroutines, %d before", n, routines)
		}
		return nil
	}), name)
}

// honestUpload sends a body that takes longer than the grace, at twenty times the rate.
func honestUpload(t *testing.T, s *sidecar) {
	t.Helper()
	parts := []io.Reader{strings.NewReader(`{"a":"`)}
	for range 60 {
		parts = append(parts, &dribbled{piece: strings.Repeat("x", 2048), pause: 100 * time.Millisecond, times: 1})
	}
	resp, err := http.Post("http://"+s.data+"/v1/documents", "application/json", io.MultiReader(append(parts, strings.NewReader(`"}`))...))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func get(address, path string) error {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// descriptors counts the open files and sockets of a sidecar.
func descriptors(t *testing.T, s *sidecar) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	require.NoError(t, err)
	return len(all)
}

func goroutines(t *testing.T, s *sidecar) int {
	t.Helper()
	text, err := s.metric("go_goroutines")
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err, text)
	return n
}
