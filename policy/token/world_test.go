package token_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuerName = "https://idp.example.net"
	audience   = "https://api.example.net"
	skew       = 60 * time.Second
	maxTTL     = 2 * time.Hour
)

// epoch is the time of every request that does not say another one.
var epoch = time.Unix(1_800_000_000, 0).UTC()

func atEpoch() time.Time { return epoch }

// realClock is the clock of a synctest bubble, or of the machine.
func realClock() time.Time {
	return time.Now() //nolint:forbidigo // tests of Run need a clock that moves
}

var pointers = token.Claims{
	Client: "/client_id", Principal: "/sub", Actor: "/act/sub", Accounts: "/account_id", Scopes: "/scope",
}

func issuerWith(keys *token.KeySet, algorithms ...string) token.Issuer {
	return token.Issuer{
		Issuer: issuerName, Keys: keys, Algorithms: algorithms, Types: []string{"at+jwt"},
		Audiences: []string{audience}, Skew: skew, MaxLifetime: maxTTL, Claims: pointers,
	}
}

// fileSet returns a key set that was read from a file.
func fileSet(t testing.TB, issuer string, document []byte, algorithms ...string) *token.KeySet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(path, document, 0o600))
	keys, err := token.NewKeySet(token.KeySetOptions{Issuer: issuer, File: path, Algorithms: algorithms, Now: atEpoch})
	require.NoError(t, err)
	return keys
}

// world is a stage with every check of the package.
type world struct {
	stage  *token.Authenticator
	checks []control
}

type control struct {
	policy.Control
	policy.Check
}

func newWorld(t testing.TB, issuers ...token.Issuer) world {
	t.Helper()
	stage, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: issuers})
	require.NoError(t, err)
	return world{stage, checksFor(issuers)}
}

// checksFor returns the checks of tokens about which nobody is asked.
func checksFor(issuers []token.Issuer) []control {
	return []control{
		{policy.TokPresent, token.Present{}},
		{policy.TokSig, token.Sig{}},
		{policy.TokIss, token.Iss{}},
		{policy.TokTyp, token.NewTyp(issuers)},
		{policy.TokAud, token.NewAud(issuers)},
		{policy.TokTime, token.NewTime(issuers)},
		{policy.TokTTL, token.NewTTL(issuers)},
		{policy.TokBind, token.NewBind(issuers)},
	}
}

// standardWorld knows one issuer with the shared RSA and P-256 keys.
func standardWorld(t testing.TB) world {
	t.Helper()
	document := tokentest.JWKS(tokentest.RSA(), tokentest.EC())
	return newWorld(t, issuerWith(fileSet(t, issuerName, document, "RS256", "ES256"), "RS256", "ES256"))
}

func bearer(t string) *policy.Request {
	return &policy.Request{Time: epoch, Header: http.Header{"Authorization": {"Bearer " + t}}}
}

func (w world) authenticate(t testing.TB, r *policy.Request) policy.Authentication {
	t.Helper()
	a := w.stage.Authenticate(t.Context(), r)
	require.Equal(t, a.Proof.Effect == policy.Permit, a.Identity != nil, "an identity exists exactly when the proof permits")
	return a
}

// verdicts evaluates every check of the package.
func (w world) verdicts(t testing.TB, r *policy.Request) map[policy.Control]policy.Verdict {
	t.Helper()
	r.Auth = w.authenticate(t, r)
	all := make(map[policy.Control]policy.Verdict, len(w.checks))
	for _, c := range w.checks {
		all[c.Control] = c.Check.Check(t.Context(), r)
	}
	return all
}

// onlyDenied requires that control denies with reason and that every other check
// permits or is undecided because of it.
func (w world) onlyDenied(t testing.TB, r *policy.Request, control policy.Control, reason policy.Reason) policy.Verdict {
	t.Helper()
	all := w.verdicts(t, r)
	require.Equal(t, policy.Deny, all[control].Effect, "%s: %+v", control, all[control])
	require.Equal(t, reason, all[control].Reason)
	for c, v := range all {
		if c == control || v.Passes() {
			continue
		}
		require.Equal(t, policy.UndecidedBy(control), v, "%s", c)
	}
	return all[control]
}

func (w world) allPermit(t testing.TB, r *policy.Request) {
	t.Helper()
	for c, v := range w.verdicts(t, r) {
		if c == policy.TokBind && !r.Auth.Token.Confirmation.Bound() {
			require.Equal(t, policy.Inapplicable(), v, "%s", c)
			continue
		}
		require.Equal(t, policy.Permitted(), v, "%s", c)
	}
}

func claims(change map[string]any) map[string]any {
	return tokentest.Claims(issuerName, audience, epoch, change)
}

// answers is a transport that plays the token issuer.
type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func document(status int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1}
}

// start runs a key set until the test, or the returned function, ends it.
func start(t *testing.T, keys *token.KeySet) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- keys.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(t, <-done)
	}
	t.Cleanup(stop)
	return stop
}

// skips counts skip reasons.
func skips(reasons ...token.SkipReason) map[token.SkipReason]int {
	counts := make(map[token.SkipReason]int)
	for _, why := range reasons {
		counts[why]++
	}
	return counts
}
