package token_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// binding is a token, who sends it, and what tok.bind says of them.
type binding struct {
	rule  string
	asked token.SenderConstraint
	to    policy.Confirmation
	from  policy.Sender
	want  policy.Verdict
}

func bindings() []binding {
	const key, otherKey, cert, otherCert = "key-1", "key-2", "cert-1", "cert-2"
	bearer, toKey, toCert := policy.Confirmation{}, policy.Confirmation{Key: key}, policy.Confirmation{Certificate: cert}
	both := policy.Confirmation{Key: key, Certificate: cert}
	plain := policy.Sender{Proof: policy.Inapplicable()}
	proven := policy.Sender{DPoP: true, Proof: policy.Permitted(), Key: key}
	certified := policy.Sender{Proof: policy.Inapplicable(), Certificate: cert}
	full := policy.Sender{DPoP: true, Proof: policy.Permitted(), Key: key, Certificate: cert}
	denied := func(r policy.Reason) policy.Verdict { return policy.Denied(r, "") }
	inapplicable, permitted := policy.Inapplicable(), policy.Permitted()
	return []binding{
		{"a bearer token is anybody's", "", bearer, plain, inapplicable},
		{"a certificate beside a bearer token", "", bearer, certified, inapplicable},
		{"a bearer token with the scheme of bound ones", "", bearer, proven, denied(policy.TokenUnbound)},
		{"a key, and its proof", "", toKey, proven, permitted},
		{"a key, and no scheme that proves it", "", toKey, plain, denied(policy.DPoPScheme)},
		{"a key, and a certificate", "", toKey, certified, denied(policy.DPoPScheme)},
		{"a key, and the proof of another", "", toKey, policy.Sender{DPoP: true, Proof: policy.Permitted(), Key: otherKey}, denied(policy.DPoPMismatch)},
		{"a key, and a bad proof", "", toKey, policy.Sender{DPoP: true, Proof: denied(policy.DPoPTime)}, denied(policy.DPoPTime)},
		{"a key, and a proof that nobody could judge", "", toKey, policy.Sender{DPoP: true, Proof: policy.Undecided(policy.DPoPStoreFull, nil)}, policy.Undecided(policy.DPoPStoreFull, nil)},
		{"a key, and a proof that nobody looked at", "", toKey, policy.Sender{DPoP: true}, policy.Undecided(policy.DPoPUnconfigured, nil)},
		{"a key, and a proof that does not apply", "", toKey, policy.Sender{DPoP: true, Proof: inapplicable}, policy.Undecided(policy.DPoPUnconfigured, nil)},
		{"a certificate, and its owner", "", toCert, certified, permitted},
		{"a certificate, and nobody's connection", "", toCert, plain, denied(policy.CertificateMissing)},
		{"a certificate, and another", "", toCert, policy.Sender{Certificate: otherCert}, denied(policy.CertificateMismatch)},
		{"a certificate, and the scheme of a key", "", toCert, full, denied(policy.TokenUnbound)},
		{"both, and both", "", both, full, permitted},
		{"both, and the key alone", "", both, proven, denied(policy.CertificateMissing)},
		{"both, and the certificate alone", "", both, certified, denied(policy.DPoPScheme)},
		{"both, and another certificate", "", both, policy.Sender{DPoP: true, Proof: permitted, Key: key, Certificate: otherCert}, denied(policy.CertificateMismatch)},
		{"something else", "", policy.Confirmation{Other: true}, plain, denied(policy.ConfirmationUnsupported)},
		{"something else beside a key that is proven", "", policy.Confirmation{Key: key, Other: true}, proven, denied(policy.ConfirmationUnsupported)},
		{"required, and bearer", token.ConstraintRequired, bearer, plain, denied(policy.TokenUnbound)},
		{"required, and a key", token.ConstraintRequired, toKey, proven, permitted},
		{"required, and a certificate", token.ConstraintRequired, toCert, certified, permitted},
		{"dpop, and bearer", token.ConstraintDPoP, bearer, plain, denied(policy.TokenUnbound)},
		{"dpop, and a certificate", token.ConstraintDPoP, toCert, certified, denied(policy.TokenUnbound)},
		{"dpop, and a key", token.ConstraintDPoP, toKey, proven, permitted},
		{"mtls, and bearer", token.ConstraintMTLS, bearer, plain, denied(policy.TokenUnbound)},
		{"mtls, and a key", token.ConstraintMTLS, toKey, proven, denied(policy.TokenUnbound)},
		{"mtls, and a certificate", token.ConstraintMTLS, toCert, certified, permitted},
		{"mtls, and both", token.ConstraintMTLS, both, full, permitted},
		{"a constraint that nobody knows is the strict one", "always", bearer, plain, denied(policy.TokenUnbound)},
	}
}

func TestBind(t *testing.T) {
	var requests []*policy.Request
	for _, row := range bindings() {
		facts := &policy.Token{Confirmation: row.to, Claimed: policy.Identity{Issuer: issuerName}}
		r := &policy.Request{Time: epoch, Auth: policy.Authentication{
			Proof: policy.Permitted(), Token: facts, Identity: &facts.Claimed, SentBy: &row.from,
		}}
		check := token.NewBind([]token.Issuer{{Issuer: issuerName, Sender: row.asked}})
		assert.Equal(t, row.want, check.Check(t.Context(), r), row.rule)
		// What an issuer says of a token when it is asked counts the same.
		facts.Introspected = true
		assert.Equal(t, row.want, check.Check(t.Context(), r), row.rule)
		requests = append(requests, r)
	}
	policytest.Run(t, token.NewBind([]token.Issuer{{Issuer: issuerName}}), requests...)
	policytest.Run(t, token.NewBind([]token.Issuer{{Issuer: issuerName, Sender: token.ConstraintRequired}}), requests...)
}

func TestConfirmation(t *testing.T) {
	w := standardWorld(t)
	thumb := tokentest.EC().Thumbprint()
	other := tokentest.RSA().Thumbprint()
	for _, row := range []struct {
		rule string
		cnf  any
		want policy.Confirmation
	}{
		{"a key", map[string]any{"jkt": thumb}, policy.Confirmation{Key: thumb}},
		{"a certificate", map[string]any{"x5t#S256": thumb}, policy.Confirmation{Certificate: thumb}},
		{"both", map[string]any{"jkt": thumb, "x5t#S256": other}, policy.Confirmation{Key: thumb, Certificate: other}},
		{"a whole key", map[string]any{"jwk": tokentest.EC().JWK()}, policy.Confirmation{Other: true}},
		{"a name in other letter case", map[string]any{"JKT": thumb}, policy.Confirmation{Other: true}},
		{"a key and something else", map[string]any{"jkt": thumb, "kid": "1"}, policy.Confirmation{Key: thumb, Other: true}},
	} {
		a := w.authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"cnf": row.cnf}))))
		assert.Equal(t, policy.Permit, a.Proof.Effect, row.rule)
		assert.Equal(t, row.want, a.Token.Confirmation, row.rule)
		assert.Equal(t, row.want.Certificate == "", a.SentBy == nil, "nobody asks who sends a token that is not bound to a certificate: %s", row.rule)
	}
	for rule, cnf := range map[string]string{
		"null": `null`, "a string": `"` + thumb + `"`, "a list": `["` + thumb + `"]`, "a number": `1`, "an empty object": `{}`,
		"a thumbprint that is a number": `{"jkt":1}`,
		"an empty thumbprint":           `{"jkt":""}`,
		"a short thumbprint":            `{"jkt":"` + thumb[1:] + `"}`,
		"a long thumbprint":             `{"jkt":"` + thumb + `A"}`,
		"padding":                       `{"jkt":"` + thumb + `="}`,
		"other digits of base64":        `{"jkt":"` + strings.Repeat("+", 43) + `"}`,
		"a line break":                  `{"jkt":"` + thumb[1:] + `\n"}`,
		"unused bits":                   `{"jkt":"` + thumb[:42] + `_"}`,
		"a certificate that is none":    `{"x5t#S256":"AA"}`,
	} {
		text := `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":1800000060,"iat":1800000000,"cnf":` + cnf + `}`
		v := w.onlyDenied(t, bearer(tokentest.EC().Mint(tokentest.Spec{ClaimsJSON: text})), policy.TokSig, policy.TokenMalformed)
		assert.Equal(t, "/cnf", v.Detail, rule)
	}
}

// With another scheme in the configuration, or none, DPoP is taken beside it.
func TestSchemesBesideDPoP(t *testing.T) {
	client := tokentest.Shared("ES256", "")
	issuer := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.RSA()), "RS256"), "RS256")
	free := tokentest.RSA().Token(claims(nil))
	theirs := bound(client, nil)
	for _, row := range []struct {
		rule, scheme, value string
		dpop, taken, asks   bool
	}{
		{"the configured scheme", "Bearer", "Bearer " + free, true, true, false},
		{"DPoP", "Bearer", "DPoP " + theirs, true, true, true},
		{"DPoP that is not configured", "Bearer", "DPoP " + theirs, false, false, false},
		{"no token", "Bearer", "DPoP ", true, false, false},
		{"no space", "Bearer", "DPoP" + theirs, true, false, false},
		{"a third scheme", "Bearer", "Basic " + free, true, false, false},
		{"the token alone", "", free, true, true, false},
		{"DPoP where the token is alone", "", "DPoP " + theirs, true, true, true},
		{"DPoP as the configured scheme", "DPoP", "DPoP " + theirs, true, true, true},
		{"Bearer beside it", "DPoP", "Bearer " + free, true, false, false},
		{"DPoP as the configured scheme, without proofs", "DPoP", "DPoP " + theirs, false, true, true},
	} {
		o := token.Options{Scheme: row.scheme, Issuers: []token.Issuer{issuer}}
		if row.dpop {
			o.DPoP = proofs(nil)
		}
		stage, err := token.NewAuthenticator(o)
		if !assert.NoError(t, err) {
			continue
		}
		r := &policy.Request{Time: epoch, Header: http.Header{"Authorization": {row.value}}}
		r.Auth = stage.Authenticate(t.Context(), r)
		assert.Equal(t, row.taken, r.Auth.Identity != nil, "%s: %+v", row.rule, r.Auth.Proof)
		assert.Equal(t, row.asks, r.Auth.Sender().DPoP, row.rule)
		want := policy.CredentialScheme
		if !row.taken {
			assert.Equal(t, want, r.Auth.Proof.Reason, row.rule)
		}
		if row.asks && !row.dpop {
			v := token.NewBind([]token.Issuer{issuer}).Check(t.Context(), r)
			assert.Equal(t, policy.Undecided(policy.DPoPUnconfigured, nil), v, row.rule)
		}
	}
}
