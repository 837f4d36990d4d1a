package schema

// Unlisted returns what [Forms.Member] does for a name that no form lists, and whether
// that is the same for every such name. It is not where a pattern tells them apart.
func (f Forms) Unlisted() (types Types, standing Standing, same bool) {
	for _, at := range f.all {
		if at.node.object != nil && len(at.node.object.patterns) > 0 {
			return Types{}, Undeclared, false
		}
	}
	unlisted := "-"
	for _, name := range f.Names() {
		if len(name) >= len(unlisted) {
			unlisted = name + "-"
		}
	}
	types, standing = f.Member(unlisted)
	return types, standing, true
}

// Member returns the types of the forms of a property, and how the forms know its name, as
// [Forms.Property] does and without its cost.
func (f Forms) Member(name string) (Types, Standing) {
	var named typeSet
	standing := f.eachOf(name, func(n *node, _ bool) {
		for _, at := range n.closure() {
			named |= at.node.types
		}
	})
	return named.types(), standing
}

// Prefix is how many of the first items of an array may have schemas of their own; of all
// others [Forms.Item] returns the same.
func (f Forms) Prefix() int {
	n := 0
	for _, at := range f.all {
		if at.node.array != nil {
			n = max(n, len(at.node.array.prefix))
		}
	}
	return n
}
