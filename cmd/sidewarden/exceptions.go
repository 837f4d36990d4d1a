package main

import (
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/config"
)

// exceptionLedger counts what exceptions covered, by id. It knows no more ids than
// configurations gave, and keeps its counts across reloads.
type exceptionLedger struct {
	since time.Time

	mu      sync.Mutex
	matches map[string]uint64
}

func newExceptionLedger(since time.Time) *exceptionLedger {
	return &exceptionLedger{since: since, matches: map[string]uint64{}}
}

// Consume implements [audit.Consumer].
func (l *exceptionLedger) Consume(rec *audit.Record) {
	for i := range rec.Findings {
		if id := rec.Findings[i].Exception; id != "" {
			l.mu.Lock()
			l.matches[id]++
			l.mu.Unlock()
		}
	}
}

func (l *exceptionLedger) count(id string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.matches[id]
}

// forMetrics tells the metrics about the exceptions of a configuration.
func (l *exceptionLedger) forMetrics(c *config.Config) []metrics.Exception {
	all := make([]metrics.Exception, 0, len(c.Exceptions))
	for _, e := range c.Exceptions {
		all = append(all, metrics.Exception{ID: e.ID, Expires: e.Expires.Until(), Matches: l.count(e.ID)})
	}
	return all
}

// exceptionDocument is what /exceptions shows.
type exceptionDocument struct {
	Exceptions []exceptionEntry `json:"exceptions"`
	// Since is when counting began: the start of the process.
	Since time.Time `json:"since"`
}

// exceptionEntry is one exception as it was configured, and what became of it.
type exceptionEntry struct {
	ID        string `json:"id"`
	Control   string `json:"control"`
	Operation string `json:"operation,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	Client    string `json:"client,omitempty"`
	Owner     string `json:"owner"`
	Reason    string `json:"reason"`
	// Expires is the first moment at which it covers nothing any more.
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired"`
	// Matches are the findings that it covered.
	Matches uint64 `json:"matches"`
}

// document tells about the exceptions of a configuration at a time.
func (l *exceptionLedger) document(c *config.Config, now time.Time) exceptionDocument {
	doc := exceptionDocument{Exceptions: make([]exceptionEntry, 0, len(c.Exceptions)), Since: l.since.UTC()}
	for _, e := range c.Exceptions {
		until := e.Expires.Until()
		doc.Exceptions = append(doc.Exceptions, exceptionEntry{
			ID: e.ID, Control: e.Control, Operation: e.Operation, Issuer: e.Issuer, Client: e.Client,
			Owner: e.Owner, Reason: e.Reason, Expires: until, Expired: !now.Before(until), Matches: l.count(e.ID),
		})
	}
	return doc
}
