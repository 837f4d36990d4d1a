package message_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// lenient decodes as the laxest of servers do: what is no escape stays.
func lenient(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		if s = after; !found {
			break
		}
		wide := len(s) > 4 && (s[0] == 'u' || s[0] == 'U')
		if wide {
			s = s[1:]
		}
		n, value := 0, 0
		for n < len(s) && (n < 2 || wide && n < 4) {
			d := strings.IndexByte(digits, strings.ToLower(s[n : n+1])[0])
			if d < 0 {
				break
			}
			value, n = value*16+d, n+1
		}
		switch {
		case wide && n == 4:
			b.WriteRune(rune(value))
			s = s[4:]
		case !wide && n == 2:
			b.WriteByte(byte(value))
			s = s[2:]
		default:
			b.WriteByte('%')
			if wide {
				b.WriteByte('u')
			}
		}
	}
	return b.String()
}

// resolved is a path as servers see it that take both slashes for one, merge them, cut
// parameters and resolve dot segments, in that order.
func resolved(decoded string) []string {
	var out []string
	for _, segment := range strings.FieldsFunc(decoded, func(r rune) bool { return r == '/' || r == '\\' }) {
		switch name, _, _ := strings.Cut(segment, ";"); name {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, name)
		}
	}
	return out
}

// FuzzCanonical: whoever decodes the path of a target that is permitted, once, twice or
// three times, merges slashes, cuts parameters and resolves dots, sees the segments that
// stand there, apart from what is allowed; and nobody sees a control byte, broken UTF-8
// or the end of the path in it.
func FuzzCanonical(f *testing.F) {
	for _, target := range []string{
		"/", "/a/b/", "/a/../b", "/a/%2e%2e/b", "//a", "/a//b", "/a%2fb", "/a%252fb", "/a%25%32%66b", "/a;b/c", "/a/..;/b", "/%c0%af",
		"/caf%C3%A9", "/50%25", "/a%2520b", `/a\b`, "/a%5cb", "/a%00", "/a#b", "/a?b=//../%2f", "/a%u002f", "/a%25u002f", "/%41", "/a%3f", "/a%2523", "/a%2F..%2Fb", "/a/;x/b", "/.%2e", "/%ef%bc%8f", "/%25%254100", "/%25%2575002f",
	} {
		for allow := range byte(8) {
			f.Add(target, allow)
		}
	}
	f.Fuzz(func(t *testing.T, target string, allow byte) {
		allowed := message.Allowance{EncodedSlash: allow&1 > 0, Parameter: allow&2 > 0, EmptySegment: allow&4 > 0}
		r := asked(http.MethodGet, target)
		if reasonOf(message.Target{MaxBytes: 1 << 16, Allow: allowed}, r) != "" || !strings.HasPrefix(target, "/") {
			return
		}
		u, err := url.ParseRequestURI(target)
		require.NoError(t, err)
		require.Equal(t, lenient(r.Path), u.Path)
		if allowed == (message.Allowance{}) {
			clean := path.Clean(u.Path)
			if strings.HasSuffix(u.Path, "/") && clean != "/" {
				clean += "/"
			}
			require.Equal(t, clean, u.Path, "path.Clean sees another path")
		}
		decoded := r.Path
		for range 3 {
			before := decoded
			decoded = lenient(decoded)
			require.True(t, utf8.ValidString(decoded))
			require.False(t, strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f }), "%q", decoded)
			require.NotContains(t, decoded, `\`)
			require.False(t, strings.HasPrefix(decoded, "//"), "%q", decoded)
			if before != r.Path { // decoding again makes no difference that counts
				for _, c := range `/.;?#\` {
					require.Equal(t, strings.Count(before, string(c)), strings.Count(decoded, string(c)), "%q of %q", c, target)
				}
			}
			require.Equal(t, segmentsOf(decoded, allowed), resolved(decoded), "%q", decoded)
			if !allowed.EncodedSlash {
				require.Equal(t, strings.Count(r.Path, "/"), strings.Count(decoded, "/"))
			}
			if !allowed.Parameter {
				require.NotContains(t, decoded, ";")
			}
		}
	})
}

// segmentsOf are the segments of a decoded path as they stand there. Nothing is resolved.
func segmentsOf(decoded string, allowed message.Allowance) []string {
	parts := strings.Split(strings.TrimPrefix(decoded, "/"), "/")
	if parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1] // the slash at the end
	}
	var out []string
	for _, part := range parts {
		if allowed.Parameter {
			part, _, _ = strings.Cut(part, ";")
		}
		if part != "" || !allowed.EmptySegment {
			out = append(out, part)
		}
	}
	return out
}

// TestTargetsAreJudgedInLinearTime judges a megabyte of what is worst. A judgement whose
// cost grows with the square would take hours.
func TestTargetsAreJudgedInLinearTime(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for _, unit := range []string{"%25", "%2525", "%252f", "/", "/.", "/%2e", "/a", ";", "%3b", "%2F", "a", "%C3%A9", "%u0025", "%25u0025", "/;"} {
		target := "/a" + strings.Repeat(unit, size/len(unit))
		for allow := range 8 {
			check := message.Target{
				MaxBytes: 2 * size,
				Allow:    message.Allowance{EncodedSlash: allow&1 > 0, Parameter: allow&2 > 0, EmptySegment: allow&4 > 0},
			}
			began := time.Now() //nolint:forbidigo // what it takes is the question
			require.NotEqual(t, policy.TargetTooLong, reasonOf(check, asked(http.MethodGet, target)))
			require.Less(t, time.Since(began), 30*time.Second, "%s", unit) //nolint:forbidigo // as above
		}
	}
}
