package bypass_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/bypass"
)

const (
	head4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"
	head6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)

// end writes one end as the kernel of this machine does.
func end(text string) string {
	p := netip.MustParseAddrPort(text)
	var b strings.Builder
	raw := p.Addr().AsSlice()
	for i := 0; i < len(raw); i += 4 {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(raw[i:]))
	}
	return fmt.Sprintf("%s:%04X", b.String(), p.Port())
}

// row writes one socket.
func row(local, remote, state string, inode uint64) string {
	return fmt.Sprintf("   0: %s %s %s 00000000:00000000 00:00000000 00000000     0        0 %d 1 000000006edcc9fd 100 0 0 10 0\n", end(local), end(remote), state, inode)
}

func TestSocketsAreRead(t *testing.T) {
	t.Parallel()
	got, err := bypass.ParseSockets([]byte(head4 + row("127.0.0.1:9000", "0.0.0.0:0", "0A", 11) + row("10.1.2.3:9000", "192.0.2.7:40000", "01", 12) + row("127.0.0.1:5", "127.0.0.1:6", "06", 0)))
	require.NoError(t, err)
	ap := netip.MustParseAddrPort
	assert.Equal(t, []bypass.Socket{
		{Local: ap("127.0.0.1:9000"), Remote: ap("0.0.0.0:0"), Listens: true, Inode: 11},
		{Local: ap("10.1.2.3:9000"), Remote: ap("192.0.2.7:40000"), Established: true, Inode: 12},
		{Local: ap("127.0.0.1:5"), Remote: ap("127.0.0.1:6")},
	}, got)
	got, err = bypass.ParseSockets([]byte(head6 + row("[::]:9000", "[::]:0", "0A", 11) + row("[::ffff:127.0.0.1]:9000", "[::ffff:127.0.0.1]:40000", "01", 12) + row("[2001:db8::1]:1", "[2001:db8::2]:2", "01", 13)))
	require.NoError(t, err)
	assert.Equal(t, []bypass.Socket{
		{Local: ap("[::]:9000"), Remote: ap("[::]:0"), Listens: true, Inode: 11},
		{Local: ap("127.0.0.1:9000"), Remote: ap("127.0.0.1:40000"), Established: true, Inode: 12},
		{Local: ap("[2001:db8::1]:1"), Remote: ap("[2001:db8::2]:2"), Established: true, Inode: 13},
	}, got)
	none, err := bypass.ParseSockets([]byte(head4))
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestWhatIsNoSocketTableIsRefused(t *testing.T) {
	t.Parallel()
	good := row("127.0.0.1:9000", "0.0.0.0:0", "0A", 11)
	for rule, text := range map[string]string{
		"nothing":              "",
		"no head":              good,
		"another file":         "Inter-|   Receive\n",
		"an empty line":        head4 + "\n" + good,
		"half a line":          head4 + good[:60],
		"no hexadecimal":       head4 + strings.Replace(good, "0: ", "0: zz", 1),
		"an address too short": head4 + strings.Replace(good, end("127.0.0.1:9000"), "7F0001:2328", 1),
		"no port":              head4 + strings.Replace(good, ":2328", "", 1),
		"a state too long":     head4 + strings.Replace(good, " 0A ", " 00A ", 1),
		"no inode":             head4 + strings.Replace(good, " 11 ", " -1 ", 1),
		"more than is read":    head4 + strings.Repeat(good, bypass.MaxTable/len(good)+1),
	} {
		got, err := bypass.ParseSockets([]byte(text))
		require.ErrorIs(t, err, bypass.ErrTable, rule)
		assert.Empty(t, got, rule)
	}
}

// The kernel that runs this test prints what is read.
func TestSocketsOfThisMachine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	table, err := os.ReadFile("/proc/self/net/tcp")
	require.NoError(t, err, "this test needs Linux")
	sockets, err := bypass.ParseSockets(table)
	require.NoError(t, err)
	var found int
	for _, s := range sockets {
		if s.Listens && s.Local.String() == l.Addr().String() {
			found++
			assert.NotZero(t, s.Inode)
		}
	}
	assert.Equal(t, 1, found)
}

// FuzzSockets: a table is refused, or has one socket for each line, of which each end is
// written as the kernel writes it.
func FuzzSockets(f *testing.F) {
	f.Add([]byte(head4 + row("127.0.0.1:9000", "0.0.0.0:0", "0A", 11)))
	f.Add([]byte(head6 + row("[::]:9000", "[::]:0", "0A", 11) + row("[::ffff:127.0.0.1]:1", "[2001:db8::2]:2", "01", 1<<63)))
	f.Add([]byte(head4 + "   0: 0100007F:2328 00000000:0000 0A a b c d e 18446744073709551616\n"))
	f.Fuzz(func(t *testing.T, table []byte) {
		sockets, err := bypass.ParseSockets(table)
		if err != nil {
			require.ErrorIs(t, err, bypass.ErrTable)
			require.Empty(t, sockets)
			return
		}
		_, rows, _ := strings.Cut(string(table), "\n")
		var lines []string
		for line := range strings.Lines(rows) {
			lines = append(lines, line)
		}
		require.Len(t, sockets, len(lines))
		for i, s := range sockets {
			require.True(t, s.Local.IsValid() && s.Remote.IsValid())
			require.False(t, s.Local.Addr().Is4In6() || s.Listens && s.Established)
			fields := strings.Fields(lines[i])
			if len(fields[1]) == len(end("0.0.0.0:0")) {
				require.Equal(t, strings.ToUpper(fields[1]), end(s.Local.String()))
			}
		}
	})
}
