package schema

// nameTable finds a property by its name, at the cost of one comparison: no two names of
// a table share a slot. It reads four bytes of the name, where a map would read it all.
type nameTable struct {
	slots []*property
	shift uint
	salt  uint32
}

// maxTabled bounds the properties of a table, and maxSalts the tries to find one.
const (
	maxTabled = 64
	maxSalts  = 256
)

// newNameTable returns the table of the properties; none, with no slots, if there are too
// many or too like each other.
func newNameTable(properties map[string]*property) nameTable {
	if len(properties) == 0 || len(properties) > maxTabled {
		return nameTable{}
	}
	bits := uint(2)
	for 1<<bits < 2*len(properties) {
		bits++
	}
	for salt := range uint32(maxSalts) {
		t := nameTable{slots: make([]*property, 1<<(bits+uint(salt)/128)), shift: 32 - bits - uint(salt)/128, salt: salt*2654435769 | 1}
		if t.fill(properties) {
			return t
		}
	}
	return nameTable{}
}

// fill reports whether each property has a slot of its own.
func (t *nameTable) fill(properties map[string]*property) bool {
	for name, p := range properties {
		slot := &t.slots[t.slot([]byte(name))]
		if *slot != nil {
			return false
		}
		*slot = p
	}
	return true
}

func (t *nameTable) slot(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	h := uint32(n)<<24 ^ uint32(name[0])<<16 ^ uint32(name[n/2])<<8 ^ uint32(name[n-1])
	return h * t.salt >> t.shift
}

// property returns the property of that name; nil if the schema does not speak of it.
func (o *objectRules) property(name []byte) *property {
	if o.table.slots == nil {
		return o.properties[string(name)]
	}
	if p := o.table.slots[o.table.slot(name)]; p != nil && p.name == string(name) {
		return p
	}
	return nil
}
