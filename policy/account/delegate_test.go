package account_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

const issuer = "https://idp.example"

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// by makes the caller another client.
func by(issuer, client string) func(*policy.Request) {
	return identity(&policy.Identity{Issuer: issuer, Client: client, Accounts: []string{"A", "42"}}, policy.Permitted())
}

func at(when time.Time) func(*policy.Request) {
	return func(r *policy.Request) { r.Time = when }
}

// partners may do this: p acts for X in every operation until noon, for Y in
// getOrder alone, for Z in putOrder, once in getOrder too; q of another issuer acts
// for A.
func partners() *account.Delegations {
	return account.NewDelegations([]account.Delegation{
		{Issuer: issuer, Client: "p", Accounts: []string{"X"}, Until: noon()},
		{Issuer: issuer, Client: "p", Accounts: []string{"Y", "7"}, Operations: []string{"getOrder"}},
		{Issuer: issuer, Client: "p", Accounts: []string{"Z"}, Operations: []string{"putOrder"}},
		{Issuer: issuer, Client: "p", Accounts: []string{"Z"}, Operations: []string{"getOrder"}, Until: noon().Add(-24 * time.Hour)},
		{Issuer: "https://other.example", Client: "p", Accounts: []string{"V"}},
		{Issuer: "https://other.example", Client: "q", Accounts: []string{"A"}},
	})
}

func delegated(required, unbound bool) account.Options {
	o := everywhere
	o.Partners, o.Required, o.Unbound = partners(), required, unbound
	return o
}

func TestDelegation(t *testing.T) {
	p, none := by(issuer, "p"), policy.Inapplicable()
	denied := func(reason policy.Reason, carrier string) policy.Verdict { return policy.Denied(reason, carrier) }
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"a delegated account", request(p, path("Y")), policy.Permitted()},
		{"delegated accounts everywhere", request(p, path("Y"), query("account", "7"), header("Y"), body([]string{"Y"}, []string{"7"})), policy.Permitted()},
		{"no value is not applicable", request(p), none},
		{"a stranger's account", request(p, path("B")), denied(policy.AccountNotDelegated, "path.accountId")},
		{"what its own token names", request(p, path("A")), denied(policy.AccountNotDelegated, "path.accountId")},
		{"a stranger's account in the query", request(p, path("Y"), query("account", "B")), denied(policy.AccountNotDelegated, "query.account")},
		{"a stranger's account in a header", request(p, path("Y"), header("B")), denied(policy.AccountNotDelegated, "header.x-account-id")},
		{"a stranger's account in the body", request(p, path("Y"), body([]string{"Y"}, []string{"7", "B"})), denied(policy.AccountNotDelegated, "body./payers")},
		{"a stranger's account beside a delegated one", request(p, query("account", "Y", "B")), denied(policy.AccountNotDelegated, "query.account")},
		{"case counts", request(p, path("y")), denied(policy.AccountNotDelegated, "path.accountId")},
		{"an empty value is a value", request(p, query("account", "")), denied(policy.AccountNotDelegated, "query.account")},
		{"a delegated number in other words", request(p, body([]string{"7e0"}, nil)), denied(policy.AccountNotDelegated, "body./accountId")},
		{"another operation", request(p, match(policy.Match{Operation: &policy.Operation{ID: "putOrder"}}), query("account", "Y")), denied(policy.OperationNotDelegated, "query.account")},
		{"an operation of another delegation", request(p, match(policy.Match{Operation: &policy.Operation{ID: "putOrder"}}), query("account", "Z")), policy.Permitted()},
		{"the last moment", request(p, path("X"), at(noon().Add(-1))), policy.Permitted()},
		{"the end", request(p, path("X"), at(noon())), denied(policy.DelegationExpired, "path.accountId")},
		{"long after", request(p, path("X"), at(noon().AddDate(1, 0, 0))), denied(policy.DelegationExpired, "path.accountId")},
		{"without an end", request(p, path("Y"), at(noon().AddDate(99, 0, 0))), policy.Permitted()},
		{"of two, the nearer one gives the reason", request(p, path("Z"), at(noon())), denied(policy.DelegationExpired, "path.accountId")},
		{"the first refusal is told", request(p, path("X"), header("B"), at(noon())), denied(policy.DelegationExpired, "path.accountId")},
		{"the partner of another issuer", request(p, path("V")), denied(policy.AccountNotDelegated, "path.accountId")},
		{"the same client of another issuer", request(by("https://other.example", "p"), path("Y")), denied(policy.AccountNotDelegated, "path.accountId")},
		{"what that one has", request(by("https://other.example", "p"), path("V")), policy.Permitted()},
		{"a client that is no partner", request(path("B")), none},
		{"a partner's name at another issuer", request(by(issuer, "q"), path("A")), none},
		{"a client without a name", request(by(issuer, ""), path("B")), none},
		{"a body that is not well-formed", request(p, unread(policy.Denied(policy.JSONSyntax, ""))), policy.UndecidedBy(policy.InWellformed)},
		{"a body of a type that is not read", request(p, unread(policy.Inapplicable())), policy.Undecided(policy.NotInspected, nil)},
		{"a stranger's path decides whatever the body", request(p, path("B"), unread(policy.Denied(policy.JSONSyntax, ""))), denied(policy.AccountNotDelegated, "path.accountId")},
		{"no credential", request(identity(nil, policy.UndecidedBy(policy.TokPresent)), path("B")), policy.UndecidedBy(policy.TokPresent)},
		{"a bad signature", request(identity(nil, policy.Denied(policy.TokenSignature, "")), path("Y")), policy.UndecidedBy(policy.TokSig)},
		{"no operation", request(p, match(policy.Match{}), query("account", "B")), policy.UndecidedBy(policy.InRoute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := account.NewDelegate(delegated(false, false))
			assert.Equal(t, c.want, check.Check(t.Context(), c.r))
			policytest.Run(t, check, c.r)
			own := account.New(delegated(false, false)).Check(t.Context(), c.r)
			switch {
			case c.want.Effect == policy.Indeterminate && c.want.Cause != policy.InWellformed && c.want.Reason != policy.NotInspected:
				assert.Equal(t, c.want, own, "without an identity nobody knows who is a partner")
			case c.r.Auth.Identity.Client == "p":
				assert.Equal(t, policy.Inapplicable(), own, "az.account does not judge a partner")
			default:
				assert.NotEqual(t, policy.Inapplicable(), own, "az.account judges everybody else")
			}
		})
	}
}

func TestDelegationOfRequiredAndUnboundOperations(t *testing.T) {
	p := by(issuer, "p")
	required := account.NewDelegate(delegated(true, false))
	assert.Equal(t, policy.Denied(policy.AccountMissing, ""), required.Check(t.Context(), request(p)))
	assert.Equal(t, policy.Inapplicable(), required.Check(t.Context(), request()), "who is no partner is for az.account")
	unbound := account.NewDelegate(delegated(false, true))
	assert.Equal(t, policy.Undecided(policy.AccountUnbound, nil), unbound.Check(t.Context(), request(p)))
	assert.Equal(t, policy.Denied(policy.AccountNotDelegated, "query.account"), unbound.Check(t.Context(), request(p, query("account", "B"))))
	policytest.Run(t, required, request(p), request(p, path("Y")))
	policytest.Run(t, unbound, request(p), request(p, path("Y")))
}

// A token with several accounts is no delegation, and a delegation is none for
// other clients.
func TestATokenWithSeveralAccounts(t *testing.T) {
	check := account.New(delegated(false, false))
	three := identity(&policy.Identity{Issuer: issuer, Client: "c", Accounts: []string{"A", "B", "C"}}, policy.Permitted())
	for _, own := range []string{"A", "B", "C"} {
		assert.Equal(t, policy.Permitted(), check.Check(t.Context(), request(three, path(own))))
	}
	assert.Equal(t, policy.Denied(policy.AccountNotInToken, "path.accountId"), check.Check(t.Context(), request(three, path("Y"))))
	assert.Equal(t, policy.Denied(policy.AccountNotInToken, "query.account"), check.Check(t.Context(), request(three, query("account", "A", "X"))))
}

// Whatever the delegations are, an account is open exactly if one of the partner's
// own is for it, for the operation, and has not ended.
func TestDelegationsAreAlternatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) account.Delegation {
			d := account.Delegation{
				Issuer: rapid.SampledFrom([]string{"i", "j"}).Draw(t, "issuer"), Client: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "client"),
				Accounts:   rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 1, 2).Draw(t, "accounts"),
				Operations: rapid.SliceOfN(rapid.SampledFrom([]string{"get", "put"}), 0, 2).Draw(t, "operations"),
			}
			if hours := rapid.IntRange(-2, 2).Draw(t, "hours"); hours != 0 {
				d.Until = noon().Add(time.Duration(hours) * time.Hour)
			}
			return d
		}), 0, 6).Draw(t, "delegations")
		caller, operation, wanted := policy.Identity{Issuer: word("iss", "i", "j"), Client: word("cl", "p", "q")}, word("op", "get", "put"), word("account", "1", "2", "3")
		partner, open := false, false
		for _, d := range all {
			if d.Issuer != caller.Issuer || d.Client != caller.Client {
				continue
			}
			partner = true
			open = open || slices.Contains(d.Accounts, wanted) && (len(d.Operations) == 0 || slices.Contains(d.Operations, operation)) && (d.Until.IsZero() || noon().Before(d.Until))
		}
		check := account.NewDelegate(account.Options{Path: []string{"accountId"}, Partners: account.NewDelegations(all)})
		v := check.Check(t.Context(), request(identity(&caller, policy.Permitted()), at(noon()), path(wanted),
			func(r *policy.Request) { r.Match.Operation = &policy.Operation{ID: operation} }))
		want := policy.NotApplicable
		if partner {
			want = policy.Deny
		}
		if open {
			want = policy.Permit
		}
		if v.Effect != want {
			t.Fatalf("%v, want %v", v, want)
		}
	})
}

// large is a partner with 1,000 accounts at each of two issuers, none in common.
func large() (*account.Delegate, *account.Check) {
	var all []account.Delegation
	for _, of := range []string{"i", "j"} {
		d := account.Delegation{Issuer: of, Client: "p", Operations: []string{"getOrder"}, Until: noon()}
		for n := range 1000 {
			d.Accounts = append(d.Accounts, fmt.Sprintf("%s-%d", of, n))
		}
		all = append(all, d)
	}
	o := everywhere
	o.Partners = account.NewDelegations(all)
	return account.NewDelegate(o), account.New(o)
}

func TestAPartnerOfAThousandAccounts(t *testing.T) {
	check, _ := large()
	for n := range 1000 {
		for _, of := range []string{"i", "j"} {
			own := request(by(of, "p"), path(fmt.Sprintf("%s-%d", of, n)))
			assert.Equal(t, policy.Permitted(), check.Check(t.Context(), own))
			theirs := request(by(map[string]string{"i": "j", "j": "i"}[of], "p"), path(fmt.Sprintf("%s-%d", of, n)))
			assert.Equal(t, policy.Denied(policy.AccountNotDelegated, "path.accountId"), check.Check(t.Context(), theirs))
		}
	}
}

func TestTheCheckOfAPartnerDoesNotAllocate(t *testing.T) {
	delegate, own := large()
	for name, r := range map[string]*policy.Request{
		"a delegated account": request(by("i", "p"), path("i-999"), query("account", "i-0"), body([]string{"i-500"}, nil)),
		"a stranger's":        request(by("i", "p"), path("j-1")),
		"no partner":          request(path("A")),
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { delegate.Check(t.Context(), r) }), name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { own.Check(t.Context(), r) }), name)
	}
}

func BenchmarkDelegate(b *testing.B) {
	check, _ := large()
	r := request(by("i", "p"), path("i-999"))
	b.ReportAllocs()
	for b.Loop() {
		if !check.Check(b.Context(), r).Passes() {
			b.Fatal("the wrong verdict")
		}
	}
}
