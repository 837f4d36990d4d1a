package ecma

import (
	"strings"
	"unicode"
)

// propertySet returns the code points that \p{name} matches (ECMA-262, 22.2.2.9.5):
// a general category, Script=…, or a binary property that the standard library
// knows; also a script alone, as RE2 takes it.
func propertySet(name string) (runeSet, bool) {
	key, value, paired := strings.Cut(name, "=")
	switch {
	case paired && (key == "General_Category" || key == "gc"):
		return categorySet(value)
	case paired && (key == "Script" || key == "sc"):
		return scriptSet(value)
	case paired:
		return nil, false
	}
	for _, of := range [...]func(string) (runeSet, bool){categorySet, binarySet, scriptSet} {
		if set, ok := of(name); ok {
			return set, true
		}
	}
	return nil, false
}

func categorySet(name string) (runeSet, bool) {
	if long, ok := unicode.CategoryAliases[name]; ok {
		name = long
	}
	table, ok := unicode.Categories[name]
	if !ok {
		return nil, false
	}
	return setOfTable(table), true
}

func scriptSet(name string) (runeSet, bool) {
	if long, ok := map[string]string{
		"Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cyrl": "Cyrillic", "Deva": "Devanagari",
		"Ethi": "Ethiopic", "Geor": "Georgian", "Grek": "Greek", "Hang": "Hangul", "Hani": "Han", "Hebr": "Hebrew",
		"Hira": "Hiragana", "Kana": "Katakana", "Khmr": "Khmer", "Latn": "Latin", "Taml": "Tamil", "Telu": "Telugu",
		"Tibt": "Tibetan", "Zinh": "Inherited", "Zyyy": "Common",
	}[name]; ok {
		name = long
	}
	table, ok := unicode.Scripts[name]
	if !ok {
		return nil, false
	}
	return setOfTable(table), true
}

// binarySet returns those of the binary properties (ECMA-262, table 68) that the
// standard library has or that are made of what it has (Unicode, DerivedCoreProperties).
func binarySet(name string) (runeSet, bool) {
	property := func(names ...string) []*unicode.RangeTable {
		var tables []*unicode.RangeTable
		for _, n := range names {
			tables = append(tables, unicode.Properties[n])
		}
		return tables
	}
	switch name {
	case "Any":
		return runeSet(nil).negate(), true
	case "ASCII":
		return setOf(runeRange{0, maxASCII}), true
	case "Assigned":
		unassigned, ok := categorySet("Cn")
		return unassigned.negate(), ok
	case "Alphabetic", "Alpha":
		return setOfTable(append(property("Other_Alphabetic", "Other_Lowercase", "Other_Uppercase"), unicode.L, unicode.Nl)...), true
	case "Lowercase", "Lower":
		return setOfTable(append(property("Other_Lowercase"), unicode.Ll)...), true
	case "Uppercase", "Upper":
		return setOfTable(append(property("Other_Uppercase"), unicode.Lu)...), true
	}
	if long, ok := map[string]string{
		"AHex": "ASCII_Hex_Digit", "Hex": "Hex_Digit", "Ideo": "Ideographic", "QMark": "Quotation_Mark",
		"STerm": "Sentence_Terminal", "Term": "Terminal_Punctuation", "UIdeo": "Unified_Ideograph", "space": "White_Space",
	}[name]; ok {
		name = long
	}
	switch name {
	case "ASCII_Hex_Digit", "Dash", "Diacritic", "Extender", "Hex_Digit", "Ideographic", "Join_Control",
		"Noncharacter_Code_Point", "Pattern_White_Space", "Pattern_Syntax", "Quotation_Mark", "Radical",
		"Regional_Indicator", "Sentence_Terminal", "Soft_Dotted", "Terminal_Punctuation", "Unified_Ideograph",
		"Variation_Selector", "White_Space":
		table, ok := unicode.Properties[name]
		if !ok {
			return nil, false
		}
		return setOfTable(table), true
	}
	return nil, false
}
