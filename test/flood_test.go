package test_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flooded is the most that floods may add to the resident memory of a sidecar, in KiB.
const flooded = 100 << 10

// encrypted starts an enforcing sidecar that serves TLS, in as little memory as holds what
// the floods make it keep: not the headroom of the collector is measured.
func encrypted(t *testing.T) *sidecar {
	t.Helper()
	dir := t.TempDir()
	certificate := selfSigned(t, dir)
	s := serveBeside(t, func(binary, config string) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "--config", config, "--log-level", "debug")
		cmd.Env = append(os.Environ(), "GOGC=100", "GOMEMLIMIT=96MiB", "BACKEND=http://"+broad(t), "AUDIT="+filepath.Join(dir, "audit.jsonl"))
		return cmd
	}, strings.Replace(plain, `127.0.0.1:0"}`, fmt.Sprintf(`127.0.0.1:0", tls: {cert_file: %q, key_file: %q}}`, certificate, certificate), 1)+
		"mode: enforce\naudit: {file: {path: \"${env:AUDIT}\"}}\n", "")
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return s
}

// What one connection of HTTP/2 asks for must not take the process down, nor its memory,
// nor the answers of others: streams that are reset at once (CVE-2023-44487), heads that
// never end (CVE-2023-45288), settings and pings without end (CVE-2019-9512,
// CVE-2019-9515), frames of nothing (CVE-2019-9518).
func TestThreatHTTP2Floods(t *testing.T) {
	t.Parallel()
	s := encrypted(t)
	rest := resident(t, s)
	others := newOthers(s.data)
	for name, flood := range floods() {
		rounds := flooding(t, s.data, flood)
		t.Logf("%s: sent %d times; %d KiB at rest, %d KiB after", name, rounds, rest, resident(t, s))
		assert.Less(t, resident(t, s)-rest, flooded, "%s: growth of resident memory, in KiB", name)
	}
	served, failed := others.end()
	assert.Empty(t, failed, "the answers of others")
	assert.NotZero(t, served)
}

// As many streams as may be open at once, of many connections, are answered, take turns, and
// keep nobody else from being served. It runs beside no other test of this package: what is
// worked on takes longer where others have the processors, and more of it is there at once.
func TestThreatManyStreams(t *testing.T) {
	s := encrypted(t)
	rest := resident(t, s)
	others := newOthers(s.data)
	const requests, connections, streams = 20_000, 50, 100
	cmd := exec.Command("h2load", "-n", strconv.Itoa(requests), "-c", strconv.Itoa(connections), "-m", strconv.Itoa(streams), "https://"+s.data+"/v1/sites")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "the Debian packages of the tests have h2load: %s", out)
	done := regexp.MustCompile(`(\d+) succeeded(?s:.*)status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx`).FindSubmatch(out)
	require.NotNil(t, done, "%s", out)
	succeeded, err := strconv.Atoi(string(done[1]))
	require.NoError(t, err)
	// Go gives a connection up whose first frame it has not read within two seconds, as on a
	// machine that is busy with everything else.
	shed := strings.Count(s.stderr.String(), "timeout waiting for SETTINGS frames")
	assert.GreaterOrEqual(t, succeeded, requests-shed*requests/connections, "%d connections were given up at once: %s", shed, out)
	assert.NotZero(t, succeeded)
	served, failed := others.end()
	require.NotZero(t, served, "answers of others: %s", failed)
	most := memoryOf(t, s, "VmHWM:")
	t.Logf("%d requests, %d at once: %d KiB at rest, %d KiB at most; %d answers of others, 99 of 100 within %s", requests, connections*streams, rest, most, served, others.within(99))
	// On a machine that does nothing else it is within flooded, see docs/performance.md. Without
	// turns it is twice that.
	assert.Less(t, most-rest, flooded*3/2, "growth of resident memory, in KiB")
	waited, err := s.metric("sidewarden_turn_waits_total")
	require.NoError(t, err)
	assert.NotEqual(t, "0", waited, "requests that waited for their turn")
	assert.Empty(t, failed, "the answers of others")
}

// others send requests one after the other until they are told to end.
type others struct {
	stop chan struct{}
	done sync.WaitGroup

	served int
	failed []string
	took   []time.Duration
}

func newOthers(address string) *others {
	o := &others{stop: make(chan struct{})}
	client := &http.Client{Timeout: 4 * patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test made the certificate
	}}
	o.done.Go(func() {
		defer client.CloseIdleConnections()
		for {
			select {
			case <-o.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			asked := time.Now()
			resp, err := client.Get("https://" + address + "/v1/status")
			switch {
			case err != nil:
				o.failed = append(o.failed, err.Error())
				continue
			case resp.StatusCode != http.StatusOK:
				o.failed = append(o.failed, resp.Status)
			default:
				o.served++
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			o.took = append(o.took, time.Since(asked))
		}
	})
	return o
}

// within returns the time in which so many of a hundred answers were there.
func (o *others) within(percent int) time.Duration {
	slices.Sort(o.took)
	return o.took[(len(o.took)-1)*percent/100]
}

func (o *others) end() (served int, failed []string) {
	close(o.stop)
	o.done.Wait()
	return o.served, o.failed
}

// floods are what is sent again and again, by the number of the stream that is next.
func floods() map[string]func(stream uint32) (frames []byte, used uint32) {
	// A HEADERS frame of GET https://h/v1/sites, with indexed fields of RFC 7541.
	fields := append([]byte{0x82, 0x87, 0x04, 9}, "/v1/sites\x41\x01h"...)
	return map[string]func(uint32) ([]byte, uint32){
		"reset at once": func(stream uint32) ([]byte, uint32) {
			return append(framed(1, 0x5, stream, fields), framed(3, 0, stream, []byte{0, 0, 0, 8})...), 2
		},
		"heads without an end": func(stream uint32) ([]byte, uint32) {
			// One head, and continuations of it from then on: a field that is never kept.
			if stream == 1 {
				return framed(1, 0x1, 1, fields), 2
			}
			return framed(9, 0, 1, append([]byte{0x00, 1, 'a', 0x7f, 0x81, 0x7e}, bytes.Repeat([]byte("b"), 16_000)...)), 2
		},
		"settings":          func(uint32) ([]byte, uint32) { return framed(4, 0, 0, nil), 0 },
		"pings":             func(uint32) ([]byte, uint32) { return framed(6, 0, 0, make([]byte, 8)), 0 },
		"frames of nothing": func(uint32) ([]byte, uint32) { return framed(0xee, 0, 0, nil), 0 },
		"data of nothing": func(stream uint32) ([]byte, uint32) {
			if stream == 1 {
				return framed(1, 0x4, 1, fields), 2
			}
			return framed(0, 0, 1, nil), 2
		},
	}
}

// framed is one frame of HTTP/2 (RFC 9113 section 4.1).
func framed(kind, flags byte, stream uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(append(b, byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream)), payload...)
}

// flooding sends a flood over several connections that read nothing, until a connection is
// cut off or a time is over, and returns how often it was sent.
func flooding(t *testing.T, address string, flood func(uint32) ([]byte, uint32)) int {
	t.Helper()
	var senders sync.WaitGroup
	rounds := make([]int, 8)
	for i := range rounds {
		senders.Go(func() {
			c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // as above
			if err != nil {
				t.Errorf("a connection of its own: %v", err)
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(3 * time.Second)) // a connection that is there has deadlines
			if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string(framed(4, 0, 0, nil))); err != nil {
				return
			}
			for stream := uint32(1); ; rounds[i]++ {
				var batch []byte
				for range 20 {
					frames, used := flood(stream)
					batch, stream = append(batch, frames...), stream+used
				}
				if _, err := c.Write(batch); err != nil {
					return
				}
			}
		})
	}
	senders.Wait()
	all := 0
	for _, n := range rounds {
		all += 20 * n
	}
	require.NotZero(t, all, "nothing was sent")
	require.NoError(t, dialable(address))
	return all
}

func dialable(address string) error {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	return c.Close()
}
