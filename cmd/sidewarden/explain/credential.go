package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// token tells what a check of the token looked at.
func (v *view) token(c policy.Control, t *policy.Token) []Input {
	var is config.Issuer
	if v.issuer != nil {
		is = *v.issuer
	}
	switch c {
	case policy.TokSig:
		return v.proof(t, is)
	case policy.TokIss:
		return v.trusted(t, is)
	case policy.TokTyp:
		return v.kind(t, is)
	case policy.TokAud:
		return []Input{
			{"token's aud", v.values(t.Audience, is.Audiences)},
			{"expected", fmt.Sprintf("%s of %s", is.AudienceMatch, (mask{show: true}).values(is.Audiences, nil))},
			{"set in", v.set(v.issuerField + ".audiences")},
		}
	case policy.TokTime:
		return []Input{
			{"now", v.r.Time.UTC().Format(time.RFC3339)},
			{"clock skew", v.cfg.Token.Skew(is).String()},
			{"exp", v.moment(t.Expires)},
			{"nbf", v.moment(t.NotBefore)},
			{"iat", v.moment(t.IssuedAt)},
		}
	case policy.TokTTL:
		return v.lifetime(t, is)
	case policy.TokBind:
		return v.binding(t.Confirmation, is)
	case policy.TokRevoked:
		return []Input{v.endpoint()}
	}
	return v.replay(t)
}

// proof tells what proves the token.
func (v *view) proof(t *policy.Token, is config.Issuer) []Input {
	if t.Introspected {
		return []Input{v.endpoint()}
	}
	inputs := []Input{{"token's alg", v.known(t.Algorithm, is.Algorithms)}, {"token's kid", v.value(t.KeyID)}}
	if v.issuer == nil {
		return append(inputs, Input{"key set", "none: the issuer is not configured"})
	}
	source := "where the metadata of the issuer says"
	switch {
	case is.JWKSFile != "":
		source = plain(is.JWKSFile)
	case is.JWKSURL != "":
		source = plain(is.JWKSURL)
	}
	return append(inputs, Input{"algorithms", strings.Join(is.Algorithms, ", ")}, Input{"key set", source})
}

// trusted tells who may issue tokens, and for which accounts.
func (v *view) trusted(t *policy.Token, is config.Issuer) []Input {
	var trusted []string
	for _, i := range v.cfg.Token.Issuers {
		trusted = append(trusted, i.Issuer)
	}
	inputs := []Input{{"token's iss", v.known(t.Claimed.Issuer, trusted)}, {"trusted", (mask{show: true}).values(trusted, nil)}}
	if len(is.AccountNamespace) > 0 {
		inputs = append(inputs,
			Input{"accounts begin with", (mask{show: true}).values(is.AccountNamespace, nil)},
			Input{"set in", v.set(v.issuerField + ".account_namespace")})
	}
	return inputs
}

// kind tells what kind of token it is, and what is asked of one.
func (v *view) kind(t *policy.Token, is config.Issuer) []Input {
	if t.Introspected && is.Introspection != nil {
		return []Input{
			{"answer's token_type", v.known(t.TokenType, is.Introspection.Types)},
			{"accepted", (mask{show: true}).values(is.Introspection.Types, nil)},
		}
	}
	inputs := []Input{
		{"token's typ", v.known(t.Type, is.AcceptedTypes())},
		{"accepted", (mask{show: true}).values(is.AcceptedTypes(), nil)},
		{"profile", is.Profile},
	}
	if lacks := askedFor(t.Missing, is); len(lacks) > 0 {
		inputs = append(inputs, Input{"claims that it lacks", strings.Join(lacks, ", ")})
	}
	return inputs
}

// askedFor are those of the missing claims that the profile asks for. What some other
// control asks for is among them, and nbf, which nobody does, is not.
func askedFor(missing []string, is config.Issuer) []string {
	if is.Profile != config.ProfileRFC9068 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(missing), func(claim string) bool { return claim == "nbf" })
}

func (v *view) lifetime(t *policy.Token, is config.Issuer) []Input {
	lifetime := "not known"
	if !t.Expires.IsZero() && !t.IssuedAt.IsZero() {
		lifetime = t.Expires.Sub(t.IssuedAt).String()
	}
	field := "token.max_lifetime"
	if is.MaxLifetime != nil {
		field = v.issuerField + ".max_lifetime"
	}
	return []Input{{"lifetime", lifetime}, {"longest", v.cfg.Token.Lifetime(is).String()}, {"set in", v.set(field)}}
}

// endpoint tells where the issuer would be asked about the token.
func (v *view) endpoint() Input {
	if v.issuer == nil || v.issuer.Introspection == nil {
		return Input{"introspection", "none: the issuer is not asked"}
	}
	return Input{"introspection", plain(v.issuer.Introspection.URL)}
}

// moment is a time of the token and how far it is from the request.
func (v *view) moment(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	text := t.UTC().Format(time.RFC3339)
	switch d := t.Sub(v.r.Time).Round(time.Second); {
	case d > 0:
		return fmt.Sprintf("%s, %s after now", text, d)
	case d < 0:
		return fmt.Sprintf("%s, %s before now", text, -d)
	}
	return text + ", now"
}
