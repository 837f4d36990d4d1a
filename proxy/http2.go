package proxy

import (
	"net/http"
	"time"
)

// http2Bounds are what one connection of HTTP/2 may ask of us (RFC 9113 section 10.5). They
// hold in every mode: a client learns them from our settings, and a gateway keeps to them.
// net/http bounds the rest: streams that are reset or never end count until their handlers
// have ended, queued frames of its own and empty ones of the client end the connection.
func http2Bounds() *http.HTTP2Config {
	return &http.HTTP2Config{
		// What RFC 9113 section 6.5.2 calls the least, and what clients take for granted before
		// they have read our settings: of fewer, some would be refused.
		MaxConcurrentStreams: 100,
		MaxReadFrameSize:     64 << 10, // a buffer of each connection grows to it
		// What may come of bodies that nobody has read yet.
		MaxReceiveBufferPerConnection: 1 << 20,
		MaxReceiveBufferPerStream:     256 << 10,
		// A peer that is gone without a word is found.
		SendPingTimeout: 5 * time.Minute,
		PingTimeout:     time.Minute,
	}
}
