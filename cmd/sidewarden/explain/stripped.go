package explain

import (
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// stripped tells which header fields the control takes away where it enforces; none for
// a finding that blocks there, or that an exception lets pass.
func (v *view) stripped(f policy.Finding) []Input {
	stripper, strips := f.Rule.Check.(policy.Stripper)
	if !strips || f.Exception != "" || !slices.Contains(f.Rule.Reports, f.Verdict.Reason) {
		return nil
	}
	return []Input{{"taken away in enforce", strings.Join(v.fieldNames(stripper.Strip(v.r)), ", ")}}
}

// fieldNames shows names of fields that are taken away. They are those of the
// configuration or of in.hdr, in the client's spelling, but for the end of the family
// X-Forwarded-, which is the client's and may be a value.
func (m mask) fieldNames(names []string) []string {
	const family = "X-Forwarded-"
	var shown []string
	for _, name := range names {
		made := len(name) > len(family) && policy.SameVariable(name[:len(family)], family) &&
			!slices.ContainsFunc(message.Forwarding(), func(known string) bool { return policy.SameVariable(name, known) })
		if made && !m.show {
			name = family + "*"
		}
		if name = plain(name); !slices.Contains(shown, name) {
			shown = append(shown, name)
		}
	}
	return shown
}
