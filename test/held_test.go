package test_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Bodies that are too large, of many clients at once, are refused before much more than
// the limit is read, and cost no more memory than the limit each (OWASP API4:2023; CWE-770).
// They are chunked, so that nothing tells of their size before, and all are held at one time.
func TestThreatManyBodiesTooLarge(t *testing.T) {
	t.Parallel()
	const clients, limit, beyond = 100, 256 << 10, 64 << 10
	b := backendOf(t)
	s := serveBeside(t, func(binary, config string) *exec.Cmd {
		cmd := exec.Command(binary, "serve", "--config", config)
		cmd.Env = append(cmd.Environ(), "GOGC=100", "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(t.TempDir(), "audit.jsonl"))
		return cmd
	}, plain+"mode: enforce\npayload: {max_request_bytes: 256KiB}\naudit: {file: {path: \"${env:AUDIT}\"}}\n", "")
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	rest := resident(t, s)

	piece := "400\r\n" + strings.Repeat("x", 1<<10) + "\r\n"
	var senders, filled sync.WaitGroup
	filled.Add(clients)
	all, statuses := make(chan struct{}), make(chan string, clients)
	for range clients {
		senders.Go(func() {
			status, err := oversized(s.data, piece, limit, beyond, filled.Done, all)
			if err != nil {
				status = err.Error()
			}
			statuses <- status
		})
	}
	filled.Wait()
	most := resident(t, s)
	close(all)
	senders.Wait()
	most = max(most, resident(t, s))
	close(statuses)
	for status := range statuses {
		assert.Equal(t, "413", status)
	}
	t.Logf("%d KiB at rest, %d KiB at most", rest, most)
	assert.Less(t, most-rest, (clients*limit+50<<20)>>10, "growth of resident memory, in KiB")
	assert.Empty(t, b.requests())
}

// oversized sends a body of pieces up to the limit, tells so, waits for all others, and goes
// on for no more than what is allowed beyond. It returns the status that it got.
func oversized(address, piece string, limit, beyond int, filled func(), all <-chan struct{}) (string, error) {
	c, err := net.Dial("tcp", address)
	if err == nil {
		defer func() { _ = c.Close() }()
		err = c.SetDeadline(time.Now().Add(3 * patience))
	}
	if err == nil {
		_, err = io.WriteString(c, "POST /v1/documents HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	}
	for range limit >> 10 {
		if err == nil {
			_, err = io.WriteString(c, piece)
		}
	}
	filled()
	if err != nil {
		return "", err
	}
	<-all
	for range beyond >> 10 {
		if _, err := io.WriteString(c, piece); err != nil {
			break // it was refused before
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(resp.StatusCode), resp.Body.Close()
}
