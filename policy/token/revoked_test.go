package token_test

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func away(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }

func TestRevoked(t *testing.T) {
	request := func(change func(*policy.Authentication)) *policy.Request {
		r := bearer("opaque-1")
		r.Auth = policy.Authentication{Proof: policy.Permitted(), Token: &policy.Token{}}
		r.Auth.Identity = &r.Auth.Token.Claimed
		change(&r.Auth)
		return r
	}
	cause := errors.New("no answer")
	rows := []struct {
		name   string
		change func(*policy.Authentication)
		want   policy.Verdict
	}{
		{"nobody was asked", func(*policy.Authentication) {}, policy.Inapplicable()},
		{"active", func(a *policy.Authentication) { a.Active = new(policy.Permitted()) }, policy.Permitted()},
		{"revoked", func(a *policy.Authentication) { a.Token.Revoked = true }, policy.Denied(policy.TokenRevoked, "")},
		{"revoked, whatever else was said", func(a *policy.Authentication) { a.Token.Revoked, a.Active = true, new(policy.Permitted()) }, policy.Denied(policy.TokenRevoked, "")},
		{"not told", func(a *policy.Authentication) {
			a.Active = new(policy.Undecided(policy.IntrospectionUnavailable, cause))
		}, policy.Undecided(policy.IntrospectionUnavailable, cause)},
		{"busy", func(a *policy.Authentication) { a.Active = new(policy.Undecided(policy.IntrospectionBusy, nil)) }, policy.Undecided(policy.IntrospectionBusy, nil)},
		{"not proven", func(a *policy.Authentication) {
			*a = policy.Authentication{Proof: policy.Denied(policy.TokenInactive, "")}
		}, policy.UndecidedBy(policy.TokSig)},
		{"no token", func(a *policy.Authentication) { a.Token = nil }, policy.UndecidedBy(policy.TokSig)},
	}
	var all []*policy.Request
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, token.Revoked{}.Check(t.Context(), request(row.change)))
		})
		all = append(all, request(row.change))
	}
	policytest.Run(t, token.Revoked{}, all...)
}

// bubble runs a test on a clock of its own; w asks an issuer with opaque tokens.
func bubble(t *testing.T, test func(t *testing.T, d *desk, w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		test(t, d, askingWorldWith(t, token.Options{}, opaqueIssuer(d)))
	})
}

func TestAnswersLiveAsLongAsTheyMay(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk, w world) {
		d.say("idp.example.net", "long", opaque(realClock(), nil))
		d.say("idp.example.net", "short", opaque(realClock(), map[string]any{"exp": realClock().Add(10 * time.Second).Unix()}))
		asks := func(sent string, want int) {
			t.Helper()
			before := len(d.questions())
			w.authenticate(t, at(realClock(), sent))
			synctest.Wait()
			assert.Len(t, d.questions(), before+want, sent)
		}
		asks("long", 1)
		asks("short", 1)
		time.Sleep(10*time.Second - 1)
		asks("short", 0)
		time.Sleep(time.Nanosecond)
		asks("short", 1)
		time.Sleep(20*time.Second - 1)
		asks("long", 0)
		time.Sleep(time.Nanosecond)
		asks("long", 1)
		asks("long", 0)
	})
}

// TestThreatRevokedWithinTheTTL: a token that is revoked at its issuer is refused
// within the time that an answer lives, and it is said why.
func TestThreatRevokedWithinTheTTL(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk, w world) {
		begin := realClock()
		d.say("idp.example.net", "opaque-1", opaque(begin, nil))
		w.allPermit(t, at(begin, "opaque-1"))
		d.say("idp.example.net", "opaque-1", nil)
		time.Sleep(token.DefaultIntrospectionTTL)
		r := at(realClock(), "opaque-1")
		w.onlyDenied(t, r, policy.TokRevoked, policy.TokenRevoked)
		assert.Nil(t, r.Auth.Identity, "its issuer alone proved it: in whatever mode tok.revoked is, it is nobody's any more")
		assert.Equal(t, "client-1", r.Auth.Token.Claimed.Client, "and it is known whose it was")
		w.onlyDenied(t, at(realClock(), "opaque-1"), policy.TokRevoked, policy.TokenRevoked)
		assert.Len(t, d.questions(), 2, "that it is revoked is remembered")
		d.replace(away)
		time.Sleep(5 * time.Second)
		assert.Equal(t, policy.IntrospectionUnavailable, w.verdicts(t, at(realClock(), "opaque-1"))[policy.TokSig].Reason, "and no longer than the issuer is asked again")
		d.replace(nil)
		time.Sleep(time.Second)
		w.onlyDenied(t, at(realClock(), "opaque-1"), policy.TokRevoked, policy.TokenRevoked)
		time.Sleep(begin.Add(time.Hour).Sub(realClock()))
		w.onlyDenied(t, at(realClock(), "opaque-1"), policy.TokSig, policy.TokenInactive)
		d.say("idp.example.net", "opaque-1", opaque(realClock(), nil))
		time.Sleep(5 * time.Second)
		w.allPermit(t, at(realClock(), "opaque-1"))
	})
}

func TestThreatEndpointThatFails(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk, w world) {
		sig := func(sent string) policy.Verdict { return w.verdicts(t, at(realClock(), sent))[policy.TokSig] }
		d.say("idp.example.net", "known", opaque(realClock(), nil))
		d.say("idp.example.net", "new", opaque(realClock(), nil))
		require.Equal(t, policy.Permitted(), sig("known"))
		d.replace(away)
		time.Sleep(time.Second)
		require.Equal(t, string(token.IntrospectionUnreachable), sig("new").Detail)
		require.Equal(t, policy.Permitted(), sig("known"), "until its time is over")
		for i := range 100 {
			v := sig("other-" + strconv.Itoa(i))
			require.Equal(t, policy.Indeterminate, v.Effect)
			require.Equal(t, policy.IntrospectionUnavailable, v.Reason)
			require.Equal(t, "paused", v.Detail)
		}
		assert.Len(t, d.questions(), 2, "an endpoint that fails is asked once a second")
		time.Sleep(time.Second)
		require.Equal(t, "unreachable", sig("new").Detail)
		require.Equal(t, "paused", sig("other").Detail)
		assert.Len(t, d.questions(), 3)
		time.Sleep(28 * time.Second)
		require.Equal(t, "unreachable", sig("known").Detail, "its time is over")
		d.replace(nil)
		require.Equal(t, "paused", sig("known").Detail)
		time.Sleep(time.Second)
		require.Equal(t, policy.Permitted(), sig("known"))
		require.Equal(t, policy.Permitted(), sig("new"), "it works again, for everybody")
		assert.Equal(t, map[token.IntrospectionResult]uint64{
			token.IntrospectionActive: 3, token.IntrospectionUnreachable: 3, token.IntrospectionPaused: 102,
		}, w.results(t))
	})
}

// TestThreatOneTokenStopsNoOther: what a client's own token can make an issuer answer
// does not count as a failure of the endpoint.
func TestThreatOneTokenStopsNoOther(t *testing.T) {
	for name, answer := range map[string]answers{
		"malformed": text(`{"active":true,"exp":"x"}`), "refused": status(http.StatusBadRequest), "too-large": text(`{"x":"` + string(make([]byte, 64<<10)) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *desk, w world) {
				d.say("idp.example.net", "good", opaque(realClock(), nil))
				d.replace(answer)
				for range 3 {
					v := w.verdicts(t, at(realClock(), "odd"))[policy.TokSig]
					require.Equal(t, name, v.Detail)
					require.Error(t, v.Err)
				}
				assert.Len(t, d.questions(), 1, "the answer is remembered, too")
				d.replace(nil)
				w.allPermit(t, at(realClock(), "good"))
			})
		})
	}
}

// TestThreatParallelFirstUses: 200 first uses of a token at once are one question.
func TestThreatParallelFirstUses(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	release := make(chan struct{})
	members := `{"active":true,"iss":"` + issuerName + `","client_id":"client-1"}`
	d.replace(func(r *http.Request) (*http.Response, error) {
		<-release
		return text(members)(r)
	})
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			assert.Equal(t, policy.Permitted(), w.stage.Authenticate(t.Context(), bearer("opaque-1")).Proof)
		})
	}
	require.Eventually(t, func() bool { return len(d.questions()) == 1 }, patience, time.Millisecond)
	close(release)
	all.Wait()
	assert.Len(t, d.questions(), 1)
	assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionActive: 1}, w.results(t))
}

func TestRequestsWaitForTheTimeOfADecision(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk, w world) {
		d.replace(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return text(`{"active":true}`)(r)
		})
		begin := realClock()
		v := w.authenticate(t, at(begin, "opaque-1")).Proof
		assert.Equal(t, token.DefaultDecisionTimeout, realClock().Sub(begin))
		assert.Equal(t, policy.IntrospectionUnavailable, v.Reason)
		assert.Equal(t, "wait", v.Detail)
		time.Sleep(time.Second)
		assert.Equal(t, policy.Permitted(), w.authenticate(t, at(realClock(), "opaque-1")).Proof, "the next one finds the answer")
		assert.Len(t, d.questions(), 1)
	})
}

func TestQuestionsEndByTheirTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk, w world) {
		d.replace(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		for i := range 100 {
			want := policy.IntrospectionUnavailable
			if i >= 64 {
				want = policy.IntrospectionBusy
			}
			w := w
			go func() {
				assert.Equal(t, want, w.stage.Authenticate(t.Context(), at(realClock(), "opaque-"+strconv.Itoa(i))).Proof.Reason)
			}()
			synctest.Wait()
		}
		assert.Len(t, d.questions(), 64)
		time.Sleep(token.DefaultIntrospectionTimeout)
		synctest.Wait()
		assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionTimeout: 64, token.IntrospectionBusy: 36}, w.results(t))
	})
}

func TestMadeUpTokensDriveOutNoneThatProvedItself(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, opaqueIssuer(d))
	d.say("idp.example.net", "opaque-1", opaque(epoch, nil))
	w.allPermit(t, bearer("opaque-1"))
	padding := string(make([]byte, 0, 4096))
	for len(padding) < 4000 {
		padding += "aaaaaaaaaaaaaaaa"
	}
	for i := range 1000 {
		w.stage.Authenticate(t.Context(), bearer(padding+strconv.Itoa(i)))
	}
	asked := len(d.questions())
	w.allPermit(t, bearer("opaque-1"))
	assert.Len(t, d.questions(), asked)
	w.stage.Authenticate(t.Context(), bearer(padding+"0"))
	assert.Len(t, d.questions(), asked+1, "made-up ones drive out one another")
}

// jwtIssuer signs its tokens and is asked about them.
func jwtIssuer(t testing.TB, d *desk) token.Issuer {
	i := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	i.Introspection = introspection(d, "idp.example.net")
	i.Introspection.Opaque, i.Introspection.JWTs = false, true
	return i
}

func TestJWTIsConfirmedByItsIssuer(t *testing.T) {
	sent := tokentest.EC().Token(claims(nil))
	for _, row := range []struct {
		name   string
		answer answers
		want   policy.Verdict
	}{
		{"active", text(`{"active":true,"iss":"` + issuerName + `"}`), policy.Permitted()},
		{"active, and nothing else of it counts", text(`{"active":true,"exp":"x","scope":1,"client_id":"other"}`), policy.Permitted()},
		{"inactive", text(`{"active":false}`), policy.Denied(policy.TokenRevoked, "")},
		{"another issuer's", text(`{"active":true,"iss":"https://elsewhere"}`), policy.Undecided(policy.IntrospectionIssuer, nil)},
		{"not told", status(http.StatusBadGateway), policy.Verdict{Reason: policy.IntrospectionUnavailable, Detail: "status"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk()
			d.replace(row.answer)
			w := askingWorld(t, jwtIssuer(t, d))
			for range 2 { // signed and asked, then remembered
				r := bearer(sent)
				all := w.verdicts(t, r)
				got := all[policy.TokRevoked]
				got.Err = nil
				if got.Detail == "paused" {
					got.Detail = "status"
				}
				assert.Equal(t, row.want, got)
				delete(all, policy.TokRevoked)
				for c, v := range all {
					assert.True(t, v.Passes(), "%s: the signature proves it", c)
				}
				assert.Equal(t, "client-1", r.Auth.Identity.Client)
				assert.False(t, r.Auth.Token.Introspected)
			}
			assert.Len(t, d.questions(), 1)
		})
	}
}

func TestNobodyIsAskedAboutAJWTThatIsRefusedAnyway(t *testing.T) {
	d := newDesk()
	w := askingWorld(t, jwtIssuer(t, d))
	for name, sent := range map[string]string{
		"forged":        tokentest.EC().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}),
		"of a stranger": tokentest.EC().Token(claims(map[string]any{"iss": "https://elsewhere"})),
		"expired":       tokentest.EC().Token(claims(map[string]any{"exp": epoch.Add(-skew).Unix()})),
		"opaque":        "opaque-1",
	} {
		for range 2 {
			all := w.verdicts(t, bearer(sent))
			assert.False(t, all[policy.TokRevoked].Passes(), "nothing that was not asked is taken for not revoked: %s", name)
		}
		assert.Empty(t, d.questions(), name)
	}
	// Within the skew a token that was revoked would pass as one that has expired.
	r := bearer(tokentest.EC().Token(claims(map[string]any{"iat": epoch.Add(-time.Hour).Unix(), "exp": epoch.Add(-skew + time.Second).Unix()})))
	w.onlyDenied(t, r, policy.TokRevoked, policy.TokenRevoked)
}

func TestBothFormsOfOneIssuer(t *testing.T) {
	d := newDesk()
	i := jwtIssuer(t, d)
	i.Introspection.Opaque = true
	w := askingWorld(t, i)
	sent := tokentest.EC().Token(claims(nil))
	d.say("idp.example.net", sent, map[string]any{"active": true})
	d.say("idp.example.net", "opaque-1", opaque(epoch, nil))
	w.allPermit(t, bearer(sent))
	w.allPermit(t, bearer("opaque-1"))
	forged := tokentest.EC().Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit})
	d.say("idp.example.net", forged, opaque(epoch, nil))
	w.onlyDenied(t, bearer(forged), policy.TokSig, policy.TokenSignature)
}

func TestCountsOfQuestionsGoOn(t *testing.T) {
	d := newDesk()
	first := askingWorld(t, opaqueIssuer(d))
	first.authenticate(t, bearer("opaque-1"))
	second := askingWorldWith(t, token.Options{DecisionTimeout: patience, Previous: first.stage}, opaqueIssuer(d))
	assert.Equal(t, first.stage.IntrospectionStats(), second.stage.IntrospectionStats())
	second.authenticate(t, bearer("opaque-1"))
	assert.Len(t, d.questions(), 2, "what was said to another configuration is asked again")
	assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionInactive: 2}, second.results(t))
}

func TestRememberedOpaqueTokenAllocatesNothing(t *testing.T) {
	d := newDesk()
	d.say("idp.example.net", "opaque-1", opaque(epoch, nil))
	w := askingWorld(t, opaqueIssuer(d))
	r := bearer("opaque-1")
	w.allPermit(t, r)
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(1000, func() { w.stage.Authenticate(ctx, r) }))
}

// What made-up tokens bring about keeps nobody from being asked about a token that
// proved itself, by its signature or before.
func TestThreatStrangersDoNotStopTheQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		i := jwtIssuer(t, d)
		i.Introspection.Opaque = true
		w := askingWorld(t, i)
		revoked := func(sent string) policy.Verdict { return w.verdicts(t, at(realClock(), sent))[policy.TokRevoked] }
		signed := tokentest.EC().Token(tokentest.Claims(issuerName, audience, realClock(), nil))
		d.say("idp.example.net", signed, map[string]any{"active": true})
		d.say("idp.example.net", "known", opaque(realClock(), nil))
		require.Equal(t, policy.Permitted(), revoked("known"))
		time.Sleep(token.DefaultIntrospectionTTL)
		d.replace(away) // for whoever is made up
		require.Equal(t, "unreachable", w.verdicts(t, at(realClock(), "made-up"))[policy.TokSig].Detail)
		d.replace(nil)
		require.Equal(t, "paused", w.verdicts(t, at(realClock(), "made-up-2"))[policy.TokSig].Detail)
		assert.Equal(t, policy.Permitted(), revoked("known"))
		assert.Equal(t, policy.Permitted(), revoked(signed))
	})
}
