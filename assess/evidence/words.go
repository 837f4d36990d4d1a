package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Gap is a cell worth showing, in plain words.
type Gap struct {
	Cell     Cell
	Sentence string
}

// Top returns the n gaps to show first: by class in the order of Classes, then
// what concerns identity and access before what concerns input, then the one
// with more leaks. Cells that nothing was seen of are not among them, nor are
// those with an enforcing layer that no violation passed. A negative n returns
// all.
func Top(doc Document, n int) []Gap {
	gaps := []Gap{}
	for _, c := range doc.Cells {
		if isGap(c.Class) {
			gaps = append(gaps, Gap{Cell: c, Sentence: Sentence(c)})
		}
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int { return compareGaps(a.Cell, b.Cell) })
	if n >= 0 && len(gaps) > n {
		gaps = gaps[:n]
	}
	return gaps
}

func isGap(class Class) bool {
	switch class {
	case ClassNone, ClassBackendOpen, ClassGatewayOpen, ClassInconsistent, ClassAmbiguous,
		ClassIndeterminatePolicy, ClassBackendOnly, ClassGatewayOnly:
		return true
	case ClassLayered, ClassGatewayEnforced, ClassBackendEnforced, ClassUntestable, ClassUnobserved, ClassNotApplicable:
	}
	return false
}

func compareGaps(a, b Cell) int {
	return cmp.Or(
		cmp.Compare(slices.Index(Classes(), a.Class), slices.Index(Classes(), b.Class)),
		cmp.Compare(weight(a.Control), weight(b.Control)),
		cmp.Compare(leaks(b), leaks(a)),
		compareOperations(a.Operation, b.Operation),
		compareControls(a.Control, b.Control),
	)
}

// weight puts access before identity before everything else.
func weight(c policy.Control) int {
	switch family, _, _ := strings.Cut(string(c), "."); family {
	case "az":
		return 0
	case "tok", "key", "mtls":
		return 1
	}
	return 2
}

func leaks(c Cell) uint64 {
	if c.Backend.K > 0 {
		return c.Backend.K
	}
	return c.Gateway.K
}

// Sentence says in plain words what a cell shows. It is built from fixed
// templates and holds no value of a request.
func Sentence(c Cell) string {
	p := phraseOf(c.Control, onlyReason(c))
	b, g := c.Backend, c.Gateway
	switch c.Class {
	case ClassNone:
		return fmt.Sprintf("nobody checks %s: %s", p.what, leaked(c, p))
	case ClassBackendOpen:
		return fmt.Sprintf("the backend does not check %s: %s; whether the gateway does is not known", p.what, leaked(c, p))
	case ClassGatewayOpen:
		return fmt.Sprintf("the gateway does not check %s: %s passed it; what the backend does is not known",
			p.what, trials(c, g.K, p))
	case ClassInconsistent:
		if isLimit(c.Control) {
			return limitedInPart(c, p)
		}
		return fmt.Sprintf("%s is checked only sometimes: of %s, %d got through%s%s",
			p.what, trials(c, b.N, p), b.K, instances(c, "at"), decides(c))
	case ClassAmbiguous:
		return unclear(c, p)
	case ClassIndeterminatePolicy:
		return fmt.Sprintf("the policy cannot decide %s: undecided for %d of %s", p.what, c.Undecided, plural(c.Requests, "request"))
	case ClassBackendOnly:
		return fmt.Sprintf("the gateway does not check %s; the backend refused all of %s%s",
			p.what, trials(c, b.N, p), caution(c))
	case ClassGatewayOnly:
		return fmt.Sprintf("only the gateway checks %s; the backend does not: %s", p.what, leaked(c, p))
	case ClassBackendEnforced:
		return fmt.Sprintf("the backend refused all of %s%s", trials(c, b.N, p), caution(c))
	case ClassGatewayEnforced:
		return fmt.Sprintf("the gateway checks %s", p.what)
	case ClassLayered:
		return fmt.Sprintf("gateway and backend both check %s", p.what)
	case ClassUntestable:
		return fmt.Sprintf("nothing can be said of %s: no token of a client was seen to prove itself here", p.what)
	case ClassNotApplicable:
		return fmt.Sprintf("%s is not checked here by design", p.what)
	case ClassUnobserved:
	}
	return fmt.Sprintf("not known: no request put %s to the test", p.what)
}

// limitedInPart says how a backend that refuses some of what is over a limit fails it.
func limitedInPart(c Cell, p phrase) string {
	text := fmt.Sprintf("%s is checked only in part: in %d of %s more got through than it allows",
		p.what, c.Backend.K, trials(c, c.Backend.N, p))
	if c.Has(ModByInstance) {
		text += "; each instance counts by itself"
	}
	return text
}

// leaked says how many violations got through, and where.
func leaked(c Cell, p phrase) string {
	k := c.Backend.K
	subject := trials(c, k, p)
	switch {
	case k == 0:
		return subject + " passed"
	case c.Has(ModErrorMasked):
		return subject + " ended in a server error" + instances(c, "at") + ", which is no check"
	case isLimit(c.Control):
		return subject + " " + was(k) + " let through" + instances(c, "by")
	}
	for _, s := range c.Strata {
		for class := range s.Backend.Answers {
			if s.Backend.K > 0 && !isSuccess(class) {
				return subject + " " + was(k) + " let through" + instances(c, "by")
			}
		}
	}
	return subject + " " + was(k) + " answered 2xx" + instances(c, "by")
}

func isSuccess(class policy.ResponseClass) bool {
	switch class { //nolint:exhaustive // these are the classes of 2xx answers that let something through
	case policy.ClassOK, policy.ClassEmpty, policy.ClassAccepted, policy.ClassOpaque:
		return true
	}
	return false
}

func isLimit(c policy.Control) bool {
	entry, ok := policy.Lookup(c)
	return ok && (entry.Family == policy.Rate || entry.Family == policy.Abuse)
}

// unclear says of what nothing can be said.
func unclear(c Cell, p phrase) string {
	text := "it cannot be said who checks " + p.what
	switch {
	case c.Backend.State == StateAMB && c.Gateway.State == StateOPEN:
		text = "the gateway does not check " + p.what + ", and whether the backend does cannot be said"
	case c.Backend.State == StateAMB:
		text = "it cannot be said whether the backend checks " + p.what
	}
	text += ": the answers to " + trials(c, max(c.Backend.Ambiguous, c.Gateway.Ambiguous), p) + " can mean both"
	if c.Has(ModMasked) {
		text += ", such as \"not found\""
	}
	return text
}

// instances names the instances that leaked after a preposition, those with most
// leaks first.
func instances(c Cell, preposition string) string {
	const most = 3
	type share struct {
		instance string
		k        uint64
	}
	var shares []share
	for _, s := range c.Strata {
		if s.Backend.K == 0 || s.Instance == "" {
			continue
		}
		i := slices.IndexFunc(shares, func(x share) bool { return x.instance == s.Instance })
		if i < 0 {
			i, shares = len(shares), append(shares, share{instance: s.Instance})
		}
		shares[i].k += s.Backend.K
	}
	if len(shares) == 0 {
		return ""
	}
	if len(shares) == 1 {
		return " " + preposition + " " + show(shares[0].instance)
	}
	slices.SortStableFunc(shares, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.k, a.k), cmp.Compare(a.instance, b.instance))
	})
	var names []string
	var rest uint64
	for i, s := range shares {
		if i < most {
			names = append(names, fmt.Sprintf("%s (%d)", show(s.instance), s.k))
		} else {
			rest += s.k
		}
	}
	if rest > 0 {
		names = append(names, fmt.Sprintf("%d more (%d)", len(shares)-most, rest))
	}
	last := len(names) - 1
	return " " + preposition + " " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// trials counts what the control counts: requests, or windows over a limit.
func trials(c Cell, n uint64, p phrase) string {
	unit := "request"
	if isLimit(c.Control) {
		unit = "window"
	}
	words := plural(n, unit) + " " + p.violation
	if n == 1 {
		words = strings.NewReplacer(" that do not ", " that does not ", " that violate ", " that violates ").Replace(words)
	}
	return words
}

func plural(n uint64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

func was(n uint64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// caution says that refusals so far are no proof.
func caution(c Cell) string {
	switch {
	case c.Has(ModSoft):
		return ", inside success answers" + lowWords(c)
	case c.Has(ModMasked):
		return ", as if nothing were there" + lowWords(c)
	}
	return lowWords(c)
}

// decides says what tells the violations that get through from the others.
func decides(c Cell) string {
	switch {
	case c.Has(ModByInstance):
		return "; it depends on which instance answers"
	case c.Has(ModByReason):
		return "; it depends on what the violation is"
	case c.Has(ModBySubject):
		return "; it depends on who asks"
	case c.Has(ModIntermittent):
		return "; neither instance, violation nor caller tells which"
	}
	return ""
}

func lowWords(c Cell) string {
	if c.Has(ModLowN) {
		return "; too few to say that it always does"
	}
	return ""
}

// onlyReason returns the reason of the cell's trials if they all have the same.
func onlyReason(c Cell) policy.Reason {
	var only policy.Reason
	for _, s := range c.Strata {
		if only != "" && s.Reason != only {
			return ""
		}
		only = s.Reason
	}
	return only
}
