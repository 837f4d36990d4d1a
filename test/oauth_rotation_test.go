package test_test

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rotation by the book (published, then signing, then alone) while requests go
// on: no valid one is refused, nobody restarts anything, and the key that is gone
// proves nothing after one refresh, not even of tokens that are known.
func TestOAuthServerRotatesKeys(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(trust)
	old := w.get("old", "orders-app", apiResource, "orders:read")
	end := w.load(old)

	require.NoError(t, w.server.command("publish"))
	w.awaitReads(true, 2) // the first one may have begun before
	require.NoError(t, w.server.command("rotate"))
	fresh := w.get("new", "orders-app", apiResource, "orders:read")
	w.get("new-ec", "sites-app", apiResource, "orders:read")
	require.NotEqual(t, headerOf(t, old)["kid"], headerOf(t, fresh)["kid"])
	w.proves("new") // the first time that anybody sees a token of this key
	w.proves("new-ec")
	w.proves("old")
	assert.Greater(t, end(), 20, "valid requests during the rotation")

	end = w.load(fresh)
	require.NoError(t, w.server.command("retire"))
	for _, mode := range w.modes() {
		w.soon(mode, "old", goneKey)
	}
	assert.Positive(t, end())
	w.refuses("tok.sig", goneKey, http.StatusUnauthorized, "GET /v1/sites -t old")
	w.allows("GET /v1/sites -t new")
	w.allows("GET /v1/sites -t new-ec")
}

// A server that signs with a key before anybody could have read it: its tokens
// are permitted after one refresh, and those of the old key all the time.
func TestOAuthServerRotatesKeysUnannounced(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(trust)
	end := w.load(w.get("old", "orders-app", apiResource, "orders:read"))

	require.NoError(t, w.server.command("publish"))
	require.NoError(t, w.server.command("rotate"))
	w.get("new", "orders-app", apiResource, "orders:read")
	for _, mode := range w.modes() {
		w.soon(mode, "new", "")
	}
	w.proves("old")
	assert.Positive(t, end())
	w.allows("GET /v1/sites -t new")
}

// load sends a valid token to both sidecars all the time. The function that it
// returns ends that, requires that every request got through, and returns how many
// there were.
func (w *oauthWorld) load(token string) func() int {
	var sent atomic.Int64
	stop, ended := make(chan struct{}), make(chan error, 1)
	addresses := []string{w.sidecars["shadow"].data, w.sidecars["enforce"].data}
	go func() {
		pause := time.NewTicker(5 * time.Millisecond)
		defer pause.Stop()
		for {
			for _, address := range addresses {
				if err := getSites(address, token); err != nil {
					ended <- fmt.Errorf("after %d requests: %w", sent.Load(), err)
					return
				}
				sent.Add(1)
			}
			select {
			case <-stop:
				ended <- nil
				return
			case <-pause.C:
			}
		}
	}()
	return func() int {
		w.t.Helper()
		close(stop)
		require.NoError(w.t, <-ended)
		return int(sent.Load())
	}
}

// getSites sends one request and asks that it is answered.
func getSites(address, token string) error {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/sites", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("a valid token is answered with %s", resp.Status)
	}
	return err
}
