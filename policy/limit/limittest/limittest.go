// Package limittest is the conformance suite that every [limit.Store] passes.
//
//	func TestStoreKeepsTheRules(t *testing.T) {
//		limittest.Run(t, func(t *testing.T, places int) limit.Store { return ratelimit.NewOnce(places) })
//	}
//
// # Rules
//
//   - Within its time a key is held by its first owner and by nobody else, whatever
//     else is remembered, whoever asks and in which order. Nobody in particular holds
//     a key once.
//   - Of concurrent uses of a key by several owners one is held.
//   - Who peeks is told the same and leaves no trace.
//   - A key that nobody has is the first owner's while there is room. Without room the
//     error is ratelimit.ErrFull, and keys that are known are known all the same.
//   - When the context has ended the result is an error.
//
// # What it leaves to others
//
// When a key is forgotten. Times only go on by the argument, which a store elsewhere
// does not go by: the suite never asks that a key is free again. Nor does it know what
// a store does when it cannot be reached.
package limittest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// parallel is how many copies of one token are sent at once.
const parallel = 50

// Run reports every rule that a store breaks. Open returns an empty one that holds at
// least as many keys as places, or, with places below one, none.
func Run(t *testing.T, open func(t *testing.T, places int) limit.Store) {
	t.Helper()
	t.Run("one owner", func(t *testing.T) { oneOwner(t, open(t, 100)) })
	t.Run("peek", func(t *testing.T) { peek(t, open(t, 100)) })
	t.Run("several owners at once", func(t *testing.T) { severalAtOnce(t, open(t, 100)) })
	t.Run("one owner at once", func(t *testing.T) { oneAtOnce(t, open(t, 100)) })
	t.Run("no room", func(t *testing.T) { noRoom(t, open(t, 0)) })
	t.Run("a flood", func(t *testing.T) { flood(t, open(t, 10)) })
	t.Run("the context has ended", func(t *testing.T) { ended(t, open(t, 100)) })
}

// Owner returns owner n; 0 is nobody in particular.
func Owner(n byte) ratelimit.Owner { return ratelimit.Owner{n} }

// begin is when the suite asks first. Its stores may go by a clock of their own.
func begin() time.Time {
	return time.Now() //nolint:forbidigo // a store outside of the process forgets by a clock of its own
}

func use(key string, owner byte, until time.Time) ratelimit.Use {
	return ratelimit.Use{Key: key, Owner: Owner(owner), Until: until}
}

// peeking returns the use as one that only asks.
func peeking(u ratelimit.Use) ratelimit.Use {
	u.Peek = true
	return u
}

func oneOwner(t *testing.T, s limit.Store) {
	now := begin()
	until := now.Add(time.Hour)
	first, again, no := ratelimit.UseResult{First: true}, ratelimit.UseResult{Again: true}, ratelimit.UseResult{}
	for i, c := range []struct {
		after time.Duration
		key   string
		owner byte
		until time.Time
		want  ratelimit.UseResult
	}{
		{0, "a", 1, until, first},
		{0, "a", 1, until, again},
		{0, "a", 2, until, no},
		{time.Second, "a", 2, until.Add(time.Hour), no},
		{time.Minute, "a", 1, until.Add(time.Hour), again},
		{time.Minute, "a", 0, until, no},
		{time.Minute, "b", 2, until, first},
		{time.Minute, "b", 1, until, no},
		{59 * time.Minute, "a", 2, until, no},
		{59 * time.Minute, "c", 0, until, first},
		{59 * time.Minute, "c", 0, until, no},
		{59 * time.Minute, "c", 1, until, no},
		{30 * time.Minute, "a", 2, until, no},
	} {
		assert.Equal(t, c.want, s.Hold(t.Context(), now.Add(c.after), use(c.key, c.owner, c.until)), "use %d", i)
	}
}

func peek(t *testing.T, s limit.Store) {
	now := begin()
	until := now.Add(time.Hour)
	for range 2 {
		assert.Equal(t, ratelimit.UseResult{First: true}, s.Hold(t.Context(), now, peeking(use("a", 1, until))))
	}
	assert.Equal(t, ratelimit.UseResult{First: true}, s.Hold(t.Context(), now, use("a", 2, until)))
	assert.Equal(t, ratelimit.UseResult{}, s.Hold(t.Context(), now, peeking(use("a", 1, until))))
	assert.Equal(t, ratelimit.UseResult{Again: true}, s.Hold(t.Context(), now, peeking(use("a", 2, until))))
}

// race asks for a key at once, and counts the answers.
func race(t *testing.T, s limit.Store, key string, owner func(i int) byte) (first, again int) {
	t.Helper()
	now := begin()
	results := make([]ratelimit.UseResult, parallel)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			results[i] = s.Hold(context.WithoutCancel(t.Context()), now, use(key, owner(i), now.Add(time.Hour)))
		})
	}
	all.Wait()
	for _, r := range results {
		require.NoError(t, r.Err)
		if r.First {
			first++
		}
		if r.Again {
			again++
		}
	}
	return first, again
}

func severalAtOnce(t *testing.T, s limit.Store) {
	for i, owner := range []func(int) byte{func(int) byte { return 0 }, func(i int) byte { return byte(i + 1) }} {
		first, again := race(t, s, fmt.Sprint("several-", i), owner)
		assert.Equal(t, 1, first)
		assert.Zero(t, again)
	}
}

func oneAtOnce(t *testing.T, s limit.Store) {
	first, again := race(t, s, "one", func(int) byte { return 1 })
	assert.Equal(t, 1, first)
	assert.Equal(t, parallel-1, again)
}

func noRoom(t *testing.T, s limit.Store) {
	now := begin()
	r := s.Hold(t.Context(), now, use("a", 1, now.Add(time.Hour)))
	require.ErrorIs(t, r.Err, ratelimit.ErrFull)
	assert.False(t, r.Held())
}

func flood(t *testing.T, s limit.Store) {
	now := begin()
	until := now.Add(time.Hour)
	require.True(t, s.Hold(t.Context(), now, use("victim", 1, until)).First)
	for i := range 1000 {
		if r := s.Hold(t.Context(), now, use(fmt.Sprint(i), 2, until)); r.Err != nil {
			require.ErrorIs(t, r.Err, ratelimit.ErrFull)
			require.False(t, r.Held())
		}
	}
	assert.Equal(t, ratelimit.UseResult{}, s.Hold(t.Context(), now, use("victim", 2, until)))
	assert.Equal(t, ratelimit.UseResult{Again: true}, s.Hold(t.Context(), now, use("victim", 1, until)))
}

func ended(t *testing.T, s limit.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := begin()
	r := s.Hold(ctx, now, use("a", 1, now.Add(time.Hour)))
	require.ErrorIs(t, r.Err, context.Canceled)
	assert.False(t, r.Held())
}
