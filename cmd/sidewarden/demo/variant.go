package demo

import (
	"strings"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// Variant says what the gateway does with a client's token that it accepts.
type Variant string

// The variants.
const (
	// PassesToken is the gateway that passes the client's token on.
	PassesToken Variant = "passes-token"
	// StripsToken is the gateway that consumes it, and sends headers with the caller
	// and a proof of itself instead. Of tokens nothing can be seen behind it.
	StripsToken Variant = "strips-token"
)

// Variants returns every variant, the default first.
func Variants() []Variant { return []Variant{PassesToken, StripsToken} }

// KeyOf returns the answer key of a variant: that of the world, in which tokens
// cannot be tested where the gateway strips them.
func KeyOf(v Variant) []Answer {
	key := Key()
	if v != StripsToken {
		return key
	}
	for i := range key {
		if a := &key[i]; isToken(a.Control) {
			a.Class, a.Modifiers = evidence.ClassUntestable, nil
			a.Gateway, a.Backend = evidence.StateUNK, evidence.StateUNK
			a.Truth += " Behind a gateway that strips tokens nobody can see that."
		}
	}
	return key
}

// isToken reports whether a control judges a token.
func isToken(c policy.Control) bool { return strings.HasPrefix(string(c), "tok.") }

// blind reports whether the variant shows nothing of what the control judges.
func (v Variant) blind(c policy.Control) bool { return v == StripsToken && isToken(c) }

// about reports whether the answer is about a cell. What it says of every control
// of an operation, it does not say of those that the variant shows nothing of, nor
// of the proof of the gateway, which has no place at the gateway.
func (a Answer) about(c *evidence.Cell, v Variant) bool {
	if a.Control != "" {
		return c.Operation == a.Operation && c.Control == a.Control
	}
	return c.Operation == a.Operation && !v.blind(c.Control) && c.Control != policy.PathGateway
}

// misled says what is wrong with a cell in this variant, whatever the key says;
// "" if nothing is. Behind a gateway that strips tokens, a cell of tok.* that
// claims anything is a claim about what nobody saw, and every arrival is proven.
func (v Variant) misled(c *evidence.Cell) string {
	switch {
	case v.blind(c.Control) && (c.Class != evidence.ClassUntestable || c.Gateway.State != evidence.StateUNK || c.Backend.State != evidence.StateUNK):
		return "and nobody can see that behind a gateway that strips tokens"
	case v == StripsToken && c.Gateway.Unproven:
		return "and unproven, though each request proved the gateway"
	}
	return ""
}
