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
	if resp.Status == http.StatusAccepted || resp.Header.Get("Operation-Location") != "" {
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
	for _, v := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
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
	media, _, err := mime.ParseMediaType(r.Response.Header.Get("Content-Type"))
	if err != nil || media != "text/html" {
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

// isEmpty reports whether a JSON body is null, an empty array, or an object whose
// only compound member is one empty array.
func isEmpty(b []byte) bool {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return false
	case bytes.Equal(b, []byte("null")):
		return true
	case b[0] == '[':
		var list []json.RawMessage
		return json.Unmarshal(b, &list) == nil && len(list) == 0
	case b[0] != '{':
		return false
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil {
		return false
	}
	arrays := 0
	for _, v := range object {
		switch v[0] {
		case '{':
			return false
		case '[':
			var list []json.RawMessage
			if json.Unmarshal(v, &list) != nil || len(list) > 0 {
				return false
			}
			arrays++
		}
	}
	return arrays == 1
}

// SoftDenialOf reports whether a success answer holds an error envelope that the
// hints describe, and the family that its code belongs to, if that is known.
func SoftDenialOf(r *Request, h Hints) (Family, bool) {
	if len(h.SoftDenials) == 0 || r.Response == nil || !inspected(r.Response) {
		return "", false
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(r.Response.Body.Bytes))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil {
		return "", false
	}
	for _, s := range h.SoftDenials {
		value, ok := at(document, s.Pointer)
		if !ok || !equals(value, s.Equals) {
			continue
		}
		if code, ok := at(document, s.Code); ok && s.Code != "" {
			if text, ok := code.(string); ok {
				return s.Families[text], true
			}
		}
		return "", true
	}
	return "", false
}

// at resolves an RFC 6901 pointer over objects; arrays hold no envelopes.
func at(document any, pointer string) (any, bool) {
	if pointer == "" {
		return document, true
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, ok := document.(map[string]any)
		if !ok {
			return nil, false
		}
		if document, ok = object[unescape.Replace(token)]; !ok {
			return nil, false
		}
	}
	return document, true
}

// equals compares decoded values, not texts: one string has several literals. A
// number equals only its own literal.
func equals(value any, literal string) bool {
	decoder := json.NewDecoder(strings.NewReader(literal))
	decoder.UseNumber()
	var want any
	return decoder.Decode(&want) == nil && reflect.DeepEqual(value, want)
}
