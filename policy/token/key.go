package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

const (
	// maxKeys bounds the number of keys of a document, usable or not.
	maxKeys = 100
	// minModulus and maxModulus bound an RSA key in bits: below, NIST SP 800-131A
	// forbids it; above, one signature costs the time of many requests.
	minModulus = 2048
	maxModulus = 8192
	// maxExponent is the largest public exponent: 2^31-1.
	maxExponent = 1<<31 - 1
)

// SkipReason says why a key of a key set is not used. The set is closed.
type SkipReason string

// The skip reasons.
const (
	SkipMalformed   SkipReason = "malformed"         // no JSON object, a duplicate member, a member of a wrong type
	SkipType        SkipReason = "unsupported-type"  // kty is not RSA, EC or OKP
	SkipSymmetric   SkipReason = "symmetric"         // kty is oct
	SkipPrivate     SkipReason = "private"           // a private key in a document that anybody may read
	SkipUse         SkipReason = "use"               // use is not sig (RFC 7517 section 4.2)
	SkipOperations  SkipReason = "operations"        // key_ops does not include verify (RFC 7517 section 4.3)
	SkipCurve       SkipReason = "unsupported-curve" // not P-256, P-384, P-521 or Ed25519
	SkipModulus     SkipReason = "modulus"           // RSA below 2048 or above 8192 bits
	SkipExponent    SkipReason = "exponent"          // even, below 3 or above 2^31-1
	SkipAlgorithm   SkipReason = "algorithm"         // alg does not fit the key, or is not allowed for the issuer
	SkipAmbiguous   SkipReason = "ambiguous"         // no alg, and the issuer allows several for such a key
	SkipDuplicateID SkipReason = "duplicate-id"      // another usable key has the same kid; none of them is used
	SkipInvalid     SkipReason = "invalid"           // its numbers are no public key
	SkipGenerator   SkipReason = "generator"         // RSA by a broken generator: its factors can be computed (ROCA, CVE-2017-15361)
)

// SkipReasons returns all skip reasons.
func SkipReasons() []SkipReason {
	return []SkipReason{
		SkipMalformed, SkipType, SkipSymmetric, SkipPrivate, SkipUse, SkipOperations, SkipCurve, SkipModulus,
		SkipExponent, SkipAlgorithm, SkipAmbiguous, SkipDuplicateID, SkipInvalid, SkipGenerator,
	}
}

// key is one public key with the one algorithm that it verifies. Exactly one of
// rsa, ec and ed is set.
type key struct {
	id  string
	alg algorithm
	// named is the alg that the JWK has; "" if alg was pinned by what is allowed.
	named string
	rsa   *rsa.PublicKey
	ec    *ecdsa.PublicKey
	ed    ed25519.PublicKey
	// life is the place on the timeline; set before the key is used.
	life *life
}

// same reports whether two keys have the same id, algorithms and numbers.
func (k *key) same(o *key) bool {
	if k.id != o.id || k.alg != o.alg || k.named != o.named {
		return false
	}
	switch k.alg.kind {
	case kindRSA:
		return k.rsa.Equal(o.rsa)
	case kindP256, kindP384, kindP521:
		return k.ec.Equal(o.ec)
	case kindEd25519:
		return k.ed.Equal(o.ed)
	}
	return false
}

// readDocument returns the raw keys of a key set (RFC 7517 section 5). Each key is
// judged alone later, so duplicate names are let through here, except for keys.
func readDocument(document []byte) ([]jsontext.Value, error) {
	if !withinDepth(document, maxDepth) {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	d := jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, errors.New("not JSON")
	}
	var keys []jsontext.Value
	found := false
	for d.PeekKind() != '}' {
		name, err := next(d, document)
		if err != nil {
			return nil, errors.New("not JSON")
		}
		isKeys := unquote(name) == "keys"
		value, err := next(d, document)
		if err != nil {
			return nil, errors.New("not JSON")
		}
		if !isKeys {
			continue
		}
		if found || value.Kind() != '[' {
			return nil, errors.New("member keys is no array, or is there twice")
		}
		found = true
		if keys, err = elements(value, d.Options()); err != nil {
			return nil, errors.New("not JSON")
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, errors.New("not JSON")
	}
	if len(bytes.TrimSpace(document[d.InputOffset():])) > 0 {
		return nil, errors.New("bytes after the object")
	}
	if !found {
		return nil, errors.New("member keys is missing")
	}
	return keys, nil
}

// readKey returns the usable key that a JWK describes, or why it is not used.
func readKey(text jsontext.Value, allowed []string) (*key, SkipReason) {
	m, err := readObject(text)
	if err != nil {
		return nil, SkipMalformed
	}
	var kty, use, alg, id, curve string
	for _, f := range []struct {
		name string
		to   *string
	}{{"kty", &kty}, {"use", &use}, {"alg", &alg}, {"kid", &id}, {"crv", &curve}} {
		switch v := find(m, f.name); {
		case v == nil:
		case v.Kind() != '"':
			return nil, SkipMalformed
		default:
			*f.to = unquote(v)
		}
	}
	if why := unusable(m, kty, use, curve); why != "" {
		return nil, why
	}
	k := &key{id: id, named: alg}
	var why SkipReason
	if k.alg, why = pin(alg, kindOf(kty, curve), allowed); why != "" {
		return nil, why
	}
	switch kty {
	case "RSA":
		why = weak(m)
	case "EC":
		why = oversized(m, k.alg.size)
	}
	if why != "" {
		return nil, why
	}
	if k.materialise(text) != nil {
		return nil, SkipInvalid
	}
	return k, ""
}

// unusable judges everything but the numbers of a key.
func unusable(m []member, kty, use, curve string) SkipReason {
	switch kty {
	case "RSA", "EC", "OKP":
	case "oct":
		return SkipSymmetric
	default:
		return SkipType
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if find(m, private) != nil {
			return SkipPrivate
		}
	}
	if use != "" && use != "sig" {
		return SkipUse
	}
	if v := find(m, "key_ops"); v != nil {
		if v.Kind() != '[' {
			return SkipMalformed
		}
		operations, ok := list(v, nil, false)
		if !ok {
			return SkipMalformed
		}
		for _, o := range operations {
			if o == "verify" {
				v = nil
			}
		}
		if v != nil {
			return SkipOperations
		}
	}
	if kindOf(kty, curve) == 0 {
		return SkipCurve
	}
	return ""
}

// kindOf returns the kind of a key, and zero when no algorithm uses it.
func kindOf(kty, curve string) kind {
	switch {
	case kty == "RSA":
		return kindRSA
	case kty == "EC" && curve == elliptic.P256().Params().Name:
		return kindP256
	case kty == "EC" && curve == elliptic.P384().Params().Name:
		return kindP384
	case kty == "EC" && curve == elliptic.P521().Params().Name:
		return kindP521
	case kty == "OKP" && curve == "Ed25519":
		return kindEd25519
	}
	return 0
}

// weak judges the numbers of an RSA key before anything computes with them: the
// library keeps only the low bits of a long exponent.
func weak(m []member) SkipReason {
	n, okN := number(m, "n")
	e, okE := number(m, "e")
	if !okN || !okE || len(n) == 0 {
		return SkipInvalid
	}
	bits := len(n) * 8
	for top := n[0]; top < 0x80; top <<= 1 {
		bits--
	}
	if bits < minModulus || bits > maxModulus {
		return SkipModulus
	}
	if n[len(n)-1]&1 == 0 {
		return SkipInvalid // no product of two large primes
	}
	exponent := uint64(0)
	if len(e) > 4 {
		return SkipExponent
	}
	for _, b := range e {
		exponent = exponent<<8 | uint64(b)
	}
	if exponent < 3 || exponent%2 == 0 || exponent > maxExponent {
		return SkipExponent
	}
	if generated(n) {
		return SkipGenerator
	}
	return ""
}

// oversized judges the coordinates of a point before anything copies them: the
// library panics on one that is longer than its curve (RFC 7518 section 6.2.1.2).
func oversized(m []member, size int) SkipReason {
	for _, name := range []string{"x", "y"} {
		if c, ok := number(m, name); !ok || len(c) > size {
			return SkipInvalid
		}
	}
	return ""
}

// number returns a base64url number without leading zeros (RFC 7518 section 2).
func number(m []member, name string) ([]byte, bool) {
	v := find(m, name)
	if v.Kind() != '"' {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(unquote(v))
	if err != nil {
		return nil, false
	}
	return bytes.TrimLeft(b, "\x00"), true
}

// pin returns the one algorithm that a key verifies: its own, or the only allowed
// one that fits it.
func pin(alg string, fits kind, allowed []string) (algorithm, SkipReason) {
	var pinned algorithm
	for _, name := range allowed {
		a, ok := algorithmOf(name)
		if !ok || a.kind != fits || (alg != "" && alg != name) {
			continue
		}
		if pinned.name != "" && pinned.name != name {
			return algorithm{}, SkipAmbiguous
		}
		pinned = a
	}
	if pinned.name == "" {
		return algorithm{}, SkipAlgorithm
	}
	return pinned, ""
}

// materialise lets the JOSE library make the public key of a JWK. Its panics are
// errors here: what it reads comes from the network, and Run must go on.
func (k *key) materialise(text []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("key parser panicked: %T", p)
		}
	}()
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		return err
	}
	switch k.alg.kind {
	case kindRSA:
		k.rsa = new(rsa.PublicKey)
		return parsed.Raw(k.rsa)
	case kindP256, kindP384, kindP521:
		k.ec = new(ecdsa.PublicKey)
		if err := parsed.Raw(k.ec); err != nil {
			return err
		}
		_, err := k.ec.ECDH() // refuses a point that is not on the curve
		return err
	case kindEd25519:
		if err := parsed.Raw(&k.ed); err != nil {
			return err
		}
		if len(k.ed) != ed25519.PublicKeySize {
			return errors.New("wrong length")
		}
	}
	return nil
}
