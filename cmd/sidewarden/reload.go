package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

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

// replace starts what is new and stops what is not used any more.
func (r *runners) replace(next map[string]compile.Runner) {
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
	for id, cancel := range r.stop {
		if _, used := next[id]; !used {
			cancel()
			delete(r.stop, id)
		}
	}
}

// watch reloads on SIGHUP and when a file changed, until ctx ends.
func (s *sidecar) watch(ctx context.Context, r *runners) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	seen := s.fingerprint()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			seen = s.fingerprint()
			s.reload(r)
		case <-tick.C:
			if now := s.fingerprint(); now != seen {
				seen = now
				s.reload(r)
			}
		}
	}
}

// fingerprint digests the files that the configuration is made from. A file that
// cannot be read counts as its error, so that its return is noticed.
func (s *sidecar) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	l := s.current.Load()
	for _, path := range append([]string{s.options.path}, l.output.Files...) {
		b, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s %d %t:", path, len(b), err == nil) // a hash takes everything
		_, _ = h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// reload replaces the policy by that of the files as they are now. On any problem
// the policy in force stays.
func (s *sidecar) reload(r *runners) {
	old := s.current.Load()
	next, err := load(s.options.path, old.output.Parts, s.log)
	if err == nil {
		err = s.restartOnly(next.config)
	}
	if err != nil {
		s.metrics.Reloaded(false)
		s.log.Error("the configuration was not reloaded, the policy in force stays", zap.Error(err))
		return
	}
	next.printWarnings(s.options.warnings)
	r.replace(next.output.Runners)
	s.metrics.Use(next.output.Policy)
	s.recorder.Use(vocabulary(next))
	if next.output.Measured != old.output.Measured || !samePlans(old, next) {
		s.evidence.Restart(evidenceOptions(next))
	}
	s.current.Store(next)
	s.handler.Apply(next.output.Policy)
	s.metrics.Reloaded(true)
	s.log.Info("reloaded", zap.String("policy", next.output.Policy.Digest))
}

// samePlans reports whether the same controls are measured for the same
// operations; a control that was switched off or on is not.
func samePlans(a, b *loaded) bool {
	return fmt.Sprint(evidenceOptions(a).Operations) == fmt.Sprint(evidenceOptions(b).Operations)
}

// restartOnly refuses a change of what is opened once, at the start.
func (s *sidecar) restartOnly(next *config.Config) error {
	now := s.startedAs.config
	var changed []error
	for field, same := range map[string]bool{
		"product":                now.Product == next.Product,
		"environment":            now.Environment == next.Environment,
		"listen":                 fmt.Sprint(fixed(now)) == fmt.Sprint(fixed(next)),
		"admin":                  now.Admin == next.Admin,
		"backend":                fmt.Sprint(fixedBackend(now)) == fmt.Sprint(fixedBackend(next)),
		"gateway":                now.Gateway.Present == next.Gateway.Present && now.Gateway.RequestIDHeader == next.Gateway.RequestIDHeader,
		"credential.header":      now.Credential.Header == next.Credential.Header,
		"payload.max_held_bytes": now.Payload.MaxHeldBytes == next.Payload.MaxHeldBytes,
		"audit":                  now.Audit.File == next.Audit.File && now.Audit.PseudonymKey.Reveal() == next.Audit.PseudonymKey.Reveal(),
	} {
		if !same {
			changed = append(changed, fmt.Errorf("%s changed: restart the sidecar to apply it, or change it back", field))
		}
	}
	return errors.Join(changed...)
}

func fixed(c *config.Config) config.Listen {
	l := c.Listen
	l.TLS = nil
	return l
}

func fixedBackend(c *config.Config) []any {
	b := c.Backend
	return []any{b.URL, b.Timeouts, b.MaxIdleConnections, b.InstanceHeader}
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
