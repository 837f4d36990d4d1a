package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// sidecar is what the harness knows of a running sidecar besides its process.
type sidecar struct {
	admin  string // address
	audit  string // file of records
	digest string // of the policy that check announced
	client *http.Client

	file  *os.File // audit, being counted
	lines int64
}

// serving is the line of the operator's log that says where a sidecar listens.
type serving struct{ Msg, Listen, Admin string }

// startSidecar checks a profile's configuration, reads its modes back, and starts
// it. Controls are those that have a rule when everything is on.
func (w *world) startSidecar(ctx context.Context, p profile, name string, tls bool, backend string, controls []string) (*target, error) {
	s := &sidecar{audit: w.path(name + ".jsonl"), client: &http.Client{Timeout: patience}}
	config, said, err := w.check(ctx, p, name, tls, backend, s.audit)
	if err != nil {
		return nil, err
	}
	if err := said.matches(p, controls); err != nil {
		return nil, err
	}
	s.digest = said.digest
	found := make(chan serving, 1)
	see := func(line []byte) {
		var l serving
		if json.Unmarshal(line, &l) == nil && l.Msg == "serving" {
			select {
			case found <- l:
			default: // the first line counts
			}
		}
	}
	process, err := start(ctx, see, nil, w.sidecar, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	t := &target{profile: p, tls: tls, process: process, sidecar: s}
	select {
	case l := <-found:
		t.address, s.admin = l.Listen, l.Admin
	case <-process.exited:
		return nil, fmt.Errorf("the sidecar ended: %w\n%s", process.err, process.stderr)
	case <-time.After(patience):
		return nil, errors.Join(errors.New("the sidecar does not say where it listens"), process.stop())
	}
	if s.file, err = os.Open(s.audit); err == nil {
		err = s.sameDigest(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return t, nil
}

// check writes the configuration of a profile and asks the program what it means.
func (w *world) check(ctx context.Context, p profile, name string, tls bool, backend, audit string) (config string, said checked, err error) {
	config, err = w.render(name+".yaml", sidecarTemplate, map[string]any{
		"TLS": tls, "Backend": backend, "Mode": p.mode, "Control": p.control, "Replay": p.replay,
		"Issuer": issuer, "Audience": audience, "Audit": audit,
	})
	if err != nil {
		return "", said, err
	}
	text, err := output(ctx, w.sidecar, "check", "--config", config)
	if err != nil {
		return "", said, err
	}
	said, err = parseCheck(text)
	return config, said, err
}

// sameDigest reports an error unless the process serves the policy that check
// described.
func (s *sidecar) sameDigest(ctx context.Context) error {
	m, err := s.scrape(ctx)
	if err != nil {
		return err
	}
	if series := `sidewarden_policy_info{digest="` + s.digest + `"}`; m[series] != 1 {
		return fmt.Errorf("the sidecar serves another policy than check describes: no %s", series)
	}
	return nil
}

// values are metrics by series, as the text format writes it.
type values map[string]float64

// sum adds the series of a metric.
func (v values) sum(metric string) float64 {
	total := 0.0
	for series, value := range v {
		if name, _, _ := strings.Cut(series, "{"); name == metric {
			total += value
		}
	}
	return total
}

// scrape reads the metrics.
func (s *sidecar) scrape(ctx context.Context) (values, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return parseMetrics(resp.Body)
}

// parseMetrics reads the Prometheus text format without timestamps.
func parseMetrics(r io.Reader) (values, error) {
	v := values{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		if end < 0 {
			return nil, fmt.Errorf("a line of the metrics has no value: %q", line)
		}
		n, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("a line of the metrics has no value: %q", line)
		}
		v[line[:end]] = n
	}
	return v, lines.Err()
}

// settle waits until the audit file has as many records as requests were sent. It
// reads the file only, so that waiting costs the sidecar nothing.
func (s *sidecar) settle(ctx context.Context, sent int64) error {
	buf := make([]byte, 256<<10)
	deadline := time.Now().Add(patience)
	for {
		n, err := s.file.Read(buf)
		s.lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		switch {
		case s.lines > sent:
			return fmt.Errorf("%d audit records for %d requests", s.lines, sent)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case n > 0:
			continue
		case s.lines == sent:
			return nil
		case time.Now().After(deadline) || ctx.Err() != nil:
			return errors.Join(fmt.Errorf("%d audit records for %d requests", s.lines, sent), ctx.Err())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// accounted returns the metrics once they say that every request was counted and
// every record written. A record is in the file a moment before its counter says
// so, so that they are read until they do, and the error is that of the last time.
func (s *sidecar) accounted(ctx context.Context, sent int64) (values, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		m, err := s.scrape(ctx)
		if err != nil {
			return nil, err
		}
		if err = account(m, sent); err == nil || time.Now().After(deadline) {
			return m, err
		}
	}
}

// account compares the counters of a process with the requests that were sent to
// it: nothing may be dropped, sampled or counted twice.
func account(m values, sent int64) error {
	var err error
	for _, metric := range []string{"sidewarden_audit_dropped_total", "sidewarden_transport_refused_total"} {
		if n := m.sum(metric); n != 0 {
			err = errors.Join(err, fmt.Errorf("%s is %v", metric, n))
		}
	}
	const written = `sidewarden_audit_records_total{result="written",sink="file"}`
	if n := m[written]; int64(n) != sent {
		err = errors.Join(err, fmt.Errorf("%d requests were sent, %s says %v", sent, written, n))
	}
	if n := m.sum("sidewarden_requests_total"); int64(n) != sent {
		err = errors.Join(err, fmt.Errorf("%d requests were sent, sidewarden_requests_total says %v", sent, n))
	}
	return err
}

// fresh compares how many tokens were remembered before and after a measurement in
// which each of them is new: none may be, and every request must have proved its own.
func fresh(before, after values, sent int64) error {
	const series = `sidewarden_token_cache_total{issuer="` + issuer + `",result="`
	for _, result := range []struct {
		name string
		want int64
	}{{"hit", 0}, {"miss", sent}} {
		of := series + result.name + `"}`
		if n := int64(after[of] - before[of]); n != result.want {
			return fmt.Errorf("%d new tokens were sent, %s grew by %d, not by %d", sent, of, n, result.want)
		}
	}
	return nil
}
