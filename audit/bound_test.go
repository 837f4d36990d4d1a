package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// A record says how a token is bound and nothing of to whom, nor of the proof.
func TestRecordsSayWhatATokenIsBoundTo(t *testing.T) {
	const key, certificate = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	for _, c := range []struct {
		to   policy.Confirmation
		want string
	}{
		{policy.Confirmation{}, ""},
		{policy.Confirmation{Key: key}, "dpop"},
		{policy.Confirmation{Certificate: certificate}, "mtls"},
		{policy.Confirmation{Key: key, Certificate: certificate}, "dpop+mtls"},
		{policy.Confirmation{Other: true}, "other"},
		{policy.Confirmation{Key: key, Other: true}, "other"},
	} {
		r := request("acct-1")
		bound := *r.Auth.Token
		bound.Confirmation = c.to
		r.Auth.Token, r.Auth.Identity = &bound, &bound.Claimed
		r.Auth.SentBy = &policy.Sender{DPoP: true, Proof: policy.Permitted(), Key: key, Certificate: certificate, Nonce: "nonce-of-the-answer"}
		r.Header.Set("DPoP", "proof-of-possession")
		rec := record(t, scenario{r: r})
		assert.Equal(t, c.want, rec.Tok.Bound)
		text := string(line(t, rec))
		for _, untold := range []string{key, certificate, "nonce-of-the-answer", "proof-of-possession"} {
			assert.NotContains(t, text, untold)
		}
		assert.Equal(t, c.want != "", strings.Contains(text, `"bound":`), "a bearer token has no such member")
	}
}
