package test_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conforming is how many cases h2spec has, the strict ones among them. None is left out.
const conforming = 146

// probed serves what h2spec asks for, GET and POST with any body or none, so that what it
// sees is HTTP/2 and no refusal of ours. It names no media type of its bodies, which is all
// that in.ctype would say of them.
const probed = `version: 1
product: probes
listen: {address: "127.0.0.1:0", %s}
admin: {address: "127.0.0.1:0"}
backend: {url: "${env:BACKEND}"}
spec: {file: probes.yaml}
mode: %s
controls: {tok: off, az: off, in.ctype: shadow, in.wellformed: shadow, in.schema: shadow}
audit: {file: {path: "${env:AUDIT}"}}
`

const probes = `openapi: 3.1.0
info: {title: Probes, version: "1"}
paths:
  /probe:
    get:
      operationId: getProbe
      responses: &answer {"200": {description: Answer, content: {application/json: {schema: {type: object}}}}}
    post:
      operationId: postProbe
      requestBody: {content: {"*/*": {}}}
      responses: *answer
`

// Every case of h2spec passes against an enforcing sidecar over TLS and a shadow one without
// it, but for those of the table, which have a reason each. A case that fails and is not in
// the table fails the test, and so does one of the table that passes or fails otherwise.
func TestThreatHTTP2Conformance(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "h2spec")
	// With -trimpath as the sidecar, so that both share what is compiled.
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-modfile=tools/h2spec/go.mod", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec")
	build.Dir, build.Env = repoRoot, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, v := range []struct {
		name, mode, listen string
		flags              []string
		is                 transport
	}{
		{"TLS", "enforce", "", []string{"--tls", "--insecure"}, overTLS},
		{"h2c", "shadow", "h2c: true", nil, withoutTLS},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if v.is == overTLS {
				certificate := selfSigned(t, t.TempDir())
				v.listen = fmt.Sprintf("tls: {cert_file: %q, key_file: %q}", certificate, certificate)
			}
			b, s := servingProbes(t, fmt.Sprintf(probed, v.listen, v.mode))
			_, port, err := net.SplitHostPort(s.data)
			require.NoError(t, err)
			h := &h2spec{program: program, flags: append(v.flags, "--port", port), names: map[string]string{}}
			got := h.failures(t, known(v.is))
			assert.Equal(t, known(v.is), got, "cases that fail, and what h2spec saw")
			assert.Equal(t, conforming, h.ran)
			reached := b.requests()
			assert.Greater(t, len(reached), 30, "what is probed is served; how much of it is given up before, differs")
			for _, r := range reached {
				assert.Equal(t, "/probe", r.Target)
				assert.Contains(t, []string{"GET", "HEAD", "POST"}, r.Method)
				assert.NotContains(t, r.Header, "Trailers", "of http2/8.1.2.2/2: what is malformed reaches no backend")
			}
		})
	}
}

// servingProbes starts a sidecar for h2spec, before a backend that keeps what comes.
func servingProbes(t *testing.T, config string) (*backend, *sidecar) {
	t.Helper()
	b := backendOf(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sidewarden.yaml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "probes.yaml"), []byte(probes), 0o600))
	s, err := start(file, "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(dir, "audit.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return b, s
}

// h2spec is the program against one sidecar.
type h2spec struct {
	program string
	flags   []string
	ran     int               // cases of the first run
	names   map[string]string // by section and description, with the number in between
}

// A case waits for each frame that long, when it runs first and when it is repeated. Whatever
// is expected not to come costs the first time.
const (
	brief   = 5 * time.Second
	longer  = 15 * time.Second
	repeats = 2
)

// failures runs all cases, and returns what h2spec saw in those that failed or that it did
// not run. A machine that is busy with other tests makes answers late, Go gives a connection
// up whose settings take two seconds, and an answer of ours can cross a frame that is to be
// refused. So what differs from want is run again by itself, with more time, and counts as
// it came last: what always fails still fails.
func (h *h2spec) failures(t *testing.T, want map[string]string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	saw, err := h.run(ctx, t, brief)
	for i := 0; err != nil && i < repeats; i++ {
		t.Logf("again from the beginning: %v", err) // it ends where it cannot connect
		saw, err = h.run(ctx, t, longer)
	}
	require.NoError(t, err)
	h.ran = len(saw)
	for range repeats {
		var again []string
		for name, outcome := range saw {
			if outcome != want[name] {
				id, _, _ := strings.Cut(name, " ")
				again = append(again, id)
				t.Logf("again %s: %q instead of %q", name, outcome, want[name])
			}
		}
		if len(again) == 0 {
			break
		}
		repeated, err := h.run(ctx, t, longer, again...)
		if err != nil {
			t.Log(err)
			continue
		}
		maps.Copy(saw, repeated)
	}
	maps.DeleteFunc(saw, func(_, outcome string) bool { return outcome == "" })
	return saw
}

// run returns what h2spec saw in each case, by its number and description: "" where that is
// what it asks for.
func (h *h2spec) run(ctx context.Context, t *testing.T, wait time.Duration, cases ...string) (map[string]string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "junit.xml")
	// A field of this length makes a frame larger than those that our settings allow, which
	// are larger than what h2spec sends to exceed them.
	cmd := exec.CommandContext(ctx, h.program, slices.Concat(h.flags, []string{
		"--strict", "--path", "/probe", "--max-header-length", "16000",
		"--timeout", strconv.Itoa(int(wait.Seconds())), "--junit-report", file,
	}, cases)...)
	out, err := cmd.CombinedOutput() // fails when a case does
	report, unread := os.ReadFile(file)
	if unread != nil {
		return nil, fmt.Errorf("h2spec made no report: %w, %w: %s", err, unread, out)
	}
	saw, err := h.outcomes(report)
	if err != nil {
		return nil, fmt.Errorf("the report of h2spec: %w: %s", err, report)
	}
	return saw, nil
}

// outcomes reads a report in the form of JUnit.
func (h *h2spec) outcomes(report []byte) (map[string]string, error) {
	var suites struct {
		Suite []struct {
			ID   string `xml:"package,attr"`
			Case []struct {
				Description string  `xml:"classname,attr"`
				Failure     *string `xml:"failure"`
				Error       *string `xml:"error"`
				Skipped     *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(report, &suites); err != nil {
		return nil, err
	}
	saw := map[string]string{}
	for _, suite := range suites.Suite {
		for i, c := range suite.Case {
			key := suite.ID + " " + c.Description
			if _, numbered := h.names[key]; !numbered { // in the first run, which has all of them
				h.names[key] = fmt.Sprintf("%s/%d %s", suite.ID, i+1, c.Description)
			}
			outcome := ""
			switch {
			case c.Skipped != nil:
				outcome = "skipped"
			case c.Failure != nil:
				outcome = last(*c.Failure)
			case c.Error != nil:
				outcome = last(*c.Error)
			}
			saw[h.names[key]] = outcome
		}
	}
	return saw, nil
}

// last is the last line, which tells what came instead of what is expected above it.
func last(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}
