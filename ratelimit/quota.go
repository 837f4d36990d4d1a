package ratelimit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Period is a calendar period in UTC, in which a quota is counted.
type Period uint8

// The periods. The zero value is none.
const (
	_     Period = iota
	Hour         // from minute 0
	Day          // from midnight
	Month        // from midnight of the first day
)

// around returns when the period that holds t begins and ends. UTC has no
// daylight saving, so that every hour has 60 minutes and every day 24 hours.
func (p Period) around(t time.Time) (begin, end time.Time) {
	year, month, day := t.UTC().Date()
	switch p {
	case Hour:
		begin = time.Date(year, month, day, t.UTC().Hour(), 0, 0, 0, time.UTC)
		return begin, begin.Add(time.Hour)
	case Month:
		begin = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	case Day:
	}
	begin = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return begin, begin.AddDate(0, 0, 1)
}

// Allowance describes one keyed quota.
type Allowance struct {
	// Name says in errors which quota is meant.
	Name string
	// Count is how many events a key has in each period.
	Count int64
	// Period is the calendar period after which every key starts anew.
	Period Period
	// MaxKeys is the hard bound of the number of tallies. A tally takes about
	// 150 bytes plus its key.
	MaxKeys int
}

func (a Allowance) validate() error {
	var problems []error
	if a.Count < 1 {
		problems = append(problems, fmt.Errorf("quota %q: the count is %d; give at least 1", a.Name, a.Count))
	}
	if a.Period < Hour || a.Period > Month {
		problems = append(problems, fmt.Errorf("quota %q: the period is missing; give Hour, Day or Month", a.Name))
	}
	if a.MaxKeys < 1 {
		problems = append(problems, fmt.Errorf("quota %q: the bound of keys is %d; give at least 1", a.Name, a.MaxKeys))
	}
	return errors.Join(problems...)
}

// Quota is one total per key and calendar period. It is asked through [Take]
// and [TakeOnce], and is safe for concurrent use. It has one lock rather than
// shards, so that it overflows only when every place is taken, and a period ends
// for all keys at once. The zero value denies everything; use [NewQuota].
type Quota struct {
	guard
	allowance Allowance
	clock     time.Time // the latest time seen, by the wall clock; never goes back
	ends      time.Time // when the period of clock ends
	tallies   map[string]*tally
	ring      []*tally // the same tallies, in the order in which they came
	overflow  tally
	guests    int   // of the tallies
	crowd     tally // overflow of guests

	overflowed uint64
}

// tally is what one key has used in the period. It is used while the lock of its
// quota is held.
type tally struct {
	key   string
	used  int64
	guest bool
}

// NewQuota returns a quota of which nothing is used. The error names every
// problem of the allowance: a count or a bound of keys below 1, or no period.
func NewQuota(a Allowance) (*Quota, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	return &Quota{guard: guard{rank: rand.Text()}, allowance: a, tallies: make(map[string]*tally)}, nil
}

// Allowance returns what the quota was made from. Of a nil or zero quota it is
// the zero Allowance.
func (q *Quota) Allowance() Allowance {
	if q == nil {
		return Allowance{}
	}
	return q.allowance
}

// usable reports whether the quota was made by NewQuota.
func (q *Quota) usable() bool { return q != nil && q.allowance.MaxKeys > 0 }

// advance moves the clock to now, unless it is already later, and forgets
// everything when that is another period: a period that was left does not come
// again, whatever the clock of the machine does.
func (q *Quota) advance(now time.Time) {
	if now = now.Round(0); !now.After(q.clock) { // without the monotonic reading
		return
	}
	q.clock = now
	if now.Before(q.ends) {
		return
	}
	_, q.ends = q.allowance.Period.around(now)
	q.tallies, q.ring, q.overflow = make(map[string]*tally), nil, tally{}
	q.guests, q.crowd = 0, tally{}
}

// admit returns the tally of a key: its own, a new one, or an overflow tally.
func (q *Quota) admit(key []byte, guest bool) (t *tally, overflow, created bool) {
	if t = q.tallies[string(key)]; t != nil {
		return t, false, false
	}
	switch full := len(q.ring) >= q.allowance.MaxKeys; {
	case guest && (full || q.guests >= (q.allowance.MaxKeys+1)/2):
		q.overflowed++
		return &q.crowd, true, false
	case full:
		q.overflowed++
		return &q.overflow, true, false
	case guest:
		q.guests++
	}
	t = &tally{key: string(key), guest: guest}
	q.tallies[t.key] = t
	q.ring = append(q.ring, t)
	return t, false, true
}

// withdraw forgets the tally that came last.
func (q *Quota) withdraw() {
	last := len(q.ring) - 1
	delete(q.tallies, q.ring[last].key)
	if q.ring[last].guest {
		q.guests--
	}
	q.ring[last] = nil
	q.ring = q.ring[:last]
}

// judge tells whether the tally has n events left after the earlier asks of the
// same step. It spends nothing.
func (q *Quota) judge(now time.Time, t *tally, earlier, n int) Result {
	whole := q.allowance.Count - int64(earlier)
	switch {
	case int64(n) > whole:
		return Result{RetryAfter: Never}
	case int64(n) <= whole-t.used:
		return Result{Allowed: true}
	}
	return Result{RetryAfter: q.ends.Sub(now.Round(0))}
}
