package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"

	"github.com/sidewarden/sidewarden/policy"
)

// APIKeyChallenge is the authentication scheme that a 401 asks for where API keys
// arrive (RFC 9110 section 11.6.1 demands a challenge). No scheme for API keys is
// registered; the registered one of tokens would ask for what nobody reads.
const APIKeyChallenge = "ApiKey"

// APIKeyOptions configure APIKeys.
type APIKeyOptions struct {
	// Header is the request header that carries the key.
	Header string
	// Issuer is the fixed name of who gave the keys out: the issuer of every identity.
	Issuer string
	// Entries are the keys, as [ReadAPIKeys] returns them.
	Entries []APIKeyEntry
}

// APIKeys is the stage that turns an API key into the identity that a file has for it.
// It is immutable and safe for concurrent use.
//
// The key is in one header field: one that occurs twice, or in another spelling with
// underscores, is no credential. It is never looked for in the query, where it would
// get into logs. A key of the file proves itself, and so has an identity, also when it
// has expired or is disabled; of any other there is none.
//
// # What time tells
//
// The key is hashed under every salt of the file, whatever is found, and compared as a
// whole with the candidates of the same first bytes of the hash, or with a dummy.
// Neither depends on how much of a key is right: who does not know the salts cannot
// choose a key by its hash, so that no byte of a key can be found without the others.
// Time tells how long the key is and how many salts there are, and with a probability
// of some 2^-32 for each key of the file that a hash begins as another one does. After
// that, whether a key is known, which the answer tells anyway.
type APIKeys struct {
	header string // canonical
	issuer string
	salts  [][]byte
	// known are the keys by their salt and the first bytes of their hash.
	known map[bucket][]*apiKey
	dummy [sha256.Size]byte
}

var _ policy.Authenticator = (*APIKeys)(nil)

// bucket is where a key is looked for.
type bucket struct {
	salt  int
	begin uint32
}

// apiKey is one key of the file.
type apiKey struct {
	hash     [sha256.Size]byte
	identity policy.Identity
	facts    policy.APIKey
}

// NewAPIKeys returns the stage. The error names the option, or the entry and its
// member.
func NewAPIKeys(o APIKeyOptions) (*APIKeys, error) {
	switch {
	case o.Header == "":
		return nil, errors.New("token: the header with the API key is not named")
	case o.Issuer == "":
		return nil, errors.New("token: the issuer of API keys is not named")
	}
	a := &APIKeys{header: http.CanonicalHeaderKey(o.Header), issuer: o.Issuer, known: make(map[bucket][]*apiKey, len(o.Entries))}
	saltAt, idAt, owner := map[string]int{}, map[string]int{}, map[string]string{}
	for i := range o.Entries {
		e := &o.Entries[i]
		if err := e.valid(); err != nil {
			return nil, fmt.Errorf("token: %s: %w", e.name(i), err)
		}
		if before, again := idAt[e.ID]; again {
			return nil, fmt.Errorf("token: %s: member id: is that of entry number %d too", e.name(i), before+1)
		}
		idAt[e.ID] = i
		at, seen := saltAt[e.Salt]
		if !seen {
			if at = len(a.salts); at == MaxAPIKeySalts {
				return nil, fmt.Errorf("token: %s: member salt: is one more than the %d different ones that a file may have; hash keys under the same salt", e.name(i), MaxAPIKeySalts)
			}
			salt, _ := decodeSalt(e.Salt) // it was decoded before
			saltAt[e.Salt], a.salts = at, append(a.salts, salt)
		}
		if other, taken := owner[e.Salt+"."+e.Hash]; taken {
			return nil, fmt.Errorf("token: %s: member hash: is that of entry %q too", e.name(i), other)
		}
		owner[e.Salt+"."+e.Hash] = e.ID
		a.add(e, at)
	}
	return a, nil
}

func (a *APIKeys) add(e *APIKeyEntry, salt int) {
	k := &apiKey{
		identity: policy.Identity{Issuer: a.issuer, Client: e.Client, Principal: e.Principal, Accounts: e.Accounts, Scopes: e.Scopes},
		facts:    policy.APIKey{Disabled: e.Disabled},
	}
	k.facts.Until, _ = e.until()                                        // it was read before
	_, _ = base64.RawURLEncoding.Decode(k.hash[:], []byte(e.Hash))      // as above
	b := bucket{salt: salt, begin: binary.BigEndian.Uint32(k.hash[:4])} //nolint:gosec // the hash is longer
	a.known[b] = append(a.known[b], k)
}

// Authenticate returns the identity of the key that the request carries. It reads
// r.Header alone, and there is no token. What it returns may be shared with other
// requests, so it is read-only.
func (a *APIKeys) Authenticate(_ context.Context, r *policy.Request) policy.Authentication {
	key, reason := a.credential(r.Header)
	if reason != "" {
		return a.none(policy.Verdict{Effect: policy.Indeterminate, Reason: reason, Cause: policy.TokPresent})
	}
	k, several := a.find(key)
	switch {
	case several:
		return a.none(policy.Verdict{Effect: policy.Indeterminate, Reason: policy.APIKeyUnknown, Detail: "ambiguous", Cause: policy.KeyValid})
	case k == nil:
		return a.none(policy.Verdict{Effect: policy.Indeterminate, Reason: policy.APIKeyUnknown, Cause: policy.KeyValid})
	}
	return policy.Authentication{Proof: policy.Permitted(), Identity: &k.identity, APIKey: &k.facts, Challenge: APIKeyChallenge}
}

func (a *APIKeys) none(proof policy.Verdict) policy.Authentication {
	return policy.Authentication{Proof: proof, Challenge: APIKeyChallenge}
}

// credential returns the key, or the reason of tok.present that there is none.
func (a *APIKeys) credential(header http.Header) (string, policy.Reason) {
	values := header[a.header]
	switch {
	case len(values) > 1 || respelt(header, a.header):
		return "", policy.CredentialDuplicate
	case len(values) == 0:
		return "", policy.CredentialMissing
	case !IsAPIKey(values[0]):
		return "", policy.CredentialMalformed
	}
	return values[0], ""
}

// find returns the entry of a key; nil for none. A key that entries with different
// salts share is nobody's: several reports that.
func (a *APIKeys) find(key string) (found *apiKey, several bool) {
	for i, salt := range a.salts {
		sum := macOf(salt, key)
		candidates := a.known[bucket{salt: i, begin: binary.BigEndian.Uint32(sum[:4])}]
		if len(candidates) == 0 {
			subtle.ConstantTimeCompare(sum[:], a.dummy[:])
		}
		for _, k := range candidates {
			if subtle.ConstantTimeCompare(sum[:], k.hash[:]) == 1 {
				several = found != nil
				found = k
			}
		}
	}
	if several {
		return nil, true
	}
	return found, false
}

// Key is the check of key.valid.
//
// Rule: the API key is one of the file, its last day is not over at the time of the
// request, and it is not disabled. It is denied with api-key-unknown, whose detail is
// ambiguous for a key that several entries have, api-key-disabled or api-key-expired,
// and undecided by tok.present without a key.
type Key struct{}

// Check judges key.valid.
func (Key) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if p := r.Auth.Proof; p.Cause == policy.KeyValid {
		return policy.Denied(p.Reason, p.Detail)
	}
	switch k := r.Auth.APIKey; {
	case r.Auth.Identity == nil && r.Auth.Proof.Reason == policy.InternalError:
		return r.Auth.Proof // nobody looked
	case r.Auth.Identity == nil:
		return r.Auth.Proof.Dependent(policy.TokPresent)
	case k == nil:
		// An identity without a key did not come from this package's stage.
		return policy.UndecidedBy(policy.TokPresent)
	case k.Disabled:
		return policy.Denied(policy.APIKeyDisabled, "")
	case !k.Until.IsZero() && !r.Time.Before(k.Until):
		return policy.Denied(policy.APIKeyExpired, "")
	}
	return policy.Permitted()
}
