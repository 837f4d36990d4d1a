package main

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/bypass"
	"github.com/sidewarden/sidewarden/config"
)

// Both ends of a connection of this process are its own, in the table of the kernel.
func TestTablesHaveTheSocketsOfThisProcess(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	defer func() {
		for _, c := range []interface{ Close() error }{client, server, l} {
			assert.NoError(t, c.Close())
		}
	}()
	tables, err := readTables()
	require.NoError(t, err, "this test needs Linux")
	sockets, err := bypass.ParseSockets(tables.TCP)
	require.NoError(t, err)
	own := map[string]bool{}
	for _, s := range sockets {
		if _, is := tables.Own[s.Inode]; is {
			own[s.Local.String()+" "+s.Remote.String()] = true
		}
	}
	here, there := client.LocalAddr().String(), l.Addr().String()
	assert.True(t, own[here+" "+there], "the client's end")
	assert.True(t, own[there+" "+here], "the server's end")
	assert.True(t, own[there+" 0.0.0.0:0"], "the listener")
	assert.Contains(t, tables.Machine, netip.MustParseAddr("127.0.0.1"))
}

func TestTheBackendIsLookedForAtItsPort(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bypass.Target{
		"http://127.0.0.1:9000":           {Host: "127.0.0.1", Port: 9000},
		"http://localhost":                {Host: "localhost", Port: 80},
		"https://[::1]":                   {Host: "::1", Port: 443},
		"https://backend.example.net:444": {Host: "backend.example.net", Port: 444},
	} {
		assert.Equal(t, want, targetOf(&config.Config{Backend: config.Backend{URL: url}}), url)
	}
}
