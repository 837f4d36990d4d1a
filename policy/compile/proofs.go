package compile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// proofStore remembers DPoP proofs, as uses by nobody in particular. It belongs to this
// process alone: a gateway that judges the same proofs remembers them in a store of its
// own, else each would have been used before.
type proofStore struct {
	store limit.Store
	most  int
}

// Use implements [token.Once].
func (s *proofStore) Use(ctx context.Context, now time.Time, key string, until time.Time) (bool, error) {
	result := s.store.Hold(ctx, now, ratelimit.Use{Key: key, Until: until})
	if errors.Is(result.Err, ratelimit.ErrFull) {
		return false, fmt.Errorf("%w: %w", token.ErrOnceFull, result.Err)
	}
	return result.First, result.Err
}

// proofs says which DPoP proofs are taken; nil for none. What was remembered outlives
// every change but that of its bound.
func (c *compiler) proofs() *token.DPoP {
	cfg := c.cfg.Token.DPoP
	if cfg == nil {
		return nil
	}
	store := c.previous.proofs
	if store == nil || store.most != cfg.MaxProofs {
		store = &proofStore{store: ratelimit.NewOnce(cfg.MaxProofs), most: cfg.MaxProofs}
	}
	c.parts.proofs = store
	return &token.DPoP{
		PublicURL: cfg.PublicURL, Algorithms: cfg.Algorithms, MaxAge: cfg.MaxAge.Std(), Skew: c.cfg.Token.ClockSkew.Std(),
		Nonce: cfg.Nonce, NonceKey: []byte(cfg.NonceKey.Reveal()), Used: store,
	}
}

// proofID names what proofs are judged by. A key of the nonces
// that was rotated makes another authenticator.
func (c *compiler) proofID() string {
	cfg := c.cfg.Token.DPoP
	if cfg == nil {
		return ""
	}
	return stableID(cfg, c.cfg.Token.ClockSkew, secretID(cfg.NonceKey))
}

// proofAlgorithms are those that answers name.
func (c *compiler) proofAlgorithms() []string {
	if c.cfg.Token.DPoP == nil || c.tokenless() {
		return nil
	}
	return slices.Clone(c.cfg.Token.DPoP.Algorithms)
}

func senderConstraint(name string) token.SenderConstraint {
	switch name {
	case config.SenderRequired:
		return token.ConstraintRequired
	case config.SenderDPoP:
		return token.ConstraintDPoP
	case config.SenderMTLS:
		return token.ConstraintMTLS
	}
	return token.ConstraintOptional
}

// checkNonces refuses nonces where tok.bind does not enforce: only an answer of ours
// gives a client its nonce, so without one no proof would ever have it, and every
// finding would be about that.
func (c *compiler) checkNonces(all []*planned) {
	if cfg := c.cfg.Token.DPoP; cfg == nil || !cfg.Nonce {
		return
	}
	var places []string
	for _, p := range all {
		if p.public || p.modeOf(policy.TokBind) == policy.Enforce {
			continue
		}
		place := ""
		if c.setFor(p.key, policy.TokBind) {
			place = p.key
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	for _, place := range places {
		where := ""
		if place != "" {
			where = " for " + place
		}
		c.problem("token.dpop.nonce", "asks for nonces, and tok.bind does not enforce"+where+": only an answer of ours gives a client its nonce, and in shadow there is none",
			"add "+linesFor(place, []policy.Control{policy.TokBind})+", or remove nonce")
	}
}
