package audit

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	redacted = "[redacted]"

	maxText = 128  // names and ids
	maxLong = 1024 // paths, templates and structural details

	// A shorter identifier would be found in unrelated text all the time.
	minKnown = 4

	minCard = 13 // digits of a payment card

	minKey = 16 // characters of a secret after its prefix
)

// sieve is the second line behind the allow-list: it looks through the strings of
// one record that somebody chose freely, and replaces a whole string when any
// part of it looks like a secret or a personal value. It replaces the whole so
// that no boundary can be guessed wrong.
type sieve struct {
	applied []string
}

// text returns a value fit for a record: without secrets, printable, and at most
// limit bytes long. Detection sees the whole value, so cutting hides nothing.
func (s *sieve) text(field, value string, limit int) string {
	if secret(value) {
		s.hit(field)
		return redacted
	}
	return cut(printable(value), limit)
}

// word is text for what went through the net before.
func (s *sieve) word(field string, w word) string {
	if w.hit {
		s.hit(field)
	}
	return w.text
}

// name is text for an identifier that somebody else chose: of unusual characters
// only underscores are left, and a value that tells on the request is replaced. An
// over-long one is no identifier, and is replaced unread.
func (s *sieve) name(field, value string, tells bool) string {
	if len(value) > maxLong || tells {
		s.hit(field)
		return redacted
	}
	has := signsIn(value)
	if secretWith(value, has) {
		s.hit(field)
		return redacted
	}
	if has.seen&unusual != 0 {
		value = strings.Map(idRune, value)
	}
	return cut(value, maxText)
}

// text is a value as it came and without its percent-encoding.
type text struct {
	sent, plain string
	// bytes has a bit for each byte in either, modulo 64: what has another one is in
	// neither.
	bytes uint64
}

func textOf(value string) text {
	t := text{sent: value, plain: unescaped(value)}
	for i := range len(value) {
		t.bytes |= 1 << (value[i] & 63)
	}
	if len(t.plain) < len(value) {
		for i := range len(t.plain) {
			t.bytes |= 1 << (t.plain[i] & 63)
		}
	}
	return t
}

func (t *text) holds(known string) bool {
	if len(known) < minKnown || len(known) > len(t.sent) {
		return false
	}
	for i := range minKnown {
		if t.bytes>>(known[i]&63)&1 == 0 {
			return false
		}
	}
	return strings.Contains(t.sent, known) || t.plain != t.sent && strings.Contains(t.plain, known)
}

func (t *text) holdsName(id *policy.Identity) bool {
	return t.holds(id.Client) || t.holds(id.Principal) || t.holds(id.Actor) || slices.ContainsFunc(id.Accounts, t.holds)
}

// holdsElement looks for a value of a header, and for each element of it if it is a
// list.
func (t *text) holdsElement(value string) bool {
	if t.holds(value) {
		return true
	}
	for element := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if t.holds(element) {
			return true
		}
	}
	return false
}

// holdsValue looks for the values of one name, or of all if it is empty.
func (t *text) holdsValue(pairs []policy.Pair, name string) bool {
	for i := range pairs {
		if p := &pairs[i]; (name == "" || p.Name == name) && t.holds(p.Value) {
			return true
		}
	}
	return false
}

func (s *sieve) hit(field string) {
	if !slices.Contains(s.applied, field) {
		s.applied = append(s.applied, field)
	}
}

// secret reports whether s holds something that must never be logged, as it is
// or percent-encoded.
func secret(s string) bool { return secretWith(s, signsIn(s)) }

// secretWith is secret with the signs of s.
func secretWith(s string, has signsOfText) bool {
	if looksSecret(s, has) {
		return true
	}
	plain := unescaped(s)
	return len(plain) < len(s) && looksSecret(plain, signsIn(plain))
}

// looksSecret searches only for what the characters of s leave possible.
func looksSecret(s string, has signsOfText) bool {
	return has.seen&ofToken != 0 && hasJWT(s) || has.seen&ofKey != 0 && hasKey(s) || has.seen&ofEmail != 0 && hasEmail(s) ||
		has.digits >= minCard && hasCard(s)
}

func unescaped(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// printable replaces what is not printable, among it line breaks, U+2028, terminal
// escapes, and marks that change the direction of text.
func printable(s string) string {
	if plainASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if signsOf[s[i]]&unprintable != 0 {
			return false
		}
	}
	return true
}

func idRune(r rune) rune {
	if isAlnum(r) || strings.ContainsRune("._:/+=-", r) {
		return r
	}
	return '_'
}

// cut shortens s to at most limit bytes without splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// hasJWT finds the shape of a signed or encrypted token: base64url of a JSON object
// ("eyJ"), a dot, and more base64url.
func hasJWT(s string) bool {
	for {
		i := strings.Index(s, "eyJ")
		if i < 0 {
			return false
		}
		s = s[i+len("eyJ"):]
		n := base64URLRun(s)
		if n+1 < len(s) && s[n] == '.' && isBase64URL(s[n+1]) {
			return true
		}
	}
}

// hasKey finds PEM blocks and secrets that announce themselves by a prefix and go
// on for at least 16 characters.
func hasKey(s string) bool {
	for i := 0; i+minKey < len(s); i++ {
		var marks []string
		switch s[i] {
		case '-':
			if strings.HasPrefix(s[i:], "-----BEGIN") {
				return true
			}
		case 'A':
			marks = []string{"AKIA", "ASIA", "AIza"}
		case 'g':
			marks = []string{"ghp_", "gho_", "ghs_", "github_pat_", "glpat-"}
		case 'r', 's', 'x':
			marks = []string{"xoxb-", "xoxp-", "sk_live_", "rk_live_"}
		}
		for _, mark := range marks {
			if after, found := strings.CutPrefix(s[i:], mark); found && base64URLRun(after) >= minKey {
				return true
			}
		}
	}
	return false
}

func base64URLRun(s string) int {
	n := 0
	for n < len(s) && isBase64URL(s[n]) {
		n++
	}
	return n
}

// hasEmail finds a local part, an at sign, and a domain of two labels.
func hasEmail(s string) bool {
	for i := strings.IndexByte(s, '@'); i >= 0 && i < len(s); i++ {
		if s[i] != '@' || i == 0 || !isLocal(s[i-1]) {
			continue
		}
		label := 0
		for _, c := range []byte(s[i+1:]) {
			if c == '.' && label > 0 {
				return true
			}
			if c >= utf8.RuneSelf || isAlnum(rune(c)) || c == '-' {
				label++
				continue
			}
			break
		}
	}
	return false
}

// hasCard finds 13 to 19 digits that begin like a payment card, pass the Luhn check
// (ISO/IEC 7812-1, annex B) and stand alone; single spaces or hyphens may group
// them. Order numbers that fail the check are left alone.
func hasCard(s string) bool {
	var room [20]byte
	for i := 0; i < len(s); i++ {
		if s[i] < '2' || s[i] > '6' || (i > 0 && isAlnum(rune(s[i-1]))) {
			continue
		}
		digits := room[:0]
		j := i
		for j < len(s) && len(digits) <= 19 {
			if isDigit(s[j]) {
				digits = append(digits, s[j]-'0')
			} else if (s[j] != ' ' && s[j] != '-') || j+1 == len(s) || !isDigit(s[j+1]) {
				break
			}
			j++
		}
		alone := j == len(s) || !isAlnum(rune(s[j]))
		if alone && len(digits) >= minCard && len(digits) <= 19 && luhn(digits) {
			return true
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlnum(r rune) bool {
	return (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
}

func isBase64URL(c byte) bool { return isAlnum(rune(c)) || c == '-' || c == '_' }

func isLocal(c byte) bool {
	return c >= utf8.RuneSelf || isAlnum(rune(c)) || strings.IndexByte("!#$%&'*+/=?^_`{|}~.-\"", c) >= 0
}
