package schema

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func decimalOf(text string) decimal { return parseDecimal([]byte(text)) }

func TestDecimalsCompareExactly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"0", "-0", 0},
		{"0", "0.000e17", 0},
		{"-0", "0e-5", 0},
		{"1", "1.0", 0},
		{"1", "10e-1", 0},
		{"1", "0.1E+1", 0},
		{"1e3", "1000", 0},
		{"1000000000000000000000", "1e21", 0},
		{"12345678901234567890", "1234567890123456789e1", 0},
		{"0.1", "0.10000000000000000000000000000001", -1},
		{"0.3", "0.30000000000000004", -1},
		{"9007199254740992", "9007199254740993", -1},
		{"9999999999999999999", "10000000000000000000", -1},
		{"18446744073709551615", "18446744073709551616", -1},
		{"18446744073709551616", "18446744073709551616.0", 0},
		{"123456789012345678901234567890", "123456789012345678901234567891", -1},
		{"123456789012345678901234567890", "1234567890123456789", 1},
		{"12345678901234567891", "1.2345678901234567891", 1},
		{"-123456789012345678901", "-123456789012345678902", 1},
		{"-1", "0", -1},
		{"0", "1e-400", -1},
		{"0", "-1e-400", 1},
		{"1e-400", "1e-401", 1},
		{"1e308", "9.9e307", 1},
		{"1e308", "12345678901234567890123", 1},
		{"1e-30", "0.12345678901234567890123", -1},
		{"-1e308", "1", -1},
		{"1e19", "1", 1},
		{"1e20", "9999999999999999999", 1},
		{"0.5", "1e19", -1},
		{"1e999999", "1e308", 1},
		{"-1e999999", "-1e308", -1},
		{"1e-999999", "1e-308", -1},
		{"1e99999999999999999999999", "1e999999", 1},
		{"1e-99999999999999999999999", "0", 1},
		{"0e99999999999999999999999", "0", 0},
		{"1e" + strings.Repeat("9", 1000), strings.Repeat("9", 1000), 1},
	} {
		a, b := decimalOf(row.a), decimalOf(row.b)
		assert.Equal(t, row.want, a.compare(b), "%s and %s", row.a, row.b)
		assert.Equal(t, -row.want, b.compare(a), "%s and %s", row.b, row.a)
		assert.Equal(t, row.want == 0, string(a.appendCanonical(nil)) == string(b.appendCanonical(nil)), "the texts of %s and %s", row.a, row.b)
	}
}

func TestDecimalsKnowIntegers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text                   string
		integer, fits32, fits6 bool
	}{
		{"0", true, true, true},
		{"-0.0", true, true, true},
		{"1.0", true, true, true},
		{"1.5", false, false, false},
		{"15e-1", false, false, false},
		{"150e-1", true, true, true},
		{"1.5e1", true, true, true},
		{"2147483647", true, true, true},
		{"2147483648", true, false, true},
		{"-2147483648", true, true, true},
		{"-2147483649", true, false, true},
		{"2.147483647e9", true, true, true},
		{"9223372036854775807", true, false, true},
		{"9223372036854775807.5", false, false, false},
		{"9223372036854775808", true, false, false},
		{"-9223372036854775808", true, false, true},
		{"-9223372036854775808.0000", true, false, true},
		{"-9223372036854775809", true, false, false},
		{"9.223372036854775807e18", true, false, true},
		{"18446744073709551616", true, false, false},
		{"123456789012345678901", true, false, false},
		{"12345678901234567890.1", false, false, false},
		{"1e18", true, false, true},
		{"1e19", true, false, false},
		{"1e999999", true, false, false},
		{"1e-999999", false, false, false},
	} {
		a := decimalOf(row.text)
		assert.Equal(t, row.integer, a.integer(), "%s is an integer", row.text)
		assert.Equal(t, row.fits32, a.fits(32), "%s has 32 bits", row.text)
		assert.Equal(t, row.fits6, a.fits(64), "%s has 64 bits", row.text)
	}
}

func TestDecimalsKnowMultiplesExactly(t *testing.T) {
	t.Parallel()
	power := new(big.Int).Exp(big.NewInt(5), big.NewInt(3000), nil).String() // of 2^-3000 = 5^3000 / 10^3000
	for _, row := range []struct {
		a, d string
		want bool
	}{
		{"0", "0.01", true},
		{"0", "123456789012345678901234567890", true},
		{"10", "2", true},
		{"7", "2", false},
		{"-7", "3.5", true},
		{"0.0075", "0.0001", true},
		{"0.00751", "0.0001", false},
		{"4.5", "1.5", true},
		{"35", "1.5", false},
		{"19.99", "0.01", true},
		{"19.999", "0.01", false},
		{"1.1", "0.1", true},
		{"1e308", "0.123456789", false},
		{"1e308", "0.5", true},
		{"1e308", "123456789", false},
		{"12391239123", "1e-8", true},
		{"100", "50", true},
		{"1e20", "1e19", true},
		{"1e19", "1e20", false},
		{"3e40", "15", true},
		{"3e40", "7", false},
		{"1", "1e-300", true},
		{"1e-300", "1", false},
		{"123456789012345678901234567890", "10", true},
		{"123456789012345678901234567891", "10", false},
		{"123456789012345678901234567890", "3", true},
		{"123456789012345678901234567890", "123456789012345678901234567890", true},
		{"246913578024691357802469135780", "123456789012345678901234567890", true},
		{"246913578024691357802469135781", "123456789012345678901234567890", false},
		{"123456789012345678901234567890", "246913578024691357802469135780", false},
		{"1", "0.00000000000000000000000000000000000001", true},
		{"1e999999", "3", false},
		{"1e999999", "1e-999999", true},
		{"3e999999", "3e-999999", true},
		{"1e99999999999999999999", "0.1", true},
		{"1", power + "e-3000", true},
		{"3", power + "e-3001", true},
		{"1", power + "e-2999", false},
		{"1", "3" + power + "e-3000", false},
		{"340282366920938463463374607431768211456", "1.8446744073709551616", true},
	} {
		assert.Equal(t, row.want, decimalOf(row.a).multipleOf(decimalOf(row.d)), "%s of %s", row.a, row.d)
	}
	assert.False(t, decimalOf("1").multipleOf(decimal{}), "no number but 0 is a multiple of 0")
}

func TestDecimalsHaveOneCanonicalText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0":                         "0",
		"-0.0e7":                    "0",
		"-1.50":                     "-15e-1",
		"1e3":                       "1000",
		"1e18":                      "1000000000000000000",
		"1e19":                      "1e19",
		"1e999999":                  "1e999999",
		"100000000000000000000":     "1e20",
		"123456789012345678901.50":  "1234567890123456789015e-1",
		"-123456789012345678901000": "-123456789012345678901e3",
	} {
		assert.Equal(t, want, string(decimalOf(text).appendCanonical(nil)), text)
	}
}

func TestDecimalsKeepNothingOfTheText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"17", "-1.75e9", "123456789012345678901234567890.5e3"} {
		b := []byte(text)
		a := parseDecimal(b)
		for i := range b {
			b[i] = 'x'
		}
		assert.Zero(t, a.compare(decimalOf(text)), text)
	}
}

func TestDecimalsOfUsualLengthAllocateNothing(t *testing.T) {
	bound, step, dst := decimalOf("1e6"), decimalOf("0.01"), make([]byte, 0, 64)
	for _, text := range []string{"0", "-17", "123456789012345678", "9223372036854775807", "19.99", "1e308", "1e999999", "-1.5e-7"} {
		b := []byte(text)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			a := parseDecimal(b)
			a.compare(bound)
			a.integer()
			a.fits(64)
			a.multipleOf(step)
			dst = a.appendCanonical(dst[:0])
		}), text)
	}
	long := decimalOf("123456789012345678901234567890")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		long.compare(bound)
		long.compare(long)
		dst = long.appendCanonical(dst[:0])
	}), "once it is read, a long number")
}

func TestDecimalsOfAnyExponentCostNothing(t *testing.T) {
	t.Parallel()
	huge := []decimal{decimalOf("1e999999"), decimalOf("7e-999999"), decimalOf("123456789012345678901e" + strings.Repeat("9", 40))}
	start := time.Now() //nolint:forbidigo // it measures what a hang would cost
	for range 1000 {
		for _, a := range huge {
			for _, b := range huge {
				a.compare(b)
				a.multipleOf(b)
			}
		}
	}
	assert.Less(t, time.Since(start), 5*time.Second) //nolint:forbidigo // as above
}

// FuzzDecimal: two literals compare, divide and print as the exact fractions that
// they stand for.
func FuzzDecimal(f *testing.F) {
	for _, pair := range [][2]string{
		{"0", "-0"},
		{"1.0", "10e-1"},
		{"0.0075", "0.0001"},
		{"1e308", "0.123456789"},
		{"12391239123", "1e-8"},
		{"123456789012345678901234567890", "1e20"},
		{"-9223372036854775808", "18446744073709551616"},
		{"340282366920938463463374607431768211456", "1.8446744073709551616"},
		{"9999999999999999999", "9999999999999999999e1"},
		{"7.62939453125e-6", "0.0000000000000000000000000000000000000009"},
	} {
		f.Add(pair[0], pair[1])
	}
	literal := regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$`)
	f.Fuzz(func(t *testing.T, x, y string) {
		if len(x) > 80 || len(y) > 80 || !literal.MatchString(x) || !literal.MatchString(y) {
			return
		}
		a, b := decimalOf(x), decimalOf(y)
		ra, rb := fraction(t, x), fraction(t, y)
		require.Equal(t, ra.Cmp(rb), a.compare(b), "compare")
		require.Equal(t, ra.IsInt(), a.integer(), "integer")
		for _, size := range []int{32, 64} {
			limit := new(big.Int).Lsh(big.NewInt(1), uint(size-1))
			in := ra.IsInt() && ra.Num().Cmp(limit) < 0 && ra.Num().Cmp(limit.Neg(limit)) >= 0
			require.Equal(t, in, a.fits(size), "fits %d", size)
		}
		if rb.Sign() > 0 {
			require.Equal(t, new(big.Rat).Quo(ra, rb).IsInt(), a.multipleOf(b), "multipleOf")
		}
		canonical := string(a.appendCanonical(nil))
		require.Zero(t, fraction(t, canonical).Cmp(ra), "canonical text %s", canonical)
		require.Equal(t, ra.Cmp(rb) == 0, canonical == string(b.appendCanonical(nil)), "one text for each number")
		require.Equal(t, canonical, string(decimalOf(canonical).appendCanonical(nil)))
	})
}

func fraction(t *testing.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	require.True(t, ok, strconv.Quote(text))
	return r
}

func BenchmarkDecimal(b *testing.B) {
	bound, step := decimalOf("1000000"), decimalOf("0.01")
	for _, text := range []string{"17", "123456789012345678", "19.99", "123456789012345678901234567890"} {
		literal := []byte(text)
		b.Run(text+"/bounds", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a := parseDecimal(literal)
				if a.compare(bound) > 0 == a.fits(32) {
					_ = a.integer()
				}
			}
		})
		b.Run(text+"/multipleOf", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parseDecimal(literal).multipleOf(step)
			}
		})
	}
}
