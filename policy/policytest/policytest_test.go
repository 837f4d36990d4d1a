package policytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// checkFunc is a check made from a function.
type checkFunc func(ctx context.Context, r *policy.Request) policy.Verdict

func (f checkFunc) Check(ctx context.Context, r *policy.Request) policy.Verdict { return f(ctx, r) }

func full() *policy.Request {
	op := &policy.Operation{ID: "op", Rules: []*policy.Rule{{Control: policy.InRoute, Check: checkFunc(nil)}}}
	return &policy.Request{
		Method: "GET", Path: "/a", RawQuery: "b=c", Host: "h",
		Query:  []policy.Pair{{Name: "b", Value: "c"}},
		Header: http.Header{"Content-Type": {"text/plain"}, "X-A": {"1", "2"}},
		Match:  policy.Match{Operation: op, Params: []policy.Pair{{Name: "id", Value: "7"}}},
		Auth: policy.Authentication{
			Proof:    policy.Permitted(),
			Token:    &policy.Token{ID: "jti", Audience: []string{"aud"}, Claimed: policy.Identity{Client: "x"}},
			Identity: &policy.Identity{Issuer: "i", Client: "x", Accounts: []string{"acc"}, Scopes: []string{"s"}},
		},
		Spent:    []policy.Verdict{policy.Permitted()},
		Body:     policy.Body{Bytes: []byte("body"), Size: 4, Whole: true, Selected: [][]string{{"sel"}}},
		Response: &policy.Response{Status: 200, Header: http.Header{"Location": {"/x"}}, Body: policy.Body{Bytes: []byte("answer")}},
	}
}

func TestGoodChecksPass(t *testing.T) {
	for name, check := range map[string]checkFunc{
		"one that permits":        func(context.Context, *policy.Request) policy.Verdict { return policy.Permitted() },
		"one that does not apply": func(context.Context, *policy.Request) policy.Verdict { return policy.Inapplicable() },
		"one that denies": func(context.Context, *policy.Request) policy.Verdict {
			return policy.Verdict{Effect: policy.Deny, Reason: policy.RateExceeded, Detail: "per-client", RetryAfter: time.Second}
		},
		"one that is undecided": func(context.Context, *policy.Request) policy.Verdict {
			return policy.Undecided(policy.InternalError, errors.New("out of order"))
		},
		"one that reads facts": func(_ context.Context, r *policy.Request) policy.Verdict {
			if v, missing := r.Auth.Missing(); missing {
				return v
			}
			return policy.Denied(policy.AccountNotInToken, "path.id")
		},
	} {
		t.Run(name, func(t *testing.T) { policytest.Run(t, check, full()) })
	}
}

// badChecks break one rule each; the error that names the rule must be there.
func badChecks() map[string]struct {
	check checkFunc
	want  string
} {
	denied := func(detail string) policy.Verdict { return policy.Denied(policy.SchemaMismatch, detail) }
	var calls atomic.Int64
	type bad = struct {
		check checkFunc
		want  string
	}
	on := func(f func(r *policy.Request)) checkFunc {
		return func(_ context.Context, r *policy.Request) policy.Verdict {
			f(r)
			return policy.Permitted()
		}
	}
	is := func(v policy.Verdict) checkFunc {
		return func(context.Context, *policy.Request) policy.Verdict { return v }
	}
	says := func(f func(r *policy.Request) string) checkFunc {
		return func(_ context.Context, r *policy.Request) policy.Verdict { return denied(f(r)) }
	}
	return map[string]bad{
		"changes a field":             {on(func(r *policy.Request) { r.Host = "other" }), "changed the request: Host"},
		"changes a header":            {on(func(r *policy.Request) { r.Header.Del("X-A") }), "changed the request: Header"},
		"changes a header value":      {on(func(r *policy.Request) { at(r.Header["X-A"], "9") }), "changed the request: Header"},
		"changes the identity":        {on(func(r *policy.Request) { identity(r).Accounts = nil }), "changed the request: Auth"},
		"changes body bytes":          {on(func(r *policy.Request) { copy(r.Body.Bytes, "B") }), "changed the request: Body"},
		"changes a selected value":    {on(func(r *policy.Request) { at(first(r.Body.Selected), "z") }), "changed the request: Body"},
		"changes the shared plan":     {on(func(r *policy.Request) { operation(r).ID = "mine" }), "changed the operation"},
		"changes a shared rule":       {on(func(r *policy.Request) { mode(r, policy.Enforce) }), "changed the operation"},
		"panics on the zero request":  {on(func(r *policy.Request) { _ = r.Auth.Identity.Client }), "the zero request: the check panicked"},
		"panics without a token":      {on(func(r *policy.Request) { use(r.Auth.Identity, r.Auth.Token) }), "without a token: the check panicked"},
		"counts":                      {says(func(*policy.Request) string { return fmt.Sprint(calls.Add(1)) }), "the second time"},
		"goes by the address":         {says(func(r *policy.Request) string { return fmt.Sprintf("%p", r) }), "for an equal request"},
		"waits":                       {waits(), "did not return within"},
		"denies without a reason":     {is(policy.Verdict{Effect: policy.Deny}), "have a reason"},
		"is undecided without reason": {is(policy.Verdict{}), "have a reason"},
		"permits with a reason":       {is(policy.Verdict{Effect: policy.Permit, Reason: policy.RouteUnknown}), "have a reason"},
		"has an effect of its own":    {is(policy.Verdict{Effect: 9}), "none of the four"},
		"has a reason in prose":       {is(policy.Verdict{Effect: policy.Deny, Reason: "Not good"}), "kebab-case"},
		"permits with a detail":       {is(policy.Verdict{Effect: policy.Permit, Detail: "d"}), `with detail "d"`},
		"denies with a cause":         {is(policy.Verdict{Effect: policy.Deny, Reason: "x", Cause: policy.TokSig}), "only an undecided verdict"},
		"has an unknown cause":        {is(policy.UndecidedBy("no.such")), "not a control"},
		"hides the cause":             {is(policy.Undecided(policy.PrerequisiteFailed, nil)), "without a cause"},
		"denies with an error":        {is(policy.Verdict{Effect: policy.Deny, Reason: "x", Err: errors.New("e")}), "a denial is a value"},
		"waits without denying":       {is(policy.Verdict{Effect: policy.Permit, RetryAfter: 1}), "only a denial"},
		"waits less than nothing":     {is(policy.Verdict{Effect: policy.Deny, Reason: "x", RetryAfter: -1}), "only a denial"},
		"tells the path":              {says(func(r *policy.Request) string { return r.Path }), "canary in Path: the detail"},
		"tells a query name":          {says(func(r *policy.Request) string { return fmt.Sprint(r.Query) }), "the detail"},
		"tells a query value":         {says(queryValue), "canary in Query.Value: the detail"},
		"tells a path parameter":      {says(func(r *policy.Request) string { return fmt.Sprint(r.Match.Params) }), "Match.Params: the detail"},
		"tells a header value":        {says(func(r *policy.Request) string { return r.Header.Get("Content-Type") }), "Header Content-Type: the detail"},
		"tells a header name":         {says(func(r *policy.Request) string { return fmt.Sprint(r.Header) }), "a new header: the detail"},
		"tells the token id":          {says(func(r *policy.Request) string { return fmt.Sprintf("%v", r.Auth.Token) }), "Auth.Token.ID: the detail"},
		"tells an account":            {says(func(r *policy.Request) string { return fmt.Sprintf("%v", r.Auth.Identity) }), "Auth.Identity.Accounts: the detail"},
		"tells the body":              {says(func(r *policy.Request) string { return string(r.Body.Bytes) }), "Body.Bytes: the detail"},
		"tells a selected value":      {says(func(r *policy.Request) string { return fmt.Sprint(r.Body.Selected) }), "Body.Selected: the detail"},
		"tells the answer":            {says(func(r *policy.Request) string { return fmt.Sprintf("%v", r.Response) }), "Response.Header Location: the detail"},
		"tells it in its error":       {tellsInError, "Host: the error"},
		"tells it as its reason":      {tellsAsReason, "the reason or cause holds"},
		"panics on a value":           {panicsOnCanary, "canary in Host: the check panicked"},
		"differs between goroutines":  {racy(), "between goroutines"},
	}
}

func at(list []string, v string) {
	if len(list) > 0 {
		list[0] = v
	}
}

func first(lists [][]string) []string {
	if len(lists) == 0 {
		return nil
	}
	return lists[0]
}

func identity(r *policy.Request) *policy.Identity {
	if r.Auth.Identity == nil {
		return &policy.Identity{}
	}
	return r.Auth.Identity
}

func operation(r *policy.Request) *policy.Operation {
	if r.Match.Operation == nil {
		return &policy.Operation{}
	}
	return r.Match.Operation
}

func mode(r *policy.Request, m policy.Mode) {
	for _, rule := range operation(r).Rules {
		rule.Mode = m
	}
}

func use(i *policy.Identity, t *policy.Token) {
	if i != nil {
		_ = t.ID
	}
}

func queryValue(r *policy.Request) string {
	if len(r.Query) == 0 {
		return ""
	}
	return r.Query[0].Value
}

func tellsInError(_ context.Context, r *policy.Request) policy.Verdict {
	return policy.Undecided(policy.InternalError, errors.New("host "+r.Host))
}

func tellsAsReason(_ context.Context, r *policy.Request) policy.Verdict {
	return policy.Denied(policy.Reason("x"+r.Host), "")
}

func panicsOnCanary(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Host == policytest.Canary {
		panic("odd host")
	}
	return policy.Permitted()
}

// waits returns a check that takes a second look at its context.
func waits() checkFunc {
	return func(ctx context.Context, _ *policy.Request) policy.Verdict {
		if ctx.Err() != nil {
			time.Sleep(1500 * time.Millisecond)
		}
		return policy.Permitted()
	}
}

// racy returns a check that is right only when it runs alone.
func racy() checkFunc {
	var running atomic.Int64
	return func(context.Context, *policy.Request) policy.Verdict {
		defer running.Add(-1)
		alone := running.Add(1) == 1
		time.Sleep(time.Millisecond)
		if alone && running.Load() == 1 {
			return policy.Permitted()
		}
		return policy.Denied(policy.RouteUnknown, "")
	}
}

func TestEveryRuleFindsTheCheckThatBreaksIt(t *testing.T) {
	for name, bad := range badChecks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var texts []string
			for _, r := range []*policy.Request{nil, full()} { // the zero request alone, then all
				requests := []*policy.Request{r}
				if r == nil {
					requests = nil
				}
				for _, err := range policytest.Faults(bad.check, requests...) {
					texts = append(texts, err.Error())
				}
			}
			require.NotEmpty(t, texts)
			found := false
			for _, text := range texts {
				found = found || strings.Contains(text, bad.want)
			}
			assert.True(t, found, "no fault says %q: %q", bad.want, texts)
		})
	}
}

func TestRunReportsEveryFault(t *testing.T) {
	var spy spyTB
	policytest.Run(&spy, checkFunc(func(context.Context, *policy.Request) policy.Verdict { return policy.Verdict{} }), full())
	assert.Equal(t, 20, spy.errors, "faults are reported up to a bound")
}

func TestRequestsAreNotChangedByTheSuite(t *testing.T) {
	r := full()
	policytest.Run(t, checkFunc(func(context.Context, *policy.Request) policy.Verdict { return policy.Permitted() }), r)
	want := full()
	r.Match.Operation, want.Match.Operation = nil, nil // holds code
	assert.Equal(t, want, r)
}

// spyTB counts errors instead of failing.
type spyTB struct {
	testing.TB
	errors int
}

func (s *spyTB) Helper()      {}
func (s *spyTB) Error(...any) { s.errors++ }
