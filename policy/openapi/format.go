package openapi

import (
	"encoding/base64"
	"errors"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// formats returns what judges the string formats that are asserted. Values never
// get into an error, so one error serves all.
func formats() map[string]openapi3.StringFormatValidator {
	wrong := errors.New("does not have the format")
	all := map[string]openapi3.StringFormatValidator{}
	for name, good := range map[string]func(string) bool{
		"uuid":      isUUID,
		"email":     isEmail,
		"ipv4":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
		"ipv6":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() && a.Zone() == "" },
		"uri":       isURI,
		"hostname":  isHostname,
		"date":      isDate,
		"date-time": isDateTime,
		"byte":      isBase64,
	} {
		all[name] = openapi3.NewCallbackValidator(func(s string) error {
			if good(s) {
				return nil
			}
			return wrong
		})
	}
	return all
}

// isUUID accepts the text form of RFC 9562, section 4, of any version.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if unhex(s[i]) < 0 {
				return false
			}
		}
	}
	return true
}

// isEmail accepts an address of RFC 5322 without a name, comment or space.
func isEmail(s string) bool {
	if len(s) > 320 || strings.ContainsAny(s, " \t\r\n<>()") {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && strings.Contains(a.Address, "@")
}

// isURI accepts an absolute URI of RFC 3986: with a scheme, ASCII only.
func isURI(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() {
		return false
	}
	_, err = url.PathUnescape(s) // Parse does not look at the escapes of a query
	return err == nil
}

// isHostname accepts a name of RFC 1123: labels of letters, digits and hyphens.
func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

// isDate accepts a full-date of RFC 3339, section 5.6.
func isDate(s string) bool {
	if !mask(s, "0000-00-00") {
		return false
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// isDateTime accepts a date-time of RFC 3339, section 5.6, leap seconds included.
func isDateTime(s string) bool {
	const form = "0000-00-00T00:00:00"
	if len(s) <= len(form) || !mask(s[:len(form)], form) || !isDate(s[:10]) {
		return false
	}
	if s[11:13] > "23" || s[14:16] > "59" || s[17:19] > "60" {
		return false
	}
	rest := s[len(form):]
	if rest[0] == '.' {
		digits := strings.TrimLeft(rest[1:], "0123456789")
		if len(digits) == len(rest)-1 {
			return false
		}
		rest = digits
	}
	if rest == "Z" || rest == "z" {
		return true
	}
	return mask(rest, "+00:00") && rest[1:3] <= "23" && rest[4:] <= "59"
}

// mask reports whether s has digits where the form has zeroes, a sign where it
// has a plus, and else the same letters in any case.
func mask(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; form[i] {
		case '0':
			if !digit(c) {
				return false
			}
		case '+':
			if c != '+' && c != '-' {
				return false
			}
		case 'T':
			if c != 'T' && c != 't' {
				return false
			}
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}

// isBase64 accepts what RFC 4648, section 4, gives, with padding and without line
// breaks.
func isBase64(s string) bool {
	if strings.ContainsAny(s, "\r\n") {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
