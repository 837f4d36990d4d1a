package openapi

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// Contract is a loaded OpenAPI document. It is immutable and safe for concurrent
// use.
type Contract struct {
	operations []Operation
	schemes    []Scheme
	notes      Problems
	files      []string
	digest     [sha256.Size]byte
}

// Files returns the absolute paths of the files that the contract was read from,
// sorted.
func (c *Contract) Files() []string { return slices.Clone(c.files) }

// Digest names the contract by the content of its files and their names below the
// root folder.
func (c *Contract) Digest() [sha256.Size]byte { return c.digest }

// Operations returns the operations of the contract, sorted by template and
// method. The slice is the caller's.
func (c *Contract) Operations() []Operation { return slices.Clone(c.operations) }

// Notes lists what the contract says and nobody judges, such as a format that is
// not asserted, with its place.
func (c *Contract) Notes() []Problem { return slices.Clone(c.notes) }

// Operation is one method and path template of the contract.
type Operation struct {
	// ID is the operationId, or "METHOD /template" if there is none.
	ID string
	// Method is in upper case; Template is the path with the base path in front.
	Method, Template string
	// Aliases are the templates with the other base paths, if there are several.
	Aliases    []string
	Deprecated bool
	// Place is where the contract declares it: the file below the root folder and an
	// RFC 6901 pointer.
	Place string
	// Protocol names the protocol, SOAP or GraphQL, whose bodies say which of many
	// actions is asked for; "" if the operation does not look like one.
	Protocol string
	// PathParams, QueryParams, HeaderParams and CookieParams are the names of the
	// declared parameters, in the order of the contract.
	PathParams, QueryParams, HeaderParams, CookieParams []string

	// SecurityDeclared reports that the contract says, for this operation or for
	// all, what credentials are needed.
	SecurityDeclared bool
	// Public reports that it says that none is; Optional that none is needed, but
	// one may be sent.
	Public, Optional bool
	// Security lists the alternatives, each with the scopes that it needs together;
	// an alternative may need no scope. Schemes has, at the same places, the names
	// of the security schemes that each alternative needs.
	Security, Schemes [][]string

	// BodyDeclared reports that the operation takes a body, BodyRequired that it
	// must have one.
	BodyDeclared, BodyRequired bool
	// RequestMediaTypes are the declared media types or ranges of the body, in lower
	// case, without parameters, sorted.
	RequestMediaTypes []string
	// SuccessMediaTypes are those of all declared 2xx answers, sorted.
	SuccessMediaTypes []string
	// AnswersJSON reports that a 2xx answer with content is declared and that all
	// such content is JSON.
	AnswersJSON bool
	// Switches reports that an answer with status 101 is declared: the connection becomes
	// one of another protocol (RFC 9110 section 15.2.2).
	Switches bool

	judge   *Judge
	answers *Answers
}

// Judge returns what judges the parameters and the body of this operation.
func (o Operation) Judge() *Judge { return o.judge }

// Answers returns what judges the answers of this operation; nil if the contract
// declares none, or if [Options].Answers did not ask for it.
func (o Operation) Answers() *Answers { return o.answers }

// DeclaresBodyPointer reports whether a JSON body of the operation declares, by
// name, the place that the RFC 6901 pointer leads to. Any token of digits, "-"
// or "*" stands for an item of an array.
func (o Operation) DeclaresBodyPointer(ptr string) bool {
	if !strings.HasPrefix(ptr, "/") {
		return false
	}
	tokens := strings.Split(ptr[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, token := range tokens {
		tokens[i] = unescape.Replace(token)
	}
	return slices.ContainsFunc(o.judge.media, func(m media) bool {
		return m.mayBeJSON() && m.schema != nil && m.schema.Forms().Declares(tokens)
	})
}

// BodyProperties returns the names of the properties that the JSON bodies of the
// operation declare at their top, sorted.
func (o Operation) BodyProperties() []string {
	var names []string
	for _, m := range o.judge.media {
		if m.mayBeJSON() && m.schema != nil {
			names = append(names, m.schema.Forms().Names()...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// BodySize estimates the longest JSON body of the operation in bytes, without
// white space, from the sizes in the contract, as [schema.Schema.MaxSize] does. It
// reports false when the contract does not bound a body, which most do not, or when a
// media type is not JSON. An operation without a body has size 0.
func (o Operation) BodySize() (int64, bool) {
	var most int64
	for _, m := range o.judge.media {
		if m.schema == nil || !m.json {
			return 0, false
		}
		n, ok := m.schema.MaxSize()
		if !ok {
			return 0, false
		}
		most = max(most, n)
	}
	return most, true
}
