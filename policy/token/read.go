package token

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxToken bounds a token in bytes.
	maxToken = 8 << 10
	// maxSeconds bounds every time claim: 1 TiB of seconds is the year 36812, and
	// beyond it sums with a skew are no longer obvious.
	maxSeconds = 1 << 40
)

// parts are the three decoded segments of a token and its signing input.
type parts struct {
	header, claims, signature []byte
	input                     string
}

// split takes a compact JWS apart (RFC 7515 section 7.1). Its verdict permits, or
// is that of tok.sig.
func split(t string, b64 *base64.Encoding) (parts, policy.Verdict) {
	first, second, ok := dots(t)
	if !ok {
		return parts{}, policy.Denied(policy.TokenMalformed, "segments")
	}
	p := parts{input: t[:second]}
	var err error
	if p.header, err = b64.DecodeString(t[:first]); err != nil {
		return parts{}, policy.Denied(policy.TokenMalformed, "header")
	}
	if p.claims, err = b64.DecodeString(t[first+1 : second]); err != nil {
		return parts{}, policy.Denied(policy.TokenMalformed, "claims")
	}
	if p.signature, err = b64.DecodeString(t[second+1:]); err != nil {
		return parts{}, policy.Denied(policy.TokenMalformed, "signature")
	}
	return p, policy.Permitted()
}

// dots returns the places of the two dots of t when all its other bytes are
// base64url digits and no segment is empty. The standard decoder skips line
// breaks, so it cannot be asked.
func dots(t string) (first, second int, ok bool) {
	for i := range len(t) {
		switch c := t[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && first == 0 && i > 0:
			first = i
		case c == '.' && second == 0 && first > 0:
			second = i
		default:
			return 0, 0, false
		}
	}
	return first, second, first > 0 && second > first+1 && second+1 < len(t)
}

// header is what the JOSE header says.
type header struct {
	alg algorithm
	// algorithm, keyID and typ are the members as sent.
	algorithm, keyID, typ string
}

// readHeader reads a JOSE header. The header is what could be read of it, nil when
// it is no JSON object; the verdict permits, or is that of tok.sig.
func readHeader(text []byte) (*header, policy.Verdict) {
	members, err := readObject(text)
	if err != nil {
		return nil, policy.Denied(policy.TokenMalformed, "header")
	}
	h, verdict := &header{}, policy.Permitted()
	for _, m := range members {
		reason, target := policy.Reason(""), (*string)(nil)
		switch string(m.name) {
		case "alg":
			target = &h.algorithm
		case "kid":
			target = &h.keyID
		case "typ":
			target = &h.typ
		default:
			reason = refused(string(m.name))
		}
		switch {
		case target == nil:
		case m.value.Kind() != '"':
			reason = policy.TokenHeader
		default:
			*target = unquote(m.value)
		}
		if reason != "" && verdict.Effect == policy.Permit {
			verdict = policy.Denied(reason, string(m.name))
		}
	}
	if verdict.Effect != policy.Permit {
		return h, verdict
	}
	var ok bool
	if h.alg, ok = algorithmOf(h.algorithm); !ok {
		return h, policy.Denied(policy.TokenAlg, "")
	}
	return h, verdict
}

// refused returns why a member must not be in the header of an access token, and ""
// when it may: an unknown member is ignored (RFC 7515 section 4).
func refused(name string) policy.Reason {
	switch name {
	case "crit": // RFC 7515 section 4.1.11: no extension is understood here
		return policy.TokenHeaderCrit
	case "b64": // RFC 7797: changes what is signed
		return policy.TokenHeaderUnencoded
	case "jwk", "jku", "x5u", "x5c": // RFC 8725 section 3.10: a key of the sender's choice
		return policy.TokenHeaderKey
	case "cty": // RFC 7519 section 5.2: the claims are another token
		return policy.TokenHeaderNested
	case "enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c": // RFC 7516, RFC 7518 section 4
		return policy.TokenHeaderJWE
	}
	return ""
}

// readClaims puts the claims into facts. A claim of a wrong type is left out and
// makes the verdict a denial of tok.sig; the others are still read, so that a
// record can say whose token it was.
func readClaims(members []member, m mapping, facts *policy.Token) policy.Verdict {
	r := claimReader{members: members}
	facts.Claimed.Issuer = r.text("iss")
	facts.ID = r.text("jti")
	facts.Audience = r.audience()
	facts.Expires, facts.NotBefore, facts.IssuedAt = r.seconds("exp"), r.seconds("nbf"), r.seconds("iat")
	facts.Claimed.Client, facts.Claimed.Principal, facts.Claimed.Actor = r.name(m.client), r.name(m.principal), r.name(m.actor)
	facts.Claimed.Accounts, facts.Foreign = r.accounts(m)
	facts.Claimed.Scopes = r.scopes(m.scopes)
	facts.PriorActors, facts.Missing, facts.Purpose = r.actors(), lacking(members), purposeOf(members)
	var ok bool
	if facts.Confirmation, ok = readConfirmation(find(members, "cnf")); !ok {
		r.fail("/cnf")
	}
	if r.fault != "" {
		return policy.Denied(policy.TokenMalformed, r.fault)
	}
	return policy.Permitted()
}

// claimReader reads typed claims and keeps the pointer of the first one that has
// a wrong type.
type claimReader struct {
	members []member
	fault   string
}

func (r *claimReader) fail(pointer string) {
	if r.fault == "" {
		r.fault = pointer
	}
}

// text reads a registered claim that is a string.
func (r *claimReader) text(name string) string {
	v := find(r.members, name)
	if v == nil {
		return ""
	}
	if v.Kind() != '"' {
		r.fail("/" + name)
		return ""
	}
	return unquote(v)
}

// audience reads aud: a string or an array of strings (RFC 7519 section 4.1.3).
func (r *claimReader) audience() []string {
	v := find(r.members, "aud")
	if v == nil {
		return nil
	}
	names, ok := list(v, nil, false)
	if !ok {
		r.fail("/aud")
	}
	return names
}

// seconds reads a time: decimal digits without sign, fraction or exponent. RFC
// 7519 section 2 allows fractions; no issuer needs them, and two readers that
// round differently disagree on when a token ends.
func (r *claimReader) seconds(name string) time.Time {
	v := find(r.members, name)
	if v == nil {
		return time.Time{}
	}
	if len(v) > len("1099511627776") || v[0] < '1' || v[0] > '9' {
		r.fail("/" + name)
		return time.Time{}
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			r.fail("/" + name)
			return time.Time{}
		}
		n = n*10 + int64(c-'0')
	}
	if n >= maxSeconds {
		r.fail("/" + name)
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// name reads a part of the identity that is one string.
func (r *claimReader) name(p pointer) string {
	v := p.in(r.members)
	if v == nil || v.Kind() == 'n' {
		return ""
	}
	if v.Kind() != '"' {
		r.fail(p.String())
		return ""
	}
	return unquote(v)
}

// scopes reads a string of scopes with spaces between them, or a list.
func (r *claimReader) scopes(p pointer) []string {
	v := p.in(r.members)
	switch {
	case v == nil || v.Kind() == 'n':
		return nil
	case v.Kind() == '"':
		return words(unquote(v))
	}
	names, ok := list(v, nil, false)
	if !ok {
		r.fail(p.String())
	}
	return names
}

// list returns the strings, and the literal text of numbers where they are
// allowed, of an array or of one element; of an element that is an object, what the
// pointer finds in it. Empty strings are left out: they name nothing, and must not
// equal an empty parameter of a request.
func list(v jsontext.Value, of pointer, numbers bool) ([]string, bool) {
	values := []jsontext.Value{v}
	if v.Kind() == '[' {
		var err error
		if values, err = elements(v); err != nil {
			return nil, false
		}
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		v = within(v, of)
		switch kind := v.Kind(); {
		case kind == '"':
			if text := unquote(v); text != "" {
				texts = append(texts, text)
			}
		case kind == '0' && numbers:
			texts = append(texts, string(v))
		default:
			return nil, false
		}
	}
	return texts, true
}

// words splits a scope string at spaces (RFC 6749 section 3.3).
func words(s string) []string {
	var list []string
	for w := range strings.SplitSeq(s, " ") {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}
