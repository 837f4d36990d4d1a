package demo

import (
	"bytes"
	"context"
	crand "crypto/rand"
	_ "embed" // the contract and the configuration are files
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"text/template"
	"time"
)

// DefaultDuration is how long traffic lasts when Options do not say.
const DefaultDuration = 6 * time.Second

// Options say how the world is made.
type Options struct {
	// Seed decides who is there and what they do, in which order.
	Seed uint64
	// Duration is how long traffic lasts; zero means DefaultDuration.
	Duration time.Duration
	// Gateway says what the gateway does with tokens; empty means PassesToken.
	Gateway Variant
	// Enforce writes a configuration that blocks what the key names.
	Enforce bool
	// Dir is an existing folder for the configuration, the contract and the audit
	// log of the sidecar. It is the caller's to remove.
	Dir string
	// Out gets lines about what goes on; nil means nothing is told.
	Out io.Writer
}

// World is a running world around a sidecar that the caller starts with the file
// that Config names. Its methods are for one goroutine.
type World struct {
	// SidecarURL and AdminURL are where the sidecar will listen; GatewayURL is where
	// clients go.
	SidecarURL, AdminURL, GatewayURL string

	options    Options
	out        io.Writer
	config     string
	pace       time.Duration
	cast       *cast
	issuer     *issuer
	servers    servers
	transports []*http.Transport
	client     *http.Client
	last       Stats // of the last Traffic

	closing sync.Once
	closed  error
}

//go:embed openapi.yaml
var contract []byte

//go:embed sidewarden.yaml.tmpl
var configText string

// Build starts everything around the sidecar and writes its files. On an error
// nothing is left running. Close ends the world.
func Build(ctx context.Context, o Options) (*World, error) {
	if o.Dir == "" {
		return nil, errors.New("the demo has no folder: give one for its files")
	}
	if o.Duration <= 0 {
		o.Duration = DefaultDuration
	}
	if o.Gateway == "" {
		o.Gateway = PassesToken
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	w := &World{options: o, out: o.Out, pace: pace, cast: newCast(newRand(o.Seed, castStream))}
	if err := w.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("build the demo: %w", err), w.Close())
	}
	return w, nil
}

func (w *World) build(ctx context.Context) error {
	balancer, err := w.startBackend(ctx)
	if err != nil {
		return err
	}
	if err := w.startIssuer(ctx); err != nil {
		return err
	}
	addresses, err := reserve(ctx, 2)
	if err != nil {
		return err
	}
	sidecar := &url.URL{Scheme: "http", Host: addresses[0]}
	proof := ""
	if w.options.Gateway == StripsToken {
		proof = crand.Text()
	}
	gateway, err := w.servers.start(ctx, newGateway(w.issuer, sidecar, w.transport(), proof))
	if err != nil {
		return err
	}
	w.SidecarURL, w.AdminURL, w.GatewayURL = sidecar.String(), "http://"+addresses[1], gateway.String()
	w.client = &http.Client{
		Transport:     w.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w.writeFiles(configValues{
		Listen: addresses[0], Admin: addresses[1], Backend: balancer.String(),
		Issuer: w.issuer.url, Audience: audience, Enforce: w.options.Enforce, Strips: proof != "",
		Partner: w.cast.partner.client, Delegated: w.cast.partner.accounts,
	}, proof)
}

// instances is how many the backend has.
const instances = 2

// startBackend starts the instances and returns where their balancer is.
func (w *World) startBackend(ctx context.Context) (*url.URL, error) {
	db := &database{estates: w.cast.backendEstates(), sites: w.cast.sites}
	var nodes []*url.URL
	asserted := w.options.Gateway == StripsToken
	metered := newLimiter(metersOfApp())
	for _, in := range [instances]*instance{
		{name: "ports-1", version: "3.1", db: db, asserted: asserted},
		{name: "ports-2", version: "3.2", db: db, asserted: asserted},
	} {
		in.meters, in.events = metered, newLimiter(eventsOfApp())
		at, err := w.servers.start(ctx, in.handler())
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, at)
	}
	return w.servers.start(ctx, newBalancer(nodes, w.transport()))
}

func (w *World) startIssuer(ctx context.Context) error {
	is, err := newIssuer(w.cast.clients())
	if err != nil {
		return err
	}
	l, at, err := listen(ctx)
	if err != nil {
		return err
	}
	is.url = at.String()
	w.issuer = is
	w.servers.serve(l, is.handler())
	return nil
}

func (w *World) transport() *http.Transport {
	t := newTransport()
	w.transports = append(w.transports, t)
	return t
}

// configValues are what the configuration of the sidecar does not know before
// the world runs.
type configValues struct {
	Listen, Admin, Backend, Issuer, Audience string
	Enforce, Strips                          bool
	// Partner is a client, Delegated the accounts that it may act for.
	Partner   string
	Delegated []string
}

// writeFiles writes what the sidecar gets, with the secret that proves a gateway
// which strips tokens.
func (w *World) writeFiles(values configValues, proof string) error {
	text, err := renderConfig(values)
	if err != nil {
		return err
	}
	w.config = filepath.Join(w.options.Dir, "sidewarden.yaml")
	files := map[string][]byte{
		w.config: text,
		filepath.Join(w.options.Dir, "openapi.yaml"):  contract,
		filepath.Join(w.options.Dir, "pseudonym.key"): []byte(crand.Text()),
	}
	if proof != "" {
		files[filepath.Join(w.options.Dir, "gateway.proof")] = []byte(proof)
	}
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("write the demo's files: %w", err)
		}
	}
	return nil
}

func renderConfig(values configValues) ([]byte, error) {
	t, err := template.New("sidewarden.yaml").Option("missingkey=error").Parse(configText)
	if err != nil {
		return nil, fmt.Errorf("read the configuration's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// Config is the path of the configuration that the sidecar is started with. The
// contract and the key of its pseudonyms lie beside it.
func (w *World) Config() string { return w.config }

// Close ends everything that Build started and waits for it. Further calls
// return the result of the first.
func (w *World) Close() error {
	w.closing.Do(func() {
		for _, t := range w.transports {
			t.CloseIdleConnections()
		}
		w.closed = w.servers.close()
		for _, t := range w.transports {
			t.CloseIdleConnections()
		}
	})
	return w.closed
}
