package token

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxActors bounds the actors of one token.
const maxActors = 8

// expected are the claims of an access token: what RFC 9068 section 2.2 requires, and
// nbf.
func expected() []string {
	return []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "nbf"}
}

// lacking returns the expected claims that are not there, or say nothing: null, an
// empty string, or what is no string where one is expected.
func lacking(members []member) []string {
	var missing []string
	for _, name := range expected() {
		v := find(members, name)
		said := v != nil && v.Kind() != 'n'
		switch name {
		case "sub", "client_id", "jti":
			said = said && v.Kind() == '"' && unquote(v) != ""
		}
		if !said {
			missing = append(missing, name)
		}
	}
	return missing
}

// purposeOf returns the registered claim by which a token was made for something
// else than access (RFC 8725 section 3.12), and "" if none does.
func purposeOf(members []member) string {
	for i := range members {
		switch name := string(members[i].name); name {
		case "events", // logout and other security event tokens (RFC 8417 section 2.2)
			"nonce", "at_hash", "c_hash", "s_hash", // ID tokens (OpenID Connect Core, 2 and 3.3.2.11)
			"htm", "htu": // DPoP proofs (RFC 9449 section 4.2)
			return name
		case "token_use": // of issuers that send all their tokens with one key and no typ
			if v := members[i].value; v.Kind() != '"' || unquote(v) != "access" {
				return name
			}
		}
	}
	return ""
}

// actors returns who acted before the current actor, latest first (RFC 8693 section
// 4.1). Every actor is an object; one that does not say its sub has no name.
func (r *claimReader) actors() []string {
	var prior []string
	v := find(r.members, "act")
	for depth := 0; v != nil && v.Kind() != 'n'; depth++ {
		members, err := readObject(v)
		if err != nil || depth == maxActors {
			r.fail("/act")
			return nil
		}
		if depth > 0 {
			sub := find(members, "sub")
			if sub != nil && sub.Kind() != '"' {
				r.fail("/act")
				return nil
			}
			name := ""
			if sub != nil {
				name = unquote(sub)
			}
			prior = append(prior, name)
		}
		v = find(members, "act")
	}
	return prior
}

// accounts reads the accounts of the identity, and reports whether the token asserts
// one outside the namespace; that one is left out.
func (r *claimReader) accounts(m mapping) (own []string, foreign bool) {
	v := m.accounts.in(r.members)
	if v == nil || v.Kind() == 'n' {
		return nil, false
	}
	own, ok := list(v, m.member, true)
	if !ok {
		r.fail(m.accounts.String())
	}
	if m.namespace == nil {
		return own, false
	}
	all := len(own)
	own = slices.DeleteFunc(own, func(account string) bool {
		return !slices.ContainsFunc(m.namespace, func(prefix string) bool { return strings.HasPrefix(account, prefix) })
	})
	return own, len(own) < all
}

// within returns what stands for an element of a list: the element, or what the
// pointer finds in it if it is an object; nil if that is nothing.
func within(element jsontext.Value, member pointer) jsontext.Value {
	if element.Kind() != '{' || member == nil {
		return element
	}
	members, err := readObject(element)
	if err != nil {
		return nil
	}
	return member.in(members)
}
