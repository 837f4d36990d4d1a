package schema

import (
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Run judges one value after another, each by the schema it was begun with. It is not
// safe for concurrent use; it keeps its memory.
//
// A value's activations are the schemas that judge it. Those of the open arrays and
// objects lie below each other in acts, each frame with its own; those of the value
// that begins lie on top, from base.
type Run struct {
	// Strangers asks for what Stranger returns of arrays and objects within others, and of
	// branches that do not fit. It is set before Begin.
	Strangers bool

	visit  func(jsontext.Kind, []byte) bool // for Judge, made once
	schema *Schema
	frames []frame
	acts   []act
	base   int
	links  []int32  // of each activation, the activations of its subs
	edges  []edge   // of activations that more than one schema asked for
	bits   []uint64 // which tracked names the objects have
	marks  []mark   // by node: the activation of the value that begins
	epoch  uint32
	lone   ask  // the only schema of the value that begins, while it has no activation
	from   from // where the memory of the value that begins starts

	sums    []digest // of the items of arrays that must be unique
	records []uint64 // of the members and items of values with unevaluated ones
	picks   []int32  // activations whose discriminator is the value that begins
	visited []uint64 // scratch of reach
	scratch []byte

	literal decimal // of the scalar at hand, once parsed
	parsed  bool

	failed   bool
	fault    Fault
	stranger string
	strange  bool
	oddity   string
	odd      bool
}

// act is one activation: a schema that judges one value.
type act struct {
	node    *node
	parent  int32 // whose member or item the value is; below 0 for none
	more    int32 // first of the other edges, plus 1
	links   int32
	bits    int32
	hits    int32 // items that contains matches
	chosen  int32 // what the discriminator chose: chosenFirst plus the index of a sub
	role    role  // for the parent's sake
	certain bool  // the value fails if this fails
	known   bool  // reached without not
	failed  bool
	settled bool
}

// What a discriminator chose, if not a sub.
const (
	chosenUnseen int32 = iota // its property is not there
	chosenWrong               // its value is none of the mapping
	chosenAny                 // there is no mapping
	chosenFirst               // the first of the subs
)

// ask is what lets a schema judge a value: for whose sake.
type ask struct {
	node   *node // nil: nobody asks
	parent int32 // not below 0
	role   role
}

// from is how long the memory of activations was before a value.
type from struct{ links, edges, bits int }

// edge is one more parent of an activation.
type edge struct {
	parent int32
	next   int32 // plus 1
	role   role
}

type mark struct {
	epoch uint32
	act   int32
}

// frame is one open array or object.
type frame struct {
	first, last int32 // its activations
	from        from
	sums        int32
	records     int32

	count   int32  // members or items so far
	words   int32  // of one record, twice; 0 if none are kept
	token   string // of the member that is read
	name    digest // of the member that is read
	sum     digest
	array   bool
	due     bool // a member's value comes next
	shown   bool // token may be told
	simple  bool // an object that one schema judges, by its properties
	listed  bool // some schema lists properties
	strange bool // there is a property that no schema declares
	unique  bool // some schema wants different items
	named   bool // some schema judges the names of members
	hashed  bool // the digest of the value is asked for
}

// Fault is where and by what keyword a value fails.
type Fault struct {
	// Pointer is the RFC 6901 pointer of the place up to the last declared name, with
	// "*" for the index of an array.
	Pointer string
	Keyword string
}

// Judge begins, and visits tokens until there is a fault.
func (r *Run) Judge(s *Schema, tokens iter.Seq2[jsontext.Kind, []byte]) {
	if r.visit == nil {
		r.visit = func(kind jsontext.Kind, text []byte) bool {
			r.Visit(kind, text)
			return !r.failed
		}
	}
	r.Begin(s)
	tokens(r.visit)
}

// Begin forgets the last value; the tokens that follow are those of the next.
func (r *Run) Begin(s *Schema) {
	r.schema = s
	r.frames, r.acts, r.links, r.edges, r.bits = r.frames[:0], r.acts[:0], r.links[:0], r.edges[:0], r.bits[:0]
	r.sums, r.records, r.picks = r.sums[:0], r.records[:0], r.picks[:0]
	r.failed, r.fault = false, Fault{}
	r.strange, r.stranger = false, ""
	r.odd, r.oddity = false, ""
	r.start()
	r.need(s.root, -1, roleAll, true, true)
}

// maxKept bounds the memory that a run is worth keeping with, in entries of each kind.
const maxKept = 4096

// Large reports whether a value has made the run keep much memory.
func (r *Run) Large() bool {
	return max(cap(r.acts), cap(r.links), cap(r.edges), cap(r.bits), cap(r.sums), cap(r.records), cap(r.scratch)) > maxKept
}

// Visit takes the next token. Text is that of a string or member name, unescaped and
// valid UTF-8 (jsontext.KindString), or the literal of a number; else it is ignored. It
// is not kept.
func (r *Run) Visit(kind jsontext.Kind, text []byte) {
	if r.failed {
		return
	}
	var f *frame
	if n := len(r.frames); n > 0 {
		f = &r.frames[n-1]
	}
	switch kind {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		r.item(f)
		r.open(kind)
	case jsontext.KindEndObject, jsontext.KindEndArray:
		if f != nil {
			r.close(f)
		}
	case jsontext.KindString:
		if f != nil && !f.array && !f.due {
			r.name(f, text)
			return
		}
		r.item(f)
		r.scalar(kind, text)
	case jsontext.KindNull, jsontext.KindFalse, jsontext.KindTrue, jsontext.KindNumber:
		r.item(f)
		r.scalar(kind, text)
	case jsontext.KindInvalid:
	}
}

// Fault returns the first certain fault so far. After the last token, there is none
// exactly if the value satisfies the schema. Once there is one, further tokens change
// nothing.
func (r *Run) Fault() (Fault, bool) { return r.fault, r.failed }

// Failed reports whether there is a fault.
func (r *Run) Failed() bool { return r.failed }

// Stranger returns the place of the first object that has a property which no schema
// declares ([Undeclared]).
func (r *Run) Stranger() (pointer string, found bool) { return r.stranger, r.strange }

// forget goes back to the memory before a value.
func (r *Run) forget(first int, to from) {
	r.acts, r.links, r.edges, r.bits = r.acts[:first], r.links[:to.links], r.edges[:to.edges], r.bits[:to.bits]
}

// start makes room for the activations of the value that begins.
func (r *Run) start() {
	r.base, r.lone.node = len(r.acts), nil
	r.from = from{len(r.links), len(r.edges), len(r.bits)}
	r.epoch++
	if r.epoch == 0 { // marks of 2^32 values ago would count
		clear(r.marks)
		r.epoch = 1
	}
}

// need lets a node judge the value that begins, for the sake of the parent, and returns
// its activation: each node has one, whoever asks.
func (r *Run) need(n *node, parent int32, why role, certain, known bool) int32 {
	r.activate()
	if i, ok := r.active(n); ok {
		r.again(i, parent, why, certain, known)
		return i
	}
	i := r.add(n, parent, why, certain, known)
	if int(i) > r.base {
		r.mark(n, i)
	}
	links := len(r.links)
	for range n.subs {
		r.links = append(r.links, 0)
	}
	for k := range n.subs {
		s := &n.subs[k]
		r.links[links+k] = r.need(s.node, -1, s.role, certain && s.role == roleAll, known && s.role != roleNot)
	}
	return i
}

// add makes an activation.
func (r *Run) add(n *node, parent int32, why role, certain, known bool) int32 {
	i := int32(len(r.acts))
	a := act{node: n, parent: parent, role: why, certain: certain, known: known, links: int32(len(r.links)), bits: int32(len(r.bits))}
	r.acts = append(r.acts, a)
	if n.object != nil {
		for range (n.object.tracked + 63) / 64 {
			r.bits = append(r.bits, 0)
		}
	}
	return i
}

// activate gives the only schema of the value that begins an activation, if it has none.
func (r *Run) activate() {
	if a := r.lone; a.node != nil {
		r.lone.node = nil
		p := &r.acts[a.parent]
		r.add(a.node, a.parent, a.role, a.role == roleAll && p.certain, p.known)
	}
}

// active returns the activation that a node has at the value that begins.
func (r *Run) active(n *node) (int32, bool) {
	if len(r.acts) == r.base {
		return 0, false
	}
	if r.acts[r.base].node == n { // the first one has no mark
		return int32(r.base), true
	}
	if int(n.id) >= len(r.marks) || r.marks[n.id].epoch != r.epoch {
		return 0, false
	}
	return r.marks[n.id].act, true
}

func (r *Run) mark(n *node, i int32) {
	if int(n.id) >= len(r.marks) {
		r.marks = append(r.marks, make([]mark, r.schema.nodes()-len(r.marks))...)
	}
	r.marks[n.id] = mark{r.epoch, i}
}

// again notes that one more schema asked for an activation.
func (r *Run) again(i, parent int32, why role, certain, known bool) {
	a := &r.acts[i]
	if parent >= 0 {
		if a.parent < 0 {
			a.parent, a.role = parent, why
		} else {
			r.edges = append(r.edges, edge{parent, a.more, why})
			a.more = int32(len(r.edges))
		}
	}
	if certain && !a.certain || known && !a.known {
		a.certain, a.known = a.certain || certain, a.known || known
		for k, s := range a.node.subs {
			r.again(r.links[int(a.links)+k], -1, s.role, certain && s.role == roleAll, known && s.role != roleNot)
		}
	}
}

// place returns the pointer of the value at hand, up to the last name that may be told.
func (r *Run) place() (pointer string, whole bool) {
	tokens := make([]string, 0, len(r.frames))
	for i := range r.frames {
		if f := &r.frames[i]; f.shown {
			tokens = append(tokens, f.token)
			continue
		}
		return Pointer(tokens...), false
	}
	return Pointer(tokens...), true
}

// deny lets an activation fail by a keyword; a certain one is the fault of the value.
func (r *Run) deny(i int, keyword string) {
	r.acts[i].failed = true
	if r.acts[i].certain {
		r.fail(keyword, "")
	}
}

// fail notes the first fault, at the value at hand or at the member of that name.
func (r *Run) fail(keyword, name string) {
	if r.failed {
		return
	}
	r.failed = true
	place, whole := r.place()
	if whole && name != "" {
		place += Pointer(name)
	}
	r.fault = Fault{Pointer: place, Keyword: keyword}
}
