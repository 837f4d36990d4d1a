package token_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// idp is a token issuer whose key set can be changed and that can be down.
type idp struct {
	fetches atomic.Int64
	mu      sync.Mutex
	keys    []*tokentest.Signer
	down    bool
}

// serve replaces the keys; none means that the issuer is down.
func (i *idp) serve(keys ...*tokentest.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys, i.down = keys, len(keys) == 0
}

func (i *idp) RoundTrip(*http.Request) (*http.Response, error) {
	i.fetches.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		return nil, errors.New("connection refused")
	}
	return document(http.StatusOK, bytes.NewReader(tokentest.JWKS(i.keys...))), nil
}

const (
	refresh  = 5 * time.Minute
	maxStale = time.Hour
)

// keySet returns a key set that is read from the transport.
func keySet(t *testing.T, from http.RoundTripper) *token.KeySet {
	t.Helper()
	keys, err := token.NewKeySet(token.KeySetOptions{
		Issuer: issuerName, URL: "https://idp.example.net/jwks", Client: &http.Client{Transport: from},
		Algorithms: []string{"ES256"}, Refresh: refresh, MaxStale: maxStale, Now: realClock,
	})
	require.NoError(t, err)
	return keys
}

// now returns a request with a token at the bubble's time.
func now(sent string) *policy.Request {
	r := bearer(sent)
	r.Time = realClock()
	return r
}

func (w world) proof(t *testing.T, sent string) policy.Verdict {
	t.Helper()
	return w.authenticate(t, now(sent)).Proof
}

func TestThreatRotation(t *testing.T) {
	old, next := tokentest.Fresh("ES256", "old"), tokentest.Fresh("ES256", "new")
	byOld, byNew := old.Token(claims(nil)), next.Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{old}}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		start(t, keys)
		synctest.Wait()
		require.Equal(t, policy.Permitted(), w.proof(t, byOld))
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, byNew))

		issuer.serve(old, next)
		for range int(refresh / time.Second) {
			time.Sleep(time.Second)
			require.Equal(t, policy.Permitted(), w.proof(t, byOld), "no valid request fails")
		}
		require.Equal(t, policy.Permitted(), w.proof(t, byNew), "an added key works within one refresh")

		issuer.serve(next)
		time.Sleep(refresh + time.Second)
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, byOld), "a removed key stops working, cached tokens included")
		require.Equal(t, policy.Permitted(), w.proof(t, byNew))

		issuer.serve(tokentest.Fresh("ES256", "new"))
		time.Sleep(refresh + time.Second)
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, byNew), "a key that was replaced under its id stops working")
	})
}

func TestThreatUnknownKeyIDFlood(t *testing.T) {
	good := tokentest.Fresh("ES256", "good")
	unknown, valid := tokentest.Fresh("ES256", "unknown").Token(claims(nil)), good.Token(claims(nil))
	flood := make([]string, 10_000)
	for i := range flood {
		random := make([]byte, 16)
		_, err := rand.Read(random)
		require.NoError(t, err)
		flood[i] = good.Mint(tokentest.Spec{Header: map[string]any{"kid": tokentest.Encode(random)}, Claims: claims(nil)})
	}
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{good}}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		start(t, keys)
		synctest.Wait()
		require.Equal(t, int64(1), issuer.fetches.Load())
		for _, sent := range flood {
			require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, sent))
			require.Equal(t, policy.Permitted(), w.proof(t, valid), "a good token in between")
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, int64(2), issuer.fetches.Load(), "at most one in 30 s")
		for range 20_000 {
			w.proof(t, unknown)
			time.Sleep(time.Millisecond + time.Microsecond)
		}
		synctest.Wait()
		require.Equal(t, int64(3), issuer.fetches.Load(), "the next one when the interval is over")
	})
}

func TestUnknownKeyIDBringsTheNewKeySoon(t *testing.T) {
	old, next := tokentest.Fresh("ES256", "old"), tokentest.Fresh("ES256", "new")
	byNew := next.Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{old}}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		start(t, keys)
		synctest.Wait()
		issuer.serve(old, next)
		require.Equal(t, policy.Denied(policy.KeyUnknown, ""), w.proof(t, byNew), "the request itself does not wait")
		synctest.Wait()
		require.Equal(t, policy.Permitted(), w.proof(t, byNew))
	})
}

func TestThreatKeySetOutage(t *testing.T) {
	s := tokentest.Fresh("ES256", "key-1")
	sent := s.Token(claims(nil))
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{s}, down: true}
		keys := keySet(t, issuer)
		w := newWorld(t, issuerWith(keys, "ES256"))
		require.Zero(t, issuer.fetches.Load(), "the constructor opens no connection")
		start(t, keys)
		synctest.Wait()
		require.False(t, keys.Ready())
		require.False(t, keys.Stats().Loaded)
		require.ErrorContains(t, keys.Stats().LastError, "connection refused")
		undecided := w.proof(t, sent)
		require.Equal(t, policy.Indeterminate, undecided.Effect)
		require.Equal(t, policy.KeySetUnavailable, undecided.Reason)
		require.ErrorContains(t, undecided.Err, "was not loaded yet")
		r := now(sent)
		all := w.verdicts(t, r)
		require.Equal(t, undecided, all[policy.TokSig])
		require.Equal(t, policy.UndecidedBy(policy.TokSig), all[policy.TokIss])
		require.Equal(t, issuerName, r.Auth.Token.Claimed.Issuer, "what it claims is kept")

		issuer.serve(s)
		time.Sleep(2 * time.Second)
		require.True(t, keys.Ready(), "a failed first read is repeated soon")
		require.Equal(t, policy.Permitted(), w.proof(t, sent))

		issuer.serve()
		time.Sleep(maxStale - 3*time.Second)
		require.Equal(t, policy.Permitted(), w.proof(t, sent), "the last good set serves until its maximum age")
		require.InDelta(t, maxStale.Seconds(), keys.Stats().Age.Seconds(), 5)
		time.Sleep(6 * time.Second)
		require.Equal(t, policy.KeySetUnavailable, w.proof(t, sent).Reason, "then it is closed, for cached tokens too")
		require.False(t, keys.Ready())
		require.LessOrEqual(t, issuer.fetches.Load(), int64(90), "failures are not repeated faster than once a minute for long")

		issuer.serve(s)
		time.Sleep(time.Minute + time.Second)
		require.Equal(t, policy.Permitted(), w.proof(t, sent))
	})
}

func TestThreatBadSetNeverReplacesAGoodOne(t *testing.T) {
	s := tokentest.Fresh("ES256", "key-1")
	sent := s.Token(claims(nil))
	good := string(tokentest.JWKS(s))
	for _, bad := range []string{"", "<html>", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`, strings.Repeat(" ", 2<<20)} {
		synctest.Test(t, func(t *testing.T) {
			var served atomic.Pointer[string]
			served.Store(&good)
			keys := keySet(t, answers(func(*http.Request) (*http.Response, error) {
				return document(http.StatusOK, strings.NewReader(*served.Load())), nil
			}))
			w := newWorld(t, issuerWith(keys, "ES256"))
			start(t, keys)
			synctest.Wait()
			served.Store(&bad)
			time.Sleep(maxStale / 2)
			require.Equal(t, policy.Permitted(), w.proof(t, sent))
			require.Error(t, keys.Stats().LastError)
			require.Equal(t, 1, keys.Stats().Keys)
			time.Sleep(maxStale/2 + time.Second)
			require.Equal(t, policy.KeySetUnavailable, w.proof(t, sent).Reason, "a bad set does not keep the good one alive")
		})
	}
}

// drip gives one byte a second until the request ends.
type drip struct{ r *http.Request }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.r.Context().Done():
		return 0, d.r.Context().Err()
	}
}

func TestThreatSlowKeySetServer(t *testing.T) {
	for _, row := range []struct {
		name string
		from answers
	}{
		{"no answer", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
		{"a byte a second", func(r *http.Request) (*http.Response, error) {
			return document(http.StatusOK, drip{r}), nil
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := keySet(t, row.from)
				w := newWorld(t, issuerWith(keys, "ES256"))
				start(t, keys)
				synctest.Wait()
				began := realClock()
				require.Equal(t, policy.KeySetUnavailable, w.proof(t, tokentest.EC().Token(claims(nil))).Reason)
				require.Equal(t, began, realClock(), "no request waits for a fetch")
				time.Sleep(5*time.Second + time.Millisecond)
				require.Equal(t, uint64(1), keys.Stats().Refreshes[token.RefreshTimeout])
			})
		})
	}
}

func TestFileIsReadAgain(t *testing.T) {
	old, next := tokentest.Fresh("ES256", "key-1"), tokentest.Fresh("ES256", "key-2")
	path := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(path, tokentest.JWKS(old), 0o600))
	synctest.Test(t, func(t *testing.T) {
		keys, err := token.NewKeySet(token.KeySetOptions{
			Issuer: issuerName, File: path, Algorithms: []string{"ES256"}, Refresh: refresh, MaxStale: maxStale, Now: realClock,
		})
		require.NoError(t, err)
		w := newWorld(t, issuerWith(keys, "ES256"))
		require.Equal(t, policy.Permitted(), w.proof(t, old.Token(claims(nil))), "before Run")
		start(t, keys)
		require.NoError(t, os.WriteFile(path, tokentest.JWKS(next), 0o600))
		time.Sleep(refresh)
		require.Equal(t, policy.Permitted(), w.proof(t, next.Token(claims(nil))))
		require.Equal(t, policy.Denied(policy.KeyRetired, ""), w.proof(t, old.Token(claims(nil))))
		require.NoError(t, os.Remove(path))
		time.Sleep(2 * refresh)
		require.Equal(t, policy.Permitted(), w.proof(t, next.Token(claims(nil))))
		require.ErrorContains(t, keys.Stats().LastError, path)
		require.NotZero(t, keys.Stats().Refreshes[token.RefreshUnreachable])
	})
}

func TestRunEndsDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := keySet(t, answers(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		stop := start(t, keys)
		synctest.Wait()
		require.ErrorContains(t, keys.Run(t.Context()), "runs already")
		stop()
		assert.Empty(t, keys.Stats().Refreshes, "the end of the process is no failure of the issuer")
	})
}

func TestRefreshKeepsToItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &idp{keys: []*tokentest.Signer{tokentest.EC()}}
		start(t, keySet(t, issuer))
		time.Sleep(100*refresh + time.Second)
		fetches := issuer.fetches.Load()
		assert.GreaterOrEqual(t, fetches, int64(101))
		assert.LessOrEqual(t, fetches, int64(112), "jitter takes a tenth at most")
	})
}

func TestRefreshReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &idp{}
		i.serve()
		keys := keySet(t, i)
		result, err := keys.Refresh(t.Context())
		require.Error(t, err)
		assert.Equal(t, token.RefreshUnreachable, result)
		assert.False(t, keys.Ready())
		i.serve(tokentest.EC())
		result, err = keys.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, token.RefreshOK, result)
		assert.True(t, keys.Ready())
		assert.EqualValues(t, 2, i.fetches.Load())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- keys.Run(ctx) }()
		synctest.Wait()
		_, err = keys.Refresh(t.Context())
		require.ErrorContains(t, err, "runs already")
		cancel()
		require.NoError(t, <-done)
	})
}
