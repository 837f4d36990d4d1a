package test_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// legal is one message, or several, that is odd and that RFC 9110 to 9112 and RFC 3986
// allow. Nothing may refuse or change it.
type legal struct {
	name, message string
	// not says why an enforcing sidecar refuses it all the same; "" passes.
	not string
	// takes says what an enforcing sidecar takes away on purpose; "" takes nothing.
	takes string
}

// odd is the list. Each message ends its connection, and has this Host.
func odd() []legal {
	const get, post, end = "GET /items HTTP/1.1\r\nHost: api.example.net\r\n", "POST /items HTTP/1.1\r\nHost: api.example.net\r\n", "Connection: close\r\n\r\n"
	const json, chunked = post + "Content-Type: application/json\r\n", "Transfer-Encoding: chunked\r\n" + end
	at := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: api.example.net\r\n" + end }
	long := strings.Repeat("x", 7000)
	return []legal{
		{name: "names in any case", message: get + "aCCepT: */*\r\nx-odd: 1\r\nX-ODD: 2\r\n" + end},
		{name: "Host last", message: "GET /items HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nhost: api.example.net\r\n\r\n"},
		{name: "Host in capitals", message: "GET /items HTTP/1.1\r\nHOST: API.example.NET\r\n" + end},
		{name: "Host with the port", message: "GET /items HTTP/1.1\r\nHost: api.example.net:80\r\n" + end},
		{name: "an empty value", message: get + "X-Empty:\r\n" + end},
		{name: "no white space before a value", message: get + "X-A:b\r\n" + end},
		{name: "white space around a value", message: get + "X-A: \t  b \t\r\n" + end},
		{name: "a tab within a value", message: get + "X-A: b\tc\r\n" + end},
		{name: "bytes above 127 in a value", message: get + "X-A: \xe9\xff\xc3\xa9\r\n" + end},
		{name: "every letter of a token in a name", message: get + "X-!#$%&'*+.^`|~9: 1\r\n" + end},
		{name: "an underscore in a name of nobody", message: get + "X_Odd: 1\r\n" + end},
		{name: "punctuation in a value", message: get + "X-A: \"a,b\";c=\"d\\\"e\" (f)\r\n" + end},
		{name: "several fields of a list", message: get + "Accept: text/html\r\nAccept: application/json;q=0.9\r\nAccept: */*;q=0.1\r\n" + end},
		{name: "empty members of a list", message: get + "Accept: , text/html,, */*\r\n" + end},
		{name: "several cookies fields", message: get + "Cookie: a=b\r\nCookie: c=d; e=\"f\"\r\n" + end},
		{name: "a long value", message: get + "X-Long: " + long + "\r\n" + end},
		{name: "many fields", message: get + strings.Repeat("X-Many: 1\r\n", 90) + end},
		{name: "a range", message: get + "Range: bytes=0-0,-1\r\nIf-Range: W/\"x\"\r\n" + end},
		{name: "dates of three kinds", message: get + "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\nIf-Unmodified-Since: Sun Nov  6 08:49:37 1994\r\n" + end},
		{name: "Connection in capitals", message: get + "CONNECTION: CLOSE\r\n\r\n"},
		{name: "Connection with two options", message: get + "Connection: keep-alive, close\r\nKeep-Alive: timeout=5\r\n\r\n"},
		{name: "TE trailers", message: get + "TE: trailers\r\nConnection: TE, close\r\n\r\n"},
		{name: "fields of a gateway", message: get + "Via: 1.1 gw\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\nX-Request-Id: a.b\r\n" + end, takes: "in.hdr takes forwarded fields of peers that are no hops"},
		{name: "trace context", message: get + "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b,c@d=e\r\nbaggage: k=v\r\n" + end},
		{name: "an authority as Authorization of a scheme of nobody", message: get + "Authorization: Odd a=\"b\", c=d\r\n" + end},

		{name: "the root", message: at("/")},
		{name: "a question mark alone", message: at("/items?")},
		{name: "a parameter without a value", message: at("/items?flag")},
		{name: "a parameter with an empty value", message: at("/items?flag=")},
		{name: "a parameter several times", message: at("/items?q=a&q=b&q=a")},
		{name: "a query of escapes", message: at("/items?q=%61+b%20c%26%3d%C3%A9")},
		{name: "escapes in lower case", message: at("/items?q=%c3%a9")},
		{name: "a query of reserved letters", message: at("/items?q=a/b?c:@!$'()*,")},
		{name: "an escaped space in the path", message: at("/items/a%20b")},
		{name: "escaped letters of no ASCII in the path", message: at("/items/%C3%A9t%C3%A9")},
		{name: "reserved letters in the path", message: at("/items/a:b@c!$&'()*+,=d")},
		{name: "unreserved letters in the path", message: at("/items/a-b_c.d~e")},
		{name: "dots that are no segment", message: at("/items/...a..b")},
		{name: "a long path", message: at("/items/" + long)},
		{name: "absolute form", message: at("http://api.example.net/items")},
		{name: "absolute form with a query", message: at("http://api.example.net/items?q=a")},
		{name: "OPTIONS of the server", message: "OPTIONS * HTTP/1.1\r\nHost: api.example.net\r\n" + end, not: "in.route: the contract has no path of that name"},
		{name: "OPTIONS of a path", message: "OPTIONS /items HTTP/1.1\r\nHost: api.example.net\r\n" + end},
		{name: "HEAD", message: "HEAD /items HTTP/1.1\r\nHost: api.example.net\r\n" + end},
		{name: "DELETE", message: "DELETE /items/a HTTP/1.1\r\nHost: api.example.net\r\n" + end},
		{name: "PATCH", message: "PATCH /items/a HTTP/1.1\r\nHost: api.example.net\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" + end + "{}"},
		{name: "HTTP/1.0", message: "GET /items HTTP/1.0\r\nHost: api.example.net\r\n\r\n"},
		{name: "HTTP/1.0 that keeps its connection", message: "GET /items HTTP/1.0\r\nHost: api.example.net\r\nConnection: keep-alive\r\n\r\nGET /items HTTP/1.0\r\nHost: api.example.net\r\n\r\n"},
		{name: "HTTP/1.0 with a body", message: "POST /items HTTP/1.0\r\nHost: api.example.net\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},

		{name: "no body and no length", message: post + end},
		{name: "a length of zero", message: post + "Content-Length: 0\r\n" + end},
		{name: "a GET with a length of zero", message: get + "Content-Length: 0\r\n" + end},
		{name: "a length with zeros before it", message: json + "Content-Length: 0002\r\n" + end + "{}"},
		{name: "a length with white space around it", message: json + "Content-Length:  \t2 \r\n" + end + "{}"},
		{name: "an empty chunked body", message: post + "Content-Type: text/plain\r\n" + chunked + "0\r\n\r\n"},
		{name: "chunks", message: json + chunked + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"},
		{name: "the coding in capitals", message: json + "Transfer-Encoding: Chunked\r\n" + end + "2\r\n{}\r\n0\r\n\r\n"},
		{name: "sizes in capitals, with zeros before them", message: json + chunked + "000A\r\n{\"a\":\"bcd\"\r\n0a\r\n,\"e\":\"fg\"}\r\n00\r\n\r\n"},
		{name: "extensions of chunks", message: json + chunked + "2;a=b;c=\"d e\";f\r\n{}\r\n0;g\r\n\r\n"},
		{name: "white space behind a size", message: json + chunked + "2 \r\n{}\r\n0\r\n\r\n", not: "the grammar has none there without an extension (RFC 9112 section 7.1)"},
		{name: "a trailer", message: json + "Trailer: X-Sum\r\n" + chunked + "2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", takes: "in.hdr takes trailers"},
		{name: "a trailer that nobody announced", message: json + chunked + "2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n"},
		{name: "a client that waits", message: json + "Expect: 100-continue\r\nContent-Length: 2\r\n" + end + "{}"},
		{name: "a client that waits in capitals", message: json + "Expect: 100-Continue\r\nContent-Length: 2\r\n" + end + "{}"},
		{name: "a client that waits, in chunks", message: json + "Expect: 100-continue\r\n" + chunked + "2\r\n{}\r\n0\r\n\r\n"},
		{name: "a type with a quoted parameter", message: post + "Content-Type: application/json; charset=\"utf-8\"\r\nContent-Length: 2\r\n" + end + "{}"},
		{name: "a type in capitals", message: post + "CONTENT-TYPE: Application/JSON;Charset=UTF-8\r\nContent-Length: 2\r\n" + end + "{}"},
		{name: "a body of every byte", message: post + "Content-Type: application/octet-stream\r\nContent-Length: 256\r\n" + end + everyByte()},
		{name: "a body that looks like a request", message: post + "Content-Type: text/plain\r\nContent-Length: 36\r\n" + end + "GET /items HTTP/1.1\r\nHost: other\r\n\r\n"},
		{name: "a form", message: post + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n" + end + "a=b+c&d=%20"},
		{name: "several requests at once", message: "GET /items?q=1 HTTP/1.1\r\nHost: api.example.net\r\n\r\n" +
			strings.Replace(json, "/items", "/items?q=2", 1) + "Content-Length: 2\r\n\r\n{}" + strings.Replace(get, "/items", "/items?q=3", 1) + end},
		{name: "chunks, and another request behind them", message: json + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + get + end},
	}
}

func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// TestOddButLegalRequestsPass sends the list through a sidecar in shadow and through one of
// which every control of requests enforces, and past both through a bare reverse proxy. The
// client must get the same answers and the backend the same bytes: a sidecar that rejects
// what is odd breaks clients, and one that corrects it hides what they do.
func TestOddButLegalRequestsPass(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(odd()), 40)
	bare, shadow, enforce := newLegalTrack(t, ""), newLegalTrack(t, "shadow"), newLegalTrack(t, "enforce")
	for _, l := range odd() {
		want, sent := bare.say(t, l.message)
		if !assert.NotEmpty(t, sent, "%s: Go's own parser refuses it: %s", l.name, want) {
			continue
		}

		strange := l.not != "" || l.takes != ""
		got, reached := shadow.say(t, l.message)
		shadow.finds(t, l.name, len(got), strange)
		assert.Equal(t, want, got, "%s: the answers in shadow", l.name)
		assert.Equal(t, sent, reached, "%s: what the backend sees in shadow", l.name)

		got, reached = enforce.say(t, l.message)
		enforce.finds(t, l.name, len(got), strange)
		switch {
		case l.not != "":
			assert.Empty(t, reached, "%s: %s", l.name, l.not)
		case l.takes != "":
			assert.Equal(t, want, got, "%s: the answers of enforce", l.name)
			assert.Len(t, reached, len(sent), "%s: what the backend sees of enforce", l.name)
		default:
			assert.Equal(t, want, got, "%s: the answers of enforce", l.name)
			assert.Equal(t, lengthened(t, sent), lengthened(t, reached), "%s: what the backend sees of enforce", l.name)
		}
	}
}

func newLegalTrack(t *testing.T, mode string) *track {
	t.Helper()
	b := backendOf(t)
	if mode == "" {
		server := httptest.NewUnstartedServer(bareProxy(b.address))
		server.Config.DisableGeneralOptionsHandler = true
		server.Start()
		t.Cleanup(server.Close)
		return &track{address: strings.TrimPrefix(server.URL, "http://"), backend: b}
	}
	dir := t.TempDir()
	for _, name := range []string{"openapi.yaml", "sidewarden.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", "legal", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	config, err := configure(dir, "sidewarden.yaml", mode)
	require.NoError(t, err)
	s, err := start(config, "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(dir, "audit.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return &track{sidecar: s, address: s.data, backend: b}
}

// finds requires that the last requests have a record each, one with a finding among them
// where the sidecar refuses or takes something, and else none.
func (t *track) finds(tt *testing.T, name string, requests int, strange bool) {
	tt.Helper()
	t.recorded += requests
	var records []map[string]any
	require.NoError(tt, eventually(func() (err error) {
		if records, err = t.sidecar.records(); err == nil && len(records) < t.recorded {
			err = fmt.Errorf("%d records of %d", len(records), t.recorded)
		}
		return err
	}), name)
	require.Len(tt, records, t.recorded, name)
	var all []string
	for _, record := range records[t.recorded-requests:] {
		findings, err := fieldOf(record, "findings")
		require.NoError(tt, err)
		if findings != "[]" {
			all = append(all, findings)
		}
	}
	if strange {
		assert.NotEmpty(tt, all, "%s: in.* says why", name)
	} else {
		assert.Empty(tt, all, name)
	}
}

// say sends raw bytes and returns the statuses and bodies that came back, and what the
// backend got.
func (t *track) say(tt *testing.T, message string) (answers, reached []string) {
	tt.Helper()
	count := len(t.backend.requests())
	c, in := proxytest.Dial(tt, t.address, message)
	defer func() { _ = c.Close() }()
	method, _, _ := strings.Cut(strings.TrimLeft(message, "\r\n"), " ")
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			require.ErrorIs(tt, err, io.ErrUnexpectedEOF, "the connection ends")
			break
		}
		body, err := io.ReadAll(resp.Body)
		require.NoError(tt, err)
		require.NoError(tt, resp.Body.Close())
		if resp.StatusCode >= http.StatusOK { // who says 100 Continue, and how often, is up to each hop (RFC 9110 section 10.1.1)
			answers = append(answers, resp.Status+" "+string(body))
		}
	}
	for _, s := range t.backend.requests()[count:] {
		reached = append(reached, string(s.Raw))
	}
	return answers, reached
}

// lengthened returns messages as they are when their bodies have a length: one that was
// held is sent with it.
func lengthened(t *testing.T, messages []string) []string {
	t.Helper()
	all := make([]string, len(messages))
	for i, m := range messages {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(m)))
		require.NoError(t, err)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		head, _, _ := strings.Cut(m, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		kept := lines[:0]
		for _, line := range lines {
			if !strings.HasPrefix(line, "Content-Length: ") && !strings.HasPrefix(line, "Transfer-Encoding: ") {
				kept = append(kept, line)
			}
		}
		all[i] = strings.Join(kept, "\r\n") + "\r\n\r\n" + string(body)
	}
	return all
}
