package token

import (
	"strings"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/sidewarden/sidewarden/policy"
)

// fact is what is known of a token whose signature was verified. It is no
// verdict: expiry, audience and the presence of the key are judged on every use.
type fact struct {
	token  *policy.Token
	issuer *issuer
	key    *key
}

// uses count the well-formed tokens that name an issuer. Authenticators that follow
// one another share them.
type uses struct{ hits, misses atomic.Uint64 }

// CacheStats count the well-formed JWTs that name one issuer.
type CacheStats struct {
	// Issuer is the configured issuer.
	Issuer string
	// Hits counts tokens that were remembered as proven, Misses those whose proof was
	// looked for, with whatever result: new ones, forged ones, and those whose key is
	// gone.
	Hits, Misses uint64
}

// CacheStats returns the counts of every issuer with keys, in no order. They go on when an
// authenticator takes the place of another one, as long as the issuer stays.
func (a *Authenticator) CacheStats() []CacheStats {
	all := make([]CacheStats, 0, len(a.issuers))
	for _, i := range a.issuers {
		if i.keys == nil {
			continue // its tokens are no JWTs
		}
		all = append(all, CacheStats{Issuer: i.name, Hits: i.uses.hits.Load(), Misses: i.uses.misses.Load()})
	}
	return all
}

// cache holds the facts of verified tokens by their exact bytes, bounded by weight.
// Only a valid signature gets in, so a client cannot fill it with tokens of its own
// making. The key is the token and not a digest of it: a comparison of all bytes
// cannot confuse two tokens, and a digest would cost ten times the look-up. A nil
// cache holds nothing.
type cache struct {
	facts *otter.Cache[string, fact]
}

// factBytes is about what the facts of a token take besides its text and the
// strings that were read from it.
const factBytes = 512

func newCache(bytes int64) (*cache, error) {
	facts, err := otter.New(&otter.Options[string, fact]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(t string, _ fact) uint32 { return uint32(2*len(t) + factBytes) }, // len(t) is bounded
		// Maintenance is a few list operations; in the caller's goroutine it needs
		// none of its own and nobody has to join it.
		Executor: func(f func()) { f() },
	})
	if err != nil {
		return nil, err
	}
	return &cache{facts: facts}, nil
}

func (c *cache) get(t string) (fact, bool) {
	if c == nil {
		return fact{}, false
	}
	return c.facts.GetIfPresent(t)
}

func (c *cache) put(t string, f fact) {
	if c != nil {
		c.facts.Set(strings.Clone(t), f) // a part of a header would keep all of it
	}
}

func (c *cache) drop(t string) { c.facts.Invalidate(t) }
