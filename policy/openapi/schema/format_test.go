package schema

import (
	"encoding/base64"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFormats(t *testing.T) {
	label := strings.Repeat("a", 63)
	for format, rows := range map[string]struct{ good, bad []string }{
		"uuid": {
			[]string{"F47AC10B-58cc-4372-a567-0e02b2c3d479", "00000000-0000-0000-0000-000000000000", "98d80576-482e-f27f-8434-7f86890ab222"},
			[]string{"", "f47ac10b58cc4372a5670e02b2c3d479", "g47ac10b-58cc-4372-a567-0e02b2c3d479", "f47ac10b-58cc-4372-a567-0e02b2c3d479\n", "2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380", "{f47ac10b-58cc-4372-a567-0e02b2c3d479}"},
		},
		"email": {
			[]string{"a.b+c@example.com", "te~st@example.com", "~test@example.com", "test~@example.com", `"joe bloggs"@example.com`, `"joe..bloggs"@example.com`, `"joe@bloggs"@example.com`, `"a\"b"@c.example`, `"\\"@c.example`, `""@c.example`, "joe.bloggs@[127.0.0.1]", "joe.bloggs@[IPv6:::1]", "a@b", strings.Repeat("a", 64) + "@b.example"},
			[]string{"", "a", "a@", "@b", "@", "A <a@b.c>", "a@b.c, d@e.f", "a b@c.d", ".test@example.com", "test.@example.com", "te..st@example.com", "joe.bloggs@invalid=domain.com", "joe.bloggs@[127.0.0.300]", "joe.bloggs@[IPv6:1.2.3.4]", "joe.bloggs@[::1]", "joe.bloggs@[127.0.0.1", "a@[127.0.0.1]x", `"a@b.c`, `"@b.c`, `"a"b"@c.d`, `"\"@c.d`, "\"a\n\"@c.d", "\"a\\\n\"@c.d", "a@b.c\n", "ü@b.c", "a@ü.c", strings.Repeat("a", 65) + "@b.example", "a@-b", "a@b..c"},
		},
		"ipv4": {
			[]string{"1.2.3.4", "0.0.0.0", "255.255.255.255"},
			[]string{"", "1.2.3", "01.2.3.4", "1.2.3.00", "::1", "1.2.3.4/8", "0x1.2.3.4", "256.1.1.1", "1.2.3.4.5", "1.2.3.4.", "1..3.4", "1.2.3.1234", "2130706433", "1২.2.3.4", " 1.2.3.4", "1.2.3.4\n"},
		},
		"ipv6": {
			[]string{"::1", "::", "2001:db8::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "::42:ff:1", "d6::", "FFFF:ffff:ffff:ffff:ffff:ffff:255.255.255.255"},
			[]string{"", "1.2.3.4", "::1%eth0", "::1%", "[::1]", ":::", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::1/64", ":2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "::256.2.3.4", " ::1", "::laptop"},
		},
		"uri": {
			[]string{"https://a.example/b?c=%20#d", "urn:isbn:1", "mailto:a@b.c", "http://foo.com/blah_(wikipedia)_blah#cite-1", "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", "ldap://[2001:db8::7]/c=GB?objectClass?one", "tel:+1-816-555-1212", "http://[::1]:80/", "http://[v1.a:b]/", "a:", "file:///a", "http://a?b/?:@#c/?:@", "http://a:"},
			[]string{"", "/a", "//a.example", "https://a b", "https://a/ü", "https://a/%zz", "https://a/?%z", "https://a/%2", "a\\b:c", "abc", ":a", "1a:b", "bar,baz:foo", "https://[@example.org/test.txt", "https://a/\\.txt", "https://a/<>", "https://a/{}", "https://a/^", "https://a/`", "https://a/|", "https://a/\"", "http://a#b#c", "http://[1.2.3.4]/", "http://[::1", "http://[::1]x/", "http://[::1%25eth0]/", "http://[v.a]/", "http://[v1.]/", "http://[vg.a]/", "http://a:b/", "http://a:1:2/", "http://a@b@c/", "https://a/[b]", "https://a/\x7f"},
		},
		"hostname": {
			[]string{"a", "a-b.example.com", "1.example", "xn--4gbwdl.xn--wgbh1c", "a--b", label, strings.Repeat(label+".", 3) + strings.Repeat("a", 61)},
			[]string{"", ".", "a..b", "-a", "a-", "a-.b", "b.-a", ".a", "a.", "a_b", "ü.example", "a b", label + "a", strings.Repeat(label+".", 3) + strings.Repeat("a", 62)},
		},
		"date": {
			[]string{"2024-02-29", "2000-02-29", "2023-12-31", "2023-11-30", "0000-01-01", "1963-06-19"},
			[]string{"", "2023-02-29", "1900-02-29", "2023-2-1", "2023-01-01T00:00:00Z", "20230101", "+023-01-01", "2023-13-01", "2023-00-01", "2023-01-00", "2023-01-32", "2023-04-31", "2023-W01-1", "2023-350", "1963-06-1৪", "2023/01/01", "2023-01-01 "},
		},
		"date-time": {
			[]string{"2026-01-02T03:04:05Z", "2026-01-02t03:04:05.123456+02:00", "1990-12-31T23:59:60z", "1990-12-31T15:59:60.123-08:00", "1998-12-31T23:59:60Z", "1998-12-31T00:29:60+00:30", "1998-12-31T23:29:60.0-00:30", "2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05+23:59"},
			[]string{"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05,1Z", "2026-01-02T03:04:05+25:00", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+00:60", "2026-01-02T03:04:05+0200", "2026-01-02T3:04:05Z", "1998-12-31T23:58:60Z", "1998-12-31T22:59:60Z", "1998-12-31T23:59:60+01:00", "1990-02-31T15:59:59.123-08:00", "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05.1", "2026-01-02T03:04:05 01:00", "2026-01-02T03-04:05Z", "2026-01-02T03:04:0৪Z", "06/19/1963 08:30:06 PST"},
		},
		"byte": {
			[]string{"", "YQ==", "YWI=", "YWJj", "a+/="},
			[]string{"YQ", "YQ=", "YQ==\n", "Y-Q=", "====", "Y===", "=", "YQ==YQ==", "YWJj=", "YQ=a", "Y Q="},
		},
	} {
		judge := stringFormat(format)
		require.NotNil(t, judge, format)
		for _, s := range rows.good {
			text := []byte(s)
			assert.True(t, judge(text), "%s %q", format, s)
			assert.Zero(t, testing.AllocsPerRun(10, func() { judge(text) }), "%s %q", format, s)
		}
		for _, s := range rows.bad {
			assert.False(t, judge([]byte(s)), "%s %q", format, s)
		}
	}
	for _, format := range []string{"", "int32", "int64", "phone", "Date"} {
		assert.Nil(t, stringFormat(format), format)
	}
}

// FuzzFormats: each format accepts nothing that the standard library's parser of the
// same thing refuses; and all that it accepts, where both speak of the same.
func TestDatesAreThoseOfTheCalendar(t *testing.T) {
	for year := range 2001 {
		for month := 1; month <= 12; month++ {
			for day := 28; day <= 31; day++ {
				there := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
				text := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				require.Equal(t, there, isDate([]byte(text)), text)
			}
		}
	}
}

func FuzzFormats(f *testing.F) {
	for _, s := range []string{
		"", "2024-02-29", "1990-12-31T23:59:60Z", "2026-01-02T03:04:05.123+02:00", "a.b@example.com", `"a b"@c.d`, "a@[IPv6:::1]",
		"1.2.3.4", "::ffff:1.2.3.4", "https://a@b:1/c?d#e", "http://[::1]/", "a-b.example", "YQ==", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(s)
		date, err := time.Parse(time.DateOnly, s)
		require.Equal(t, err == nil && date.Format(time.DateOnly) == s, isDate(b), "date %q", s)

		// The standard library knows no leap second, no small t, and z, and takes a comma.
		upper := strings.ToUpper(s)
		if len(s) > 18 && s[17:19] == "60" {
			upper = upper[:17] + "59" + upper[19:]
		}
		_, err = time.Parse(time.RFC3339Nano, upper)
		if isDateTime(b) {
			require.NoError(t, err, "date-time %q", s)
		} else if err == nil && upper == strings.ToUpper(s) && !strings.Contains(s, ",") {
			require.False(t, true, "date-time %q", s)
		}

		a, err := netip.ParseAddr(s)
		require.Equal(t, err == nil && a.Is4(), isIPv4(b), "ipv4 %q", s)
		require.Equal(t, err == nil && a.Is6() && a.Zone() == "", isIPv6(b), "ipv6 %q", s)

		raw, err := base64.StdEncoding.DecodeString(s)
		require.Equal(t, err == nil && base64.StdEncoding.EncodedLen(len(raw)) == len(s), isBase64(b), "byte %q", s)

		// The standard library has other address literals, and nothing between quotes.
		if isEmail(b) && !strings.Contains(s, "[") && !strings.HasPrefix(s, `""`) {
			parsed, err := mail.ParseAddress(s)
			require.NoError(t, err, "email %q", s)
			require.Empty(t, parsed.Name)
		}
		if isURI(b) {
			u, err := url.Parse(s)
			if err == nil {
				require.True(t, u.IsAbs(), "uri %q", s)
			} else {
				require.Contains(t, err.Error(), "invalid", "uri %q", s)
			}
		}
		if isHostname(b) {
			require.True(t, isURI(append([]byte("http://"), b...)), "hostname %q", s)
		}
	})
}
