package test_test

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// bombGrowth is how much resident memory may grow by bodies that are much larger once they
// are unpacked or expanded, in KiB.
const bombGrowth = 20 << 10

// TestBombsCostNoMemory sends a gigabyte in a megabyte of gzip, and XML that a parser
// gathers (CWE-409, CWE-776), and looks at resident memory.
func TestBombsCostNoMemory(t *testing.T) {
	t.Parallel()
	b := backendOf(t)
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	config, err := configure(dir, "sidewarden.yaml", "enforce")
	require.NoError(t, err)
	unpacking(t, config)
	s, err := start(config, "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(dir, "audit.jsonl"), "PSEUDONYM="+pseudonymKey, "GOGC=100")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	require.NoError(t, s.awaitReadiness(200))

	bomb := gibibyte(t)
	fine, err := gzipped(strings.NewReader(`{"a":1}`))
	require.NoError(t, err)
	attributes := []byte("<a" + strings.Repeat(` b=""`, 150_000) + "/>")
	levels := []byte(strings.Repeat("<a>", 10_000))
	upload(t, s, fine, "application/json", "gzip", http.StatusOK)
	upload(t, s, []byte("<a/>"), "application/xml", "", http.StatusOK)
	rest := resident(t, s)
	for range 5 {
		upload(t, s, bomb, "application/json", "gzip", http.StatusRequestEntityTooLarge)
		upload(t, s, attributes, "application/xml", "", http.StatusBadRequest)
		upload(t, s, levels, "application/xml", "", http.StatusBadRequest)
	}
	assert.Less(t, resident(t, s)-rest, bombGrowth, "growth of resident memory, in KiB")
}

// gibibyte returns as many zeros in gzip. Behind the first mebibyte each looks like the one
// before, so that only two are compressed.
func gibibyte(t *testing.T) []byte {
	t.Helper()
	const part = 1 << 20
	var b bytes.Buffer
	b.WriteString("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	sum := crc32.NewIEEE()
	add := func() []byte {
		begin := b.Len()
		_, err := w.Write(make([]byte, part))
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		return bytes.Clone(b.Bytes()[begin:])
	}
	add()
	again := add()
	for range 1<<30/part - 2 {
		b.Write(again)
	}
	require.NoError(t, w.Close())
	for range 1 << 30 / part {
		sum.Write(make([]byte, part))
	}
	checksum := sum.Sum(nil)
	slices.Reverse(checksum)
	b.Write(checksum)
	b.WriteString("\x00\x00\x00\x40") // 1 GiB
	return b.Bytes()
}

// unpacking has the configuration take codings off, of bodies that fit a bomb.
func unpacking(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	changed := strings.Replace(string(text), "max_request_bytes: 4KiB", "content_codings: [gzip], max_request_bytes: 2MiB", 1)
	require.NotEqual(t, string(text), changed)
	require.NoError(t, os.WriteFile(config, []byte(changed), 0o600))
}

// upload sends a document, which is answered with a status.
func upload(t *testing.T, s *sidecar, body []byte, mediaType, coding string, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.data+"/v1/documents", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", mediaType)
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	r.Header.Set("Authorization", "Bearer "+tokentest.EC().Mint(tokentest.Spec{Claims: tokentest.Claims(
		"https://idp.example.net", "https://api.example.net", time.Now(), map[string]any{"scope": "orders:write"})}))
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, status, resp.StatusCode, "%s", text)
}
