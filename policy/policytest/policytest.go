// Package policytest is the conformance suite that every [policy.Check]
// passes. A check that passes it can be evaluated in both modes, at any time,
// by any number of goroutines, and written to a record.
//
//	func TestCheckKeepsTheRules(t *testing.T) {
//		policytest.Run(t, check, permitted, denied, undecided)
//	}
//
// # Rules
//
// For the zero request, for each request given, and for each of them with one
// stage's facts taken away:
//
//   - The check does not panic.
//   - It does not change the request.
//   - It gives the same verdict every time, also for an equal request in other
//     memory and from several goroutines; with -race that finds shared state.
//   - It returns soon when its context is done.
//   - The verdict has a known effect. It has a reason exactly if it denies or
//     is undecided. A cause, which must be in the catalogue, and an error belong
//     to undecided verdicts only, and a time to wait to denials only.
//   - Neither its detail nor its error holds a submitted value. To see that,
//     the suite puts [Canary] into every value of a client, of its token and of
//     the backend, one after the other, and looks for it in the verdict.
//
// # What it leaves to others
//
// Whether the verdict is right. Give the suite requests that lead the check
// through every branch of its own, or it proves little.
package policytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Canary is the text that stands for a submitted value. It is one lower-case
// word, so that a parser of nearly any format keeps it as it is. Suites for
// other stages plant it too.
const Canary = "canary7d1e5bnx"

const (
	repeats   = 3
	parallel  = 4
	patience  = time.Second
	keepFirst = 20 // faults reported; a broken check breaks a rule for every request
)

// Run reports every rule that the check breaks for the requests, the zero
// request and requests derived from them. The requests are not changed by the
// suite. A broken rule is an error of t, not fatal.
func Run(t testing.TB, check policy.Check, requests ...*policy.Request) {
	t.Helper()
	for _, err := range Faults(check, requests...) {
		t.Error(err)
	}
}

// Faults returns one error for every broken rule, up to 20, and nil if the
// check conforms. A check that changes a request is not run again: what it says
// afterwards is about something else. Run is the usual way to call it.
func Faults(check policy.Check, requests ...*policy.Request) []error {
	s := suite{check: check}
	for i, r := range append([]*policy.Request{{}}, requests...) {
		name := fmt.Sprintf("request %d", i)
		if i == 0 {
			name = "the zero request"
		}
		for _, c := range append([]variant{{name, r}}, stripped(name, r)...) {
			if s.judge(c); s.writes {
				return s.faults
			}
		}
		for _, c := range planted(name, r) {
			s.seek(c)
		}
	}
	return s.faults
}

// variant is a request and how the suite came by it.
type variant struct {
	name string
	r    *policy.Request
}

type suite struct {
	check  policy.Check
	faults []error
	writes bool // changed a request or an operation
	slow   bool // did not return in time once; waiting again would tell nothing new
}

// fault records a broken rule.
func (s *suite) fault(c variant, format string, args ...any) {
	if len(s.faults) < keepFirst {
		s.faults = append(s.faults, fmt.Errorf("%s: "+format, append([]any{c.name}, args...)...))
	}
}

// judge applies every rule but the one about canaries.
func (s *suite) judge(c variant) {
	before, operation := clone(c.r), plan(c.r.Match.Operation)
	first, err := call(context.Background(), s.check, c.r)
	if err != nil {
		s.fault(c, "%w", err)
		return
	}
	if what := changed(before, c.r); what != "" {
		s.writes = true
		s.fault(c, "the check changed the request: %s", what)
		return
	}
	if !reflect.DeepEqual(operation, plan(c.r.Match.Operation)) {
		s.writes = true
		s.fault(c, "the check changed the operation, which all requests share")
		return
	}
	s.form(c, first)
	for range repeats {
		if s.again(c, first, c.r, "the second time") != nil || s.again(c, first, clone(c.r), "for an equal request") != nil {
			return
		}
	}
	s.hurry(c)
	s.crowd(c, first)
}

// again reports a fault if the verdict of r is not the first one.
func (s *suite) again(c variant, first policy.Verdict, r *policy.Request, when string) error {
	v, err := call(context.Background(), s.check, r)
	if err == nil && !same(first, v) {
		err = fmt.Errorf("verdict %s (%s) became %s (%s) %s", first.Effect, first.Reason, v.Effect, v.Reason, when)
	}
	if err != nil {
		s.fault(c, "%w", err)
	}
	return err
}

// hurry checks that a context that is done does not make the check wait.
func (s *suite) hurry(c variant) {
	if s.slow {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() {
		_, err := call(ctx, s.check, clone(c.r))
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			s.fault(c, "with a cancelled context: %w", err)
		}
	case <-time.After(patience):
		s.slow = true
		s.fault(c, "the check did not return within %s of its context being cancelled", patience)
	}
}

// crowd runs the check from several goroutines on one request.
func (s *suite) crowd(c variant, first policy.Verdict) {
	errs := make([]error, parallel)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			v, err := call(context.Background(), s.check, c.r)
			if err == nil && !same(first, v) {
				err = errors.New("the verdict differs between goroutines")
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		s.fault(c, "%w", err)
	}
}

// form checks the fields of a verdict against each other.
func (s *suite) form(c variant, v policy.Verdict) {
	if v.Effect > policy.NotApplicable {
		s.fault(c, "effect %d is none of the four", v.Effect)
		return
	}
	if passes := v.Passes(); passes != (v.Reason == "") {
		s.fault(c, "effect %s with reason %q: a denial and an undecided verdict have a reason, others have none", v.Effect, v.Reason)
	}
	if v.Reason != "" && !kebab().MatchString(string(v.Reason)) {
		s.fault(c, "reason %q is not kebab-case", v.Reason)
	}
	if v.Passes() && v.Detail != "" {
		s.fault(c, "effect %s with detail %q", v.Effect, v.Detail)
	}
	undecided := v.Effect == policy.Indeterminate
	if v.Cause != "" && !undecided {
		s.fault(c, "effect %s with cause %s: only an undecided verdict has one", v.Effect, v.Cause)
	}
	if _, known := policy.Lookup(v.Cause); v.Cause != "" && !known {
		s.fault(c, "cause %q is not a control of the catalogue", v.Cause)
	}
	if v.Reason == policy.PrerequisiteFailed && v.Cause == "" {
		s.fault(c, "reason %s without a cause", v.Reason)
	}
	if v.Err != nil && !undecided {
		s.fault(c, "effect %s with an error: a denial is a value", v.Effect)
	}
	if v.RetryAfter < 0 || v.RetryAfter > 0 && v.Effect != policy.Deny {
		s.fault(c, "effect %s with %s to wait: only a denial has that", v.Effect, v.RetryAfter)
	}
}

func kebab() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`) }

// seek checks that the verdict of a planted request does not tell the plant.
func (s *suite) seek(c variant) {
	v, err := call(context.Background(), s.check, c.r)
	if err != nil {
		s.fault(c, "%w", err)
		return
	}
	s.form(c, v)
	if tells(v.Detail) {
		s.fault(c, "the detail of %s holds a submitted value", v.Reason)
	}
	if v.Err != nil && tells(v.Err.Error()) {
		s.fault(c, "the error of %s holds a submitted value", v.Reason)
	}
	if tells(string(v.Reason)) || tells(string(v.Cause)) {
		s.fault(c, "the reason or cause holds a submitted value")
	}
}

func tells(s string) bool { return strings.Contains(strings.ToLower(s), Canary) }

// call runs the check and turns a panic into an error.
func call(ctx context.Context, check policy.Check, r *policy.Request) (v policy.Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return check.Check(ctx, r), nil
}

// same compares verdicts; errors are equal if their texts are.
func same(a, b policy.Verdict) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return "error: " + err.Error()
	}
	equal := text(a.Err) == text(b.Err)
	a.Err, b.Err = nil, nil
	return equal && a == b
}
