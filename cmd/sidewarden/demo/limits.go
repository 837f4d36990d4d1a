package demo

import (
	"math"
	"net/http"
	"sync"
	"time"
)

// bound is what a limit allows.
type bound struct {
	perSecond float64
	burst     int
}

// What the backend allows one application, and the policy all applications of one
// customer together. The rest of the policy's limits are those of the backend.
func metersOfApp() bound      { return bound{perSecond: 20, burst: 20} }
func metersOfCustomer() bound { return bound{perSecond: 5, burst: 5} }
func eventsOfApp() bound      { return bound{perSecond: 10, burst: 4} }

// times is what n independent limiters allow together.
func (b bound) times(n int) bound {
	return bound{perSecond: b.perSecond * float64(n), burst: b.burst * n}
}

// due returns how many requests are over the limit at least, of those that one
// key sent within a time: no bucket holds more than the burst at its beginning.
func (b bound) due(sent int, took time.Duration) int {
	allowed := b.burst + int(math.Ceil(b.perSecond*took.Seconds()))
	return max(0, sent-allowed)
}

// limiter is what the backend limits applications with: a bucket for each.
type limiter struct {
	bound   bound
	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(b bound) *limiter { return &limiter{bound: b, buckets: map[string]bucket{}} }

// allows takes one request of a client.
func (l *limiter) allows(client string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := float64(l.bound.burst)
	b, known := l.buckets[client]
	if !known {
		b = bucket{left: full, at: now}
	}
	b.left = min(full, b.left+l.bound.perSecond*now.Sub(b.at).Seconds())
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	l.buckets[client] = b
	return ok
}

// limited refuses what is over the limit of an application. Nobody counts what a
// customer with several of them gets (row 17), and the limiter of one instance
// does not know what another one let through (row 18).
func limited(l *limiter, next func(http.ResponseWriter, *http.Request, claims)) func(http.ResponseWriter, *http.Request, claims) {
	return func(w http.ResponseWriter, r *http.Request, c claims) {
		if !l.allows(c.Client, time.Now()) {
			answer(w, http.StatusTooManyRequests, map[string]any{"success": false, "ErrorCode": "slow-down"})
			return
		}
		next(w, r, c)
	}
}

func (in *instance) listMeters(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "ports": len(e.ports)})
}

func (in *instance) listEvents(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	events := make([]string, 0, len(e.ports))
	for _, p := range e.ports {
		events = append(events, p.ID+" went up")
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "events": events})
}
