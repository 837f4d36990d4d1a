package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// view is one request beside what the configuration and the contract say of it.
type view struct {
	mask
	cfg *config.Config
	r   *policy.Request
	// contract is what the contract says of the operation; nil without one.
	contract *openapi.Operation
	all      []openapi.Operation
	// key is the operation's key in the configuration; "" if it has no settings.
	key      string
	settings config.Operation
	// issuer are the settings of the token's issuer; nil if it is not configured.
	issuer      *config.Issuer
	issuerField string
}

func newView(o Options, r *policy.Request) *view {
	v := &view{mask: mask{o.ShowValues}, cfg: o.Config, r: r}
	for _, contract := range o.Output.Contracts {
		v.all = append(v.all, contract.Operations()...)
	}
	if op := r.Match.Operation; op != nil {
		keys := []string{op.ID}
		for i := range v.all {
			places := append([]string{v.all[i].Template}, v.all[i].Aliases...)
			if v.all[i].Method != op.Method || !slices.Contains(places, op.Template) {
				continue
			}
			v.contract = &v.all[i]
			for _, place := range places {
				keys = append(keys, op.Method+" "+place)
			}
		}
		for _, key := range keys {
			if settings, ok := v.cfg.Operations[key]; ok {
				v.key, v.settings = key, settings
			}
		}
	}
	if t := r.Auth.Token; t != nil {
		for i := range v.cfg.Token.Issuers {
			if v.cfg.Token.Issuers[i].Issuer == t.Claimed.Issuer {
				v.issuer, v.issuerField = &v.cfg.Token.Issuers[i], fmt.Sprintf("token.issuers[%d]", i)
			}
		}
	}
	return v
}

func (v *view) request() string {
	text := v.method() + " " + v.path()
	if n := v.r.Body.Size; n > 0 {
		text += fmt.Sprintf(", %d bytes of body", n)
	}
	return text
}

// method is the client's, so it is shown only if it is one that anybody uses.
func (v *view) method() string {
	return v.known(v.r.Method, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
}

// path is the template of the operation; of an unmatched request, the path with
// what is no word of the contract masked.
func (v *view) path() string {
	if op := v.r.Match.Operation; op != nil && !v.show {
		return plain(op.Template)
	}
	var words []string
	for i := range v.all {
		words = append(words, strings.Split(v.all[i].Template, "/")...)
	}
	parts := strings.Split(v.r.Path, "/")
	for i, part := range parts {
		if part != "" {
			parts[i] = v.known(part, words)
		}
	}
	return plain(strings.Join(parts, "/"))
}

func (v *view) operation() string {
	if op := v.r.Match.Operation; op != nil {
		return plain(op.ID)
	}
	return policy.UnmatchedID
}

// identity is empty when nobody proved to be anybody.
func (v *view) identity() []Input {
	id := v.r.Auth.Identity
	if id == nil {
		return []Input{}
	}
	return []Input{
		{"issuer", plain(id.Issuer)},
		{"client", v.value(id.Client)},
		{"principal", v.value(id.Principal)},
		{"accounts", v.values(id.Accounts, nil)},
		{"scopes", v.values(id.Scopes, v.scopes())},
	}
}

// scopes are all scopes that the contract and the configuration name.
func (v *view) scopes() []string {
	var all []string
	for i := range v.all {
		all = append(all, slices.Concat(v.all[i].Security...)...)
	}
	for _, op := range v.cfg.Operations {
		all = append(all, slices.Concat(op.Scopes...)...)
	}
	return all
}

// anyOf are the alternatives of scopes that the operation asks for.
func (v *view) anyOf() [][]string {
	switch {
	case v.settings.Scopes != nil:
		return v.settings.Scopes
	case v.contract != nil:
		return v.contract.Security
	}
	return nil
}

// controls tells every finding, in order of the catalogue.
func (v *view) controls(d policy.Decision) []Control {
	findings := slices.Clone(d.Findings)
	slices.SortStableFunc(findings, func(a, b policy.Finding) int {
		return policy.Order(a.Rule.Control) - policy.Order(b.Rule.Control)
	})
	controls := make([]Control, 0, len(findings))
	for _, f := range findings {
		id := f.Rule.Control
		if f.Verdict.Effect == policy.NotApplicable && f.Rule.Phase == policy.BodyPhase && id == policy.InFrame {
			continue // what it says of the head stands before
		}
		controls = append(controls, Control{
			ID: id, Mode: v.cfg.ControlMode(v.key, string(id)).String(), Effect: f.Verdict.Effect.String(), Reason: f.Verdict.Reason,
			Detail: f.Verdict.Detail, Cause: f.Verdict.Cause, Exception: f.Exception,
			Set: v.set(v.cfg.ModeField(v.key, string(id))), Inputs: append(v.inputs(id), v.stripped(f)...),
		})
	}
	return controls
}

// set names a field with its place, or says that its default holds.
func (v *view) set(field string) string {
	if place, ok := v.cfg.Place(field); ok {
		return place + ", " + field
	}
	return "the default of " + field
}

func (v *view) notes(parts *compile.Parts) []string {
	notes := []string{
		"No backend was asked, so answers are not judged.",
		"Limits were unused, and so were token ids and DPoP proofs: what others did before is not known here.",
	}
	if v.certificateOfNobody() {
		notes = append(notes, "No client connected, so there is no certificate of a connection: certificate-missing says nothing of clients that show theirs. For a request, --certificate gives one.")
	}
	if v.stopsAtHandshake() {
		notes = append(notes, "With listen.tls.client_auth require, a client with this certificate gets no connection, in any mode: the request would not arrive.")
	}
	if v.nonceOfOthers() {
		notes = append(notes, "token.dpop.nonce_key is not set: serve makes nonces with a random key, and none of them is recognised here, "+
			"so dpop-nonce does not tell whether the proof has one. Everything else of the proof passed.")
	}
	return append(append(notes, v.unavailable(parts)...), v.masked()...)
}

// unavailable tells which key sets are not there, and that no issuer was asked.
func (v *view) unavailable(parts *compile.Parts) []string {
	var notes []string
	for _, keys := range parts.KeySets() {
		if keys.Ready() {
			continue
		}
		why := "it was not read"
		if err := keys.Stats().LastError; err != nil {
			why = err.Error()
		}
		notes = append(notes, fmt.Sprintf("The key set of issuer %s is not available, so its tokens are undecided: %s", plain(keys.Stats().Issuer), plainText(why)))
	}
	slices.Sort(notes)
	if v.issuer != nil && v.issuer.Introspection != nil {
		notes = append(notes, fmt.Sprintf("Issuer %s was not asked about the token: what only it can tell, an opaque token or tok.revoked, is undecided here.", plain(v.issuer.Issuer)))
	}
	return notes
}

func (v *view) masked() []string {
	if v.show {
		return nil
	}
	return []string{"Values that the request and its token bring are masked; --show-values shows them."}
}
