package explain

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// MaxFile bounds a request file in bytes.
const MaxFile = 32 << 20

// Message is one request as it goes over a connection.
type Message struct {
	raw    []byte
	method string
}

// ReadMessage reads a request in the form of an HTTP/1.1 message: request line,
// header fields, an empty line, the body. Lines may end with LF alone, lines
// before the request line that are empty or start with # or // are skipped, the
// version may be missing, and the target may be a whole URL, whose host is then
// that of the request unless a Host field says otherwise.
//
// The body is every byte behind the empty line. Without Content-Length the line
// breaks at its end are not part of it, and its length is added, as a client does;
// with Transfer-Encoding: chunked it is sent as one chunk. Whatever else is wrong
// with the message is left to the server that reads it.
func ReadMessage(data []byte) (Message, error) {
	if len(data) > MaxFile {
		return Message{}, fmt.Errorf("the request file has more than %d bytes", MaxFile)
	}
	lines := lineReader{rest: bytes.TrimPrefix(data, []byte("\ufeff"))}
	first, err := lines.start()
	if err != nil {
		return Message{}, err
	}
	method, target, version, host, err := requestLine(first)
	if err != nil {
		return Message{}, fmt.Errorf("line %d: %w", lines.number, err)
	}
	h := head{host: host, version: version}
	for {
		line, err := lines.next()
		if err != nil {
			return Message{}, err
		}
		if line == "" {
			break
		}
		h.add(line)
	}
	fields, body, err := h.frame(method, lines.rest)
	if err != nil {
		return Message{}, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n%s\r\n\r\n", method, target, version, strings.Join(fields, "\r\n"))
	b.Write(body)
	return Message{raw: b.Bytes(), method: method}, nil
}

// lineReader cuts lines and counts them.
type lineReader struct {
	rest   []byte
	number int
}

// next returns a line without its end; at the end of the file it is empty.
func (l *lineReader) next() (string, error) {
	l.number++
	line, rest, _ := bytes.Cut(l.rest, []byte("\n"))
	l.rest = rest
	line = bytes.TrimSuffix(line, []byte("\r"))
	if bytes.ContainsAny(line, "\r\x00") {
		return "", fmt.Errorf("line %d: holds a control character; write each header field on a line of its own", l.number)
	}
	return string(line), nil
}

// start skips comments and returns the request line.
func (l *lineReader) start() (string, error) {
	for len(l.rest) > 0 {
		line, err := l.next()
		switch {
		case err != nil:
			return "", err
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"), strings.HasPrefix(line, "//"):
		default:
			return line, nil
		}
	}
	return "", errors.New("the request file holds no request; start it with a line such as GET /orders HTTP/1.1")
}

// requestLine reads METHOD TARGET [VERSION].
func requestLine(line string) (method, target, version, host string, err error) {
	parts := strings.Fields(line)
	if len(parts) < 2 || len(parts) > 3 {
		return "", "", "", "", errors.New("is not a request line; write METHOD TARGET HTTP/1.1")
	}
	method, target, version = parts[0], parts[1], "HTTP/1.1"
	if len(parts) == 3 {
		// What a client says of HTTP/2 is the same message on another wire.
		if parts[2] != "HTTP/1.0" && parts[2] != "HTTP/1.1" && parts[2] != "HTTP/2" && parts[2] != "HTTP/2.0" {
			return "", "", "", "", errors.New("the version of HTTP is not known; write HTTP/1.1 or nothing")
		}
		if parts[2] == "HTTP/1.0" {
			version = parts[2]
		}
	}
	scheme, rest, absolute := strings.Cut(target, "://")
	if !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return method, target, version, "localhost", nil
	}
	rest, _, _ = strings.Cut(rest, "#") // a client keeps the fragment to itself
	host, target = rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		if host, target = rest[:i], rest[i:]; target[0] == '?' {
			target = "/" + target
		}
	}
	if host == "" || strings.Contains(host, "@") {
		return "", "", "", "", errors.New("the host of the URL is missing, or has a user in front of it; write https://HOST/PATH")
	}
	return method, target, version, host, nil
}

// head collects the header fields.
type head struct {
	host, version string
	fields        []string
	named         bool     // a Host field is there
	lengths       []string // values of Content-Length
	codings       []string // values of Transfer-Encoding
}

func (h *head) add(line string) {
	h.fields = append(h.fields, line)
	name, value, _ := strings.Cut(line, ":")
	switch value = strings.TrimSpace(value); strings.ToLower(name) {
	case "host":
		h.named = true
	case "content-length":
		h.lengths = append(h.lengths, value)
	case "transfer-encoding":
		h.codings = append(h.codings, value)
	}
}

// frame returns all fields and the body as they are sent.
func (h *head) frame(method string, body []byte) (fields []string, sent []byte, err error) {
	fields = h.fields
	if !h.named {
		fields = append([]string{"Host: " + h.host}, fields...)
	}
	switch {
	case len(h.codings) == 1 && len(h.lengths) == 0 && strings.EqualFold(h.codings[0], "chunked"):
		if body = trimmed(body); len(body) > 0 {
			body = slices.Concat(fmt.Appendf(nil, "%x\r\n", len(body)), body, []byte("\r\n"))
		}
		return fields, append(body, "0\r\n\r\n"...), nil
	case len(h.codings) > 0 || len(h.lengths) > 1:
		return fields, body, nil
	case len(h.lengths) == 1:
		n, err := strconv.ParseUint(h.lengths[0], 10, 63)
		switch {
		case err != nil:
			return fields, body, nil //nolint:nilerr // the server that reads it says what is wrong
		case n > uint64(len(body)) || len(trimmed(body[n:])) > 0:
			return nil, nil, fmt.Errorf("the body has %d bytes and Content-Length says %d; remove Content-Length to have it counted", len(body), n)
		}
		return fields, body[:n], nil
	}
	if i := bytes.Index(append([]byte("\n"), body...), []byte("\n###")); i >= 0 {
		return nil, nil, errors.New("a line of the body starts with ###, which begins another request; keep one request per file, or add Content-Length")
	}
	body = trimmed(body)
	if len(body) > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		fields = append(slices.Clone(fields), "Content-Length: "+strconv.Itoa(len(body)))
	}
	return fields, body, nil
}

// trimmed returns a body without the line breaks at its end.
func trimmed(body []byte) []byte { return bytes.TrimRight(body, "\r\n") }
