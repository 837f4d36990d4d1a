package budget_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// vector is what this package reads of a vector of test/corpus.
type vector struct {
	Name    string `json:"name"`
	Request struct {
		Method, Target string
		Token          *struct {
			Claims, Header map[string]any
			Fault, Signer  string
		}
		Header [][2]string
		Body   *string
	} `json:"request"`
}

// corpus returns the vectors of the corpus as requests. Those whose token is
// broken on purpose are left out: they need keys of their own.
func corpus(t testing.TB) []*policy.Request {
	t.Helper()
	files, err := filepath.Glob("../corpus/*.json")
	require.NoError(t, err)
	var all []*policy.Request
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var vectors []vector
		require.NoError(t, json.Unmarshal(text, &vectors), file)
		for _, v := range vectors {
			if tok := v.Request.Token; tok == nil || tok.Fault == "" && tok.Signer == "" && tok.Header == nil {
				all = append(all, v.request())
			}
		}
	}
	require.Greater(t, len(all), 50, "the corpus is read")
	return all
}

func (v *vector) request() *policy.Request {
	path, query, _ := strings.Cut(v.Request.Target, "?")
	r := &policy.Request{
		ID: "01K54Z0000000000000000000D", Peer: policy.Peer{Addr: netip.MustParseAddr("10.1.2.3")}, Source: netip.MustParseAddr("10.1.2.3"), Header: map[string][]string{},
		Method: v.Request.Method, Path: path, RawQuery: query, Query: policy.ParseQuery(query), Host: "api.example.net", Proto: "HTTP/1.1",
	}
	for _, h := range v.Request.Header {
		r.Header.Add(h[0], h[1])
	}
	if v.Request.Body != nil {
		r.Body.Bytes, r.Body.Size = []byte(*v.Request.Body), int64(len(*v.Request.Body))
	}
	if tok := v.Request.Token; tok != nil {
		change := map[string]any{"client_id": v.Name, "jti": v.Name, "scope": "orders:read orders:write"}
		for name, value := range tok.Claims {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "now") {
				if d, err := time.ParseDuration(text[len("now"):]); err == nil {
					value = noon().Add(d).Unix()
				}
			}
			change[name] = value
		}
		r.Header.Set("Authorization", "Bearer "+tokentest.EC().Token(tokentest.Claims(issuer, audience, noon(), change)))
	}
	return r
}

// decide does with one request what the proxy does, without HTTP around it.
func decide(t testing.TB, p *policy.Policy, sent *policy.Request, now time.Time) {
	ctx := t.Context()
	r := *sent
	r.Time, r.Body = now, policy.Body{Size: sent.Body.Size}
	r.Match = p.Matcher.Match(&r)
	r.Auth = p.Authenticator.Authenticate(ctx, &r)
	d := p.Evaluate(ctx, &r, policy.HeadPhase)
	r.Spent = p.Spender.Spend(ctx, &r, d)
	d = p.Extend(ctx, &r, d, policy.LimitPhase)
	if in := p.Plan(&r).In; in != nil {
		r.Body = in.Inspect(&r, sent.Body.Bytes, sent.Body.Size, true)
	}
	d = p.Extend(ctx, &r, d, policy.BodyPhase)
	r.Response = &policy.Response{Status: 200}
	d = p.Extend(ctx, &r, d, policy.ResponsePhase)
	d.Blocking()
	policy.Classify(d, policy.Outcome{Disposition: d.Disposition(), Status: 200, BackendStatus: 200, Class: policy.ClassOf(&r, p.Hints)})
}

// BenchmarkDecision decides the whole corpus. tools/instructions.sh counts its
// instructions; the time of one decision is the metric.
func BenchmarkDecision(b *testing.B) {
	p, requests, c := compiled(b, "../testdata/base", "enforce").Policy, corpus(b), &clock{}
	b.ReportAllocs()
	for range b.N {
		for _, r := range requests {
			decide(b, p, r, c.now())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(requests)), "ns/decision")
	b.ReportMetric(float64(len(requests)), "decisions/op")
}
