package config

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// validator finds what is wrong with values that the decoder could read. It
// reports into the decoder's list of semantic problems.
type validator struct {
	*decoder
	c *Config
}

func (v *validator) validate() {
	v.available()
	v.head()
	v.message()
	v.proof()
	v.credential()
	v.certificates()
	v.listeners()
	v.backend()
	v.contracts()
	v.health()
	v.token()
	v.dpop()
	v.accounts()
	v.delegations()
	v.limits()
	v.operations()
	v.exceptions()
}

// add reports a wrong or missing value, unless the decoder or an earlier rule has
// a problem with the value or with what it is part of.
func (v *validator) add(path, cause, fix string) {
	v.addAll(path, []fault{{cause, fix}})
}

// addAll is add for all that is wrong with one value.
func (v *validator) addAll(path string, faults []fault) {
	for at := path; at != ""; at = parent(at) {
		if v.troubled[at] {
			return
		}
	}
	for _, f := range faults {
		v.troubled[path] = true
		v.semantic = append(v.semantic, v.at(path, f.cause, f.fix))
	}
}

// parent returns the path without its last part.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// given reports whether the file has the path.
func (v *validator) given(path string) bool {
	_, ok := v.places[path]
	return ok
}

// named returns a value for a message. One that came through a reference is
// named by the reference: it may be a secret.
func (v *validator) named(path, value string) string {
	if ref, ok := v.refs[path]; ok {
		return "the value of " + ref
	}
	return quote(value)
}

func (v *validator) head() {
	if v.c.Version != 1 {
		v.add("version", fmt.Sprintf("version %d is not known", v.c.Version), "write version: 1")
	}
	if !isName(v.c.Product) {
		v.add("product", v.named("product", v.c.Product)+" is not a product name", nameFix)
	}
	v.header("backend.instance_header", v.c.Backend.InstanceHeader)
	v.header("gateway.request_id_header", v.c.Gateway.RequestIDHeader)
	if v.c.Credential.Header == "" {
		v.add("credential.header", "is empty", "name a header, for example Authorization")
	}
	v.header("credential.header", v.c.Credential.Header)
	if s := v.c.Credential.Scheme; s != "" && !isToken(s) {
		v.add("credential.scheme", v.named("credential.scheme", s)+" is not an authentication scheme", "write for example Bearer")
	}
	if key := v.c.Audit.PseudonymKey; !key.IsZero() && len(key.Reveal()) < minKeyBytes {
		v.add("audit.pseudonym_key", fmt.Sprintf("%s has fewer than %d bytes", v.named("audit.pseudonym_key", ""), minKeyBytes), "make a random key, for example with openssl rand -hex 32")
	}
}

const (
	minKeyBytes = 16
	nameFix     = "use 1 to 63 lower-case letters, digits and dashes"
)

// header checks the name of a header; none is no problem.
func (v *validator) header(path, name string) {
	switch {
	case name != "" && !isToken(name):
		v.add(path, v.named(path, name)+" is not a header name", "use letters, digits and dashes")
	case name != "" && !ReadsHeader(name):
		v.add(path, v.named(path, name)+" belongs to one connection or frames the message: nothing is read from it", "use another header")
	}
}

// ReadsHeader reports whether a header of this name can be read from requests: it has
// the form of a name (RFC 9110 section 5.1), and passes from end to end.
func ReadsHeader(name string) bool {
	return isToken(name) && !slices.Contains(unreadHeaders(), strings.ToLower(name))
}

// unreadHeaders are fields that do not pass from end to end (RFC 9110 section
// 7.6.1), or that are no fields any more once a message is read. A rule about one
// would look as if it were in force.
func unreadHeaders() []string {
	return []string{
		"connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
		"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
	}
}

func (v *validator) listeners() {
	listenOK := v.address("listen.address", v.c.Listen.Address)
	adminOK := v.address("admin.address", v.c.Admin.Address)
	if !adminOK {
		return
	}
	host, port, _ := net.SplitHostPort(v.c.Admin.Address)
	if !isLoopback(host) && !v.c.Admin.InsecureExposeMetrics {
		v.add("admin.address", v.named("admin.address", v.c.Admin.Address)+" is not a loopback address, and the admin listener asks for no credentials",
			"use 127.0.0.1, or set admin.insecure_expose_metrics: true to serve health and metrics alone there")
	}
	if !listenOK || port == "0" {
		return
	}
	listenHost, listenPort, _ := net.SplitHostPort(v.c.Listen.Address)
	if listenPort == port && (listenHost == host || isEvery(listenHost) || isEvery(host)) {
		v.add("admin.address", "listen.address takes the same address", "give admin.address another port")
	}
}

// address checks host:port and reports whether it is good.
func (v *validator) address(path, s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err == nil && errPort == nil && port == strconv.FormatUint(n, 10) && !strings.ContainsAny(host, " /@") {
		return true
	}
	v.add(path, v.named(path, s)+" is not an address", "write host:port, for example 127.0.0.1:8080")
	return false
}

func (v *validator) backend() {
	b := &v.c.Backend
	v.url("backend.url", b.URL, urlRule{what: "an http or https URL", example: "http://127.0.0.1:9000", path: func(u *url.URL) []fault {
		if u.Path == "" {
			return nil
		}
		return []fault{{"has a path", "end it after host and port; requests bring their own path"}}
	}})
	if b.TLS != nil && isPlain(b.URL) {
		v.add("backend.tls", "has no effect on an http backend", "write https in backend.url or remove tls")
	}
	if p := b.PathPrefix; p != "" && (!isPath(p) || strings.HasSuffix(p, "/")) {
		v.add("backend.path_prefix", v.named("backend.path_prefix", p)+" is not a path prefix", "start it with / and do not end it with /, for example /legacy")
	}
	if t := b.TLS; t != nil && t.CertFile == "" && t.KeyFile != "" {
		v.add("backend.tls.cert_file", "is missing beside key_file", "give both or none")
	} else if t != nil && t.CertFile != "" && t.KeyFile == "" {
		v.add("backend.tls.key_file", "is missing beside cert_file", "give both or none")
	}
	for i, p := range b.LoginPaths {
		if path := fmt.Sprintf("backend.login_paths[%d]", i); !strings.HasPrefix(p, "/") {
			v.add(path, v.named(path, p)+" is not a path", "start it with /")
		}
	}
	for i, s := range b.SoftDeny {
		path := fmt.Sprintf("backend.soft_deny[%d]", i)
		v.pointer(path+".pointer", s.Pointer)
		if s.Code != "" {
			v.pointer(path+".code", s.Code)
		} else if len(s.Families) > 0 {
			v.add(path+".code", "families are given, and no place of the code", "add code: with the JSON pointer to the error code")
		}
	}
}

// pointer checks a JSON pointer to a member (RFC 6901 section 3).
func (v *validator) pointer(path, s string) {
	if !isPointer(s) {
		v.add(path, v.named(path, s)+" is not a JSON pointer", "start it with /, and write ~0 for ~ and ~1 for / in a name")
	}
}

func (v *validator) contracts() {
	if len(v.c.Specs) == 0 {
		v.add("specs", "no contract is named", "add spec: {file: openapi.yaml}")
	}
	first := map[string]int{}
	for i, s := range v.c.Specs {
		path := fmt.Sprintf("specs[%d].base_path", i)
		if b := s.BasePath; b != "" && b != "/" && (!strings.HasPrefix(b, "/") || strings.HasSuffix(b, "/") || strings.ContainsAny(b, "?#")) {
			v.add(path, v.named(path, b)+" is not a base path", "start it with / and do not end it with /, for example /v1")
		}
		path = fmt.Sprintf("specs[%d].name", i)
		before, again := first[s.Name]
		switch {
		case s.Name == "":
		case again:
			v.add(path, fmt.Sprintf("%s is given twice, first as specs[%d]", v.named(path, s.Name), before), "give it another name")
		case !isName(s.Name):
			v.add(path, v.named(path, s.Name)+" is not a name of a contract", nameFix)
		default:
			first[s.Name] = i
		}
	}
}

// health checks the operations that are forwarded without being judged.
func (v *validator) health() {
	for i, h := range v.c.Health {
		path := fmt.Sprintf("health[%d]", i)
		method, target, found := strings.Cut(h, " ")
		switch {
		case !found || !isToken(method) || method != strings.ToUpper(method) || !isPath(target):
			v.add(path, v.named(path, h)+" is not a method and a path", "write for example GET /health; a path has no parameter and no query")
		case method == http.MethodConnect:
			v.add(path, "CONNECT has no path", "name the method of the health check")
		case slices.Contains(v.c.Health[:i], h):
			v.add(path, v.named(path, h)+" is given twice", "remove one")
		}
	}
}

// isPath reports whether s is a path as it stands in a request: absolute, of
// characters of RFC 3986 section 3.3, with no empty segment but the last, and no
// dot segment, however it is written.
func isPath(s string) bool {
	if !strings.HasPrefix(s, "/") || strings.Contains(s, "//") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("/-._~!$&'()*+,;=:@%", rune(c)) {
			return false
		}
	}
	decoded, err := url.PathUnescape(s)
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(decoded, "/") {
		if part, _, _ = strings.Cut(part, ";"); part == "." || part == ".." {
			return false
		}
	}
	return true
}

// isName reports whether s can name something in metrics and records.
func isName(s string) bool {
	const most = 63
	for _, r := range s {
		if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return false
		}
	}
	return s != ""
}

// isPointer reports whether s is a JSON pointer other than to the whole document.
func isPointer(s string) bool {
	rest := strings.NewReplacer("~0", "", "~1", "").Replace(s)
	return strings.HasPrefix(s, "/") && !strings.Contains(rest, "~")
}

// isLoopback reports whether a host can only be this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isEvery reports whether a host stands for every interface.
func isEvery(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
