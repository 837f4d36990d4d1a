package openapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// matcher returns a matcher of operations written "METHOD /template".
func matcher(t testing.TB, operations ...string) *openapi.Matcher {
	t.Helper()
	var ops []*policy.Operation
	for _, o := range operations {
		method, template, _ := strings.Cut(o, " ")
		ops = append(ops, &policy.Operation{ID: o, Method: method, Template: template})
	}
	m, err := openapi.NewMatcher(ops)
	require.NoError(t, err)
	return m
}

// matched is the match as text: the id and parameters, or the methods.
func matched(m *openapi.Matcher, method, path string) string {
	match := m.Match(&policy.Request{Method: method, Path: path})
	if match.Operation == nil {
		return fmt.Sprint(match.Allow)
	}
	text := match.Operation.ID
	for _, p := range match.Params {
		text += fmt.Sprintf(" %s=%s", p.Name, p.Value)
	}
	return text
}

func TestMatch(t *testing.T) {
	m := matcher(t,
		"GET /", "GET /a", "POST /a", "GET /a/", "GET /a/{x}", "DELETE /a/{x}", "PUT /a/me", "GET /a/me/b", "GET /a/{x}/c",
		"GET /f/{name}.{ext}", "POST /f/{id}:cancel", "GET /f/{id}", "GET /r/{from}..{to}", "GET /ünïcode/s p", "GET /q/a:b",
		"GET /one/{x}-{y}/two/{z}", "HEAD /h", "GET /x/{a}2{b}", "GET /l%2Fm/{x}")
	for _, row := range []struct{ name, method, path, want string }{
		{"the root", "GET", "/", "GET /"},
		{"a literal", "GET", "/a", "GET /a"},
		{"an unknown path has no method", "GET", "/b", "[]"},
		{"case counts", "GET", "/A", "[]"},
		{"an unknown method has the sorted others", "PATCH", "/a", "[GET POST]"},
		{"methods are compared exactly", "get", "/a", "[GET POST]"},
		{"HEAD is not GET", "HEAD", "/a", "[GET POST]"},
		{"a declared HEAD is one", "HEAD", "/h", "HEAD /h"},
		{"a trailing slash is another path", "POST", "/a/", "[GET]"},
		{"a trailing slash that is not declared", "GET", "/f/x/", "[]"},
		{"a parameter", "GET", "/a/1", "GET /a/{x} x=1"},
		{"a parameter is decoded", "GET", "/a/%41%20%3f", "GET /a/{x} x=A ?"},
		{"a literal wins", "PUT", "/a/me", "PUT /a/me"},
		{"a literal without the method gives way", "GET", "/a/me", "GET /a/{x} x=me"},
		{"methods of all paths that match", "PATCH", "/a/me", "[DELETE GET PUT]"},
		{"a literal that leads nowhere gives way", "GET", "/a/me/c", "GET /a/{x}/c x=me"},
		{"a literal that leads on wins", "GET", "/a/me/b", "GET /a/me/b"},
		{"an empty segment is no value", "GET", "/a//c", "[]"},
		{"two slashes are not one", "GET", "//a", "[]"},
		{"a dot segment is no value", "GET", "/a/..", "[]"},
		{"nor an escaped one", "GET", "/a/%2e%2E", "[]"},
		{"nor one dot", "GET", "/a/./c", "[]"},
		{"nor one with a matrix parameter", "GET", "/a/..;x=1", "[]"},
		{"nor an escaped one with a matrix parameter", "GET", "/a/%2e%2e%3b", "[]"},
		{"an escaped slash is in no value", "GET", "/a/1%2F2", "[]"},
		{"an escaped traversal is no value", "GET", "/a/..%2fadmin", "[]"},
		{"an escaped backslash is in no value", "GET", "/a/..%5cadmin", "[]"},
		{"nor a plain one", "GET", `/a/..\admin`, "[]"},
		{"nor in a value before more segments", "GET", "/a/1%2F..%2F2/c", "[]"},
		{"nor in a part of a segment", "GET", "/f/x%2Fy.z", "[]"},
		{"an escape of an escape is a value", "GET", "/a/1%252F2", "GET /a/{x} x=1%2F2"},
		{"a literal of the contract may have one", "GET", "/l%2Fm/1", "GET /l%2Fm/{x} x=1"},
		{"dots are no value of a part of a segment", "GET", "/f/0..", "GET /f/{id} id=0.."},
		{"three dots are", "GET", "/a/...", "GET /a/{x} x=..."},
		{"an escaped slash does not part segments", "GET", "/a%2fme", "[]"},
		{"needless escapes are undone", "GET", "/%61", "GET /a"},
		{"an escaped literal matches its escape", "GET", "/%C3%BCn%c3%AFcode/s%20p", "GET /ünïcode/s p"},
		{"an escaped delimiter is the delimiter", "GET", "/q/a%3Ab", "GET /q/a:b"},
		{"a broken escape matches nothing", "GET", "/a/%zz", "[]"},
		{"a cut escape matches nothing", "GET", "/a/%4", "[]"},
		{"several parameters in a segment", "GET", "/f/report.tar.gz", "GET /f/{name}.{ext} name=report ext=tar.gz"},
		{"a suffix", "POST", "/f/12:cancel", "POST /f/{id}:cancel id=12"},
		{"a suffix alone is no value", "POST", "/f/:cancel", "[GET]"},
		{"more literal text wins", "GET", "/f/a.b", "GET /f/{name}.{ext} name=a ext=b"},
		{"without it the plain parameter", "GET", "/f/ab", "GET /f/{id} id=ab"},
		{"each part takes as little as it can", "GET", "/r/a....b", "GET /r/{from}..{to} from=a to=..b"},
		{"parameters come in template order", "GET", "/one/1-2/two/3", "GET /one/{x}-{y}/two/{z} x=1 y=2 z=3"},
		{"an escape is not parted by a literal", "GET", "/x/%20x2y", "GET /x/{a}2{b} a= x b=y"},
		{"no path", "OPTIONS", "*", "[]"},
		{"an empty path", "GET", "", "[]"},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, matched(m, row.method, row.path)) })
	}
}

// TestHeadOfAnOperationOfGet has HEAD where an operation says so, beside what the contract
// declares.
func TestHeadOfAnOperationOfGet(t *testing.T) {
	m, err := openapi.NewMatcher([]*policy.Operation{
		{ID: "get", Method: "GET", Template: "/a/{x}", Aliases: []string{"/b/{x}"}, Head: true},
		{ID: "put", Method: "PUT", Template: "/a/{x}"},
		{ID: "closed", Method: "GET", Template: "/c"},
	})
	require.NoError(t, err)
	for _, row := range []struct{ name, method, path, want string }{
		{"HEAD is judged as GET", "HEAD", "/a/1", "get x=1"},
		{"GET is what it was", "GET", "/a/1", "get x=1"},
		{"at every place", "HEAD", "/b/1", "get x=1"},
		{"HEAD is one of the methods", "POST", "/a/1", "[GET HEAD PUT]"},
		{"no other operation has it", "HEAD", "/c", "[GET]"},
		{"case counts", "head", "/a/1", "[GET HEAD PUT]"},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, matched(m, row.method, row.path)) })
	}
	op := m.Match(&policy.Request{Method: "HEAD", Path: "/b/1"}).Operation
	assert.Equal(t, "GET", op.Method, "it is the operation that the contract has")
	_, err = openapi.NewMatcher([]*policy.Operation{
		{ID: "get", Method: "GET", Template: "/a", Head: true}, {ID: "head", Method: "HEAD", Template: "/a"},
	})
	assert.ErrorContains(t, err, "operations get and head match the same requests: HEAD /a and /a")
}

func TestTheMatcherRefusesWhatIsAmbiguous(t *testing.T) {
	for _, row := range []struct{ name, one, two, want string }{
		{"the same path", "/a/b", "/a/b", "match the same requests"},
		{"the same path by other names", "/a/{x}", "/a/{y}", "match the same requests"},
		{"the same path by escapes", "/a/%62", "/a/b", "match the same requests"},
		{"parameters side by side", "/a/{x}{y}", "/b", "side by side"},
		{"a name twice", "/{x}/{x}", "/b", "twice"},
		{"an open brace", "/a/{x", "/b", "brace"},
		{"a closing brace", "/a/x}", "/b", "brace"},
		{"no name", "/a/{}", "/b", "brace"},
		{"no slash", "a", "/b", "slash"},
		{"a dot segment", "/a/../b", "/b", "dot segment"},
		{"a broken escape", "/a/%zz", "/b", "percent"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := openapi.NewMatcher([]*policy.Operation{
				{ID: "one", Method: "GET", Template: row.one}, {ID: "two", Method: "GET", Template: row.two},
			})
			assert.ErrorContains(t, err, row.want)
		})
	}
}

func TestMatchAllocatesTheParametersOnly(t *testing.T) {
	m := matcher(t, "GET /a/{x}/b/{y}", "GET /c")
	for _, row := range []struct {
		path string
		most float64
	}{{"/c", 0}, {"/nothing", 0}, {"/a/1/b/2", 1}, {"/a/%41/b/2", 2}} {
		r := &policy.Request{Method: "GET", Path: row.path}
		assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { m.Match(r) }), row.most, row.path)
	}
}

// FuzzMatch: the template with the parameters put back is the path, as far as
// percent-decoding can tell; and no parameter is empty, a dot segment, or
// several segments to somebody.
func FuzzMatch(f *testing.F) {
	for _, path := range []string{"/a/1", "/a/%2e%2e/c", "/f/x.y.z", "/f/12:cancel", "/a/%41%2fb/c", "//", "/x/%2Fx2y", "/x/%252%32", "/f/0.."} {
		f.Add(path)
	}
	m := matcher(f, "GET /a/{x}", "GET /a/{x}/c", "GET /f/{name}.{ext}", "GET /f/{id}:cancel", "GET /f/{id}", "GET /x/{a}2{b}", "GET /{p}/{q}/{r}", "GET /é/{x}")
	f.Fuzz(func(t *testing.T, path string) {
		match := m.Match(&policy.Request{Method: "GET", Path: path})
		if match.Operation == nil {
			return
		}
		var want []string
		for segment := range strings.SplitSeq(match.Operation.Template, "/") {
			for _, p := range match.Params {
				segment = strings.Replace(segment, "{"+p.Name+"}", "\x00"+p.Value, 1)
			}
			want = append(want, strings.ReplaceAll(segment, "\x00", ""))
		}
		var got []string
		for segment := range strings.SplitSeq(path, "/") {
			decoded, err := url.PathUnescape(segment)
			require.NoError(t, err)
			got = append(got, strings.ReplaceAll(decoded, "\x00", ""))
		}
		if !strings.ContainsAny(path, "{}") && !strings.Contains(path, "%7") {
			require.Equal(t, want, got)
		}
		for _, p := range match.Params {
			require.NotEmpty(t, p.Value)
			require.NotContains(t, p.Value, "/")
			require.NotContains(t, p.Value, `\`)
			require.NotContains(t, []string{"/..", "/."}, "/"+p.Value)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 1000} {
		var operations []string
		for i := range n {
			operations = append(operations, fmt.Sprintf("GET /v1/resource%d/{id}/items/{item}", i))
		}
		m := matcher(b, operations...)
		r := &policy.Request{Method: "GET", Path: fmt.Sprintf("/v1/resource%d/4711/items/x", n-1)}
		b.Run(fmt.Sprintf("operations=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Match(r)
			}
		})
	}
}
