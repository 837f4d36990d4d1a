package explain

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// A claim that nobody asks for is not told as if it were a fault.
func TestClaimsThatATokenLacksAreThoseThatItsProfileAsksFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile string
		missing []string
		want    string
	}{
		{config.ProfileRFC9068, []string{"nbf"}, ""},
		{config.ProfileRFC9068, []string{"jti", "nbf"}, "jti"},
		{config.ProfileRFC9068, []string{"aud", "client_id"}, "aud, client_id"},
		{config.ProfileJWT, []string{"aud", "client_id", "nbf"}, ""},
	} {
		v := &view{cfg: &config.Config{}, r: &policy.Request{}}
		got := ""
		for _, in := range v.kind(&policy.Token{Missing: c.missing}, config.Issuer{Profile: c.profile}) {
			if in.Name == "claims that it lacks" {
				got = in.Value
			}
		}
		assert.Equal(t, c.want, got, "%s without %v", c.profile, c.missing)
	}
}
