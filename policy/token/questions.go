package token

import (
	"context"
	"sync"
)

// Questions owns the questions to issuers that are on their way. Each is a goroutine
// that ends by its timeout, also when no request waits for it any more. Authenticators
// that follow one another share it, so that a reload cuts off nobody: a request of the
// policy before still gets its answer. It is safe for concurrent use.
type Questions struct {
	// life ends with Run.
	life context.Context //nolint:containedctx // the life of what is started here, not of a call
	end  context.CancelFunc
	// mu orders begin before the end, or after.
	mu   sync.Mutex
	open sync.WaitGroup
}

// NewQuestions returns an owner without questions.
func NewQuestions() *Questions {
	life, end := context.WithCancel(context.Background())
	return &Questions{life: life, end: end}
}

// Run waits until ctx ends, ends the questions that are on their way, and returns nil
// when they have ended. After that none begins. It is for the end of the process, when
// nobody waits for an answer; whoever does not Run it has questions that end by
// themselves.
func (q *Questions) Run(ctx context.Context) error {
	<-ctx.Done()
	q.mu.Lock()
	q.end()
	q.mu.Unlock()
	q.open.Wait()
	return nil
}

// begin lets ask run in a goroutine of its own, under the life of all questions. It
// reports false when none begins any more.
func (q *Questions) begin(ask func(life context.Context)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.life.Err() != nil {
		return false
	}
	q.open.Go(func() { ask(q.life) })
	return true
}
