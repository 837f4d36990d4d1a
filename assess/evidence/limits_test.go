package evidence_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// over is a request that perApplication denies.
func over(client string) visit {
	return visit{denied: of(policy.RateApp), reason: policy.RateExceeded, client: client}
}

// burst is n requests over the limit, a second apart.
func burst(s *evidence.Store, n int, at time.Duration, class policy.ResponseClass, clients ...string) {
	v := over("")
	v.at, v.class = at, class
	send(s, n, v, clients...)
}

// gust is n requests over the limit within n/5 seconds, by the instances in turn: each
// lets the first ones through and refuses the others.
func gust(s *evidence.Store, n int, at time.Duration, client string, passes map[string]int) {
	instances := []string{"ports-1", "ports-2"}
	passed := map[string]int{}
	for i := range n {
		v := over(client)
		v.instance, v.at, v.class = instances[i%2], at+time.Duration(i)*200*time.Millisecond, policy.Class429
		if passed[v.instance] < passes[v.instance] {
			passed[v.instance]++
			v.class = policy.ClassOK
		}
		s.Consume(v.record())
	}
}

// served gives both instances a baseline.
func served(s *evidence.Store) {
	serveClean(s, visit{})
	serveClean(s, visit{instance: "ports-2"})
}

func TestLimitsAreMeasuredInWindows(t *testing.T) {
	with := func(change func(*evidence.Limit)) func(*evidence.Options) {
		return func(o *evidence.Options) { change(&o.Limits[0]) }
	}
	for _, c := range []struct {
		rule    string
		options func(*evidence.Options)
		world   func(s *evidence.Store)
		backend string
		class   string
	}{
		{"a short burst may be what the limit allows", nil, func(s *evidence.Store) { burst(s, 14, 0, policy.ClassOK, "a") }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"one more is a leak", nil, func(s *evidence.Store) { burst(s, 15, 0, policy.ClassOK, "a") }, "NOT 1/1/0/0", "NONE LOW_N"},
		{"each window is a leak", nil, func(s *evidence.Store) { burst(s, 200, 0, policy.ClassOK, "a") }, "NOT 4/4/0/0", "NONE LOW_N"},
		{"two callers are told apart", nil, func(s *evidence.Store) { burst(s, 130, 0, policy.ClassOK, "a", "b") }, "NOT 4/4/2/0", "NONE"},
		{"what two callers sum up to means nothing", nil, func(s *evidence.Store) { burst(s, 28, 0, policy.ClassOK, "a", "b") }, "AMB 0/0/2/0", "AMBIGUOUS"},
		{"a gap begins a new window", nil, func(s *evidence.Store) {
			burst(s, 10, 0, policy.ClassOK, "a")
			burst(s, 10, time.Minute, policy.ClassOK, "a")
		}, "AMB 0/0/2/0", "AMBIGUOUS"},
		{"what passes with the policy's leave is volume, too", nil, func(s *evidence.Store) {
			burst(s, 1, 0, policy.ClassOK, "a")
			send(s, 30, visit{client: "a", at: time.Second})
			burst(s, 1, 40*time.Second, policy.ClassOK, "a")
		}, "NOT 1/1/0/0", "NONE LOW_N"},
		{"what came before the first denial was allowed", nil, func(s *evidence.Store) {
			send(s, 30, visit{client: "a"})
			burst(s, 14, 30*time.Second, policy.ClassOK, "a")
		}, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"refusals are one trial", nil, func(s *evidence.Store) {
			serveClean(s, visit{})
			burst(s, 10, 0, policy.Class429, "a")
		}, "ENF 1/0/0/0", "BACKEND_ENFORCED LOW_N"},
		{"refusals without a baseline can mean both", nil, func(s *evidence.Store) { burst(s, 10, 0, policy.Class429, "a") }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"a limiter lets its burst through and then refuses", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 7, "ports-2": 7})
		}, "ENF 1/0/0/0", "BACKEND_ONLY LOW_N"},
		{"a limiter that is too generous is not none", nil, func(s *evidence.Store) {
			serveClean(s, visit{})
			burst(s, 20, 0, policy.ClassOK, "a")
			burst(s, 20, 20*time.Second, policy.Class429, "a")
		}, "PART 1/1/0/0", "INCONSISTENT"},
		{"each instance counts by itself", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 10, "ports-2": 10})
			gust(s, 50, time.Minute, "a", map[string]int{"ports-1": 14, "ports-2": 14})
		}, "PART 2/2/0/0", "INCONSISTENT BY_INSTANCE"},
		{"an instance that had no reason to refuse does not contradict that", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 10, "ports-2": 10})
			gust(s, 28, time.Minute, "a", map[string]int{"ports-1": 14, "ports-2": 13})
		}, "PART 2/2/0/0", "INCONSISTENT BY_INSTANCE"},
		{"an instance that is over the limit by itself does", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 10, "ports-2": 10})
			gust(s, 60, time.Minute, "a", map[string]int{"ports-1": 16, "ports-2": 10})
		}, "PART 2/2/0/0", "INCONSISTENT"},
		{"one instance lets more through than all may", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 15, "ports-2": 10})
		}, "PART 1/1/0/0", "INCONSISTENT"},
		{"one instance counts and the other does not", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 6, "ports-2": 50})
		}, "PART 1/1/0/0", "INCONSISTENT"},
		{"refusals of clean requests show no limiter", nil, func(s *evidence.Store) {
			served(s)
			send(s, 5, visit{client: "cust-a", class: policy.Class429})
			send(s, 5, visit{client: "cust-a", class: policy.Class429, instance: "ports-2"})
			gust(s, 50, 0, "a", map[string]int{"ports-1": 10, "ports-2": 10})
		}, "NOT 1/1/0/0", "NONE LOW_N"},
		{"refusals of a caller that was over the limit are no such ones", nil, func(s *evidence.Store) {
			served(s)
			gust(s, 50, 0, "a", map[string]int{"ports-1": 10, "ports-2": 10})
			send(s, 20, visit{client: "a", class: policy.Class429, at: 50 * time.Second})
		}, "PART 1/1/0/0", "INCONSISTENT BY_INSTANCE"},
		{"a limit that is not known", func(o *evidence.Options) { o.Limits = nil }, func(s *evidence.Store) { burst(s, 200, 0, policy.ClassOK, "a") }, "AMB 0/0/4/0", "AMBIGUOUS"},
		{"a limit of another name", with(func(l *evidence.Limit) { l.Name = "other" }), func(s *evidence.Store) { burst(s, 50, 0, policy.ClassOK, "a") }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"a limit of other operations", with(func(l *evidence.Limit) { l.Operations = []string{"getOrder"} }), func(s *evidence.Store) { burst(s, 50, 0, policy.ClassOK, "a") }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"a limit by peer, which a record names coarsely", with(func(l *evidence.Limit) { l.Key = []string{"peer"} }), func(s *evidence.Store) { burst(s, 50, 0, policy.ClassOK, "a") }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"callers that nobody proved may be many", nil, func(s *evidence.Store) { burst(s, 50, 0, policy.ClassOK) }, "AMB 0/0/1/0", "AMBIGUOUS"},
		{"a limit of all operations counts them together", with(func(l *evidence.Limit) { l.Key = []string{"client"} }), func(s *evidence.Store) {
			other := over("a")
			other.op = "getOrder"
			send(s, 12, other)
			burst(s, 5, 20*time.Second, policy.ClassOK, "a")
		}, "NOT 1/1/0/0", "NONE LOW_N"},
		{"a short window is a second", with(func(l *evidence.Limit) { l.Rate, l.Burst = 10, 1 }), func(s *evidence.Store) {
			gust(s, 70, 0, "a", map[string]int{"ports-1": 99, "ports-2": 99})
		}, "AMB 0/0/14/0", "AMBIGUOUS"},
		{"a quota counts for its period", with(func(l *evidence.Limit) { l.Rate, l.Burst, l.Quota, l.Period = 0, 0, 5, time.Hour }), func(s *evidence.Store) {
			burst(s, 12, 0, policy.ClassOK, "a")
			burst(s, 1, 50*time.Minute, policy.ClassOK, "a")
		}, "NOT 1/1/0/0", "NONE LOW_N"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := options()
			if c.options != nil {
				c.options(&o)
			}
			s := evidence.New(o)
			c.world(s)
			cell := cellOf(t, s, "createOrder", policy.RateApp)
			assert.Equal(t, c.backend, numbers(cell.Backend))
			assert.Equal(t, c.class, brief(cell))
		})
	}
}

// TestLimitsOfCustomersCountAccounts: two applications of one account are one key,
// unless the record does not tell which account was charged.
func TestLimitsOfCustomersCountAccounts(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(*audit.Record)
		want   string
	}{
		{"the account that the request names", func(*audit.Record) {}, "NOT 1/1/0/0"},
		{"a name in the body, of a token with several", func(rec *audit.Record) {
			rec.Account.Carrier, rec.Account.Token = "body./accountId", []string{"a1", "a2"}
		}, "AMB 0/0/1/0"},
		{"a name in the body, of a token with one", func(rec *audit.Record) { rec.Account.Carrier = "body./accountId" }, "NOT 1/1/0/0"},
		{"several accounts", func(rec *audit.Record) { rec.Account.Requested = []string{"a1", "a2"} }, "AMB 0/0/1/0"},
		{"an account that the boundary does not permit", func(rec *audit.Record) { rec.Permits = nil }, "AMB 0/0/2/0"},
		{"a line that was cut", func(rec *audit.Record) { rec.Truncated = true }, "AMB 0/0/1/0"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := options()
			o.Limits[0].Key = []string{"account"}
			s := evidence.New(o)
			for i := range 20 {
				v := over(fmt.Sprintf("app-%d", i%2))
				v.at = time.Duration(i) * time.Second
				rec := v.record()
				rec.Account = audit.Account{Token: []string{"a1"}, Requested: []string{"a1"}, Carrier: "path.accountId"}
				c.change(rec)
				s.Consume(rec)
			}
			assert.Equal(t, c.want, numbers(cellOf(t, s, "createOrder", policy.RateApp).Backend))
		})
	}
}

// TestOrderWithinAWindowDoesNotMatter: records come as requests end, and not as they
// began. After the first denial any order gives the same cells.
func TestOrderWithinAWindowDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var visits []visit
		for range rapid.IntRange(1, 60).Draw(r, "requests") {
			v := over(rapid.SampledFrom([]string{"a", "b"}).Draw(r, "client"))
			v.instance = rapid.SampledFrom([]string{"ports-1", "ports-2"}).Draw(r, "instance")
			v.class = rapid.SampledFrom([]policy.ResponseClass{policy.ClassOK, policy.Class429}).Draw(r, "class")
			v.at = time.Duration(rapid.IntRange(1, 59_000).Draw(r, "ms")) * time.Millisecond
			visits = append(visits, v)
		}
		count := func(visits []visit) evidence.Cell {
			s := evidence.New(options())
			served(s)
			for _, client := range []string{"a", "b"} {
				s.Consume(over(client).record())
			}
			for _, v := range visits {
				s.Consume(v.record())
			}
			// The last ones see all that the window has.
			for _, client := range []string{"a", "b"} {
				last := over(client)
				last.at, last.class = 59_500*time.Millisecond, policy.Class429
				s.Consume(last.record())
			}
			return cellOf(t, s, "createOrder", policy.RateApp)
		}
		one, other := count(visits), count(rapid.Permutation(visits).Draw(r, "order"))
		assert.Equal(r, numbers(one.Backend), numbers(other.Backend))
		assert.Equal(r, brief(one), brief(other))
	})
}

// TestEnforcingNeverLeaksAndOpenNeverRefuses is metamorphic: whatever is sent, a
// backend that has the limit, as a bucket or in fixed windows that begin when they
// like, is never called leaking, and one that has none is never called enforcing.
func TestEnforcingNeverLeaksAndOpenNeverRefuses(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := evidence.Limit{
			Name: "per-application", Control: policy.RateApp, Key: []string{"client"},
			Rate:  rapid.Float64Range(0.05, 20).Draw(r, "rate"),
			Burst: rapid.IntRange(1, 40).Draw(r, "burst"),
		}
		o := options()
		o.Limits = []evidence.Limit{l}
		enforcing, open := evidence.New(o), evidence.New(o)
		served(enforcing)
		served(open)
		ours, theirs := map[string]*bucket{}, map[string]*bucket{}
		fixed := refill(l) >= 1 && rapid.Bool().Draw(r, "fixed windows")
		offset := rapid.Float64Range(0, 1).Draw(r, "offset")
		passed := map[string]int{}
		at := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(r, "requests") {
			at += time.Duration(rapid.IntRange(0, 1500).Draw(r, "ms")) * time.Millisecond
			v := visit{
				client: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "client"), at: at,
				instance: rapid.SampledFrom([]string{"ports-1", "ports-2"}).Draw(r, "instance"),
			}
			if !allow(ours, v.client, l, at) {
				v.denied, v.reason = of(policy.RateApp), policy.RateExceeded
			}
			open.Consume(v.record())
			if fixed {
				window := fmt.Sprint(v.client, math.Floor(at.Seconds()/refill(l)+offset))
				if passed[window]++; passed[window] > l.Burst {
					v.class = policy.Class429
				}
			} else if !allow(theirs, v.client, l, at) {
				v.class = policy.Class429
			}
			enforcing.Consume(v.record())
		}
		assert.Zero(r, cellOf(t, enforcing, "createOrder", policy.RateApp).Backend.K)
		c := cellOf(t, open, "createOrder", policy.RateApp)
		assert.Equal(r, c.Backend.N, c.Backend.K)
		assert.NotContains(r, []evidence.State{evidence.StateENF, evidence.StatePART}, c.Backend.State)
	})
}

// refill is in how many seconds a burst is regained.
func refill(l evidence.Limit) float64 { return float64(l.Burst) / l.Rate }

// bucket is a token bucket.
type bucket struct {
	tokens float64
	last   time.Duration
}

func allow(in map[string]*bucket, key string, l evidence.Limit, at time.Duration) bool {
	b, ok := in[key]
	if !ok {
		b = &bucket{tokens: float64(l.Burst), last: at}
		in[key] = b
	}
	b.tokens = min(float64(l.Burst), b.tokens+l.Rate*(at-b.last).Seconds())
	b.last = at
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// TestManyKeysTakeLittleMemory fills the windows of a limit in every respect.
func TestManyKeysTakeLittleMemory(t *testing.T) {
	s := evidence.New(options())
	fill := func(from int) {
		for i := range 20_000 {
			v := over(fmt.Sprintf("client-%d", from+i))
			v.instance = fmt.Sprintf("ports-%d", i%20)
			s.Consume(v.record())
		}
	}
	fill(0)
	before := heap()
	fill(20_000)
	assert.Less(t, heap()-before, int64(256<<10), "more keys take no more room")
	require.Positive(t, s.Stats().RunOverflow)
}
