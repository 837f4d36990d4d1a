// Package frame finds where requests begin and end in the bytes of an HTTP/1
// connection (RFC 9112), and what about that is ambiguous. It is a second parser beside
// that of net/http, strict and small: what it permits, net/http reads as the same
// request with the same end.
package frame
