package test_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// TestHonestTrafficOfGateways sends honest traffic through real gateways with pools of
// connections, to a sidecar in shadow whose file is written by hand, to one that serves
// what init writes, and to a bare reverse proxy: a sidecar must not add one refused or
// failed request, nor change one answer, nor find anything. GATEWAY_TIME is how long it
// lasts.
func TestHonestTrafficOfGateways(t *testing.T) {
	t.Parallel()
	last := 4 * time.Second
	if text := os.Getenv("GATEWAY_TIME"); text != "" {
		var err error
		last, err = time.ParseDuration(text)
		require.NoError(t, err, "GATEWAY_TIME")
	}
	honest := httptest.NewUnstartedServer(honestBackend())
	honest.Config.IdleTimeout = time.Second // longer than the connections of the sidecar are kept
	honest.Start()
	t.Cleanup(honest.Close)
	address := strings.TrimPrefix(honest.URL, "http://")
	sidecars := map[string]*sidecar{}
	for way, configure := range map[string]func(t *testing.T, dir, backend string){"sidecar": declared, "written": written} {
		sidecars[way] = honestSidecar(t, address, configure)
	}
	unwatched := httptest.NewServer(pooledProxy(address))
	t.Cleanup(unwatched.Close)
	behind := map[string]string{"bare": strings.TrimPrefix(unwatched.URL, "http://")}
	for way, s := range sidecars {
		behind[way] = s.data
	}

	dir := t.TempDir()
	certificate := selfSigned(t, dir)
	var pairs []*pair
	for _, gateway := range []string{"nginx", "haproxy"} {
		ways := startGateway(t, gateway, dir, certificate, behind)
		for _, two := range []bool{false, true} {
			pairs = append(pairs, newPair(gateway, two, ways))
		}
	}
	begun := time.Now()
	drive(t, pairs, begun.Add(last))

	t.Logf("%s of honest traffic\n%s", time.Since(begun).Round(time.Second), table(pairs))
	for _, p := range pairs {
		assert.Empty(t, p.differences(), p.name)
		for _, kind := range kinds() {
			assert.NotZero(t, p.of(kind.name), "%s: no request of kind %s", p.name, kind.name)
		}
	}
	for way, s := range sidecars {
		for reason := range strings.FieldsSeq("head-too-large malformed expectation other not-taken") {
			n, err := s.metric(`sidewarden_transport_refused_total{reason="` + reason + `"}`)
			require.NoError(t, err)
			assert.Equal(t, "0", n, "%s: %s", way, reason)
		}
		require.NoError(t, s.stop(), way)
		left := 0
		for _, p := range pairs {
			left += p.of("leaves-body")
		}
		foundNothing(t, way, s, left)
	}
}

// foundNothing requires of a sidecar that has ended that it recorded requests of every
// operation and found nothing in any, but for what can not be decided: how long an answer
// is that streams, and what stood in the bodies of the clients that left.
func foundNothing(t *testing.T, way string, s *sidecar, left int) {
	t.Helper()
	records, err := s.records()
	require.NoError(t, err, way)
	found, seen := map[string]int{}, map[string]bool{}
	for _, record := range records {
		operation, err := fieldOf(record, "op.id")
		require.NoError(t, err)
		seen[operation] = true
		findings, ok := record["findings"].([]any)
		require.True(t, ok, "%s: findings of %s", way, operation)
		for _, f := range findings {
			f, ok := f.(map[string]any)
			require.True(t, ok)
			found[fmt.Sprint(operation, " ", f["control"], " ", f["effect"], " ", f["reason"])]++
		}
	}
	delete(found, "GET /events out.size indeterminate stream-unbounded")
	for control := range strings.FieldsSeq("in.size in.wellformed in.schema") {
		unread := "POST /echo " + control + " indeterminate not-inspected"
		assert.LessOrEqual(t, found[unread], left, "%s: %s is not decided of bodies that did not come", way, control)
		delete(found, unread)
	}
	assert.Empty(t, found, way)
	assert.Len(t, seen, 8, "%s: every operation of the contract", way)
}

// honestSidecar starts the binary in shadow in front of a backend, by the configuration
// that is written beside the contract.
func honestSidecar(t *testing.T, backend string, configure func(t *testing.T, dir, backend string)) *sidecar {
	t.Helper()
	dir := t.TempDir()
	contract, err := os.ReadFile(filepath.Join("testdata", "gateways", "openapi.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), contract, 0o600))
	configure(t, dir, backend)
	s, err := startCommand(exec.Command(mustBinary(t), "serve", "--config", filepath.Join(dir, "sidewarden.yaml")), "",
		"BACKEND=http://"+backend, "AUDIT="+filepath.Join(dir, "audit.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return s
}

// declared says in a file written by hand that there is a gateway.
func declared(t *testing.T, dir, _ string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "gateways", "sidewarden.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sidewarden.yaml"), b, 0o600))
}

// written is what init writes, and where records go.
func written(t *testing.T, dir, backend string) {
	t.Helper()
	file := filepath.Join(dir, "sidewarden.yaml")
	said, err := exec.Command(mustBinary(t), "init", "--spec", filepath.Join(dir, "openapi.yaml"), "--backend", "http://"+backend,
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "-o", file).CombinedOutput()
	require.NoError(t, err, string(said))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(text, "audit: {file: {path: \"${env:AUDIT}\"}}\n"...), 0o600))
}

// pooledProxy is a bare proxy whose pool to the backend is that of the sidecar.
func pooledProxy(backend string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: backend})
			p.Out.Host = p.In.Host
		},
		ErrorLog:  log.New(io.Discard, "", 0), // who goes away is part of the traffic
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 512, IdleConnTimeout: 500 * time.Millisecond},
	}
}

// way is how one gateway is reached, and what is behind it.
type way struct{ Name, Behind, Plain, TLS string }

// startGateway starts one gateway with a way to each of what stands behind it, and
// returns when it takes connections.
func startGateway(t *testing.T, name, dir, certificate string, behind map[string]string) map[string]way {
	t.Helper()
	files := map[string]struct{ template, program string }{
		"nginx": {"nginx.conf.tmpl", "/usr/sbin/nginx"}, "haproxy": {"haproxy.cfg.tmpl", "/usr/sbin/haproxy"},
	}
	ways := map[string]way{}
	for what, address := range behind {
		ways[what] = way{Name: what, Behind: address, Plain: proxytest.FreeAddress(t), TLS: proxytest.FreeAddress(t)}
	}
	text, err := template.ParseFiles(filepath.Join("testdata", "gateways", files[name].template))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, text.Execute(&b, map[string]any{"Dir": dir, "Certificate": certificate, "Ways": ways, "Root": os.Geteuid() == 0}))
	file := filepath.Join(dir, name+".conf")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	arguments := map[string][]string{"nginx": {"-e", "stderr", "-p", dir, "-c", file}, "haproxy": {"-db", "-f", file}}
	cmd, said := exec.Command(files[name].program, arguments[name]...), &output{}
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start(), "the Debian packages of the tests have %s", name)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what matters of it is seen below
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	for _, w := range ways {
		for _, address := range []string{w.Plain, w.TLS} {
			require.NoError(t, eventually(func() error {
				c, err := net.Dial("tcp", address)
				if err == nil {
					err = c.Close()
				}
				select {
				case <-ended:
					return permanent{fmt.Errorf("%s ended", name)}
				default:
					return err
				}
			}), "%s: %s", name, said)
		}
	}
	return ways
}

// selfSigned writes a certificate and its key into one file.
func selfSigned(t *testing.T, dir string) string {
	t.Helper()
	cert, key, err := certified{}.pem()
	require.NoError(t, err)
	file := filepath.Join(dir, "gateway.pem")
	require.NoError(t, os.WriteFile(file, append(cert, key...), 0o600))
	return file
}
