package proxy

import (
	"context"
	"net"
)

// connection is what is kept of one connection of a client for the requests that come
// over it.
type connection struct {
	guard *guard // nil where nobody follows it: HTTP/2 above TLS
	shown shown
	lane  lane
}

// connectionKey is the key of a value that travels in a context: net/http hands a
// connection to its handler in no other way than through Server.ConnContext.
type connectionKey struct{}

// withConnection gives the requests of a connection of a [Listener] their connection.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	kept := &connection{}
	switch c := c.(type) {
	case *guard:
		kept.guard = c
	case *tlsGuard:
		kept.guard = c.guard
	}
	return context.WithValue(ctx, connectionKey{}, kept) //nolint:forbidigo // see connectionKey
}

// connectionOf returns that of a request; one of its own for a request that came in
// another way than through [NewServer].
func connectionOf(ctx context.Context) *connection {
	if kept, is := ctx.Value(connectionKey{}).(*connection); is {
		return kept
	}
	return &connection{}
}
