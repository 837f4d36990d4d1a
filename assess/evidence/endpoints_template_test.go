package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestATemplateRepeatsWordsOfTheContractAndCommonOnesAlone(t *testing.T) {
	for path, want := range map[string]string{
		"/v3/ports":                 "/v3/ports",
		"/v3/ports/":                "/v3/ports/",
		"//v3//ports":               "//v3//ports",
		"/eu/ports":                 "/eu/ports", // of an alias
		"/pulse/x":                  "/pulse/{}", // of a health check
		"/internal/debug":           "/internal/debug",
		"/.well-known/security.txt": "/.well-known/security.txt",
		"/V3/Ports/Admin":           "/{}/{}/{}",
		"/v3/p%6Frts":               "/v3/{}",
		"/v3/ports/{portId}":        "/v3/ports/{}", // the contract's, and no literal
		"/v3/ports/{}":              "/v3/ports/{}",
		"/v3/ports/…":               "/v3/ports/{}",
		"/jane/doe":                 "/{}/{}", // a name is a word like any other
		"/v3/ports/4711":            "/v3/ports/{}",
		"/v3/ports/p1_aaaaaaaaaaaaaaaaaaaaaaaaaa": "/v3/ports/{}",
		"/v3;jane/ports.json":                     "/{}/{}",
		"/..":                                     "/{}",
		"[redacted]":                              "{}",
		"host.example.net:443":                    "{}",
		"*":                                       "*",
		"":                                        "",
		"/":                                       "/",
		strings.Repeat("/v3", 16):                 strings.Repeat("/v3", 16),
		strings.Repeat("/v3", 17):                 strings.Repeat("/v3", 16) + "/…",
		strings.Repeat("/", 5000):                 strings.Repeat("/", 17) + "…",
		strings.Repeat("x", 5000):                 "{}",
	} {
		assert.Equal(t, want, evidence.TemplateOf(ports(""), path), path)
	}
	long := strings.Repeat("w", 200)
	p := &policy.Policy{Operations: []*policy.Operation{{Template: "/" + long}}}
	assert.Equal(t, "/"+long+"/"+long+"/…", evidence.TemplateOf(p, strings.Repeat("/"+long, 5)))
}

// FuzzTemplateOf gives paths as nobody records them, without pseudonyms: a template
// holds no segment of them that is neither a word of the contract nor a common one, and
// has a bound.
func FuzzTemplateOf(f *testing.F) {
	for _, path := range []string{
		"/v3/ports/jane", "/internal/4711/debug", "//", "*", "/%2e%2e/x;y", strings.Repeat("/v3", 40), "/…/{}", "/{portId}/\xff", "x:1",
	} {
		f.Add(path)
	}
	p := ports("")
	words := append(audit.CommonSegments(), "v3", "v2", "eu", "ports", "pulse", "")
	f.Fuzz(func(t *testing.T, path string) {
		template := evidence.TemplateOf(p, path)
		if len(template) > evidence.MaxTemplate {
			t.Fatalf("%d bytes: %q", len(template), template)
		}
		given, got := strings.Split(path, "/"), strings.Split(template, "/")
		if len(got) > len(given) {
			t.Fatalf("%q has more segments than %q", template, path)
		}
		for i, segment := range got {
			switch {
			case segment == "…" && i == len(got)-1 && i >= 1:
				return // and so on
			case segment == "{}":
				if slices.Contains(words, given[i]) {
					t.Fatalf("%q hides the word %q", template, given[i])
				}
			case segment != given[i] || !slices.Contains(words, segment):
				t.Fatalf("%q repeats %q of %q", template, segment, path)
			}
		}
		if len(got) != len(given) {
			t.Fatalf("%q ends before %q", template, path)
		}
	})
}
