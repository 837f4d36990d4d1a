package openapi_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

var update = flag.Bool("update", false, "write the golden files")

// write puts a file into a new folder and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// hung is far beyond what the work of a test takes on a busy machine with the race
// detector: it tells an end from none, not fast from slow.
const hung = 2 * time.Minute

// ends fails the test if f does not end.
func ends(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(hung):
		t.Fatalf("it takes longer than %s", hung)
	}
}

// document is a contract of one version with the given paths and components.
func document(version, rest string) string {
	return "openapi: " + version + "\ninfo: {title: T, version: '1'}\n" + rest
}

// load loads a contract that is good.
func load(t testing.TB, text string, o openapi.Options) *openapi.Contract {
	t.Helper()
	o.File = write(t, "contract.yaml", text)
	c, err := openapi.Load(o)
	require.NoError(t, err)
	return c
}

// problems loads a contract that is not.
func problems(t testing.TB, text string, o openapi.Options) openapi.Problems {
	t.Helper()
	o.File = write(t, "contract.yaml", text)
	_, err := openapi.Load(o)
	var ps openapi.Problems
	require.ErrorAs(t, err, &ps)
	return ps
}

func sessions(t testing.TB, o openapi.Options) map[string]openapi.Operation {
	t.Helper()
	o.File, o.Root = "testdata/sessions/api/sessions.yaml", "testdata/sessions"
	c, err := openapi.Load(o)
	require.NoError(t, err)
	found := map[string]openapi.Operation{}
	for _, op := range c.Operations() {
		found[op.ID] = op
	}
	return found
}

func TestOperationsAreThoseThatClientsCall(t *testing.T) {
	ops := sessions(t, openapi.Options{})
	require.Len(t, ops, 3, "callbacks are requests of the backend")

	create := ops["createSession"]
	assert.Equal(t, "POST", create.Method)
	assert.Equal(t, "/quality/vwip/sessions", create.Template)
	assert.Equal(t, []string{"x-correlator"}, create.HeaderParams)
	assert.Equal(t, [][]string{{"sessions:create"}}, create.Security)
	assert.Equal(t, [][]string{{"openId"}}, create.Schemes)
	assert.Equal(t, []string{"application/json"}, create.RequestMediaTypes)
	assert.True(t, create.BodyDeclared && create.BodyRequired && create.AnswersJSON && create.SecurityDeclared)
	assert.False(t, create.Public || create.Optional || create.Deprecated)

	get := ops["getSession"]
	assert.Equal(t, []string{"sessionId"}, get.PathParams, "path-level parameters count")
	assert.Equal(t, [][]string{{"sessions:read"}, {"sessions:admin", "sessions:read"}}, get.Security)
	assert.True(t, get.AnswersJSON, "every content of every 2xx is JSON")
	assert.False(t, get.BodyDeclared)

	gone := ops["DELETE /quality/vwip/sessions/{sessionId}"]
	assert.True(t, gone.Deprecated && gone.Public && gone.SecurityDeclared, "an id is made, and security: [] is public")
	assert.False(t, gone.AnswersJSON, "no content is declared")
	assert.False(t, gone.Switches || get.Switches || create.Switches, "no answer 101 is declared")
}

func TestSecurityIsTheOperationsElseTheDocuments(t *testing.T) {
	schemes := "components: {securitySchemes: {a: {type: http, scheme: bearer}, b: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://example.com/t', scopes: {x: X, y: Y}}}}}}\n"
	paths := "paths: {/p: {get: {%s responses: {'200': {description: ok}}}}}\n"
	for _, row := range []struct {
		name, global, own string
		want              openapi.Operation
	}{
		{"nothing is declared", "", "", openapi.Operation{}},
		{"the document's counts", "security: [{b: [x]}]\n", "", openapi.Operation{SecurityDeclared: true, Security: [][]string{{"x"}}, Schemes: [][]string{{"b"}}}},
		{"the operation's replaces it", "security: [{b: [x]}]\n", "security: [{b: [y]}],", openapi.Operation{SecurityDeclared: true, Security: [][]string{{"y"}}, Schemes: [][]string{{"b"}}}},
		{"an empty list is public", "security: [{b: [x]}]\n", "security: [],", openapi.Operation{SecurityDeclared: true, Public: true}},
		{"an empty requirement alone is public", "", "security: [{}],", openapi.Operation{SecurityDeclared: true, Public: true}},
		{"an empty requirement beside others is optional", "", "security: [{}, {b: [x]}],", openapi.Operation{SecurityDeclared: true, Optional: true, Security: [][]string{{"x"}}, Schemes: [][]string{{"b"}}}},
		{"schemes of one requirement are needed together", "", "security: [{a: [], b: [y, x]}],", openapi.Operation{SecurityDeclared: true, Security: [][]string{{"x", "y"}}, Schemes: [][]string{{"a", "b"}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := load(t, document("3.0.3", row.global+fmt.Sprintf(paths, row.own)+schemes), openapi.Options{}).Operations()[0]
			got := openapi.Operation{SecurityDeclared: op.SecurityDeclared, Public: op.Public, Optional: op.Optional, Security: op.Security, Schemes: op.Schemes}
			assert.Equal(t, row.want, got)
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	file := write(t, "c.yaml", document("3.0.3", "paths: {/p: {get: {responses: {'200': {description: ok}}}}}\n"))
	for name, o := range map[string]openapi.Options{
		"an unknown word for undeclared properties": {File: file, UndeclaredProperties: "ignore"},
		"a base path without a slash":               {File: file, BasePath: "v1"},
		"a base path with a parameter":              {File: file, BasePath: "/{x}"},
		"a file that does not exist":                {File: file + "x"},
		"a root that does not exist":                {File: file, Root: file + "x"},
		"a root beside the file":                    {File: file, Root: t.TempDir()},
		"fewer bytes than the file has":             {File: file, MaxBytes: 10},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := openapi.Load(o)
			require.Error(t, err)
			assert.Nil(t, c)
			assert.NotContains(t, err.Error(), filepath.Dir(file), "no absolute path")
		})
	}
}

// TestProblems has one contract per kind of problem; the golden file beside it is
// what a user reads.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := openapi.Load(openapi.Options{File: file})
			require.Error(t, err)
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			got := err.Error() + "\n"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func TestThreatReferencesOutOfTheRoot(t *testing.T) {
	bait := silent(t)
	dir := t.TempDir()
	api := filepath.Join(dir, "api")
	require.NoError(t, os.Mkdir(api, 0o700))
	secret := filepath.Join(dir, "secret.yaml")
	require.NoError(t, os.WriteFile(secret, []byte("type: string\ndescription: topsecret\n"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(api, "link.yaml")))
	require.NoError(t, os.Symlink(".", filepath.Join(api, "loop")))
	for _, row := range []struct{ name, ref string }{
		{"a file above it", "../secret.yaml"},
		{"an absolute path", secret},
		{"a link that leads out", "link.yaml"},
		{"a URL", "http://" + bait + "/s.yaml"},
		{"a URL over TLS", "https://" + bait + "/s.yaml"},
		{"a URL without a scheme", "//" + bait + "/s.yaml"},
		{"a file URL", "file://" + secret},
		{"a file URL with a host", "file://host/etc/passwd"},
		{"a query", "contract.yaml?x"},
		{"a folder", "../api"},
		{"a device", "/dev/zero"},
		{"a climb that comes back", "../../../../../../../../etc/passwd"},
		{"an escaped climb", "%2e%2e/secret.yaml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(api, "contract.yaml")
			text := document("3.0.3", "paths: {/p: {post: {requestBody: {content: {application/json: {schema: {$ref: '"+row.ref+"'}}}}, responses: {'200': {description: ok}}}}}\n")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := openapi.Load(openapi.Options{File: file})
			var ps openapi.Problems
			require.ErrorAs(t, err, &ps)
			assert.NotContains(t, err.Error(), "topsecret")
			assert.NotContains(t, err.Error(), "root:")
		})
	}
	t.Run("a loop of links ends", func(t *testing.T) {
		text := document("3.0.3", "paths: {/p: {$ref: 'loop/contract.yaml#/paths/~1p'}}\n")
		file := filepath.Join(api, "contract.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := openapi.Load(openapi.Options{File: file})
		require.Error(t, err)
	})
	t.Run("a link within it is followed", func(t *testing.T) {
		text := document("3.0.3", "paths: {/p: {post: {requestBody: {content: {application/json: {schema: {$ref: 'api/loop/../../secret.yaml'}}}}, responses: {'200': {description: ok}}}}}\n")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "contract.yaml"), []byte(text), 0o600))
		require.NoError(t, os.Symlink("contract.yaml", filepath.Join(dir, "alias.yaml")))
		_, err := openapi.Load(openapi.Options{File: filepath.Join(dir, "alias.yaml")})
		require.NoError(t, err)
	})
}

func TestThreatHostileContracts(t *testing.T) {
	paths := "paths: {/p: {post: {requestBody: {content: {application/json: {schema: %s}}}, responses: {'200': {description: ok}}}}}\n"
	bomb := "x-a0: &a0 [l, l, l, l, l, l, l, l, l]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("x-a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	many := strings.Builder{}
	many.WriteString("paths:\n")
	for i := range 1_200 {
		fmt.Fprintf(&many, "  /p%d/{id}: {get: {parameters: [{name: id, in: path, required: true, schema: {type: string, pattern: '(?!x)%d'}}], responses: {'200': {description: ok}}}}\n", i, i)
	}
	var wide, big strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&wide, `"/p%d/{id}":{"get":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"$ref":"#/components/schemas/S"}}],"responses":{"200":{"description":"ok"}}}},`, i)
	}
	for i := 0; big.Len() < 19<<20; i++ {
		fmt.Fprintf(&big, `"a%d":{"type":"string"},`, i)
	}
	const head = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"components":{"schemas":{"S":{"type":"object","properties":{`
	chain := func(n int, link string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"C%d":%s,`, i, fmt.Sprintf(link, fmt.Sprintf(`{"$ref":"#/components/schemas/C%d"}`, i+1)))
		}
		return head + `}},` + b.String() + fmt.Sprintf(`"C%d":{}}},"paths":{"/p":{"get":{"responses":{"200":{"description":"ok"}}}}}}`, n)
	}
	var costly strings.Builder
	for i := range 3_000 {
		fmt.Fprintf(&costly, `"c%d":{"type":"string","pattern":"^(\\\\p{Lu}\\\\p{Ll}{0,60}[ -]?){1,20}x%d$"},`, i, i)
	}
	level := strings.Repeat(`{"properties":{"a":`, 200) + "{}" + strings.Repeat("}}", 200)
	var deep, repeats strings.Builder
	for i := range 200 {
		fmt.Fprintf(&deep, `"d%d":%s,`, i, level)
	}
	for i := range 1_000 {
		fmt.Fprintf(&repeats, `"h%d":{"schema":{}},`, i)
	}
	repeated := `"n":{}}}},"responses":{"R":{"description":"ok","headers":{` + strings.TrimSuffix(repeats.String(), ",") + `}}}},"paths":{`
	for i := range 600 {
		repeated += fmt.Sprintf(`"/r%d":{"get":{"responses":{"200":{"$ref":"#/components/responses/R"}}}},`, i)
	}
	const root = `"n":{}}}}},"paths":{"/p":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"}}}},"responses":{"200":{"description":"ok"}}}}}}`
	for _, row := range []struct {
		name, text string
		good       bool
	}{
		{"ten thousand paths", head + `"n":{"$ref":"#/components/schemas/S"}}}}},"paths":{` + wide.String() + `"/p":{"get":{"responses":{"200":{"description":"ok"}}}}}}`, true},
		{"twenty megabytes of schemas", head + big.String() + `"n":{}}}}},"paths":{"/p":{"get":{"responses":{"200":{"description":"ok"}}}}}}`, false},
		{"a chain of allOf", chain(8_000, `{"allOf":[%s],"required":["a"]}`), true},
		{"a chain of properties", chain(8_000, `{"properties":{"a":%s}}`), true},
		{"a chain of references", chain(8_000, "%s"), false},
		{"thousands of costly patterns", head + costly.String() + root, false},
		{"many schemas nested deep", head + deep.String() + root, false},
		{"references that repeat much", head + repeated + `"/p":{"get":{"responses":{"200":{"description":"ok"}}}}}}`, false},
		{"an alias bomb", document("3.0.3", bomb+fmt.Sprintf(paths, "{}")), false},
		{"brackets nested deep", document("3.0.3", fmt.Sprintf(paths, strings.Repeat("{items: ", 20_000)+strings.Repeat("}", 20_000))), false},
		{"more than a thousand bad patterns", document("3.0.3", many.String()), false},
		{"a huge pattern", document("3.0.3", fmt.Sprintf(paths, "{type: string, pattern: '(?!"+strings.Repeat("x", 1<<20)+")'}")), false},
		{"references in a ring", document("3.0.3", fmt.Sprintf(paths, "{$ref: '#/components/schemas/A'}")+"components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/C'}, C: {$ref: '#/components/schemas/A'}}}\n"), false},
		{"a schema within itself", document("3.0.3", fmt.Sprintf(paths, "{$ref: '#/components/schemas/A'}")+"components: {schemas: {A: {type: object, properties: {b: {$ref: '#/components/schemas/B'}}}, B: {type: array, items: {$ref: '#/components/schemas/A'}}}}\n"), true},
		{"more than twenty megabytes", document("3.0.3", fmt.Sprintf(paths, "{}")) + strings.Repeat("# nothing\n", 21<<20/10), false},
		{"a reference to itself", document("3.0.3", fmt.Sprintf(paths, "{$ref: '#/components/schemas/A'}")+"components: {schemas: {A: {$ref: '#/components/schemas/A'}}}\n"), false},
		{"no document", "\x00\x01", false},
		{"an empty file", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := write(t, "contract.yaml", row.text)
			highest := heap(t)
			began := processor(t)
			ends(t, func() {
				_, err := openapi.Load(openapi.Options{File: file, Answers: true})
				// What the collector does beside it counts, too.
				assert.Less(t, processor(t)-began, slowness*10*time.Second)
				assert.Less(t, highest(), uint64(1<<30))
				if row.good {
					assert.NoError(t, err)
				} else if assert.Error(t, err) {
					assert.Less(t, len(err.Error()), 100_000)
				}
			})
		})
	}
}

func TestNotesNameWhatIsNotJudged(t *testing.T) {
	c := load(t, document("3.0.3", `
paths:
  /p:
    post:
      parameters: [{name: q, in: query, content: {text/csv: {schema: {type: object}}}}]
      requestBody: {content: {application/xml: {schema: {type: object}}, application/json: {schema: {type: string, format: phone}}}}
      responses: {'200': {description: ok}}
`), openapi.Options{})
	var lines []string
	for _, n := range c.Notes() {
		lines = append(lines, n.String())
	}
	assert.Equal(t, []string{
		`contract.yaml: /paths/~1p/post/parameters: parameter "q" is not JSON and is not judged: in.schema is undecided there`,
		`contract.yaml: /paths/~1p/post/requestBody/content/application~1json/schema/format: format "phone" is not asserted`,
		`contract.yaml: /paths/~1p/post/requestBody/content/application~1xml/schema: bodies of type "application/xml" are not judged by their schema: in.schema is undecided there`,
	}, lines)
}

// A parent with a discriminator is what its children extend: the schemas of its mapping
// are not chosen where it stands alone, so that this is said.
func TestADiscriminatorThatChoosesNothingIsNoted(t *testing.T) {
	t.Parallel()
	c := load(t, document("3.0.3", `
paths: {/p: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}, responses: {'200': {description: ok}}}}}
components:
  schemas:
    Pet: {type: object, discriminator: {propertyName: k, mapping: {cat: Cat}}, properties: {k: {type: string}}}
    Cat: {allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, properties: {lives: {type: integer}}}]}
`), openapi.Options{Answers: true})
	assert.Equal(t, "permit", judgeBody(t, c.Operations()[0].Judge(), `{"k":"cat","lives":"x"}`))
	require.Len(t, c.Notes(), 1)
	assert.Equal(t, `contract.yaml: /components/schemas/Pet/discriminator: discriminator chooses nothing here: there is no oneOf or anyOf beside it; where a schema is to be chosen, write oneOf with all of them and this discriminator`, c.Notes()[0].String())
}

// What the note on nullable says to write lets null be there.
func TestTheWayToLetNullBeThere(t *testing.T) {
	t.Parallel()
	judge := load(t, document("3.0.3", `
paths: {/p: {post: {requestBody: {content: {application/json: {schema: {properties: {
  owner: {anyOf: [{$ref: '#/components/schemas/Owner'}, {type: object, nullable: true, enum: [null]}]}}}}}}, responses: {'200': {description: ok}}}}}
components: {schemas: {Owner: {type: object, required: [id]}}}
`), openapi.Options{}).Operations()[0].Judge()
	assert.Equal(t, "permit", judgeBody(t, judge, `{"owner":null}`))
	assert.Equal(t, "permit", judgeBody(t, judge, `{"owner":{"id":1}}`))
	assert.Equal(t, "schema-mismatch /owner anyOf", judgeBody(t, judge, `{"owner":{}}`))
}

func FuzzLoad(f *testing.F) {
	for _, file := range []string{"testdata/sessions/api/sessions.yaml", "testdata/problems/pattern.yaml", "testdata/problems/specification.yaml"} {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte(`{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"parameters":[{"name":"q","in":"query","schema":{"$ref":"#/x"}}]}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		file := write(t, "contract.yaml", string(text))
		c, err := openapi.Load(openapi.Options{File: file})
		if err != nil {
			require.Nil(t, c)
			require.Less(t, len(err.Error()), 200_000)
			return
		}
		for _, op := range c.Operations() {
			require.NotEmpty(t, op.ID)
			require.True(t, strings.HasPrefix(op.Template, "/"))
			require.NotNil(t, op.Judge())
		}
	})
}

// Whoever watches for changes must see those of every file that was read.
func TestFilesAndDigestAreThoseThatWereRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	schema := file("schema.yaml", "type: string\n")
	file("stranger.yaml", "type: string\n")
	contract := file("api.yaml", `openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /a:
    get: {parameters: [{name: q, in: query, schema: {$ref: schema.yaml}}], responses: {"200": {description: ok}}}
`)
	read := func() *openapi.Contract {
		c, err := openapi.Load(openapi.Options{File: contract})
		require.NoError(t, err)
		return c
	}
	first := read()
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "api.yaml"), filepath.Join(dir, "schema.yaml")}, first.Files())
	file("stranger.yaml", "type: integer\n")
	assert.Equal(t, first.Digest(), read().Digest())
	require.NoError(t, os.WriteFile(schema, []byte("type: integer\n"), 0o600))
	assert.NotEqual(t, first.Digest(), read().Digest())
}
