package starter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// Draft is a configuration file that was written and not yet read by anybody.
type Draft struct {
	Text []byte
	// Asked are the environment variables that stand for what is not known.
	Asked []string
}

// New writes the configuration of a contract. An error names an option that a
// configuration file cannot hold.
func New(c *openapi.Contract, o Options) (Draft, error) {
	w := &writer{options: o, draft: draftOf(c, o)}
	w.head()
	w.credential()
	w.accounts()
	w.sizes()
	w.operations()
	w.rest()
	return Draft{Text: []byte(w.text.String()), Asked: w.asked}, w.err
}

// writer writes lines and remembers what it had to ask for.
type writer struct {
	options Options
	draft   *draft
	text    strings.Builder
	asked   []string
	err     error
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.text, format+"\n", args...)
}

// value returns an option as YAML, or the reference that stands for it.
func (w *writer) value(option, env string) string {
	if option != "" {
		return w.quoted(option)
	}
	w.asked = append(w.asked, env)
	return `"${env:` + env + `}"`
}

// quoted returns a string as YAML. What it is given has been looked at before, or
// is an option.
func (w *writer) quoted(s string) string {
	q, ok := config.Quoted(s)
	if !ok && w.err == nil {
		w.err = fmt.Errorf("%s cannot be written into a configuration file; take ${ out of it", shown(s))
	}
	return q
}

// shown returns a string for a comment or a message: ASCII, in quotes, on one line
// and bounded.
func shown(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

func (w *writer) head() {
	o := w.options
	w.line("# Written by sidewarden init from a contract, to be read and corrected.")
	w.line("# guess:  taken from a name or a size; correct it where it is wrong.")
	w.line("# decide: somebody who knows the API has to say.")
	w.line("# A value such as \"${env:NAME}\" is not known: set that variable, or write the value in its place.")
	w.line("version: 1")
	w.line("product: %s # names the API in metrics, records and reports", w.quoted(o.Product))
	w.line("listen: {address: %s} # where the gateway or the client connects", w.quoted(o.Listen))
	if o.Admin != "" {
		w.line("admin: {address: %s} # health, metrics and what was measured", w.quoted(o.Admin))
	}
	w.line("backend: {url: %s} # what stands behind the sidecar", w.value(o.Backend, "SIDEWARDEN_BACKEND"))
	w.line("gateway: {present: true} # decide: false where clients connect themselves; then what they say of where they come from is a finding")
	w.line("# decide: whose word about the client counts, by the networks of the proxies; until it is said, that of everybody who connects does.")
	w.line("# gateway: {present: true, forwarded: {peers: [10.0.0.0/8]}}")
	w.line("mode: shadow # judge and forward; nothing is blocked")
	w.line("spec:")
	w.line("  file: %s", w.quoted(o.Spec))
	if o.Root != "" {
		w.line("  root: %s", w.quoted(o.Root))
	}
	if o.BasePath != "" {
		w.line("  base_path: %s", w.quoted(o.BasePath))
	}
}

func (w *writer) list(values []string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = w.quoted(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (w *writer) accounts() {
	if w.draft.public {
		return
	}
	w.line("")
	for _, name := range w.draft.left {
		w.line("# decide: %s may hold an account, and this file cannot name it.", shown(name))
	}
	if len(w.draft.rules) == 0 {
		w.line("# decide: no name in the contract suggests where a request names an account. Without a rule az.account judges nothing.")
		w.line("# account: {rules: [{in: path, name: accountId}]}")
		return
	}
	w.line("account:")
	w.line("  rules:")
	for _, r := range w.draft.rules {
		if r.In == config.InBody {
			w.line("    - {in: body, pointer: %s} # guess: by its name, in %s", w.quoted(r.Pointer), some(r.operations))
		} else {
			w.line("    - {in: %s, name: %s} # guess: by its name, in %s", r.In, w.quoted(r.Name), some(r.operations))
		}
	}
}

// some lists the first ids of a list for a comment.
func some(ids []string) string {
	const few = 3
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var shownIDs []string
	for _, id := range ids[:min(few, len(ids))] {
		shownIDs = append(shownIDs, shown(id))
	}
	text := strings.Join(shownIDs, ", ")
	if more := len(ids) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (w *writer) sizes() {
	w.line("")
	if w.draft.bodies > 0 {
		w.line("# guess: twice the longest body that the sizes in the contract allow.")
		w.line("payload: {max_request_bytes: %s}", w.draft.bodies)
		return
	}
	w.line("# decide: the contract does not keep every body below the default, so the default holds.")
	w.line("# payload: {max_request_bytes: 1MiB}")
}

func (w *writer) operations() {
	w.line("")
	w.line("operations:")
	written := 0
	for _, op := range w.draft.operations {
		if op.key == "" {
			w.line("  # decide: operation %s cannot be named in this file; the contract alone says what it needs.", shown(op.id))
			continue
		}
		written++
		w.operation(op)
	}
	if written == 0 {
		w.line("  {}")
	}
}

func (w *writer) operation(op operation) {
	key := w.quoted(op.key)
	switch {
	case op.public && op.switches:
		w.line("  %s:", key)
		w.line("    public: true # the contract asks for no credential")
	case op.public:
		w.line("  %s: {public: true} # the contract asks for no credential", key)
	case len(op.scopes) > 0:
		alternatives := make([]string, len(op.scopes))
		for i, all := range op.scopes {
			alternatives[i] = w.list(all)
		}
		w.line("  %s:", key)
		w.line("    scopes: [%s]", strings.Join(alternatives, ", "))
	case op.switches:
		w.line("  %s:", key)
	default:
		w.line("  %s: {}", key)
	}
	if op.switches {
		w.line("    upgrade: [websocket] # guess: the contract declares an answer 101; what passes a WebSocket is not inspected")
	}
	for _, note := range op.notes {
		w.line("    # %s", note)
	}
	if op.unbound {
		line := "account: none"
		if len(op.scopes) == 0 && !op.switches {
			line = "{account: none}"
		}
		w.line("    # decide: no rule finds an account in it, so az.account cannot judge it. Add a rule above, or write %s here.", line)
	}
}

func (w *writer) rest() {
	w.line("")
	w.line("# decide: how often one application may call.")
	w.line("# limits: [{name: per-application, key: [client], rate: 100/s, burst: 200}]")
	w.line("# Records go to standard output, with pseudonyms whose key ends with the process. To keep both:")
	w.line("# audit: {file: {path: audit.jsonl}, pseudonym_key: \"${env:SIDEWARDEN_PSEUDONYM_KEY}\"}")
}
