package schema

import (
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
)

// digest stands for a value: equal values have equal ones. Two that differ have
// equal ones with a chance of 2^-128, which nobody can better who does not know the
// seeds. The sum that makes members commute is safe for the same reason.
type digest [2]uint64

// hasher makes digests; the seeds are those of one compiler.
type hasher [2]maphash.Seed

func newHasher() *hasher { return &hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

// kinds tells the digests of different kinds apart.
const kinds = 0x9e3779b97f4a7c15

// The kinds of what is hashed, apart from the kinds of JSON.
const (
	hashName   = 'k'
	hashMember = 'm'
)

func (h *hasher) bytes(kind byte, text []byte) digest {
	var d digest
	for i, seed := range h {
		d[i] = maphash.Bytes(seed, text) + uint64(kind)*kinds
	}
	return d
}

// pair returns the digest of two digests in order.
func (h *hasher) pair(kind byte, a, b digest) digest {
	var text [32]byte
	for i, n := range [4]uint64{a[0], a[1], b[0], b[1]} {
		binary.LittleEndian.PutUint64(text[8*i:], n)
	}
	return h.bytes(kind, text[:])
}

func (d digest) plus(o digest) digest { return digest{d[0] + o[0], d[1] + o[1]} }

// tree returns the digest of a raw value, the same as a Run makes of its tokens.
func (h *hasher) tree(value any) digest {
	switch v := value.(type) {
	case bool:
		if v {
			return h.bytes('t', nil)
		}
		return h.bytes('f', nil)
	case json.Number:
		return h.bytes('0', parseDecimal([]byte(v)).appendCanonical(nil))
	case string:
		return h.bytes('"', []byte(v))
	case []any:
		var sum digest
		for _, item := range v {
			sum = h.pair('[', sum, h.tree(item))
		}
		return h.pair(']', sum, digest{})
	case map[string]any:
		var sum digest
		for name, member := range v {
			sum = sum.plus(h.pair(hashMember, h.bytes(hashName, []byte(name)), h.tree(member)))
		}
		return h.pair('}', sum, digest{})
	}
	return h.bytes('n', nil)
}

// valuesOf returns the set of raw values of an enum or a const.
func (h *hasher) valuesOf(raw []any) *values {
	set := &values{texts: map[string]struct{}{}, numbers: map[string]struct{}{}}
	for _, value := range raw {
		switch v := value.(type) {
		case nil:
			set.null = true
		case bool:
			set.yes, set.no = set.yes || v, set.no || !v
		case json.Number:
			set.numbers[string(parseDecimal([]byte(v)).appendCanonical(nil))] = struct{}{}
		case string:
			set.texts[v] = struct{}{}
		default:
			set.nested = append(set.nested, h.tree(v))
		}
	}
	if len(set.texts) <= fewTexts {
		set.few = slices.Sorted(maps.Keys(set.texts))
	}
	return set
}

// fewTexts is how many are compared one by one, which mostly ends at their length.
const fewTexts = 8

// text reports whether a text is one of the values.
func (v *values) text(text []byte) bool {
	if len(v.texts) > fewTexts {
		_, ok := v.texts[string(text)]
		return ok
	}
	for _, one := range v.few { //nolint:modernize // slices.Contains would copy a long text
		if one == string(text) {
			return true
		}
	}
	return false
}
