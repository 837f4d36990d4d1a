package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// ErrOnceFull is the error of a use that cannot be remembered because there is no room.
var ErrOnceFull = errors.New("the store of used proofs is full")

// Once remembers keys, each until its own time, and tells the first use of a key
// from the others. It must be safe for concurrent use.
type Once interface {
	// Use remembers a key and reports whether it was not remembered before. An error
	// means that this is not known: there was no room, which is ErrOnceFull, or the
	// store could not be asked before ctx ended.
	Use(ctx context.Context, now time.Time, key string, until time.Time) (first bool, err error)
}

// DPoP configures which proofs of possession are taken (RFC 9449).
type DPoP struct {
	// PublicURL is where clients reach this API: scheme, host and the path before
	// the paths of requests. The claim htu is compared with it and never with the
	// header Host, which a client chooses.
	PublicURL string
	// Algorithms are the allowed values of the header member alg of a proof.
	Algorithms []string
	// MaxAge is the oldest proof, by its claim iat; Skew is how far ahead of us the
	// clock of a client may be. With Nonce, MaxAge is how long a nonce is given out.
	MaxAge, Skew time.Duration
	// Nonce asks for a nonce of ours in every proof (RFC 9449 section 9).
	Nonce bool
	// NonceKey makes the nonces; processes with the same key and MaxAge take each
	// other's. Without one there is a random key, which a follower of the
	// authenticator takes over.
	NonceKey []byte
	// Used remembers the proofs. No gateway may share it: it would have seen every
	// proof before.
	Used Once
}

// dpop judges proofs. It is immutable and safe for concurrent use.
type dpop struct {
	public       target
	allowed      []string
	maxAge, skew time.Duration
	nonces       *nonces // nil when none is asked for
	used         Once
}

// compileDPoP returns what judges proofs, and nil when none are taken.
func compileDPoP(o *DPoP, previous *Authenticator) (*dpop, error) {
	if o == nil {
		return nil, nil //nolint:nilnil // no proofs and no fault
	}
	public, ok := readTarget(o.PublicURL)
	switch {
	case !ok:
		return nil, errors.New("the public URL of proofs is no http or https URL")
	case len(o.Algorithms) == 0:
		return nil, errors.New("no algorithm of proofs is allowed: name at least one")
	case o.MaxAge <= 0 || o.Skew < 0:
		return nil, errors.New("the age of proofs has no bound: give one above zero")
	case o.Used == nil:
		return nil, errors.New("nothing remembers proofs: each could be used again")
	}
	for _, name := range o.Algorithms {
		if _, ok := algorithmOf(name); !ok {
			return nil, fmt.Errorf("algorithm %q of proofs is not one of %s", name, strings.Join(Algorithms(), " "))
		}
	}
	public.path = strings.TrimSuffix(public.path, "/")
	d := &dpop{public: public, allowed: slices.Clone(o.Algorithms), maxAge: o.MaxAge, skew: o.Skew, used: o.Used}
	if o.Nonce {
		var before *nonces
		if previous != nil && previous.dpop != nil {
			before = previous.dpop.nonces
		}
		d.nonces = newNonces(o.NonceKey, o.MaxAge, before)
	}
	return d, nil
}

// judge fills in what the proof of a request says of its sender, who sends the token t
// with these facts.
//
// Only a proof that is right otherwise is remembered, and only for a token that names
// its key and has not expired: nobody fills the store with keys of his own making, or
// with tokens that are over. Whether such a proof was used is undecided by tok.time.
func (d *dpop) judge(ctx context.Context, s *policy.Sender, t string, facts *policy.Token, r *policy.Request) {
	bound := facts.Confirmation.Key
	p, verdict := d.read(r.Header["Dpop"], bound)
	if verdict.Effect == policy.Permit {
		verdict = d.fits(p, t, r)
	}
	switch {
	case verdict.Reason == policy.DPoPNonce:
		s.Nonce = d.nonces.mint(r.Time)
	case verdict.Effect != policy.Permit || bound == "":
	case facts.Expires.IsZero(), !facts.Expires.After(r.Time.Add(-d.skew)):
		verdict = policy.UndecidedBy(policy.TokTime)
	default:
		verdict = d.once(ctx, p, r.Time)
	}
	if s.Proof = verdict; verdict.Effect == policy.Permit {
		s.Key = p.thumbprint
	}
}

// fits judges the claims of a proof that its key signed (RFC 9449 section 4.3, checks
// 8 to 12).
func (d *dpop) fits(p *proof, t string, r *policy.Request) policy.Verdict {
	if p.method != r.Method {
		return policy.Denied(policy.DPoPMethod, "")
	}
	if part := d.public.differs(p.url, r.Path); part != "" {
		return policy.Denied(policy.DPoPURL, part)
	}
	switch {
	case p.issued.Before(r.Time.Add(-d.maxAge)):
		return policy.Denied(policy.DPoPTime, "old")
	case p.issued.After(r.Time.Add(d.skew)), p.notBefore.After(r.Time.Add(d.skew)):
		return policy.Denied(policy.DPoPTime, "ahead")
	case !p.expires.IsZero() && !p.expires.After(r.Time.Add(-d.skew)):
		return policy.Denied(policy.DPoPTime, "expired")
	}
	if digest := sha256.Sum256([]byte(t)); p.token != base64.RawURLEncoding.EncodeToString(digest[:]) {
		return policy.Denied(policy.DPoPToken, "")
	}
	if d.nonces != nil && !d.nonces.takes(p.nonce, r.Time) {
		return policy.Denied(policy.DPoPNonce, "")
	}
	return policy.Permitted()
}

// once permits the first use of a proof (RFC 9449 section 11.1). It is remembered
// for as long as its time passes, and a skew and a second more: the clock of the
// store may be that of another process.
func (d *dpop) once(ctx context.Context, p *proof, now time.Time) policy.Verdict {
	h := sha256.New()
	h.Write([]byte(p.thumbprint)) // of one length, so that no pair reads as another one
	h.Write([]byte(p.id))
	key := "dpop " + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	first, err := d.used.Use(ctx, now, key, p.issued.Add(d.maxAge+d.skew+time.Second))
	switch {
	case errors.Is(err, ErrOnceFull):
		return policy.Undecided(policy.DPoPStoreFull, err)
	case err != nil:
		return policy.Undecided(policy.DPoPStoreUnavailable, err)
	case !first:
		return policy.Denied(policy.DPoPReplayed, "")
	}
	return policy.Permitted()
}
