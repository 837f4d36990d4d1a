package test_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// transport is what HTTP/2 is spoken over.
type transport int

const (
	overTLS transport = 1 << iota
	withoutTLS
)

// deviation is one case of h2spec that fails. The case and what h2spec saw are held against
// a run by TestThreatHTTP2Conformance; the words are for docs/rationale.md.
type deviation struct {
	number, description string
	over                transport
	saw                 string
	// asks names what is asked for, does is what happens instead, and harmless says why it
	// may stay so.
	asks, does, harmless string
}

// deviations are all cases that fail, in the order of h2spec.
func deviations() []deviation {
	const refused = "the request ends there: no handler of ours sees it, and nothing goes on to the backend. RFC 9113 section 8.1.1 lets a server answer before it closes the stream"
	return []deviation{
		{
			number: "http2/3.5/2", description: "Sends invalid connection preface",
			over: withoutTLS, saw: "Error: http2: failed reading the frame payload: unexpected EOF, note that the frame header looked like an HTTP/1.1 header",
			asks:     "the connection is closed (RFC 9113 section 3.4)",
			does:     "it is answered with 400 in HTTP/1.1, and closed",
			harmless: "without TLS the listener speaks HTTP/1.1 as well, and what does not begin with the preface is that; h2spec takes the answer for a frame",
		},
		{
			number: "http2/6.5.3/1", description: "Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
			over: overTLS | withoutTLS, saw: "Connection closed",
			asks:     "the settings of a frame count in their order (RFC 9113 section 6.5.3)",
			does:     "Go's server ends a connection with PROTOCOL_ERROR when a frame has a setting twice",
			harmless: "only whoever sends it loses a connection; no client has a reason to, and section 10.5 lets a server take what is suspicious as an error",
		},
		{
			number: "http2/8.1.2.2/1", description: "Sends a HEADERS frame that contains the connection-specific header field",
			over: overTLS | withoutTLS, saw: "DATA Frame (length:51, flags:0x01, stream_id:1)",
			asks:     "a stream error PROTOCOL_ERROR (RFC 9113 section 8.2.2)",
			does:     "Go's server answers with 400, which ends the stream",
			harmless: refused,
		},
		{
			number: "http2/8.1.2.2/2", description: `Sends a HEADERS frame that contains the TE header field with any value other than "trailers"`,
			over: overTLS | withoutTLS, saw: "DATA Frame (length:53, flags:0x01, stream_id:1)",
			asks:     "as above, for `TE` (RFC 9113 section 8.2.2)",
			does:     "as above",
			harmless: "as above",
		},
	}
}

// known returns the cases that fail over a transport, and what h2spec sees in them.
func known(over transport) map[string]string {
	saw := map[string]string{}
	for _, d := range deviations() {
		if d.over&over != 0 {
			saw[d.number+" "+d.description] = d.saw
		}
	}
	return saw
}

func TestDocsListWhereHTTP2Differs(t *testing.T) {
	names := map[transport]string{overTLS: "TLS", withoutTLS: "h2c", overTLS | withoutTLS: "TLS, h2c"}
	var b strings.Builder
	b.WriteString("| case | over | what it asks for | what happens | why it may |\n|---|---|---|---|---|\n")
	for _, d := range deviations() {
		for _, text := range []string{d.number, d.description, names[d.over], d.saw, d.asks, d.does, d.harmless} {
			assert.NotEmpty(t, text, "%s: nothing fails without a reason", d.number)
		}
		fmt.Fprintf(&b, "| `%s`: %s | %s | %s | %s | %s |\n", d.number, d.description, names[d.over], d.asks, d.does, d.harmless)
	}
	const page = "../docs/rationale.md"
	assert.Contains(t, read(t, page), fmt.Sprintf("The %d cases of [h2spec]", conforming))
	generated(t, page, "h2spec", b.String())
}
