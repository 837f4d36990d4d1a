package proxy

// prefaceHTTP2 is how a client begins a connection of HTTP/2 (RFC 9113 section 3.4).
const prefaceHTTP2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// seePreface looks for the preface, which such a connection begins with, and lets the
// scanner see what of one was none. It reports whether all of b is taken: it is part of
// a preface, or behind one, where nobody follows. It requires that mu is held.
func (g *guard) seePreface(b []byte) (taken int, all bool) {
	if g.preface < 0 {
		return 0, false
	}
	matched := matching(b, prefaceHTTP2[g.preface:])
	g.preface += matched
	switch {
	case g.preface == len(prefaceHTTP2):
		g.through.Store(true)
		g.tunnel.Store(true)
		return len(b), true
	case matched == len(b):
		return matched, true
	}
	begun := prefaceHTTP2[:g.preface-matched] // delivered already
	g.preface = -1
	g.scan([]byte(begun))
	return 0, false
}

// matching returns how many bytes of b are those of the text.
func matching(b []byte, text string) int {
	n := 0
	for n < min(len(b), len(text)) && b[n] == text[n] {
		n++
	}
	return n
}

// speaksHTTP2 reports whether the connection began with the preface of HTTP/2.
func (g *guard) speaksHTTP2() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.preface == len(prefaceHTTP2)
}
