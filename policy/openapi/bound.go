package openapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// BodyProperties returns the names of the properties that the JSON bodies of the
// operation declare at their top, sorted.
func (o Operation) BodyProperties() []string {
	names := map[string]bool{}
	for _, m := range o.judge.media {
		if m.schema == nil || !m.json && !strings.Contains(m.name, "*") {
			continue
		}
		for _, at := range o.judge.family.of(m.schema) {
			for name := range at.schema.Properties {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// BodySize estimates the longest JSON body of the operation in bytes, without
// white space, from the sizes in the contract. It reports false when the contract
// does not bound a body, which most do not: when a string has no maxLength, an
// array no maxItems, an object other members than those that are listed, or when
// a media type is not JSON. An operation without a body has size 0.
//
// It is an estimate and no promise: a number has any length in JSON, and members
// that the contract forgets to forbid are not counted.
func (o Operation) BodySize() (int64, bool) {
	var most int64
	for _, m := range o.judge.media {
		if m.schema == nil || !m.json {
			return 0, false
		}
		s := sizer{family: o.judge.family, left: maxSizedSchemas}
		n, ok := s.value(o.judge.family.of(m.schema), 0)
		if !ok {
			return 0, false
		}
		most = max(most, n)
	}
	return most, true
}

const (
	// maxSizedSchemas and maxSizedDepth bound the work on schemas that lead to
	// themselves or to each other again and again.
	maxSizedSchemas = 100_000
	maxSizedDepth   = 32
	// maxSized is more than any body that is held.
	maxSized = 1 << 40

	numberBytes = 24 // of a double or an int64
	wordBytes   = 5  // of false
	runeBytes   = 4  // of UTF-8, or of a short escape
)

type sizer struct {
	family *family
	left   int
}

// value returns the size of a value that forms describe.
func (s *sizer) value(fs forms, depth int) (int64, bool) {
	s.left--
	if len(fs) == 0 || s.left < 0 || depth > maxSizedDepth {
		return 0, false
	}
	types := slices.Sorted(maps.Keys(fs.types()))
	if len(types) == 0 && fs.lists() {
		types = []string{openapi3.TypeObject}
	}
	if len(types) == 0 {
		return fs.enumerated()
	}
	var most int64
	for _, name := range types {
		n, ok := int64(wordBytes), true
		switch name {
		case openapi3.TypeNumber, openapi3.TypeInteger:
			n = numberBytes
		case openapi3.TypeString:
			n, ok = fs.stringSize()
		case openapi3.TypeArray:
			n, ok = s.array(fs, depth)
		case openapi3.TypeObject:
			n, ok = s.object(fs, depth)
		}
		if !ok || n > maxSized {
			return 0, false
		}
		most = max(most, n)
	}
	return most, true
}

func (s *sizer) array(fs forms, depth int) (int64, bool) {
	count, ok := fs.least(func(at *openapi3.Schema) (uint64, bool) {
		if at.MaxItems == nil {
			return 0, false
		}
		return *at.MaxItems, true
	}, openapi3.TypeArray)
	if !ok {
		return 0, false
	}
	each, ok := s.value(s.family.item(fs, -1), depth+1)
	if !ok || count > uint64(maxSized/(each+1)) {
		return 0, false
	}
	return int64(count)*(each+1) + 2, true
}

func (s *sizer) object(fs forms, depth int) (int64, bool) {
	names := map[string]bool{}
	for _, at := range fs {
		for _, rest := range []openapi3.BoolSchema{at.schema.AdditionalProperties, at.schema.UnevaluatedProperties} {
			if rest.Schema != nil || rest.Has != nil && *rest.Has {
				return 0, false
			}
		}
		if len(at.schema.PatternProperties) > 0 {
			return 0, false
		}
		for name := range at.schema.Properties {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return 2, fs.empty()
	}
	size := int64(2)
	for name := range names {
		inner, _ := s.family.property(fs, name)
		n, ok := s.value(inner, depth+1)
		if !ok {
			return 0, false
		}
		size += int64(len(strconv.Quote(name))) + n + 2
	}
	return size, size <= maxSized
}

// lists reports whether a form lists properties.
func (fs forms) lists() bool {
	return slices.ContainsFunc(fs, func(at form) bool { return len(at.schema.Properties) > 0 })
}

// empty reports whether a form that must hold forbids every property.
func (fs forms) empty() bool {
	return slices.ContainsFunc(fs, func(at form) bool {
		has := at.schema.AdditionalProperties.Has
		return at.certain && has != nil && !*has
	})
}

// enumerated returns the size of the longest value of an enumeration that must
// hold.
func (fs forms) enumerated() (int64, bool) {
	for _, at := range fs {
		if at.certain && len(at.schema.Enum) > 0 {
			return longest(at.schema.Enum)
		}
	}
	return 0, false
}

func longest(values []any) (int64, bool) {
	var most int64
	for _, v := range values {
		switch v := v.(type) {
		case string:
			most = max(most, int64(len(strconv.Quote(v))))
		case nil, bool:
			most = max(most, wordBytes)
		case float64, int, int64, uint64:
			most = max(most, numberBytes)
		default:
			return 0, false
		}
	}
	return most, true
}

func (fs forms) stringSize() (int64, bool) {
	count, ok := fs.least(func(at *openapi3.Schema) (uint64, bool) {
		if at.MaxLength != nil {
			return *at.MaxLength, true
		}
		if n, ok := longest(at.Enum); ok && len(at.Enum) > 0 {
			return uint64(n), true
		}
		// The longest forms of formats that have one.
		n, known := map[string]uint64{"uuid": 36, "date": 10, "date-time": 40, "ipv4": 15, "ipv6": 45}[at.Format]
		return n, known
	}, openapi3.TypeString)
	if !ok || count > maxSized/runeBytes {
		return 0, false
	}
	return int64(count)*runeBytes + 2, true
}

// least returns the smallest bound of the forms that must hold; if none of them
// has one, the largest of the alternatives of a type, each of which must have one.
func (fs forms) least(bound func(*openapi3.Schema) (uint64, bool), of string) (uint64, bool) {
	var least, most uint64
	found, open, some := false, false, false
	for _, at := range fs {
		n, ok := bound(at.schema)
		switch {
		case ok && at.certain:
			if !found || n < least {
				least = n
			}
			found = true
		case ok:
			most, some = max(most, n), true
		case !at.certain && at.schema.Type.Includes(of):
			open = true
		}
	}
	if found {
		return least, true
	}
	return most, some && !open
}
