package demo

import (
	"math"
	"net/http"
	"time"

	"github.com/sidewarden/sidewarden/ratelimit"
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

// due returns how many requests are over the limit at least, of those that one
// key sent within a time: no bucket holds more than the burst at its beginning.
func (b bound) due(sent int, took time.Duration) int {
	allowed := b.burst + int(math.Ceil(b.perSecond*took.Seconds()))
	return max(0, sent-allowed)
}

func newBackendLimiter(name string, l bound) (*ratelimit.Limiter, error) {
	const clients = 100
	return ratelimit.New(ratelimit.Limit{Name: name, Rate: l.perSecond, Burst: l.burst, MaxKeys: clients})
}

// limited refuses what is over the limit of an application. Nobody counts what a
// customer with several of them gets (row 17), and the limiter of one instance
// does not know what another one let through (row 18).
func limited(l *ratelimit.Limiter, next func(http.ResponseWriter, *http.Request, claims)) func(http.ResponseWriter, *http.Request, claims) {
	return func(w http.ResponseWriter, r *http.Request, c claims) {
		ask := ratelimit.Ask{Limiter: l, Key: []byte(c.Client), N: 1}
		if !ratelimit.Take(time.Now(), []ratelimit.Ask{ask}, nil)[0].Allowed {
			answer(w, http.StatusTooManyRequests, map[string]any{"success": false, "ErrorCode": "slow-down"})
			return
		}
		next(w, r, c)
	}
}

func (in *instance) listMeters(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e, ok := in.db.estates[r.PathValue("accountId")]
	if !ok {
		missing(w)
		return
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "ports": len(e.ports)})
}

func (in *instance) listEvents(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e, ok := in.db.estates[r.PathValue("accountId")]
	if !ok {
		missing(w)
		return
	}
	events := make([]string, 0, len(e.ports))
	for _, p := range e.ports {
		events = append(events, p.ID+" went up")
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "events": events})
}
