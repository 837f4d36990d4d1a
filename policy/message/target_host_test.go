package message_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	listed, err := message.NewHosts([]string{"api.example.net", "*.Tenants.example.net", "127.0.0.1", "::1", "[2001:DB8::1]", "my_service"})
	require.NoError(t, err)
	for _, row := range []struct {
		name, host  string
		any, listed policy.Reason // where none is configured, and where some are
	}{
		{"a host", "api.example.net", "", ""},
		{"in another case", "API.Example.NET", "", ""},
		{"with a port", "api.example.net:8443", "", ""},
		{"with a colon and no port", "api.example.net:", "", ""},
		{"an underscore", "my_service:80", "", ""},
		{"one label before a name", "a.tenants.example.net", "", ""},
		{"an address", "127.0.0.1:8080", "", ""},
		{"an address of IPv6", "[::1]", "", ""},
		{"in another spelling, with a port", "[0:0:0:0:0:0:0:1]:8080", "", ""},
		{"with letters", "[2001:db8::1]", "", ""},

		{"another host", "other.example.net", "", policy.HostUnknown},
		{"the name below which others are", "tenants.example.net", "", policy.HostUnknown},
		{"two labels before a name", "a.b.tenants.example.net", "", policy.HostUnknown},
		{"a name that ends alike", "xapi.example.net", "", policy.HostUnknown},
		{"a name below one", "x.api.example.net", "", policy.HostUnknown},
		{"a dot at the end", "api.example.net.", "", policy.HostUnknown},
		{"another address", "127.0.0.2", "", policy.HostUnknown},
		{"no host", "", "", policy.HostUnknown},

		{"a user", "api.example.net@evil.example", policy.HostMalformed, policy.HostMalformed},
		{"a user and a password", "u:p@api.example.net", policy.HostMalformed, policy.HostMalformed},
		{"a space", "api.example.net evil", policy.HostMalformed, policy.HostMalformed},
		{"a path", "api.example.net/a", policy.HostMalformed, policy.HostMalformed},
		{"a fragment", "api.example.net#evil.example", policy.HostMalformed, policy.HostMalformed},
		{"a list", "api.example.net, evil.example", policy.HostMalformed, policy.HostMalformed},
		{"an escape", "api%2eexample.net", policy.HostMalformed, policy.HostMalformed},
		{"a letter beyond ASCII", "äpi.example.net", policy.HostMalformed, policy.HostMalformed},
		{"an empty label", "api..example.net", policy.HostMalformed, policy.HostMalformed},
		{"a dot at the beginning", ".example.net", policy.HostMalformed, policy.HostMalformed},
		{"a dot alone", ".", policy.HostMalformed, policy.HostMalformed},
		{"a port alone", ":80", policy.HostMalformed, policy.HostMalformed},
		{"a port of letters", "api.example.net:http", policy.HostMalformed, policy.HostMalformed},
		{"a port with a sign", "api.example.net:+80", policy.HostMalformed, policy.HostMalformed},
		{"a port that is too high", "api.example.net:65536", policy.HostMalformed, policy.HostMalformed},
		{"a port of zero", "api.example.net:0", policy.HostMalformed, policy.HostMalformed},
		{"two ports", "api.example.net:80:80", policy.HostMalformed, policy.HostMalformed},
		{"brackets that do not close", "[::1", policy.HostMalformed, policy.HostMalformed},
		{"brackets around a name", "[api.example.net]", policy.HostMalformed, policy.HostMalformed},
		{"brackets around IPv4", "[127.0.0.1]", policy.HostMalformed, policy.HostMalformed},
		{"brackets and more", "[::1]evil", policy.HostMalformed, policy.HostMalformed},
		{"a zone", "[fe80::1%25eth0]", policy.HostMalformed, policy.HostMalformed},
		{"IPv6 without brackets", "::1", policy.HostMalformed, policy.HostMalformed},
		{"a label that is too long", strings.Repeat("a", 64) + ".example.net", policy.HostMalformed, policy.HostMalformed},
		{"a name that is too long", strings.Repeat("a.", 128) + "net", policy.HostMalformed, policy.HostMalformed},
	} {
		r := asked("GET", "/a")
		r.Host = row.host
		assert.Equal(t, row.any, reasonOf(message.Target{MaxBytes: maxTarget}, r), "%s: %s", row.name, row.host)
		assert.Equal(t, row.listed, reasonOf(message.Target{MaxBytes: maxTarget, Hosts: listed}, r), "%s: %s, some configured", row.name, row.host)
	}
}

func TestWhatIsNoNameOfAHostIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "*", "*.", "a.*.net", "api.example.net:80", "api.example.net:", "https://api.example.net", "api.example.net/", "a b", "*.127.0.0.1", "*.[::1]", "*.::1", "[::1]:80", "fe80::1%eth0",
	} {
		_, err := message.NewHosts([]string{"good.example", name})
		assert.ErrorContains(t, err, "is not the name of a host", "%q", name)
	}
}
