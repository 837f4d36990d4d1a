package audit_test

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// byToken is a scenario whose identity is what its token says, as it is after the
// proof of a token.
func byToken(id string, accounts ...string) scenario {
	s := read()
	r := *s.r
	t := token()
	t.Claimed.Client, t.Claimed.Accounts, t.Fingerprint = "client-"+id, accounts, sha256.Sum256([]byte(id))
	r.Auth = policy.Authentication{Proof: policy.Permitted(), Token: t, Identity: &t.Claimed}
	s.r = &r
	return s
}

// alike leaves out what differs in every record.
func alike(t *testing.T, rec *audit.Record) audit.Record {
	t.Helper()
	assert.Len(t, rec.RecordID, 26)
	same := *rec
	same.RecordID = ""
	return same
}

// TestRecordsStayTheSameWhateverIsRemembered compares records of callers that come
// back with those of recorders that see each for the first time.
func TestRecordsStayTheSameWhateverIsRemembered(t *testing.T) {
	many := make([]string, 70)
	for i := range many {
		many[i] = fmt.Sprint("ACCT-", i)
	}
	callers := []scenario{
		byToken("a", "ACCT-100200"), byToken("b", "ACCT-1", "ACCT-100200"), byToken("c"), byToken("d", many...), read(), scenarios()["forged-signature"],
		byToken("e", "ACCT-5"), // the same place, if two tokens had one fingerprint
	}
	callers[6].r.Auth.Token.Fingerprint = callers[0].r.Auth.Token.Fingerprint
	var got last
	rc := recorder(t, &got)
	for round := range 12 {
		for i, s := range callers {
			for range 1 + i%3 {
				s.r.Time = start.Add(time.Duration(round) * 400 * time.Millisecond)
				rc.Observe(s.r, s.d, s.o)
				require.Equal(t, alike(t, record(t, s)), alike(t, got.rec), "caller %d, round %d", i, round)
			}
		}
	}
}

// One token whose proof failed and one of the same bytes that proved itself do not
// share what they say.
func TestWhatIsRememberedIsOfTheTokenItself(t *testing.T) {
	proven, unproven := byToken("a", "ACCT-100200"), byToken("a", "ACCT-100200")
	unproven.r.Auth.Identity = nil
	var got last
	rc := recorder(t, &got)
	for range 3 {
		rc.Observe(proven.r, proven.d, proven.o)
		require.NotEmpty(t, got.rec.ClientID)
		require.Nil(t, got.rec.Claimed)
		rc.Observe(unproven.r, unproven.d, unproven.o)
		require.Empty(t, got.rec.ClientID)
		require.Empty(t, got.rec.Account.Token)
		require.NotNil(t, got.rec.Claimed)
	}
}

// TestRememberingCallersIsBounded floods with tokens that come back and are as long
// as is remembered, and with longer ones.
func TestRememberingCallersIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	rc := recorder(t)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 20_000 {
		s := byToken(fmt.Sprint(i), strings.Repeat("x", 500+i%2*1000))
		for range 3 {
			rc.Observe(s.r, s.d, s.o)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, float64(after.HeapAlloc)-float64(before.HeapAlloc), 16e6, "bytes")
	runtime.KeepAlive(rc)
}

func TestCallersAreTheSameFromEveryGoroutine(t *testing.T) {
	s := byToken("a", "ACCT-100200")
	want := alike(t, record(t, s))
	rc := recorder(t, each(func(rec *audit.Record) { assert.Equal(t, want, alike(t, rec)) }))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				rc.Observe(s.r, s.d, s.o)
			}
		})
	}
	wg.Wait()
}

// each is a consumer that is a function.
type each func(*audit.Record)

func (e each) Consume(rec *audit.Record) { e(rec) }

func TestAKnownCallerCostsTwoPiecesOfMemory(t *testing.T) {
	s := byToken("a", "ACCT-100200")
	rc := recorder(t)
	rc.Observe(s.r, s.d, s.o)
	rc.Observe(s.r, s.d, s.o)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { rc.Observe(s.r, s.d, s.o) }), 2.0)
}

// The net finds what it found before its characters were counted first.
func TestEveryMarkOfASecretIsLookedFor(t *testing.T) {
	for _, secret := range []string{
		"-----BEGIN PRIVATE KEY", "AKIA0123456789ABCDEF", "ASIA0123456789ABCDEF", "AIza0123456789abcdef",
		"ghp_0123456789abcdef", "gho_0123456789abcdef", "ghs_0123456789abcdef", "github_pat_0123456789abcdef", "glpat-0123456789abcdef",
		"xoxb-0123456789abcdef", "xoxp-0123456789abcdef", "sk_live_0123456789abcdef", "rk_live_0123456789abcdef",
		"eyJhbGci.eyJz", "a@b.c", "4111111111111111", "4111%31111 1111-1111", "eyJhbGci%2EeyJz", "a%40b.c",
	} {
		s := read()
		s.r.Header.Set("X-Request-Id", "id "+secret)
		assert.Equal(t, "[redacted]", record(t, s).RequestID, secret)
	}
}
