package test_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// gatewayKey is the key by which the gateway of a script signs; scripts have it in the
// file key, and HAProxy in base64.
const gatewayKey = "key-of-the-gateway-of-scripts-0123456789"

// sign NAME METHOD TARGET [-key KEY] [-age DURATION] [-without COMPONENT] signs a request
// as the gateway does (RFC 9421). The signature is used as @NAME@, what it says of itself
// as @NAME-input@.
func (s *story) sign(_ *testscript.TestScript, args []string) error {
	if len(args) < 3 {
		return errors.New("usage: sign NAME METHOD TARGET [FLAG VALUE]")
	}
	path, query, _ := strings.Cut(args[2], "?")
	signature := tokentest.MessageSignature{Key: gatewayKey}
	age, without := time.Duration(0), ""
	for rest := args[3:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) < 2 {
			return fmt.Errorf("%s needs a value", rest[0])
		}
		switch rest[0] {
		case "-key":
			signature.Key = rest[1]
		case "-age":
			var err error
			if age, err = time.ParseDuration(rest[1]); err != nil {
				return err
			}
		case "-without":
			without = rest[1]
		default:
			return fmt.Errorf("unknown flag %s", rest[0])
		}
	}
	for _, c := range [][2]string{{"@method", args[1]}, {"@authority", "api.example.net"}, {"@path", path}, {"@query", "?" + query}} {
		if c[0] != without {
			signature.Components = append(signature.Components, c)
		}
	}
	signature.Params = fmt.Sprintf(";created=%d", time.Now().Add(-age).Unix())
	s.tokens[args[0]+"-input"], s.tokens[args[0]] = signature.Fields()
	return nil
}

// thumbprint CERT FILE writes the thumbprint of a certificate as openssl prints it.
func (s *story) thumbprint(ts *testscript.TestScript, args []string) error {
	block, _ := pem.Decode([]byte(ts.ReadFile(args[0])))
	if block == nil {
		return errors.New("no certificate")
	}
	sum := sha256.Sum256(block.Bytes)
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	return os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(pairs, ":")+"\n"), 0o600)
}

// haproxy FILE starts HAProxy in front of every sidecar that runs, by a configuration in
// which @bind@ is where it listens and @sidecar@ the address of the sidecar.
func (s *story) haproxy(ts *testscript.TestScript, args []string) error {
	for _, mode := range s.modes() {
		l, err := loopback("127.0.0.1:0")
		if err != nil {
			return err
		}
		listening, err := l.(*net.TCPListener).File() //nolint:errcheck // that is what loopback listens with
		if err != nil {
			return err
		}
		text := strings.NewReplacer("@bind@", "fd@3", "@sidecar@", s.sidecars[mode].data).Replace(ts.ReadFile(args[0]))
		path := filepath.Join(s.dir, mode+"-haproxy.cfg")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		cmd := exec.Command("/usr/sbin/haproxy", "-db", "-f", path)
		said := &strings.Builder{}
		cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{listening}, said, said
		cmd.Env = append(os.Environ(), "GATEWAY_KEY_BASE64="+ts.Getenv("GATEWAY_KEY_BASE64"))
		if err := cmd.Start(); err != nil {
			return err
		}
		s.gateways[mode] = l.Addr().String()
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // a signal ends it
			close(ended)
		}()
		ts.Defer(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			select {
			case <-ended:
			case <-time.After(patience):
				_ = cmd.Process.Kill() // as above
				<-ended
			}
			ts.Logf("haproxy of %s: %s", mode, said)
		})
		if err := errors.Join(listening.Close(), l.Close()); err != nil {
			return err
		}
	}
	return nil
}

// through MODE REQUEST is req to the gateway in front of the sidecar of a mode.
func (s *story) through(ts *testscript.TestScript, args []string) error {
	p, err := s.parse(ts, args[1:])
	if err != nil {
		return err
	}
	a, err := p.send(s.gateways[args[0]])
	if err != nil {
		return err
	}
	delete(s.last, args[0]) // audit looks at the latest record
	return a.check(p.expect)
}

// bypass MODE FIELD=VALUE... looks at /bypass, until it is so. A field of a list is its
// number.
func (s *story) bypassIs(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	return eventually(func() error {
		_, body, err := c.get("/bypass")
		if err != nil {
			return err
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			return permanent{err}
		}
		for _, test := range []string{"arrivals", "listeners", "connections"} {
			of, _ := doc[test].(map[string]any)
			for name, list := range of {
				if all, is := list.([]any); is {
					of[name] = numbered(all)
				}
			}
		}
		if err := compare(args[1:], func(field string) (string, error) { return fieldOf(doc, field) }); err != nil {
			return fmt.Errorf("%w\nthe document is %.4000s", err, body)
		}
		return nil
	})
}

func numbered(list []any) map[string]any {
	all := map[string]any{"length": len(list)}
	for i, each := range list {
		all[fmt.Sprint(i)] = each
	}
	return all
}

// expose ADDRESS makes the backend listen at another address, with the same port, beside
// which it stays reachable at loopback if that is part of it.
func (s *story) expose(_ *testscript.TestScript, args []string) error {
	loop := s.backend.address
	_, port, err := net.SplitHostPort(loop)
	if err != nil {
		return err
	}
	s.backend.down()
	s.backend.address = net.JoinHostPort(args[0], port)
	err = s.backend.up()
	s.backend.address = loop
	return err
}

// direct connects to the backend past the sidecar, and direct close ends that.
func (s *story) connectDirectly(ts *testscript.TestScript, args []string) error {
	if len(args) > 0 {
		return s.direct.Close()
	}
	c, err := (&call{}).dial(s.backend.address)
	if err != nil {
		return err
	}
	s.direct = c
	ts.Defer(func() { _ = c.Close() }) // it may be closed already
	return nil
}
