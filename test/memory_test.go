package test_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

const (
	// atRest is the most resident memory of a sidecar that serves nobody.
	atRest = 64 << 10 // KiB
	// strangers is how many clients come that were never seen, and growth what they
	// may cost together: per client, a bucket and a cached token, both of which have
	// bounds of their own, and as much again as the garbage collector leaves at GOGC=100.
	strangers = 20_000
	growth    = 80 << 10 // KiB
	// moreSeries is how many series they may add: none is theirs, but an operation,
	// a disposition or a denial may be counted for the first time.
	moreSeries = 50
)

// TestMemoryIsBounded sends requests of which no two have the same client, token,
// path, user agent or method of a stranger's making. Neither memory nor metrics may
// grow with them (CVE-2022-21698: label cardinality; OWASP API4:2023).
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := backendOf(t)
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	config, err := configure(dir, "sidewarden.yaml", "shadow")
	require.NoError(t, err)
	// Records are not what is measured, and the debug log would be kept by the test.
	s, err := start(config, "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(dir, "audit.jsonl"), "PSEUDONYM="+pseudonymKey,
		"GOGC=100") // not the headroom is measured but what is kept
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	require.NoError(t, s.awaitReadiness(200))

	rest := resident(t, s)
	assert.Less(t, rest, atRest, "resident memory at rest, in KiB")
	series := seriesOf(t, s)
	begun := time.Now()
	half := crowd(t, s, 0, strangers/2)
	full := crowd(t, s, strangers/2, strangers)
	t.Logf("%d requests in %s; resident KiB: %d at rest, %d after half, %d after all; series: %d before, %d after",
		strangers, time.Since(begun).Round(time.Millisecond), rest, half, full, series, seriesOf(t, s))
	assert.Less(t, full-rest, growth, "growth of resident memory, in KiB")
	assert.LessOrEqual(t, seriesOf(t, s)-series, moreSeries, "more series")
}

// crowd sends the requests from..to and returns the resident memory after them.
func crowd(t *testing.T, s *sidecar, from, to int) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}
	defer client.CloseIdleConnections()
	work, failed := make(chan int), make(chan error, 16)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for i := range work {
				if err := stranger(t, client, s.data, i); err != nil {
					select {
					case failed <- err:
					default: // enough have told
					}
				}
			}
		})
	}
	for i := from; i < to; i++ {
		work <- i
	}
	close(work)
	group.Wait()
	select {
	case err := <-failed:
		require.NoError(t, err)
	default:
	}
	return resident(t, s)
}

// stranger sends the i-th request: by turns a customer, a forger, somebody without
// a token, and somebody who tries paths and methods.
func stranger(t *testing.T, client *http.Client, address string, i int) error {
	method, path := http.MethodGet, fmt.Sprintf("/v1/accounts/acct-%d/orders/o-%d", i, i)
	signer := tokentest.EC()
	token := func(s *tokentest.Signer, kid string) string {
		return "Bearer " + s.Mint(tokentest.Spec{
			Header: map[string]any{"kid": kid},
			Claims: tokentest.Claims("https://idp.example.net", "https://api.example.net", time.Now(), map[string]any{
				"client_id": fmt.Sprintf("client-%d", i), "sub": fmt.Sprintf("subject-%d", i), "jti": fmt.Sprintf("id-%d", i),
				"scope": "orders:read", "account_id": fmt.Sprintf("acct-%d", i),
			}),
		})
	}
	authorization := ""
	switch i % 8 {
	case 5:
		authorization = token(signer, fmt.Sprintf("kid-%d", i))
	case 6:
	case 7:
		authorization, method, path = token(signer, "ec-1"), fmt.Sprintf("M%d", i), fmt.Sprintf("/v%d/x?q%d=1", i, i)
	default:
		authorization = token(signer, "ec-1")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	r.Host = fmt.Sprintf("host-%d.example.net", i)
	r.Header.Set("User-Agent", fmt.Sprintf("agent/%d", i))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("request %d: %s", i, resp.Status)
	}
	return err
}

// resident returns VmRSS of a sidecar in KiB.
func resident(t *testing.T, s *sidecar) int { return memoryOf(t, s, "VmRSS:") }

// memoryOf returns a line of what the kernel says of the memory of a sidecar, in KiB.
func memoryOf(t *testing.T, s *sidecar, line string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(t, err)
	_, after, found := bytes.Cut(status, []byte(line))
	require.True(t, found)
	var kib int
	_, err = fmt.Sscan(string(after), &kib)
	require.NoError(t, err)
	return kib
}

// seriesOf counts the samples of /metrics.
func seriesOf(t *testing.T, s *sidecar) int {
	t.Helper()
	_, body, err := s.get("/metrics")
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}
