package policy_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestFiniteIsDoublePrecision(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]bool{
		"0": true, "-0": true, "0.0": true, "0e999": true, "-0.00E-999": true,
		"1": true, "-12.5": true, "1e308": true, "1E+308": true, "-1e308": true,
		"1.7976931348623157e308": true, "17976931348623157e292": true, "0.17976931348623157e309": true,
		"1.7976931348623159e308": false, "9e308": false, "-9e308": false, "10e308": false, "0.9e308": true, "0.9e309": false,
		"999999999999999999999999999999e308":         false,
		"999999999999999999999999999999e-30":         true,
		"1e-308":                                     true,
		"2.2250738585072014E-308":                    true,
		"0.1e-308":                                   false,
		"0.00000000000000000000000000000000001e-300": false,
		"0.00000000000000000000000000000000001e300":  true,
		"100e-310":                                   true,
		"1e309":                                      false,
		"1e-309":                                     false,
		"1e9223372036854775807":                      false,
		"1e-9223372036854775808":                     false,
		"1e99999999999999999999999":                  false,
		"12e9223372036854775807":                     false,
		"0.1e-9223372036854775808":                   false,
		strings.Repeat("9", 308):                     true,
		strings.Repeat("9", 400):                     false,
		"0." + strings.Repeat("0", 400):              true,
	} {
		assert.Equal(t, want, policy.Finite(literal), literal)
	}
}

func FuzzFinite(f *testing.F) {
	for _, seed := range []string{"9e308", "-1e-308", "0.01e310", "12345678901234567890e290", "1.7976931348623158e308"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		got := policy.Finite(literal)
		value, err := strconv.ParseFloat(literal, 64)
		if !got || strings.ContainsAny(literal, "xXpP_iInN+") || err != nil && !math.IsInf(value, 0) {
			return // it decides of JSON numbers alone
		}
		assert.False(t, math.IsInf(value, 0), literal)
		mantissa, _, _ := strings.Cut(strings.ToLower(literal), "e")
		assert.Equal(t, !strings.ContainsAny(mantissa, "123456789"), value == 0, literal)
	})
}
