package audit

import "sync"

const (
	memoShards = 16
	// Entries of one shard and generation. All shards and both generations of one
	// memo hold at most 8192 pseudonyms, of at most maxRemembered bytes each: 3 MB.
	memoEntries   = 256
	maxRemembered = 256
)

// memo remembers pseudonyms by the exact value that they stand for, because a
// keyed digest costs ten times a lookup and clients come back. It is bounded
// whatever values come: a full generation becomes the old one, and the old one
// is forgotten but for what was asked again in the meantime. A flood of new
// values therefore costs the digest of each, and does not drive out what is in
// use. It is safe for concurrent use.
type memo[K comparable] struct {
	shards [memoShards]memoShard[K]
}

type memoShard[K comparable] struct {
	mu         sync.Mutex // guards both
	young, old map[K]string
}

// find returns what is remembered of a key, and false when nothing is. Shard is
// any function of the key.
func (m *memo[K]) find(shard uint64, k K) (string, bool) {
	s := &m.shards[shard%memoShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.young[k]; ok {
		return v, true
	}
	v, ok := s.old[k]
	if ok {
		s.add(k, v)
	}
	return v, ok
}

func (m *memo[K]) keep(shard uint64, k K, v string) {
	s := &m.shards[shard%memoShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(k, v)
}

// add needs mu.
func (s *memoShard[K]) add(k K, v string) {
	if s.young == nil {
		s.young, s.old = make(map[K]string), make(map[K]string)
	}
	if len(s.young) >= memoEntries {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
	s.young[k] = v
}

// name is a value with the issuer within which it is unique, if there is one.
type name struct {
	issuer, value string
	owned         bool
}
