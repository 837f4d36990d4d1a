package token

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/sidewarden/sidewarden/policy"
)

// answers holds what one issuer said of its tokens, by their exact bytes, bounded by
// weight.
type answers struct {
	byToken *otter.Cache[string, answer]
}

func newAnswers(bytes uint64) (*answers, error) {
	byToken, err := otter.New(&otter.Options[string, answer]{
		MaximumWeight: bytes,
		Weigher: func(t string, a answer) uint32 {
			return uint32(len(t) + a.bytes + listBytes(a.token) + factBytes) // an answer is bounded, and with it its lists
		},
		Executor: func(f func()) { f() }, // as in newCache
	})
	if err != nil {
		return nil, err
	}
	return &answers{byToken}, nil
}

// listBytes is about what the lists of a token take besides their strings.
func listBytes(t *policy.Token) int {
	const header = 16
	if t == nil {
		return 0
	}
	return header * (len(t.Audience) + len(t.Claimed.Accounts) + len(t.Claimed.Scopes))
}

func (a *answers) get(t string) (answer, bool) { return a.byToken.GetIfPresent(t) }

func (a *answers) put(t string, said answer) { a.byToken.Set(t, said) }

func (a *answers) drop(t string) { a.byToken.Invalidate(t) }

// IntrospectionResult says how one question to an issuer ended. The set is closed.
type IntrospectionResult string

// The results. After those from IntrospectionUnreachable to IntrospectionRedirect the
// endpoint counts as failing, and is asked once in a second.
const (
	IntrospectionActive       IntrospectionResult = "active"
	IntrospectionInactive     IntrospectionResult = "inactive"
	IntrospectionForeign      IntrospectionResult = "foreign"      // active, and of another issuer
	IntrospectionUnreachable  IntrospectionResult = "unreachable"  // no answer, or a broken one
	IntrospectionTimeout      IntrospectionResult = "timeout"      // not complete in time
	IntrospectionUnauthorized IntrospectionResult = "unauthorized" // 401 or 403: the client or its secret is refused
	IntrospectionStatus       IntrospectionResult = "status"       // 429, or 500 and above
	IntrospectionRedirect     IntrospectionResult = "redirect"     // to another scheme, host or method, or too often
	IntrospectionRefused      IntrospectionResult = "refused"      // any other answer than 200
	IntrospectionTooLarge     IntrospectionResult = "too-large"    // more than 64 KiB
	IntrospectionMalformed    IntrospectionResult = "malformed"    // not an answer, or with a claim that cannot be read
	IntrospectionBusy         IntrospectionResult = "busy"         // not asked: 64 questions are open
	IntrospectionPaused       IntrospectionResult = "paused"       // not asked: the endpoint is failing
)

// IntrospectionResults returns all results.
func IntrospectionResults() []IntrospectionResult {
	return []IntrospectionResult{
		IntrospectionActive, IntrospectionInactive, IntrospectionForeign, IntrospectionUnreachable, IntrospectionTimeout,
		IntrospectionUnauthorized, IntrospectionStatus, IntrospectionRedirect, IntrospectionRefused, IntrospectionTooLarge,
		IntrospectionMalformed, IntrospectionBusy, IntrospectionPaused,
	}
}

// failed reports whether the endpoint does not work, whichever token it is asked
// about. What a token of a client's choice can cause is not among it: one token would
// keep all others from being asked about.
func (r IntrospectionResult) failed() bool {
	return slices.Contains([]IntrospectionResult{
		IntrospectionUnreachable, IntrospectionTimeout, IntrospectionUnauthorized, IntrospectionStatus, IntrospectionRedirect,
	}, r)
}

// introspections counts the questions to an issuer. Authenticators that follow one
// another share it.
type introspections struct {
	hits, misses atomic.Uint64

	mu      sync.Mutex // guards results
	results map[IntrospectionResult]uint64
}

func newIntrospections() *introspections {
	counts := &introspections{results: make(map[IntrospectionResult]uint64)}
	for _, r := range IntrospectionResults() {
		counts.results[r] = 0
	}
	return counts
}

func (i *introspections) add(r IntrospectionResult) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.results[r]++
}

// IntrospectionStats count the questions to one issuer about its tokens.
type IntrospectionStats struct {
	// Issuer is the configured issuer.
	Issuer string
	// Results counts questions by how they ended; it has every result and is the
	// caller's.
	Results map[IntrospectionResult]uint64
	// Hits counts requests for which an answer was remembered, Misses those for which
	// one was looked for.
	Hits, Misses uint64
}

// IntrospectionStats returns the counts of every issuer that is asked about tokens,
// in no order. They go on when an authenticator takes the place of another one, as
// long as the issuer is asked.
func (a *Authenticator) IntrospectionStats() []IntrospectionStats {
	var all []IntrospectionStats
	for _, i := range a.issuers {
		if i.endpoint == nil {
			continue
		}
		counts := i.endpoint.counts
		counts.mu.Lock()
		results := maps.Clone(counts.results)
		counts.mu.Unlock()
		all = append(all, IntrospectionStats{Issuer: i.name, Results: results, Hits: counts.hits.Load(), Misses: counts.misses.Load()})
	}
	return all
}
