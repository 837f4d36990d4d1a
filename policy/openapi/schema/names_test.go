package schema

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzNameTable: a table finds what a map finds.
func FuzzNameTable(f *testing.F) {
	f.Add("accountId", "reference", "", "currency")
	f.Add("ab", "ba", "aab", "abb")
	f.Add("axxb", "axyb", "b", "a")
	f.Fuzz(func(t *testing.T, a, b, c, other string) {
		o := objectRules{properties: map[string]*property{}}
		for i := range 20 {
			for _, name := range []string{a, b, c, "property" + strconv.Itoa(i)} {
				o.properties[name] = &property{name: name}
			}
		}
		o.table = newNameTable(o.properties)
		for _, name := range []string{a, b, c, other, other + a, "property7"} {
			assert.Same(t, o.properties[name], o.property([]byte(name)), "%q", name)
		}
	})
}

func TestUsualNamesHaveATable(t *testing.T) {
	o := objectRules{properties: map[string]*property{}}
	for _, name := range []string{
		"accountId", "reference", "currency", "requested", "created", "priority", "express", "notify",
		"callback", "channel", "note", "total", "site", "contact", "lines",
	} {
		o.properties[name] = &property{name: name}
	}
	table := newNameTable(o.properties)
	assert.NotEmpty(t, table.slots)
	assert.LessOrEqual(t, len(table.slots), 64)
}
