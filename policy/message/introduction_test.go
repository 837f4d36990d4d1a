package message_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// introducing sends everything, of a token.
func introducing(t testing.TB) *message.Introduction {
	t.Helper()
	i, err := message.NewIntroduction(message.IntroductionOptions{
		Issuer: "x-verified-issuer", Client: "X-Verified-Client", Principal: "X-Verified-Principal",
		Accounts: "X-Verified-Accounts", Scopes: "X-Verified-Scopes", Proof: policy.TokSig,
	})
	require.NoError(t, err)
	return i
}

func provenCaller() *policy.Identity {
	return &policy.Identity{
		Issuer: "https://idp.example.net/realms/a", Client: "app-1", Principal: "auth0|7", Actor: "nobody",
		Accounts: []string{"acct-1", "acct-2"}, Scopes: []string{"orders:read", "orders:write"},
	}
}

// decidedSo is a decision of verdicts that enforce.
func decidedSo(verdicts map[policy.Control]policy.Verdict) policy.Decision {
	var d policy.Decision
	for control, v := range verdicts {
		d.Findings = append(d.Findings, policy.Finding{Rule: &policy.Rule{Control: control, Mode: policy.Enforce}, Verdict: v})
	}
	return d
}

func introduced(t testing.TB, id *policy.Identity, d policy.Decision) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range introducing(t).Introduce(&policy.Request{Auth: policy.Authentication{Identity: id}}, d) {
		require.NotContains(t, all, p.Name)
		all[p.Name] = p.Value
	}
	return all
}

func TestIntroduce(t *testing.T) {
	t.Parallel()
	proven := decidedSo(map[policy.Control]policy.Verdict{policy.TokPresent: policy.Permitted(), policy.TokSig: policy.Permitted()})
	assert.Equal(t, map[string]string{
		"X-Verified-Issuer": "https://idp.example.net/realms/a", "X-Verified-Client": "app-1", "X-Verified-Principal": "auth0|7",
		"X-Verified-Accounts": "acct-1,acct-2", "X-Verified-Scopes": "orders:read orders:write",
	}, introduced(t, provenCaller(), proven))
	assert.Equal(t, map[string]string{"X-Verified-Client": "app-1"}, introduced(t, &policy.Identity{Client: "app-1"}, proven), "what is not known is not sent")
	assert.Equal(t, map[string]string{"X-Verified-Accounts": "a%2Cb,c%0D%0AX:d,%25,%C3%A9", "X-Verified-Scopes": "a%2Cb c%20d", "X-Verified-Principal": "a%2Bb@c"},
		introduced(t, &policy.Identity{Principal: "a+b@c", Accounts: []string{"a,b", "", "c\r\nX:d", "%", "é"}, Scopes: []string{"a,b", "c d"}}, proven))
}

func TestOnlyTheProvenAreIntroduced(t *testing.T) {
	t.Parallel()
	ok, na := policy.Permitted(), policy.Inapplicable()
	for _, c := range []struct {
		name string
		d    policy.Decision
		want bool
	}{
		{"a proven token", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: ok, policy.TokTime: ok, policy.TokBind: na}), true},
		{"what judges others objects", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: ok, policy.AzScope: policy.Denied(policy.ScopeMissing, ""), policy.InSize: {}}), true},
		{"nobody judged", policy.Decision{}, false},
		{"nobody asked for the proof", decidedSo(map[policy.Control]policy.Verdict{policy.TokPresent: ok, policy.TokAud: ok}), false},
		{"the proof does not apply", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: na, policy.TokTime: ok}), false},
		{"the proof is denied", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: policy.Denied(policy.TokenSignature, "")}), false},
		{"another audience", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: ok, policy.TokAud: policy.Denied(policy.AudienceMissing, "")}), false},
		{"a replay that nobody could tell", decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: ok, policy.TokReplay: {}}), false},
		{"another control permits", decidedSo(map[policy.Control]policy.Verdict{policy.KeyValid: ok}), false},
	} {
		assert.Equal(t, c.want, len(introduced(t, provenCaller(), c.d)) > 0, c.name)
	}
	assert.Empty(t, introduced(t, nil, decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: ok})), "no identity")
}

// TestAnExceptionIntroducesNobody: a rule that is excepted, or fails open, lets the request
// pass and proves nothing.
func TestAnExceptionIntroducesNobody(t *testing.T) {
	t.Parallel()
	d := decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: policy.Permitted(), policy.TokAud: policy.Denied(policy.AudienceMissing, "")})
	for i := range d.Findings {
		d.Findings[i].Exception = "EX-1"
	}
	_, blocks := d.Blocking()
	require.False(t, blocks)
	assert.Empty(t, introduced(t, provenCaller(), d))
	d = decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: policy.Permitted(), policy.TokRevoked: {}})
	for i := range d.Findings {
		d.Findings[i].Rule.OnError = policy.Permit
	}
	_, blocks = d.Blocking()
	require.False(t, blocks)
	assert.Empty(t, introduced(t, provenCaller(), d))
}

func TestOwns(t *testing.T) {
	t.Parallel()
	i := introducing(t)
	for _, name := range []string{"X-Verified-Client", "x-verified-client", "X_Verified_Client", "X-Verified_client", "X-VERIFIED-SCOPES"} {
		assert.True(t, i.Owns(name), name)
	}
	for _, name := range []string{"X-Verified", "X-Verified-Clients", "XVerifiedClient", ""} {
		assert.False(t, i.Owns(name), name)
	}
}

func TestNewIntroductionRefuses(t *testing.T) {
	t.Parallel()
	_, err := message.NewIntroduction(message.IntroductionOptions{Client: "X-A", Accounts: "x_a", Proof: policy.TokSig})
	require.ErrorContains(t, err, "share")
	_, err = message.NewIntroduction(message.IntroductionOptions{Client: "X-A"})
	require.ErrorContains(t, err, "proves")
}

// FuzzIntroduce: whatever claims say, a value is one line of visible characters and the
// spaces between scopes, a list has as many elements as the identity, and each is read back
// as it was, by what decodes percents and by what decodes forms.
func FuzzIntroduce(f *testing.F) {
	for _, s := range []string{"a", "a,b", "\r\nX-Admin: 1", "é", "\xff", "%2C", "a+b c", `"`, "", "\x00", ";", "\t"} {
		f.Add(s, "x"+s)
	}
	proven := decidedSo(map[policy.Control]policy.Verdict{policy.TokSig: policy.Permitted()})
	f.Fuzz(func(t *testing.T, one, two string) {
		id := &policy.Identity{Issuer: one, Client: one, Principal: two, Accounts: []string{one, two}, Scopes: []string{two, one}}
		fields := introduced(t, id, proven)
		for _, value := range fields {
			require.False(t, strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }), "%q", value)
			require.Equal(t, value, strings.Trim(value, " "))
		}
		back := func(value string) string {
			plain, err := url.PathUnescape(value)
			require.NoError(t, err)
			form, err := url.QueryUnescape(value)
			require.NoError(t, err)
			require.Equal(t, plain, form)
			return plain
		}
		require.Equal(t, one, back(fields["X-Verified-Client"]))
		require.Equal(t, two, back(fields["X-Verified-Principal"]))
		for name, all := range map[string][]string{"X-Verified-Accounts": {one, two}, "X-Verified-Scopes": {two, one}} {
			var want, got []string
			for _, v := range all {
				if v != "" {
					want = append(want, v)
				}
			}
			for _, v := range strings.FieldsFunc(fields[name], func(r rune) bool { return r == ',' || r == ' ' }) {
				got = append(got, back(v))
			}
			require.Equal(t, want, got)
		}
	})
}
