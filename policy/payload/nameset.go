package payload

import (
	"bytes"
	"hash/maphash"
)

// nameSet has the names of the members of all objects that are open, to find the one that
// comes twice in an object. What a name costs is bounded, whatever a client makes of it: it is
// compared with those of its object while these are few, and looked up in a table behind
// that. The set keeps its memory.
type nameSet struct {
	names [][]byte // those of an object lie behind those of the objects that it is in
	most  int      // names at a time
	arena []byte   // text that is not part of the document

	seed  maphash.Seed // nobody else knows it
	round uint32       // counts documents: what others left in the slots is nothing
	slots []nameSlot   // a power of two, at most half of them taken
	taken int
}

// members are those of one object that is open.
type members struct {
	object uint32 // its number in the document; 0 is an array
	first  int    // of its names
	signs  uint64 // of its names: one without its sign is new
}

// nameSlot leads to a name. That of an object which has ended may lead anywhere.
type nameSlot struct {
	hash  uint64
	round uint32
	name  int32
}

const (
	fewNames = 16 // are compared one by one
	fewSlots = 128
)

func newNameSet() nameSet { return nameSet{seed: maphash.MakeSeed()} }

// begin empties the set.
func (n *nameSet) begin() {
	n.names, n.most, n.arena, n.taken = n.names[:0], 0, n.arena[:0], 0
	if n.round++; n.round == 0 { // slots of 2^32 documents ago would count
		clear(n.slots)
		n.round = 1
	}
}

// forget drops what belongs to the document, and reports whether the set is small.
func (n *nameSet) forget() bool {
	clear(n.names[:max(n.most, len(n.names))])
	return cap(n.arena) <= maxKeptBytes
}

// open returns the members of the next object of that number, which are none.
func (n *nameSet) open(object uint32) members { return members{object: object, first: len(n.names)} }

// close forgets the members of the object that was opened last.
func (n *nameSet) close(m *members) {
	n.most = max(n.most, len(n.names))
	n.names = n.names[:m.first]
}

// add adds the name of one more member to the object that was opened last, and reports
// whether it is new there. The text is kept; copied says that it must not be.
func (n *nameSet) add(m *members, text []byte, copied bool) bool {
	sign := signOf(text)
	if (m.signs&sign != 0 || len(n.names)-m.first >= fewNames) && n.has(m, text) {
		return false
	}
	m.signs |= sign
	if copied {
		n.arena = append(n.arena, text...)
		text = n.arena[len(n.arena)-len(text):]
	}
	n.names = append(n.names, text)
	return true
}

// signOf returns one bit, the same for the same text.
func signOf(text []byte) uint64 {
	const odd = 0x9e3779b1
	n := len(text)
	if n == 0 {
		return 1
	}
	h := uint32(n)<<24 ^ uint32(text[0])<<16 ^ uint32(text[n/2])<<8 ^ uint32(text[n-1]) //nolint:gosec // any bits will do
	return 1 << (h * odd >> 26)
}

// has reports whether a member has the name. Where there are many their names are in the
// table, and so is this one then.
func (n *nameSet) has(m *members, text []byte) bool {
	count := len(n.names) - m.first
	if count > fewNames {
		return !n.take(m, text, len(n.names))
	}
	for _, other := range n.names[m.first:] {
		if bytes.Equal(other, text) {
			return true
		}
	}
	if count == fewNames {
		for i := m.first; i < len(n.names); i++ {
			n.take(m, n.names[i], i)
		}
		n.take(m, text, len(n.names))
	}
	return false
}

// take takes a slot for a name that is or will be at a place, and reports whether it had
// none.
func (n *nameSet) take(m *members, text []byte, at int) bool {
	const odd = 0x9e3779b97f4a7c15
	if 2*n.taken >= len(n.slots) {
		n.grow()
	}
	hash := maphash.Bytes(n.seed, text) + uint64(m.object)*odd
	i := n.slot(hash)
	for ; n.slots[i].round == n.round; i = n.behind(i) {
		s := n.slots[i]
		if own := m.first <= int(s.name) && int(s.name) < len(n.names); own && s.hash == hash && bytes.Equal(n.names[s.name], text) {
			return false
		}
	}
	n.slots[i] = nameSlot{hash, n.round, int32(at)} //nolint:gosec // at most MaxMembers
	n.taken++
	return true
}

// slot returns the slot at which the search for a hash begins.
func (n *nameSet) slot(hash uint64) int { return int(hash>>32) & (len(n.slots) - 1) }

func (n *nameSet) behind(i int) int { return (i + 1) & (len(n.slots) - 1) }

// grow doubles the slots.
func (n *nameSet) grow() {
	old := n.slots
	n.slots = make([]nameSlot, max(fewSlots, 2*len(old)))
	for _, s := range old {
		if s.round != n.round {
			continue
		}
		i := n.slot(s.hash)
		for n.slots[i].round == n.round {
			i = n.behind(i)
		}
		n.slots[i] = s
	}
}
