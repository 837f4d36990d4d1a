package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/proxy"
)

const (
	queueCapacity = 8192
	// drainTime is how long requests may take to end after the sidecar stopped
	// accepting; Kubernetes kills after 30 s.
	drainTime = 22 * time.Second
	// endTime is how long requests that were cut may take to notice.
	endTime = 2 * time.Second
	// flushTime is how long the log may take to be written out after that.
	flushTime = 4 * time.Second
)

// sidecar is one running process: the parts and what joins them. Fields are set
// by newSidecar; after that run's goroutines share them.
type sidecar struct {
	options   serveOptions
	log       *zap.Logger
	startedAs *loaded // what a reload may not change is compared with it
	current   atomic.Pointer[loaded]

	handler   *proxy.Handler
	ids       audit.IDs
	recorder  *audit.Recorder
	records   *audit.Log
	recordsTo io.Closer // nil for standard output
	names     *audit.Pseudonymizer
	metrics   *metrics.Metrics
	evidence  *evidence.Store
	census    *evidence.Census
	endpoints *evidence.Endpoints
	around    around
	refusals  *proxy.Refusals
	taking    *proxy.TakeListener
	excepted  *exceptionLedger
	transport *proxy.BackendTransport
	listenTLS *proxy.ListenTLS // nil where the listener is plain
	keys      atomic.Pointer[opened]

	data, admin         *http.Server
	dataAddr, adminAddr net.Listener
	ready               atomic.Bool
}

// newSidecar opens what must be open before anything runs: the audit file and the
// listeners.
func newSidecar(l *loaded, o serveOptions) (*sidecar, error) {
	s := &sidecar{options: o, log: o.log, startedAs: l, refusals: &proxy.Refusals{}, excepted: newExceptionLedger(time.Now())}
	s.current.Store(l)
	if err := s.observers(); err != nil {
		return nil, err
	}
	options, err := l.proxyOptions()
	if err != nil {
		return nil, err
	}
	open, err := openings(l, o.path)
	if err != nil {
		return nil, err
	}
	s.keys.Store(open)
	if open.listen != nil {
		s.listenTLS = proxy.NewListenTLS(*open.listen)
	}
	s.transport = proxy.NewBackendTransport(proxy.NewTransport(open.transport(l.config)))
	options.Observer, options.Transport, options.Listen = s.recorder, s.transport, s.listenTLS
	options.Now, options.NewID, options.Log = time.Now, s.newID, s.log
	s.handler = proxy.New(options)
	s.metrics.Use(l.output.Policy)
	return s, s.listen()
}

func (s *sidecar) newID() string { return s.ids.New(time.Now()) }

// proxyOptions is what a configuration says of the handler; who observes, sends,
// counts time and logs is for the caller to say.
func (l *loaded) proxyOptions() (proxy.Options, error) {
	backend, err := url.Parse(l.config.Backend.URL)
	if err != nil { // config has parsed it before
		return proxy.Options{}, err
	}
	return proxy.Options{
		Policy: l.output.Policy, Backend: backend, PathPrefix: l.config.Backend.PathPrefix, InstanceHeader: l.config.Backend.InstanceHeader,
		MaxHeldBytes: int64(l.config.Payload.MaxHeldBytes), BodyTimeout: l.config.Listen.BodyTimeout.Std(),
		MinBodyRate:   int64(l.config.Listen.MinBodyRate),
		AnswerTimeout: l.config.Backend.Timeouts.Response.Std(),
	}, nil
}

// bounds is what a configuration says of the server of the data listener.
func (l *loaded) bounds() proxy.Bounds {
	listen := &l.config.Listen
	return proxy.Bounds{HeadBytes: int(listen.MaxHeadBytes), Head: listen.HeadTimeout.Std(), Idle: listen.IdleTimeout.Std()}
}

// observers builds what learns of requests: log, metrics, evidence, and the
// recorder that feeds them.
func (s *sidecar) observers() error {
	l := s.startedAs
	cfg := l.config
	out := s.options.records
	if path := cfg.Audit.File.Path; path != "" {
		f, err := audit.OpenFile(path)
		if err != nil {
			return noError{fmt.Sprintf("%s: audit.file.path: %v", s.options.path, err)}
		}
		out, s.recordsTo = f, f
	}
	s.records = audit.NewLog(out, queueCapacity)
	pseudonyms, err := audit.NewPseudonymizer([]byte(cfg.Audit.PseudonymKey.Reveal()), "1", cfg.Product)
	if err != nil {
		return noError{fmt.Sprintf("%s: audit.pseudonym_key: %v", s.options.path, err)}
	}
	s.names = pseudonyms
	s.metrics = metrics.New(metrics.Options{Version: version, Sources: metrics.Sources{
		TransportRefused: s.refused,
		GuardBlind:       s.refusals.Blind,
		ConnectionAuth:   func() map[string]uint64 { return s.handler.Stats().ConnectionAuth },
		Waited:           func() (uint64, time.Duration) { return s.handler.Waited() },
		KeySets:          s.keySets,
		TokenCache:       s.tokenCache,
		Introspection:    s.introspection,
		Exceptions:       func() []metrics.Exception { return s.excepted.forMetrics(s.current.Load().config) },
		Endpoints:        s.endpointsByKind,
		Certificates:     s.certificateExpiries,
		Bypass:           s.bypassStats,
		Logs:             func() map[string]audit.LogStats { return map[string]audit.LogStats{sinkName(cfg): s.records.Stats()} },
	}})
	s.evidence = evidence.New(evidenceOptions(l))
	s.census = evidence.NewCensus(s.censusOptions(l))
	s.endpoints = evidence.NewEndpoints(evidence.EndpointOptions{Policy: l.output.Policy, Since: time.Now()})
	s.around = s.newAround(l)
	s.recorder = audit.NewRecorder(audit.Options{
		Product: cfg.Product, Environment: cfg.Environment, Instance: hostname(), Version: version,
		RequestIDHeader: cfg.Gateway.RequestIDHeader, CredentialHeader: cfg.Credential.Header,
		Contract: vocabulary(l), Pseudonyms: pseudonyms, Log: s.records,
		Consumers: []audit.Consumer{s.metrics, s.evidence, s.census, s.endpoints, s.around.arrivals, s.excepted},
	})
	return nil
}

func sinkName(cfg *config.Config) string {
	if cfg.Audit.File.Path != "" {
		return "file"
	}
	return "stdout"
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// keySets tells the metrics about the key sets in force.
func (s *sidecar) keySets() []metrics.KeySet {
	var all []metrics.KeySet
	for _, k := range s.current.Load().output.Parts.KeySets() {
		stats := k.Stats()
		m := metrics.KeySet{
			Issuer: stats.Issuer, Age: stats.Age, Loaded: stats.Loaded, Ready: k.Ready(), Keys: stats.Keys,
			Reads: make(map[string]uint64), Skipped: make(map[string]int), RetiredUses: stats.RetiredUses,
		}
		for _, result := range token.RefreshResults() {
			m.Reads[string(result)] = stats.Refreshes[result]
		}
		for _, why := range token.SkipReasons() {
			m.Skipped[string(why)] = stats.Skipped[why]
		}
		all = append(all, m)
	}
	return all
}

// tokenCache tells the metrics how often tokens were remembered.
func (s *sidecar) tokenCache() []metrics.TokenCache {
	stats := s.current.Load().output.Parts.TokenCache()
	all := make([]metrics.TokenCache, 0, len(stats))
	for _, c := range stats {
		all = append(all, metrics.TokenCache(c))
	}
	return all
}

// vocabulary is what records may repeat of a request.
func vocabulary(l *loaded) audit.Contract {
	c := audit.Contract{Operations: slices.Clone(l.output.Policy.Health)}
	for _, op := range l.output.Policy.Operations {
		c.Operations = append(c.Operations, op.Places()...)
	}
	for _, contract := range l.output.Contracts {
		for _, op := range contract.Operations() {
			c.Parameters = append(c.Parameters, op.QueryParams...)
			c.MediaTypes = append(c.MediaTypes, op.RequestMediaTypes...)
		}
	}
	c.Issuers, c.Scopes = issuersOf(l.config), scopesOf(l)
	if h := l.config.Credential.Headers; l.config.Credential.Kind == config.KindIdentityHeaders {
		c.Untold = append(c.Untold, h.Client, h.Principal, h.Accounts)
	}
	if keys := l.config.Credential.APIKey; keys != nil {
		c.Untold = append(c.Untold, keys.Header)
	}
	c.Untold = slices.DeleteFunc(append(c.Untold, l.config.Gateway.Proof.Header, l.config.Gateway.ClientCertHeader), func(name string) bool { return name == "" })
	for _, r := range l.config.Account.Rules {
		name := r.Name
		if r.In == "body" {
			name = r.Pointer
		}
		c.Selectors = append(c.Selectors, audit.Selector{In: r.In, Name: name})
	}
	return c
}

// configDocument is what /config shows: the digest in force and the effective
// configuration, with secrets masked.
func (s *sidecar) configDocument() (any, error) {
	l := s.current.Load()
	effective, err := l.config.Effective()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"policy": l.output.Policy.Digest, "measured": l.output.Measured, "effective": string(effective),
	}, nil
}

// notReady says why requests should not come, if they should not. A key set that
// is not there makes an enforcing sidecar not ready; in shadow a gauge tells. An
// introspection endpoint does not count: whether it answers is not known before a
// token comes, and what it said may still be in use.
func (s *sidecar) notReady() error {
	if !s.ready.Load() {
		return errors.New("not started, or shutting down")
	}
	l := s.current.Load()
	if !enforces(l.output, "tok.sig") {
		return nil
	}
	for _, k := range l.output.Parts.KeySets() {
		if !k.Ready() {
			return fmt.Errorf("the key set of issuer %q is not available", k.Stats().Issuer)
		}
	}
	return nil
}

// run serves until ctx ends, then drains, flushes and returns.
func (s *sidecar) run(ctx context.Context) error {
	// The log outlives everything that writes to it.
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()
	logDone := make(chan error, 1)
	go func() { logDone <- s.records.Run(logCtx) }()

	// Requests do not end with ctx but with the drain.
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	s.data.BaseContext = func(net.Listener) context.Context { return requests }
	group, groupCtx := errgroup.WithContext(ctx)
	// Nor do the parts: requests ask for keys and about tokens until they have ended.
	parts, endParts := context.WithCancel(context.WithoutCancel(ctx))
	defer endParts()
	runners := newRunners(parts, group, s.log)
	runners.start(s.startedAs.output.Runners)
	group.Go(func() error { return ended(s.data.Serve(s.dataAddr)) })
	group.Go(func() error { return ended(s.admin.Serve(s.adminAddr)) })
	group.Go(func() error { return s.watch(groupCtx, runners) })
	group.Go(func() error { return s.around.sockets.Run(groupCtx) })
	group.Go(func() error {
		<-groupCtx.Done()
		defer endParts()
		return s.shutdown(endRequests)
	})
	s.ready.Store(true)
	s.log.Info("serving", zap.String("listen", s.dataAddr.Addr().String()), zap.String("admin", s.adminAddr.Addr().String()),
		zap.String("backend", s.startedAs.config.Backend.URL), zap.String("policy", s.startedAs.output.Policy.Digest))
	err := group.Wait()
	s.transport.CloseIdleConnections()
	stopLog()
	err = errors.Join(err, flushed(logDone))
	if s.recordsTo != nil {
		err = errors.Join(err, s.recordsTo.Close())
	}
	if err != nil {
		return noError{fmt.Sprintf("the sidecar ended: %v", err)}
	}
	s.log.Info("stopped")
	return nil
}

// flushed waits for the log to be written out, but not for a writer that is stuck.
func flushed(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(flushTime):
		return fmt.Errorf("the audit log could not be written out within %s", flushTime)
	}
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown stops accepting, lets requests end, and then ends them. Tunnels never
// end by themselves, and everything that ends leaves a record.
func (s *sidecar) shutdown(endRequests context.CancelFunc) error {
	s.ready.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.data.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut at the end of the drain time", zap.Duration("after", drainTime))
		err = s.data.Close()
		if err != nil {
			s.log.Debug("closing the data listener", zap.Error(err))
		}
	}
	endRequests()
	last, stop := context.WithTimeout(context.Background(), endTime)
	defer stop()
	if err := s.handler.Wait(last); err != nil {
		s.log.Warn("requests did not end and have no record", zap.Duration("after", endTime))
	}
	return ended(s.admin.Close())
}
