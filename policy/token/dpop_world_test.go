package token_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

const (
	publicURL = "https://api.example.net/base"
	path      = "/orders/o%2F1"
	wholeURL  = publicURL + path
	maxAge    = 60 * time.Second
)

// ledger remembers proofs as the tests of the stage need it: by key, with the time
// until which each is kept.
type ledger struct {
	mu    sync.Mutex
	most  int
	until map[string]time.Time
}

var errFull = fmt.Errorf("the ledger: %w", token.ErrOnceFull)

func newLedger(most int) *ledger { return &ledger{most: most, until: map[string]time.Time{}} }

// Use implements token.Once.
func (l *ledger) Use(ctx context.Context, now time.Time, key string, until time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if end, known := l.until[key]; known && end.After(now) {
		return false, nil
	}
	if len(l.until) >= l.most {
		return false, errFull
	}
	l.until[key] = until
	return true, nil
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.until)
}

// proving is a world that takes proofs, and the client that makes them.
type proving struct {
	world
	used   *ledger
	client *tokentest.Signer
	token  string // bound to the client
}

func proofs(change func(*token.DPoP)) *token.DPoP {
	o := &token.DPoP{
		PublicURL: publicURL, Algorithms: token.Algorithms(), MaxAge: maxAge, Skew: skew, Used: newLedger(100),
	}
	if change != nil {
		change(o)
	}
	return o
}

// newProving returns a world with one issuer; client is the key of proofs.
func newProving(t testing.TB, client *tokentest.Signer, change func(*token.DPoP)) proving {
	t.Helper()
	o := proofs(change)
	document := tokentest.JWKS(tokentest.RSA(), tokentest.EC())
	issuer := issuerWith(fileSet(t, issuerName, document, "RS256", "ES256"), "RS256", "ES256")
	w := newWorld(t, issuer)
	stage, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: []token.Issuer{issuer}, DPoP: o})
	require.NoError(t, err)
	w.stage = stage
	used, _ := o.Used.(*ledger) // nil with another store
	return proving{world: w, used: used, client: client, token: bound(client, nil)}
}

// bound returns a token that is bound to the key of a client.
func bound(client *tokentest.Signer, change map[string]any) string {
	c := claims(map[string]any{"cnf": map[string]any{"jkt": client.Thumbprint()}})
	for name, value := range change {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return tokentest.RSA().Token(c)
}

// spec is the proof of a good request.
func (w proving) spec(change func(*tokentest.Proof)) tokentest.Proof {
	p := tokentest.Proof{Method: "POST", URL: wholeURL, Token: w.token, Time: epoch}
	if change != nil {
		change(&p)
	}
	return p
}

// with is a request that has a token with the scheme DPoP and proofs.
func with(t string, proofs ...string) *policy.Request {
	r := &policy.Request{Time: epoch, Method: "POST", Path: path, Host: "evil.example", Header: http.Header{"Authorization": {"DPoP " + t}}}
	if proofs != nil {
		r.Header["Dpop"] = proofs
	}
	return r
}

// good is the request with a proof that a change makes worse.
func (w proving) good(change func(*tokentest.Proof)) *policy.Request {
	return with(w.token, w.client.Proof(w.spec(change)))
}
