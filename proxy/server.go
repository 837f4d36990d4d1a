package proxy

import (
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Bounds protect the process in every mode; they are generous and not a policy.
type Bounds struct {
	// HeadBytes bounds request line and header together.
	HeadBytes int
	// Head bounds the time to read a head, Idle the time between two requests of a
	// connection. Idle must outlast the gateway's pool, so that it is always the
	// gateway that closes.
	Head, Idle time.Duration
}

// NewServer returns the server of the data listener, which is to be a [Listener].
func NewServer(h http.Handler, b Bounds, log *zap.Logger) *http.Server {
	strangers, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		strangers = zap.NewStdLog(zap.NewNop())
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: b.Head,
		IdleTimeout:       b.Idle,
		MaxHeaderBytes:    b.HeadBytes,
		ErrorLog:          strangers, // handshakes and resets of others: not our errors
		// "OPTIONS *" is a request like any other: it must be seen and forwarded.
		DisableGeneralOptionsHandler: true,
		ConnContext:                  withConnection,
		ConnState:                    seeState,
		HTTP2:                        http2Bounds(),
	}
}
