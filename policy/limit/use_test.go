package limit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/policy/limit/limittest"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/ratelimit"
)

func TestTheStoreInMemoryKeepsTheRules(t *testing.T) {
	limittest.Run(t, func(_ *testing.T, places int) limit.Store { return ratelimit.NewOnce(places) })
}

// remote is a store that takes no part in a step, as one elsewhere.
type remote struct {
	limit.Store
	asked, peeked atomic.Int64
	err           error
}

func (s *remote) Hold(ctx context.Context, now time.Time, use ratelimit.Use) ratelimit.UseResult {
	s.asked.Add(1)
	if use.Peek {
		s.peeked.Add(1)
	}
	if s.err != nil {
		return ratelimit.UseResult{Err: s.err}
	}
	return s.Store.Hold(ctx, now, use)
}

// senders returns same sender of operation op, with places in the store.
func senders(places int) limit.TokenUse {
	u := single(places, enforced)
	u.SameSender, u.Space = true, "sender"
	return u
}

func certificate(thumbprint string) func(*policy.Request) {
	return func(r *policy.Request) { sentBy(r).Certificate = thumbprint }
}

func proofKey(thumbprint string) func(*policy.Request) {
	return func(r *policy.Request) { sentBy(r).Key = thumbprint }
}

func sentBy(r *policy.Request) *policy.Sender {
	if r.Auth.SentBy == nil {
		r.Auth.SentBy = &policy.Sender{}
	}
	return r.Auth.SentBy
}

func noPeer(r *policy.Request) { r.Source = netip.Addr{} }

func TestSameSender(t *testing.T) {
	ok, other := policy.Permitted(), policy.Denied(policy.TokenOtherSender, "")
	missing, byTime := policy.Denied(policy.TokenIDMissing, ""), policy.UndecidedBy(policy.TokTime)
	for _, c := range []struct {
		name          string
		first, second *policy.Request
		wants         [2]policy.Verdict
	}{
		{"the same certificate from elsewhere", request(certificate("a")), request(certificate("a"), peer("198.51.100.1")), [2]policy.Verdict{ok, ok}},
		{"another certificate from the same place", request(certificate("a")), request(certificate("b")), [2]policy.Verdict{ok, other}},
		{"the certificate goes before the key of DPoP", request(certificate("a"), proofKey("k")), request(certificate("a"), proofKey("l")), [2]policy.Verdict{ok, ok}},
		{"another certificate with the same key", request(certificate("a"), proofKey("k")), request(certificate("b"), proofKey("k")), [2]policy.Verdict{ok, other}},
		{"the same key of DPoP from elsewhere", request(proofKey("k")), request(proofKey("k"), peer("198.51.100.1")), [2]policy.Verdict{ok, ok}},
		{"another key of DPoP from the same place", request(proofKey("k")), request(proofKey("l")), [2]policy.Verdict{ok, other}},
		{"a key is no certificate of its name", request(certificate("a")), request(proofKey("a")), [2]policy.Verdict{ok, other}},
		{"without the certificate it is another sender", request(certificate("a")), request(), [2]policy.Verdict{ok, other}},
		{"a certificate that comes later is another sender", request(), request(certificate("a")), [2]policy.Verdict{ok, other}},
		{"a certificate named like the network is not the network", request(), request(certificate("192.0.2.0/24")), [2]policy.Verdict{ok, other}},
		{"the same address", request(), request(), [2]policy.Verdict{ok, ok}},
		{"another address of the same network", request(), request(peer("192.0.2.200")), [2]policy.Verdict{ok, ok}},
		{"the same network as IPv4-mapped IPv6", request(), request(peer("::ffff:192.0.2.9")), [2]policy.Verdict{ok, ok}},
		{"another network", request(), request(peer("192.0.3.1")), [2]policy.Verdict{ok, other}},
		{"the same /64", request(peer("2001:db8::1")), request(peer("2001:db8::ffff:1")), [2]policy.Verdict{ok, ok}},
		{"the same /64 by another zone", request(peer("fe80::1%eth0")), request(peer("fe80::2%eth1")), [2]policy.Verdict{ok, ok}},
		{"another /64", request(peer("2001:db8::1")), request(peer("2001:db8:0:1::1")), [2]policy.Verdict{ok, other}},
		{"nobody knows who sends it", request(noPeer), request(noPeer), [2]policy.Verdict{ok, other}},
		{"another token of another sender", request(), request(token("jti-2"), peer("198.51.100.1")), [2]policy.Verdict{ok, ok}},
		{"the same id of another issuer", request(), request(client("https://b.example", "app"), peer("198.51.100.1")), [2]policy.Verdict{ok, ok}},
		{"another client is no other sender", request(), request(client(issuer, "other")), [2]policy.Verdict{ok, ok}},
		{"another sender at the end of its time and skew", request(), request(peer("198.51.100.1"), after(90*time.Second-1)), [2]policy.Verdict{ok, other}},
		{"another sender after its time and skew", request(), request(peer("198.51.100.1"), after(90*time.Second)), [2]policy.Verdict{ok, byTime}},
		{"an operation that does not ask for it", request(), request(operation("other"), peer("198.51.100.1")), [2]policy.Verdict{ok, policy.Inapplicable()}},
		{"no id", request(token("")), request(token("")), [2]policy.Verdict{missing, missing}},
		{"an unproven token binds nobody", request(unproven), request(peer("198.51.100.1")), [2]policy.Verdict{policy.UndecidedBy(policy.TokSig), ok}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, limit.Options{Replay: []limit.TokenUse{senders(9)}})
			for i, r := range []*policy.Request{c.first, c.second} {
				r.Spent = s.Spend(t.Context(), r, policy.Decision{})
				assert.Equal(t, []policy.Verdict{c.wants[i]}, r.Spent)
				policytest.Run(t, limit.Replay{}, r)
			}
		})
	}
}

func TestASenderIsBoundAnyNumberOfTimes(t *testing.T) {
	s := stage(t, limit.Options{Replay: []limit.TokenUse{senders(1)}})
	for i := range 100 {
		at := after(time.Duration(i) * time.Second / 2)
		require.Equal(t, policy.Permitted(), s.Spend(t.Context(), request(at), policy.Decision{})[0])
		require.Equal(t, policy.TokenOtherSender, s.Spend(t.Context(), request(at, peer("198.51.100.1")), policy.Decision{})[0].Reason)
	}
	full := s.Spend(t.Context(), request(token("jti-2")), policy.Decision{})[0]
	assert.Equal(t, policy.Undecided(policy.ReplayStoreFull, ratelimit.ErrFull), full)
}

const requestID = "X-Request-Id"

func numbered(ids ...string) func(*policy.Request) {
	return func(r *policy.Request) { r.Header = http.Header{requestID: ids} }
}

func TestRetriesOfTheGateway(t *testing.T) {
	through := head(policy.PathGateway, policy.Permitted())
	beside := head(policy.PathGateway, policy.Denied(policy.GatewayProofMissing, ""))
	asked := func(method, path, query string) func(*policy.Request) {
		return func(r *policy.Request) { r.Method, r.Path, r.RawQuery = method, path, query }
	}
	for _, c := range []struct {
		name          string
		header        string
		first, second *policy.Request
		headA, headB  policy.Decision
		same          bool
	}{
		{"the same number is a retry", requestID, request(numbered("r-1")), request(numbered("r-1")), through, through, true},
		{"from another address of the gateway too", requestID, request(numbered("r-1")), request(numbered("r-1"), peer("198.51.100.1")), through, through, true},
		{"another number is another use", requestID, request(numbered("r-1")), request(numbered("r-2")), through, through, false},
		{"numbers are compared exactly", requestID, request(numbered("r-1")), request(numbered("R-1")), through, through, false},
		{"two numbers are none", requestID, request(numbered("r-1", "r-1")), request(numbered("r-1", "r-1")), through, through, false},
		{"a second number makes it none", requestID, request(numbered("r-1")), request(numbered("r-1", "r-1")), through, through, false},
		{"an empty number is none", requestID, request(numbered("")), request(numbered("")), through, through, false},
		{"no number is none", requestID, request(), request(), through, through, false},
		{"no header is configured", "", request(numbered("r-1")), request(numbered("r-1")), through, through, false},
		{"a number in another header is none", "X-Other", request(numbered("r-1")), request(numbered("r-1")), through, through, false},
		{"neither came through the gateway", requestID, request(numbered("r-1")), request(numbered("r-1")), beside, beside, false},
		{"the second did not", requestID, request(numbered("r-1")), request(numbered("r-1")), through, beside, false},
		{"the first did not", requestID, request(numbered("r-1")), request(numbered("r-1")), beside, through, false},
		{"nobody asked for a proof", requestID, request(numbered("r-1")), request(numbered("r-1")), policy.Decision{}, policy.Decision{}, false},
		{"an undecided proof is none", requestID, request(numbered("r-1")), request(numbered("r-1")), through, head(policy.PathGateway, policy.Undecided(policy.InternalError, nil)), false},
		{"a proof that does not apply is none", requestID, request(numbered("r-1")), request(numbered("r-1")), through, head(policy.PathGateway, policy.Inapplicable()), false},
		{"a retry asks for the same", requestID, request(numbered("r-1"), asked("POST", "/a", "q")), request(numbered("r-1"), asked("POST", "/a", "q")), through, through, true},
		{"another path is no retry", requestID, request(numbered("r-1"), asked("POST", "/a", "")), request(numbered("r-1"), asked("POST", "/b", "")), through, through, false},
		{"another method is no retry", requestID, request(numbered("r-1"), asked("POST", "/a", "")), request(numbered("r-1"), asked("PUT", "/a", "")), through, through, false},
		{"another query is no retry", requestID, request(numbered("r-1"), asked("POST", "/a", "b")), request(numbered("r-1"), asked("POST", "/ab", "")), through, through, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := single(9, enforced)
			u.RequestID = c.header
			s := stage(t, limit.Options{Replay: []limit.TokenUse{u}})
			require.Equal(t, policy.Permitted(), s.Spend(t.Context(), c.first, c.headA)[0])
			want := policy.Denied(policy.TokenReplayed, "")
			if c.same {
				want = policy.Permitted()
			}
			assert.Equal(t, want, s.Spend(t.Context(), c.second, c.headB)[0])
			assert.Equal(t, policy.TokenReplayed, s.Spend(t.Context(), request(numbered("r-9")), through)[0].Reason, "the key stays the first one's")
		})
	}
}

func TestTheGatewaysNumberIsNoSender(t *testing.T) {
	u := senders(9)
	u.RequestID = requestID
	s := stage(t, limit.Options{Replay: []limit.TokenUse{u}})
	through := head(policy.PathGateway, policy.Permitted())
	require.Equal(t, policy.Permitted(), s.Spend(t.Context(), request(numbered("r-1")), through)[0])
	assert.Equal(t, policy.TokenOtherSender, s.Spend(t.Context(), request(numbered("r-1"), peer("198.51.100.1")), through)[0].Reason)
	assert.Equal(t, policy.Permitted(), s.Spend(t.Context(), request(numbered("r-2")), through)[0])
}

// TestUsesOfOneStoreDoNotMeet is what a shared store needs: single use and same
// sender, two products, and a gateway that keeps its own keys there.
func TestUsesOfOneStoreDoNotMeet(t *testing.T) {
	store := ratelimit.NewOnce(100)
	require.True(t, store.Hold(t.Context(), now, ratelimit.Use{Key: "jti-1", Until: now.Add(time.Hour)}).First) // a gateway's
	all := []limit.TokenUse{single(0, enforced), single(0, enforced), senders(0)}
	for i, space := range []string{"sidewarden:replay:orders:single_use", "sidewarden:replay:ports:single_use", "sidewarden:replay:orders:same_sender"} {
		all[i].Store, all[i].Space = store, space
	}
	ok := policy.Permitted()
	assert.Equal(t, []policy.Verdict{ok, ok, ok}, stage(t, limit.Options{Replay: all}).Spend(t.Context(), request(), policy.Decision{}))
	assert.EqualValues(t, 4, store.Stats().Keys)
}

func TestNoTokenIDIsKept(t *testing.T) {
	var keys []string
	s := &spy{keys: &keys}
	u := single(0, enforced)
	u.Store = s
	stage(t, limit.Options{Replay: []limit.TokenUse{u}}).Spend(t.Context(), request(token(policytest.Canary)), policy.Decision{})
	long := strings.Repeat("j", 100_000)
	stage(t, limit.Options{Replay: []limit.TokenUse{u}}).Spend(t.Context(), request(token(long)), policy.Decision{})
	require.Len(t, keys, 2)
	for _, key := range keys {
		assert.NotContains(t, key, policytest.Canary)
		assert.NotContains(t, key, issuer)
		assert.Len(t, key, len("single:")+43)
		assert.True(t, strings.HasPrefix(key, "single:"))
	}
}

// spy keeps the keys that it is asked for.
type spy struct{ keys *[]string }

func (s *spy) Hold(_ context.Context, _ time.Time, use ratelimit.Use) ratelimit.UseResult {
	*s.keys = append(*s.keys, use.Key)
	return ratelimit.UseResult{First: true}
}

func TestAStoreElsewhere(t *testing.T) {
	s := &remote{Store: ratelimit.NewOnce(9)}
	u := single(0, enforced)
	u.Store = s
	st := stage(t, limit.Options{
		Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1, 2), Group: enforced}},
		Replay: []limit.TokenUse{u},
	})
	ok, replayed := policy.Permitted(), policy.Denied(policy.TokenReplayed, "")
	spend := func(changes ...func(*policy.Request)) []policy.Verdict {
		return st.Spend(t.Context(), request(changes...), policy.Decision{})
	}
	require.Equal(t, []policy.Verdict{ok, ok}, spend())
	assert.Equal(t, []policy.Verdict{ok, replayed}, spend(), "and the replay took from the rate")
	assert.Equal(t, []policy.Verdict{exceeded("l", time.Second), ok}, spend(token("jti-2")), "each slot has its own answer")
	assert.Equal(t, []policy.Verdict{exceeded("l", time.Second), replayed}, spend())
	assert.Equal(t, []policy.Verdict{ok, ok}, spend(after(time.Second), token("jti-2")), "the rate's denial did not use up the token")
	assert.EqualValues(t, 5, s.asked.Load())
	assert.EqualValues(t, 2, s.peeked.Load())
	assert.Equal(t, policy.Denied(policy.TokenIDMissing, ""), spend(after(time.Hour), token(""))[1])
	assert.EqualValues(t, 5, s.asked.Load(), "there was nothing to ask for")
}

func TestAStoreThatGivesNoAnswerIsUndecided(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	down := errors.New("no connection")
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want policy.Verdict
	}{
		{"it cannot be reached", t.Context(), down, policy.Undecided(policy.ReplayStoreUnavailable, down)},
		{"the time is over", ended, nil, policy.Undecided(policy.ReplayStoreUnavailable, context.Canceled)},
		{"it is full", t.Context(), fmt.Errorf("remote: %w", ratelimit.ErrFull), policy.Undecided(policy.ReplayStoreFull, fmt.Errorf("remote: %w", ratelimit.ErrFull))},
	} {
		for _, u := range []limit.TokenUse{single(0, enforced), senders(0)} {
			u.Store = &remote{Store: ratelimit.NewOnce(9), err: c.err}
			r := request()
			r.Spent = stage(t, limit.Options{Replay: []limit.TokenUse{u}}).Spend(c.ctx, r, policy.Decision{})
			assert.Equal(t, []policy.Verdict{c.want}, r.Spent, c.name)
			policytest.Run(t, limit.Replay{}, r)
		}
	}
}

// TestThreatReplay sends fifty copies at once: of a token for single use one passes, of
// one for its first sender those of one sender, in both kinds of store.
func TestThreatReplay(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in memory": false, "elsewhere": true} {
		for _, u := range []limit.TokenUse{single(9, enforced), senders(9)} {
			if elsewhere {
				u.Store = &remote{Store: u.Store}
			}
			s := stage(t, limit.Options{
				Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(t, 1.0/3600, 100), Group: enforced}},
				Replay: []limit.TokenUse{u},
			})
			var passed [5]atomic.Int64
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					r := request(peer(fmt.Sprintf("198.51.%d.1", i%5)))
					if s.Spend(context.WithoutCancel(t.Context()), r, policy.Decision{})[1].Effect == policy.Permit {
						passed[i%5].Add(1)
					}
				})
			}
			all.Wait()
			var counts []int64
			for i := range passed {
				if n := passed[i].Load(); n > 0 {
					counts = append(counts, n)
				}
			}
			want := []int64{1}
			if u.SameSender {
				want = []int64{10}
			}
			assert.Equal(t, want, counts, "%s, %s", name, u.Space)
		}
	}
}

// TestNeverTwoSenders draws histories. Invariant: within the time of a token nobody
// but its first sender is permitted, and nobody is shut out while there is room.
func TestNeverTwoSenders(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := stage(t, limit.Options{Replay: []limit.TokenUse{senders(3)}})
		bound := map[string]string{}
		for range rapid.IntRange(1, 60).Draw(rt, "uses") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "token")
			from := rapid.SampledFrom([]string{"192.0.2.1", "198.51.100.1", "2001:db8::1"}).Draw(rt, "from")
			at := time.Duration(rapid.IntRange(0, 89).Draw(rt, "second")) * time.Second
			v := s.Spend(t.Context(), request(token(id), peer(from), after(at)), policy.Decision{})[0]
			first, known := bound[id]
			switch {
			case !known && len(bound) < 3:
				bound[id] = from
				require.Equal(rt, policy.Permitted(), v)
			case !known:
				require.Equal(rt, policy.ReplayStoreFull, v.Reason)
			case first == from:
				require.Equal(rt, policy.Permitted(), v)
			default:
				require.Equal(rt, policy.TokenOtherSender, v.Reason)
			}
		}
	})
}

func BenchmarkSpendTokens(b *testing.B) {
	through := head(policy.PathGateway, policy.Permitted())
	limits := []limit.Limit{{Name: "l", Key: []limit.Key{limit.Client}, Limiter: limiter(b, 1e9, 1e9), Group: enforced}}
	for _, c := range []struct {
		name string
		use  limit.TokenUse
		next func(r *policy.Request, i int)
	}{
		{"single-use/replayed", single(100, enforced), func(*policy.Request, int) {}},
		{"single-use/new", single(1<<18, enforced), func(r *policy.Request, i int) {
			r.Time = now.Add(time.Duration(i) * time.Millisecond)
			r.Auth.Token.ID, r.Auth.Token.Expires = fmt.Sprint(i), r.Time.Add(time.Minute)
		}},
		{"single-use/retry", single(100, enforced), func(*policy.Request, int) {}},
		{"same-sender/again", senders(100), func(*policy.Request, int) {}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.use.RequestID = requestID
			s := stage(b, limit.Options{Limits: limits, Replay: []limit.TokenUse{c.use}})
			r := request(func(*policy.Request) {})
			if strings.HasSuffix(c.name, "retry") {
				numbered("r-1")(r)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.next(r, i)
				s.Spend(b.Context(), r, through)
			}
		})
	}
}
