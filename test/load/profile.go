package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kind is the program behind a profile.
type kind uint8

const (
	kindBare    kind = iota // the bare proxy as it is
	kindTuned               // the bare proxy with the sidecar's GOGC, GOMEMLIMIT and PGO
	kindSidecar             // the program of this project
	kindHAProxy             // a reference with checks of its own, where it is installed
	kindNginx               // a reference without any, where it is installed
)

// profile is one proxy with one configuration.
type profile struct {
	name    string
	kind    kind
	mode    string // of every control: off, shadow, enforce
	control string // the only one that is not off, in shadow
	replay  bool   // tok.replay asks for tokens that are used once
}

const (
	modeOff     = "off"
	modeShadow  = "shadow"
	modeEnforce = "enforce"

	controlReplay = "tok.replay"
	unmatched     = "unmatched" // the row of requests to no operation
	nameBare      = "bare"
	nameTuned     = "bare-tuned"
)

// profiles returns what is driven, in order. Controls are those that the sidecar
// has a rule for when everything is in shadow; tok.replay joins alone, because
// with it no token can be used twice. A control alone is in shadow, where it needs
// no other: none can enforce without what it needs.
func profiles(controls []string) []profile {
	all := []profile{
		{name: nameBare, kind: kindBare},
		{name: nameTuned, kind: kindTuned},
		{name: modeOff, kind: kindSidecar, mode: modeOff},
		{name: modeShadow, kind: kindSidecar, mode: modeShadow},
		{name: modeEnforce, kind: kindSidecar, mode: modeEnforce},
		{name: "haproxy", kind: kindHAProxy},
		{name: "nginx", kind: kindNginx},
	}
	for _, c := range append(slices.Clone(controls), controlReplay) {
		all = append(all, profile{name: c, kind: kindSidecar, mode: modeOff, control: c, replay: c == controlReplay})
	}
	return all
}

// expected returns the letter of every control that must have a rule for an
// operation, as `check` prints it. A token may be used again where no operation is.
func (p profile) expected(operation string, controls []string) map[string]string {
	want := map[string]string{}
	switch {
	case p.replay && operation == unmatched:
	case p.control != "":
		want[p.control] = "S"
	case p.mode == modeShadow, p.mode == modeEnforce:
		for _, c := range controls {
			want[c] = strings.ToUpper(p.mode[:1])
		}
	}
	return want
}

// checked is what `sidewarden check` says of a configuration.
type checked struct {
	digest string
	// modes has a letter by operation and control; a control without a rule has
	// none.
	modes map[string]map[string]string
}

// controls returns the controls that have a rule, sorted.
func (c checked) controls() []string {
	seen := map[string]bool{}
	var all []string
	for _, row := range c.modes {
		for control := range row {
			if !seen[control] {
				seen[control] = true
				all = append(all, control)
			}
		}
	}
	slices.Sort(all)
	return all
}

// parseCheck reads the end of the output of `sidewarden check`: the digest of the
// policy and the table of modes.
func parseCheck(output string) (checked, error) {
	c := checked{modes: map[string]map[string]string{}}
	digest := regexp.MustCompile(`(?m)^# policy (\S+)$`).FindStringSubmatch(output)
	_, table, found := strings.Cut(output, "\n#  operation")
	if digest == nil || !found {
		return c, errors.New("the output of check has no digest or no table of modes")
	}
	c.digest = digest[1]
	lines := strings.Split(table, "\n")
	columns := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		cells := strings.Fields(strings.TrimPrefix(line, "#"))
		if len(cells) == 0 {
			break
		}
		if len(cells) != len(columns)+1 {
			return c, fmt.Errorf("the table of check has a row of %d cells for %d controls", len(cells), len(columns))
		}
		row := map[string]string{}
		for i, letter := range cells[1:] {
			if letter != "." {
				row[columns[i]] = letter
			}
		}
		c.modes[cells[0]] = row
	}
	return c, nil
}

// matches compares every operation's modes with those that a profile must have.
func (c checked) matches(p profile, controls []string) error {
	if len(c.modes) < 3 {
		return fmt.Errorf("check lists %d operations, of two and the unmatched one", len(c.modes))
	}
	for operation, row := range c.modes {
		want := p.expected(operation, controls)
		for control, letter := range want {
			if row[control] != letter {
				return fmt.Errorf("operation %s: check says %q for %s, the profile wants %q", operation, row[control], control, letter)
			}
		}
		if len(row) != len(want) {
			return fmt.Errorf("operation %s has %d rules, the profile wants %d", operation, len(row), len(want))
		}
	}
	return nil
}
