package test_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPrometheusAnswersTheMission lets a real Prometheus, configured as in
// deploy/, scrape the demo, and asks it which controls the backend does not
// enforce. Its answer must be what the demo's world is made of.
func TestPrometheusAnswersTheMission(t *testing.T) {
	t.Parallel()
	prometheus, promtool := installed(t, "prometheus"), installed(t, "promtool")
	stdout, stderr := &output{}, &output{}
	demo := exec.CommandContext(t.Context(), mustBinary(t), "demo", "--duration", "12s")
	demo.Stdout, demo.Stderr = stdout, stderr
	require.NoError(t, demo.Start())
	var admin string
	require.NoError(t, eventually(func() error {
		found := regexp.MustCompile(`admin: http://(\S+?),`).FindStringSubmatch(stderr.String())
		if found == nil {
			return errors.New("the demo did not say where its admin listener is: " + stderr.String())
		}
		admin = found[1]
		return nil
	}))
	server := startPrometheus(t, prometheus, admin)

	// What is there at the first leak is linted.
	var exposition []byte
	require.NoError(t, eventually(func() (err error) {
		exposition, err = fetch("http://" + admin + "/metrics")
		if err == nil && !regexp.MustCompile(`signal="leaked"} [1-9]`).Match(exposition) {
			err = errors.New("no observation yet")
		}
		return err
	}))
	lint := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	lint.Stdin = bytes.NewReader(exposition)
	complaints, err := lint.CombinedOutput()
	require.NoError(t, err, "promtool check metrics: %s", complaints)
	assert.Empty(t, string(complaints), "promtool check metrics")

	require.NoError(t, demo.Wait(), "%s%s", stdout, stderr)
	want := []string{
		"createBgpPolicy in.ctype", "createOrder az.delegate", "createOrder in.schema", "getUsage az.account",
		"listEvents rate.app", "listMeters rate.customer", "listPorts tok.time", "listSites tok.ttl",
		"setBandwidth az.account", "setBandwidth in.schema", "unmatched in.route",
	}
	for _, window := range []string{"1m", "1d"} {
		got, err := ask(server, `sum by (operation, control) (increase(sidewarden_observations_total{position="backend",signal="leaked"}[`+window+`]))`)
		require.NoError(t, err)
		assert.NotEmpty(t, got)
		maps.DeleteFunc(got, func(_ string, increase float64) bool { return increase == 0 }) // counted from the start on
		assert.Equal(t, want, slices.Sorted(maps.Keys(got)), "%s: %v", window, got)
	}
}

// installed finds a program that the tests need.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "%s is not installed: run make test-deps", name)
	return path
}

// startPrometheus runs Prometheus on loopback with the sample of deploy/, and
// returns its URL when it is ready.
func startPrometheus(t *testing.T, program, target string) string {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join(repoRoot, "deploy", "prometheus.yml"))
	require.NoError(t, err)
	config := strings.NewReplacer("127.0.0.1:9901", target, "15s", "1s").Replace(string(sample))
	require.Contains(t, config, target)
	require.Contains(t, config, "scrape_interval: 1s")
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	l, err := loopback("127.0.0.7:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())

	log := &output{}
	cmd := exec.Command(program, "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself, which the test has seen
		_ = cmd.Wait()                       // as above
	})
	require.NoError(t, eventually(func() error {
		_, err := fetch("http://" + address + "/-/ready")
		return err
	}), "%s", log)
	return "http://" + address
}

func fetch(address string) ([]byte, error) {
	client := http.Client{Timeout: patience}
	resp, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", address, resp.Status, body)
	}
	return body, err
}

// ask sends an instant query and returns the values by "operation control".
func ask(server, query string) (map[string]float64, error) {
	body, err := fetch(server + "/api/v1/query?query=" + url.QueryEscape(query) + "&time=" + strconv.FormatInt(time.Now().Unix(), 10))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric struct{ Operation, Control string }
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		values[r.Metric.Operation+" "+r.Metric.Control] = value
	}
	return values, nil
}
