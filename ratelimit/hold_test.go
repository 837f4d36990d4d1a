package ratelimit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/ratelimit"
)

// useOnce uses a key for nobody in particular.
func useOnce(t testing.TB, o *ratelimit.Once, now time.Time, key string, until time.Time) (first bool, err error) {
	t.Helper()
	r := o.Hold(t.Context(), now, ratelimit.Use{Key: key, Until: until})
	return r.First, r.Err
}

// owner returns one of a few owners; 0 is nobody in particular.
func owner(n int) ratelimit.Owner { return ratelimit.Owner{byte(n)} }

func TestOnceHold(t *testing.T) {
	s := time.Second
	first, again, no := ratelimit.UseResult{First: true}, ratelimit.UseResult{Again: true}, ratelimit.UseResult{}
	past, full := ratelimit.UseResult{Err: ratelimit.ErrPast}, ratelimit.UseResult{Err: ratelimit.ErrFull}
	type use struct {
		at    time.Duration
		key   string
		owner int
		until time.Duration
		peek  bool
		want  ratelimit.UseResult
	}
	for _, c := range []struct {
		rule string
		uses []use
	}{
		{"a key is its first owner's", []use{{0, "a", 1, s, false, first}, {0, "a", 1, s, false, again}, {0, "a", 2, s, false, no}, {0, "a", 1, s, false, again}}},
		{"nobody in particular is never the same", []use{{0, "a", 0, s, false, first}, {0, "a", 0, s, false, no}, {0, "a", 1, s, false, no}}},
		{"nor takes it anything from an owner", []use{{0, "a", 1, s, false, first}, {0, "a", 0, s, false, no}, {0, "a", 1, s, false, again}}},
		{"keys are independent", []use{{0, "a", 1, s, false, first}, {0, "b", 2, s, false, first}, {0, "a", 2, s, false, no}}},
		{"at its time it is free for another owner", []use{{0, "a", 1, s, false, first}, {s - 1, "a", 2, 2 * s, false, no}, {s, "a", 2, 2 * s, false, first}, {s, "a", 1, 2 * s, false, no}}},
		{"the owner does not prolong it", []use{{0, "a", 1, s, false, first}, {0, "a", 1, 9 * s, false, again}, {s, "a", 2, 9 * s, false, first}}},
		{"who peeks leaves nothing", []use{{0, "a", 1, s, true, first}, {0, "a", 2, s, false, first}, {0, "a", 1, s, true, no}, {0, "a", 2, s, true, again}}},
		{"what is past cannot be held", []use{{s, "a", 1, s, false, past}, {s, "a", 1, s, true, past}, {s, "a", 1, s + 1, false, first}}},
		{"full of live keys is an error", []use{{0, "a", 1, s, false, first}, {0, "b", 1, s, false, first}, {0, "c", 1, s, true, full}, {0, "c", 1, s, false, full}, {0, "a", 1, s, false, again}, {0, "a", 2, s, false, no}}},
		{"a clock that goes back frees nothing", []use{{s, "a", 1, 2 * s, false, first}, {0, "a", 2, 2 * s, false, no}, {0, "a", 1, 2 * s, false, again}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := ratelimit.NewOnce(2)
			for i, u := range c.uses {
				got := o.Hold(t.Context(), t0.Add(u.at), ratelimit.Use{Key: u.key, Owner: owner(u.owner), Until: t0.Add(u.until), Peek: u.peek})
				assert.Equal(t, u.want, got, "use %d", i)
				assert.Equal(t, u.want.First || u.want.Again, got.Held(), "use %d", i)
			}
		})
	}
}

func TestHoldLooksAtItsOwnStoreAlone(t *testing.T) {
	o, other := ratelimit.NewOnce(9), ratelimit.NewOnce(9)
	use := ratelimit.Use{Once: other, Key: "a", Owner: owner(1), Until: t0.Add(time.Hour)}
	require.True(t, o.Hold(t.Context(), t0, use).First)
	assert.True(t, o.Hold(t.Context(), t0, use).Again)
	assert.Zero(t, other.Stats().Keys)
}

func TestHoldWithoutAStoreOrTime(t *testing.T) {
	use := ratelimit.Use{Key: "a", Owner: owner(1), Until: t0.Add(time.Hour)}
	for _, o := range []*ratelimit.Once{nil, new(ratelimit.Once), ratelimit.NewOnce(0)} {
		assert.Equal(t, ratelimit.UseResult{Err: ratelimit.ErrFull}, o.Hold(t.Context(), t0, use))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := ratelimit.NewOnce(9)
	assert.Equal(t, ratelimit.UseResult{Err: context.Canceled}, o.Hold(ctx, t0, use))
	assert.Zero(t, o.Stats().Keys)
}

// TestAStepWithOwners is all or nothing with uses that are not the first.
func TestAStepWithOwners(t *testing.T) {
	until := t0.Add(time.Minute)
	first, again := ratelimit.UseResult{First: true}, ratelimit.UseResult{Again: true}
	type use struct {
		key   string
		owner int
		peek  bool
	}
	for _, c := range []struct {
		rule  string
		uses  []use
		want  []ratelimit.UseResult
		spent bool
	}{
		{"again is as good as first", []use{{"held", 1, false}, {"new", 1, false}}, []ratelimit.UseResult{again, first}, true},
		{"again alone spends the ask", []use{{"held", 1, false}}, []ratelimit.UseResult{again}, true},
		{"another owner stops the step", []use{{"new", 1, false}, {"held", 2, false}}, []ratelimit.UseResult{first, {}}, false},
		{"one key twice by one owner is held", []use{{"new", 1, false}, {"new", 1, false}}, []ratelimit.UseResult{first, again}, true},
		{"one key twice by two owners is not", []use{{"new", 1, false}, {"new", 2, false}}, []ratelimit.UseResult{first, {}}, false},
		{"who peeks takes part", []use{{"new", 1, true}}, []ratelimit.UseResult{first}, true},
		{"who peeks at a key of his own takes part", []use{{"held", 1, true}}, []ratelimit.UseResult{again}, true},
		{"who peeks at another's key stops the step", []use{{"new", 1, false}, {"held", 2, true}}, []ratelimit.UseResult{first, {}}, false},
		{"a peek leaves the key to the rest of the step", []use{{"new", 1, true}, {"new", 2, false}}, []ratelimit.UseResult{first, first}, true},
		{"a peek sees the rest of the step", []use{{"new", 2, false}, {"new", 1, true}}, []ratelimit.UseResult{first, {}}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l, o := newLimiter(t, 1, 2, 10), ratelimit.NewOnce(9)
			require.True(t, o.Hold(t.Context(), t0, ratelimit.Use{Key: "held", Owner: owner(1), Until: until}).First)
			var uses []ratelimit.Use
			news := map[string]bool{}
			for _, u := range c.uses {
				uses = append(uses, ratelimit.Use{Once: o, Key: u.key, Owner: owner(u.owner), Until: until, Peek: u.peek})
				if u.key == "new" && !u.peek {
					news[u.key] = true
				}
			}
			results, useResults := ratelimit.TakeOnce(t0, []ratelimit.Ask{{Limiter: l, Key: []byte("k"), N: 1}}, uses, nil)
			assert.True(t, results[0].Allowed)
			assert.Equal(t, c.want, useResults)
			tokens, _ := l.TokensAt(t0, "k")
			if c.spent {
				assert.InDelta(t, 1, tokens, 0)
				assert.EqualValues(t, 1+len(news), o.Stats().Keys)
			} else {
				assert.InDelta(t, 2, tokens, 0)
				assert.EqualValues(t, 1, o.Stats().Keys)
			}
		})
	}
}

// TestNeverTwoOwners draws histories of uses in a store that is too small, by a clock
// that also goes back, and floods it in between. Invariant: from the use that bound a
// key until its time, nobody but its owner is held.
func TestNeverTwoOwners(t *testing.T) {
	type binding struct {
		owner int
		until time.Time
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := ratelimit.NewOnce(rapid.IntRange(0, 4).Draw(rt, "places"))
		bound := map[string]binding{}
		now, latest := t0, time.Time{}
		for i := range rapid.IntRange(1, 80).Draw(rt, "uses") {
			now = now.Add(time.Duration(rapid.IntRange(-5, 9).Draw(rt, "step")) * time.Second)
			if now.After(latest) {
				latest = now
			}
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", fmt.Sprint("flood-", i)}).Draw(rt, "key")
			who := rapid.IntRange(0, 3).Draw(rt, "owner")
			until := now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "time")) * time.Second)
			peek := rapid.Bool().Draw(rt, "peek")
			r := o.Hold(t.Context(), now, ratelimit.Use{Key: key, Owner: owner(who), Until: until, Peek: peek})
			require.False(rt, r.First && r.Again)
			require.False(rt, r.Err != nil && r.Held())
			b, known := bound[key]
			if known && b.until.After(latest) {
				require.False(rt, r.First, "it is bound")
				require.Equal(rt, who != 0 && b.owner == who, r.Again)
				require.NoError(rt, r.Err)
				continue
			}
			require.False(rt, r.Again, "nobody has it")
			if r.First && !peek {
				bound[key] = binding{who, until}
			}
		}
	})
}
