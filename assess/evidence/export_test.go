package evidence

// The baseline rule as tests see it.
type Clean = clean

// NewClean makes the facts that the rule judges.
func NewClean(served, total uint64, principals int, refused uint64) Clean {
	return clean{served: served, total: total, principals: principals, refused: refused}
}

// Supports is the rule.
func Supports(c Clean, timely bool) bool { return supports(c, timely) }
