package proxy

import "net/http"

// answerWriter remembers what the client got.
type answerWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader remembers the first final status; an informational one may precede it.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (w *answerWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach flushing, hijacking and deadlines.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
