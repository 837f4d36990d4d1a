package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// What bounds the work of the library that loads a contract. It reads what is nested
// again at each level, and follows a chain of references again at each of them.
const (
	freeLevels = 20        // that no value is charged for
	maxLevels  = 1_000_000 // of all values of a contract, the free ones apart
)

// burden finds what would keep the library busy for too long.
type burden struct {
	tree   any
	levels int // still allowed
	place  []string
	depths map[string]int // of references in this file: how many follow
}

// find returns what there is too much of.
func (b *burden) find() Problems {
	b.depths = map[string]int{}
	if p := b.visit(b.tree); p != nil {
		return Problems{*p}
	}
	return nil
}

func (b *burden) visit(v any) *Problem {
	if b.levels -= max(0, len(b.place)-freeLevels); b.levels < 0 {
		return &Problem{
			Pointer: bounded(pointer(b.place...)), Cause: "too much is nested deep in the contract",
			Fix: "name schemas in components, and refer to them",
		}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if p := b.within(strconv.Itoa(i), item); p != nil {
				return p
			}
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && b.follows(ref) > maxFollowed {
			return &Problem{
				Pointer: bounded(pointer(b.place...)), Cause: fmt.Sprintf("the reference leads through more than %d others", maxFollowed),
				Fix: "let it lead to what the last of them leads to",
			}
		}
		for _, name := range sortedKeys(v) {
			if p := b.within(name, v[name]); p != nil {
				return p
			}
		}
	}
	return nil
}

func (b *burden) within(token string, v any) *Problem {
	b.place = append(b.place, token)
	p := b.visit(v)
	b.place = b.place[:len(b.place)-1]
	return p
}

// follows returns how many references follow one, in the same file. Of a circle there are
// none: the library tells of it.
func (b *burden) follows(ref string) int {
	var way []string
	on := map[string]bool{}
	n := 0
	for {
		if known, ok := b.depths[ref]; ok {
			n = known
			break
		}
		if on[ref] {
			break
		}
		way, on[ref] = append(way, ref), true
		next, ok := b.next(ref)
		if !ok {
			b.depths[ref] = 0
			way = way[:len(way)-1]
			break
		}
		ref = next
	}
	for _, r := range slices.Backward(way) {
		n++
		b.depths[r] = n
	}
	return n
}

// next returns the reference that a reference leads to.
func (b *burden) next(ref string) (string, bool) {
	if !strings.HasPrefix(ref, "#/") {
		return "", false
	}
	fragment, err := url.PathUnescape(ref[1:])
	if err != nil {
		return "", false
	}
	d := schema.NewDocuments()
	d.Add("", b.tree)
	v, _ := d.Value(schema.Place{Pointer: fragment})
	object, _ := v.(map[string]any)
	next, ok := object["$ref"].(string)
	return next, ok
}
