package test_test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// eventually MODE REQUEST is req until its expectations hold.
func (s *story) eventually(ts *testscript.TestScript, args []string) error {
	return eventually(func() error { return s.req(ts, args) })
}

// addresses puts the address of each admin listener into $SHADOW_ADMIN and
// $ENFORCE_ADMIN.
func (s *story) addresses(ts *testscript.TestScript, _ []string) error {
	for mode, c := range s.sidecars {
		ts.Setenv(strings.ToUpper(mode)+"_ADMIN", "http://"+c.admin)
	}
	return nil
}

// save MODE PATH FILE writes what the admin listener answers.
func (s *story) save(ts *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	_, body, err := c.get(args[1])
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[2]), []byte(body), 0o600)
}

// big-head MODE EXPECTATION... sends a head larger than the transport takes.
func (s *story) bigHead(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	big := call{method: "GET", target: "/v1/sites", header: [][2]string{{"X-Big", strings.Repeat("x", 300<<10)}}}
	a, err := big.send(c.data)
	if err != nil && a.status == 0 { // the sidecar does not read the rest, which may cut its answer
		return err
	}
	delete(s.last, args[0]) // audit looks at the latest record
	return a.check(args[1:])
}
