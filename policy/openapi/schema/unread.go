package schema

import (
	"encoding/binary"
	"slices"
)

// Length is how long a text may be.
type Length struct {
	Min, Max int // Max below 0: any
}

// bounds reports whether there is a length that a text may not have.
func (l Length) bounds() bool { return l.Min > 0 || l.Max >= 0 }

// and returns the length that both allow.
func (l Length) and(other Length) Length {
	both := Length{Min: max(l.Min, other.Min), Max: l.Max}
	if both.Max < 0 || other.Max >= 0 && other.Max < both.Max {
		both.Max = other.Max
	}
	return both
}

// Unread returns what the schema says of a value that nobody reads, and that is taken for
// a text then: how long it may be. It reports false where the schema says more, or that
// the value is no text. The zero bounds, 0 and below 0, are those of a schema that says nothing.
func (s *Schema) Unread() (l Length, ok bool) {
	u := unread{}
	said := u.of(s.root)
	return said.length, said.is == unreadFits
}

// unread finds what schemas say of a text that nobody reads. Each is looked at once.
type unread map[*node]saying

// saying is what one schema says of such a text.
type saying struct {
	is     uint8
	length Length // of one that fits
}

const (
	unreadUnknown uint8 = iota // it depends on what the text says
	unreadFits                 // any text of the length fits
	unreadRefused              // no text fits
)

func (u unread) of(n *node) saying {
	if known, ok := u[n]; ok {
		return known
	}
	said := n.unread()
	if said.is == unreadFits {
		said = u.subs(n, said)
	}
	u[n] = said
	return said
}

// unread is what a node says by itself. Rules of other types say nothing only where the
// schema names its types and theirs is not among them: else the value may be one of those.
func (n *node) unread() saying {
	other := func(t typeSet) bool { return n.types == 0 || n.types&t != 0 }
	switch {
	case n.never, n.types != 0 && n.types&typeString == 0:
		return saying{is: unreadRefused}
	case n.enum != nil, n.con != nil, n.foreign, n.pick != nil,
		n.number != nil && other(typeNumber|typeInteger), n.array != nil && other(typeArray), n.object != nil && other(typeObject),
		n.text != nil && (n.text.pattern != nil || n.text.format != nil):
		return saying{}
	case n.text != nil:
		return saying{unreadFits, Length{n.text.minLength, n.text.maxLength}}
	}
	return saying{unreadFits, Length{0, -1}}
}

// subs adds what the schemas say that a node asks about the same value.
func (u unread) subs(n *node, said saying) saying {
	for _, why := range []role{roleAny, roleOne} {
		if slices.ContainsFunc(n.subs, func(s sub) bool { return s.role == why }) {
			said = said.and(u.chosen(n, why))
		}
	}
	for _, s := range n.subs {
		switch s.role {
		case roleAll:
			said = said.and(u.of(s.node))
		case roleNot:
			if u.of(s.node).is != unreadRefused {
				said = saying{}
			}
		case roleIf, roleThen, roleElse, roleDependent:
			said = said.and(saying{})
		case roleAny, roleOne, roleMapped, roleContains, roleRest: // as above, or they judge nothing
		}
	}
	return said
}

// and joins what two schemas say that must both hold.
func (s saying) and(other saying) saying {
	switch {
	case s.is == unreadFits && other.is == unreadFits:
		return saying{unreadFits, s.length.and(other.length)}
	case s.is == unreadRefused || other.is == unreadRefused:
		return saying{is: unreadRefused}
	}
	return saying{}
}

// chosen is what the branches of anyOf or oneOf say together: what the only one says that may
// hold. Where any may, one that takes every text is enough.
func (u unread) chosen(n *node, why role) saying {
	left := saying{is: unreadRefused}
	for _, s := range n.subs {
		if s.role != why {
			continue
		}
		said := u.of(s.node)
		switch {
		case said.is == unreadRefused:
		case why == roleAny && said.is == unreadFits && !said.length.bounds():
			return said
		case left.is == unreadRefused:
			left = said
		default:
			left = saying{}
		}
	}
	return left
}

// Open reports whether no form says anything of the value.
func (f Forms) Open() bool {
	return !slices.ContainsFunc(f.all, func(at form) bool { return !at.node.silent() })
}

// silent reports whether a node says nothing itself.
func (n *node) silent() bool {
	return !n.never && n.types == 0 && !n.scalar() && n.array == nil && n.object == nil && !n.foreign &&
		!slices.ContainsFunc(n.subs, func(s sub) bool { return s.role == roleNot })
}

// scalar reports whether a node says something of values that are neither array nor
// object.
func (n *node) scalar() bool {
	return n.enum != nil || n.con != nil || n.text != nil || n.number != nil
}

// Scalar reports whether a text may be the value: a scalar type is named, or no type is and
// no form speaks of arrays or objects.
func (f Forms) Scalar() bool {
	t := f.Types()
	if !t.Any {
		return t.String || t.Number || t.Integer || t.Boolean || t.Null
	}
	return !f.Structured()
}

// Repeats reports whether several texts may be the value, as an array: that type is named,
// or no type is and no form speaks of scalars or objects. A bound of one text would say
// nothing of several.
func (f Forms) Repeats() bool {
	t := f.Types()
	if !t.Any {
		return t.Array
	}
	return !slices.ContainsFunc(f.all, func(at form) bool {
		return at.node.scalar() || at.node.object != nil
	})
}

// maxWalked bounds the values that FreeForm looks at. Only schemas that are joined in ever
// new ways have more.
const maxWalked = 10_000

// FreeForm returns the schemas of all values, that of the schema and those in it,
// that may be objects whose members nobody lists or bounds, by the place of one schema of each. It
// looks at a bounded number of values.
func (s *Schema) FreeForm() []Place {
	var (
		found []Place
		seen  = map[string]bool{}
		queue = []Forms{s.Forms()}
	)
	for ; len(queue) > 0 && len(seen) < maxWalked; queue = queue[1:] {
		f := queue[0]
		key := f.key()
		if seen[key] || len(f.all) == 0 {
			continue
		}
		seen[key] = true
		if f.free() {
			found = append(found, f.all[0].node.at)
		} else {
			rest, _ := f.Property(unlisted)
			queue = append(queue, rest)
		}
		for _, name := range f.Names() {
			inner, _ := f.Property(name)
			queue = append(queue, inner)
		}
		queue = append(queue, f.Item(-1))
	}
	return found
}

// unlisted stands for the name of a property that no schema lists.
const unlisted = "\x00"

// key names the schemas of the forms.
func (f Forms) key() string {
	key := make([]byte, 0, 4*len(f.all))
	for _, at := range f.all {
		key = binary.LittleEndian.AppendUint32(key, uint32(at.node.id))
	}
	return string(key)
}

// refuses reports whether there is a schema and no value satisfies it.
func (n *node) refuses() bool { return n != nil && n.never }

// free reports whether the value may be an object of any members.
func (f Forms) free() bool {
	if t := f.Types(); !t.Object && !t.Any {
		return false
	}
	if slices.ContainsFunc(f.all, func(at form) bool {
		n := at.node
		closed := n.object != nil && (n.object.additional.refuses() || n.object.rest.refuses())
		return at.certain && (closed || n.never || n.enum != nil || n.con != nil || n.foreign)
	}) {
		return false
	}
	inner, standing := f.Property(unlisted)
	return standing == Openly && inner.Open()
}
