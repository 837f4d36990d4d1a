package starter

import (
	"slices"
	"strings"
	"unicode"
)

// namesAccount reports whether a parameter or property of this name is likely to
// hold an account: a word for whose data it is, at the end of the name or with a
// word for an identifier behind it, such as accountId, account_number,
// X-Customer-Number, billingAccount or tenants.
func namesAccount(name string) bool {
	words := wordsOf(name)
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if isOwner(last) {
		return true
	}
	if isIdentifier(last) {
		return len(words) > 1 && isOwner(words[len(words)-2])
	}
	// accountid, in one word.
	for _, owner := range owners() {
		if rest, ok := strings.CutPrefix(last, owner); ok && isIdentifier(rest) {
			return true
		}
	}
	return false
}

// owners are the words for whose data it is.
func owners() []string {
	return []string{"account", "acct", "customer", "tenant", "subscriber", "organization", "organisation", "org"}
}

func isOwner(word string) bool {
	return slices.Contains(owners(), strings.TrimSuffix(word, "s"))
}

func isIdentifier(word string) bool {
	return slices.Contains([]string{"id", "identifier", "number", "num", "no", "nr", "ref", "key", "code", "uuid"}, strings.TrimSuffix(word, "s"))
}

// wordsOf splits a name at case changes and at everything that is no letter and
// no digit, and puts the words in lower case.
func wordsOf(name string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = nil
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]) && runes[i+1] != 's'):
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}
