package compile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// delegation is a configuration with delegations of the client p, given their rest.
func delegation(rests ...string) string {
	text := head + accounts + "  delegation:\n"
	for _, rest := range rests {
		text += "    - {issuer: \"https://i.example\", client: p, " + rest + "}\n"
	}
	return text
}

// asPartner returns the verdicts of az.account and az.delegate for listPorts of an
// account, of the client p of an issuer.
func asPartner(t *testing.T, p *policy.Policy, issuer, client, account string) (own, delegated policy.Verdict) {
	t.Helper()
	op := operation(t, p, "listPorts")
	r := &policy.Request{
		Time:  now(),
		Match: policy.Match{Operation: op, Params: []policy.Pair{{Name: "accountId", Value: account}}},
		Auth: policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{
			Issuer: issuer, Client: client, Accounts: []string{"acct-1"},
		}},
	}
	for _, rule := range []*policy.Rule{find(op, policy.AzAccount), find(op, policy.AzDelegate)} {
		if rule != nil {
			own, delegated = delegated, rule.Check.Check(t.Context(), r)
		}
	}
	return own, delegated
}

func TestPartnersAreJudgedByTheirDelegationsAlone(t *testing.T) {
	t.Parallel()
	none := policy.Inapplicable()
	p := must(t, head+partners).Policy
	for _, c := range []struct {
		name, issuer, client, account string
		own, delegated                policy.Verdict
	}{
		{"what is delegated", "https://i.example", "p", "acct-2", none, policy.Permitted()},
		{"what the partner's token names", "https://i.example", "p", "acct-1", none, policy.Denied(policy.AccountNotDelegated, "path.accountId")},
		{"a stranger's", "https://i.example", "p", "acct-9", none, policy.Denied(policy.AccountNotDelegated, "path.accountId")},
		{"another client's own", "https://i.example", "c", "acct-1", policy.Permitted(), none},
		{"another client gets nothing of it", "https://i.example", "c", "acct-2", policy.Denied(policy.AccountNotInToken, "path.accountId"), none},
		{"the same client of another issuer", "https://j.example", "p", "acct-2", policy.Denied(policy.AccountNotInToken, "path.accountId"), none},
	} {
		own, delegated := asPartner(t, p, c.issuer, c.client, c.account)
		assert.Equal(t, c.own, own, c.name)
		assert.Equal(t, c.delegated, delegated, c.name)
	}
}

func TestWithoutAzDelegateTheTokenCountsForPartnersToo(t *testing.T) {
	t.Parallel()
	p := must(t, head+partners+"controls: {az.delegate: off}\n").Policy
	_, verdict := asPartner(t, p, "https://i.example", "p", "acct-2")
	assert.Equal(t, policy.Denied(policy.AccountNotInToken, "path.accountId"), verdict)
}

func TestDelegationsAreDoubted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, field, cause string }{
		{"the past", delegation("accounts: [a], expires: 2026-11-21"), "account.delegation[0].expires", "expired with 2026-11-21: what only this delegation opened to the partner is denied"},
		{"this moment", delegation("accounts: [a], expires: 2026-11-22T02:00:00Z"), "account.delegation[0].expires", "expired with "},
		{"today, which has not ended", delegation("accounts: [a], expires: 2026-11-22"), "account.delegation[0].expires", "expires with 2026-11-22, within 30 days"},
		{"in 30 days", delegation("accounts: [a], expires: 2026-12-22T02:00:00Z"), "account.delegation[0].expires", "within 30 days"},
		{"in a little more", delegation("accounts: [a], expires: 2026-12-22T02:00:01Z"), "", ""},
		{"never", delegation("accounts: [a]"), "", ""},
		{"an account twice", delegation("accounts: [a, b, b]"), "account.delegation[0]", "1 of its accounts, the first being number 3, are in account.delegation[0] already"},
		{"an account in two", delegation("accounts: [a, b]", "accounts: [c, b, a]"), "account.delegation[1]", "2 of its accounts, the first being number 2, are in account.delegation[0] already"},
		{"an account in two of the same operations", delegation("accounts: [a], operations: [listPorts, createPort]", "accounts: [a], operations: [createPort, \"GET /accounts/{accountId}/ports\"]"), "account.delegation[1]", "1 of its accounts"},
		{"an account for other operations", delegation("accounts: [a], operations: [listPorts]", "accounts: [a], operations: [createPort]"), "", ""},
		{"an account until another day", delegation("accounts: [a], expires: 2027-06-30", "accounts: [a]"), "", ""},
		{"an operation twice", delegation("accounts: [a], operations: [listPorts, \"GET /accounts/{accountId}/ports\"]"), "account.delegation[0].operations[1]", "listPorts is given twice"},
	} {
		var found []config.Problem
		for _, w := range must(t, c.text).Warnings {
			if strings.HasPrefix(w.Field, "account.delegation") {
				found = append(found, w)
			}
		}
		if c.field == "" {
			assert.Empty(t, found, c.name)
			continue
		}
		require.Len(t, found, 1, "%s: %v", c.name, found)
		assert.Equal(t, c.field, found[0].Field, c.name)
		assert.Contains(t, found[0].Cause, c.cause, c.name)
		assert.NotEmpty(t, found[0].Fix, c.name)
	}
}

func TestADelegationForAnOperationThatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	_, err := build(t, delegation("accounts: [a], operations: [listPort]", "accounts: [a], operations: [GET /nowhere]"))
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 2, err)
	assert.Equal(t, "account.delegation[0].operations[0]", problems[0].Field)
	assert.Equal(t, `did you mean "listPorts"?`, problems[0].Fix)
	assert.Equal(t, "account.delegation[1].operations[0]", problems[1].Field)
}

func TestAPartnerThatNothingBlocksIsNamed(t *testing.T) {
	t.Parallel()
	const boundary = "controls: {tok: enforce, in: enforce, az.account: enforce}\n"
	warning := warningOf(must(t, head+partners+boundary), "partners")
	assert.Contains(t, warning, "az.account enforces for listPorts, createPort, listSites and does not judge partners")
	assert.Contains(t, warning, "add to controls: {az.delegate: enforce}")
	for name, text := range map[string]string{
		"both enforce":        head + partners + "controls: {tok: enforce, in: enforce, az: enforce}\n",
		"neither enforces":    head + partners,
		"there is no partner": head + accounts + boundary,
	} {
		assert.Empty(t, warningOf(must(t, text), "partners"), name)
	}
}

func TestAccountsOfAPartnerMayBeInAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list := filepath.Join(dir, "p.txt")
	compiled := func() *compile.Output {
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, delegation("accounts_file: p.txt")), Now: now})
		require.NoError(t, err)
		return out
	}
	require.NoError(t, os.WriteFile(list, []byte("acct-2\r\nacct-3\n"), 0o600))
	first := compiled()
	assert.Contains(t, first.Files, list, "a change of it is noticed")
	_, verdict := asPartner(t, first.Policy, "https://i.example", "p", "acct-3")
	assert.Equal(t, policy.Permitted(), verdict)

	require.NoError(t, os.WriteFile(list, []byte("acct-2"), 0o600))
	second := compiled()
	assert.NotEqual(t, first.Policy.Digest, second.Policy.Digest)
	assert.NotEqual(t, first.Measured, second.Measured)
	_, verdict = asPartner(t, second.Policy, "https://i.example", "p", "acct-3")
	assert.Equal(t, policy.Denied(policy.AccountNotDelegated, "path.accountId"), verdict)
}

func TestAListThatCanNotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                       "the file names no account",
		"hunter2\n\nb\n":                         "line 2 is empty",
		"hunter2 \n":                             "line 1 begins or ends with white space",
		"a\n\thunter2\n":                         "line 2 begins or ends with white space",
		"hunter2\xff\n":                          "the file is not UTF-8 text",
		"\ufeff\n":                               "",
		strings.Repeat("hunter2\n", 1<<20) + "x": "the file has more than 8388608 bytes",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "p.txt"), []byte(text), 0o600))
		_, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, delegation("accounts_file: p.txt")), Now: now})
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		var problems config.Problems
		require.ErrorAs(t, err, &problems)
		require.Len(t, problems, 1)
		assert.Equal(t, "account.delegation[0].accounts_file", problems[0].Field)
		assert.Equal(t, want, problems[0].Cause)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	_, err := build(t, delegation("accounts_file: nowhere.txt"))
	assert.ErrorContains(t, err, "account.delegation[0].accounts_file: the file can not be read: no such file or directory; check its path and permissions")
}

// Whatever a list holds, its accounts are its lines, or it is refused.
func FuzzAccounts(f *testing.F) {
	for _, seed := range []string{"a\nb\n", "a\r\nb", "\n", " a", "a\x00b\n", "\xff", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		accounts, err := compile.ParseAccounts(data)
		if err != nil {
			assert.Nil(t, accounts)
			return
		}
		assert.NotEmpty(t, accounts)
		text := strings.TrimSuffix(string(data), "\n") + "\n" // the last line may lack its end
		assert.Equal(t, strings.ReplaceAll(text, "\r\n", "\n"), strings.Join(accounts, "\n")+"\n")
		for _, a := range accounts {
			assert.NotEmpty(t, strings.TrimSpace(a))
		}
	})
}

func TestExceptionsAreRefusedOrDoubted(t *testing.T) {
	t.Parallel()
	one := func(text string) string {
		return head + "exceptions: [{id: EX-1, owner: o, reason: r, " + text + "}]\n"
	}
	for _, c := range []struct{ name, text, field, cause, fix string }{
		{"an operation that is not there", one("control: az.scope, operation: listPort, expires: 2199-01-31"), "exceptions[0].operation", "the contract has no such operation", `did you mean "listPorts"?`},
		{"a control without a check", one("control: az.object, expires: 2199-01-31"), "exceptions[0].control", "az.object is not available in this version", "remove the exception"},
	} {
		_, err := build(t, c.text)
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.name)
		require.Len(t, problems, 1, c.name)
		assert.Equal(t, []string{c.field, c.cause, c.fix}, []string{problems[0].Field, problems[0].Cause, problems[0].Fix}, c.name)
	}
	for _, c := range []struct{ name, text, field, cause string }{
		{"the past", one("control: az.scope, expires: 2026-11-21"), "exceptions[0].expires", "expired with 2026-11-21: what it covered is a finding again"},
		{"soon", one("control: az.scope, expires: 2026-12-01"), "exceptions[0].expires", "expires with 2026-12-01, within 30 days: then what it covered is a finding again"},
		{"a control that is off", one("control: az.scope, expires: 2199-01-31") + "controls: {az.scope: off}\n", "exceptions[0]", "covers nothing: no rule of az.scope serves any operation"},
		{"an operation without the rule", one("control: az.scope, operation: GET /status, expires: 2199-01-31"), "exceptions[0]", "covers nothing: no rule of az.scope serves GET /status"},
		{"what others need", one("control: tok.present, operation: listPorts, expires: 2199-01-31") + "controls: {tok: enforce, tok.ttl: shadow}\n", "exceptions[0]", "covers tok.present alone: tok.sig, tok.iss, tok.typ, tok.aud, tok.time, tok.bind, which can not decide without it, block nevertheless"},
		{"what nothing that enforces needs", one("control: tok.time, expires: 2199-01-31") + "controls: {tok: enforce}\n", "", ""},
		{"nothing to doubt", one("control: in.route, operation: unmatched, expires: 2199-01-31"), "", ""},
	} {
		var found []string
		for _, w := range must(t, c.text).Warnings {
			if strings.HasPrefix(w.Field, "exceptions") {
				found = append(found, w.Field+" "+w.Cause)
			}
		}
		if c.field == "" {
			assert.Empty(t, found, c.name)
			continue
		}
		assert.Equal(t, []string{c.field + " " + c.cause}, found, c.name)
	}
}

func TestExceptionsAreInThePolicyAndMeasureNothingElse(t *testing.T) {
	t.Parallel()
	const with = "exceptions: [{id: EX-1, control: az.scope, operation: \"GET /accounts/{accountId}/ports\", issuer: \"https://i.example\", client: c, owner: o, reason: r, expires: %s}]\n"
	verdict := func(expires string) string {
		p := must(t, head+fmt.Sprintf(with, expires)).Policy
		r := &policy.Request{
			Time: now(), Match: policy.Match{Operation: operation(t, p, "listPorts")},
			Auth: policy.Authentication{Proof: policy.Permitted(), Token: &policy.Token{}, Identity: &policy.Identity{Issuer: "https://i.example", Client: "c"}},
		}
		r.Frame = unambiguous()
		f, ok := p.Evaluate(t.Context(), r, policy.HeadPhase).Find(policy.AzScope)
		require.True(t, ok)
		require.Equal(t, policy.Deny, f.Verdict.Effect)
		return f.Exception
	}
	assert.Equal(t, "EX-1", verdict("2026-11-22"), "until the day ends")
	assert.Empty(t, verdict("2026-11-21"))
	assert.Empty(t, verdict("2026-11-22T02:00:00Z"), "a time is the end itself")
	dir := t.TempDir()
	compiled := func(text string) *compile.Output {
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now})
		require.NoError(t, err)
		return out
	}
	plain, excepted := compiled(head), compiled(head+fmt.Sprintf(with, "2027-01-31"))
	assert.Equal(t, plain.Measured, excepted.Measured, "evidence stays")
	assert.NotEqual(t, plain.Policy.Digest, excepted.Policy.Digest)
}
