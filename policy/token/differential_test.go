package token_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// second is a second opinion on a token: another library's, that is told the same keys,
// algorithms, issuer, audience and time.
func second(sent string, signers []*tokentest.Signer) error {
	names := make([]string, len(signers))
	for i, s := range signers {
		names[i] = s.Algorithm
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(names), jwt.WithIssuer(issuerName), jwt.WithAudience(audience), jwt.WithLeeway(skew),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return epoch }),
	)
	_, err := parser.Parse(sent, func(t *jwt.Token) (any, error) {
		for _, s := range signers {
			if t.Header["kid"] == s.KeyID && t.Method.Alg() == s.Algorithm {
				return s.Public(), nil
			}
		}
		return nil, errors.New("no such key")
	})
	return err
}

// stricter are the reasons for which a token is refused that other libraries accept.
func stricter() []policy.Reason {
	return []policy.Reason{
		policy.TokenOversize,
		policy.TokenMalformed, // repeated members, invalid UTF-8, times with fractions, claims of other types, deep nesting
		policy.TokenHeader, policy.TokenHeaderCrit, policy.TokenHeaderUnencoded, policy.TokenHeaderKey, policy.TokenHeaderJWE,
		policy.TokenHeaderNested,
		policy.TokenType, policy.TokenClaimMissing, policy.TokenIssuedAtMissing, policy.TokenLifetime, policy.TokenLifetimeNegative,
		policy.TokenExpired, // on the very second
	}
}

// FuzzTokenDifferential: what is accepted here, two other libraries accept, and what
// they accept is refused here only for a reason that is named.
func FuzzTokenDifferential(f *testing.F) {
	signers := []*tokentest.Signer{tokentest.EC(), tokentest.Shared("EdDSA", "ed-1"), tokentest.RSA()}
	document := tokentest.JWKS(signers...)
	algorithms := []string{"ES256", "EdDSA", "RS256"}
	w := newWorld(f, issuerWith(fileSet(f, issuerName, document, algorithms...), algorithms...))
	f.Add("", "", uint8(0), uint8(0), uint8(0), uint16(0))
	for i, seed := range []struct{ header, claims string }{
		{`{"alg":"ES256","kid":"ec-1","typ":"at+jwt"}`, ""},
		{`{"alg":"RS256","kid":"ec-1","typ":"at+jwt"}`, ""},
		{`{"alg":"ES256","kid":"ec-1","typ":"at+jwt","crit":["x"],"x":1}`, ""},
		{`{"alg":"none","alg":"ES256","kid":"ec-1","typ":"at+jwt"}`, ""},
		{`{"alg":"ES256","kid":"ec-1","typ":"JWT"}`, ""},
		{"", `{"iss":"https://idp.example.net","aud":["https://api.example.net"],"exp":1800003600,"iat":1800000000,"sub":"s","client_id":"c","jti":"j"}`},
		{"", `{"iss":"https://idp.example.net","aud":"https://api.example.net","exp":1.8000036e9,"iat":1800000000}`},
		{"", `{"iss":"https://idp.example.net","aud":"https://api.example.net","exp":1,"exp":1800003600,"iat":1800000000}`},
		{"", `{"iss":"https://idp.example.net","aud":"https://api.example.net","exp":1800003600,"iat":1800000000,"nbf":1800000061}`},
	} {
		f.Add(seed.header, seed.claims, uint8(i), uint8(0), uint8(0), uint16(0))
		f.Add(seed.header, seed.claims, uint8(0), uint8(i), uint8('='), uint16(77*i))
	}
	f.Fuzz(func(t *testing.T, header, text string, which, how, b uint8, at uint16) {
		spec := tokentest.Spec{HeaderJSON: header, ClaimsJSON: text}
		if text == "" {
			spec.Claims = claims(nil)
		}
		sent := mutate(signers[int(which)%len(signers)].Mint(spec), how, b, at)
		r := bearer(sent)
		ours := w.verdicts(t, r)
		theirs := second(sent, signers)
		objections := 0
		for _, control := range []policy.Control{policy.TokPresent, policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL} {
			v := ours[control]
			if v.Effect == policy.Permit {
				continue
			}
			objections++
			if theirs == nil && v.Effect == policy.Deny {
				require.True(t, slices.Contains(stricter(), v.Reason), "refused with %s, which the other library accepts: %s", v.Reason, sent)
			}
		}
		if objections == 0 {
			require.NoError(t, theirs, "accepted, which the other library refuses: %s", sent)
			_, verified := oracle(sent, signers)
			require.True(t, verified, "accepted, which the JOSE library refuses: %s", sent)
		}
	})
}
