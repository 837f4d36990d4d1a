package config

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"go.yaml.in/yaml/v4"
)

// referencePattern is the form of a reference. It must be the whole string.
const referencePattern = `^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\}$`

var referenceForm = regexp.MustCompile(referencePattern)

const masked = "[secret]"

// Secret is a string that never prints: String, GoString, Format, MarshalYAML,
// MarshalJSON, MarshalText and LogValue all give "[secret]", also inside of
// other values. Only Reveal returns it. In the file it must be a reference,
// `${env:NAME}` or `${file:/path}`, never a literal.
type Secret struct {
	// A pointer, so that a Secret in an unexported field, where fmt can not
	// call Format, prints an address and not the value.
	value *string
}

// NewSecret returns a secret with the value. It is meant for tests and for
// values that do not come from the file.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the value; "" when the secret is not set.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is not set.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String returns "[secret]".
func (s Secret) String() string { return masked }

// GoString returns "[secret]".
func (s Secret) GoString() string { return masked }

// Format writes "[secret]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) {
	// fmt offers no way to report the error.
	_, _ = io.WriteString(f, masked)
}

// MarshalYAML returns "[secret]".
func (s Secret) MarshalYAML() (any, error) { return masked, nil }

// MarshalJSON returns "[secret]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// MarshalText returns "[secret]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// UnmarshalYAML reads a reference without resolving it; [Parse] does that. Any
// other value is refused and not quoted, for it may be a secret.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.ShortTag() != "!!str" || !referenceForm.MatchString(n.Value) {
		return badValue{"a secret must not stand in this file", "write ${env:NAME} or ${file:/path} and keep the value there"}
	}
	*s = NewSecret(n.Value)
	return nil
}

func (s *Secret) describe() scalarType {
	return scalarType{"secret", map[string]any{"type": "string", "pattern": referencePattern}}
}
