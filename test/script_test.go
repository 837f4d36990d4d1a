package test_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// TestScript runs the stories of testdata/script against the binary as it is
// shipped, over real sockets: one attack or operator's story per file. A script
// finds the contract, the configuration and the key set of testdata/base in its
// folder unless it brings its own, and a backend; its commands are documented in
// script_commands_test.go. `go test ./test -run Script/token-alg-none` runs one.
func TestScript(t *testing.T) {
	t.Parallel()
	mustBinary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": command((*story).serve), "ready": command((*story).ready), "terminate": command((*story).terminate), "reload": command((*story).reload),
			"token": command((*story).token), "proof": command((*story).proof), "keys": command((*story).keys), "idp": command((*story).runIDP),
			"introspection": command((*story).introspection), "opaque": command((*story).opaque),
			"cert": command((*story).cert), "handshake": command((*story).handshake), "backend": command((*story).backendIs),
			"req": command((*story).req), "await": command((*story).await), "raw": command((*story).raw),
			"websocket": command((*story).webSocket),
			"denied":    command((*story).denied), "permitted": command((*story).permitted),
			"garbage": command((*story).garbage), "bodies-equal": command((*story).bodiesEqual),
			"audit": command((*story).auditIs), "metric": command((*story).metricIs), "cells": command((*story).cellIs), "census": command((*story).censusIs),
			"endpoints": command((*story).endpointsAre), "scan": command((*story).scan),
			"secrets": command((*story).secrets), "exits": exits,
			"eventually": command((*story).eventually), "addresses": command((*story).addresses),
			"save": command((*story).save), "big-head": command((*story).bigHead),
			"sign": command((*story).sign), "thumbprint": command((*story).thumbprint), "haproxy": command((*story).haproxy), "through": command((*story).through),
			"bypass": command((*story).bypassIs), "expose": command((*story).expose), "direct": command((*story).connectDirectly),
			"fill": command((*story).fill), "keep": command((*story).keep),
		},
	})
}

// The word stop is one of the runner's own: it ends a script as passed, whatever comes
// after it. A sidecar is ended with terminate.
func TestScriptsRunToTheirEnd(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		story, _, _ := strings.Cut(string(text), "\n-- ") // files follow
		assert.NotRegexp(t, `(?m)^\s*(\[[^]]*\]\s*)*stop\b`, story, path)
	}
}

// story is the state of one running script.
type story struct {
	dir      string
	backend  *backend
	idp      *idp
	clerk    *clerk
	sidecars map[string]*sidecar // by mode
	ended    []*sidecar
	tokens   map[string]string
	marked   int // requests that the backend had seen at the last look
	sent     int
	last     map[string]string // request id by mode
	answers  []answered
	waiting  chan result
	gateways map[string]string // addresses of HAProxy, by mode
	direct   net.Conn          // past the sidecar
}

type result struct {
	answer answered
	err    error
}

const pseudonymKey = "pseudonym-key-of-the-script-0123456789"

// setUp gives a script its folder, its backend and its environment.
func setUp(env *testscript.Env) error {
	b, err := newBackend()
	if err != nil {
		return err
	}
	env.Defer(b.down)
	s := &story{
		dir: env.WorkDir, backend: b, sidecars: map[string]*sidecar{}, tokens: map[string]string{}, last: map[string]string{}, gateways: map[string]string{},
	}
	if s.idp, err = newIDP(); err != nil {
		return err
	}
	env.Defer(s.idp.down)
	if s.clerk, err = newClerk(); err != nil {
		return err
	}
	env.Defer(func() { s.clerk.down() })
	if err := prepare(env.WorkDir); err != nil {
		return err
	}
	path, err := binary()
	if err != nil {
		return err
	}
	env.Values["story"] = s
	env.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("BACKEND", "http://"+b.address)
	env.Setenv("BACKEND_TLS", "https://"+b.address)
	env.Setenv("IDP", s.idp.issuer()+"/jwks")
	env.Setenv("ISSUER", s.idp.issuer())
	env.Setenv("AUDIT", filepath.Join(env.WorkDir, "check.jsonl"))
	env.Setenv("PSEUDONYM", pseudonymKey)
	env.Setenv("OPAQUE", "http://"+s.clerk.address+"/idp")
	env.Setenv("OTHER", "http://"+s.clerk.address+"/other")
	env.Setenv("CLIENT_SECRET", asksSecret)
	env.Setenv("GATEWAY_KEY_BASE64", base64.StdEncoding.EncodeToString([]byte(gatewayKey)))
	env.Defer(func() {
		if err := s.stop(); err != nil {
			env.T().Log(err)
			env.T().FailNow()
		}
	})
	return nil
}

// prepare puts the files of testdata/base and a key set into a folder, unless it
// has files of those names.
func prepare(dir string) error {
	files := map[string][]byte{"jwks.json": tokentest.JWKS(tokentest.RSA(), tokentest.EC())}
	for _, name := range []string{"openapi.yaml", "sidewarden.yaml"} {
		b, err := os.ReadFile(filepath.Join("testdata", "base", name))
		if err != nil {
			return err
		}
		files[name] = b
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// configure writes the configuration of one mode from a file with @mode@ in it.
func configure(dir, from, mode string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, from))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, mode+".yaml")
	return path, os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "@mode@", mode)), 0o600)
}

// command makes a command of a script. An error fails the script, or is asked for
// when the command stands behind "!".
func command(do func(*story, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		s, ok := ts.Value("story").(*story)
		if !ok {
			ts.Fatalf("setUp did not run")
		}
		err := do(s, ts, args)
		switch {
		case neg && err == nil:
			ts.Fatalf("unexpected success")
		case neg:
			ts.Logf("[%v]", err)
		case err != nil:
			ts.Fatalf("%v", err)
		}
	}
}

// modes returns the modes in which a sidecar runs, shadow first.
func (s *story) modes() []string {
	var modes []string
	for _, mode := range []string{"shadow", "enforce"} {
		if s.sidecars[mode] != nil {
			modes = append(modes, mode)
		}
	}
	return modes
}

func (s *story) in(mode string) (*sidecar, error) {
	if c := s.sidecars[mode]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no sidecar runs in mode %q", mode)
}

// stop ends the sidecars of some modes, or all.
func (s *story) stop(modes ...string) error {
	var all []error
	for _, mode := range s.modes() {
		if len(modes) == 0 || slices.Contains(modes, mode) {
			all = append(all, s.sidecars[mode].stop())
			s.ended = append(s.ended, s.sidecars[mode])
			delete(s.sidecars, mode)
		}
	}
	return errors.Join(all...)
}

// idp is the token issuer: its key set behind a URL, and its metadata if it has any.
type idp struct {
	address string
	server  *http.Server
}

func (i *idp) issuer() string { return "http://" + i.address }

// newIDP returns an issuer that is down and has an address.
func newIDP() (*idp, error) {
	l, err := loopback("127.0.0.9:0")
	if err != nil {
		return nil, err
	}
	return &idp{address: l.Addr().String()}, l.Close()
}

// up serves metadata under its well-known name, and the key set under all other
// paths that are not well-known.
func (i *idp) up(keys []byte, name string, metadata []byte) error {
	l, err := loopback(i.address)
	if err != nil {
		return err
	}
	i.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known, isKnown := strings.CutPrefix(r.URL.Path, "/.well-known/")
		switch {
		case isKnown && name != "" && known == name:
			_, _ = w.Write(metadata) // as below
			return
		case isKnown:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(keys) // the sidecar tells when it got nothing
	})}
	go func() { _ = i.server.Serve(l) }() // it ends with down
	return nil
}

func (i *idp) down() {
	if i.server != nil {
		_ = i.server.Close() // nobody is left to tell
	}
}
