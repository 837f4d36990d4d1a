package openapi

import (
	"encoding/json"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// reading turns the text of one parameter into the values that it can mean by
// its style (OpenAPI 3.0.4, 4.7.12.3). The text is percent-decoded as a whole, so
// an escaped delimiter delimits too.
type reading struct {
	parameter *parameter
	forms     schema.Forms
}

// values returns the values, the likeliest first, or the word that says why
// there is none.
func (rd *reading) values(texts []string, members []policy.Pair) ([]any, string) {
	p := rd.parameter
	switch {
	case rd.forms.Types().Object:
		return rd.object(texts, members)
	case len(members) > 0:
		return nil, "style"
	case rd.forms.Types().Array:
		if p.in == openapi3.ParameterInHeader {
			texts = []string{strings.Join(texts, ",")}
		} else if !p.repeats() && len(texts) > 1 {
			return nil, "repeated"
		}
		return rd.array(texts)
	case len(texts) != 1:
		return nil, "repeated"
	}
	text, ok := p.strip(texts[0], ";"+p.name+"=")
	if !ok {
		return nil, "style"
	}
	return meanings(text, rd.forms), ""
}

// repeats reports whether each item of an array is a parameter of its own.
func (p *parameter) repeats() bool {
	return p.in == openapi3.ParameterInQuery && p.explode
}

// strip takes off what the style puts in front of a value in the path.
func (p *parameter) strip(text, matrix string) (string, bool) {
	switch p.style {
	case openapi3.SerializationLabel:
		return strings.CutPrefix(text, ".")
	case openapi3.SerializationMatrix:
		return strings.CutPrefix(text, matrix)
	}
	return text, true
}

// delimiter stands between items, and between members, of one text.
func (p *parameter) delimiter() string {
	switch p.style {
	case openapi3.SerializationSpaceDelimited:
		return " "
	case openapi3.SerializationPipeDelimited:
		return "|"
	case openapi3.SerializationLabel:
		if p.explode {
			return "."
		}
	}
	return ","
}

func (rd *reading) array(texts []string) ([]any, string) {
	p := rd.parameter
	if !p.repeats() {
		text, ok := p.strip(texts[0], ";"+p.name+"=")
		if !ok {
			return nil, "style"
		}
		delimiter := p.delimiter()
		if p.style == openapi3.SerializationMatrix && p.explode {
			delimiter = ";" + p.name + "="
		}
		texts = nil
		if text != "" {
			texts = strings.Split(text, delimiter)
		}
	}
	items := make([]any, len(texts))
	for i, text := range texts {
		if p.in == openapi3.ParameterInHeader {
			text = strings.Trim(text, " \t")
		}
		items[i] = meanings(text, rd.forms.Item(i))[0]
	}
	return []any{items}, ""
}

func (rd *reading) object(texts []string, members []policy.Pair) ([]any, string) {
	p := rd.parameter
	if len(members) == 0 {
		if len(texts) != 1 && p.in != openapi3.ParameterInHeader {
			return nil, "repeated"
		}
		text, ok := p.strip(strings.Join(texts, ","), rd.prefix())
		if !ok || p.style == openapi3.SerializationDeepObject {
			return nil, "style"
		}
		if members, ok = p.split(text); !ok {
			return nil, "style"
		}
	}
	object := make(map[string]any, len(members))
	for _, m := range members {
		if p.style == openapi3.SerializationDeepObject {
			// Only one level is defined (OpenAPI 3.0.4, 4.7.12.5).
			name, ok := strings.CutSuffix(m.Name, "]")
			if !ok || strings.ContainsAny(name, "[]") {
				return nil, "style"
			}
			m.Name = name
		}
		if _, twice := object[m.Name]; twice {
			return nil, "repeated"
		}
		inner, _ := rd.forms.Property(m.Name)
		object[m.Name] = meanings(m.Value, inner)[0]
	}
	return []any{object}, ""
}

// prefix stands in front of an object of the style matrix.
func (rd *reading) prefix() string {
	if rd.parameter.explode {
		return ";"
	}
	return ";" + rd.parameter.name + "="
}

// split returns the members of an object in one text: "k=v,k=v" if exploded, else
// "k,v,k,v".
func (p *parameter) split(text string) ([]policy.Pair, bool) {
	delimiter := p.delimiter()
	if p.style == openapi3.SerializationMatrix && p.explode {
		delimiter = ";"
	}
	if text == "" {
		return nil, true
	}
	parts := strings.Split(text, delimiter)
	var members []policy.Pair
	if p.explode && p.in != openapi3.ParameterInQuery && p.in != openapi3.ParameterInCookie {
		for _, part := range parts {
			name, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil, false
			}
			members = append(members, policy.Pair{Name: strings.TrimSpace(name), Value: value})
		}
		return members, true
	}
	if len(parts)%2 != 0 {
		return nil, false
	}
	for i := 0; i < len(parts); i += 2 {
		members = append(members, policy.Pair{Name: strings.TrimSpace(parts[i]), Value: parts[i+1]})
	}
	return members, true
}

// meanings returns the JSON values that a text can mean by the types that its
// forms name; never none. Numbers and booleans are those of JSON: NaN, 0x10 and
// T are text here, whatever a parser of some language makes of them.
func meanings(text string, fs schema.Forms) []any {
	types := fs.Types()
	var all []any
	free := types.Any
	if (free || types.Integer || types.Number) && isNumber(text) {
		all = append(all, json.Number(text))
	}
	if (free || types.Boolean) && (text == "true" || text == "false") {
		all = append(all, text == "true")
	}
	if types.Null && text == "" {
		all = append(all, nil)
	}
	if free || types.String || len(all) == 0 {
		all = append(all, text)
	}
	return all
}

// literalInBounds reports whether a number costs nothing unusual.
func literalInBounds(n json.Number) bool {
	const maxLength, maxExponent = 40, 308
	if len(n) > maxLength {
		return false
	}
	exponent, digits := 0, false
	for i := range len(n) {
		switch c := n[i]; {
		case c == 'e' || c == 'E':
			exponent, digits = 0, true
		case digits && digit(c):
			if exponent = exponent*10 + int(c-'0'); exponent > maxExponent {
				return false
			}
		}
	}
	return true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// isNumber reports whether the text is a JSON number (RFC 8259, section 6) that
// costs nothing unusual.
func isNumber(s string) bool {
	if !literalInBounds(json.Number(s)) {
		return false
	}
	digits := func() bool {
		n := len(s)
		s = strings.TrimLeft(s, "0123456789")
		return len(s) < n
	}
	s = strings.TrimPrefix(s, "-")
	zero := strings.HasPrefix(s, "0") && len(s) > 1 && digit(s[1])
	if zero || !digits() {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "."); ok {
		if s = rest; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}
