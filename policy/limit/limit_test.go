package limit_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/ratelimit"
)

const (
	enforced = 1
	shadowed = 2
	issuer   = "https://idp.example"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func limiter(t testing.TB, perSecond float64, burst int) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(ratelimit.Limit{Name: "l", Rate: perSecond, Burst: burst, MaxKeys: 1000})
	require.NoError(t, err)
	return l
}

func stage(t testing.TB, o limit.Options) *limit.Stage {
	t.Helper()
	s, err := limit.New(o)
	require.NoError(t, err)
	return s
}

// one returns a stage with a single limit of one event per hour.
func one(t testing.TB, key ...limit.Key) *limit.Stage {
	t.Helper()
	return stage(t, limit.Options{Limits: []limit.Limit{{Name: "l", Key: key, Limiter: limiter(t, 1.0/3600, 1)}}})
}

// single returns single use of operation op, with places in the store.
func single(places, group int) limit.TokenUse {
	return limit.TokenUse{Store: ratelimit.NewOnce(places), Space: "single", Skew: 30 * time.Second, Group: group, Operations: []string{"op"}}
}

func request(changes ...func(*policy.Request)) *policy.Request {
	r := &policy.Request{
		Time:   now,
		Peer:   policy.Peer{Addr: netip.MustParseAddr("10.0.0.1")}, // a gateway, whom no limit counts
		Source: netip.MustParseAddr("192.0.2.1"),
		Match:  policy.Match{Operation: &policy.Operation{ID: "op"}},
		Auth: policy.Authentication{
			Proof:    policy.Permitted(),
			Token:    &policy.Token{ID: "jti-1", Expires: now.Add(time.Minute)},
			Identity: &policy.Identity{Issuer: issuer, Client: "app"},
		},
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func client(issuer, client string) func(*policy.Request) {
	return func(r *policy.Request) { r.Auth.Identity = &policy.Identity{Issuer: issuer, Client: client} }
}

func peer(addr string) func(*policy.Request) {
	return func(r *policy.Request) { r.Source = netip.MustParseAddr(addr) }
}

func operation(id string) func(*policy.Request) {
	return func(r *policy.Request) { r.Match.Operation = &policy.Operation{ID: id} }
}

func unmatched(r *policy.Request) { r.Match.Operation = nil }

func unproven(r *policy.Request) {
	r.Auth.Identity, r.Auth.Proof = nil, policy.Denied(policy.TokenSignature, "")
}

func token(id string) func(*policy.Request) { return func(r *policy.Request) { r.Auth.Token.ID = id } }

func after(d time.Duration) func(*policy.Request) {
	return func(r *policy.Request) { r.Time = now.Add(d) }
}

// head is a decision in which one control has a verdict.
func head(c policy.Control, v policy.Verdict) policy.Decision {
	return policy.Decision{Findings: []policy.Finding{
		{Rule: &policy.Rule{Control: policy.TokSig}, Verdict: policy.Permitted()},
		{Rule: &policy.Rule{Control: c}, Verdict: v},
	}}
}

func exceeded(name string, wait time.Duration) policy.Verdict {
	return policy.Verdict{Effect: policy.Deny, Reason: policy.RateExceeded, Detail: name, RetryAfter: wait}
}

func TestWhoSharesABucket(t *testing.T) {
	permits := head(policy.TokAud, policy.Permitted())
	denies := head(policy.TokAud, policy.Denied(policy.TokenAudience, ""))
	for _, c := range []struct {
		name          string
		key           []limit.Key
		a, b          *policy.Request
		headA, headB  policy.Decision
		shareABuckets bool
	}{
		{"a client with itself from another peer", []limit.Key{limit.Client}, request(), request(peer("198.51.100.1")), permits, permits, true},
		{"a client with itself after a token refresh", []limit.Key{limit.Client}, request(), request(token("jti-2")), permits, permits, true},
		{"two clients do not", []limit.Key{limit.Client}, request(), request(client(issuer, "other")), permits, permits, false},
		{"one client id of two issuers does not", []limit.Key{limit.Client}, request(), request(client("https://b.example", "app")), permits, permits, false},
		{"issuer and client do not run together", []limit.Key{limit.Client}, request(client("ab", "c")), request(client("a", "bc")), permits, permits, false},
		{"a NUL does not move the border", []limit.Key{limit.Client}, request(client("a\x00b", "c")), request(client("a", "b\x00c")), permits, permits, false},
		{"a denied audience is counted by peer", []limit.Key{limit.Client}, request(), request(), permits, denies, false},
		{"two clients of denied tokens behind one peer", []limit.Key{limit.Client}, request(), request(client(issuer, "other")), denies, denies, true},
		{"an API key that a control objects to is counted by peer", []limit.Key{limit.Client}, request(), request(), permits, head(policy.KeyValid, policy.Denied(policy.APIKeyDisabled, "")), false},
		{"an undecided token control is counted by peer", []limit.Key{limit.Client}, request(), request(), permits, head(policy.TokTime, policy.Undecided(policy.InternalError, nil)), false},
		{"a token control that does not apply is no objection", []limit.Key{limit.Client}, request(), request(), permits, head(policy.TokTTL, policy.Inapplicable()), true},
		{"a denied scope is no matter of the token", []limit.Key{limit.Client}, request(), request(), permits, head(policy.AzScope, policy.Denied(policy.ScopeMissing, "")), true},
		{"unproven tokens behind one peer", []limit.Key{limit.Client}, request(unproven), request(unproven, token("x")), permits, permits, true},
		{"an identity without client is counted by peer", []limit.Key{limit.Client}, request(client(issuer, "")), request(unproven), permits, permits, true},
		{"a client named like a peer is not the peer", []limit.Key{limit.Client}, request(client("", "192.0.2.1")), request(unproven), permits, permits, false},
		{"peers of one IPv6 prefix", []limit.Key{limit.Peer}, request(peer("2001:db8::1")), request(peer("2001:db8::2")), permits, permits, true},
		{"two IPv4 peers do not", []limit.Key{limit.Peer}, request(), request(peer("192.0.2.2")), permits, permits, false},
		{"an IPv4 peer and its mapped form", []limit.Key{limit.Peer}, request(), request(peer("::ffff:192.0.2.1")), permits, permits, true},
		{"two operations do not", []limit.Key{limit.Client, limit.Operation}, request(), request(operation("b")), permits, permits, false},
		{"one operation of two clients does", []limit.Key{limit.Operation}, request(), request(client(issuer, "other")), permits, permits, true},
		{"unmatched requests", []limit.Key{limit.Operation}, request(unmatched), request(unmatched, operation("x"), unmatched), permits, permits, true},
		{"order of parts does not make a new key", []limit.Key{limit.Peer, limit.Client}, request(), request(), permits, permits, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := one(t, c.key...)
			require.Equal(t, []policy.Verdict{policy.Permitted()}, s.Spend(t.Context(), c.a, c.headA))
			got := s.Spend(t.Context(), c.b, c.headB)
			if c.shareABuckets {
				assert.Equal(t, []policy.Verdict{exceeded("l", time.Hour)}, got)
			} else {
				assert.Equal(t, []policy.Verdict{policy.Permitted()}, got)
			}
		})
	}
}

func TestModesAndExceptionsOfTheHeadDoNotCount(t *testing.T) {
	for _, m := range []policy.Mode{policy.Off, policy.Shadow, policy.Enforce} {
		s := one(t, limit.Client)
		d := head(policy.TokAud, policy.Denied(policy.TokenAudience, ""))
		d.Findings[1].Rule.Mode, d.Findings[1].Exception = m, "EX-1"
		require.Equal(t, policy.Permitted(), s.Spend(t.Context(), request(), d)[0])
		assert.Equal(t, policy.Deny, s.Spend(t.Context(), request(unproven), policy.Decision{})[0].Effect, "both went by peer")
	}
}

func TestAGroupIsTakenWholeOrNotAtAll(t *testing.T) {
	tight, wide := limiter(t, 1, 1), limiter(t, 1.0/3600, 2)
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "tight", Key: []limit.Key{limit.Client}, Limiter: tight, Group: enforced},
			{Name: "wide", Key: []limit.Key{limit.Client}, Limiter: wide, Group: enforced},
		},
		Replay: []limit.TokenUse{single(10, enforced)},
	})
	ok := policy.Permitted()
	spend := func(changes ...func(*policy.Request)) []policy.Verdict {
		return s.Spend(t.Context(), request(changes...), policy.Decision{})
	}
	require.Equal(t, []policy.Verdict{ok, ok, ok}, spend())
	assert.Equal(t, []policy.Verdict{exceeded("tight", time.Second), ok, ok}, spend(token("jti-2")), "each slot has its own answer")
	assert.Equal(t, []policy.Verdict{ok, ok, policy.Denied(policy.TokenReplayed, "")}, spend(after(time.Second)), "a replay takes nothing")
	assert.Equal(t, []policy.Verdict{ok, ok, ok}, spend(after(time.Second), token("jti-2")), "nor did the rate's denial use up the token")
	assert.Equal(t, exceeded("wide", time.Hour-2*time.Second), spend(after(2*time.Second), token("jti-3"))[1])
}

func TestGroupsDoNotTouchEachOther(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{
			{Name: "small", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1, 1), Group: shadowed},
			{Name: "large", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1, 2), Group: enforced},
		},
		Replay: []limit.TokenUse{single(10, shadowed)},
	})
	ok := policy.Permitted()
	spend := func(id string) []policy.Verdict { return s.Spend(t.Context(), request(token(id)), policy.Decision{}) }
	require.Equal(t, []policy.Verdict{ok, ok, ok}, spend("a"))
	require.Equal(t, []policy.Verdict{exceeded("small", time.Second), ok, ok}, spend("b"))
	assert.Equal(t, []policy.Verdict{exceeded("small", time.Second), exceeded("large", time.Second), ok}, spend("b"), "the large one was spent, the token was not")
}

func TestSingleUse(t *testing.T) {
	noID := func(r *policy.Request) { r.Auth.Token.ID = "" }
	noToken := func(r *policy.Request) { r.Auth.Token = nil }
	noExpiry := func(r *policy.Request) { r.Auth.Token.Expires = time.Time{} }
	noCredential := func(r *policy.Request) {
		r.Auth = policy.Authentication{Proof: policy.UndecidedBy(policy.TokPresent)}
	}
	replayed, missing, byTime := policy.Denied(policy.TokenReplayed, ""), policy.Denied(policy.TokenIDMissing, ""), policy.UndecidedBy(policy.TokTime)
	ok, full := policy.Permitted(), policy.Undecided(policy.ReplayStoreFull, ratelimit.ErrFull)
	for _, c := range []struct {
		name          string
		max           int
		first, second *policy.Request
		wants         [2]policy.Verdict
	}{
		{"a second use", 9, request(), request(), [2]policy.Verdict{ok, replayed}},
		{"a second use by another peer", 9, request(), request(peer("198.51.100.1")), [2]policy.Verdict{ok, replayed}},
		{"a second use at the end of its time and skew", 9, request(), request(after(90*time.Second - 1)), [2]policy.Verdict{ok, replayed}},
		{"a second use after its time and skew", 9, request(), request(after(90 * time.Second)), [2]policy.Verdict{ok, byTime}},
		{"another token", 9, request(), request(token("jti-2")), [2]policy.Verdict{ok, ok}},
		{"the same id of another issuer", 9, request(), request(client("https://b.example", "app")), [2]policy.Verdict{ok, ok}},
		{"issuer and id do not run together", 9, request(client("ab", "x"), token("c")), request(client("a", "x"), token("bc")), [2]policy.Verdict{ok, ok}},
		{"an operation that does not ask for it", 9, request(), request(operation("other")), [2]policy.Verdict{ok, policy.Inapplicable()}},
		{"an unmatched request", 9, request(), request(unmatched), [2]policy.Verdict{ok, policy.Inapplicable()}},
		{"no id", 9, request(noID), request(noID), [2]policy.Verdict{missing, missing}},
		{"an identity without token", 9, request(noToken), request(noToken), [2]policy.Verdict{missing, missing}},
		{"no expiry", 9, request(noExpiry), request(noExpiry), [2]policy.Verdict{byTime, byTime}},
		{"an expired token", 9, request(after(time.Hour)), request(after(time.Hour)), [2]policy.Verdict{byTime, byTime}},
		{"an unproven token is not remembered", 9, request(unproven), request(), [2]policy.Verdict{policy.UndecidedBy(policy.TokSig), ok}},
		{"no credential", 9, request(noCredential), request(noCredential), [2]policy.Verdict{policy.UndecidedBy(policy.TokPresent), policy.UndecidedBy(policy.TokPresent)}},
		{"a full store", 1, request(), request(token("jti-2")), [2]policy.Verdict{ok, full}},
		{"a full store still knows its own", 1, request(), request(), [2]policy.Verdict{ok, replayed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, limit.Options{Replay: []limit.TokenUse{single(c.max, enforced)}})
			for i, r := range []*policy.Request{c.first, c.second} {
				r.Spent = s.Spend(t.Context(), r, policy.Decision{})
				assert.Equal(t, []policy.Verdict{c.wants[i]}, r.Spent)
				assert.Equal(t, c.wants[i], limit.Replay{}.Check(t.Context(), r))
				policytest.Run(t, limit.Replay{}, r)
			}
		})
	}
}

func TestARequestWithoutATokenIDIsLimitedAllTheSame(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1, 1), Group: enforced}},
		Replay: []limit.TokenUse{single(10, enforced)},
	})
	missing := policy.Denied(policy.TokenIDMissing, "")
	assert.Equal(t, []policy.Verdict{policy.Permitted(), missing}, s.Spend(t.Context(), request(token("")), policy.Decision{}))
	assert.Equal(t, []policy.Verdict{exceeded("l", time.Second), missing}, s.Spend(t.Context(), request(token("")), policy.Decision{}))
}

func TestALimitOfSomeOperations(t *testing.T) {
	s := stage(t, limit.Options{Limits: []limit.Limit{
		{Name: "some", Key: []limit.Key{limit.Peer}, Limiter: limiter(t, 1, 1), Operations: []string{"op", policy.UnmatchedID}},
		{Name: "all", Key: []limit.Key{limit.Peer}, Limiter: limiter(t, 1, 9)},
	}})
	ok := policy.Permitted()
	assert.Equal(t, 2, s.Slots())
	assert.Equal(t, []policy.Verdict{policy.Inapplicable(), ok}, s.Spend(t.Context(), request(operation("other")), policy.Decision{}))
	assert.Equal(t, []policy.Verdict{ok, ok}, s.Spend(t.Context(), request(unmatched), policy.Decision{}))
	assert.Equal(t, []policy.Verdict{exceeded("some", time.Second), ok}, s.Spend(t.Context(), request(), policy.Decision{}))
}

// TestSwappingGroupsChangesNoVerdict is the parity of modes: the same requests
// through stages whose groups are swapped give equal verdicts.
func TestSwappingGroupsChangesNoVerdict(t *testing.T) {
	build := func(a, b int) *limit.Stage {
		return stage(t, limit.Options{
			Limits: []limit.Limit{
				{Name: "client", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 2, 3), Group: a},
				{Name: "peer", Key: []limit.Key{limit.Peer, limit.Operation}, Limiter: limiter(t, 1, 5), Group: b},
				{Name: "some", Key: []limit.Key{limit.Operation}, Limiter: limiter(t, 1, 2), Group: a, Operations: []string{"op"}},
			},
			Replay: []limit.TokenUse{single(8, b)},
		})
	}
	plain, swapped := build(enforced, shadowed), build(shadowed, enforced)
	effects := make(map[policy.Effect]int)
	for i := range 200 {
		r := func() *policy.Request {
			r := request(after(time.Duration(i)*137*time.Millisecond), token(fmt.Sprint("jti-", i/2%11)))
			for j, change := range []func(*policy.Request){client(issuer, "other"), unproven, operation("other"), unmatched, peer("192.0.2.9")} {
				if i%(j+3) == 0 {
					change(r)
				}
			}
			return r
		}
		d := head(policy.TokAud, policy.Permitted())
		if i%7 == 0 {
			d = head(policy.TokAud, policy.Denied(policy.TokenAudience, ""))
		}
		want := plain.Spend(t.Context(), r(), d)
		require.Equal(t, want, swapped.Spend(t.Context(), r(), d), "request %d", i)
		for _, v := range want {
			effects[v.Effect]++
		}
	}
	assert.Len(t, effects, 4, "the requests lead to every effect")
}

func TestOfParallelRequestsExactlyTheBurstPasses(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1.0/3600, 7)}},
		Replay: []limit.TokenUse{single(1000, 0)},
	})
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			r := request(token(fmt.Sprint(i)))
			r.Spent = s.Spend(context.WithoutCancel(t.Context()), r, policy.Decision{})
			if r.Spent[0].Passes() && r.Spent[1].Passes() {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 7, passed.Load())
}

func TestLimitsCheck(t *testing.T) {
	ok, none := policy.Permitted(), policy.Inapplicable()
	broken := policy.Undecided(policy.InternalError, nil)
	short, long := exceeded("short", time.Second), exceeded("long", time.Minute)
	for _, c := range []struct {
		name  string
		slots []int
		spent []policy.Verdict
		want  policy.Verdict
	}{
		{"no limit", nil, []policy.Verdict{short}, none},
		{"a limit that permits", []int{0}, []policy.Verdict{ok}, ok},
		{"a limit of another operation", []int{0}, []policy.Verdict{none}, none},
		{"a permit beside one of another operation", []int{0, 1}, []policy.Verdict{none, ok}, ok},
		{"a denial beside a permit", []int{0, 1}, []policy.Verdict{ok, short}, short},
		{"the longest wait", []int{0, 1, 2}, []policy.Verdict{short, long, short}, long},
		{"the first of equal waits", []int{0, 1}, []policy.Verdict{short, exceeded("other", time.Second)}, short},
		{"only its own slots", []int{1}, []policy.Verdict{short, ok}, ok},
		{"nothing was spent", []int{0}, nil, broken},
		{"a slot that nobody filled", []int{0}, []policy.Verdict{{}}, broken},
		{"a slot that does not exist", []int{-1}, []policy.Verdict{ok}, broken},
		{"a denial goes before a fault", []int{0, 1}, []policy.Verdict{short}, short},
		{"a fault goes before a permit", []int{0, 1}, []policy.Verdict{ok}, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			check, r := limit.Limits{Slots: c.slots}, request()
			r.Spent = c.spent
			assert.Equal(t, c.want, check.Check(t.Context(), r))
			policytest.Run(t, check, r)
			if len(c.slots) == 1 {
				assert.Equal(t, c.want, limit.Replay{Slot: c.slots[0]}.Check(t.Context(), r))
			}
		})
	}
}

func TestNewNamesEveryProblem(t *testing.T) {
	l := limiter(t, 1, 1)
	_, err := limit.New(limit.Options{
		Limits: []limit.Limit{
			{Name: "a", Key: []limit.Key{limit.Client}},
			{Name: "b", Limiter: l},
			{Name: "c", Key: []limit.Key{"tenant"}, Limiter: l},
			{Name: "d", Key: []limit.Key{limit.Peer}},
			{Name: "e", Key: []limit.Key{limit.Peer}, Limiter: limiter(t, 1, 1), Quota: quota(t, 1)},
		},
		Replay: []limit.TokenUse{{Skew: -1}, {Space: "a", Store: ratelimit.NewOnce(1)}, {Space: "a", Store: ratelimit.NewOnce(1)}},
	})
	for _, want := range []string{
		`limit "a" needs a limiter or a quota`, `limit "b" has no key`, `limit "c" has the key "tenant"`, `limit "e" needs`,
		`limit "c" shares its limiter or quota with "b"`, `limit "d" needs a limiter`, "has no store", "clock skew -1ns",
		"has no space for its keys", `shares the space "a" with another`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), `"d" shares`)
}

func TestALimiterThatCannotSayWhenSaysNothing(t *testing.T) {
	s := stage(t, limit.Options{Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Peer}, Limiter: new(ratelimit.Limiter)}}})
	assert.Equal(t, []policy.Verdict{exceeded("l", 0)}, s.Spend(t.Context(), request(), policy.Decision{}))
}

func TestAnEmptyStageFillsNoSlot(t *testing.T) {
	assert.Empty(t, stage(t, limit.Options{}).Spend(t.Context(), request(), policy.Decision{}))
}

func BenchmarkSpend(b *testing.B) {
	s := stage(b, limit.Options{
		Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(b, 1e9, 1e9)}},
	})
	r, d := request(), head(policy.TokAud, policy.Permitted())
	b.ReportAllocs()
	for b.Loop() {
		s.Spend(b.Context(), r, d)
	}
}
