package proxy

import "net/http"

// introduce tells the backend who the caller is, where the policy says how. What the client
// sent under these names is gone in every spelling, as a field and as the announcement of
// a trailer, whether or not anybody is introduced: of two values a backend would choose.
func (x *exchange) introduce(out *http.Request) {
	introducer := x.policy.Introducer
	if introducer == nil {
		return
	}
	for _, fields := range []http.Header{out.Header, out.Trailer} {
		for name := range fields {
			if introducer.Owns(name) {
				delete(fields, name)
			}
		}
	}
	for _, field := range introducer.Introduce(x.request, x.decision) {
		out.Header[field.Name] = []string{field.Value}
	}
}
