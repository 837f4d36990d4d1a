package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ByteRate is a number of bytes per second: a size with /s behind it, as 1KiB/s. The
// zero value is no rate.
type ByteRate int64

const byteRatePattern = `^([0-9]{1,18}B?|[0-9]{1,9}(KiB|MiB|GiB))/s$`

var byteRateForm = regexp.MustCompile(byteRatePattern)

// ParseByteRate reads a rate as it is written in the file.
func ParseByteRate(s string) (ByteRate, error) {
	size, err := ParseSize(strings.TrimSuffix(s, "/s"))
	if err != nil || !byteRateForm.MatchString(s) {
		return 0, badValue{quote(s) + " is not a rate of bytes", "write a size per second, for example 1KiB/s"}
	}
	return ByteRate(size), nil
}

// String returns the rate as it is written in the file.
func (r ByteRate) String() string { return Size(r).String() + "/s" }

// IsZero reports whether this is no rate.
func (r ByteRate) IsZero() bool { return r == 0 }

// MarshalYAML returns the rate as a string.
func (r ByteRate) MarshalYAML() (any, error) { return r.String(), nil }

// UnmarshalYAML reads a string.
func (r *ByteRate) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" {
		return badValue{"a rate of bytes is expected, not " + kindOf(n), "write for example 1KiB/s"}
	}
	v, err := ParseByteRate(n.Value)
	*r = v
	return err
}

func (r *ByteRate) describe() scalarType {
	return scalarType{"size per second", map[string]any{"type": "string", "pattern": byteRatePattern}}
}
