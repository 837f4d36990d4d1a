package token_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// hangs answers when the question ends.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Whoever owns the questions ends those that nobody waits for any more, waits until they
// have ended, and lets no other begin. That says nothing of the issuer.
func TestQuestionsEndWithTheirOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, questions := newDesk(), token.NewQuestions()
		w := askingWorldWith(t, token.Options{Questions: questions}, opaqueIssuer(d))
		d.say("idp.example.net", "known", opaque(realClock(), nil))
		w.allPermit(t, at(realClock(), "known"))
		d.replace(hangs)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- questions.Run(ctx) }()
		require.Equal(t, "wait", w.authenticate(t, at(realClock(), "new")).Proof.Detail)
		synctest.Wait()
		require.Empty(t, ended, "it runs, and so does the question")

		began := realClock()
		cancel()
		require.NoError(t, <-ended)
		assert.Equal(t, began, realClock(), "nobody waited for the timeout")
		assert.Equal(t, map[token.IntrospectionResult]uint64{token.IntrospectionActive: 1}, w.results(t))

		d.replace(nil)
		time.Sleep(time.Second)
		got := w.authenticate(t, at(realClock(), "new")).Proof
		assert.Equal(t, policy.IntrospectionUnavailable, got.Reason)
		assert.Equal(t, "offline", got.Detail)
		assert.Len(t, d.questions(), 2, "none begins")
		w.allPermit(t, at(realClock(), "known"))
	})
}

// A reload cuts off nobody: the answer to a question of the authenticator before comes
// while another one has taken its place.
func TestQuestionsOutliveTheirAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, questions := newDesk(), token.NewQuestions()
		d.replace(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return text(`{"active":true}`)(r)
		})
		o := token.Options{Questions: questions, DecisionTimeout: patience}
		first := askingWorldWith(t, o, opaqueIssuer(d))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- questions.Run(ctx) }()
		answered := make(chan policy.Verdict, 1)
		go func() { answered <- first.stage.Authenticate(t.Context(), at(realClock(), "opaque-1")).Proof }()
		synctest.Wait()
		o.Previous = first.stage
		second := askingWorldWith(t, o, opaqueIssuer(d))
		assert.Equal(t, policy.Permitted(), second.authenticate(t, at(realClock(), "opaque-2")).Proof)
		assert.Equal(t, policy.Permitted(), <-answered)
		cancel()
		require.NoError(t, <-ended)
	})
}
