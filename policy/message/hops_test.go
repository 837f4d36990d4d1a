package message_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/message"
)

// gateways are two networks of proxies.
func gateways(field string) message.Hops {
	return message.NewHops([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}).Naming(field)
}

const nearHop = "10.0.0.1"

func TestSource(t *testing.T) {
	t.Parallel()
	const x, f = message.XForwardedFor, message.Forwarded
	long := strings.Repeat("10.0.0.9,", 63)
	for _, c := range []struct {
		name, field, peer string
		lines             []string
		want              string
	}{
		{"a peer that is no hop says nothing", x, "192.0.2.1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a hop that says nothing", x, nearHop, nil, nearHop},
		{"the client of a hop", x, nearHop, []string{"198.51.100.7"}, "198.51.100.7"},
		{"the right-most that is no hop", x, nearHop, []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"through two hops", x, nearHop, []string{"203.0.113.9, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"lines are one list", x, nearHop, []string{"203.0.113.9", "198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		{"all are hops", x, nearHop, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"empty elements and spaces", x, nearHop, []string{" 198.51.100.7 ,, \t", "", ","}, "198.51.100.7"},
		{"a mapped hop", x, "::ffff:10.0.0.1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a mapped client", x, nearHop, []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"a mapped hop in the list", x, nearHop, []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
		{"a mapped peer that is no hop", x, "::ffff:192.0.2.1", nil, "192.0.2.1"},
		{"IPv6", x, "fd00::1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", x, nearHop, []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"with a port", x, nearHop, []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"IPv6 with a port", x, nearHop, []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"a peer with a zone", x, "fd00::1%eth0", []string{"198.51.100.7"}, "198.51.100.7"},
		{"another field is not read", f, nearHop, nil, nearHop},

		{"unknown", x, nearHop, []string{"203.0.113.9, unknown"}, nearHop},
		{"unknown behind a second hop", x, nearHop, []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"obfuscated", x, nearHop, []string{"203.0.113.9, _hidden"}, nearHop},
		{"a zone", x, nearHop, []string{"fe80::1%eth0"}, nearHop},
		{"a zone in brackets", x, nearHop, []string{"[fe80::1%eth0]:1"}, nearHop},
		{"a name", x, nearHop, []string{"client.example"}, nearHop},
		{"an octal octet", x, nearHop, []string{"198.051.100.7"}, nearHop},
		{"a short form", x, nearHop, []string{"127.1"}, nearHop},
		{"a number", x, nearHop, []string{"3325256711"}, nearHop},
		{"a port that is none", x, nearHop, []string{"198.51.100.7:x"}, nearHop},
		{"a port too large", x, nearHop, []string{"198.51.100.7:65536"}, nearHop},
		{"IPv4 in brackets", x, nearHop, []string{"[198.51.100.7]:80"}, nearHop},
		{"in quotes", x, nearHop, []string{`"198.51.100.7"`}, nearHop},
		{"two with a space", x, nearHop, []string{"203.0.113.9 198.51.100.7"}, nearHop},
		{"64 elements from the end", x, nearHop, []string{"198.51.100.7," + long[:len(long)-1]}, "198.51.100.7"},
		{"65 elements from the end", x, nearHop, []string{"198.51.100.7," + long + "10.0.0.9"}, "10.0.0.9"},
		{"empty elements are counted", x, nearHop, []string{"198.51.100.7" + strings.Repeat(",", 64)}, nearHop},
		{"too long", x, nearHop, []string{strings.Repeat("1", 2<<10)}, nearHop},

		{"Forwarded", f, nearHop, []string{"for=198.51.100.7"}, "198.51.100.7"},
		{"Forwarded, the right-most that is no hop", f, nearHop, []string{"for=203.0.113.9, for=198.51.100.7;by=10.0.0.2, for=10.0.0.2"}, "198.51.100.7"},
		{"Forwarded, other pairs and case", f, nearHop, []string{`By=10.0.0.1;FOR=198.51.100.7;proto=https;host="a,b"`}, "198.51.100.7"},
		{"Forwarded, IPv6", f, nearHop, []string{`for="[2001:db8::7]"`}, "2001:db8::7"},
		{"Forwarded, with ports", f, nearHop, []string{`for="[2001:db8::7]:_p-1", for="10.0.0.2:4711"`}, "2001:db8::7"},
		{"Forwarded, a mapped address", f, nearHop, []string{`for="[::ffff:198.51.100.7]"`}, "198.51.100.7"},
		{"Forwarded, a quoted pair", f, nearHop, []string{`for="198.51.100\.7"`}, "198.51.100.7"},
		{"Forwarded, an escaped quote beside it", f, nearHop, []string{`for=203.0.113.9, host="a\",b\\";for=198.51.100.7`}, "198.51.100.7"},
		{"Forwarded, nobody", f, nearHop, []string{"for=203.0.113.9, by=10.0.0.1"}, nearHop},
		{"Forwarded, unknown", f, nearHop, []string{"for=203.0.113.9, for=unknown"}, nearHop},
		{"Forwarded, obfuscated", f, nearHop, []string{"for=203.0.113.9, for=_x"}, nearHop},
		{"Forwarded, a port of six digits", f, nearHop, []string{`for="198.51.100.7:123456"`}, nearHop},
		{"Forwarded, IPv6 without brackets", f, nearHop, []string{`for="2001:db8::7"`}, nearHop},
		{"Forwarded, IPv4 in brackets", f, nearHop, []string{`for="[198.51.100.7]"`}, nearHop},
		{"Forwarded, a port without quotes", f, nearHop, []string{"for=198.51.100.7:80"}, nearHop},
		{"Forwarded, twice", f, nearHop, []string{"for=198.51.100.7;For=203.0.113.9"}, nearHop},
		{"Forwarded, no pair", f, nearHop, []string{"198.51.100.7"}, nearHop},
		{"Forwarded, text behind a quoted string", f, nearHop, []string{`for="198.51.100.7"x`}, nearHop},
		{"Forwarded, a quote that a client left open", f, nearHop, []string{`for="203.0.113.9, for=198.51.100.7`}, "198.51.100.7"},
		{"Forwarded, an open quote in a line of its own", f, nearHop, []string{`for="`, `for="198.51.100.7"`}, "198.51.100.7"},
		{"Forwarded, an open quote alone", f, nearHop, []string{`for="198.51.100.7`}, nearHop},
		{"Forwarded, too long", f, nearHop, []string{`for=198.51.100.7;host="` + strings.Repeat("a", 2<<10) + `"`}, nearHop},
		{"Forwarded is not the other field", x, nearHop, []string{"for=198.51.100.7"}, nearHop},
	} {
		h := http.Header{c.field: c.lines, "X-Real-Ip": {"203.0.113.1"}}
		assert.Equal(t, c.want, gateways(c.field).Source(netip.MustParseAddr(c.peer), h).String(), c.name)
	}
}

// TestSourceWithoutAField: hops that say nothing in a field that is known, and nobody who is
// a hop, leave the peer.
func TestSourceWithoutAField(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Client-Ip": {"198.51.100.7"}}
	peer := netip.MustParseAddr(nearHop)
	assert.Equal(t, peer, message.Hops{}.Source(peer, h))
	assert.Equal(t, peer, gateways("X-Client-Ip").Source(peer, h))
	assert.Equal(t, peer, gateways("").Source(peer, h))
	assert.Equal(t, peer, message.NewHops(nil).Naming(message.XForwardedFor).Source(peer, h))
	assert.Equal(t, netip.Addr{}, gateways(message.XForwardedFor).Source(netip.Addr{}, h))
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	h := gateways("")
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd12::1": true, "fd12::1%eth0": true,
		"11.0.0.1": false, "2001:db8::1": false, "::10.1.2.3": false,
	} {
		assert.Equal(t, want, h.Trusts(netip.MustParseAddr(addr)), addr)
	}
	assert.False(t, h.Trusts(netip.Addr{}))
}

// FuzzSource: whatever stands before what a hop wrote, what the hop wrote is the source; of a
// stranger it is the stranger; and nothing left of the client's address changes it.
func FuzzSource(f *testing.F) {
	for _, before := range []string{
		"", "203.0.113.9", "for=203.0.113.9", `for="`, `for="\`, `for=\"`, ",,,", "unknown", `for="[::1]:`, "10.0.0.2", "for=10.0.0.2;", "\x00", "10.0.0.2 ,",
	} {
		f.Add(before, before, true)
		f.Add("x", before, false)
	}
	f.Fuzz(func(t *testing.T, line, before string, own bool) {
		if len(line)+len(before) > 64<<10 {
			return // no head is that long
		}
		client, stranger := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1")
		for field, wrote := range map[string]string{message.XForwardedFor: "198.51.100.7", message.Forwarded: `for="198.51.100.7:80";host="a,b"`} {
			lines := []string{line, before + ", " + wrote}
			if own {
				lines = []string{line, before, wrote}
			}
			hops, h := gateways(field), http.Header{field: lines}
			require.Equal(t, client, hops.Source(netip.MustParseAddr(nearHop), h))
			require.Equal(t, stranger, hops.Source(stranger, h))
			h[field] = []string{line, before}
			source := hops.Source(netip.MustParseAddr(nearHop), h)
			require.True(t, source.IsValid() && !source.Is4In6() && source.Zone() == "")
			if !hops.Trusts(source) { // the walk came to its end, and what is left of that cannot matter
				h[field] = append([]string{`203.0.113.9, for="`}, h[field]...)
				require.Equal(t, source, hops.Source(netip.MustParseAddr(nearHop), h))
			}
		}
	})
}
