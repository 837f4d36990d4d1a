package limit

import (
	"encoding/binary"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Key is one part of what a limit counts by.
type Key string

// The parts of keys.
const (
	// Client is the proven pair of issuer and client, or the peer if there is
	// none.
	Client Key = "client"
	// Account is each account that the request names and the account boundary
	// permits, of the issuer that asserts it; or the client if there is none.
	Account Key = "account"
	// Peer is the address of the client, that of the peer unless trusted hops tell another
	// one: an IPv4 address or an IPv6 /64.
	Peer Key = "peer"
	// Operation is the operation's id; requests that match none share one.
	Operation Key = "operation"
)

func (k Key) known() bool {
	return k == Client || k == Account || k == Peer || k == Operation
}

// The kinds of values in a key that the limiters hold.
const (
	kindIssuer    = 'i'
	kindClient    = 'c'
	kindNamespace = 'n' // of an account: the issuer that asserts it
	kindAccount   = 'a'
	kindPeer      = 'p'
	kindOperation = 'o'
)

// The kinds of values in the digests of tokens and of who sends them, beside issuer
// and peer.
const (
	kindToken       = 't'
	kindFingerprint = 'f' // of an opaque token without id
	kindCertificate = 'x'
	kindKey         = 'k'
	kindRequest     = 'r'
)

// part appends a kind, the length of the value and the value, so that no two lists
// of values give one key.
func part(key []byte, kind byte, value string) []byte {
	key = binary.AppendUvarint(append(key, kind), uint64(len(value)))
	return append(key, value...)
}

// appendPeer is part of the peer prefix, whose length fits into one byte.
func appendPeer(key []byte, r *policy.Request) []byte {
	key = append(key, kindPeer, 0)
	from := len(key)
	key = ratelimit.AppendPeer(key, r.Source)
	key[from-1] = byte(len(key) - from)
	return key
}

// Holder is whose bucket it is, as far as the key of its limit tells. An empty
// field is not in the key. It names persons, and is not for a log.
type Holder struct {
	// Issuer is that of the client, and Namespace that of the account.
	Issuer, Client     string
	Namespace, Account string
	Peer, Operation    string
}

// HolderOf reads a key of a limiter or quota. It reports false for a key that was
// too long to be kept and is a hash.
func HolderOf(key string) (Holder, bool) {
	var h Holder
	for rest := []byte(key); len(rest) > 0; {
		n, width := binary.Uvarint(rest[1:])
		if width <= 0 || n > uint64(len(rest)-1-width) {
			return Holder{}, false
		}
		field := map[byte]*string{
			kindIssuer: &h.Issuer, kindClient: &h.Client, kindNamespace: &h.Namespace,
			kindAccount: &h.Account, kindPeer: &h.Peer, kindOperation: &h.Operation,
		}[rest[0]]
		if field == nil {
			return Holder{}, false
		}
		from := 1 + width
		*field = string(rest[from : from+int(n)]) //nolint:gosec // n is at most the length of rest
		rest = rest[from+int(n):]                 //nolint:gosec // as above
	}
	return h, true
}
