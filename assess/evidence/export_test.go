package evidence

import "github.com/sidewarden/sidewarden/policy"

// The baseline rule as tests see it.
type Clean = clean

// NewClean makes the facts that the rule judges.
func NewClean(served, total uint64, principals int, refused uint64) Clean {
	return clean{served: served, total: total, principals: principals, refused: refused}
}

// Supports is the rule.
func Supports(c Clean, timely bool) bool { return supports(c, timely) }

// TemplateOf returns the template of the path of a request that no operation of a
// policy matched.
func TemplateOf(p *policy.Policy, path string) string { return string(wordsOf(p).template(nil, path)) }

// MaxTemplate is the longest one in bytes.
const MaxTemplate = maxTemplate
