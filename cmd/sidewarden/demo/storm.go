package demo

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The rows of the key that are about limits. What violates a limit is not a request
// but many at once, so they have traffic of their own, beside the script's.
const (
	metersRow = 17
	eventsRow = 18
)

const (
	// calmPace is the time between two requests of a client that keeps to the limit.
	calmPace = 200 * time.Millisecond
	// lull lets the instances serve somebody before they are to refuse anybody.
	lull = 300 * time.Millisecond
	// gust is how long one client goes over the limit of events: longer than its
	// window, at a rate that two instances together do not allow either.
	gust     = 1200 * time.Millisecond
	gustPace = 15 * time.Millisecond
	// share is what each of two applications asks of meters: less than an application
	// may, and together more than a customer.
	share = 15
	// minStorms are needed for three windows of each limit by both customers. On a busy
	// machine a storm may be too slow to go over what the world allows; it is then
	// repeated, up to maxStorms.
	minStorms, maxStorms = 4, 16
	// clearly is how many requests must be over what the world allows for a storm to
	// show it: several on each instance.
	clearly = 4
	// crowd is the number of requests that a storm has under way at the same time.
	crowd = 8
)

// over is a burst of requests that goes over one limit of the policy.
type over struct {
	row     int
	limit   bound  // the policy's
	shows   bound  // what must be exceeded to show that the world allows more
	senders []step // in turn
	pace    time.Duration
	sent    int
	// refused reports that the backend refuses some of it.
	refused bool
}

// storm goes over the limits until the time is over, and often enough for the key,
// while others keep to them.
func (w *World) storm(ctx context.Context, s *Stats, start time.Time) error {
	tokens := purse{issuer: w.issuer, client: w.client, tokens: map[*party]granted{}}
	shown := map[*party]string{}
	for _, p := range w.cast.clients() {
		token, err := tokens.token(ctx, step{who: p})
		if err != nil {
			return orCause(ctx, err)
		}
		shown[p] = token
	}
	calm, quiet := context.WithCancel(ctx)
	defer quiet()
	aside := newStats()
	var all group
	all.Go(func() error { return w.calm(calm, &aside, shown) })
	all.Go(func() error {
		defer quiet()
		return w.gusts(ctx, s, shown, start)
	})
	err := all.Wait()
	s.add(aside)
	return err
}

// calm sends what keeps to the limit of events, until ctx ends.
func (w *World) calm(ctx context.Context, s *Stats, shown map[*party]string) error {
	ticker := time.NewTicker(calmPace)
	defer ticker.Stop()
	for {
		for _, p := range []*party{w.cast.partner, w.cast.seconds[0], w.cast.seconds[1]} {
			st := events(p)
			status, ours, err := w.exchange(context.WithoutCancel(ctx), st, shown[p])
			switch {
			case err != nil && ctx.Err() != nil:
				return nil
			case err != nil:
				return err
			}
			s.count(st, status, ours, w.options.Enforce)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// gusts sends what goes over the limits, by the customers in turn: while one does,
// the buckets of the other fill.
func (w *World) gusts(ctx context.Context, s *Stats, shown map[*party]string, start time.Time) error {
	if err := pause(ctx, lull); err != nil {
		return err
	}
	fierce := 0
	for i := 0; fierce < minStorms && i < maxStorms || time.Since(start) < w.options.Duration; i++ {
		p, second := w.cast.customers[i%2], w.cast.seconds[i%2]
		bursts := []over{
			{
				row: metersRow, limit: metersOfCustomer(), shows: bound{perSecond: 12}, senders: []step{meters(p), meters(second)},
				pace: gustPace, sent: 2 * share,
			},
			{
				row: eventsRow, limit: eventsOfApp(), shows: eventsOfApp().times(instances), senders: []step{events(p)},
				pace: gustPace, sent: int(gust / gustPace), refused: true,
			},
		}
		counts, enough := make([]Stats, len(bursts)), make([]bool, len(bursts))
		var all group
		for j, o := range bursts {
			counts[j] = newStats()
			all.Go(func() (err error) {
				enough[j], err = w.exceed(ctx, &counts[j], o, shown)
				return err
			})
		}
		err := all.Wait()
		for _, c := range counts {
			s.add(c)
		}
		if err != nil {
			return orCause(ctx, err)
		}
		if !slices.Contains(enough, false) {
			fierce++
		}
	}
	return nil
}

// exceed sends one burst, and reports whether it was fast enough to show what the
// world allows. Which of its requests are over the limit depends on when
// they arrive; how many are at least follows from the limit and the time that all of
// them took.
func (w *World) exceed(ctx context.Context, s *Stats, o over, shown map[*party]string) (enough bool, err error) {
	ticker := time.NewTicker(o.pace)
	defer ticker.Stop()
	var mu sync.Mutex // guards s and refused
	refused := 0
	all := group{slots: make(chan struct{}, crowd)}
	start := time.Now()
	sent := 0
	for ; sent < o.sent && ctx.Err() == nil; sent++ {
		st := o.senders[sent%len(o.senders)]
		all.Go(func() error {
			status, ours, err := w.exchange(context.WithoutCancel(ctx), st, shown[st.who])
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			s.Sent++
			switch {
			case status == http.StatusOK && !ours:
			case status == http.StatusTooManyRequests && ours && w.options.Enforce:
				refused++
			case status == http.StatusTooManyRequests && !ours && o.refused:
			default:
				s.surprise(st, status, ours, "200, or 429 for what is over a limit")
			}
			return nil
		})
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	err = all.Wait()
	took := time.Since(start)
	due := o.limit.due(sent, took)
	at := answerFor(o.row, o.senders[0].label).place()
	s.Violations[at] += due
	if w.options.Enforce {
		s.Protected[at] += min(due, refused)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return o.shows.due(sent, took) >= clearly, err
}

func meters(p *party) step { return get("listMeters", p, "/v1/accounts/%s/meters", p.accounts[0]) }

func events(p *party) step { return get("listEvents", p, "/v1/accounts/%s/events", p.accounts[0]) }

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// orCause returns why ctx ended, if it did: what fails then fails for that.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// group runs functions side by side. The first error is that of all.
type group struct {
	slots  chan struct{} // bounds how many run; nil for no bound
	failed func(error)   // is told the first error; may be nil
	all    sync.WaitGroup
	once   sync.Once
	err    error
}

func (g *group) Go(f func() error) {
	if g.slots != nil {
		g.slots <- struct{}{}
	}
	g.all.Go(func() {
		if err := f(); err != nil {
			g.once.Do(func() {
				if g.err = err; g.failed != nil {
					g.failed(err)
				}
			})
		}
		if g.slots != nil {
			<-g.slots
		}
	})
}

func (g *group) Wait() error {
	g.all.Wait()
	return g.err
}

// add adds what was counted beside.
func (s *Stats) add(o Stats) {
	s.Sent += o.Sent
	s.Clean += o.Clean
	s.Stopped += o.Stopped
	s.Served += o.Served
	s.Unexpected += o.Unexpected
	for at, n := range o.Violations {
		s.Violations[at] += n
	}
	for at, n := range o.Protected {
		s.Protected[at] += n
	}
	s.Surprises = append(s.Surprises, o.Surprises...)
	s.Surprises = s.Surprises[:min(len(s.Surprises), maxSurprises)]
}
