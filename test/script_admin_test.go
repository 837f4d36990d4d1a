package test_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
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

// census MODE [PLACE] FIELD=VALUE... looks at /census, by default at the whole
// document. PLACE is an issuer, or ISSUER!CLIENT, or ISSUER!CLIENT!OPERATION; a CLIENT
// that is a number counts the issuer's clients from 0. Fields are paths such as
// tokens.algorithms.RS256.
func (s *story) censusIs(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	place, expect := "", args[1:]
	if !strings.ContainsAny(expect[0], "=~") {
		place, expect = expect[0], expect[1:]
	}
	return eventually(func() error {
		_, body, err := c.get("/census")
		if err != nil {
			return err
		}
		var at map[string]any
		if err := json.Unmarshal([]byte(body), &at); err != nil {
			return permanent{err}
		}
		for i, name := range strings.Split(place, "!") {
			if at = childOf(at, i, name); at == nil {
				return fmt.Errorf("no %s: there is no %q in %s", place, name, body)
			}
		}
		if err := compare(expect, func(field string) (string, error) { return fieldOf(at, field) }); err != nil {
			return fmt.Errorf("%w\nthe census is %s", err, body)
		}
		return nil
	})
}

// childOf goes down one level of a census; nil when there is none of that name.
func childOf(at map[string]any, level int, name string) map[string]any {
	if name == "" {
		return at
	}
	kind := []string{"issuer", "client", "operation"}[level]
	list, _ := at[kind+"s"].([]any)
	for i, each := range list {
		if each, ok := each.(map[string]any); ok && (each[kind] == name || strconv.Itoa(i) == name) {
			return each
		}
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
