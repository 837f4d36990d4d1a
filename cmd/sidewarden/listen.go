package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/admin"
)

// listen opens both listeners, so that a taken address is told before anything
// starts.
func (s *sidecar) listen() error {
	cfg := s.startedAs.config
	s.data = proxy.NewServer(s.handler, s.startedAs.bounds(), s.log)
	s.data.Protocols = proxy.ListenProtocols(cfg.Listen.HTTP2, cfg.Listen.H2C)
	if s.listenTLS != nil {
		s.data.TLSConfig = s.listenTLS.Config()
	}
	options := admin.Options{Ready: s.notReady, Metrics: s.metrics.Handler()}
	if !cfg.Admin.InsecureExposeMetrics {
		options.Sources = map[string]func() (any, error){
			"cells":     func() (any, error) { return s.evidence.Document(), nil },
			"census":    func() (any, error) { return s.census.Document(), nil },
			"config":    s.configDocument,
			"limits":    s.limitsDocument,
			"endpoints": func() (any, error) { return s.endpoints.Document(), nil },
			"bypass":    s.bypassDocument,
			"exceptions": func() (any, error) {
				return s.excepted.document(s.current.Load().config, time.Now()), nil
			},
		}
	}
	s.admin = &http.Server{Handler: admin.New(options), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	var l net.ListenConfig
	open := func(field, address string) (net.Listener, error) {
		opened, err := l.Listen(context.Background(), "tcp", address)
		if err != nil {
			return nil, cfg.At(field, err.Error(), "choose another address, or stop what uses this one")
		}
		return opened, nil
	}
	var errData, errAdmin error
	s.dataAddr, errData = open("listen.address", cfg.Listen.Address)
	s.adminAddr, errAdmin = open("admin.address", cfg.Admin.Address)
	if err := errors.Join(errData, errAdmin); err != nil {
		return problems(s.options.path, err)
	}
	s.taking = &proxy.TakeListener{Listener: s.dataAddr, Timeout: cfg.Listen.TakeTimeout.Std(), Now: time.Now}
	bounds := s.startedAs.bounds()
	s.dataAddr = &proxy.Listener{
		Listener: s.taking, TLS: s.data.TLSConfig.Clone(), Handshake: bounds.Head, HeadBytes: bounds.HeadBytes, H2C: cfg.Listen.H2C,
		Refusals: s.refusals, Observer: s.recorder, Policy: s.handler.Policy, Now: time.Now, NewID: s.newID,
	}
	return nil
}
