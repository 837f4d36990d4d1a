package budget_test

import (
	"net/http"
	"testing"
)

func modes() []string { return []string{"off", "shadow", "enforce"} }

// serve returns one run of the whole path.
func (w *world) serve(t testing.TB, method string) func() {
	t.Helper()
	h, incoming := w.handler(), w.incoming(t, method)
	return func() {
		a := &answer{header: http.Header{}}
		h.ServeHTTP(a, incoming())
		if a.status >= 300 {
			t.Fatalf("the answer is %d", a.status)
		}
	}
}
