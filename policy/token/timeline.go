package token

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxRetired and retiredFor bound the keys that are remembered after they left
	// the set.
	maxRetired = 32
	retiredFor = 30 * 24 * time.Hour
)

// KeyLife is what was seen of one key of an issuer since the process started.
type KeyLife struct {
	// KeyID is the kid as the issuer publishes it; Thumbprint names the key itself
	// (RFC 7638, SHA-256, base64url).
	KeyID      string
	Thumbprint string
	// Algorithm is the one algorithm that the key verifies.
	Algorithm string
	// FirstSeen and LastSeen are the first and the latest good read of the key set
	// that had the key as a usable one.
	FirstSeen time.Time
	LastSeen  time.Time
	// RetiredAt is the first good read without it; zero while it is in the set.
	RetiredAt time.Time
	// LastUsed is the time of the latest request whose token it signed, to the
	// second, also after it was retired; zero when there was none.
	LastUsed time.Time
	// Uses counts the tokens that it proved, remembered ones included.
	// UsesAfterRetirement counts those that it had signed and that were denied
	// because it had left the set.
	Uses                uint64
	UsesAfterRetirement uint64
}

// Timeline returns the lives of the keys that are in the set, and of those that
// left it: at most 32, for 30 days. It is ordered by first sight, id and
// thumbprint. It goes on when another key set of the same source takes the place
// of this one, and begins anew with the process.
func (s *KeySet) Timeline() []KeyLife { return s.timeline.lives(s.now()) }

// life is a key on the timeline.
type life struct {
	name lifeName
	// Guarded by timeline.mu. The key is what its latest read made of it.
	key                  *key
	first, last, retired time.Time
	// Counted by requests.
	uses, late atomic.Uint64
	// used is the Unix time of the latest use; zero means never.
	used atomic.Int64
}

// lifeName tells keys apart over all reads.
type lifeName struct{ id, thumbprint string }

// use counts a token that the key proved.
func (l *life) use(at time.Time) {
	l.uses.Add(1)
	l.usedAt(at)
}

// usedAt moves the latest use forward; most requests find it where it is.
func (l *life) usedAt(at time.Time) {
	second := at.Unix()
	for old := l.used.Load(); old < second; old = l.used.Load() {
		if l.used.CompareAndSwap(old, second) {
			return
		}
	}
}

// timeline remembers which keys an issuer had. Key sets that follow one another
// share it. Requests read only what their set has of it, so that a key is either in
// the set or has left it.
type timeline struct {
	// late counts uses after retirement, also of keys that were forgotten since.
	late atomic.Uint64

	mu sync.Mutex
	// all is guarded by mu.
	all map[lifeName]*life
}

// retiredName is by what a token finds a retired key: its id and algorithm, or
// its algorithm alone.
type retiredName struct{ id, alg string }

// retiredKey is a key that left the set: it tells that a token is of yesterday, and
// never proves one.
type retiredKey struct {
	*key
	until time.Time
}

func newTimeline() *timeline { return &timeline{all: make(map[lifeName]*life)} }

// saw takes note of a good read, before its set is used, and returns the keys that
// have left.
func (t *timeline) saw(s *set) map[retiredName]retiredKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := make(map[*life]bool, len(s.keys))
	for _, k := range s.keys {
		if k.life == nil { // else requests may be reading it
			name := lifeName{k.id, k.thumbprint()}
			if k.life = t.all[name]; k.life == nil {
				k.life = &life{name: name, first: s.read}
			}
		}
		l := k.life
		t.all[l.name], present[l] = l, true
		l.key, l.last, l.retired = k, s.read, time.Time{}
	}
	for _, l := range t.all {
		if !present[l] && l.retired.IsZero() {
			l.retired = s.read
		}
	}
	return t.forget(s.read)
}

// forget drops retired keys that are too old or too many, and returns the others. It
// needs mu.
func (t *timeline) forget(now time.Time) map[retiredName]retiredKey {
	var retired []*life
	for name, l := range t.all {
		switch {
		case l.retired.IsZero():
		case now.Sub(l.retired) > retiredFor:
			delete(t.all, name)
		default:
			retired = append(retired, l)
		}
	}
	slices.SortFunc(retired, func(a, b *life) int {
		return cmp.Or(b.retired.Compare(a.retired), b.last.Compare(a.last), b.first.Compare(a.first), cmp.Compare(a.name.id, b.name.id), cmp.Compare(a.name.thumbprint, b.name.thumbprint))
	})
	for len(retired) > maxRetired {
		last := len(retired) - 1
		delete(t.all, retired[last].name)
		retired = retired[:last]
	}
	// The latest one of each name is enough, and bounds what a wrong signature costs.
	byName := make(map[retiredName]retiredKey, 2*len(retired))
	for _, l := range slices.Backward(retired) {
		k := retiredKey{l.key, l.retired.Add(retiredFor)}
		byName[retiredName{"", k.alg.name}] = k
		if k.id != "" {
			byName[retiredName{k.id, k.alg.name}] = k
		}
	}
	return byName
}

// signed reports whether a key that had left the set signed the token, and counts it.
func (t *timeline) signed(s *set, h *header, p parts, at time.Time) bool {
	k, ok := s.retired[retiredName{h.keyID, h.alg.name}]
	if !ok || at.After(k.until) || !k.verifies(p.input, p.signature) {
		return false
	}
	k.life.late.Add(1)
	k.life.usedAt(at)
	t.late.Add(1)
	return true
}

func (t *timeline) lives(now time.Time) []KeyLife {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]KeyLife, 0, len(t.all))
	for _, l := range t.all {
		if !l.retired.IsZero() && now.Sub(l.retired) > retiredFor {
			continue
		}
		k := KeyLife{
			KeyID: l.name.id, Thumbprint: l.name.thumbprint, Algorithm: l.key.alg.name,
			FirstSeen: l.first.UTC(), LastSeen: l.last.UTC(), RetiredAt: l.retired.UTC(),
			Uses: l.uses.Load(), UsesAfterRetirement: l.late.Load(),
		}
		if second := l.used.Load(); second != 0 {
			k.LastUsed = time.Unix(second, 0).UTC()
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b KeyLife) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Thumbprint, b.Thumbprint))
	})
	return all
}
