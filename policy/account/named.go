package account

import "github.com/sidewarden/sidewarden/policy"

// Accounts appends every account that the head of a request names: the values of
// all selectors of path, query and header, as often as they are there, whoever
// owns them.
func (c *Check) Accounts(r *policy.Request, into []string) []string {
	for _, at := range c.boundary.path {
		into = valuesOf(into, at.name, r.Match.Params)
	}
	for _, at := range c.boundary.query {
		into = valuesOf(into, at.name, r.Query)
	}
	for _, at := range c.boundary.header {
		into = append(into, r.Header[at.name]...)
	}
	return into
}

func valuesOf(into []string, name string, pairs []policy.Pair) []string {
	for _, p := range pairs {
		if p.Name == name {
			into = append(into, p.Value)
		}
	}
	return into
}
