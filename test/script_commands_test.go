package test_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func loopback(address string) (net.Listener, error) {
	return net.Listen("tcp", address)
}

// serve [-unready] [MODE...] starts a sidecar per mode, by default one in shadow
// and one that enforces, with sidewarden.yaml in which @mode@ is the mode. It
// waits for readiness; -unready asks that it never comes in the first moments.
func (s *story) serve(_ *testscript.TestScript, args []string) error {
	want := 200
	if len(args) > 0 && args[0] == "-unready" {
		want, args = 503, args[1:]
	}
	if len(args) == 0 {
		args = []string{"shadow", "enforce"}
	}
	for _, mode := range args {
		if err := s.stop(mode); err != nil {
			return err
		}
		config, err := configure(s.dir, "sidewarden.yaml", mode)
		if err != nil {
			return err
		}
		s.sidecars[mode], err = start(config, "BACKEND=http://"+s.backend.address, "BACKEND_TLS=https://"+s.backend.address, "IDP="+s.idp.issuer()+"/jwks", "ISSUER="+s.idp.issuer(),
			"AUDIT="+filepath.Join(s.dir, mode+".jsonl"), "PSEUDONYM="+pseudonymKey,
			"OPAQUE=http://"+s.clerk.address+"/idp", "OTHER=http://"+s.clerk.address+"/other", "CLIENT_SECRET="+asksSecret)
		if err != nil {
			delete(s.sidecars, mode)
			return err
		}
		if err := s.sidecars[mode].awaitReadiness(want); err != nil {
			return err
		}
	}
	return nil
}

func (s *sidecar) awaitReadiness(want int) error {
	return eventually(func() error {
		status, body, err := s.get("/readyz")
		if err == nil && status != want {
			err = fmt.Errorf("/readyz answers %d, want %d: %s", status, want, body)
		}
		return err
	})
}

// ready MODE STATUS waits until /readyz answers so.
func (s *story) ready(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	want, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return c.awaitReadiness(want)
}

// terminate [MODE...] ends sidecars with SIGTERM and asks for exit code 0.
func (s *story) terminate(_ *testscript.TestScript, args []string) error { return s.stop(args...) }

// reload MODE success|failure FILE replaces the configuration by FILE, sends
// SIGHUP, and waits until that reload is counted.
func (s *story) reload(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	sample := fmt.Sprintf("sidewarden_reload_total{result=%q}", args[1])
	before, err := c.metric(sample)
	if err != nil {
		return err
	}
	if _, err := configure(s.dir, args[2], args[0]); err != nil {
		return err
	}
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return eventually(func() error {
		now, err := c.metric(sample)
		if err == nil && now == before {
			err = fmt.Errorf("%s stays %s\n%s", sample, now, c.stderr)
		}
		return err
	})
}

// exits CODE ARG... runs the binary and asks for an exit code; stdout and stderr
// can be looked at afterwards.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	err = ts.Exec("sidewarden", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// token NAME [-signer rsa|ec|stranger] [-fault NAME] [-bound SIGNER] [-certified FILE.pem]
// [-header NAME=JSON] [CLAIM=JSON...] mints a token that is good but for what is given. A value that
// is not JSON is a string; now+61s and now-1h are times; "-" removes.
func (s *story) token(ts *testscript.TestScript, args []string) error {
	signer, spec := tokentest.RSA(), tokentest.Spec{Header: map[string]any{}}
	change := map[string]any{"jti": args[0], "scope": "orders:read orders:write"}
	for rest := args[1:]; len(rest) > 0; rest = rest[1:] {
		flag := rest[0]
		if !strings.HasPrefix(flag, "-") {
			name, value, _ := strings.Cut(flag, "=")
			change[name] = claim(value)
			continue
		}
		if rest = rest[1:]; len(rest) == 0 {
			return fmt.Errorf("%s needs a value", flag)
		}
		switch flag {
		case "-signer":
			signer = signers()[rest[0]]
		case "-fault":
			spec.Fault = faults()[rest[0]]
		case "-bound":
			change["cnf"] = map[string]any{"jkt": signers()[rest[0]].Thumbprint()}
		case "-certified":
			pair, err := tls.LoadX509KeyPair(ts.MkAbs(rest[0]), ts.MkAbs(strings.TrimSuffix(rest[0], ".pem")+"-key.pem"))
			if err != nil {
				return err
			}
			sum := sha256.Sum256(pair.Certificate[0])
			change["cnf"] = map[string]any{"x5t#S256": tokentest.Encode(sum[:])}
		case "-header":
			name, value, _ := strings.Cut(rest[0], "=")
			spec.Header[name] = claim(value)
		default:
			return fmt.Errorf("unknown flag %s", flag)
		}
	}
	if signer == nil {
		return errors.New("no such signer")
	}
	spec.Claims = tokentest.Claims("https://idp.example.net", "https://api.example.net", time.Now(), change)
	s.tokens[args[0]] = signer.Mint(spec)
	return nil
}

func signers() map[string]*tokentest.Signer {
	return map[string]*tokentest.Signer{
		"rsa": tokentest.RSA(), "ec": tokentest.EC(), "stranger": tokentest.Fresh("RS256", "rsa-1"),
		"client": tokentest.Shared("EdDSA", ""), "other": tokentest.Shared("ES384", ""),
	}
}

func faults() map[string]tokentest.Fault {
	return map[string]tokentest.Fault{
		"flipped": tokentest.FlippedBit, "empty": tokentest.EmptySignature, "zero": tokentest.ZeroSignature,
		"hmac-pem": tokentest.HMACWithPEM, "hmac-der": tokentest.HMACWithDER, "hmac-jwk": tokentest.HMACWithJWK,
	}
}

// claim reads a value of a token.
func claim(text string) any {
	if text == "-" {
		return nil
	}
	if offset, ok := strings.CutPrefix(text, "now"); ok {
		if d, err := time.ParseDuration(offset); err == nil {
			return time.Now().Add(d).Unix()
		}
	}
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		return value
	}
	return text
}

// keys FILE [rsa|ec...] writes a key set.
func (s *story) keys(ts *testscript.TestScript, args []string) error {
	var list []*tokentest.Signer
	for _, name := range args[1:] {
		list = append(list, signers()[name])
	}
	return os.WriteFile(ts.MkAbs(args[0]), tokentest.JWKS(list...), 0o600)
}

// idp up FILE [NAME METADATA] serves a key set at $IDP, and with it a file of
// metadata, in which @issuer@ is $ISSUER, under a well-known name; idp down stops
// that.
func (s *story) runIDP(ts *testscript.TestScript, args []string) error {
	if args[0] == "down" {
		s.idp.down()
		return nil
	}
	s.idp.down()
	keys := []byte(ts.ReadFile(args[1]))
	if len(args) < 4 {
		return s.idp.up(keys, "", nil)
	}
	return s.idp.up(keys, args[2], []byte(strings.ReplaceAll(ts.ReadFile(args[3]), "@issuer@", s.idp.issuer())))
}

// backend up|down starts or stops it; backend tls CERT KEY makes it an https one, with
// TLS 1.2 and 1.3, at $BACKEND_TLS; backend saw N asks that N requests came
// since the last such line; backend last FIELD=VALUE... looks at the latest one:
// method, target, host, body, header.NAME.
func (s *story) backendIs(ts *testscript.TestScript, args []string) error {
	switch args[0] {
	case "up":
		return s.backend.up()
	case "down":
		s.backend.down()
		return nil
	case "tls":
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(args[1]), ts.MkAbs(args[2]))
		if err != nil {
			return err
		}
		s.backend.down()
		s.backend.secure = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
		return s.backend.up()
	case "saw":
		defer func() { s.marked = len(s.backend.requests()) }()
		return eventually(func() error {
			if n := len(s.backend.requests()) - s.marked; strconv.Itoa(n) != args[1] {
				return fmt.Errorf("the backend saw %d requests, want %s", n, args[1])
			}
			return nil
		})
	}
	all := s.backend.requests()
	if len(all) == 0 {
		return errors.New("the backend saw no request")
	}
	r := all[len(all)-1]
	return compare(args[1:], func(field string) (string, error) {
		if name, ok := strings.CutPrefix(field, "header."); ok {
			return strings.Join(r.Header.Values(name), "|"), nil
		}
		value, ok := map[string]string{"method": r.Method, "target": r.Target, "host": r.Host, "body": string(r.Body)}[field]
		if !ok {
			return "", fmt.Errorf("unknown field %s", field)
		}
		return value, nil
	})
}
