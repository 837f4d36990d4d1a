package account_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// request is one of an identity that owns A and 42, with nothing that names an
// account.
func request(changes ...func(*policy.Request)) *policy.Request {
	r := &policy.Request{
		Match: policy.Match{Operation: &policy.Operation{ID: "getOrder"}},
		Auth: policy.Authentication{
			Proof:    policy.Permitted(),
			Identity: &policy.Identity{Issuer: "https://idp.example", Client: "c", Accounts: []string{"A", "42"}},
		},
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func path(v string) func(*policy.Request) {
	return func(r *policy.Request) {
		r.Match.Params = append(r.Match.Params, policy.Pair{Name: "orderId", Value: "B"}, policy.Pair{Name: "accountId", Value: v})
	}
}

func query(name string, values ...string) func(*policy.Request) {
	return func(r *policy.Request) {
		for _, v := range values {
			r.Query = append(r.Query, policy.Pair{Name: name, Value: v})
		}
	}
}

func header(values ...string) func(*policy.Request) {
	return func(r *policy.Request) { r.Header = http.Header{"X-Account-Id": values, "X-Other": {"B"}} }
}

// body is a readable JSON body in which the selectors /accountId and /payers
// found values.
func body(account, payers []string) func(*policy.Request) {
	return func(r *policy.Request) {
		r.Body = policy.Body{Size: 9, Whole: true, WellFormed: policy.Permitted(), Selected: [][]string{account, payers}}
	}
}

func unread(v policy.Verdict) func(*policy.Request) {
	return func(r *policy.Request) { r.Body = policy.Body{Size: 9, WellFormed: v} }
}

func identity(i *policy.Identity, proof policy.Verdict) func(*policy.Request) {
	return func(r *policy.Request) { r.Auth = policy.Authentication{Proof: proof, Identity: i} }
}

func match(m policy.Match) func(*policy.Request) {
	return func(r *policy.Request) { r.Match = m }
}

var everywhere = account.Options{
	Path: []string{"accountId"}, Query: []string{"account"}, Header: []string{"x-account-id"}, Body: []string{"/accountId", "/payers"},
}

func TestAccountBoundary(t *testing.T) {
	denied := func(carrier string) policy.Verdict { return policy.Denied(policy.AccountNotInToken, carrier) }
	none := policy.Inapplicable()
	byForm := policy.UndecidedBy(policy.InWellformed)
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"no value is not applicable", request(), none},
		{"own account in the path", request(path("A")), policy.Permitted()},
		{"own account in the query", request(query("account", "A")), policy.Permitted()},
		{"own account in a header", request(header("42")), policy.Permitted()},
		{"own account in the body", request(body([]string{"A"}, nil)), policy.Permitted()},
		{"own accounts everywhere", request(path("A"), query("account", "42", "A"), header("A"), body([]string{"A"}, []string{"42"})), policy.Permitted()},
		{"a stranger's account in the path", request(path("B")), denied("path.accountId")},
		{"a stranger's account in the query", request(query("account", "B")), denied("query.account")},
		{"a stranger's account in a header", request(header("B")), denied("header.x-account-id")},
		{"a stranger's account in the body", request(body([]string{"B"}, nil)), denied("body./accountId")},
		{"a stranger's account in an array of the body", request(body([]string{"A"}, []string{"A", "B"})), denied("body./payers")},
		{"a stranger's account beside one's own in the query", request(query("account", "A", "B")), denied("query.account")},
		{"a stranger's account before one's own in the query", request(query("account", "B", "A")), denied("query.account")},
		{"a stranger's account in a second header line", request(header("A", "B")), denied("header.x-account-id")},
		{"own path, a stranger's header", request(path("A"), header("B")), denied("header.x-account-id")},
		{"own path, a stranger's body", request(path("A"), body([]string{"B"}, nil)), denied("body./accountId")},
		{"the first carrier is named", request(path("B"), query("account", "B"), header("B")), denied("path.accountId")},
		{"a comma does not split a header", request(header("A,42")), denied("header.x-account-id")},
		{"an empty value is a value", request(query("account", "")), denied("query.account")},
		{"case counts", request(path("a")), denied("path.accountId")},
		{"a trailing space counts", request(path("A ")), denied("path.accountId")},
		{"a trailing NUL counts", request(path("A\x00")), denied("path.accountId")},
		{"a look-alike is another account", request(path("\u0410")), denied("path.accountId")},
		{"a leading zero counts", request(path("042")), denied("path.accountId")},
		{"an exponent counts", request(body([]string{"42e0"}, nil)), denied("body./accountId")},
		{"a list as text is another account", request(body([]string{`["A"]`}, nil)), denied("body./accountId")},
		{"another query name is no carrier", request(query("ACCOUNT", "B"), query("account[]", "B")), none},
		{"no value in a readable body", request(body(nil, nil)), none},
		{"a body that is not well-formed", request(unread(policy.Denied(policy.JSONSyntax, ""))), byForm},
		{"a body that was not inspected", request(unread(policy.Undecided(policy.NotInspected, nil))), byForm},
		{"a body that nobody looked at", request(unread(policy.Verdict{})), byForm},
		{"a body that is too large", request(unread(policy.UndecidedBy(policy.InSize))), policy.UndecidedBy(policy.InSize)},
		{"a body of a type that is not read", request(unread(policy.Inapplicable())), policy.Undecided(policy.NotInspected, nil)},
		{"a body of a type that has no values", request(unread(policy.Permitted())), policy.Undecided(policy.NotInspected, nil)},
		{"own path does not decide for an unread body", request(path("A"), unread(policy.UndecidedBy(policy.InCtype))), policy.UndecidedBy(policy.InCtype)},
		{"a stranger's path decides whatever the body", request(path("B"), unread(policy.Denied(policy.JSONSyntax, ""))), denied("path.accountId")},
		{"an identity without accounts and no value", request(identity(&policy.Identity{}, policy.Permitted())), none},
		{"an identity without accounts", request(identity(&policy.Identity{}, policy.Permitted()), path("A")), denied("path.accountId")},
		{"no credential", request(identity(nil, policy.UndecidedBy(policy.TokPresent)), path("B")), policy.UndecidedBy(policy.TokPresent)},
		{"a bad signature", request(identity(nil, policy.Denied(policy.TokenSignature, "")), path("B")), policy.UndecidedBy(policy.TokSig)},
		{"no operation", request(match(policy.Match{}), query("account", "B")), policy.UndecidedBy(policy.InRoute)},
		{"no such method", request(match(policy.Match{Allow: []string{"GET"}}), query("account", "B")), policy.UndecidedBy(policy.InMethod)},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := account.New(everywhere)
			assert.Equal(t, c.want, check.Check(t.Context(), c.r))
			policytest.Run(t, check, c.r)
		})
	}
}

func TestRequiredDeniesARequestThatNamesNoAccount(t *testing.T) {
	check := account.New(account.Options{Path: []string{"accountId"}, Body: []string{"/accountId", "/payers"}, Required: true})
	assert.Equal(t, policy.Denied(policy.AccountMissing, ""), check.Check(t.Context(), request()))
	assert.Equal(t, policy.Denied(policy.AccountMissing, ""), check.Check(t.Context(), request(body(nil, nil))))
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), request(path("A"))))
	assert.Equal(t, policy.UndecidedBy(policy.InWellformed), check.Check(t.Context(), request(unread(policy.Denied(policy.JSONSyntax, "")))))
	policytest.Run(t, check, request(), request(body(nil, nil)), request(path("A")))
}

func TestUnboundIsUndecidedAndNoDenial(t *testing.T) {
	check := account.New(account.Options{Query: []string{"account"}, Unbound: true})
	assert.Equal(t, policy.Undecided(policy.AccountUnbound, nil), check.Check(t.Context(), request()))
	noToken := request(identity(nil, policy.UndecidedBy(policy.TokPresent)))
	assert.Equal(t, policy.UndecidedBy(policy.TokPresent), check.Check(t.Context(), noToken), "the missing token is the cause")
	undeclared := request(query("account", "B"))
	assert.Equal(t, policy.Denied(policy.AccountNotInToken, "query.account"), check.Check(t.Context(), undeclared), "a value that is there counts")
	own := request(query("account", "A"))
	assert.Equal(t, policy.Undecided(policy.AccountUnbound, nil), check.Check(t.Context(), own), "the backend need not read it")
	policytest.Run(t, check, request(), noToken, undeclared, own)
}

func TestWithoutABodySelectorTheBodyDoesNotCount(t *testing.T) {
	check := account.New(account.Options{Path: []string{"accountId"}})
	r := request(path("A"), unread(policy.Denied(policy.JSONSyntax, "")))
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), r))
}

func TestCheckDoesNotAllocate(t *testing.T) {
	check, r := account.New(everywhere), request(path("A"), query("account", "42"), body([]string{"A"}, nil))
	assert.Zero(t, testing.AllocsPerRun(100, func() { check.Check(t.Context(), r) }))
}
