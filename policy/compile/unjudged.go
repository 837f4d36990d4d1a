package compile

import (
	"fmt"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// doubtUnjudged warns of what is asked of tokens, and judged by a control that is off
// for every operation.
func (c *compiler) doubtUnjudged() {
	revoked, bind := c.judgesAnywhere(policy.TokRevoked), c.judgesAnywhere(policy.TokBind)
	if c.cfg.Token.DPoP != nil && !bind {
		c.warn("token.dpop", "tokens come with proofs, and tok.bind, which judges them, is off: no token is held to the key that it is bound to",
			"set tok.bind: shadow in controls, or remove dpop")
	}
	for i, issuer := range c.cfg.Token.Issuers {
		at := fmt.Sprintf("token.issuers[%d]", i)
		if in := issuer.Introspection; in != nil && in.JWTs && !revoked {
			c.warn(at+".introspection.jwts", "the issuer is asked about every JWT, and tok.revoked, which judges what it says, is off",
				"set tok.revoked: shadow in controls, or remove jwts")
		}
		if issuer.SenderConstraint != config.SenderOptional && !bind {
			c.warn(at+".sender_constraint", "tok.bind, which asks for it, is off: no token has to be bound",
				"set tok.bind: shadow in controls, or remove sender_constraint")
		}
	}
}
