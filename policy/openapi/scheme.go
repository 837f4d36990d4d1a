package openapi

import (
	"slices"
	"strings"
)

// APIKeyScheme is the type of schemes whose credential is a key.
const APIKeyScheme = "apiKey"

// Scheme is a security scheme of the contract.
type Scheme struct {
	// Name is how requirements name it.
	Name string
	// Type is apiKey, http, mutualTLS, oauth2 or openIdConnect.
	Type string
	// In is where the key of an apiKey is, query, header or cookie, and Field is its
	// name there. Of other types they are empty.
	In, Field string
	// Auth is the authentication scheme of type http (RFC 9110, section 11.1) in lower
	// case, such as bearer. Of other types it is empty.
	Auth string
}

// Schemes returns the security schemes of the contract, sorted by name, whether or not
// an operation asks for them. The slice is the caller's.
func (c *Contract) Schemes() []Scheme { return slices.Clone(c.schemes) }

func (b *builder) schemes() []Scheme {
	if b.doc.Components == nil {
		return nil
	}
	var all []Scheme
	for _, name := range sortedKeys(b.doc.Components.SecuritySchemes) {
		ref := b.doc.Components.SecuritySchemes[name]
		if ref == nil || ref.Value == nil {
			continue // a requirement of it is a problem
		}
		s := Scheme{Name: name, Type: ref.Value.Type, Auth: strings.ToLower(ref.Value.Scheme)}
		if s.Type == APIKeyScheme {
			s.In, s.Field = ref.Value.In, ref.Value.Name
		}
		all = append(all, s)
	}
	return all
}
