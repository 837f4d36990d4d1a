package bypass

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// MaxTable bounds one socket table, in bytes: about 50,000 sockets.
const MaxTable = 8 << 20

// ErrTable says that a text is no socket table of Linux.
var ErrTable = errors.New("bypass: the text is no socket table")

// Socket is one TCP socket of a network namespace.
type Socket struct {
	// Local and Remote are the two ends; Remote is unspecified of a listener. IPv4
	// addresses in IPv6 form are IPv4 addresses here.
	Local, Remote netip.AddrPort
	// Listens and Established are two of the states of TCP; a socket in any other has
	// neither.
	Listens, Established bool
	// Inode tells the sockets of a process; 0 when no process has it any more.
	Inode uint64
}

// States of a socket (include/net/tcp_states.h).
const (
	stateEstablished = "01"
	stateListen      = "0A"
)

// ParseSockets reads a table as Linux prints it at /proc/net/tcp or /proc/net/tcp6
// (proc_pid_net(5)). The error is [ErrTable].
func ParseSockets(table []byte) ([]Socket, error) {
	if len(table) > MaxTable {
		return nil, ErrTable
	}
	head, rows, _ := bytes.Cut(table, []byte("\n"))
	if fields := bytes.Fields(head); len(fields) < 4 || string(fields[0]) != "sl" || string(fields[1]) != "local_address" {
		return nil, ErrTable
	}
	var all []Socket
	for line := range bytes.Lines(rows) {
		s, ok := parseSocket(string(line))
		if !ok {
			return nil, ErrTable
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSocket(line string) (s Socket, ok bool) {
	const local, remote, state, inode = 1, 2, 3, 9
	fields := strings.Fields(line)
	if len(fields) <= inode {
		return s, false
	}
	var okLocal, okRemote bool
	s.Local, okLocal = parseEnd(fields[local])
	s.Remote, okRemote = parseEnd(fields[remote])
	n, err := strconv.ParseUint(fields[inode], 10, 64)
	s.Listens, s.Established, s.Inode = fields[state] == stateListen, fields[state] == stateEstablished, n
	return s, okLocal && okRemote && err == nil && len(fields[state]) == len(stateListen)
}

// parseEnd reads an address and a port in hexadecimal. The kernel prints an address as
// numbers of 32 bits in the order of bytes that the machine has, and the port as a
// number.
func parseEnd(text string) (netip.AddrPort, bool) {
	const word = 4
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	if err != nil || len(port) != 4 {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+word <= len(b); i += word {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}
