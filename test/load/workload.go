package main

import (
	"sync/atomic"
)

// workload is one way to drive a proxy.
type workload struct {
	name, title string
	connections int
	tls, h2     bool
	rate        float64 // requests per second, planned; 0: as fast as answers come
	fresh       bool    // every token is new
	alone       bool    // the controls alone are driven too
	replay      bool    // tok.replay alone is driven: it needs new tokens
	plain       bool    // the references join
	shots       func(*material) ([]shot, []string)
}

func (m *material) rsa() ([]shot, []string) { return m.bare, m.rs256 }
func (m *material) ec() ([]shot, []string)  { return m.bare, m.es256 }

// reusedTokens makes the requests of a workload whose tokens come again.
func reusedTokens(of func(*material) []shot) func(*material) ([]shot, []string) {
	return func(m *material) ([]shot, []string) { return of(m), nil }
}

// workloads returns all of them, in order. Those with new tokens come late: they fill
// the cache of a sidecar, and with a larger heap everything after them would be
// collected less often than in a process that did not serve them.
func workloads(rate float64) []workload {
	gets := reusedTokens(func(m *material) []shot { return m.reused })
	return []workload{
		{name: "get", title: "GET, reused tokens", connections: 32, alone: true, plain: true, shots: gets},
		{name: "post-1k", title: "POST of 1 KB", connections: 32, alone: true, plain: true, shots: reusedTokens(func(m *material) []shot { return m.post1 })},
		{name: "post-16k", title: "POST of 16 KB", connections: 32, plain: true, shots: reusedTokens(func(m *material) []shot { return m.post16 })},
		{name: "post-256k", title: "POST of 256 KB", connections: 32, plain: true, shots: reusedTokens(func(m *material) []shot { return m.post256 })},
		{name: "mix", title: "90 % GET, 10 % POST, 2 % violations", connections: 32, shots: reusedTokens(func(m *material) []shot { return m.mix })},
		{name: "get-c1", title: "GET, one connection", connections: 1, plain: true, shots: gets},
		{name: "get-c512", title: "GET, 512 connections", connections: 512, plain: true, shots: gets},
		{name: "get-rate", title: "GET at a fixed rate", connections: 64, rate: rate, plain: true, shots: gets},
		{name: "get-new-rs256", title: "GET, every token new, RS256", connections: 32, fresh: true, replay: true, plain: true, shots: (*material).rsa},
		{name: "get-new-es256", title: "GET, every token new, ES256", connections: 32, fresh: true, replay: true, shots: (*material).ec},
		{name: "get-tls", title: "GET over TLS", connections: 32, tls: true, shots: gets},
		{name: "get-h2", title: "GET over HTTP/2 and TLS", connections: 32, tls: true, h2: true, shots: gets},
	}
}

// drives reports whether a profile is driven by a workload.
func (w workload) drives(p profile) bool {
	switch {
	case p.replay:
		return w.replay
	case p.control != "":
		return w.alone
	case p.kind == kindHAProxy || p.kind == kindNginx:
		return w.plain && !(w.fresh && p.kind == kindNginx)
	}
	return true
}

// feed hands out the requests of one measurement to all connections.
type feed struct {
	shots   []shot
	tokens  []string // each is used once, after the head of the first shot
	limit   int64
	enforce bool
	taken   atomic.Int64
}

// maxRequests bounds every measurement.
const maxRequests = 5_000_000

// newFeed returns the requests of a workload. Where tokens are new there are as
// many requests as tokens, so that none is used twice.
func newFeed(shots []shot, tokens []string, enforce bool) *feed {
	f := &feed{shots: shots, tokens: tokens, limit: maxRequests, enforce: enforce}
	if tokens != nil {
		f.limit = int64(len(tokens))
	}
	return f
}

// next returns the next request, its bytes (in buf where they must be put
// together), and the status that it must be answered with; false when there is no
// more.
func (f *feed) next(buf []byte) (s *shot, wire []byte, want int, more bool) {
	i := f.taken.Add(1) - 1
	if i >= f.limit {
		return nil, nil, 0, false
	}
	s = &f.shots[i%int64(len(f.shots))]
	want = 200
	if f.enforce {
		want = s.enforced
	}
	if f.tokens == nil {
		return s, s.wire, want, true
	}
	wire = append(buf[:0], s.wire...)
	wire = append(wire, "Authorization: Bearer "...)
	wire = append(wire, f.tokens[i]...)
	return s, append(wire, "\r\n\r\n"...), want, true
}
