package ecma

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each row is a construct with texts that ECMA-262 says it matches and does not.
func TestPatternsMatchAsECMAScriptSays(t *testing.T) {
	t.Parallel()
	for expression, rows := range map[string]struct{ yes, no []string }{
		``:                              {[]string{"", "a"}, nil},
		`b`:                             {[]string{"b", "abc"}, []string{"", "ac"}},
		`^b`:                            {[]string{"b", "bc"}, []string{"ab", "a\nb"}},
		`b$`:                            {[]string{"b", "ab"}, []string{"b\n", "b\r\n", "ba"}},
		`^$`:                            {[]string{""}, []string{"\n", "a"}},
		`^\d$`:                          {[]string{"0", "9"}, []string{"٣", "a", "１"}},
		`^\D$`:                          {[]string{"٣", "a", "😀"}, []string{"0", ""}},
		`^\w$`:                          {[]string{"a", "Z", "0", "_"}, []string{"é", "-", "\u017f", "\u212a"}},
		`^\W$`:                          {[]string{"é", "-", "ſ"}, []string{"a", "_"}},
		`^\s$`:                          {[]string{" ", "\t", "\n", "\v", "\f", "\r", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"}, []string{"\u180e", "\u0085", "\u200b", "a", ""}},
		`^\S$`:                          {[]string{"a", "\u180e", "\u0085", "\u200b"}, []string{" ", "\u00a0", "\ufeff", "\u2029"}},
		`^.$`:                           {[]string{"a", "😀", "\u0085", "\v", "\x00"}, []string{"\n", "\r", "\u2028", "\u2029", "", "ab"}},
		`^[^]$`:                         {[]string{"a", "\n", "\u2028"}, []string{""}},
		`[]`:                            {nil, []string{"", "a", "]"}},
		`^a[]?$`:                        {[]string{"a"}, []string{"a]"}},
		`^[^a]$`:                        {[]string{"b", "\n", "😀"}, []string{"a", ""}},
		`^[a-cx-]$`:                     {[]string{"a", "b", "c", "x", "-"}, []string{"d", ""}},
		`^[-a]$`:                        {[]string{"-", "a"}, []string{"b"}},
		`^[\w-.]$`:                      {[]string{"a", "-", "."}, []string{"+", ","}},
		`^[+-\d]$`:                      {[]string{"+", "-", "1"}, []string{",", "/"}},
		`^[a-zA-Z0-9-_:;.\/<>{}]$`:      {[]string{"-", "_", "/", "{", "9"}, []string{"^", " ", "@"}},
		`^[--/]$`:                       {[]string{"-", ".", "/"}, []string{",", "0"}},
		`^[[(|.*+?^$]$`:                 {[]string{"[", "(", "|", ".", "*", "+", "?", "^", "$"}, []string{"a", "]"}},
		`^[\]\\]$`:                      {[]string{"]", `\`}, []string{"["}},
		`^[\b]$`:                        {[]string{"\b"}, []string{"b", ""}},
		`^[\s\S]$`:                      {[]string{" ", "a", "\n"}, []string{""}},
		`^[^\u0000-\u0008\u000B]*$`:     {[]string{"", "a\t"}, []string{"\x00", "a\v"}},
		`\bfoo\b`:                       {[]string{"foo", "a foo.", "éfoo"}, []string{"food", "a_foo"}},
		`\Boo`:                          {[]string{"foo"}, []string{"oo", " oo"}},
		`^\n\r\t\v\f\0$`:                {[]string{"\n\r\t\v\f\x00"}, []string{"nrtvf0"}},
		`^\x41\u00e9\u{1F600}$`:         {[]string{"Aé😀"}, []string{"A", "x41"}},
		`^\u{000041}$`:                  {[]string{"A"}, []string{"B"}},
		`^\uD83D\uDE00$`:                {[]string{"😀"}, []string{"😁", "\uFFFD"}},
		`^[\uD83D\uDE00-\uD83D\uDE02]$`: {[]string{"😀", "😁", "😂"}, []string{"😃", "\uFFFD"}},
		`\uD83D`:                        {nil, []string{"😀", "\uFFFD", "\xed\xa0\xbd"}},
		`^[^\uD800-\uDFFF]$`:            {[]string{"a", "😀", "\uE000"}, []string{""}},
		`^\cJ\cj$`:                      {[]string{"\n\n"}, []string{"cJcj"}},
		`^\-\/\_\@\"\'\ \#\.\^\$\*\+\?\(\)\[\]\{\}\|\\$`: {[]string{`-/_@"' #.^$*+?()[]{}|\`}, []string{""}},
		`^{a}]}$`:                         {[]string{"{a}]}"}, []string{"a"}},
		`^a{b{1,c}{2$`:                    {[]string{"a{b{1,c}{2"}, []string{"ab"}},
		`^a{2}$`:                          {[]string{"aa"}, []string{"a", "aaa"}},
		`^a{2,}$`:                         {[]string{"aa", "aaaa"}, []string{"a"}},
		`^a{1,2}$`:                        {[]string{"a", "aa"}, []string{"", "aaa"}},
		`^a{0}b{0,0}$`:                    {[]string{""}, []string{"a", "b"}},
		`^a*?b+?c??d{1,2}?$`:              {[]string{"bd", "aabbcdd"}, []string{"ad", "bddd"}},
		`^(a|bc|)$`:                       {[]string{"a", "bc", ""}, []string{"b", "abc"}},
		`^(?:a|b)(?<year>c)(?P<x_1>d)()$`: {[]string{"acd", "bcd"}, []string{"abcd"}},
		`a|^b`:                            {[]string{"a", "ca", "bc"}, []string{"cb"}},
		`^(a*)*$`:                         {[]string{"", "aaa"}, []string{"ab"}},
		`^(?:^a|b)+$`:                     {[]string{"a", "ab", "bb"}, []string{"aa", "ba"}},
		`^\p{L}\p{Letter}\p{Lu}\p{gc=Ll}\p{General_Category=Decimal_Number}$`: {[]string{"aéÉe٣"}, []string{"a1Ée3", "abcd1"}},
		`^\P{Lu}\p{Script=Greek}\p{sc=Grek}\p{Greek}$`:                        {[]string{"aαβΓ", "1αβΓ"}, []string{"Aαβγ", "aabc"}},
		`^\p{Alphabetic}\p{ASCII}\p{Any}\p{White_Space}$`:                     {[]string{"ªa\n\u0085"}, []string{"1a\n "}},
		`^[\p{L}\P{ASCII}-]+$`:                                                {[]string{"a-é😀"}, []string{"1", "_"}},
		`^[^\p{L}]$`:                                                          {[]string{"1"}, []string{"é"}},
		`(?i)^[a-c]k\w$`:                                                      {[]string{"AK_", "b\u212a\u017f"}, []string{"dk_"}},
		`^(?i)é|ß$`:                                                           {[]string{"Éx", "a\u1e9e"}, []string{"e", "SS"}},
		`(?i)^[^k]$`:                                                          {[]string{"a"}, []string{"k", "K", "\u212a"}},
		`^(?i:a)b(?s:.).$`:                                                    {[]string{"Ab\nx", "abxx"}, []string{"aB\nx", "abx\n"}},
		`(?i)^a(?-i:b)c$`:                                                     {[]string{"AbC"}, []string{"ABC"}},
		`(?is)^a.$`:                                                           {[]string{"A\n"}, []string{"b\n"}},
		`^(?=.*[A-Z])(?=.*\d)(?!.*\s).{4,}$`:                                  {[]string{"aB1c", "1BBB"}, []string{"ab1c", "aBcd", "aB1", "aB1 c"}},
		`^(?!0+$)\d+$`:                                                        {[]string{"10", "01"}, []string{"0", "000", ""}},
		`^(?!.*a)`:                                                            {[]string{"", "b", "b\na"}, []string{"a", "ba"}},
		`^[a-z](?!.*--)[a-z-]*$`:                                              {[]string{"a", "a-b"}, []string{"a--b", "-"}},
		`^(?:ab|cd){2}(?=x)..$`:                                               {[]string{"abcdxy"}, []string{"abcdyx", "abxy"}},
		`^(?!-)[a-z-]+(?<!-)$`:                                                {[]string{"a", "a-b"}, []string{"-a", "a-", ""}},
		`a$(?<=ba)`:                                                           {[]string{"ba", "cba"}, []string{"a", "ca"}},
		`(?<=^|,)$`:                                                           {[]string{"", "a,"}, []string{"a"}},
		`^(?=(?:\bfoo))f`:                                                     {[]string{"foo"}, []string{"fob"}},
	} {
		p, err := Compile(expression)
		if !assert.NoError(t, err, expression) {
			continue
		}
		for _, text := range rows.yes {
			assert.True(t, p.Match([]byte(text)), "%s matches %q", expression, text)
		}
		for _, text := range rows.no {
			assert.False(t, p.Match([]byte(text)), "%s does not match %q", expression, text)
		}
	}
}

func TestThreatPatternsThatCannotBeCompiled(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`^(a)\1$`:              `has the back reference \1 at offset 4`,
		`(?<n>a)\k<n>`:         `has the back reference \k at offset 7`,
		`a(?=b)`:               `has a look-ahead at offset 1, from a place that is not the same in every match: put it right behind the ^`,
		`(?=a)b`:               "has a look-ahead at offset 0",
		`^a*(?!b)`:             "has a look-ahead at offset 3",
		`^(?=a)b|c`:            "has a look-ahead at offset 1",
		`^(?:a(?!b))*$`:        "has a look-ahead at offset 5",
		`^(?=a(?!b))`:          "has a look-ahead at offset 5",
		`(?<=a)b`:              "has a look-behind at offset 0, from a place that is not the end",
		`(?<!a)`:               "has a look-behind at offset 0",
		`^(?=a)*b`:             "has a repeat of (?=a)* at offset 1",
		`^*a`:                  "has a repeat of ^* at offset 0",
		`a++`:                  "has a + that repeats nothing at offset 2",
		`a**`:                  "has a * that repeats nothing at offset 2",
		`*`:                    "has a * that repeats nothing at offset 0",
		`(?a)`:                 "has the group (?a at offset 0",
		`a{2}{3}`:              "has {3} that repeats nothing at offset 4",
		`a{,3}`:                "has a repeat without a lower count at offset 1: write {0,N}",
		`{,3}`:                 "has a repeat without a lower count at offset 0",
		`a{3,2}`:               "has a repeat from more to fewer times at offset 1",
		`a{99999999999999999}`: "has a repeat of more than 1048576 times at offset 1",
		`(a{1,1000}){1,1000}`:  "is too large with its repeats written out",
		`(`:                    "has a ( that nothing closes at offset 0",
		`(?`:                   "has a ( that nothing closes at offset 0",
		`a)`:                   "has a ) that closes nothing at offset 1",
		`[a`:                   "has a [ that nothing closes at offset 0",
		`[a-`:                  "has a [ that nothing closes at offset 0",
		`[z-a]`:                "has the range z-a, whose end is before its start, at offset 1",
		`[[:alpha:]]`:          "has a POSIX class, which ECMA-262 reads as characters, at offset 1",
		`[a-z&&[^b]]`:          "has an intersection of classes, which ECMA-262 reads as characters, at offset 4",
		`[]abc]`:               "has a ] that [] or [^] before it has closed already at offset 5",
		`\`:                    `has a \ at its end at offset 0`,
		`[\B]`:                 `has \B in a class at offset 1`,
		`\Aa\z`:                `has the escape \A, which ECMA-262 does not know, at offset 0: write ^`,
		`a\Z`:                  `has the escape \Z, which ECMA-262 does not know, at offset 1: write $`,
		`\a`:                   `has the escape \a, which ECMA-262 does not know, at offset 0: write \x07`,
		`\Qa.b\E`:              `has the escape \Q`,
		`\é`:                   `has the escape \é`,
		`\07`:                  `has the escape \0`,
		`[\1]`:                 `has the escape \1`,
		`\x4`:                  `has \x without two hex digits at offset 0`,
		`\x{41}`:               `has \x without two hex digits at offset 0`,
		`\u12`:                 `has \u without four hex digits at offset 0`,
		`\u{110000}`:           `has \u{ without a code point at offset 0`,
		`\u{}`:                 `has \u{ without a code point at offset 0`,
		`\u{+1}`:               `has \u{ without a code point at offset 0`,
		`\c1`:                  `has the escape \c`,
		`\pL`:                  `has \p without a property in braces at offset 0`,
		`\p{IsGreek}`:          `has the unknown property \p{IsGreek} at offset 0`,
		`\p{^L}`:               `has the unknown property \p{^L} at offset 0`,
		`\p{scx=Greek}`:        `has the unknown property \p{scx=Greek} at offset 0`,
		`a(?i)b`:               "has modifiers that are not first: (?i) at offset 1",
		`(?m:^a)`:              "has the group (?m at offset 0",
		`(?>a)`:                "has the group (?> at offset 0",
		`(?#a)`:                "has the group (?# at offset 0",
		`(?i--s:a)`:            "has the group (?i-- at offset 0",
		`(?<>a)`:               "has a group without a valid name at offset 0",
		`(?<a-b>a)`:            "has a group without a valid name at offset 0",
		`(?i)\bk`:              `has \b where case is ignored at offset 4`,
		"^" + strings.Repeat("(?=a)", maxConditions): "looks around more than 19 times",
		strings.Repeat(`\p{L}`, 1000):                "has too many characters in its classes at offset",
		`[` + strings.Repeat(`\p{L}`, 1000) + `]`:    "has too many characters in its classes at offset 0",
		manyClasses():                        "tells too many classes of characters apart",
		`a.{600}b`:                           "can be at too many places of a text at once",
		"a\xff":                              "is not valid UTF-8",
		strings.Repeat("a", maxExpression+1): "is longer than 8192 bytes",
		strings.Repeat("(", 101) + strings.Repeat(")", 101): "has more than 100 groups within each other at offset 100",
		`\p{` + strings.Repeat("é", 3000) + `}`:             `has the unknown property \p{éééééééééé... at offset 0`,
	} {
		_, err := Compile(expression)
		if assert.Error(t, err, expression) {
			assert.Contains(t, err.Error(), want)
			assert.Less(t, len(err.Error()), 250)
			assert.Contains(t, err.Error(), ": ", "it says what to do")
		}
	}
}

// manyClasses returns an expression with a class for each of many characters.
func manyClasses() string {
	var b strings.Builder
	for c := '\u4e00'; c <= '\u4e00'+maxClasses; c++ {
		b.WriteRune(c)
	}
	return b.String()
}

// hostile are expressions that backtracking takes long for, and large ones.
var hostile = []string{
	`^(a+)+$`, `(x+x+)+y`, `^(([a-z])+.)+[A-Z]([a-z])+$`, `(.*)*x`, `^(\d+)*$`, `([a-zA-Z]+)*$`, `(a|aa)+$`, `(a|a?)+$`,
	`(.*a){12}`, `^(.*a){60}$`, `(a|b)*a(a|b){20}$`, `a.{60}b`, `a.{200}b`, `(a{1,40}){1,40}b`, `\b(\w+\b.)+\Bx`,
	`^(https?:\/\/)?([\da-z\.-]+)\.([a-z\.]{2,6})([\/\w \.-]*)*\/?$`,
	`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
	`^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`,
	`[a-z]{2,64}@[a-z.]{2,255}\.[a-z]{2,10}`, `^.{1,40000}$`, `^[a-z]{1,1000000}$`, `^[\p{L}\p{M}'. -]{1,140}$`,
	`^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$`,
	`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?$`,
}

func TestThreatPatternsOfExponentialTime(t *testing.T) {
	const size, times = 25_000, 8
	// fastest is the least of five times, or the first that is under enough, since the least is then, too.
	fastest := func(p *Pattern, text []byte, enough time.Duration) time.Duration {
		least := time.Hour
		for i := 0; i < 5 && least >= enough; i++ {
			began := time.Now() //nolint:forbidigo // what it takes is the question
			p.Match(text)
			least = min(least, time.Since(began)) //nolint:forbidigo // what it takes is the question
		}
		return least
	}
	for _, expression := range hostile {
		p, err := Compile(expression)
		require.NoError(t, err, expression)
		for _, unit := range []string{"a", "ab", "x", "1", "aB1", "é", "a.", "a-", "a a", "\n"} {
			part := strings.Repeat(unit, size/len(unit))
			// Half of what it were if the time grew with the square.
			most := min(times*times/2*fastest(p, []byte(part+"!"), 0)+20*time.Millisecond, time.Second)
			assert.Less(t, fastest(p, []byte(strings.Repeat(part, times)+"!"), most), most, "%s of %q", expression, unit)
		}
	}
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	for _, expression := range append(hostile, `^[A-Z]{3}$`, `^(foo|bar)$`) {
		p, err := Compile(expression)
		require.NoError(t, err, expression)
		for _, text := range []string{"EUR", "foo", "aé😀b", strings.Repeat("a", 100)} {
			b := []byte(text)
			assert.Zero(t, testing.AllocsPerRun(5, func() { p.Match(b) }), "%s of %q", expression, text)
		}
	}
}

// The usual shapes have to go to the fast matchers.
func TestEachShapeHasItsMatcher(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]matcher{
		`^[A-Z]{3}$`:            &chain{},
		`^[a-z0-9-]{1,40}$`:     &chain{},
		`^\d{4}-\d{2}$`:         &chain{},
		`^([A-Z]{2,4})-[0-9]+$`: &chain{},
		`^(?:a|b|[c-e])*$`:      &chain{},
		`^https:\/\/.+$`:        &chain{},
		`^.{0,40000}$`:          &chain{},
		`^[a-z]*[a-z]$`:         &table{},
		`^a?b?a$`:               &table{},
		`^(foo|bar)$`:           &table{},
		`[A-Z]`:                 &table{},
		`(a|b)*a(a|b){20}$`:     &swarm{},
	} {
		p, err := Compile(expression)
		require.NoError(t, err, expression)
		require.Len(t, p.tests, 1, expression)
		assert.IsType(t, want, p.tests[0].matcher, expression)
	}
}

func BenchmarkPattern(b *testing.B) {
	for _, row := range []struct{ expression, text string }{
		{`^[A-Z]{3}$`, "EUR"},
		{`^[a-z0-9-]{1,40}$`, "abcdefghij-123456789"},
		{`^[A-Z]{2,4}-[0-9]+$`, "ABCD-123456789012345"},
		{`^.{1,40}$`, "abcdefghij-123456789"},
		{`^(foo|bar)[a-z-]*$`, "foo-bcdefghij-abcdef"},
		{`(a|b)*a(a|b){20}$`, "abababababababababab"},
	} {
		p, err := Compile(row.expression)
		require.NoError(b, err)
		text := []byte(row.text)
		b.Run(row.expression, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match(text)
			}
		})
	}
}
