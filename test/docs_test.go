package test_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

var update = flag.Bool("update", false, "write the generated parts of docs anew")

const controlsDir = "../docs/controls"

// implemented returns the controls that have a check, in order of evaluation.
func implemented() []policy.Entry {
	return slices.DeleteFunc(policy.Catalogue(), func(e policy.Entry) bool { return !e.Implemented })
}

func pageOf(c policy.Control) string { return filepath.Join(controlsDir, string(c)+".md") }

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// generated compares the part of a page between its markers with want, or writes
// it with -update.
func generated(t *testing.T, file, name, want string) {
	t.Helper()
	text := read(t, file)
	begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
	from := strings.Index(text, begin)
	require.GreaterOrEqual(t, from, 0, "%s has no line %q; put it where the generated part belongs", file, strings.TrimSpace(begin))
	from += len(begin)
	length := strings.Index(text[from:], end)
	require.GreaterOrEqual(t, length, 0, "%s: the part %s does not end; add the line %s", file, name, end)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text[:from]+want+text[from+length:]), 0o644))
		return
	}
	assert.Equal(t, want, text[from:from+length], "%s: the part %s differs from the code; run make docs", file, name)
}

func TestDocsHaveAPageForEveryControl(t *testing.T) {
	want := []string{"README.md"}
	for _, e := range implemented() {
		want = append(want, filepath.Base(pageOf(e.ID)))
	}
	entries, err := os.ReadDir(controlsDir)
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	assert.ElementsMatch(t, want, found, "one page for each control with a check, and no other file")
	for _, e := range implemented() {
		text := read(t, pageOf(e.ID))
		assert.True(t, strings.HasPrefix(text, "# "+string(e.ID)+"\n"), "%s: the first line is the control's id", pageOf(e.ID))
		for _, part := range []string{
			"What it stops", "What it does not stop", "Rule", "Configuration", "Reasons", "How a gap reads",
			"Answer under enforce", "Example record",
		} {
			assert.NotEmpty(t, section(text, part), "%s: write the section %q", pageOf(e.ID), part)
		}
		assert.Contains(t, section(text, "Answer under enforce"), strconv.Itoa(e.Status), "%s: say the status of the catalogue", pageOf(e.ID))
		assert.LessOrEqual(t, strings.Count(text, "\n"), 130, "%s is too long for a page that is read while something is broken", pageOf(e.ID))
	}
}

// section returns the text under a heading of the second level.
func section(text, heading string) string {
	_, rest, _ := strings.Cut(text, "\n## "+heading+"\n")
	body, _, _ := strings.Cut(rest, "\n## ")
	return strings.TrimSpace(body)
}

func TestDocsOfTheCatalogueAreTheCatalogue(t *testing.T) {
	var b strings.Builder
	b.WriteString("| control | title | family | phase | blocks with | needs | expected at | OWASP API 2023 | ASVS 5.0 |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range policy.Catalogue() {
		name := string(e.ID) + " (planned)"
		if e.Implemented {
			name = link(e.ID)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %s | %s | %s | %s |\n", name, e.Title, e.Family, e.Phase, e.Status,
			needs(e), layers(e), strings.Join(e.OWASP, ", "), strings.Join(e.ASVS, ", "))
	}
	generated(t, filepath.Join(controlsDir, "README.md"), "catalogue", b.String())
	for _, e := range implemented() {
		generated(t, pageOf(e.ID), "facts", facts(e))
		generated(t, pageOf(e.ID), "signals", signals(e))
	}
}

func link(c policy.Control) string { return fmt.Sprintf("[%s](%s.md)", c, c) }

func needs(e policy.Entry) string {
	var all []string
	for _, n := range e.Needs {
		all = append(all, link(n))
	}
	return strings.Join(all, ", ")
}

func layers(e policy.Entry) string {
	if e.SecondLayer == "" {
		return e.MinLayer
	}
	return e.MinLayer + ", " + e.SecondLayer
}

func facts(e policy.Entry) string {
	titles := map[string]string{
		"API1": "Broken Object Level Authorization", "API2": "Broken Authentication",
		"API3": "Broken Object Property Level Authorization", "API4": "Unrestricted Resource Consumption",
		"API5": "Broken Function Level Authorization", "API6": "Unrestricted Access to Sensitive Business Flows",
		"API7": "Server Side Request Forgery", "API8": "Security Misconfiguration", "API9": "Improper Inventory Management",
		"API10": "Unsafe Consumption of APIs",
	}
	var risks []string
	for _, o := range e.OWASP {
		risks = append(risks, o+" "+titles[o])
	}
	needed := needs(e)
	if needed == "" {
		needed = "nothing"
	}
	return fmt.Sprintf("| fact | |\n|---|---|\n| title | %s |\n| family | %s |\n| phase | %s |\n| expected at | %s |\n| needs | %s |\n"+
		"| blocks with | %d %s |\n| OWASP API 2023 | %s |\n| ASVS 5.0 | %s |\n",
		e.Title, e.Family, e.Phase, layers(e), needed, e.Status, http.StatusText(e.Status), strings.Join(risks, "; "), strings.Join(e.ASVS, ", "))
}

// answers says in words which answers a class has.
func answers(c policy.ResponseClass) string {
	return map[policy.ResponseClass]string{
		policy.ClassAbort: "no whole answer", policy.ClassOpaque: "2xx that could hold a refusal and was not read",
		policy.ClassUpgrade: "101", policy.ClassLogin: "a login page", policy.ClassRedir: "other 3xx", policy.ClassAccepted: "202",
		policy.ClassSoftDeny: "2xx that refuses, with a code of this family", policy.ClassEmpty: "2xx with an empty list or null",
		policy.ClassOK: "other 2xx", policy.Class401: "401", policy.Class403: "403", policy.Class404: "404, 410", policy.Class405: "405",
		policy.Class406: "406", policy.Class415: "415", policy.ClassSize: "411, 413, 414, 431", policy.ClassInput: "400, 422",
		policy.ClassAfter: "412, 416", policy.ClassState: "409, 423, 424, 428", policy.Class429: "429", policy.Class451: "451",
		policy.Class4xx: "other 4xx", policy.Class500: "500, other 5xx", policy.Class501: "501", policy.ClassUnavail: "502, 503, 504, 507, 508",
	}[c]
}

// signals is the column of the signal table that a control has, by asking
// Classify about every class.
func signals(e policy.Entry) string {
	by := map[policy.Signal][]string{}
	d := policy.Decision{Findings: []policy.Finding{{Rule: &policy.Rule{Control: e.ID, Phase: phaseOf(e.ID)}, Verdict: policy.Denied("x", "")}}}
	for _, class := range policy.Classes() {
		o := policy.Outcome{Class: class, SoftFamily: e.Family}
		for _, seen := range policy.Classify(d, o) {
			if seen.Position == policy.AtBackend {
				by[seen.Signal] = append(by[seen.Signal], answers(class))
			}
		}
	}
	var b strings.Builder
	b.WriteString("| reads as | backend's answer |\n|---|---|\n")
	for _, s := range []policy.Signal{
		policy.Leaked, policy.Weak, policy.Enforced, policy.Soft, policy.Masked, policy.Ambiguous, policy.Unattributable,
	} {
		if len(by[s]) > 0 {
			fmt.Fprintf(&b, "| %s | %s |\n", s, strings.Join(by[s], "; "))
		}
	}
	return b.String()
}

// phaseOf tells the controls of answers, which read in another way, from all others.
func phaseOf(c policy.Control) policy.Phase {
	if entry, ok := policy.Lookup(c); ok && entry.Phase == policy.ResponsePhase.String() {
		return policy.ResponsePhase
	}
	return policy.HeadPhase
}

// isReasons reports whether a file holds part of the closed set of reasons.
func isReasons(path string) bool {
	return strings.HasPrefix(path, "policy/reason") && !strings.HasSuffix(path, "_test.go")
}

// reasons returns the constants of policy/reason*.go: name to code.
func reasons(t *testing.T) map[string]policy.Reason {
	t.Helper()
	found := map[string]policy.Reason{}
	for _, f := range goFiles(t) {
		if !isReasons(f.path()) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, isValue := n.(*ast.ValueSpec)
			if !isValue {
				return true
			}
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			require.True(t, isLiteral, "%s is a literal", spec.Names[0].Name)
			code, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			found[spec.Names[0].Name] = policy.Reason(code)
			return false
		})
	}
	require.NotEmpty(t, found)
	return found
}

// documented returns the reasons that the table of a section lists.
func documented(text string) []policy.Reason {
	var all []policy.Reason
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (deny|undecided) \\|").FindAllStringSubmatch(text, -1) {
		all = append(all, policy.Reason(row[1]))
	}
	return all
}

func TestDocsExplainEveryReason(t *testing.T) {
	known := slices.Collect(maps.Values(reasons(t)))
	general := []policy.Reason{policy.PrerequisiteFailed, policy.NotInspected, policy.InternalError}
	overview := documented(read(t, filepath.Join(controlsDir, "README.md")))
	assert.ElementsMatch(t, general, overview, "the overview explains the reasons that every control can have, and no other")
	all := overview
	for _, e := range implemented() {
		own := documented(section(read(t, pageOf(e.ID)), "Reasons"))
		assert.NotEmpty(t, own, "%s lists no reason", pageOf(e.ID))
		for _, r := range own {
			assert.NotContains(t, general, r, "%s: the overview explains %s already", pageOf(e.ID), r)
		}
		all = append(all, own...)
	}
	for _, r := range known {
		assert.True(t, slices.Contains(all, r), "no page explains reason %s; add it to the table of its control", r)
	}
	for _, r := range all {
		assert.True(t, slices.Contains(known, r), "a page explains reason %s, which does not exist", r)
	}
	for _, file := range markdown(t) {
		for _, m := range regexp.MustCompile("reason `([a-z-]+)`").FindAllStringSubmatch(read(t, file), -1) {
			assert.True(t, slices.Contains(known, policy.Reason(m[1])), "%s names reason %s, which does not exist", file, m[1])
		}
	}
}

func TestDocsExplainNoDeadReason(t *testing.T) {
	given := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || isReasons(f.path()) || f.path() == "policy/status.go" || !within(f.folder, []string{"policy/...", "proxy/..."}) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				given[n.Sel.Name] = true
			case *ast.Ident:
				if f.folder == "policy" {
					given[n.Name] = true
				}
			}
			return true
		})
	}
	for name, code := range reasons(t) {
		assert.True(t, given[name], "no check gives reason %s; delete policy.%s", code, name)
	}
}

func TestDocsOfTheConfigurationAreItsReference(t *testing.T) {
	schema, err := config.Schema()
	require.NoError(t, err)
	for file, want := range map[string]string{
		"../docs/config.md": config.Reference(), "../docs/config.schema.json": string(schema),
	} {
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		}
		assert.Equal(t, want, read(t, file), "run make docs")
	}
	var ids []string
	for _, e := range policy.Catalogue() {
		ids = append(ids, string(e.ID))
	}
	assert.ElementsMatch(t, ids, config.ControlIDs(), "config and policy name the same controls")
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// frame is what a snippet leaves out.
const frame = `
version: 1
product: docs
listen: {address: "127.0.0.1:8080"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: openapi.yaml}
token: {issuers: [{issuer: https://idp.example.net, jwks_file: keys.json, audiences: [https://api.example.net]}]}
`

// contract has the operations that the snippets name.
const contract = `
openapi: 3.0.3
info: {title: docs, version: "1"}
security: [{oauth: [orders:read]}]
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: https://idp.example.net/token, scopes: {orders:read: read}}}}
paths:
  /accounts/{accountId}/orders/{orderId}:
    get:
      operationId: getOrder
      parameters:
        - {name: accountId, in: path, required: true, schema: {type: string}}
        - {name: orderId, in: path, required: true, schema: {type: string}}
      responses: {"200": {description: the order}}
  /orders:
    post:
      operationId: createOrder
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: the order}}
  /sites:
    get: {operationId: listSites, responses: {"200": {description: the sites}}}
`

// merge lays a mapping over another one.
func merge(under, over map[string]any) map[string]any {
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		if below, both := under[key].(map[string]any); isMap && both {
			value = merge(below, inner)
		}
		under[key] = value
	}
	return under
}

func TestDocsShowConfigurationThatWorks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"openapi.yaml": contract, "keys.json": string(tokentest.JWKS(tokentest.RSA())), "gateway-proof": "an-example-of-a-secret", "introspection": "another-secret"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for _, e := range implemented() {
		snippets := blocks(section(read(t, pageOf(e.ID)), "Configuration"), "yaml")
		assert.Len(t, snippets, 1, "%s: one small example", pageOf(e.ID))
		for _, snippet := range snippets {
			whole, part := map[string]any{}, map[string]any{}
			require.NoError(t, yaml.Load([]byte(frame), &whole))
			require.NoError(t, yaml.Load([]byte(snippet), &part), pageOf(e.ID))
			if e.ID == policy.KeyValid { // no token arrives, and the entry of the page is one
				delete(whole, "token")
				entries := blocks(section(read(t, pageOf(e.ID)), "Configuration"), "json")
				keys := `{"version": 1, "keys": [` + strings.Join(entries, ",") + `]}`
				require.NoError(t, os.WriteFile(filepath.Join(dir, "api-keys.json"), []byte(keys), 0o600))
			}
			data, err := yaml.Dump(merge(whole, part))
			require.NoError(t, err)
			file := filepath.Join(dir, string(e.ID)+".yaml")
			require.NoError(t, os.WriteFile(file, data, 0o600))
			cfg, err := config.Load(file, config.Env{})
			if !assert.NoError(t, err, "%s: the example is refused", pageOf(e.ID)) {
				continue
			}
			out, err := compile.Compile(compile.Input{Config: cfg, Now: time.Now})
			if !assert.NoError(t, err, "%s: the example cannot be compiled", pageOf(e.ID)) {
				continue
			}
			assert.True(t, enforces(out.Policy, e.ID), "%s: the example makes %s enforce", pageOf(e.ID), e.ID)
		}
	}
}

func enforces(p *policy.Policy, c policy.Control) bool {
	return slices.ContainsFunc(append(slices.Clone(p.Operations), p.Unmatched), func(op *policy.Operation) bool {
		return slices.ContainsFunc(op.Rules, func(r *policy.Rule) bool { return r.Control == c && r.Mode == policy.Enforce })
	})
}

func TestDocsShowRecordsAsTheyAre(t *testing.T) {
	for _, e := range implemented() {
		text := read(t, pageOf(e.ID))
		examples := blocks(section(text, "Example record"), "json")
		require.Len(t, examples, 1, "%s: one example", pageOf(e.ID))
		decoder := json.NewDecoder(bytes.NewReader([]byte(examples[0])))
		decoder.DisallowUnknownFields()
		var rec audit.Record
		require.NoError(t, decoder.Decode(&rec), "%s: the example has a field that records do not have", pageOf(e.ID))
		require.NotEmpty(t, rec.Findings, pageOf(e.ID))
		assert.Equal(t, e.ID, rec.Findings[0].Control, pageOf(e.ID))
		assert.Contains(t, documented(section(text, "Reasons")), rec.Findings[0].Reason, "%s: the example has a reason of the page", pageOf(e.ID))
		assert.Equal(t, policy.ClassOf(&policy.Request{Response: &policy.Response{Status: rec.Be.Status}}, policy.Hints{}), rec.Be.Class, pageOf(e.ID))
		assert.Equal(t, policy.WouldBlock.String(), rec.Disposition, "%s: nothing in the example enforces", pageOf(e.ID))
		var d policy.Decision
		for _, f := range rec.Findings {
			v := policy.Denied(f.Reason, f.Detail)
			if f.Effect == policy.Indeterminate.String() {
				v = policy.Verdict{Reason: f.Reason, Cause: f.Cause}
			}
			d.Findings = append(d.Findings, policy.Finding{Rule: &policy.Rule{Control: f.Control, Phase: phaseOf(f.Control), Mode: policy.Shadow}, Verdict: v})
		}
		var want []audit.Observation
		for _, o := range policy.Classify(d, policy.Outcome{Class: rec.Be.Class, BackendStatus: rec.Be.Status}) {
			want = append(want, audit.Observation(o))
		}
		assert.Equal(t, want, rec.Observations, "%s: the example's observations are those of its findings", pageOf(e.ID))
	}
}

// markdown returns every page of the documentation.
func markdown(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../docs/*.md", "../docs/*/*.md", "../*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

func TestDocsLinkToWhatExists(t *testing.T) {
	index := read(t, "../docs/README.md")
	for _, file := range markdown(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			assert.FileExists(t, existing(filepath.Join(filepath.Dir(file), m[1])), "%s links to %s, which is not there", file, m[1])
		}
		if name, inDocs := strings.CutPrefix(file, "../docs/"); inDocs && name != "README.md" && filepath.Dir(name) != "controls" {
			assert.True(t, strings.Contains(index, "("+name+")"), "docs/README.md does not list %s", name)
		}
	}
}

// existing lets a folder count as a file.
func existing(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return os.Args[0]
	}
	return path
}

func TestDocsHaveTheWords(t *testing.T) {
	text := read(t, "../docs/vocabulary.md")
	rows := regexp.MustCompile(`(?m)^\| [a-z][a-z, ]* \| [^|]+ \|[^|]*\|$`).FindAllString(text, -1)
	assert.Greater(t, len(rows), 20, "docs/vocabulary.md: the table of words")
	var words []string
	for _, s := range evidence.States() {
		words = append(words, string(s))
	}
	for _, c := range evidence.Classes() {
		words = append(words, string(c))
	}
	for _, m := range evidence.Modifiers() {
		words = append(words, string(m))
	}
	for _, w := range words {
		assert.True(t, strings.Contains(text, "`"+w+"`"), "docs/vocabulary.md does not explain %s, which gap prints", w)
	}
}

// metric is one row of the table of metrics.
type metric struct {
	kind, help string
	labels     []string
}

// exposed returns the metrics of a registry in which every one has a series, by
// name.
func exposed(t *testing.T) map[string]metric {
	t.Helper()
	m := metrics.New(metrics.Options{Version: "docs", Sources: metrics.Sources{
		TransportRefused: func() map[string]uint64 { return map[string]uint64{"malformed": 1} },
		GuardBlind:       func() uint64 { return 1 },
		Waited:           func() (uint64, time.Duration) { return 1, time.Second },
		ConnectionAuth:   func() map[string]uint64 { return map[string]uint64{"ntlm": 1} },
		KeySets: func() []metrics.KeySet {
			return []metrics.KeySet{{Issuer: "docs", Loaded: true, Reads: map[string]uint64{"ok": 1}, Skipped: map[string]int{"use": 1}}}
		},
		TokenCache: func() []metrics.TokenCache { return []metrics.TokenCache{{Issuer: "docs"}} },
		Introspection: func() []metrics.Introspection {
			return []metrics.Introspection{{Issuer: "docs", Results: map[string]uint64{"active": 0}}}
		},
		Exceptions:   func() []metrics.Exception { return []metrics.Exception{{ID: "docs"}} },
		Endpoints:    func() map[string]int { return map[string]int{"shadow": 1} },
		Certificates: func() map[string]time.Time { return map[string]time.Time{"listen": time.Unix(1, 0)} },
		Logs:         func() map[string]audit.LogStats { return map[string]audit.LogStats{"stdout": {}} },
		Bypass:       func() []metrics.Bypass { return []metrics.Bypass{{Kind: "BY1"}} },
	}})
	op := &policy.Operation{ID: "docs", Rules: []*policy.Rule{{Control: policy.TokSig, Mode: policy.Shadow}}}
	m.Use(&policy.Policy{Digest: "docs", Operations: []*policy.Operation{op}})
	m.Consume(&audit.Record{Findings: []audit.Finding{{Control: policy.TokSig, Effect: policy.Deny.String(), Mode: policy.Shadow.String()}}})
	families, err := m.Gatherer().Gather()
	require.NoError(t, err)
	all := map[string]metric{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "sidewarden_") {
			continue
		}
		row := metric{kind: strings.ToLower(f.GetType().String()), help: f.GetHelp()}
		for _, l := range f.GetMetric()[0].GetLabel() {
			row.labels = append(row.labels, "`"+l.GetName()+"`")
		}
		all[f.GetName()] = row
	}
	require.NotEmpty(t, all)
	return all
}

func TestDocsListTheMetrics(t *testing.T) {
	all := exposed(t)
	var b strings.Builder
	b.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	values := section(read(t, "../docs/metrics.md"), "Values of labels")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.kind, strings.Join(m.labels, ", "), m.help)
		for _, label := range m.labels {
			assert.Regexp(t, "(?m)^\\| [^|]*"+label, values, "docs/metrics.md: say which values label %s of %s has", label, name)
		}
	}
	generated(t, "../docs/metrics.md", "metrics", b.String())
	for _, file := range markdown(t) {
		for _, name := range regexp.MustCompile(`sidewarden_[a-z_]+`).FindAllString(read(t, file), -1) {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); all[base].kind == "histogram" {
					name = base
				}
			}
			assert.NotEmpty(t, all[name].kind, "%s names metric %s, which the program does not have", file, name)
		}
	}
}

// Labels of closed sets that the metrics are given from elsewhere.
func TestDocsListTheResultsOfKeySets(t *testing.T) {
	page := read(t, "../docs/metrics.md")
	for _, result := range token.RefreshResults() {
		assert.Contains(t, page, "`"+string(result)+"`")
	}
	for _, why := range token.SkipReasons() {
		assert.Contains(t, page, "`"+string(why)+"`")
	}
}
