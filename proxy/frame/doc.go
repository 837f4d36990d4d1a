// Package frame finds where requests begin and end in the bytes of an HTTP/1
// connection (RFC 9112), and what about that is ambiguous. It is a second parser beside
// that of net/http, strict and small: what it permits, net/http reads as the same
// request with the same end.
//
// It reads no content. Of a head it reads the request line, the form of every field and
// those fields that say how the message is framed; whole lines, once all of the head is
// there. Of a body it reads chunk lines and the trailer section, byte by byte. It holds
// one head or trailer section of bounded length, and that only if it came in pieces.
//
// A fault ends it: what a sender means that breaks the grammar is a guess, and two
// guesses are how a request is smuggled. The faults are reasons of in.frame. A head that
// is longer than the server takes is none of them; the server answers it 431.
package frame
