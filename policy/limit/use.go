package limit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Store remembers who used a key first, each key until a time of its own. It is safe
// for concurrent use.
//
// A [ratelimit.Once] takes part in the one step of its group: limits are spent and
// keys remembered together or not at all. Any other store is asked after the limits
// of its group were, and only told to peek where one of them denies. A token is
// thus not used up by a request that a limit denies there either; but what the
// limits took is not given back when the store then denies or cannot be asked, so
// that a replay costs whoever sends it one request.
//
// Either is only told to peek where a verdict of tok.* refuses the request.
type Store interface {
	// Hold binds the key of the use to its owner until its time, if nobody has it, and
	// tells whose it is; a use that peeks is only told, and nothing is remembered. Of
	// concurrent uses of one key by several owners at most one is held, also across
	// processes. A key that is bound is not forgotten before its time, whatever else is
	// remembered: without room for another the error is ratelimit.ErrFull. When ctx ends
	// before the answer is there, or the store cannot be asked, the result has the error
	// and nothing else. Use.Once is not looked at.
	Hold(ctx context.Context, now time.Time, use ratelimit.Use) ratelimit.UseResult
}

var _ Store = (*ratelimit.Once)(nil)

// TokenUse says how the id of a token may be used in some operations: once, or any
// number of times by its first sender.
type TokenUse struct {
	// Store remembers the uses.
	Store Store
	// Space begins every key in the store. It is of this use alone, so that a store
	// can be shared with others.
	Space string
	// SameSender lets the first sender use a token again: who has the same client
	// certificate, else the same key of DPoP, else comes from the same network.
	// Otherwise a token is used once.
	SameSender bool
	// RequestID is the canonical name of the header in which the gateway numbers its
	// requests. A request for single use that path.gateway permits and that has one
	// such header, and the method and target, of the first use is a retry of the
	// gateway and the same use. Empty: every second use is another one.
	RequestID string
	// Skew is how long after its expiry a token is still accepted, and so how
	// much longer its id is remembered.
	Skew time.Duration
	// Group says with which limits the use is taken in one step.
	Group int
	// Operations are the ids of the operations whose tokens are used so.
	Operations []string
}

func problemsOf(uses []TokenUse) []error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	owner := make(map[string]bool)
	for _, u := range uses {
		switch {
		case u.Space == "":
			problem("use of tokens in operations %q has no space for its keys; give one", u.Operations)
		case owner[u.Space]:
			problem("use of tokens in operations %q shares the space %q with another; give each its own", u.Operations, u.Space)
		}
		owner[u.Space] = true
		if u.Store == nil {
			problem("use of tokens in operations %q has no store; make one with ratelimit.NewOnce", u.Operations)
		}
		if u.Skew < 0 {
			problem("use of tokens in operations %q has the clock skew %s; give zero or more", u.Operations, u.Skew)
		}
	}
	return problems
}

// asked is a use of a store that takes no part in the step of its group.
type asked struct {
	slot int
	use  ratelimit.Use
}

// takeUses is the step of a group in which tokens are used.
func (s *Stage) takeUses(ctx context.Context, g *group, p *purchase, asks []ratelimit.Ask, results []ratelimit.Result, slots []policy.Verdict) []ratelimit.Result {
	var useRoom [inline]ratelimit.Use
	var slotRoom [inline]int
	uses, useSlots := useRoom[:0], slotRoom[:0]
	var others []asked
	for _, slot := range g.uses {
		u := s.tokenUse(slot)
		use, v, ok := p.useOf(u)
		if !ok {
			slots[slot] = v
			continue
		}
		if use.Once, ok = u.Store.(*ratelimit.Once); !ok {
			others = append(others, asked{slot, use})
			continue
		}
		uses, useSlots = append(uses, use), append(useSlots, slot)
	}
	results, useResults := ratelimit.TakeOnce(p.r.Time, asks, uses, results)
	for i, slot := range useSlots {
		slots[slot] = s.tokenUse(slot).verdict(useResults[i])
	}
	peek := !passed(results, useResults)
	for _, o := range others {
		u := s.tokenUse(o.slot)
		o.use.Peek = o.use.Peek || peek
		slots[o.slot] = u.verdict(u.Store.Hold(ctx, p.r.Time, o.use))
	}
	return results
}

func (s *Stage) tokenUse(slot int) *TokenUse { return &s.options.Replay[slot-len(s.options.Limits)] }

// passed reports whether a step came to something.
func passed(results []ratelimit.Result, uses []ratelimit.UseResult) bool {
	for i := range results {
		if !results[i].Allowed {
			return false
		}
	}
	for i := range uses {
		if !uses[i].Held() {
			return false
		}
	}
	return true
}

// useOf returns the use of the request's token, or the verdict and false if there is
// nothing that could be remembered. Whoever is refused for the token does not use it up:
// neither a thief who cannot prove that it is his, nor its owner, who has to ask again
// with a nonce or when the issuer can be asked.
func (p *purchase) useOf(u *TokenUse) (ratelimit.Use, policy.Verdict, bool) {
	if v, missing := p.r.Auth.Missing(); missing {
		return ratelimit.Use{}, v, false
	}
	token := p.r.Auth.Token
	switch {
	case token == nil || token.ID == "" && !token.Handle:
		return ratelimit.Use{}, policy.Denied(policy.TokenIDMissing, ""), false
	case token.Expires.IsZero():
		return ratelimit.Use{}, policy.UndecidedBy(policy.TokTime), false
	}
	use := ratelimit.Use{Key: p.tokenKey(u.Space), Until: token.Expires.Add(u.Skew), Peek: refused(p.head)}
	if u.SameSender {
		use.Owner = p.sender()
	} else {
		use.Owner = p.retried(u.RequestID)
	}
	return use, policy.Verdict{}, true
}

// tokenKey is the key of the request's token: its id, or its fingerprint where the
// issuer gives none to an opaque token, whose value is the token itself. It is a digest
// behind its space: no id is kept, and no issuer and id give the key of another pair.
func (p *purchase) tokenKey(space string) string {
	from := len(p.keys)
	p.keys = part(p.keys, kindIssuer, p.r.Auth.Identity.Issuer)
	if token := p.r.Auth.Token; token.ID != "" {
		p.keys = part(p.keys, kindToken, token.ID)
	} else {
		p.keys = append(append(p.keys, kindFingerprint), token.Fingerprint[:]...)
	}
	sum := p.digest(from)
	p.keys = append(append(p.keys, space...), ':')
	p.keys = base64.RawURLEncoding.AppendEncode(p.keys, sum[:])
	key := string(p.keys[from:])
	p.keys = p.keys[:from]
	return key
}

// sender is who sends the token, as far as the request proves it. Without anything
// that tells it is nobody, and never the same.
func (p *purchase) sender() ratelimit.Owner {
	from := len(p.keys)
	switch proven := p.r.Auth.Sender(); {
	case proven.Certificate != "":
		p.keys = part(p.keys, kindCertificate, proven.Certificate)
	case proven.Key != "":
		p.keys = part(p.keys, kindKey, proven.Key)
	default:
		network, ok := networkOf(p.r.Source)
		if !ok {
			return ratelimit.Owner{}
		}
		p.keys = network.AppendTo(append(p.keys, kindPeer))
	}
	return p.digest(from)
}

// networkOf is where a sender is that nothing else tells apart: the /24 of an IPv4
// address, the /64 of another one. It is wider than the peer of a limit, since
// addresses behind one translator change within it; false for an invalid address.
func networkOf(addr netip.Addr) (netip.Prefix, bool) {
	addr = addr.Unmap()
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	network, err := addr.WithZone("").Prefix(bits)
	return network, err == nil && network.IsValid()
}

// retried is what makes a request of the gateway one with its own retries; nobody
// where it may be anybody's.
func (p *purchase) retried(header string) ratelimit.Owner {
	if header == "" || !p.throughGateway() {
		return ratelimit.Owner{}
	}
	ids := p.r.Header[header]
	if len(ids) != 1 || ids[0] == "" {
		return ratelimit.Owner{}
	}
	from := len(p.keys)
	for _, v := range []string{ids[0], p.r.Method, p.r.Path, p.r.RawQuery} {
		p.keys = part(p.keys, kindRequest, v)
	}
	return p.digest(from)
}

// throughGateway reports whether the request proved that it came through the gateway.
func (p *purchase) throughGateway() bool {
	for i := range p.head.Findings {
		if f := &p.head.Findings[i]; f.Rule.Control == policy.PathGateway {
			return f.Verdict.Effect == policy.Permit
		}
	}
	return false
}

// digest is that of the keys from a place on, which it gives back.
func (p *purchase) digest(from int) [sha256.Size]byte {
	sum := sha256.Sum256(p.keys[from:])
	p.keys = p.keys[:from]
	return sum
}

func (u *TokenUse) verdict(result ratelimit.UseResult) policy.Verdict {
	switch {
	case result.Err == nil && result.Held():
		return policy.Permitted()
	case errors.Is(result.Err, ratelimit.ErrPast):
		return policy.UndecidedBy(policy.TokTime)
	case errors.Is(result.Err, ratelimit.ErrFull):
		return policy.Undecided(policy.ReplayStoreFull, result.Err)
	case result.Err != nil:
		return policy.Undecided(policy.ReplayStoreUnavailable, result.Err)
	case u.SameSender:
		return policy.Denied(policy.TokenOtherSender, "")
	}
	return policy.Denied(policy.TokenReplayed, "")
}
