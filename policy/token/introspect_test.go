package token_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestOpaqueTokenProvesItselfByItsIssuer(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	d.say("idp.example.net", "opaque-1", opaque(epoch, nil))
	r := bearer("opaque-1")
	w.allPermit(t, r)
	want := policy.Token{
		ID: "id-1", Audience: []string{audience}, Expires: epoch.Add(time.Hour), IssuedAt: epoch.Add(-time.Minute),
		Claimed: policy.Identity{
			Issuer: issuerName, Client: "client-1", Principal: "principal-1", Accounts: []string{"acct-1"}, Scopes: []string{"read", "write"},
		},
		Missing: []string{"nbf"}, Introspected: true, Handle: true, TokenType: "Bearer", Fingerprint: r.Auth.Token.Fingerprint,
	}
	assert.Equal(t, want, *r.Auth.Token)
	assert.NotZero(t, want.Fingerprint)
	assert.Equal(t, new(policy.Permitted()), r.Auth.Active)
	again := w.authenticate(t, bearer("opaque-1"))
	assert.Same(t, r.Auth.Token, again.Token, "the second use is a hit")
	assert.Len(t, d.questions(), 1)
	assert.Equal(t, []token.IntrospectionStats{{Issuer: issuerName, Results: w.stage.IntrospectionStats()[0].Results, Hits: 1, Misses: 1}}, w.stage.IntrospectionStats())
	assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionActive: 1}, w.results(t))
	assert.Empty(t, w.stage.CacheStats(), "the issuer has no JWTs")
}

func TestIntrospectionRequest(t *testing.T) {
	for _, row := range []struct{ name, auth string }{{"by default", ""}, {"basic", token.ClientSecretBasic}, {"post", token.ClientSecretPost}} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk()
			i := opaqueIssuer(d)
			i.Introspection.Auth = row.auth
			askingWorld(t, i).authenticate(t, bearer("a/b+c=="))
			require.Len(t, d.questions(), 1)
			q := d.questions()[0]
			assert.Equal(t, "POST", q.method)
			assert.Equal(t, "a/b+c==", q.token)
			assert.Equal(t, []string{"access_token"}, q.form["token_type_hint"])
			assert.Equal(t, "application/json", q.header.Get("Accept"))
			assert.Equal(t, "application/x-www-form-urlencoded", q.header.Get("Content-Type"))
			if row.auth == token.ClientSecretPost {
				assert.Equal(t, []string{"sidewarden"}, q.form["client_id"])
				assert.Equal(t, []string{"s e&cret"}, q.form["client_secret"])
				assert.Empty(t, q.header.Get("Authorization"))
				return
			}
			assert.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("sidewarden:s+e%26cret")), q.header.Get("Authorization"), "RFC 6749, 2.3.1")
			assert.NotContains(t, q.form, "client_secret")
		})
	}
}

// TestIntrospectedFactsAreJudgedLikeAnyOther: an active token is not a good one.
func TestIntrospectedFactsAreJudgedLikeAnyOther(t *testing.T) {
	for _, row := range []struct {
		name    string
		change  map[string]any
		control policy.Control
		reason  policy.Reason
	}{
		{"no audience", map[string]any{"aud": nil}, policy.TokAud, policy.AudienceMissing},
		{"another audience", map[string]any{"aud": []string{"https://other.example.net"}}, policy.TokAud, policy.TokenAudience},
		{"expired", map[string]any{"exp": epoch.Add(-skew).Unix()}, policy.TokTime, policy.TokenExpired},
		{"not yet valid", map[string]any{"nbf": epoch.Add(2 * skew).Unix()}, policy.TokTime, policy.TokenNotYetValid},
		{"no issue time", map[string]any{"iat": nil}, policy.TokTTL, policy.TokenIssuedAtMissing},
		{"too long", map[string]any{"exp": epoch.Add(maxTTL + time.Hour).Unix()}, policy.TokTTL, policy.TokenLifetime},
		{"another type", map[string]any{"token_type": "refresh_token"}, policy.TokTyp, policy.TokenType},
		{"no type", map[string]any{"token_type": nil}, policy.TokTyp, policy.TokenType},
		{"bound to a key that is not told", map[string]any{"token_type": "DPoP"}, policy.TokBind, policy.ConfirmationUnsupported},
		{"bound to a key that is not told, in other letters", map[string]any{"token_type": "dpop", "cnf": map[string]any{"x5t#S256": strings.Repeat("A", 43)}}, policy.TokBind, policy.ConfirmationUnsupported},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk()
			w := askingWorld(t, opaqueIssuer(d))
			d.say("idp.example.net", "opaque-1", opaque(epoch, row.change))
			w.onlyDenied(t, bearer("opaque-1"), row.control, row.reason)
			w.onlyDenied(t, bearer("opaque-1"), row.control, row.reason)
		})
	}
	for _, row := range []struct {
		name  string
		said  any
		types []string
	}{
		{"in other letters", "bEARER", []string{"Bearer"}}, {"none is allowed", nil, []string{"Bearer", "none"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk()
			i := opaqueIssuer(d)
			i.Introspection.Types = row.types
			d.say("idp.example.net", "opaque-1", opaque(epoch, map[string]any{"token_type": row.said}))
			askingWorld(t, i).allPermit(t, bearer("opaque-1"))
		})
	}
}

func TestInactiveTokenIsNotProven(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	r := bearer("never-seen")
	w.onlyDenied(t, r, policy.TokSig, policy.TokenInactive)
	assert.Equal(t, issuerName, r.Auth.Token.Claimed.Issuer)
	w.onlyDenied(t, bearer("never-seen"), policy.TokSig, policy.TokenInactive)
	assert.Len(t, d.questions(), 1, "that it is not is remembered, too")
	d.say("idp.example.net", "never-seen", opaque(epoch, nil))
	w.onlyDenied(t, at(epoch.Add(5*time.Second-1), "never-seen"), policy.TokSig, policy.TokenInactive)
	w.allPermit(t, at(epoch.Add(5*time.Second), "never-seen"))
}

// TestAnswersThatProveNothing has answers that leave the token undecided, or denied
// because the issuer speaks of another one's token.
func TestAnswersThatProveNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer answers
		reason policy.Reason
		detail token.IntrospectionResult
		effect policy.Effect
	}{
		{"another issuer", text(`{"active":true,"iss":"https://idp.example.net/"}`), policy.IntrospectionIssuer, "", policy.Deny},
		{"issuer is null", text(`{"active":true,"iss":null}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"active is a string", text(`{"active":"true"}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"active is a number", text(`{"active":1}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"active is null", text(`{"active":null}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"active in other letters", text(`{"Active":true}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"active twice", text(`{"active":false,"active":true}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"an array", text(`[{"active":true}]`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"two objects", text(`{"active":true}{"active":true}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"nothing", text(``), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"deep", text(`{"active":true,"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"a claim of a wrong type", text(`{"active":true,"exp":"soon"}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"token_type of a wrong type", text(`{"active":true,"token_type":["Bearer"]}`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"too large", text(`{"active":true,"x":"` + strings.Repeat("x", 64<<10) + `"}`), policy.IntrospectionUnavailable, token.IntrospectionTooLarge, policy.Indeterminate},
		{"a form", text(`active=true`), policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
		{"created", status(http.StatusCreated), policy.IntrospectionUnavailable, token.IntrospectionRefused, policy.Indeterminate},
		{"bad request", status(http.StatusBadRequest), policy.IntrospectionUnavailable, token.IntrospectionRefused, policy.Indeterminate},
		{"unauthorized", status(http.StatusUnauthorized), policy.IntrospectionUnavailable, token.IntrospectionUnauthorized, policy.Indeterminate},
		{"forbidden", status(http.StatusForbidden), policy.IntrospectionUnavailable, token.IntrospectionUnauthorized, policy.Indeterminate},
		{"too many", status(http.StatusTooManyRequests), policy.IntrospectionUnavailable, token.IntrospectionStatus, policy.Indeterminate},
		{"broken", status(http.StatusInternalServerError), policy.IntrospectionUnavailable, token.IntrospectionStatus, policy.Indeterminate},
		{"away", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }, policy.IntrospectionUnavailable, token.IntrospectionUnreachable, policy.Indeterminate},
		{"breaks off", func(*http.Request) (*http.Response, error) {
			return document(http.StatusOK, io.MultiReader(strings.NewReader(`{"active":true`), broken{})), nil
		}, policy.IntrospectionUnavailable, token.IntrospectionUnreachable, policy.Indeterminate},
		{"panics", func(*http.Request) (*http.Response, error) { panic("a secret") }, policy.IntrospectionUnavailable, token.IntrospectionMalformed, policy.Indeterminate},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk()
			w := askingWorld(t, opaqueIssuer(d))
			d.replace(row.answer)
			r := bearer("opaque-secret")
			all := w.verdicts(t, r)
			got := all[policy.TokSig]
			assert.Equal(t, row.effect, got.Effect)
			assert.Equal(t, row.reason, got.Reason)
			assert.Equal(t, string(row.detail), got.Detail)
			assert.Empty(t, got.Cause)
			assert.Equal(t, policy.UndecidedBy(policy.TokSig), all[policy.TokRevoked])
			if row.effect == policy.Indeterminate {
				require.Error(t, got.Err)
				assert.NotContains(t, got.Err.Error(), "secret", "an error repeats a value")
				assert.Equal(t, map[token.IntrospectionResult]uint64{row.detail: 1}, w.results(t))
			} else {
				assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionForeign: 1}, w.results(t))
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestRedirectsOfTheEndpoint(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere++
		_, _ = w.Write([]byte(`{"active":true}`))
	}))
	defer other.Close()
	for _, row := range []struct {
		name, to string
		code     int
		want     policy.Effect
	}{
		{"to another host", other.URL, http.StatusTemporaryRedirect, policy.Indeterminate},
		{"with another method", "/there", http.StatusFound, policy.Indeterminate},
		{"on the host", "/there", http.StatusPermanentRedirect, policy.Permit},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					if r.PostFormValue("token") == "opaque-1" {
						_, _ = w.Write([]byte(`{"active":true}`))
					}
					return
				}
				http.Redirect(w, r, row.to, row.code)
			}))
			defer server.Close()
			i := opaqueIssuer(newDesk())
			i.Introspection.URL, i.Introspection.Client = server.URL, nil
			w := askingWorld(t, i)
			got := w.authenticate(t, bearer("opaque-1")).Proof
			assert.Equal(t, row.want, got.Effect)
			if row.want != policy.Permit {
				assert.Equal(t, "redirect", got.Detail)
			}
		})
	}
	assert.Zero(t, elsewhere)
}

func TestFormOfOpaqueTokens(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	for _, row := range []struct {
		name, token string
		reason      policy.Reason
	}{
		{"a space in it", "a b", policy.TokenMalformed},
		{"a quote", `a"b`, policy.TokenMalformed},
		{"padding inside", "a=b", policy.TokenMalformed},
		{"padding alone", "==", policy.TokenMalformed},
		{"not ASCII", "törn", policy.TokenMalformed},
		{"a line break", "a\nb", policy.TokenMalformed},
		{"too long", strings.Repeat("a", 4097), policy.TokenOversize},
	} {
		t.Run(row.name, func(t *testing.T) { w.onlyDenied(t, bearer(row.token), policy.TokSig, row.reason) })
	}
	assert.Empty(t, d.questions(), "nobody is asked about what is no token")
	for _, sent := range []string{"a", "-._~+/==", strings.Repeat("a", 4096), "one.two.three", "v1.a.b.c", "...", "e30.e30", "W10.W10.c2ln"} {
		before := len(d.questions())
		w.onlyDenied(t, bearer(sent), policy.TokSig, policy.TokenInactive)
		require.Len(t, d.questions(), before+1)
		assert.Equal(t, sent, d.questions()[before].token)
	}
	strict := standardWorld(t)
	v := strict.onlyDenied(t, bearer("opaque-1"), policy.TokSig, policy.TokenMalformed)
	assert.Equal(t, "segments", v.Detail, "no issuer has opaque tokens")
}

// TestThreatTokenGoesToItsIssuerAlone: which issuer is asked is decided by the JWT's
// iss, or by the prefix, and no other sees the token.
func TestThreatTokenGoesToItsIssuerAlone(t *testing.T) {
	d := newDesk()
	signed := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	one, two, rest := opaqueIssuer(d), opaqueIssuer(d), opaqueIssuer(d)
	one.Issuer, one.Introspection = "https://one", introspection(d, "one")
	two.Issuer, two.Introspection = "https://two", introspection(d, "two")
	rest.Issuer, rest.Introspection = "https://rest", introspection(d, "rest")
	one.Introspection.Prefix, two.Introspection.Prefix = "one_", "two_"
	w := askingWorld(t, rest, signed, one, two)
	prefixed := askingWorld(t, one, two)
	jwt := func(iss string) string { return tokentest.EC().Token(claims(map[string]any{"iss": iss})) }
	for _, row := range []struct {
		name, token, host string
		w                 world
		control           policy.Control
		reason            policy.Reason
	}{
		{"prefix of one", "one_x", "one", w, policy.TokSig, policy.TokenInactive},
		{"prefix of two", "two_x", "two", w, policy.TokSig, policy.TokenInactive},
		{"prefix and dots", "two_a.b.c", "two", w, policy.TokSig, policy.TokenInactive},
		{"no prefix", "One_x", "rest", w, policy.TokSig, policy.TokenInactive},
		{"no prefix where all have one", "x", "", prefixed, policy.TokIss, policy.IssuerUnknown},
		{"a JWT that names an opaque issuer", jwt("https://one"), "one", w, policy.TokSig, policy.TokenInactive},
		{"a JWT of a stranger", jwt("https://stranger"), "", w, policy.TokIss, policy.IssuerUnknown},
		{"a JWT of nobody", jwt(""), "", w, policy.TokIss, policy.IssuerMissing},
		{"a JWT with a bad signature", tokentest.EC().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}), "", w, policy.TokSig, policy.TokenSignature},
		{"a JWT with a broken header", tokentest.EC().Mint(tokentest.Spec{HeaderJSON: `{"alg":"ES256","alg":"none"}`, Claims: claims(nil)}), "", w, policy.TokSig, policy.TokenMalformed},
		{"a JWT with spaces before its header", tokentest.EC().Mint(tokentest.Spec{HeaderJSON: ` {"alg":"none"}`, Claims: claims(nil)}), "", w, policy.TokSig, policy.TokenAlg},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := len(d.questions())
			row.w.onlyDenied(t, bearer(row.token), row.control, row.reason)
			var hosts []string
			for _, q := range d.questions()[before:] {
				hosts = append(hosts, q.host)
			}
			if row.host == "" {
				assert.Empty(t, hosts)
				return
			}
			assert.Equal(t, []string{row.host}, hosts)
		})
	}
	before := len(d.questions())
	require.Equal(t, policy.Permitted(), w.authenticate(t, bearer(tokentest.EC().Token(claims(nil)))).Proof)
	assert.Len(t, d.questions(), before, "a JWT that proves itself needs nobody's word")
}

// TestThreatSameValueOfTwoIssuers: whatever both issuers say of the same value, each
// token is what its own issuer says.
func TestThreatSameValueOfTwoIssuers(t *testing.T) {
	d := newDesk()
	one, two := opaqueIssuer(d), opaqueIssuer(d)
	one.Issuer, one.Introspection = "https://one", introspection(d, "one")
	two.Issuer, two.Introspection = "https://two", introspection(d, "two")
	two.Introspection.Prefix = "two_"
	w := askingWorld(t, one, two)
	jwt := func(iss string) string { return tokentest.EC().Token(claims(map[string]any{"iss": iss})) }
	for host, client := range map[string]string{"one": "client-of-one", "two": "client-of-two"} {
		for _, sent := range []string{"two_x", "x", jwt("https://one"), jwt("https://two")} {
			d.say(host, sent, opaque(epoch, map[string]any{"iss": "https://" + host, "client_id": client}))
		}
	}
	for range 2 {
		assert.Equal(t, "client-of-two", w.authenticate(t, bearer("two_x")).Identity.Client)
		assert.Equal(t, "client-of-one", w.authenticate(t, bearer("x")).Identity.Client)
	}
	// What one issuer says of a token counts for no other one's.
	d.say("one", "y", opaque(epoch, map[string]any{"iss": "https://two"}))
	w.onlyDenied(t, bearer("y"), policy.TokSig, policy.IntrospectionIssuer)
}

// TestThreatScopesOfTheSecondCall: the answer is remembered, and with it what it says
// of scopes and nothing of verdicts (CVE-2021-32701).
func TestThreatScopesOfTheSecondCall(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	d.say("idp.example.net", "opaque-1", opaque(epoch, map[string]any{"scope": "a"}))
	for range 2 {
		assert.Equal(t, []string{"a"}, w.authenticate(t, bearer("opaque-1")).Identity.Scopes)
	}
	late := at(epoch.Add(29*time.Second), "opaque-1")
	w.allPermit(t, late)
	other := at(epoch, "opaque-1")
	other.Auth = w.authenticate(t, other)
	strict := opaqueIssuer(d)
	strict.Audiences = []string{"https://other.example.net"}
	assert.Equal(t, policy.TokenAudience, token.NewAud([]token.Issuer{strict}).Check(t.Context(), other).Reason)
}

func TestOfflineAsksNobody(t *testing.T) {
	d := newDesk()
	w := askingWorldWith(t, token.Options{Offline: true}, opaqueIssuer(d))
	got := w.authenticate(t, bearer("opaque-1")).Proof
	assert.Equal(t, policy.Indeterminate, got.Effect)
	assert.Equal(t, policy.IntrospectionUnavailable, got.Reason)
	assert.Equal(t, "offline", got.Detail)
	assert.Empty(t, d.questions())
}

func TestARequestThatEndsDoesNotWait(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	landed := make(chan struct{})
	d.replace(func(r *http.Request) (*http.Response, error) {
		<-landed
		return document(http.StatusOK, bytes.NewReader([]byte(`{"active":true}`))), r.Context().Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := w.stage.Authenticate(ctx, bearer("opaque-1")).Proof
	assert.Equal(t, policy.IntrospectionUnavailable, got.Reason)
	assert.Equal(t, "wait", got.Detail)
	close(landed)
	require.Equal(t, policy.Permitted(), w.authenticate(t, bearer("opaque-1")).Proof, "the question went on without it")
	assert.Len(t, d.questions(), 1)
}
