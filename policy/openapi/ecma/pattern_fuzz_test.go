package ecma

import (
	"regexp"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzPattern: translating never panics and its errors are short; each matcher says of a
// text what the standard library says of the translated expression, within its bounds.
func FuzzPattern(f *testing.F) {
	for _, expression := range append([]string{
		`^[A-Z]{3}$`, `^\d{4}-\d{2}$`, `^(foo|bar)$`, `^(?=.*\d)(?!.*-).{2,}(?<!x)$`, `(?i)^[^k\W]$`, `[\uD83D\uDE00-\u{1F610}\]-]|\p{Lu}`,
		`\b[\w-.]+\B`, `(a|)*^b?$`, `[^]{0,3}[]`, `\cJ\0\x41[\b]{2,}?`, `(?P<a>\S)(?<b>\s)`, `a{b`, `((a{2}){3}){2,}`,
	}, hostile...) {
		f.Add(expression, "EUR-2024 aB1 foo", "a")
		f.Add(expression, "", "é\n")
	}
	f.Fuzz(func(t *testing.T, expression, one, other string) {
		parsed, err := parseExpression(expression, &cost{})
		if err == nil {
			var conditions []condition
			if conditions, err = parsed.conditions(); err == nil {
				for _, c := range conditions {
					agree(t, &c.term, one, other, one+other, other+one+other, one+"\xff"+other)
				}
			}
		}
		p, failed := Compile(expression)
		if err != nil {
			require.Equal(t, err, failed)
		}
		if failed != nil {
			require.Less(t, len(failed.Error()), 250)
			return
		}
		p.Match([]byte(one))
	})
}

// agree compares all matchers of a term.
func agree(t *testing.T, term *term, texts ...string) {
	t.Helper()
	if term.size() > 1000 {
		return
	}
	re, err := regexp.Compile(term.re2())
	require.NoError(t, err)
	var matchers []matcher
	if c, ok := newChain(term); ok {
		matchers = append(matchers, c)
	}
	p := newProgram(term)
	require.LessOrEqual(t, len(p.steps), term.size()+1)
	if l, ok := newLetters(p, &cost{}); ok {
		if m, ok := newTable(p, l, &cost{}); ok {
			require.LessOrEqual(t, len(m.next), maxEntries+2*(maxClasses+1))
			matchers = append(matchers, m)
		}
		if m, ok := newSwarm(p, l, &cost{}); ok {
			matchers = append(matchers, m)
		}
	}
	for _, text := range texts {
		want := re.MatchString(text)
		for _, m := range matchers {
			require.Equal(t, want, m.match([]byte(text)), "%T of %s: %q", m, re, text)
		}
	}
}

func TestFoldingKnowsEveryCase(t *testing.T) {
	t.Parallel()
	all := cased()
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if unicode.SimpleFold(c) != c {
			require.True(t, all.has(c), "%U", c)
		}
	}
	assert.Equal(t, setOf(runeRange{'K', 'K'}, runeRange{'k', 'k'}, runeRange{0x212a, 0x212a}), setOf(runeRange{'k', 'k'}).fold(all))
}

func TestCountsBeyondRE2AreWrittenOut(t *testing.T) {
	t.Parallel()
	for expression, most := range map[string]int{`^a{0,2500}$`: 2500, `^(?:a{1,50}){0,40}$`: 2000, `^a{1000}a{0,1}$`: 1001} {
		parsed, err := parseExpression(expression, &cost{})
		require.NoError(t, err)
		re := regexp.MustCompile(parsed.re2())
		text := make([]byte, most+1)
		for i := range text {
			text[i] = 'a'
		}
		assert.True(t, re.Match(text[1:]), expression)
		assert.False(t, re.Match(text), expression)
	}
}
