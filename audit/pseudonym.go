package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"strings"
	"sync"
)

// Type is the kind of a value that gets a pseudonym. Equal values of different
// types have different pseudonyms.
type Type string

// The types.
const (
	TypeClient    Type = "client"    // issuer, 0x1f, client
	TypePrincipal Type = "principal" // issuer, 0x1f, principal
	TypeActor     Type = "actor"     // issuer, 0x1f, actor
	TypeAccount   Type = "account"   // as the token or the carrier spells it
	TypePath      Type = "path"      // a path parameter or segment, percent-decoded
	TypeToken     Type = "token"     // the 32 bytes of the token's fingerprint
	TypeIssuer    Type = "issuer"    // an issuer that is not configured
	TypeKey       Type = "key"       // a key id
	TypePeer      Type = "peer"      // a peer as limits count it: an IPv4 address or an IPv6 /64
	TypeBucket    Type = "bucket"    // a key of a limit that was too long to be kept
)

const (
	// RandomKeyID is the key id of a random key that dies with the process.
	RandomKeyID = "r"

	minKeyBytes      = 16
	maxKeyID         = 8
	pseudonymDigits  = 26 // 130 bits of base32
	pseudonymDivider = "\x1f"

	maxMessage = 1024 // a longer buffer is not kept for the next pseudonym
)

// Pseudonymizer replaces identifiers by keyed pseudonyms:
//
//	"p" kid "_" base32(HMAC-SHA-256(key, tenant 0x1f type 0x1f value))[0:26]
//
// in lower case. Equal values join, as long as the key is the same; without the
// key nobody can find a value by trying all of them, which an unkeyed digest of
// an account number would allow. Tenant is the product, so products do not join
// even with one key.
//
// The value is hashed exactly as it was compared: no trimming, no change of case,
// no leading zeros dropped. The account boundary compares exact strings, and a
// pseudonym that merged two of them would show a denied request as a request for
// the caller's own account. It is safe for concurrent use.
//
// It remembers a bounded number of pseudonyms, and with them the values that they
// stand for, in memory alone.
type Pseudonymizer struct {
	kid    string
	tenant string
	// macs holds keyed hash states; a reset restores the keyed start and is three
	// times cheaper than keying anew.
	macs sync.Pool

	// What was made is remembered by type, so that no type drives out another one.
	// An issuer that is not configured is hostile or a mistake, and is not.
	seed                  maphash.Seed
	accounts, paths, keys memo[string]
	tokens                memo[[32]byte]

	clients, principals, actors memo[name]
}

// NewPseudonymizer returns the pseudonymizer of one key and tenant. Kid names the
// key in every pseudonym: 1 to 8 lower-case letters or digits, and not "r".
// Without a key it takes a random one under the name "r", whatever kid says;
// pseudonyms then do not join across restarts or instances, and the caller warns
// of it. The error names a key of fewer than 16 bytes, a bad key id, or a tenant
// that holds the divider 0x1f.
func NewPseudonymizer(key []byte, kid, tenant string) (*Pseudonymizer, error) {
	if strings.Contains(tenant, pseudonymDivider) {
		return nil, errors.New("pseudonyms: the product name holds the control character 0x1f; remove it")
	}
	if len(key) == 0 {
		kid, key = RandomKeyID, make([]byte, sha256.Size)
		rand.Read(key) // never fails: the runtime ends the process instead
	} else if err := validKey(key, kid); err != nil {
		return nil, err
	}
	own := append([]byte(nil), key...)
	p := &Pseudonymizer{kid: kid, tenant: tenant, seed: maphash.MakeSeed()}
	p.macs.New = func() any { return &keyed{mac: hmac.New(sha256.New, own)} }
	return p, nil
}

func validKey(key []byte, kid string) error {
	if len(key) < minKeyBytes {
		return fmt.Errorf("pseudonyms: the key has %d bytes; give at least %d random ones", len(key), minKeyBytes)
	}
	if kid == RandomKeyID {
		return fmt.Errorf("pseudonyms: the key id %q means a random key; give the key another id", kid)
	}
	if !isKeyID(kid) {
		return fmt.Errorf("pseudonyms: key id %q; give 1 to %d lower-case letters or digits", kid, maxKeyID)
	}
	return nil
}

func isKeyID(s string) bool {
	if s == "" || len(s) > maxKeyID {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// KeyID returns the id of the key, "r" for a random one.
func (p *Pseudonymizer) KeyID() string { return p.kid }

// Of returns the pseudonym of a value. An empty value has one too.
func (p *Pseudonymizer) Of(t Type, value string) string {
	var m *memo[string]
	switch t {
	case TypeAccount:
		m = &p.accounts
	case TypePath:
		m = &p.paths
	case TypeKey:
		m = &p.keys
	case TypeClient, TypePrincipal, TypeActor, TypeToken, TypeIssuer, TypePeer, TypeBucket, TypeCertificate:
	}
	if m == nil || len(value) > maxRemembered {
		return p.digest(t, name{value: value})
	}
	shard := maphash.String(p.seed, value)
	if known, ok := m.find(shard, value); ok {
		return known
	}
	pseudonym := p.digest(t, name{value: value})
	m.keep(shard, strings.Clone(value), pseudonym) // a part of a path would keep all of it
	return pseudonym
}

// Owned returns the pseudonym of a name that is unique only within its issuer: a
// client, a principal or an actor. It is empty when the name is.
func (p *Pseudonymizer) Owned(t Type, issuer, value string) string {
	if value == "" {
		return ""
	}
	n := name{issuer: issuer, value: value, owned: true}
	var m *memo[name]
	switch t {
	case TypeClient:
		m = &p.clients
	case TypePrincipal:
		m = &p.principals
	case TypeActor:
		m = &p.actors
	case TypeAccount, TypePath, TypeKey, TypeToken, TypeIssuer, TypePeer, TypeBucket, TypeCertificate:
	}
	if m == nil || len(issuer)+len(value) > maxRemembered {
		return p.digest(t, n)
	}
	shard := maphash.String(p.seed, value)
	if known, ok := m.find(shard, n); ok {
		return known
	}
	pseudonym := p.digest(t, n)
	n.issuer, n.value = strings.Clone(issuer), strings.Clone(value)
	m.keep(shard, n, pseudonym)
	return pseudonym
}

// ofToken returns the pseudonym of a token's fingerprint, which is its own shard.
func (p *Pseudonymizer) ofToken(fingerprint [32]byte) string {
	shard := uint64(fingerprint[0])
	if known, ok := p.tokens.find(shard, fingerprint); ok {
		return known
	}
	pseudonym := p.digest(TypeToken, name{value: string(fingerprint[:])})
	p.tokens.keep(shard, fingerprint, pseudonym)
	return pseudonym
}

// keyed is a keyed hash state with the room that one pseudonym needs.
type keyed struct {
	mac     hash.Hash
	message []byte
	sum     [sha256.Size]byte
	text    [52]byte
}

func (p *Pseudonymizer) digest(t Type, n name) string {
	k, ok := p.macs.Get().(*keyed)
	if !ok {
		panic("audit: the pool of hash states holds something else")
	}
	k.mac.Reset()
	m := append(append(k.message[:0], p.tenant...), pseudonymDivider...)
	m = append(append(m, t...), pseudonymDivider...)
	if n.owned {
		m = append(append(m, n.issuer...), pseudonymDivider...)
	}
	m = append(m, n.value...)
	k.mac.Write(m) // a hash never returns an error (package hash)
	encoding.Encode(k.text[:], k.mac.Sum(k.sum[:0]))
	m = append(append(append(m[:0], 'p'), p.kid...), '_')
	pseudonym := string(append(m, k.text[:pseudonymDigits]...))
	if cap(m) <= maxMessage {
		k.message = m
	}
	p.macs.Put(k)
	return pseudonym
}

//nolint:gochecknoglobals // immutable
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
