package policy

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// ResponseClass partitions backend answers by what they can say about a control.
type ResponseClass string

// The classes; every answer has exactly one.
const (
	ClassNone     ResponseClass = "R-NONE"     // not forwarded
	ClassAbort    ResponseClass = "R-ABORT"    // reset, timeout, truncated, protocol error
	ClassOpaque   ResponseClass = "R-OPAQUE"   // 2xx not inspected where soft denials are known
	ClassUpgrade  ResponseClass = "R-UPGRADE"  // 101
	ClassLogin    ResponseClass = "R-LOGIN"    // sent to a login page
	ClassRedir    ResponseClass = "R-REDIR"    // other 3xx
	ClassAccepted ResponseClass = "R-ACCEPTED" // 202 or a job handle
	ClassSoftDeny ResponseClass = "R-SOFTDENY" // 2xx with an error envelope
	ClassEmpty    ResponseClass = "R-EMPTY"    // 2xx with an empty collection or null
	ClassOK       ResponseClass = "R-OK"
	Class401      ResponseClass = "R-401"
	Class403      ResponseClass = "R-403"
	Class404      ResponseClass = "R-404" // 404, 410
	Class405      ResponseClass = "R-405"
	Class406      ResponseClass = "R-406"
	Class415      ResponseClass = "R-415"
	ClassSize     ResponseClass = "R-SIZE"  // 411, 413, 414, 431
	ClassInput    ResponseClass = "R-INPUT" // 400, 422
	ClassAfter    ResponseClass = "R-AFTER" // 304 on a condition, 412, 416
	ClassState    ResponseClass = "R-STATE" // 409, 423, 424, 428
	Class429      ResponseClass = "R-429"
	Class451      ResponseClass = "R-451"
	Class4xx      ResponseClass = "R-4XX"
	Class500      ResponseClass = "R-500" // 500 and 5xx not below
	Class501      ResponseClass = "R-501"
	ClassUnavail  ResponseClass = "R-UNAVAIL" // 502, 503, 504, 507, 508
)

// Classes returns every response class, in the order of the definitions.
func Classes() []ResponseClass {
	return []ResponseClass{
		ClassNone, ClassAbort, ClassOpaque, ClassUpgrade, ClassLogin, ClassRedir, ClassAccepted, ClassSoftDeny,
		ClassEmpty, ClassOK, Class401, Class403, Class404, Class405, Class406, Class415, ClassSize, ClassInput,
		ClassAfter, ClassState, Class429, Class451, Class4xx, Class500, Class501, ClassUnavail,
	}
}

// Hints tell ClassOf what this backend's answers mean. They come from the config.
type Hints struct {
	// LoginPaths are the paths of login pages that a redirect may lead to.
	LoginPaths []string
	// SoftDenials describe error envelopes in success answers.
	SoftDenials []SoftDenial
}

// SoftDenial recognises an error envelope: the JSON value at Pointer equals the
// literal Equals. The string at Code then names the family that denied.
type SoftDenial struct {
	Pointer  string // RFC 6901
	Equals   string // JSON literal, such as false or "error"
	Code     string // RFC 6901; may be empty
	Families map[string]Family
}

// ClassOf returns the class of the backend's answer to r. It is total: every
// answer has exactly one class, and the first that fits is it.
func ClassOf(r *Request, h Hints) ResponseClass {
	resp := r.Response
	if resp == nil {
		return ClassNone
	}
	status := resp.Status
	switch {
	case resp.Aborted, status < 200 && status != http.StatusSwitchingProtocols, status >= 600:
		return ClassAbort
	case status == http.StatusSwitchingProtocols:
		return ClassUpgrade
	case status < 300:
		return classOfSuccess(r, h)
	case status < 400:
		return classOfRedirect(r, h)
	case status < 500:
		return classOfClientError(status)
	}
	switch status {
	case http.StatusNotImplemented:
		return Class501
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusInsufficientStorage, http.StatusLoopDetected:
		return ClassUnavail
	}
	return Class500
}

func classOfSuccess(r *Request, h Hints) ResponseClass {
	resp := r.Response
	hasBody := resp.Status != http.StatusNoContent && resp.Status != http.StatusResetContent &&
		r.Method != http.MethodHead && resp.Body.Size != 0
	if hasBody && len(h.SoftDenials) > 0 && !inspected(resp) {
		return ClassOpaque
	}
	if isLoginPage(r) {
		return ClassLogin
	}
	if _, soft := SoftDenialOf(r, h); soft {
		return ClassSoftDeny
	}
	if resp.Status == http.StatusAccepted || first(resp.Header["Operation-Location"]) != "" {
		return ClassAccepted
	}
	if r.Method == http.MethodGet && inspected(resp) && isEmpty(resp.Body.Bytes) {
		return ClassEmpty
	}
	return ClassOK
}

// inspected reports whether the copy of the body is the whole, plain body.
func inspected(resp *Response) bool {
	return resp.Body.Whole && resp.Status != http.StatusPartialContent && !Coded(resp.Header)
}

// Coded reports whether a message has a content coding other than identity (RFC
// 9110, section 8.4): its bytes are not those of its media type.
func Coded(h http.Header) bool {
	for _, v := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// first returns the first value of a header.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func classOfRedirect(r *Request, h Hints) ResponseClass {
	status := r.Response.Status
	if status == http.StatusNotModified {
		switch {
		case conditional(r.Header):
			return ClassAfter
		case r.Method == http.MethodGet, r.Method == http.MethodHead:
			return ClassOK
		}
		return ClassRedir
	}
	if u, err := url.Parse(r.Response.Header.Get("Location")); err == nil && slices.Contains(h.LoginPaths, u.Path) {
		return ClassLogin
	}
	return ClassRedir
}

func conditional(h http.Header) bool {
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

func classOfClientError(status int) ResponseClass {
	switch status {
	case http.StatusUnauthorized:
		return Class401
	case http.StatusForbidden:
		return Class403
	case http.StatusNotFound, http.StatusGone:
		return Class404
	case http.StatusMethodNotAllowed:
		return Class405
	case http.StatusNotAcceptable:
		return Class406
	case http.StatusUnsupportedMediaType:
		return Class415
	case http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
		http.StatusRequestHeaderFieldsTooLarge:
		return ClassSize
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ClassInput
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return ClassAfter
	case http.StatusConflict, http.StatusLocked, http.StatusFailedDependency, http.StatusPreconditionRequired:
		return ClassState
	case http.StatusTooManyRequests:
		return Class429
	case http.StatusUnavailableForLegalReasons:
		return Class451
	}
	return Class4xx
}

// isLoginPage recognises a 2xx HTML page with a password field on an operation
// that answers JSON.
func isLoginPage(r *Request) bool {
	op := r.Match.Operation
	if op == nil || !op.AnswersJSON {
		return false
	}
	sent := first(r.Response.Header["Content-Type"])
	if essence, _, _ := strings.Cut(sent, ";"); !strings.EqualFold(strings.TrimSpace(essence), "text/html") {
		return false // what nearly every answer is takes no parser
	}
	if _, _, err := mime.ParseMediaType(sent); err != nil {
		return false
	}
	page := bytes.ToLower(r.Response.Body.Bytes)
	for _, field := range []string{`type="password"`, `type='password'`, `type=password`} {
		if bytes.Contains(page, []byte(field)) {
			return true
		}
	}
	return false
}

// maxCompounds bounds the compound members of an object that isEmpty tells apart
// when names occur twice. An answer with more of them is not an empty one.
const maxCompounds = 16

// compound is a member whose value is an object or an array.
type compound struct {
	name  []byte
	empty bool // an empty array
}

// isEmpty reports whether a JSON body is null, an empty array, or an object whose
// only compound member is one empty array. Of members with one name the last
// counts.
func isEmpty(b []byte) bool {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return false
	case b[0] == '[':
		i := skipSpace(b, 1)
		return i == len(b)-1 && b[i] == ']'
	case b[0] != '{':
		return string(b) == "null"
	}
	var few [maxCompounds]compound
	found := few[:0]
	m := membersOf(b, 0, 0)
	for m.next() {
		c := compound{name: m.key(), empty: startsEmptyArray(b[m.at:])}
		large := !c.empty && (b[m.at] == '{' || b[m.at] == '[')
		if large && m.final() || m.value() == nil {
			return false
		}
		for i := range found {
			if bytes.Equal(found[i].name, c.name) {
				found[i] = found[len(found)-1]
				found = found[:len(found)-1]
				break
			}
		}
		if large || c.empty {
			if len(found) == maxCompounds {
				return false
			}
			found = append(found, c)
		}
	}
	return m.at == len(b) && len(found) == 1 && found[0].empty
}

func startsEmptyArray(b []byte) bool {
	if b[0] != '[' {
		return false
	}
	i := skipSpace(b, 1)
	return i < len(b) && b[i] == ']'
}

// SoftDenialOf reports whether a success answer holds an error envelope that the
// hints describe, and the family that its code belongs to, if that is known.
func SoftDenialOf(r *Request, h Hints) (Family, bool) {
	if len(h.SoftDenials) == 0 || r.Response == nil || !inspected(r.Response) {
		return "", false
	}
	body := r.Response.Body.Bytes
	start := skipSpace(body, 0)
	end := scanValue(body, start, 0)
	if end < 0 {
		return "", false
	}
	document := body[start:end]
	for i := range h.SoftDenials {
		s := &h.SoftDenials[i]
		value, ok := at(document, s.Pointer)
		if !ok || !equals(value, s.Equals) {
			continue
		}
		if s.Code == "" {
			return "", true
		}
		if code, ok := at(document, s.Code); ok && code[0] == '"' {
			return s.Families[decodeString(code)], true
		}
		return "", true
	}
	return "", false
}

// equals compares decoded values, not texts: one string has several literals. A
// number equals only its own literal. The value is JSON.
func equals(value []byte, literal string) bool {
	if string(value) == literal {
		return true
	}
	if first := value[0]; first != '"' && first != '{' && first != '[' {
		// A word or number has one literal, which white space may surround.
		b := []byte(literal)
		start := skipSpace(b, 0)
		end := scanValue(b, start, 0)
		return end >= 0 && bytes.Equal(b[start:end], value)
	}
	want, err := decode([]byte(literal))
	if err != nil {
		return false
	}
	got, err := decode(value)
	return err == nil && reflect.DeepEqual(got, want)
}

func decode(b []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var v any
	return v, decoder.Decode(&v)
}
