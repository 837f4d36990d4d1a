package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestCoversMediaType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		declared, sent string
		want           bool
	}{
		{"application/json", "application/json", true},
		{"application/json", "application/jsonp", false},
		{"application/json", "application/problem+json", false},
		{"application/*+json", "application/merge-patch+json", true},
		{"application/*+json", "application/json", false},
		{"application/*+json", "text/x+json", false},
		{"application/*+json", "application/x+xml", false},
		{"application/*", "application/x+xml", true},
		{"application/*", "text/plain", false},
		{"text/*", "text/plain", true},
		{"text/*", "textual/plain", false},
		{"*/*", "image/png", true},
		{"application/vnd.*", "application/vnd.x", false},
		{"", "text/plain", false},
	} {
		assert.Equal(t, c.want, policy.CoversMediaType(c.declared, c.sent), "%s %s", c.declared, c.sent)
	}
}

func TestIsToken(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := c > ' ' && c < 0x7f && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", rune(c)) // the delimiters
		assert.Equal(t, want, policy.IsToken([]byte{byte(c)}), "%q", c)
		assert.Equal(t, want, policy.IsToken("a"+string([]byte{byte(c)})), "%q", c)
	}
	assert.False(t, policy.IsToken(""))
}
