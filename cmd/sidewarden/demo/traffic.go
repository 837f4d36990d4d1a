package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// pace is the time between two requests: at most 166 in a second.
	pace = 6 * time.Millisecond
	// readyTime bounds the wait for the sidecar, answerTime that for one answer.
	readyTime  = 15 * time.Second
	answerTime = 10 * time.Second
	// settle is the time that a sidecar gets to read a key set which it just got.
	settle = 100 * time.Millisecond
	// maxSurprises bounds the texts in Stats; Unexpected counts them all.
	maxSurprises = 10
	// decisionHeader names the decision in an answer that the sidecar itself gave.
	decisionHeader = "Sidewarden-Decision-Id"
)

// Stats counts the requests that were sent and how they were answered.
type Stats struct {
	// Sent is all requests. Clean ones are what the policy wants, Stopped ones
	// violate something and end at the gateway.
	Sent, Clean, Stopped int
	// Violations counts the requests that violate a row of the key; Protected counts
	// those of them that the sidecar itself refused, with the status of the control.
	Violations, Protected map[Place]int
	// Served counts the clean requests that got a success.
	Served int
	// Unexpected counts answers with another status than this world gives,
	// Surprises tells the first of them.
	Unexpected int
	Surprises  []string
	// Elapsed is how long the traffic took.
	Elapsed time.Duration
}

// Place is where the key has an answer: a row may be about several operations.
type Place struct {
	Row       int
	Operation string
}

func newStats() Stats { return Stats{Violations: map[Place]int{}, Protected: map[Place]int{}} }

// Traffic waits until the sidecar is ready and knows the issuer's keys, then
// plays the script through the gateway for Options.Duration, and at least until
// everything that the key names was seen. Requests follow each other, so that
// their order is the seed's, but for those that go over limits. A request that was begun is finished; after ctx
// ends, Traffic returns what was counted and the cause of ctx.
func (w *World) Traffic(ctx context.Context) (Stats, error) {
	s := newStats()
	if err := w.ready(ctx); err != nil {
		return s, err
	}
	fmt.Fprintf(w.out, "traffic: %s, %s, their partner %s and a script, through %s, seed %d\n",
		w.cast.customers[0].name, w.cast.customers[1].name, w.cast.partner.name, w.GatewayURL, w.options.Seed)
	start := time.Now()
	aside := newStats()
	playing, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	both := group{failed: abandon}
	both.Go(func() error { return w.play(playing, &s, start) })
	both.Go(func() error { return w.storm(playing, &aside, start) })
	err := both.Wait()
	s.add(aside)
	s.Elapsed = time.Since(start)
	w.last = s
	return s, err
}

func (w *World) play(ctx context.Context, s *Stats, start time.Time) error {
	sc := script{rand: newRand(w.options.Seed, scriptStream), cast: w.cast, gateway: w.options.Gateway}
	tokens := purse{issuer: w.issuer, client: w.client, tokens: map[*party]granted{}}
	ticker := time.NewTicker(w.pace)
	defer ticker.Stop()
	for round := 0; round < minRounds || time.Since(start) < w.options.Duration; round++ {
		for _, st := range sc.round() {
			if round >= minRounds && time.Since(start) >= w.options.Duration {
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-ticker.C:
			}
			err := w.send(context.WithoutCancel(ctx), s, &tokens, st)
			if err != nil && ctx.Err() != nil {
				return context.Cause(ctx) // the sidecar ends with ctx too, and takes the answer along
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends one step and counts the answer.
func (w *World) send(ctx context.Context, s *Stats, tokens *purse, st step) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	token, err := tokens.token(ctx, st)
	if err != nil {
		return err
	}
	status, ours, err := w.exchange(ctx, st, token)
	if err == nil {
		s.count(st, status, ours, w.options.Enforce)
	}
	return err
}

// exchange sends one step and returns the status of the answer, and whether the
// sidecar itself gave it.
func (w *World) exchange(ctx context.Context, st step, token string) (status int, ours bool, err error) {
	req, err := http.NewRequestWithContext(ctx, st.method, w.GatewayURL+st.path, strings.NewReader(st.body))
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", st.label, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if st.contentType != "" {
		req.Header.Set("Content-Type", st.contentType)
	}
	req.Header.Set("User-Agent", st.who.client)
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, false, fmt.Errorf("%s: the gateway gives no answer: %w", st.label, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, false, fmt.Errorf("%s: the answer breaks off: %w", st.label, err)
	}
	return resp.StatusCode, resp.Header.Get(decisionHeader) != "", nil
}

// count notes the answer to a step.
func (s *Stats) count(st step, status int, ours, enforce bool) {
	s.Sent++
	want := st.want
	switch st.kind {
	case clean:
		s.Clean++
		if status >= 200 && status < 300 {
			s.Served++
		}
	case violate:
		s.Violations[st.answer.place()]++
		if enforce {
			want = st.blocked
		}
		if ours && status == st.blocked {
			s.Protected[st.answer.place()]++
		}
	case stopped:
		s.Stopped++
	case unseen:
	}
	if (status == want || !enforce && status == st.other) && ours == (enforce && st.kind == violate) {
		return
	}
	s.surprise(st, status, ours, strconv.Itoa(want))
}

// surprise notes an answer that this world does not give.
func (s *Stats) surprise(st step, status int, ours bool, want string) {
	s.Unexpected++
	if len(s.Surprises) < maxSurprises {
		who := "the backend or the gateway"
		if ours {
			who = "the sidecar"
		}
		s.Surprises = append(s.Surprises, fmt.Sprintf("%s (%s): %d by %s, expected %s", st.label, st.kind, status, who, want))
	}
}

// String says what a step of this kind is.
func (k kind) String() string {
	switch k {
	case clean:
		return "clean"
	case violate:
		return "violation"
	case unseen:
		return "violation that nobody sees"
	case stopped:
		return "for the gateway to stop"
	}
	return "invalid"
}

// ready waits until the sidecar says that it is ready, and until it has asked
// the issuer for its keys: a sidecar in shadow is ready without them, and could
// decide nothing yet.
func (w *World) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, errors.New("the sidecar did not get ready in time"))
	defer cancel()
	const again = 20 * time.Millisecond
	for !w.saysReady(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the sidecar at %s: %w", w.AdminURL, context.Cause(ctx))
		case <-time.After(again):
		}
	}
	if w.options.Gateway == StripsToken {
		return nil // it needs no keys
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait until the sidecar asks the issuer for its keys: %w", context.Cause(ctx))
	case <-w.issuer.asked:
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(settle):
	}
	return nil
}

func (w *World) saysReady(ctx context.Context) bool {
	resp, err := w.get(ctx, "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// get asks the admin listener.
func (w *World) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.AdminURL+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask the admin listener: %w", err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the admin listener: %w", err)
	}
	return resp, nil
}
