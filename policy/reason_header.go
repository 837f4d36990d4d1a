package policy

// Incidental reports whether a denial for this reason is about what honest clients and
// proxies send along with any request, and what no backend refuses one for: it says
// nothing of the other controls that the request meets or violates.
func (r Reason) Incidental() bool {
	return r == HeaderForwarding || r == HeaderUpgrade || r == HeaderTrailer
}

// Reasons of in.hdr. Of several that a request gives, the first in this order is told.
const (
	// HeaderConnection: Connection names a field that is judged or handed on, which
	// would be taken away.
	HeaderConnection Reason = "header-connection"
	// HeaderDuplicate: a field of which there can be one occurs twice.
	HeaderDuplicate Reason = "header-duplicate"
	// HeaderReserved: a field that only the gateway, or only the sidecar, may send.
	HeaderReserved Reason = "header-reserved"
	// HeaderSpelling: a field that is one variable of CGI with a field that counts, and
	// is spelled in another way.
	HeaderSpelling Reason = "header-spelling"
	// HeaderOverride: a field by which frameworks serve another path or method.
	HeaderOverride Reason = "header-override"
	// HeaderUpgrade: an upgrade that the operation does not allow.
	HeaderUpgrade Reason = "header-upgrade"
	// HeaderForwarding: a field about the client from a peer whose word about clients
	// does not count.
	HeaderForwarding Reason = "header-forwarding"
	// HeaderTrailer: fields are announced to follow the body.
	HeaderTrailer Reason = "header-trailer"
)
