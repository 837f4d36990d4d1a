package config

import (
	"regexp"
	"time"

	"go.yaml.in/yaml/v4"
)

// Deadline is a moment at which something ends. It is written as a day, which ends
// in UTC, or as a time of RFC 3339, from the year 2000 to 2999: 2027-06-30,
// 2027-06-30T18:00:00+02:00. The zero value, "", is none.
type Deadline string

const (
	dayPattern      = `2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	timePattern     = `T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	deadlinePattern = `^` + dayPattern + `(` + timePattern + `)?$`
)

var deadlineForm = regexp.MustCompile(deadlinePattern)

// ParseDeadline reads a deadline as it is written in the file.
func ParseDeadline(s string) (Deadline, error) {
	if !deadlineForm.MatchString(s) {
		return "", badValue{quote(s) + " is neither a day nor a time", "write for example 2027-06-30, or 2027-06-30T18:00:00Z"}
	}
	if _, ok := Deadline(s).moment(); !ok {
		return "", noSuchDay(s)
	}
	return Deadline(s), nil
}

// noSuchDay is the only refusal of a deadline that its pattern does not state.
func noSuchDay(s string) badValue {
	return badValue{quote(s) + " is not in the calendar", "write a day that exists"}
}

// moment returns the first moment after the deadline.
func (d Deadline) moment() (time.Time, bool) {
	if len(d) == len(time.DateOnly) {
		day, err := time.Parse(time.DateOnly, string(d))
		return day.AddDate(0, 0, 1), err == nil
	}
	at, err := time.Parse(time.RFC3339, string(d))
	return at, err == nil
}

// Until returns the first moment that is over: of a day, the beginning of the next.
// It is the zero time for no deadline.
func (d Deadline) Until() time.Time {
	if at, ok := d.moment(); ok {
		return at.UTC()
	}
	return time.Time{}
}

// String returns the deadline as it is written in the file.
func (d Deadline) String() string { return string(d) }

// IsZero reports whether this is no deadline.
func (d Deadline) IsZero() bool { return d == "" }

// MarshalYAML returns the deadline as a string.
func (d Deadline) MarshalYAML() (any, error) { return string(d), nil }

// UnmarshalYAML reads a string, or what YAML itself takes for a time.
func (d *Deadline) UnmarshalYAML(n *yaml.Node) error {
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!timestamp" {
		return badValue{"a day or a time is expected, not " + kindOf(n), "write for example 2027-06-30"}
	}
	v, err := ParseDeadline(n.Value)
	*d = v
	return err
}

func (d *Deadline) describe() scalarType {
	return scalarType{"day or time", map[string]any{"type": "string", "pattern": deadlinePattern}}
}
