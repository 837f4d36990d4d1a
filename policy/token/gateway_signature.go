package token

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// The fields of HTTP message signatures (RFC 9421 section 4).
const (
	signatureField = "Signature"
	signatureInput = "Signature-Input"
)

// The algorithms (RFC 9421 section 6.2.2) by which a gateway signs.
const (
	hmacSHA256   = "hmac-sha256"
	ed25519Alone = "ed25519"
)

// signatureSkew is how far the clock of a gateway may be ahead. It is next to us.
const signatureSkew = 5 * time.Second

// SignatureOptions say how the gateway signs requests (RFC 9421).
type SignatureOptions struct {
	// Label is the key of the signature in both fields; others are not looked at.
	Label string
	// Secrets are the accepted keys of hmac-sha256, PublicKeys those of ed25519: several
	// while they are rotated. At least one is required.
	Secrets    []string
	PublicKeys []ed25519.PublicKey
	// Components are what a signature has to cover, at least: derived components such as
	// @method, and names of header fields in lower case. It may cover more.
	Components []string
	// MaxAge is how long after its creation a signature counts, and so how long whoever
	// sees a request may send it again.
	MaxAge time.Duration
}

// SignatureComponents are the derived components that can be covered (RFC 9421 section
// 2.2); the first four have to be.
func SignatureComponents() []string {
	return []string{"@method", "@authority", "@path", "@query", "@request-target"}
}

// NeedsComponents returns those of [SignatureComponents] that every signature covers:
// without one of them it would prove another request too.
func NeedsComponents() []string { return SignatureComponents()[:4] }

// gatewaySignature verifies the signature of one label.
//
// Rule: both fields are dictionaries that have the label once, with an inner list of
// components and with a byte sequence. The components are those of SignatureOptions at
// least, each once, without parameters, and the request has each. The parameter created
// is there, at most MaxAge old and not ahead of the clock; expires, if it is there, has
// not come. A parameter alg names an algorithm that there is a key for. One of the keys
// gives this signature for what the request says of the components.
//
// The keys are closed over, so that nothing can print a secret.
type gatewaySignature struct {
	label      string
	components []string
	maxAge     time.Duration
	verifiers  []verifier
}

// verifier reports whether a signature of a base is that of one key.
type verifier struct {
	algorithm string
	verifies  func(base, signature []byte) bool
}

func newGatewaySignature(o SignatureOptions) (*gatewaySignature, error) {
	g := &gatewaySignature{label: o.Label, components: slices.Clone(o.Components), maxAge: o.MaxAge}
	switch {
	case !isDictionaryKey(o.Label):
		return nil, errors.New("token: the label of the gateway's signature is no key of a dictionary: write it in lower case")
	case len(o.Secrets)+len(o.PublicKeys) == 0:
		return nil, errors.New("token: no key verifies the gateway's signature: give secrets or public keys")
	case slices.Contains(o.Secrets, ""):
		return nil, errors.New("token: a secret of the gateway's signature is empty, and everybody knows it: give it a value")
	case o.MaxAge <= 0:
		return nil, errors.New("token: a signature of the gateway counts for no time at all: give it an age")
	}
	for _, name := range NeedsComponents() {
		if !slices.Contains(o.Components, name) {
			return nil, fmt.Errorf("token: the gateway's signature leaves out %s, and proves other requests too: add it", name)
		}
	}
	for _, name := range o.Components {
		if !isComponent(name) {
			return nil, fmt.Errorf("token: %q is no component of the gateway's signature: name a header field in lower case, or one of %s", name, strings.Join(SignatureComponents(), ", "))
		}
	}
	for _, secret := range o.Secrets {
		key := []byte(secret)
		g.verifiers = append(g.verifiers, verifier{hmacSHA256, func(base, signature []byte) bool {
			mac := hmac.New(sha256.New, key)
			mac.Write(base) // a hash never returns an error (package hash)
			return hmac.Equal(mac.Sum(nil), signature)
		}})
	}
	for _, key := range o.PublicKeys {
		if len(key) != ed25519.PublicKeySize {
			return nil, errors.New("token: a public key of the gateway's signature is no key of Ed25519")
		}
		g.verifiers = append(g.verifiers, verifier{ed25519Alone, func(base, signature []byte) bool { return ed25519.Verify(key, base, signature) }})
	}
	return g, nil
}

// isDictionaryKey reports whether s is one key of a dictionary.
func isDictionaryKey(s string) bool {
	read := &scanner{rest: s}
	key, ok := read.key()
	return ok && key == s
}

// isComponent reports whether name is one that can be covered: derived, or the name of a
// field in lower case.
func isComponent(name string) bool {
	if strings.HasPrefix(name, "@") {
		return slices.Contains(SignatureComponents(), name)
	}
	return name != "" && strings.IndexFunc(name, func(c rune) bool { return c >= 'A' && c <= 'Z' || c > '~' || !isFieldByte(byte(c)) }) < 0
}

// isFieldByte reports whether c may be in the name of a field (RFC 9110 section 5.6.2).
func isFieldByte(c byte) bool { return isTokenByte(c) && c != ':' && c != '/' }

// signed is what a signature says of itself.
type signed struct {
	components       []string
	created, expires time.Time // expires is zero where it is not said
	algorithm        string
	// params is the value of @signature-params (RFC 9421 section 2.3).
	params    string
	signature []byte
}

// check judges the signature of a request.
func (g *gatewaySignature) check(r *policy.Request) policy.Verdict {
	s, reason, detail := g.read(r.Header)
	if reason != "" {
		return policy.Denied(reason, detail)
	}
	if missing := slices.IndexFunc(g.components, func(name string) bool { return !slices.Contains(s.components, name) }); missing >= 0 {
		return policy.Denied(policy.GatewaySignatureComponents, g.components[missing])
	}
	switch {
	case s.created.After(r.Time.Add(signatureSkew)):
		return policy.Denied(policy.GatewaySignatureFuture, "")
	case r.Time.Sub(s.created) > g.maxAge, !s.expires.IsZero() && !r.Time.Before(s.expires):
		return policy.Denied(policy.GatewaySignatureStale, "")
	case s.algorithm != "" && !slices.ContainsFunc(g.verifiers, func(v verifier) bool { return v.algorithm == s.algorithm }):
		return policy.Denied(policy.GatewaySignatureAlgorithm, "")
	}
	base, ok := signatureBase(r, s)
	if !ok {
		return policy.Denied(policy.GatewaySignatureComponents, "")
	}
	verified := false
	for _, v := range g.verifiers { // all of them, so that the time does not tell which one
		if s.algorithm == "" || s.algorithm == v.algorithm {
			verified = v.verifies(base, s.signature) || verified
		}
	}
	if !verified {
		return policy.Denied(policy.GatewaySignatureMismatch, "")
	}
	return policy.Permitted()
}

// read returns what both fields say under the label, or why they cannot be read.
func (g *gatewaySignature) read(header http.Header) (s signed, reason policy.Reason, detail string) {
	input, okInput := dictionaryMember(header[signatureInput], g.label)
	value, okValue := dictionaryMember(header[signatureField], g.label)
	switch {
	case !okInput:
		return s, policy.GatewaySignatureMalformed, signatureInput
	case !okValue:
		return s, policy.GatewaySignatureMalformed, signatureField
	case input == nil || value == nil:
		return s, policy.GatewaySignatureMissing, ""
	}
	if s.signature = byteSequence(value); s.signature == nil {
		return s, policy.GatewaySignatureMalformed, signatureField
	}
	if !input.list || !s.cover(input.items) {
		return s, policy.GatewaySignatureMalformed, "components"
	}
	if detail = s.describe(input.params); detail != "" {
		return s, policy.GatewaySignatureMalformed, detail
	}
	s.params = signatureParams(input)
	return s, "", ""
}

// byteSequence returns the bytes of an item without parameters; nil if it is none.
func byteSequence(m *labelled) []byte {
	text, begins := strings.CutPrefix(m.value, ":")
	text, ends := strings.CutSuffix(text, ":")
	if !begins || !ends || len(m.params) > 0 {
		return nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

// cover notes the components, and reports whether each is a name that is there once.
// Those with parameters are of messages that a gateway does not sign, or of parts of a
// field that two parsers may take apart in two ways.
func (s *signed) cover(items []bareItem) bool {
	for _, i := range items {
		name, ok := stringOf(i.value)
		if !ok || len(i.params) > 0 || slices.Contains(s.components, name) {
			return false
		}
		s.components = append(s.components, name)
	}
	return true
}

// stringOf returns a string that has nothing escaped in it.
func stringOf(value string) (string, bool) {
	if len(value) < 2 || value[0] != '"' || strings.Contains(value, `\`) {
		return "", false
	}
	return value[1 : len(value)-1], true
}

// describe notes the parameters (RFC 9421 section 2.3), and returns the name of one that
// is not as it has to be.
func (s *signed) describe(params []param) (wrong string) {
	for _, p := range params {
		var ok bool
		switch p.key {
		case "created":
			s.created, ok = instant(p.value)
		case "expires":
			s.expires, ok = instant(p.value)
		case "alg":
			s.algorithm, ok = stringOf(p.value)
			ok = ok && s.algorithm != ""
		case "keyid", "nonce", "tag":
			ok = strings.HasPrefix(p.value, `"`)
		default:
			return "parameter"
		}
		if !ok {
			return p.key
		}
	}
	if s.created.IsZero() {
		return "created"
	}
	return ""
}

// instant reads seconds since 1970, written in the one way that an integer has.
func instant(value string) (time.Time, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	return time.Unix(n, 0), err == nil && n > 0 && strconv.FormatInt(n, 10) == value
}

// signatureParams writes an inner list in its canonical form (RFC 8941 section 4.1.1.1).
func signatureParams(m *labelled) string {
	var b strings.Builder
	b.WriteByte('(')
	for n, i := range m.items {
		if n > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(i.value)
	}
	b.WriteByte(')')
	for _, p := range m.params {
		b.WriteString(";" + p.key + "=" + p.value)
	}
	return b.String()
}

// signatureBase returns what was signed (RFC 9421 section 2.5), and whether the request
// has every component.
func signatureBase(r *policy.Request, s signed) ([]byte, bool) {
	var b strings.Builder
	for _, name := range s.components {
		value, ok := componentOf(r, name)
		if !ok {
			return nil, false
		}
		b.WriteString(`"` + name + `": ` + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + s.params)
	return []byte(b.String()), true
}

// componentOf returns the value of one component, as it is forwarded (RFC 9421 sections
// 2.1, 2.2).
func componentOf(r *policy.Request, name string) (string, bool) {
	switch name {
	case "@method":
		return r.Method, true
	case "@authority":
		return strings.ToLower(r.Host), true
	case "@path":
		if r.Path == "" {
			return "/", true
		}
		return r.Path, true
	case "@query":
		return "?" + r.RawQuery, true
	case "@request-target":
		return r.Target, true
	}
	if !isComponent(name) {
		return "", false
	}
	lines := r.Header[http.CanonicalHeaderKey(name)]
	values := make([]string, len(lines))
	for i, line := range lines {
		values[i] = strings.Trim(line, " \t")
	}
	return strings.Join(values, ", "), len(lines) > 0
}
