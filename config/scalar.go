package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// scalar is a type of this package that is written as one YAML scalar. Its
// UnmarshalYAML is called with the node as it stands in the file, and returns a
// [badValue] so that the problem can tell cause and fix apart.
type scalar interface {
	yaml.Unmarshaler
	yaml.Marshaler
	IsZero() bool
	describe() scalarType
}

// scalarType is what manual and JSON Schema say of a scalar.
type scalarType struct {
	name   string // Word for the manual.
	schema map[string]any
}

// badValue is the error of a scalar that can not be read.
type badValue struct{ cause, fix string }

// Error returns cause and fix.
func (e badValue) Error() string { return e.cause + "; " + e.fix }

// Patterns of the scalars, shared by parser and JSON Schema. They bound the
// number of digits, so that what matches also fits (durations: see
// [maxDuration]).
const (
	sizePattern     = `^([0-9]{1,18}B?|[0-9]{1,9}(KiB|MiB|GiB))$`
	durationPattern = `^([0-9]{1,9}(\.[0-9]{1,9})?(h|ms|m|s|us|ns))+$`
	ratePattern     = `^[1-9][0-9]{0,8}/(s|m|h)$`
	quotaPattern    = `^[1-9][0-9]{0,14}/(hour|day|month)$`
)

const (
	maxSize     = 1e18 - 1
	maxDuration = 10 * 365 * 24 * time.Hour
)

var (
	sizeForm     = regexp.MustCompile(sizePattern)
	durationForm = regexp.MustCompile(durationPattern)
	rateForm     = regexp.MustCompile(ratePattern)
	quotaForm    = regexp.MustCompile(quotaPattern)
)

// Size is a number of bytes. It is written as a plain integer or with one of the
// units B, KiB, MiB and GiB: 1MiB, 512KiB, 100B, 4096.
type Size int64

// ParseSize reads a size as it is written in the file.
func ParseSize(s string) (Size, error) {
	if !sizeForm.MatchString(s) {
		return 0, badValue{quote(s) + " is not a size", "write a whole number with an optional unit B, KiB, MiB or GiB, for example 1MiB"}
	}
	unit := Size(1)
	for _, u := range sizeUnits() {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, badValue{quote(s) + " is not a size", "write a smaller number"}
	}
	return Size(n) * unit, nil
}

type sizeUnit struct {
	name  string
	bytes Size
}

// sizeUnits returns the units, largest first; B is last because every other
// unit ends in it.
func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// String returns the size with the largest unit that divides it and in which
// ParseSize reads it.
func (s Size) String() string {
	const most = 1e9 // what the pattern takes before a unit of more than a byte
	for _, u := range sizeUnits() {
		if s%u.bytes == 0 && (u.bytes == 1 || s/u.bytes < most) {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return ""
}

// IsZero reports whether the size is zero, which no field asks for.
func (s Size) IsZero() bool { return s == 0 }

// MarshalYAML returns the size as a string.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalYAML reads an integer or a string.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!int":
		var v int64
		if err := n.Decode(&v); err != nil || v < 0 || v > maxSize {
			return badValue{quote(n.Value) + " is not a size", "write a whole number of bytes, at least 0 and less than 1e18"}
		}
		*s = Size(v)
		return nil
	case "!!str":
		v, err := ParseSize(n.Value)
		*s = v
		return err
	default:
		return badValue{"a size is expected, not " + kindOf(n), "write for example 1MiB"}
	}
}

func (s *Size) describe() scalarType {
	return scalarType{"size", map[string]any{"oneOf": []any{
		map[string]any{"type": "integer", "minimum": 0, "maximum": int64(maxSize)},
		map[string]any{"type": "string", "pattern": sizePattern},
	}}}
}

// Duration is a length of time in the syntax of Go without sign, at most ten
// years: 50ms, 30s, 1h30m.
type Duration time.Duration

// ParseDuration reads a duration as it is written in the file.
func ParseDuration(s string) (Duration, error) {
	if !durationForm.MatchString(s) {
		return 0, badValue{quote(s) + " is not a duration", "write numbers with units h, m, s, ms, us or ns, for example 30s or 1h30m"}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > maxDuration {
		return 0, tooLong(s)
	}
	return Duration(d), nil
}

// tooLong is the only refusal of a duration that its pattern does not state.
func tooLong(s string) badValue {
	return badValue{quote(s) + " is longer than ten years", "write a shorter duration"}
}

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the duration without units that are zero: 5m, not 5m0s.
func (d Duration) String() string {
	s := strings.ReplaceAll(time.Duration(d).String(), "µ", "u")
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsZero reports whether the duration is zero.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalYAML returns the duration as a string.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// UnmarshalYAML reads a string; a bare number has no unit and is refused.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return badValue{"a duration is expected, not " + kindOf(n), "write a number with a unit, for example 30s"}
	}
	v, err := ParseDuration(n.Value)
	*d = v
	return err
}

func (d *Duration) describe() scalarType {
	return scalarType{"duration", map[string]any{"type": "string", "pattern": durationPattern}}
}

// Mode is what happens with the verdict of a control.
type Mode string

// The modes. The zero value, "", is no mode.
const (
	// Off does not judge.
	Off Mode = "off"
	// Shadow judges, records and forwards.
	Shadow Mode = "shadow"
	// Enforce judges, records and blocks.
	Enforce Mode = "enforce"
)

func modes() []string { return []string{string(Off), string(Shadow), string(Enforce)} }

// ParseMode reads a mode as it is written in the file.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Off, Shadow, Enforce:
		return m, nil
	default:
		return "", badValue{quote(s) + " is not a mode", DidYouMean(s, modes())}
	}
}

// String returns the mode as it is written in the file.
func (m Mode) String() string { return string(m) }

// IsZero reports whether this is no mode.
func (m Mode) IsZero() bool { return m == "" }

// MarshalYAML returns the mode as a string.
func (m Mode) MarshalYAML() (any, error) { return string(m), nil }

// UnmarshalYAML reads a string. YAML 1.2 has off as a string, quoted or not.
func (m *Mode) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return badValue{"a mode is expected, not " + kindOf(n), "use one of " + strings.Join(modes(), ", ")}
	}
	v, err := ParseMode(n.Value)
	*m = v
	return err
}

func (m *Mode) describe() scalarType {
	return scalarType{strings.Join(modes(), ", "), map[string]any{"type": "string", "enum": anys(modes())}}
}
