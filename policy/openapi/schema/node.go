package schema

import (
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy/openapi/ecma"
)

// node is one compiled schema: what it says of a value of each type, and the schemas
// that judge the same value for its sake. It is immutable once the compiler has ended.
type node struct {
	id int32 // among the nodes of its compiler, from 0
	at Place

	never   bool    // the schema false
	trivial bool    // every value satisfies it
	types   typeSet // none: any type will do
	enum    *values // nil: any value
	con     *values // const; nil: any value

	text   *textRules
	number *numberRules
	array  *arrayRules
	object *objectRules

	content content // what its texts stand for
	// narrow reports that it is never or foreign, or has enum or const.
	narrow bool

	subs []sub
	pick *pick // the discriminator, if one chooses among oneOf or anyOf

	// foreign reports that the schema says readOnly in a request, or writeOnly in an
	// answer: the value may not be there, not as null either.
	foreign bool
	// carries reports that it, or one that must hold with it, is foreign.
	carries bool

	// closed are the forms of the value, once somebody has asked for them.
	closed atomic.Pointer[[]form]
}

// typeSet is a set of JSON types.
type typeSet uint8

const (
	typeNull typeSet = 1 << iota
	typeBoolean
	typeObject
	typeArray
	typeNumber
	typeInteger // numbers without fraction; typeNumber includes them
	typeString
)

// content is what the texts of a value stand for.
type content uint8

const (
	contentText    content = iota // themselves
	contentBytes                  // bytes as they are: format binary, or contentMediaType alone
	contentEncoded                // bytes that are written as text: format byte, or contentEncoding
)

// role is why a schema judges a value for another one's sake.
type role uint8

const (
	roleAll       role = iota // must hold: allOf, $ref, a property, an item
	roleAny                   // anyOf
	roleOne                   // oneOf
	roleNot                   // not
	roleIf                    // if
	roleThen                  // then
	roleElse                  // else
	roleDependent             // dependentSchemas, if sub.name is there
	roleMapped                // of a discriminator's mapping: it knows names and judges nothing
	roleContains              // an item that may be the one that is looked for
	roleRest                  // unevaluatedProperties, unevaluatedItems
)

// sub is a schema that judges the same value.
type sub struct {
	role  role
	index int32 // in the list of allOf, anyOf or oneOf; below 0 of a reference
	node  *node
	name  string // of the property of roleDependent
}

// pick is a discriminator: the value of a property chooses a branch of oneOf or anyOf.
type pick struct {
	property string
	// branches are those of the mapping, by the property's value: indexes into node.subs,
	// or their number for a schema that is not among them. Without a mapping it is nil,
	// and the property must only be there, as a string.
	branches map[string]int
}

type textRules struct {
	minLength, maxLength int // in code points; maxLength below 0: any
	pattern              *ecma.Pattern
	format               func(text []byte) bool // nil: none is asserted
	longest              int                    // text of the format, in code points; 0: it has any length
}

type numberRules struct {
	minimum, maximum, exclusiveMinimum, exclusiveMaximum *decimal
	multipleOf                                           *decimal
	bits                                                 int // 32 or 64 for format int32 and int64, else 0
}

type arrayRules struct {
	minItems, maxItems       int // maxItems below 0: any
	unique                   bool
	prefix                   []*node
	items                    *node // of those after prefix; nil: any
	contains                 *node
	minContains, maxContains int   // maxContains below 0: any
	rest                     *node // unevaluatedItems
}

// isTrivial reports whether every value satisfies the node.
func (n *node) isTrivial() bool {
	return !n.never && n.types == 0 && n.enum == nil && n.con == nil && n.text == nil && n.number == nil &&
		n.array == nil && n.object == nil && len(n.subs) == 0 && n.pick == nil && !n.foreign
}

type objectRules struct {
	minProperties, maxProperties int // maxProperties below 0: any
	// properties has every name that the schema speaks of.
	properties map[string]*property
	table      nameTable           // of properties, once the schema is read
	folded     map[string]struct{} // the names of those that have a schema, by appendFolded
	patterns   []patternProperty
	additional *node // nil: not said
	names      *node // propertyNames
	rest       *node // unevaluatedProperties

	// tracked is how many names have a bit: those that required or a dependency names.
	tracked  int
	required []*property
	// dependent are dependentRequired and the names of dependentSchemas.
	dependent []dependency
	// listed reports that the schema lists properties or patternProperties.
	listed bool
	// simple reports that the object is judged by properties and additionalProperties,
	// without patterns, names and what is unevaluated.
	simple bool
	// needed has the bits of required, if there are at most 64.
	needed uint64
}

type property struct {
	name string
	node *node // nil: it is only required
	bit  int   // below 0: not tracked
}

type patternProperty struct {
	pattern *ecma.Pattern
	node    *node
}

// dependency: if the trigger is there, the others are too.
type dependency struct {
	trigger *property
	needs   []*property
}

// values are those of an enum or a const.
type values struct {
	null, yes, no bool
	texts         map[string]struct{}
	few           []string            // the texts, if they are soon compared
	numbers       map[string]struct{} // by decimal.appendCanonical
	nested        []digest            // of arrays and objects
}
