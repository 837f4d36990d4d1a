package payload

import (
	"bytes"
	"hash/maphash"
)

// nameSet has the names of the members of a document, each with the object that it is
// in. What one costs does not depend on how many they are, nor on what a client makes of
// them, who does not know the seed. It keeps its memory.
type nameSet struct {
	seed  maphash.Seed
	round uint32     // counts documents: what others left in the slots is nothing
	slots []nameSlot // a power of two, at most half of them taken
	names []name
	arena []byte // text that is not part of the document
}

// nameSlot leads to a name.
type nameSlot struct {
	hash  uint64
	round uint32
	name  uint32
}

type name struct {
	object uint32
	text   []byte
}

// fewSlots is how many a set begins with.
const fewSlots = 128

func newNameSet() nameSet { return nameSet{seed: maphash.MakeSeed()} }

// begin empties the set.
func (n *nameSet) begin() {
	n.names, n.arena = n.names[:0], n.arena[:0]
	if n.round++; n.round == 0 { // slots of 2^32 documents ago would count
		clear(n.slots)
		n.round = 1
	}
}

// forget drops what belongs to the document, and reports whether the set is small.
func (n *nameSet) forget() bool {
	clear(n.names)
	return cap(n.arena) <= maxKeptBytes
}

// add adds the name of a member of an object, and reports whether it is the first there.
// The text is kept; copied says that it must not be.
func (n *nameSet) add(object uint32, text []byte, copied bool) bool {
	if 2*len(n.names) >= len(n.slots) {
		n.grow()
	}
	hash := n.hash(object, text)
	i := n.find(hash)
	for ; n.slots[i].round == n.round; i = n.after(i) {
		if s := &n.slots[i]; s.hash == hash {
			if other := &n.names[s.name]; other.object == object && bytes.Equal(other.text, text) {
				return false
			}
		}
	}
	if copied {
		n.arena = append(n.arena, text...)
		text = n.arena[len(n.arena)-len(text):]
	}
	n.slots[i] = nameSlot{hash, n.round, uint32(len(n.names))} //nolint:gosec // at most MaxMembers
	n.names = append(n.names, name{object, text})
	return true
}

func (n *nameSet) hash(object uint32, text []byte) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return maphash.Bytes(n.seed, text) + uint64(object)*odd
}

// find returns the slot at which the search for a hash begins.
func (n *nameSet) find(hash uint64) int { return int(hash>>32) & (len(n.slots) - 1) }

func (n *nameSet) after(i int) int { return (i + 1) & (len(n.slots) - 1) }

// grow doubles the slots.
func (n *nameSet) grow() {
	n.slots = make([]nameSlot, max(fewSlots, 2*len(n.slots)))
	for k, name := range n.names {
		hash := n.hash(name.object, name.text)
		i := n.find(hash)
		for n.slots[i].round == n.round {
			i = n.after(i)
		}
		n.slots[i] = nameSlot{hash, n.round, uint32(k)} //nolint:gosec // at most MaxMembers
	}
}
