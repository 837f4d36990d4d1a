package token

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// set is the usable keys of one read of a key set. It is immutable.
type set struct {
	keys []*key
	byID map[string]*key
	// retired are the keys that had left when the set was read.
	retired map[retiredName]retiredKey
	// read is when the document was asked for.
	read time.Time
}

// find returns the key of an id. Without an id it returns the only key that
// verifies alg; of several, none can be meant.
func (s *set) find(id, alg string) *key {
	if id != "" {
		return s.byID[id]
	}
	var only *key
	for _, k := range s.keys {
		if k.alg.name != alg {
			continue
		}
		if only != nil {
			return nil
		}
		only = k
	}
	return only
}

// has reports whether k is a key of the set.
func (s *set) has(k *key) bool { return slices.Contains(s.keys, k) }

// readSet makes a set of the raw document. Keys that are also in previous are the
// same pointers, so that has is a comparison. The map counts the keys that are not
// used. It is returned with an error too when keys were counted.
func readSet(document []byte, allowed []string, previous *set) (*set, map[SkipReason]int, RefreshResult, error) {
	raw, err := readDocument(document)
	if err != nil {
		return nil, nil, RefreshMalformed, err
	}
	if len(raw) > maxKeys {
		return nil, nil, RefreshTooManyKeys, fmt.Errorf("%d keys, more than %d", len(raw), maxKeys)
	}
	skipped := make(map[SkipReason]int)
	count := make(map[string]int)
	var keys []*key
	for _, text := range raw {
		k, why := readKey(text, allowed)
		if why != "" {
			skipped[why]++
			continue
		}
		keys = append(keys, k)
		count[k.id]++
	}
	s := &set{byID: make(map[string]*key)}
	for _, k := range keys {
		if k.id != "" && count[k.id] > 1 {
			skipped[SkipDuplicateID]++
			continue
		}
		k = previous.known(k)
		s.keys = append(s.keys, k)
		if k.id != "" {
			s.byID[k.id] = k
		}
	}
	if len(s.keys) == 0 {
		return nil, skipped, RefreshNoUsableKey, fmt.Errorf("none of its %d keys is usable%s", len(raw), counts(skipped))
	}
	return s, skipped, RefreshOK, nil
}

// allowing returns the set as its keys would be read with other algorithms
// allowed: each pinned anew, those that none fits left out. It is as old as s. It
// is nil when no key is left.
func (s *set) allowing(allowed []string) *set {
	if s == nil {
		return nil
	}
	next := &set{byID: make(map[string]*key), retired: s.retired, read: s.read}
	for _, k := range s.keys {
		alg, why := pin(k.named, k.alg.kind, allowed)
		if why != "" {
			continue
		}
		if alg != k.alg {
			pinned := *k
			pinned.alg = alg
			k = &pinned
		}
		next.keys = append(next.keys, k)
		if k.id != "" {
			next.byID[k.id] = k
		}
	}
	if len(next.keys) == 0 {
		return nil
	}
	return next
}

func (s *set) known(k *key) *key {
	if s != nil {
		for _, o := range s.keys {
			if o.same(k) {
				return o
			}
		}
	}
	return k
}

// counts writes the skip counts for an error message.
func counts(skipped map[SkipReason]int) string {
	var parts []string
	for _, why := range SkipReasons() {
		if n := skipped[why]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", why, n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
