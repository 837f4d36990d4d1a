package explain

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"a message with LF", "GET /a HTTP/1.1\nHost: h\n\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"a message with CRLF", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"no end of the head", "GET /a HTTP/1.1\nHost: h", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"no version and no host", "GET /a", "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"another version", "GET /a HTTP/2\nHost: h\n\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"an old version", "GET /a HTTP/1.0\nHost: h\n\n", "GET /a HTTP/1.0\r\nHost: h\r\n\r\n"},
		{"comments before it", "\ufeff\n# c\n// c\n### c\nGET /a\nHost: h\n\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"a whole URL", "GET https://h:8443/a?b=c#d\n\n", "GET /a?b=c HTTP/1.1\r\nHost: h:8443\r\n\r\n"},
		{"a URL without a path", "GET http://h?b=c\n\n", "GET /?b=c HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"a URL beside a Host", "GET http://h/a\nhost: other\n\n", "GET /a HTTP/1.1\r\nhost: other\r\n\r\n"},
		{"a target that holds a URL", "GET /a?b=http://h/ HTTP/1.1\nHost: h\n\n", "GET /a?b=http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"an asterisk", "OPTIONS * HTTP/1.1\nHost: h\n\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"a body without its length", "PUT /a\nHost: h\n\n{\n}\n\n", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n{\n}"},
		{"a body of line breaks", "GET /a\nHost: h\n\n\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"no body where there may be one", "POST /a\nHost: h\n\n", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
		{"a body with its length", "PUT /a\nHost: h\nContent-Length: 2\n\n{}\n", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"},
		{"a length of line breaks too", "PUT /a\nHost: h\nContent-Length: 3\n\n{}\n", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n{}\n"},
		{"a chunked body", "PUT /a\nHost: h\nTransfer-Encoding: chunked\n\n{}\n", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
		{"a chunked body of nothing", "PUT /a\nHost: h\nTransfer-Encoding: chunked\n\n", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a length that is none", "PUT /a\nHost: h\nContent-Length: x\n\n{}", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n{}"},
		{"a length in a body", "PUT /a\nHost: h\nContent-Length: 4\n\n###\n", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n###\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, err := ReadMessage([]byte(row.in))
			require.NoError(t, err)
			assert.Equal(t, row.want, string(m.raw))
		})
	}
}

func TestReadMessageRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"an empty file", "", "holds no request"},
		{"a file of comments", "# a\n\n// b\n", "holds no request"},
		{"one word", "\nGET\n", "line 2: is not a request line"},
		{"four words", "GET /a b HTTP/1.1\n", "line 1: is not a request line"},
		{"an answer", "GET /a HTTP/3\n", "the version of HTTP is not known"},
		{"a user in the URL", "GET https://u:secret@h/a\n", "a user in front of it"},
		{"no host in the URL", "GET https:///a\n", "the host of the URL is missing"},
		{"a carriage return in a line", "GET /a\nX: a\rb\n\n", "line 2: holds a control character"},
		{"a body that nobody waits for", "PUT /a\nContent-Length: 99999999999\n\n{}", "the body has 2 bytes and Content-Length says 99999999999"},
		{"a body that is cut", "PUT /a\nContent-Length: 9\n\n{}", "the body has 2 bytes and Content-Length says 9"},
		{"a body that goes on", "PUT /a\nContent-Length: 1\n\n{}", "the body has 2 bytes and Content-Length says 1"},
		{"two requests", "PUT /a\n\n{}\n\n### next\nGET /b\n", "keep one request per file"},
		{"a file beyond its bound", strings.Repeat("\n", MaxFile+1), "more than"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadMessage([]byte(row.in))
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

// FuzzReadMessage gives a stranger the file: what is read is a message of at most
// a little more, and where a body was found the server will find the same one.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("POST https://h/a?b HTTP/1.1\nX: y\n\n{}\n"))
	f.Add([]byte("PUT /a\nTransfer-Encoding: chunked\n\nabc"))
	f.Add([]byte("PUT /a\nContent-Length: 3\r\n\r\nabc\n"))
	f.Add([]byte("GET /a HTTP/1.1\nHost: h\nHost: g\nContent-Length: 1\nContent-Length: 1\n\na"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		m, err := ReadMessage(data)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(m.raw), 2*len(data)+200)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.raw)))
		if err != nil {
			return // the server that reads it says what is wrong
		}
		require.Equal(t, m.method, r.Method)
		if body, err := io.ReadAll(r.Body); err == nil && len(r.TransferEncoding) == 0 {
			require.Contains(t, string(data), string(body))
		}
	})
}
