package config

import (
	"regexp"
	"strings"
)

// absence is a part of the file format that this version reads and refuses, so
// that a file never looks as if it were in force.
type absence struct {
	field string // Path; [] stands for every element, * for every key.
	value string // If set, only this value is refused.
}

// absences lists what is not available in this version. Whoever makes a line
// untrue deletes it.
func absences() []absence {
	return []absence{
		{field: "evidence.dir"},
		{field: "trace.inject", value: "true"},
	}
}

const notAvailable = "not available in this version"

// pattern returns the expression that the paths of the field match.
func (a absence) pattern() *regexp.Regexp {
	p := regexp.QuoteMeta(a.field)
	p = strings.ReplaceAll(p, `\[\]`, `\[[0-9]+\]`)
	p = strings.ReplaceAll(p, `\.\*`, `(\.[A-Za-z0-9_-]+|\[".*"\])`)
	return regexp.MustCompile("^" + p + "$")
}

// about tells the manual about a field: whether it is missing as a whole, else
// what of it is, or "".
func (a absence) about(path string) (missing bool, note string) {
	path = strings.ReplaceAll(path, "<name>", "*")
	rest, under := strings.CutPrefix(path, a.field)
	switch {
	case a.value == "" && under && (rest == "" || rest[0] == '.' || rest[0] == '['):
		return true, ""
	case strings.TrimSuffix(a.field, "[]") != path:
		return false, ""
	default:
		return false, "`" + a.value + "` is " + notAvailable + "."
	}
}

// available refuses what this version does not have.
func (v *validator) available() {
	for _, a := range absences() {
		pattern := a.pattern()
		for path, p := range v.places {
			if !pattern.MatchString(path) || a.value != "" && !strings.EqualFold(p.text, a.value) {
				continue
			}
			cause := notAvailable
			if a.value != "" {
				cause = quote(p.text) + " is " + notAvailable
			}
			v.add(path, cause, "remove it")
		}
	}
}
