package test_test

import (
	"errors"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// fill FILE replaces @NAME@ in a file by the token of that name.
func (s *story) fill(ts *testscript.TestScript, args []string) error {
	return os.WriteFile(ts.MkAbs(args[0]), []byte(s.withTokens(ts.ReadFile(args[0]))), 0o600)
}

// keep VARIABLE HEADER puts a header of the last answer into the environment.
func (s *story) keep(ts *testscript.TestScript, args []string) error {
	if len(s.answers) == 0 {
		return errors.New("there was no answer")
	}
	ts.Setenv(args[0], strings.Join(s.answers[len(s.answers)-1].header.Values(args[1]), ","))
	return nil
}
