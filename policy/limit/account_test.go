package limit_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

func quota(t testing.TB, count int64) *ratelimit.Quota {
	t.Helper()
	q, err := ratelimit.NewQuota(ratelimit.Allowance{Name: "q", Count: count, Period: ratelimit.Day, MaxKeys: 1000})
	require.NoError(t, err)
	return q
}

// named finds accounts in query parameters, as the boundary of the tests does.
type named struct{}

func (named) Accounts(r *policy.Request, into []string) []string {
	for _, p := range r.Query {
		into = append(into, p.Value)
	}
	return into
}

// verdict is a check that always says the same.
type verdict policy.Verdict

func (v verdict) Check(context.Context, *policy.Request) policy.Verdict { return policy.Verdict(v) }

func boundary(pending ...policy.Verdict) map[string]limit.Boundary {
	b := limit.Boundary{Named: named{}}
	for _, v := range pending {
		b.Pending = append(b.Pending, verdict(v))
	}
	return map[string]limit.Boundary{"op": b}
}

// asking names accounts in the query.
func asking(accounts ...string) func(*policy.Request) {
	return func(r *policy.Request) {
		for _, a := range accounts {
			r.Query = append(r.Query, policy.Pair{Name: "account", Value: a})
		}
	}
}

func holds(accounts ...string) func(*policy.Request) {
	return func(r *policy.Request) { r.Auth.Identity.Accounts = accounts }
}

func withBody(r *policy.Request) { r.Body.Size = 10 }

func heads(verdicts map[policy.Control]policy.Verdict) policy.Decision {
	var d policy.Decision
	for c, v := range verdicts {
		d.Findings = append(d.Findings, policy.Finding{Rule: &policy.Rule{Control: c}, Verdict: v})
	}
	return d
}

// TestWhomAnAccountLimitCharges spends one event of request a, and tells whether
// request b then finds its bucket empty.
func TestWhomAnAccountLimitCharges(t *testing.T) {
	ok, no, none := policy.Permitted(), policy.Denied(policy.AccountNotInToken, ""), policy.Inapplicable()
	unknown := policy.UndecidedBy(policy.InWellformed)
	az := func(v policy.Verdict) policy.Decision { return head(policy.AzAccount, v) }
	byAccount, both := []limit.Key{limit.Account}, []limit.Key{limit.Account, limit.Client}
	a1 := asking("acct-1")
	for _, c := range []struct {
		name         string
		key          []limit.Key
		pending      []policy.Verdict
		a, b         *policy.Request
		headA, headB policy.Decision
		shared       bool
	}{
		{"two applications of one customer share", byAccount, nil, request(a1), request(a1, client(issuer, "other")), az(ok), az(ok), true},
		{"two customers do not", byAccount, nil, request(a1), request(asking("acct-2")), az(ok), az(ok), false},
		{"one account id of two issuers does not", byAccount, nil, request(a1), request(a1, client("https://b.example", "app")), az(ok), az(ok), false},
		{"two applications of one customer do not where the client counts too", both, nil, request(a1), request(a1, client(issuer, "other")), az(ok), az(ok), false},
		{"two operations of one customer do not where the operation counts too", []limit.Key{limit.Account, limit.Operation}, nil, request(a1), request(a1, operation("b")), az(ok), az(ok), false},
		{"two peers of one customer do not where the peer counts too", []limit.Key{limit.Account, limit.Peer}, nil, request(a1), request(a1, peer("192.0.2.9")), az(ok), az(ok), false},
		{"a stranger who names the account does not touch it", byAccount, nil, request(a1, client(issuer, "mallory")), request(a1), az(no), az(ok), false},
		{"who names a stranger's account spends his own", byAccount, nil, request(a1), request(asking("acct-2")), az(no), az(no), true},
		{"who names a stranger's account beside his own spends neither", byAccount, nil, request(asking("acct-1", "acct-2")), request(a1), az(no), az(ok), false},
		{"an undecided boundary is no permit", byAccount, nil, request(a1, client(issuer, "mallory")), request(a1), az(unknown), az(ok), false},
		{"without the control nothing is permitted", byAccount, nil, request(a1, client(issuer, "mallory")), request(a1), policy.Decision{}, az(ok), false},
		{"without an account the client is charged", byAccount, nil, request(), request(peer("192.0.2.9")), az(none), az(none), true},
		{"a client is not an account of its name", byAccount, nil, request(), request(asking("app")), az(none), az(ok), false},
		{"a token that a control objects to is charged by peer", byAccount, nil, request(a1), request(a1), heads(map[policy.Control]policy.Verdict{policy.AzAccount: ok, policy.TokTime: policy.Denied(policy.TokenExpired, "")}), az(ok), false},
		{"objected tokens of any customer share the peer", byAccount, nil, request(a1), request(asking("acct-2"), unproven), heads(map[policy.Control]policy.Verdict{policy.AzAccount: ok, policy.TokTime: policy.Denied(policy.TokenExpired, "")}), az(unknown), true},
		{"a partner's delegation permits", byAccount, nil, request(a1), request(a1, client(issuer, "partner")), az(ok), heads(map[policy.Control]policy.Verdict{policy.AzAccount: none, "az.delegate": ok}), true},
		{"a delegation that denies does not", byAccount, nil, request(a1), request(a1, client(issuer, "partner")), az(ok), heads(map[policy.Control]policy.Verdict{policy.AzAccount: none, "az.delegate": policy.Denied(policy.AccountNotInToken, "")}), false},
		{"the head is judged before the body", byAccount, []policy.Verdict{ok}, request(a1, withBody), request(a1, client(issuer, "other")), policy.Decision{}, policy.Decision{}, true},
		{"a stranger in the head is known before the body", byAccount, []policy.Verdict{no}, request(a1, holds("acct-1"), withBody), request(client(issuer, "app")), policy.Decision{}, policy.Decision{}, true},
		{"the only account stands for what the body will name", byAccount, []policy.Verdict{none}, request(withBody, holds("acct-1")), request(withBody, client(issuer, "other"), holds("acct-1")), policy.Decision{}, policy.Decision{}, true},
		{"of several accounts none does", byAccount, []policy.Verdict{none}, request(withBody, holds("acct-1", "acct-2")), request(withBody, client(issuer, "other"), holds("acct-1", "acct-2")), policy.Decision{}, policy.Decision{}, false},
		{"without a body no account is to come", byAccount, []policy.Verdict{none}, request(holds("acct-1")), request(client(issuer, "other"), holds("acct-1")), policy.Decision{}, policy.Decision{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			boundaries := boundary(c.pending...)
			boundaries["b"] = boundaries["op"]
			s := stage(t, limit.Options{
				Limits:     []limit.Limit{{Name: "l", Key: c.key, Limiter: limiter(t, 1.0/3600, 1)}},
				Boundaries: boundaries,
			})
			require.Equal(t, []policy.Verdict{policy.Permitted()}, s.Spend(t.Context(), c.a, c.headA))
			want := policy.Permitted()
			if c.shared {
				want = exceeded("l", time.Hour)
			}
			assert.Equal(t, []policy.Verdict{want}, s.Spend(t.Context(), c.b, c.headB))
		})
	}
}

func TestAnOperationWithoutBoundaryIsChargedByClient(t *testing.T) {
	s := stage(t, limit.Options{
		Limits:     []limit.Limit{{Name: "l", Key: []limit.Key{limit.Account}, Limiter: limiter(t, 1.0/3600, 1)}},
		Boundaries: boundary(),
	})
	permits := head(policy.AzAccount, policy.Permitted())
	for _, r := range []*policy.Request{request(operation("other"), asking("acct-1")), request(asking("acct-1")), request(unmatched, client(issuer, "b"), asking("acct-1"))} {
		assert.Equal(t, policy.Permitted(), s.Spend(t.Context(), r, permits)[0], "neither touches the bucket of another")
	}
	assert.Equal(t, policy.Deny, s.Spend(t.Context(), request(operation("other"), asking("acct-2")), permits)[0].Effect)
}

func TestEveryAccountOfARequestIsCharged(t *testing.T) {
	ok, permits := policy.Permitted(), head(policy.AzAccount, policy.Permitted())
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "rate", Key: []limit.Key{limit.Account}, Limiter: limiter(t, 1.0/3600, 3), Group: enforced},
			{Name: "total", Key: []limit.Key{limit.Account}, Quota: quota(t, 2), Group: enforced},
		},
		Boundaries: boundary(),
	})
	spend := func(accounts ...string) []policy.Verdict {
		return s.Spend(t.Context(), request(asking(accounts...)), permits)
	}
	full := policy.Verdict{Effect: policy.Deny, Reason: policy.QuotaExceeded, Detail: "total", RetryAfter: 12 * time.Hour}
	require.Equal(t, []policy.Verdict{ok, ok}, spend("a", "b", "a", "a", "a"), "each once")
	require.Equal(t, []policy.Verdict{ok, ok}, spend("a"))
	assert.Equal(t, []policy.Verdict{ok, full}, spend("b", "a"), "one of them has nothing left")
	assert.Equal(t, []policy.Verdict{ok, ok}, spend("b"), "and the other one has lost nothing")
	assert.Equal(t, []policy.Verdict{ok, full}, spend("b"))
}

func TestTheAccountsOfARequestAreBounded(t *testing.T) {
	ok, permits := policy.Permitted(), head(policy.AzAccount, policy.Permitted())
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "customer", Key: []limit.Key{limit.Account}, Limiter: limiter(t, 1.0/3600, 1)},
			{Name: "client", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1.0/3600, 2)},
		},
		Boundaries: boundary(),
	})
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprint("acct-", i))
	}
	tooMany := policy.Undecided(policy.AccountsTooMany, nil)
	assert.Equal(t, []policy.Verdict{tooMany, ok}, s.Spend(t.Context(), request(asking(many...), asking(many...)), permits))
	assert.Equal(t, []policy.Verdict{ok, ok}, s.Spend(t.Context(), request(asking(many[:32]...), asking(many[:32]...)), permits), "none was charged before")
	assert.Equal(t, policy.Deny, s.Spend(t.Context(), request(asking(many[31])), permits)[0].Effect)
}

// TestNobodySpendsAStrangersQuota lets many callers ask for accounts of others in
// every way, and finds the quotas of those untouched.
func TestNobodySpendsAStrangersQuota(t *testing.T) {
	q := quota(t, 1000)
	s := stage(t, limit.Options{
		Limits:     []limit.Limit{{Name: "total", Key: []limit.Key{limit.Account}, Quota: q}},
		Boundaries: boundary(),
	})
	denied, permitted := policy.Denied(policy.AccountNotInToken, ""), policy.Permitted()
	expired := policy.Denied(policy.TokenExpired, "")
	for i := range 50 {
		mallory := client(issuer, fmt.Sprint("mallory-", i%3))
		for _, attack := range []struct {
			r *policy.Request
			d policy.Decision
		}{
			{request(mallory, asking("victim")), head(policy.AzAccount, denied)},
			{request(mallory, asking("own", "victim")), head(policy.AzAccount, denied)},
			{request(mallory, holds("own"), asking("victim"), withBody), policy.Decision{}},
			{request(client("https://evil.example", "app"), asking("victim")), head(policy.AzAccount, permitted)},
			{request(asking("victim")), heads(map[policy.Control]policy.Verdict{policy.TokTime: expired, policy.AzAccount: permitted})},
			{request(unproven, asking("victim")), head(policy.AzAccount, policy.UndecidedBy(policy.TokSig))},
		} {
			s.Spend(t.Context(), attack.r, attack.d)
		}
	}
	for _, k := range q.Usage(now, 1000).Fullest {
		holder, ok := limit.HolderOf(k.Key)
		require.True(t, ok)
		assert.False(t, holder.Account == "victim" && holder.Namespace == issuer, "%+v", holder)
	}
	s.Spend(t.Context(), request(asking("victim")), head(policy.AzAccount, permitted))
	assert.Contains(t, holders(t, q), limit.Holder{Namespace: issuer, Account: "victim"}, "it would have been seen")
}

// Whoever comes without a credential is counted by peer, from as many networks as he
// has: that takes no customer's quota for the rest of the period.
func TestAFloodOfStrangersLeavesCustomersTheirQuota(t *testing.T) {
	for _, key := range [][]limit.Key{{limit.Client}, {limit.Account}, {limit.Client, limit.Operation}} {
		q := quota(t, 2)
		s := stage(t, limit.Options{Limits: []limit.Limit{{Name: "total", Key: key, Quota: q}}})
		for i := range 2000 {
			s.Spend(t.Context(), request(unproven, peer(fmt.Sprintf("2001:db8:%x::1", i))), policy.Decision{})
		}
		for i := range 2 * 2 {
			verdicts := s.Spend(t.Context(), request(client(issuer, fmt.Sprint("app-", i%2))), policy.Decision{})
			assert.Equal(t, []policy.Verdict{policy.Permitted()}, verdicts, "%v: request %d", key, i)
		}
		assert.Equal(t, 502, q.Usage(now, 0).Keys)
	}
}

func holders(t *testing.T, q *ratelimit.Quota) []limit.Holder {
	t.Helper()
	var all []limit.Holder
	for _, k := range q.Usage(now, 1000).Fullest {
		h, ok := limit.HolderOf(k.Key)
		require.True(t, ok)
		all = append(all, h)
	}
	return all
}

func TestHolderOfAKey(t *testing.T) {
	q := quota(t, 9)
	s := stage(t, limit.Options{
		Limits:     []limit.Limit{{Name: "l", Key: []limit.Key{limit.Account, limit.Client, limit.Operation, limit.Peer}, Quota: q}},
		Boundaries: boundary(),
	})
	s.Spend(t.Context(), request(asking("acct-1")), head(policy.AzAccount, policy.Permitted()))
	assert.Equal(t, []limit.Holder{{Issuer: issuer, Client: "app", Namespace: issuer, Account: "acct-1", Peer: "192.0.2.1", Operation: "op"}}, holders(t, q))
	for _, broken := range []string{"sha256:0123", "x", "c", "c\x05ab", "x\x01a", "c\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "c\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a"} {
		_, ok := limit.HolderOf(broken)
		assert.False(t, ok, "%q", broken)
	}
}

func FuzzHolderOf(f *testing.F) {
	f.Add("i\x01ac\x01bp\x09192.0.2.1")
	f.Add("n\x00a\x80\x01")
	f.Fuzz(func(t *testing.T, key string) {
		if h, ok := limit.HolderOf(key); ok {
			held := len(h.Issuer) + len(h.Client) + len(h.Namespace) + len(h.Account) + len(h.Peer) + len(h.Operation)
			assert.LessOrEqual(t, held, len(key))
		}
	})
}

func TestOfParallelRequestsTheLastOneOfAQuotaPassesOnce(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "total", Key: []limit.Key{limit.Account}, Quota: quota(t, 1)},
			{Name: "rate", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1.0/3600, 50)},
		},
		Boundaries: boundary(),
	})
	permits := head(policy.AzAccount, policy.Permitted())
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			r := request(asking("acct-1"), client(issuer, fmt.Sprint("app-", i%2)))
			if v := s.Spend(context.WithoutCancel(t.Context()), r, permits); v[0].Passes() && v[1].Passes() {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, passed.Load())
}

func TestSpendingAllocatesTheVerdictsAlone(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "app", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1e9, 1e9)},
			{Name: "customer", Key: []limit.Key{limit.Account}, Limiter: limiter(t, 1e9, 1e9), Quota: nil},
			{Name: "total", Key: []limit.Key{limit.Account}, Quota: quota(t, 1<<60)},
			{Name: "address", Key: []limit.Key{limit.Operation, limit.Peer}, Limiter: limiter(t, 1e9, 1e9), Group: shadowed},
		},
		Boundaries: boundary(),
	})
	r, d := request(asking("acct-1"), peer("2001:db8::1")), head(policy.AzAccount, policy.Permitted())
	s.Spend(t.Context(), r, d)
	ctx := t.Context()
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { s.Spend(ctx, r, d) }), 1.0+droppedRoom)
}
