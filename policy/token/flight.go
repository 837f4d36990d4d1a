package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

var (
	errOffline = errors.New("nobody is asked")
	errWaited  = errors.New("the answer did not come within the time for a decision")
	errBusy    = errors.New("too many questions to this issuer are open")
	errPaused  = errors.New("the endpoint failed, and was asked again less than a second ago")
)

// flight is one question on its way. Whoever asks about the same token meanwhile
// waits for the same answer.
type flight struct {
	done chan struct{}
	lane *lane // nil of one that has landed
	// answer is set before done is closed.
	answer answer
}

// lane is what questions of one kind share: what made-up tokens bring about must not
// keep anybody from being asked about those that proved themselves before, by their
// signature or by an earlier answer. Guarded by endpoint.mu.
type lane struct {
	open    int       // flights that have not landed
	failing bool      // the latest question found no endpoint that works
	asked   time.Time // when the latest question began
}

// laneOf returns the lane for a token. It needs mu.
func (e *endpoint) laneOf(t string, signed *policy.Token, at time.Time) *lane {
	if signed != nil || e.provenBefore(t, at) != nil {
		return &e.proven
	}
	return &e.strangers
}

// landed is a flight with an answer.
func landed(a answer) *flight {
	f := &flight{done: make(chan struct{}), answer: a}
	close(f.done)
	return f
}

// wait returns the answer, if it comes in time. The flight goes on without whoever
// does not wait any more, so that the next request finds its answer.
func (f *flight) wait(ctx context.Context, longest time.Duration) answer {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.answer
	case <-timer.C:
	case <-ctx.Done():
	}
	return unanswered(policy.IntrospectionUnavailable, "wait", errWaited)
}

// ask returns what the issuer says of a token at the time of a request. Signed are
// the facts of a token that proved itself by its signature; nil asks for the facts.
func (e *endpoint) ask(ctx context.Context, t string, signed *policy.Token, at time.Time) answer {
	if a, ok := e.remembered(t, at); ok {
		e.counts.hits.Add(1)
		return a
	}
	if e.offline {
		return unanswered(policy.IntrospectionUnavailable, "offline", errOffline)
	}
	e.counts.misses.Add(1)
	return e.join(t, signed, at).wait(ctx, e.wait)
}

// remembered returns an answer that still counts.
func (e *endpoint) remembered(t string, at time.Time) (answer, bool) {
	if a, ok := e.known.get(t); ok && at.Before(a.until) {
		return a, true
	}
	a, ok := e.noted.get(t)
	return a, ok && at.Before(a.until)
}

// join returns the flight for a token, and starts one if there is none and one may
// start.
func (e *endpoint) join(t string, signed *policy.Token, at time.Time) *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.flights[t]; f != nil {
		return f
	}
	if a, ok := e.remembered(t, at); ok {
		return landed(a) // a flight ended after this request looked
	}
	l := e.laneOf(t, signed, at)
	switch {
	case l.open >= maxFlights:
		e.counts.add(IntrospectionBusy)
		return landed(unanswered(policy.IntrospectionBusy, "", errBusy))
	case l.failing && at.Sub(l.asked) < probeInterval:
		e.counts.add(IntrospectionPaused)
		return landed(unanswered(policy.IntrospectionUnavailable, string(IntrospectionPaused), errPaused))
	}
	f := &flight{done: make(chan struct{}), lane: l}
	t = strings.Clone(t) // a part of a header would keep all of it
	if !e.questions.begin(func(life context.Context) { e.fly(life, f, t, signed, at) }) {
		return landed(unanswered(policy.IntrospectionUnavailable, "offline", errOffline))
	}
	l.open++
	l.asked = at
	e.flights[t] = f
	return f
}

// fly asks the issuer, remembers what it says and ends the flight. It ends by the
// timeout, whoever waits, or with life.
func (e *endpoint) fly(life context.Context, f *flight, t string, signed *policy.Token, at time.Time) {
	result := IntrospectionMalformed
	defer func() {
		if p := recover(); p != nil { // what is read comes from outside, and nobody else is up the stack
			result = IntrospectionMalformed
			// The type only: a value may hold the answer.
			f.answer = unanswered(policy.IntrospectionUnavailable, string(result), fmt.Errorf("asking panicked: %T", p))
		}
		over := life.Err() != nil // which says nothing of the issuer
		if !over {
			e.counts.add(result)
		}
		e.mu.Lock()
		delete(e.flights, t)
		f.lane.open--
		f.lane.failing = result.failed() && !over
		e.mu.Unlock()
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(life, e.options.Timeout)
	defer cancel()
	var document []byte
	var err error
	if document, result, err = e.exchange(ctx, t); err == nil {
		f.answer, result, err = e.learn(document, t, signed, at)
	}
	if err != nil {
		f.answer = unanswered(policy.IntrospectionUnavailable, string(result), err)
		if !result.failed() {
			// The endpoint works, and what it says of this token is of no use.
			f.answer.until = at.Add(inactiveTTL)
			e.noted.put(t, f.answer)
		}
	}
}

// learn reads a document and remembers what it says of a token.
func (e *endpoint) learn(document []byte, t string, signed *policy.Token, at time.Time) (answer, IntrospectionResult, error) {
	members, result, err := readActivity(document, e.issuer)
	if err != nil {
		return answer{}, result, err
	}
	a := answer{until: at.Add(inactiveTTL)}
	facts := signed
	switch result { //nolint:exhaustive // what readActivity returns without an error
	case IntrospectionActive:
		if signed == nil {
			if facts, err = readFacts(members, e.claims, e.issuer, t); err != nil {
				return answer{}, IntrospectionMalformed, err
			}
			a.bytes = len(document)
		}
		a.outcome, a.active, a.token, a.until = active, new(policy.Permitted()), facts, at.Add(e.options.TTL)
		if expires := facts.Expires; !expires.IsZero() && expires.Before(a.until) {
			a.until = expires
		}
	case IntrospectionInactive:
		a.outcome = inactive
		if facts == nil {
			facts = e.provenBefore(t, at)
		}
		if facts != nil {
			gone := *facts
			gone.Revoked = true
			a.outcome, a.token = revoked, &gone
		}
	default:
		a.outcome, a.active = foreign, new(policy.Undecided(policy.IntrospectionIssuer, nil))
	}
	e.remember(t, a)
	return a, result, nil
}

// provenBefore returns the facts of an opaque token that was active here and has not
// expired: if it is not active any more, it was revoked.
func (e *endpoint) provenBefore(t string, at time.Time) *policy.Token {
	a, ok := e.known.get(t)
	if !ok || !a.token.Expires.IsZero() && !at.Before(a.token.Expires) {
		return nil
	}
	return a.token
}

// remember keeps an answer. Only a token that proved itself gets a place among those
// that did, so that made-up ones drive out nobody.
func (e *endpoint) remember(t string, a answer) {
	if a.token == nil {
		e.known.drop(t)
		e.noted.put(t, a)
		return
	}
	e.noted.drop(t)
	e.known.put(t, a)
}
