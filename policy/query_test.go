package policy_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
)

func TestParseQuery(t *testing.T) {
	tests := []struct {
		rule string
		raw  string
		want []policy.Pair
	}{
		{"an empty query has no pairs", "", nil},
		{"a pair is split at the equals sign", "a=1", []policy.Pair{{"a", "1"}}},
		{"order and duplicates are kept", "b=2&a=1&b=3", []policy.Pair{{"b", "2"}, {"a", "1"}, {"b", "3"}}},
		{"a name without a value has an empty one", "a&b=", []policy.Pair{{"a", ""}, {"b", ""}}},
		{"a value without a name is kept", "=1", []policy.Pair{{"", "1"}}},
		{"the first equals sign splits", "a=b=c", []policy.Pair{{"a", "b=c"}}},
		{"empty parts are no pairs", "&&a=1&", []policy.Pair{{"a", "1"}}},
		{"only empty parts are no pairs", "&&", []policy.Pair{}},
		{"both parts are decoded", "%61%3D=%26", []policy.Pair{{"a=", "&"}}},
		{"a plus is a space", "a+b=c+d", []policy.Pair{{"a b", "c d"}}},
		{"a coded plus is a plus", "a=%2B", []policy.Pair{{"a", "+"}}},
		{"what cannot be decoded is kept as sent", "a=%zz+b", []policy.Pair{{"a", "%zz+b"}}},
		{"a cut escape is kept as sent", "a%=%4", []policy.Pair{{"a%", "%4"}}},
		{"name and value are decoded apart", "%zz=%31", []policy.Pair{{"%zz", "1"}}},
		{"a semicolon separates nothing", "a=1;b=2", []policy.Pair{{"a", "1;b=2"}}},
		{"bytes need not be text", "a=%ff%00", []policy.Pair{{"a", "\xff\x00"}}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			assert.Equal(t, tt.want, policy.ParseQuery(tt.raw))
		})
	}
}

func TestParseQueryReadsWhatEncodeWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := url.Values(rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.String(), 1, 3)).Draw(t, "values"))
		assert.Equal(t, values, grouped(policy.ParseQuery(values.Encode())))
	})
}

// grouped is the pairs as url.Values, which forgets only the order of names.
func grouped(pairs []policy.Pair) url.Values {
	values := url.Values{}
	for _, p := range pairs {
		values.Add(p.Name, p.Value)
	}
	return values
}

// FuzzParseQuery: any query is read without a panic and in order; the pairs are
// no longer than the query; where the standard library can read the query too,
// both read the same; the pairs survive being encoded again.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2&a=3", "&&=&%zz=%31", "a+b=%2B;c", "a=%ff", strings.Repeat("a&", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > 64<<10 {
			return
		}
		pairs := policy.ParseQuery(raw)
		total := 0
		for _, p := range pairs {
			total += len(p.Name) + len(p.Value)
		}
		assert.LessOrEqual(t, total, len(raw))
		assert.LessOrEqual(t, len(pairs), strings.Count(raw, "&")+1)
		if values, err := url.ParseQuery(raw); err == nil {
			assert.Equal(t, values, grouped(pairs))
		}
		assert.Equal(t, grouped(pairs), grouped(policy.ParseQuery(grouped(pairs).Encode())))
	})
}
