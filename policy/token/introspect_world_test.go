package token_test

import (
	"bytes"
	stdjson "encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// desk is a transport that plays the introspection endpoints of issuers.
type desk struct {
	mu sync.Mutex
	// says is what is answered about a token, by the host that is asked and the token:
	// members of the answer. A token that is not here is not active.
	says map[string]map[string]any
	// instead answers in place of says; nil does not.
	instead answers
	asked   []asked
}

// asked is one question that came.
type asked struct {
	method, host, token string
	header              http.Header
	form                map[string][]string
}

func newDesk() *desk { return &desk{says: map[string]map[string]any{}} }

// say says what the issuer behind host answers about a token from now on; nothing
// means that it is not active.
func (d *desk) say(host, sent string, members map[string]any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.says[host+" "+sent] = members
}

func (d *desk) replace(with answers) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.instead = with
}

// questions returns what was asked so far.
func (d *desk) questions() []asked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]asked(nil), d.asked...)
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.asked = append(d.asked, asked{r.Method, r.URL.Host, r.PostForm.Get("token"), r.Header, r.PostForm})
	instead, members := d.instead, d.says[r.URL.Host+" "+r.PostForm.Get("token")]
	d.mu.Unlock()
	if instead != nil {
		return instead(r)
	}
	if members == nil {
		members = map[string]any{"active": false}
	}
	body, err := stdjson.Marshal(members)
	if err != nil {
		return nil, err
	}
	return document(http.StatusOK, bytes.NewReader(body)), nil
}

// opaque returns the answer about a good opaque token at a time, with changes; nil
// removes a member.
func opaque(at time.Time, change map[string]any) map[string]any {
	members := map[string]any{
		"active": true, "iss": issuerName, "aud": audience, "sub": "principal-1", "client_id": "client-1", "scope": "read write",
		"account_id": "acct-1", "token_type": "Bearer", "jti": "id-1", "iat": at.Add(-time.Minute).Unix(), "exp": at.Add(time.Hour).Unix(),
		"username": "somebody",
	}
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return members
}

// introspection is that of an issuer whose endpoint is played by d at host.
func introspection(d *desk, host string) *token.Introspection {
	return &token.Introspection{
		URL: "https://" + host + "/introspect", ClientID: "sidewarden", ClientSecret: "s e&cret", Opaque: true,
		Types: []string{"Bearer", "DPoP"}, Client: &http.Client{Transport: d},
	}
}

// opaqueIssuer is the issuer of opaque tokens alone.
func opaqueIssuer(d *desk) token.Issuer {
	return token.Issuer{
		Issuer: issuerName, Audiences: []string{audience}, Skew: skew, MaxLifetime: maxTTL, Claims: pointers, Introspection: introspection(d, "idp.example.net"),
	}
}

// patience is longer than any answer takes that comes.
const patience = 10 * time.Second

func askingWorld(t testing.TB, issuers ...token.Issuer) world {
	t.Helper()
	return askingWorldWith(t, token.Options{DecisionTimeout: patience}, issuers...)
}

func askingWorldWith(t testing.TB, o token.Options, issuers ...token.Issuer) world {
	t.Helper()
	w := newWorldOf(t, o, issuers...)
	w.checks = append(w.checks, control{policy.TokRevoked, token.Revoked{}})
	return w
}

func newWorldOf(t testing.TB, o token.Options, issuers ...token.Issuer) world {
	t.Helper()
	o.Scheme, o.Issuers = "Bearer", issuers
	stage, err := token.NewAuthenticator(o)
	require.NoError(t, err)
	return world{stage, checksFor(issuers)}
}

// at is a request with a token at a time.
func at(when time.Time, sent string) *policy.Request {
	r := bearer(sent)
	r.Time = when
	return r
}

// results returns the questions of the only issuer by how they ended, without those
// that did not happen.
func (w world) results(t testing.TB) map[token.IntrospectionResult]uint64 {
	t.Helper()
	stats := w.stage.IntrospectionStats()
	require.Len(t, stats, 1)
	require.Len(t, stats[0].Results, len(token.IntrospectionResults()), "every result has a count")
	for result, n := range stats[0].Results {
		if n == 0 {
			delete(stats[0].Results, result)
		}
	}
	return stats[0].Results
}

func text(body string) answers {
	return func(*http.Request) (*http.Response, error) {
		return document(http.StatusOK, strings.NewReader(body)), nil
	}
}

func status(code int) answers {
	return func(*http.Request) (*http.Response, error) { return document(code, strings.NewReader("")), nil }
}
