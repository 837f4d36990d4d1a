package message

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// IntroductionOptions name the header fields in which a backend is told who the caller is.
// One that is empty is not sent.
type IntroductionOptions struct {
	Issuer, Client, Principal, Accounts, Scopes string
	// Proof is the control that proves the credential: tok.sig, key.valid or path.gateway.
	Proof policy.Control
}

// Introduction tells a backend who the caller is.
//
// Rule: a request is introduced when its caller is proven - the control that proves the
// credential permits - and no control of tok.* or key.* objects or could not decide. That
// an exception, or insecure_fail_open, let the request pass all the same makes nobody a
// proven caller. Nor is anybody introduced whom no control asked: at a public operation,
// or of a preflight.
//
// A field is sent when the identity has a value for it. A value is one of a claim, so it may
// be any text; every byte of it but letters, digits and -._~:/@=| is percent-encoded, so that
// it can neither end the field, nor be two elements of a list, nor be unquoted or unescaped
// to another value. Accounts have a comma between them, scopes a space, as in OAuth, whose
// scopes may have commas (RFC 6749 section 3.3).
type Introduction struct {
	proof  policy.Control
	fields []introduced
}

var _ policy.Introducer = (*Introduction)(nil)

// introduced is one field with what it says of an identity.
type introduced struct {
	name  string // canonical
	value func(*policy.Identity) string
}

// NewIntroduction returns what tells a backend who the caller is. The error names the field.
func NewIntroduction(o IntroductionOptions) (*Introduction, error) {
	if o.Proof == "" {
		return nil, errors.New("message: no control proves the caller that is introduced")
	}
	i := &Introduction{proof: o.Proof}
	for _, f := range []introduced{
		{o.Issuer, func(id *policy.Identity) string { return encoded(id.Issuer) }},
		{o.Client, func(id *policy.Identity) string { return encoded(id.Client) }},
		{o.Principal, func(id *policy.Identity) string { return encoded(id.Principal) }},
		{o.Accounts, func(id *policy.Identity) string { return encodedList(id.Accounts, ",") }},
		{o.Scopes, func(id *policy.Identity) string { return encodedList(id.Scopes, " ") }},
	} {
		if f.name == "" {
			continue
		}
		if f.name = http.CanonicalHeaderKey(f.name); i.Owns(f.name) {
			return nil, fmt.Errorf("message: two parts of an identity share the field %s", f.name)
		}
		i.fields = append(i.fields, f)
	}
	return i, nil
}

// Owns reports whether a name is one of the fields, also in a spelling that is the same
// variable for a backend.
func (i *Introduction) Owns(name string) bool {
	return slices.ContainsFunc(i.fields, func(f introduced) bool { return policy.SameVariable(name, f.name) })
}

// Introduce returns the fields of a request whose caller is proven, and else none.
func (i *Introduction) Introduce(r *policy.Request, d policy.Decision) []policy.Pair {
	id := r.Auth.Identity
	if id == nil || !i.proven(d) {
		return nil
	}
	pairs := make([]policy.Pair, 0, len(i.fields))
	for _, f := range i.fields {
		if value := f.value(id); value != "" {
			pairs = append(pairs, policy.Pair{Name: f.name, Value: value})
		}
	}
	return pairs
}

// proven reports whether the credential proved itself and nothing that judges it objects.
func (i *Introduction) proven(d policy.Decision) bool {
	permits := false
	for n := range d.Findings {
		f := &d.Findings[n]
		control := f.Rule.Control
		switch {
		case control != i.proof && !judgesCredential(control):
		case !f.Verdict.Passes():
			return false
		case control == i.proof:
			permits = f.Verdict.Effect == policy.Permit
		}
	}
	return permits
}

func judgesCredential(control policy.Control) bool {
	return strings.HasPrefix(string(control), "tok.") || strings.HasPrefix(string(control), "key.")
}

// encodedList leaves out what is empty: it names nobody, and would be read in several ways.
func encodedList(values []string, between string) string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		if v != "" {
			all = append(all, encoded(v))
		}
	}
	return strings.Join(all, between)
}

// encoded returns a value fit for a header field.
func encoded(s string) string {
	first := strings.IndexFunc(s, func(r rune) bool { return !isIntroducible(r) })
	if first < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:first])
	for _, c := range []byte(s[first:]) {
		if isIntroducible(rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// isIntroducible reports whether a character stands for itself. A plus sign does not: what
// decodes forms would read a space.
func isIntroducible(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._~:/@=|", r)
}
