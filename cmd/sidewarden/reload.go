package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// pollInterval is how often the configuration is compared with what is in force.
// Mounted files change by a swap of links, which no watch on a file survives.
const pollInterval = 5 * time.Second

// runners run the parts of a policy and stop those that a later one does not use.
type runners struct {
	ctx   context.Context //nolint:containedctx // the life of the process, not of a call
	group *errgroup.Group
	log   *zap.Logger

	mu   sync.Mutex
	stop map[string]context.CancelFunc
}

func newRunners(ctx context.Context, group *errgroup.Group, log *zap.Logger) *runners {
	return &runners{ctx: ctx, group: group, log: log, stop: map[string]context.CancelFunc{}}
}

// start runs what does not run yet.
func (r *runners) start(next map[string]compile.Runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, runner := range next {
		if _, runs := r.stop[id]; runs {
			continue
		}
		ctx, cancel := context.WithCancel(r.ctx)
		r.stop[id] = cancel
		r.group.Go(func() error { return runner.Run(ctx) })
	}
}

// keep stops what is not among the runners in force.
func (r *runners) keep(inForce map[string]compile.Runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, cancel := range r.stop {
		if _, used := inForce[id]; !used {
			cancel()
			delete(r.stop, id)
		}
	}
}

// watch reloads on SIGHUP and when a file changed, until ctx ends. After a failure
// it tries again at every look, because what is repaired may be a file that only
// the new configuration names.
func (s *sidecar) watch(ctx context.Context, r *runners) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	seen, failure := s.fingerprint(), ""
	for {
		told := failure
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			told = ""
		case <-tick.C:
			if failure == "" && s.fingerprint() == seen {
				continue
			}
		}
		failure = s.tryReload(r, told)
		seen = s.fingerprint()
	}
}

// fingerprint digests the files that the policy in force was made from. A file
// that cannot be read counts as its error, so that its return is noticed.
func (s *sidecar) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	l := s.current.Load()
	for _, path := range slices.Concat([]string{s.options.path}, l.output.Files, keyFilesOf(l.config)) {
		b, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s %d %t:", path, len(b), err == nil) // a hash takes everything
		_, _ = h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// tryReload reloads and returns why it failed, "" if it did not. A failure that
// was told already is not told again.
func (s *sidecar) tryReload(r *runners, told string) string {
	next, err := load(s.options.path, s.current.Load().output.Parts, s.log)
	if err == nil {
		err = s.restartOnly(next.config)
	}
	var keys *opened
	if err == nil {
		keys, err = openings(next, s.options.path)
	}
	if err != nil {
		if err.Error() != told {
			s.metrics.Reloaded(false)
			s.log.Error("the configuration was not reloaded, the policy and the keys in force stay", zap.Error(err))
		}
		return err.Error()
	}
	next.printWarnings(s.options.warnings)
	s.useKeys(next.config, keys)
	s.apply(next, r)
	s.metrics.Reloaded(true)
	s.log.Info("reloaded", zap.String("policy", next.output.Policy.Digest))
	return ""
}

// apply puts a policy in force: what it needs runs before, what the old one needed
// stops after.
func (s *sidecar) apply(next *loaded, r *runners) {
	old := s.current.Load()
	r.start(next.output.Runners)
	s.metrics.Use(next.output.Policy)
	s.recorder.Use(vocabulary(next))
	s.census.Use(tokenIssuers(next.config))
	s.endpoints.Use(next.output.Policy, time.Now())
	s.around.arrivals.Use(frontOf(next))
	if next.output.Measured == old.output.Measured && samePlans(old, next) {
		s.evidence.Accept(next.output.Policy.Digest)
	} else {
		s.evidence.Restart(evidenceOptions(next))
	}
	s.current.Store(next)
	s.handler.Apply(next.output.Policy)
	r.keep(next.output.Runners)
}

// samePlans reports whether the same controls are measured for the same
// operations; a control that was switched off or on is not. Rules of az.default may
// come and go with the modes, which must not cost what was measured of all others:
// its own cells begin with the next epoch.
func samePlans(a, b *loaded) bool {
	return reflect.DeepEqual(measured(a.output.Policy), measured(b.output.Policy))
}

func measured(p *policy.Policy) []evidence.Operation {
	plans := evidence.OperationsOf(p)
	for i := range plans {
		plans[i].Controls = slices.DeleteFunc(plans[i].Controls, func(c policy.Control) bool { return c == policy.AzDefault })
	}
	return plans
}

// restartOnly refuses a change of what is opened once, at the start.
func (s *sidecar) restartOnly(next *config.Config) error {
	if ps := s.startedAs.config.RestartFor(next); len(ps) > 0 {
		return ps
	}
	return nil
}

// everywhere reports whether a control judges every operation.
func everywhere(o *compile.Output, control policy.Control) bool {
	return !slices.ContainsFunc(append([]*policy.Operation{o.Policy.Unmatched}, o.Policy.Operations...), func(op *policy.Operation) bool {
		return !slices.ContainsFunc(op.Rules, func(r *policy.Rule) bool { return r.Control == control })
	})
}

// enforces reports whether a control enforces for any operation.
func enforces(o *compile.Output, control policy.Control) bool {
	for _, op := range append([]*policy.Operation{o.Policy.Unmatched}, o.Policy.Operations...) {
		for _, rule := range op.Rules {
			if rule.Control == control && rule.Mode == policy.Enforce {
				return true
			}
		}
	}
	return false
}
