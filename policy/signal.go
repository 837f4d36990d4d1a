package policy

import "net/http"

// Classify says what the outcome of a request tells about every control that it
// violated: at the gateway, which let it arrive, and at the backend, by the
// signal table of the measurement plan. Proof of existence for masked denials,
// persistence for rates and the baseline for refusals need history; they are
// applied where cells are counted. A clean request says nothing here, and one that
// did not prove to have come through the gateway says nothing about the gateway.
func Classify(d Decision, o Outcome) []Observation {
	if !d.denies() {
		return nil
	}
	var seen []Observation
	isolated := isolatedControl(d)
	around, _ := d.Find(PathGateway)
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Verdict.Effect != Deny {
			continue
		}
		c := f.Rule.Control
		entry, ok := Lookup(c)
		if !ok || entry.Family == Transport || entry.Family == Log {
			continue // the table has no column for them, at either position
		}
		if f.Verdict.Reason == DPoPNonce {
			continue // a challenge of ours: nobody else can know whether it was met
		}
		base := Observation{Control: c, Reason: f.Verdict.Reason, Isolated: c == isolated}
		if f.Rule.Phase == ResponsePhase {
			if o.Class != ClassNone {
				base.Position, base.Signal, base.Isolated = AtBackend, Leaked, true
				seen = append(seen, base)
			}
			continue
		}
		if around.Verdict.Effect != Deny {
			arrival := base
			arrival.Position, arrival.Signal = AtGateway, Leaked
			seen = append(seen, arrival)
		}
		if c == InHdr && o.Stripped > 0 {
			continue // the backend had nothing to refuse
		}
		if s, ok := signalOf(entry, o); ok {
			base.Position, base.Signal = AtBackend, s
			seen = append(seen, base)
		}
	}
	return seen
}

func (d Decision) denies() bool {
	for i := range d.Findings {
		if d.Findings[i].Verdict.Effect == Deny {
			return true
		}
	}
	return false
}

// isolatedControl returns the control whose violation is isolated: the only one
// that denies among the request-phase findings, while every undecided finding
// names it as its cause. It is empty when there is none. What is incidental counts
// where nothing else denies.
func isolatedControl(d Decision) Control {
	var denied, incidental Control
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Rule.Phase == ResponsePhase || f.Verdict.Effect != Deny {
			continue
		}
		if f.Verdict.Reason.Incidental() {
			incidental = f.Rule.Control
			continue
		}
		if denied != "" && denied != f.Rule.Control {
			return ""
		}
		denied = f.Rule.Control
	}
	if denied == "" {
		denied = incidental
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Rule.Phase != ResponsePhase && f.Verdict.Effect == Indeterminate && f.Verdict.Cause != denied {
			return ""
		}
	}
	return denied
}

// signals has one letter per column of the table: AuthN, AuthZ-op, AuthZ-obj,
// AuthZ-field, Input, Rate, WAF, Path. E enforced, M masked, S soft, L leaked,
// W weak, A ambiguous, X unattributable; a dash gives no signal.
func signals(class ResponseClass) string {
	switch class {
	case ClassNone:
		return "--------"
	case ClassOpaque:
		return "AAAAALAL"
	case ClassOK, ClassUpgrade:
		return "LLLALLLL"
	case ClassEmpty:
		return "LWMELLAL"
	case ClassSoftDeny:
		return "SSSSSSSS"
	case ClassAccepted:
		return "LLLALLAL"
	case ClassLogin:
		return "EXXXXXXX"
	case ClassRedir:
		return "AAAAAXAA"
	case Class401:
		return "EEEXXXXE"
	case Class403:
		return "EEEEAAEE"
	case Class404:
		return "MMMXAXMM"
	case Class405, Class406:
		return "XXXXXXXX"
	case Class415:
		return "AXXXXXXX"
	case ClassSize:
		return "AAAAXXAA"
	case ClassInput:
		return "AAAEEXEA"
	case ClassAfter, ClassState:
		return "WWWAWXWW"
	case Class429:
		return "XXXXXEXX"
	case Class451, Class4xx:
		return "AAAAAAAA"
	case Class500:
		return "AAAAWXWA"
	case Class501:
		return "XXXXXXXX"
	case ClassUnavail:
		return "XXXXXAXA"
	case ClassAbort:
		return "AAAAAAAA"
	}
	return "AAAAAAAA"
}

func column(f Family) int {
	switch f {
	case AuthN:
		return 0
	case AuthZOp:
		return 1
	case AuthZObj:
		return 2
	case AuthZField:
		return 3
	case Input:
		return 4
	case Rate, Abuse:
		return 5
	case WAF:
		return 6
	case Path:
		return 7
	case Output, Transport, Log:
	}
	return -1
}

// signalOf returns what the outcome says about one control at the backend, and
// false when it says nothing.
func signalOf(entry Entry, o Outcome) (Signal, bool) {
	i := column(entry.Family)
	if i < 0 {
		return "", false
	}
	if entry.Family == Input {
		if s, ok := inputSignal(entry.ID, o); ok {
			return s, true
		}
	}
	if o.Class == ClassSoftDeny && o.SoftFamily != entry.Family {
		return Ambiguous, true
	}
	switch signals(o.Class)[i] {
	case 'E':
		return Enforced, true
	case 'M':
		return Masked, true
	case 'S':
		return Soft, true
	case 'L':
		return Leaked, true
	case 'W':
		return Weak, true
	case 'X':
		return Unattributable, true
	case '-':
		return "", false
	}
	return Ambiguous, true
}

// inputSignal has the cells of the table in which the controls of the input
// family differ: a status that names one of them says nothing about the others.
func inputSignal(c Control, o Outcome) (Signal, bool) {
	switch o.Class { //nolint:exhaustive // only these classes name one control of the family
	case Class404:
		if c == InRoute {
			return Enforced, true
		}
	case Class405, Class501:
		if c == InMethod {
			return Enforced, true
		}
	case Class415:
		if c == InCtype && o.Coded {
			return Ambiguous, true
		}
		if c == InCtype {
			return Enforced, true
		}
	case ClassSize:
		if c == InSize || (c == InWellformed && o.BackendStatus == http.StatusLengthRequired) {
			return Enforced, true
		}
	}
	return "", false
}
