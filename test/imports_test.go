package test_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tables of this file are policy. A failing build is a reason to change the
// code, not the table: an edge that is added here is a decision about the
// architecture, and belongs into docs/adr.

const (
	module   = "github.com/sidewarden/sidewarden"
	repoRoot = ".."
)

// edges lists every package with those of ours that its code, tests apart, may
// import. Data goes left to right: config and policy know nobody, the checks know
// policy alone, and only cmd knows everything.
func edges() map[string][]string {
	return map[string][]string{
		"config":                 {},
		"policy":                 {},
		"policy/account":         {"policy"},
		"policy/entitlement":     {"policy"},
		"policy/limit":           {"policy", "ratelimit"},
		"policy/limit/limittest": {"policy/limit", "ratelimit"},
		"policy/openapi":         {"policy", "policy/openapi/ecma", "policy/openapi/schema"}, // ecma: one library of patterns for both compilers
		"policy/openapi/schema":  {"policy/openapi/ecma"},
		"policy/openapi/ecma":    {},
		"policy/message":         {"policy"},
		"policy/payload":         {"policy"},
		"policy/token":           {"policy"},
		"policy/token/tokentest": {"policy", "policy/token"},
		"policy/policytest":      {"policy"},
		"policy/compile": {
			"config", "policy", "policy/account", "policy/entitlement", "policy/limit", "policy/message", "policy/openapi",
			"policy/payload", "policy/token", "ratelimit",
		},
		"ratelimit":       {},
		"proxy":           {"policy", "audit", "proxy/frame"},
		"proxy/frame":     {"policy"}, // the verdicts that it hands to the request
		"proxy/proxytest": {},         // what it sees must not depend on what is tested
		"proxy/admin":     {"policy", "audit"},
		"audit":           {"policy"},
		"audit/metrics":   {"audit", "policy"},
		"assess/evidence": {"audit", "policy"},
		"assess/bypass":   {"audit", "policy"}, // a fold over records, as evidence is, and socket tables that cmd reads
		"cmd/sidewarden":  {anything},
		// The demo hands the sidecar nothing but its YAML and reads only the admin
		// listener, so it knows neither how a policy is made nor how it is served.
		"cmd/sidewarden/demo": {"assess/evidence", "policy"},
		// Both turn one thing into text for an operator: a contract, and a decision.
		"cmd/sidewarden/starter": {"config", "policy/openapi"},
		"cmd/sidewarden/explain": {"audit", "config", "policy", "policy/compile", "policy/message", "policy/openapi", "proxy"}, // message: the size of a head as in.size counts it
		"test":                   {anything},
		"test/load":              {"policy/token/tokentest"},
		"test/budget":            {},
		"test/threats":           {},
	}
}

// kits are packages for tests. Tests may import them, and tests of the packages
// in edgesOfTests more than their code.
func kits() []string {
	return []string{"policy/limit/limittest", "policy/policytest", "policy/token/tokentest", "proxy/proxytest"}
}

func edgesOfTests() map[string][]string {
	return map[string][]string{
		"policy/compile": {"audit"},
		// A request is measured from its path to its verdict, so payload reads its body.
		"policy/openapi": {"policy/payload"},
		// The demo's own files are read as the sidecar reads them.
		"cmd/sidewarden/demo": {"config", "policy/openapi"},
		"test/budget":         {anything},
		// Whole policies behind the proxy, as serve puts them together.
		"test/threats": {anything},
	}
}

// anything stands for every package.
const anything = "*"

// third says where a package that is not ours, and everything below it, may be
// imported, and why nowhere else. A folder that ends in "/..." has its subfolders
// with it.
type third struct {
	path string
	// code are the folders whose code may import it, tests those whose tests may
	// too.
	code, tests []string
	why         string
}

// thirds is closed: a package outside the standard library that has no line here
// must not be imported. Of the standard library it has what is banned somewhere.
func thirds() []third {
	everywhere := []string{anything}
	return []third{
		{"github.com/lestrrat-go/jwx/v2", []string{"policy/token/..."}, nil, "nothing of a client may reach a JOSE library unprepared (ADR 0004)"},
		{"github.com/getkin/kin-openapi", []string{"policy/openapi"}, []string{"policy/openapi/schema"}, "one package holds the guards around the library (ADR 0004); beside it, it is a second opinion in tests"},
		{"github.com/go-json-experiment/json", []string{"policy/openapi/...", "policy/payload", "policy/token/..."}, []string{"cmd/sidewarden/demo", "test/threats"}, "strict JSON is for what a client sent; what is ours is read by encoding/json"},
		{"github.com/maypok86/otter/v2", []string{"policy/token"}, nil, "the cache of verified facts is the only cache"},
		{"github.com/oasdiff/yaml3", []string{"policy/openapi"}, nil, "the contract's library reads YAML with it; raw trees are read by the same rules or they are of another contract"},
		{"github.com/prometheus/client_golang", []string{"audit/metrics"}, nil, "labels are bounded in one place; others expose Stats"},
		{"github.com/spf13/cobra", []string{"cmd/sidewarden"}, nil, "only the command line knows flags"},
		{"go.uber.org/zap", []string{"cmd/...", "proxy/..."}, []string{"test/budget", "test/threats"}, "a core that logs has two outputs; it returns values, and the edge logs"},
		{"go.yaml.in/yaml/v4", []string{"config"}, []string{"cmd/...", "test", "test/threats"}, "one strict decoder reads the one file"},
		{"golang.org/x/time/rate", []string{"ratelimit"}, []string{"policy/limit"}, "a bucket without key bounds is a way to fill memory (ADR 0005)"},
		{"golang.org/x/sync", []string{"cmd/sidewarden"}, nil, "only run starts what runs"},
		{"golang.org/x/crypto/x509roots/fallback", []string{"cmd/sidewarden"}, nil, "it changes the process, so only the process may ask for it"},

		{"github.com/stretchr/testify", []string{"policy/limit/limittest", "policy/policytest", "policy/token/tokentest", "proxy/proxytest"}, everywhere, "assertions end a test, never a process"},
		{"github.com/santhosh-tekuri/jsonschema/v6", nil, []string{"config", "policy/openapi/schema", "test"}, "it judges the published schema in tests, and is a second opinion on 3.1"},
		{"github.com/google/jsonschema-go", nil, []string{"policy/openapi/..."}, "its module carries the JSON-Schema-Test-Suite; its code judges nothing"},
		{"github.com/golang-jwt/jwt/v5", nil, []string{"policy/token"}, "a second opinion on tokens; what is shipped has one"},
		{"github.com/c2sp/wycheproof", nil, []string{"policy/token"}, "its vectors judge the verifier in tests"},
		{"github.com/rogpeppe/go-internal", nil, []string{"test"}, "it runs the scripts over the binary"},
		{"go.uber.org/goleak", nil, everywhere, "it looks for goroutines that outlive a test"},
		{"pgregory.net/rapid", nil, everywhere, "it draws the cases of property tests"},

		{"unsafe", nil, nil, "nothing here is worth it"},
		{"C", nil, nil, "the binary is static and runs in an empty root"},
		{"plugin", nil, nil, "what decides is compiled in"},
		{"expvar", nil, nil, "it puts a handler on every default mux"},
		{"net/http/pprof", nil, nil, "it puts a handler on every default mux"},
		{"os/exec", []string{"test/load"}, []string{"test/...", "cmd/..."}, "the process starts no other; the final image has none"},
		{"net/http/httputil", []string{"proxy", "cmd/sidewarden/demo", "test/load"}, []string{"proxy", "test", "test/threats"}, "forwarding has one place, and what it is measured beside"},
		{"net/http/httptest", []string{"policy/token/tokentest"}, everywhere, "a test server does not belong into the product"},
	}
}

// pure are the folders that decide. They touch neither files nor sockets nor
// chance; a time is an argument, which a linter watches.
func pure() []string {
	return []string{"policy", "policy/account", "policy/entitlement", "policy/limit", "policy/openapi/ecma", "policy/openapi/schema", "policy/payload", "ratelimit"}
}

// impure is what a folder of pure must not import.
func impure() []string {
	return []string{"os", "net", "log", "io/ioutil", "math/rand", "math/rand/v2", "syscall"}
}

// writers are the folders whose code may name http.ResponseWriter: whoever
// writes an answer decides, and that has one place. The demo plays issuer,
// gateway and backend.
func writers() []string { return []string{"proxy/...", "cmd/sidewarden/demo"} }

// goFile is one parsed file of the module.
type goFile struct {
	folder, name string // folder is relative to the root, with slashes
	test         bool
	lines        int
	imports      []string
	ast          *ast.File
	set          *token.FileSet
}

// goFiles returns every Go file of the module. Folders with a go.mod of their own
// are other modules, testdata is nobody's code.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(repoRoot, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(file, d.Name())
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(repoRoot, filepath.Dir(file))
		if err != nil {
			return err
		}
		f := goFile{
			folder: filepath.ToSlash(relative), name: d.Name(), test: strings.HasSuffix(file, "_test.go"),
			lines: strings.Count(string(source), "\n"), ast: parsed, set: set,
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 50, "this test looks at the wrong folder")
	return files
}

// skip leaves out folders that hold no code of this module.
func skip(folder, name string) error {
	if folder == repoRoot {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (f *goFile) path() string { return path.Join(f.folder, f.name) }

// within reports whether a folder is in a list of folders.
func within(folder string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		base, below := strings.CutSuffix(entry, "/...")
		return entry == anything || folder == base || below && strings.HasPrefix(folder, base+"/")
	})
}

func TestImportsOfOursFollowTheArchitecture(t *testing.T) {
	for _, f := range goFiles(t) {
		may, known := edges()[f.folder]
		if !assert.True(t, known, "%s: folder %s is in no row of edges; put the code where it belongs, or decide on a new package", f.path(), f.folder) {
			continue
		}
		if f.test {
			may = slices.Concat(may, kits(), edgesOfTests()[f.folder], []string{f.folder})
		}
		for _, imported := range f.imports {
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			if !isOurs {
				continue
			}
			assert.True(t, within(ours, may), "%s imports %s, which %s may not; pass what is needed as an argument, from whoever knows both", f.path(), ours, f.folder)
			assert.True(t, f.test || within(f.folder, []string{"test/..."}) || !slices.Contains(kits(), ours), "%s imports %s, which is for tests", f.path(), ours)
		}
	}
}

func TestImportsOfOthersHaveAReason(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, imported := range f.imports {
			if imported == module || strings.HasPrefix(imported, module+"/") {
				continue
			}
			rule, ruled := ruleOf(imported)
			if !ruled {
				first, _, _ := strings.Cut(imported, "/")
				assert.NotContains(t, first, ".", "%s imports %s, which no row of thirds names; use what is there, or add a row with the reason", f.path(), imported)
				continue
			}
			may := rule.code
			if f.test {
				may = slices.Concat(rule.code, rule.tests)
			}
			assert.True(t, within(f.folder, may), "%s imports %s: %s", f.path(), imported, rule.why)
		}
	}
}

func ruleOf(imported string) (third, bool) {
	for _, r := range thirds() {
		if imported == r.path || strings.HasPrefix(imported, r.path+"/") && !isStandard(r.path) {
			return r, true
		}
	}
	return third{}, false
}

// isStandard reports whether a path is of the standard library: its first part
// has no dot.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func TestImportsOfWhatDecidesArePure(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || !slices.Contains(pure(), f.folder) {
			continue
		}
		for _, imported := range f.imports {
			assert.NotContains(t, impure(), imported, "%s imports %s; what decides gets its facts as arguments", f.path(), imported)
		}
	}
}

func TestImportRulesNameWhatExists(t *testing.T) {
	folders, used := map[string]bool{}, map[string]bool{}
	for _, f := range goFiles(t) {
		folders[f.folder] = true
		for _, imported := range f.imports {
			if r, ok := ruleOf(imported); ok {
				used[r.path] = true
			}
		}
	}
	exists := func(entry, where string) {
		base, below := strings.CutSuffix(entry, "/...")
		found := entry == anything || folders[base] || below && slices.ContainsFunc(slices.Collect(maps.Keys(folders)), func(f string) bool { return strings.HasPrefix(f, base+"/") })
		assert.True(t, found, "%s names %s, which is gone; take it out", where, entry)
	}
	for folder, may := range edges() {
		exists(folder, "edges")
		for _, m := range slices.Concat(may, edgesOfTests()[folder]) {
			exists(m, "edges of "+folder)
		}
	}
	for folder := range edgesOfTests() {
		exists(folder, "edgesOfTests")
	}
	for _, entry := range slices.Concat(kits(), pure(), writers()) {
		exists(entry, "a list of folders")
	}
	for _, r := range thirds() {
		assert.NotEmpty(t, r.why, "%s is banned without a reason", r.path)
		assert.True(t, isStandard(r.path) || used[r.path], "thirds has %s, which nobody imports; take it out, and out of go.mod", r.path)
		for _, folder := range slices.Concat(r.code, r.tests) {
			exists(folder, "thirds of "+r.path)
		}
	}
}

func TestOnlyTheProxyWritesAnswers(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || within(f.folder, writers()) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ResponseWriter" {
				if of, named := s.X.(*ast.Ident); named && of.Name == "http" {
					t.Errorf("%s names http.ResponseWriter; return a verdict or a value, and let proxy answer", f.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// A Director sees a request before its hop-by-hop fields are taken away, so that a client
// can have what it sets taken away again by naming it in Connection (go.dev/issue/50580).
func TestNobodyDirectsWithADirector(t *testing.T) {
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				name, is := n.Key.(*ast.Ident)
				assert.False(t, is && name.Name == "Director", "%s sets a Director; use Rewrite", f.path())
			case *ast.SelectorExpr:
				assert.NotEqual(t, "Director", n.Sel.Name, "%s uses a Director; use Rewrite", f.path())
			}
			return true
		})
	}
}

func TestTopLevelFoldersAreThoseOfTheArchitecture(t *testing.T) {
	found := map[string]bool{}
	for _, f := range goFiles(t) {
		top, _, _ := strings.Cut(f.folder, "/")
		found[top] = true
		for part := range strings.SplitSeq(f.folder, "/") {
			assert.NotContains(t, []string{"internal", "pkg", "util", "utils", "common", "types", "errors", "helpers", "misc"}, part,
				"%s: a folder says what is in it; %q does not", f.path(), part)
		}
	}
	want := []string{"assess", "audit", "cmd", "config", "policy", "proxy", "ratelimit", "test"}
	assert.ElementsMatch(t, want, slices.Collect(maps.Keys(found)), "Go code lives in these folders alone; docs, deploy and tools hold none of this module")
}

func TestFilesAndFunctionsFitAReader(t *testing.T) {
	const maxFile, maxFunction = 400, 60
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		assert.Less(t, f.lines, maxFile, "%s has %d lines; it is two files", f.path(), f.lines)
		for _, d := range f.ast.Decls {
			fn, isFunction := d.(*ast.FuncDecl)
			if !isFunction || fn.Body == nil {
				continue
			}
			lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			assert.LessOrEqual(t, lines, maxFunction, "%s: %s has %d lines; it is two functions", f.path(), fn.Name.Name, lines)
		}
	}
}
