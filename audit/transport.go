package audit

import (
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// TypeCertificate is the type of the pseudonyms of certificates: of SHA-256 of the DER
// form, in lower-case hexadecimal.
const TypeCertificate Type = "certificate"

// TLS is how one hop of a request was secured.
type TLS struct {
	// Version and Cipher are names of crypto/tls; absent when there was no connection.
	Version string `json:"version,omitempty"`
	Cipher  string `json:"cipher,omitempty"`
	// Certificate is the pseudonym of the thumbprint of the peer's certificate; absent
	// without one, and of the backend.
	Certificate string `json:"certificate,omitempty"`
	// State is what is to be said of the certificate of the other side: verified,
	// unverified (no authorities are configured), untrusted, expired or purpose; of the
	// backend verified, or why there is no connection: untrusted, name, expired, invalid,
	// refused or plain. Absent when the peer has shown none.
	State string `json:"state,omitempty"`
	// Expires is when the certificate of the other side stops to count.
	Expires time.Time `json:"expires,omitzero"`
}

// peerHop returns what a record says of the connection of the peer; nil of a plain one.
func (b *builder) peerHop() *TLS {
	t := b.r.Peer.TLS
	if t == nil {
		return nil
	}
	hop := &TLS{Version: t.Version, Cipher: t.Cipher}
	if c := t.Certificate; c != nil {
		hop.State, hop.Expires = c.State(b.r.Time), c.Until.UTC()
		hop.Certificate = b.options.Pseudonyms.Of(TypeCertificate, c.Thumbprint)
	}
	return hop
}

// backendHop returns what a record says of the connection to the backend; nil of a plain
// one, and where none was wanted. Without a verified certificate there is none.
func (b *builder) backendHop() *TLS {
	if b.r.Response == nil || b.r.Response.TLS == nil {
		return nil
	}
	t := b.r.Response.TLS
	hop := &TLS{Version: t.Version, Cipher: t.Cipher, State: string(t.Fault)}
	if c := t.Certificate; c != nil {
		hop.State, hop.Expires = policy.StateVerified, c.Until.UTC()
	}
	return hop
}

func (w *writer) hop(t *TLS) {
	if t == nil {
		return
	}
	w.open(`"tls":{`)
	w.some(`"version":`, t.Version)
	w.some(`"cipher":`, t.Cipher)
	w.some(`"certificate":`, t.Certificate)
	w.some(`"state":`, t.State)
	if !t.Expires.IsZero() {
		w.time(`"expires":`, t.Expires)
	}
	w.end('}')
}
