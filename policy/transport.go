package policy

import "time"

// TLS is how one hop of a request is secured: from the peer to the sidecar, or from
// the sidecar to the backend.
type TLS struct {
	// Version and Cipher are names of crypto/tls, such as "TLS 1.3" and
	// "TLS_AES_128_GCM_SHA256"; empty when no handshake came to its end.
	Version, Cipher string
	// Certificate is that of the other side; nil when it has shown none.
	Certificate *Certificate
	// Fault says why there is no connection to the backend: one of the transport faults;
	// empty when there is one. Of a peer it is always empty.
	Fault TransportFault
}

// TransportFault is a structural word for why a handshake with the backend failed.
type TransportFault string

// The transport faults.
const (
	// FaultUntrusted: none of the trusted authorities signed the certificate.
	FaultUntrusted TransportFault = "untrusted"
	// FaultName: the certificate is for another name.
	FaultName TransportFault = "name"
	// FaultExpired: a certificate is over, or not valid yet.
	FaultExpired TransportFault = "expired"
	// FaultInvalid: the certificate can not be used for something else.
	FaultInvalid TransportFault = "invalid"
	// FaultRefused: the backend ended the handshake, as it does for a version or a client
	// certificate that it does not take.
	FaultRefused TransportFault = "refused"
	// FaultPlain: what the backend sent is not TLS.
	FaultPlain TransportFault = "plain"
)

// TransportFaults returns the closed set of transport faults.
func TransportFaults() []TransportFault {
	return []TransportFault{FaultUntrusted, FaultName, FaultExpired, FaultInvalid, FaultRefused, FaultPlain}
}

// Trust says what the configured authorities say of a certificate.
type Trust string

// The trusts.
const (
	// TrustUnknown: there are no authorities to ask. It is the zero value.
	TrustUnknown Trust = ""
	// TrustVerified: one of the authorities signed it, within the time from From to Until.
	TrustVerified Trust = "verified"
	// TrustNone: none of the authorities signed it.
	TrustNone Trust = "untrusted"
)

// Certificate holds facts of a certificate whose private key the other side of a
// connection proved to have. It is immutable and shared by requests.
type Certificate struct {
	// Thumbprint is SHA-256 of the DER form, in lower-case hexadecimal.
	Thumbprint string
	// Subject is the distinguished name in the form of RFC 2253, most specific part first.
	// It is empty if it can not be read, or is longer than anybody keeps.
	Subject string
	// Names are the subject alternative names, each behind its kind: "dns:" in lower case,
	// "uri:", "email:" or "ip:" (RFC 5280 section 4.2.1.6). Nil also if they are more than
	// anybody keeps.
	Names []string
	Trust Trust
	// ForClients reports that the certificate, and where an authority signed it every
	// certificate up to that, may authenticate a TLS client (RFC 5280 section 4.2.1.12).
	// Of a backend it means nothing.
	ForClients bool
	// From and Until bound the time in which the certificate counts: its own validity, and
	// where an authority signed it also that of every certificate up to that.
	From, Until time.Time
}

// At reports whether t is within the time in which the certificate counts.
func (c *Certificate) At(t time.Time) bool { return !t.Before(c.From) && !t.After(c.Until) }

// The states of a certificate.
const (
	StateVerified   = "verified"
	StateUnverified = "unverified"
	StateUntrusted  = "untrusted"
	StateExpired    = "expired"
	StatePurpose    = "purpose"
)

// State says in one word what is to be said of a client certificate at a time:
// "verified", or the first objection in the order "untrusted", "expired" (over, or not
// valid yet) and "purpose"; "unverified" when there are no authorities to ask.
func (c *Certificate) State(t time.Time) string {
	switch {
	case c.Trust == TrustNone:
		return StateUntrusted
	case !c.At(t):
		return StateExpired
	case !c.ForClients:
		return StatePurpose
	case c.Trust == TrustUnknown:
		return StateUnverified
	}
	return StateVerified
}
