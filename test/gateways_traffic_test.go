package test_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

const etag = `"1"`

// honestBackend answers as its paths say.
func honestBackend() http.Handler {
	mux := http.NewServeMux()
	large := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	mux.HandleFunc("/small", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"small":true}`)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(large)))
		_, _ = w.Write(large)
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) { pieces(w, "text/plain", "piece", 5*time.Millisecond) })
	mux.HandleFunc("/events", func(w http.ResponseWriter, _ *http.Request) {
		pieces(w, "text/event-stream", "data: x\n\n", 50*time.Millisecond)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(w, "late")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"bytes":%d,"sum":"%x"}`, n, sum.Sum(nil))
	})
	return mux
}

func pieces(w http.ResponseWriter, media, text string, pause time.Duration) {
	w.Header().Set("Content-Type", media)
	for range 5 {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(pause)
	}
}

// kind is one kind of honest request.
type kind struct {
	name, method, path string
	header             [2]string
	body               func() io.Reader
	size               int64 // of the body; -1 sends it chunked
	part               int64 // of the answer, after which the client goes away; 0 stays
	leaves             bool  // in the middle of the body
}

// kinds are all kinds. Every gateway gets each of them twice: as it is often set up, and
// with what passes through it streamed.
func kinds() []kind {
	text := func(n int) func() io.Reader {
		return func() io.Reader { return strings.NewReader(`"` + strings.Repeat("x", n-2) + `"`) }
	}
	slow := func() io.Reader {
		parts := []io.Reader{&dribbled{piece: "[1,2,3,4,\n", pause: 30 * time.Millisecond, times: 1}}
		for range 8 {
			parts = append(parts, &dribbled{piece: "5,6,7,8,9,", pause: 30 * time.Millisecond, times: 1})
		}
		return io.MultiReader(append(parts, &dribbled{piece: "1,2,3,4 ]\n", pause: 30 * time.Millisecond, times: 1})...)
	}
	return []kind{
		{name: "get", method: "GET", path: "/small"},
		{name: "head", method: "HEAD", path: "/small"},
		{name: "not-modified", method: "GET", path: "/small", header: [2]string{"If-None-Match", etag}},
		{name: "not-found", method: "GET", path: "/absent"},
		{name: "large", method: "GET", path: "/large"},
		{name: "chunked", method: "GET", path: "/chunked"},
		{name: "events", method: "GET", path: "/events"},
		{name: "slow", method: "GET", path: "/slow"},
		{name: "post", method: "POST", path: "/echo", body: text(100), size: 100},
		{name: "post-empty", method: "POST", path: "/echo", body: func() io.Reader { return http.NoBody }},
		{name: "post-large", method: "POST", path: "/echo", body: text(512 << 10), size: 512 << 10},
		{name: "post-chunked", method: "POST", path: "/echo", body: text(70_000), size: -1},
		{name: "post-slow", method: "POST", path: "/echo", body: slow, size: 100},
		{name: "post-slow-chunked", method: "POST", path: "/echo", body: slow, size: -1},
		{name: "post-expect", method: "POST", path: "/echo", header: [2]string{"Expect", "100-continue"}, body: text(5000), size: 5000},
		{name: "leaves-answer", method: "GET", path: "/large", part: 10_000},
		{name: "leaves-events", method: "GET", path: "/events", part: 5},
		{name: "leaves-body", method: "POST", path: "/echo", body: slow, size: -1, leaves: true},
	}
}

// dribbled is a body that comes in pieces.
type dribbled struct {
	piece string
	pause time.Duration
	times int
}

func (d *dribbled) Read(p []byte) (int, error) {
	if d.times == 0 {
		return 0, io.EOF
	}
	d.times--
	time.Sleep(d.pause)
	return copy(p, d.piece), nil
}

// through are the ways behind a gateway: the bare one first, to which the others are
// compared.
func through() []string { return []string{"bare", "sidecar", "written"} }

// pair is one gateway, spoken to in one version of HTTP, with the ways behind it.
type pair struct {
	name   string
	client map[string]*http.Client
	base   map[string]string

	mu      sync.Mutex
	counts  map[string]map[string]map[string]int // by way, kind and what became of it
	differs []string
}

func newPair(gateway string, two bool, ways map[string]way) *pair {
	p := &pair{
		name: gateway + " HTTP/1.1", client: map[string]*http.Client{}, base: map[string]string{}, counts: map[string]map[string]map[string]int{},
	}
	if two {
		p.name = gateway + " HTTP/2"
	}
	for name, w := range ways {
		p.base[name], p.counts[name] = "http://"+w.Plain, map[string]map[string]int{}
		transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true, ExpectContinueTimeout: time.Second}
		if two {
			p.base[name] = "https://" + w.TLS
			transport.ForceAttemptHTTP2 = true
			transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the test made the certificate
		}
		p.client[name] = &http.Client{Transport: transport, Timeout: 2 * patience}
	}
	return p
}

// send sends one request and tells what became of it: the status and a sum of the body,
// or how it failed.
func (p *pair) send(way, prefix string, k kind) string {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	var body io.Reader
	if k.body != nil {
		body = k.body()
	}
	if k.leaves {
		go func() {
			time.Sleep(100 * time.Millisecond) // a third of the body
			leave()
		}()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, p.base[way]+prefix+k.path, body)
	if err != nil {
		return "no request"
	}
	if k.body != nil {
		req.ContentLength = k.size
		req.Header.Set("Content-Type", "application/json")
	}
	if k.header[0] != "" {
		req.Header.Set(k.header[0], k.header[1])
	}
	resp, err := p.client[way].Do(req)
	switch {
	case k.leaves && errors.Is(err, context.Canceled):
		return "left"
	case err != nil:
		return "no answer"
	}
	defer func() { _ = resp.Body.Close() }()
	if p.http2() != (resp.ProtoMajor == 2) {
		return resp.Proto
	}
	if k.part > 0 {
		if _, err := io.CopyN(io.Discard, resp.Body, k.part); err != nil {
			return fmt.Sprint(resp.StatusCode, " cut")
		}
		return fmt.Sprint(resp.StatusCode, " left")
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		return fmt.Sprint(resp.StatusCode, " cut")
	}
	return fmt.Sprintf("%d %.3x", resp.StatusCode, sum.Sum(nil))
}

func (p *pair) http2() bool { return strings.HasSuffix(p.name, "HTTP/2") }

// all sends one request all ways at once, and compares.
func (p *pair) all(prefix string, k kind) {
	became := make([]string, len(through()))
	var sending sync.WaitGroup
	for i, way := range through() {
		sending.Go(func() { became[i] = p.send(way, prefix, k) })
	}
	sending.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := map[string]string{}
	for i, way := range through() {
		got[way] = became[i]
	}
	for way, became := range got {
		if p.counts[way][k.name] == nil {
			p.counts[way][k.name] = map[string]int{}
		}
		p.counts[way][k.name][became]++
	}
	for _, way := range through()[1:] {
		if got["bare"] != got[way] && !failure(got["bare"]) && len(p.differs) < 20 {
			p.differs = append(p.differs, fmt.Sprintf("%s%s: bare %s, %s %s", prefix, k.name, got["bare"], way, got[way]))
		}
	}
}

// failure reports whether the way without the sidecar failed by itself.
func failure(became string) bool { return became == "no answer" || strings.HasPrefix(became, "50") }

func (p *pair) differences() []string { return p.differs }

// of is how many requests of a kind were sent.
func (p *pair) of(kind string) int {
	n := 0
	for _, times := range p.counts["sidecar"][kind] {
		n += times
	}
	return n
}

// drive sends honest traffic until a time: every kind once, and then at random, with
// pauses around the times after which pools give connections up.
func drive(t *testing.T, pairs []*pair, until time.Time) {
	t.Helper()
	gaps := []time.Duration{490, 500, 510, 990, 1000, 1010, 1990, 2000, 2010, 2500}
	var workers sync.WaitGroup
	for i, p := range pairs {
		for worker := range 2 {
			workers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), uint64(worker))) //nolint:gosec // not a secret
				prefix := []string{"", "/direct"}[worker]
				for _, k := range kinds() {
					p.all(prefix, k)
				}
				for time.Now().Before(until) {
					p.all(prefix, kinds()[random.IntN(len(kinds()))])
					if random.IntN(20) == 0 {
						time.Sleep(min(gaps[random.IntN(len(gaps))]*time.Millisecond, time.Until(until)))
					}
				}
			})
		}
	}
	workers.Wait()
	for _, p := range pairs {
		for _, client := range p.client {
			client.CloseIdleConnections()
		}
		require.NotEmpty(t, p.counts["sidecar"])
	}
}

// table prints what became of the requests all ways.
func table(pairs []*pair) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "gateway\trequests\t"+strings.Join(through(), "\t"))
	for _, p := range pairs {
		n := 0
		for _, k := range kinds() {
			n += p.of(k.name)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d", p.name, n)
		for _, way := range through() {
			statuses, names := map[string]int{}, []string{}
			for _, became := range p.counts[way] {
				for what, n := range became {
					word, rest, _ := strings.Cut(what, " ")
					if rest == "cut" || rest == "left" || rest == "answer" {
						word = what
					}
					if statuses[word] == 0 {
						names = append(names, word)
					}
					statuses[word] += n
				}
			}
			slices.Sort(names)
			_, _ = fmt.Fprint(w, "\t")
			for _, name := range names {
				_, _ = fmt.Fprintf(w, "%s: %d; ", name, statuses[name])
			}
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush() // a builder takes everything
	return b.String()
}
