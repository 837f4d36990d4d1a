package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/assess/bypass"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// maxOwnSockets bounds the open files of this process that are looked at for sockets.
const maxOwnSockets = 1 << 17

// around is what learns of ways around the gateway and the sidecar.
type around struct {
	since    time.Time
	arrivals *bypass.Arrivals
	sockets  *bypass.Audit
}

func (s *sidecar) newAround(l *loaded) around {
	return around{since: time.Now(), arrivals: bypass.NewArrivals(frontOf(l)), sockets: bypass.NewAudit(bypass.Options{
		Backend: targetOf(l.config), Read: readTables, Pseudonym: s.peerName, Changed: s.tellBypass, Now: time.Now,
	})}
}

// frontOf is what a policy says of what stands in front of us.
func frontOf(l *loaded) bypass.Front {
	return bypass.Front{Gateway: l.config.Gateway.Present, Proof: l.config.Gateway.Proof.Configured() && everywhere(l.output, policy.PathGateway)}
}

// targetOf returns where the listener audit looks for the backend.
func targetOf(cfg *config.Config) bypass.Target {
	u, err := url.Parse(cfg.Backend.URL)
	if err != nil { // config has parsed it before
		return bypass.Target{}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil { // as above
		return bypass.Target{}
	}
	return bypass.Target{Host: u.Hostname(), Port: uint16(n)}
}

// peerName names the peer of a connection as limits name peers, and so as records and
// /limits do: by a pseudonym.
func (s *sidecar) peerName(addr netip.Addr) string {
	if addr.IsLoopback() {
		return "loopback"
	}
	return s.names.Of(audit.TypePeer, string(ratelimit.AppendPeer(nil, addr)))
}

// tellBypass logs what changed. What was found is a warning; no address of a peer is
// told.
func (s *sidecar) tellBypass(c bypass.Change) {
	fields := []zap.Field{zap.String("test", string(c.Test)), zap.String("state", string(c.State))}
	if c.Why != "" {
		fields = append(fields, zap.String("why", string(c.Why)))
	}
	for _, l := range c.Listeners {
		fields = append(fields, zap.String("listener", l.Address+" ("+string(l.Scope)+")"))
	}
	if c.State != bypass.Found {
		s.log.Info("the listener audit", fields...)
		return
	}
	if c.Test == bypass.BY2 {
		s.log.Warn("the backend's port listens beyond loopback: requests may come around the sidecar", fields...)
		return
	}
	s.log.Warn("the backend's port has connections that are not the sidecar's", append(fields, zap.Int("connections", c.Connections))...)
}

// bypassDocument is what /bypass shows.
func (s *sidecar) bypassDocument() (any, error) {
	return bypass.Compose(s.around.since, s.around.arrivals, s.around.sockets), nil
}

// bypassStats tells the metrics what each test found.
func (s *sidecar) bypassStats() []metrics.Bypass {
	stats := s.around.sockets.Stats()
	stats[bypass.BY1] = s.around.arrivals.Stats()
	all := make([]metrics.Bypass, 0, len(stats))
	for _, test := range bypass.Tests() {
		all = append(all, metrics.Bypass{Kind: string(test), Detected: stats[test].Detected, Tested: stats[test].Tested})
	}
	return all
}

// readTables reads the socket tables of the network namespace that this process is in,
// which Linux alone has, and which sockets are its own: before and after, because some
// are opened and closed meanwhile.
func readTables() (bypass.Tables, error) {
	t := bypass.Tables{Own: make(map[uint64]struct{})}
	if err := ownSockets(t.Own); err != nil {
		return t, err
	}
	var err error
	if t.TCP, err = readTable("/proc/self/net/tcp"); err != nil {
		return t, err
	}
	if t.TCP6, err = readTable("/proc/self/net/tcp6"); err != nil && !os.IsNotExist(err) {
		return t, err
	}
	if err := ownSockets(t.Own); err != nil {
		return t, err
	}
	t.Machine, err = machineAddresses()
	return t, err
}

func readTable(path string) (table []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	table, err = io.ReadAll(io.LimitReader(f, bypass.MaxTable+1))
	if err == nil && len(table) > bypass.MaxTable {
		err = bypass.ErrTooLarge
	}
	return table, err
}

// ownSockets adds the inodes of the sockets that this process has open.
func ownSockets(own map[uint64]struct{}) error {
	const folder = "/proc/self/fd"
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // as above
	names, err := dir.Readdirnames(maxOwnSockets + 1)
	if err != nil {
		return err
	}
	if len(names) > maxOwnSockets {
		return bypass.ErrTooLarge
	}
	found := make(map[uint64]struct{})
	for _, name := range names {
		link, err := os.Readlink(folder + "/" + name)
		if err != nil {
			continue // closed meanwhile
		}
		var inode uint64
		if text, is := strings.CutPrefix(link, "socket:["); is {
			if inode, err = strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64); err != nil {
				return fmt.Errorf("an open socket has no number: %w", err)
			}
			found[inode] = struct{}{}
		}
	}
	maps.Copy(own, found)
	return nil
}

// machineAddresses returns the addresses of all interfaces.
func machineAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addresses := make([]netip.Addr, 0, len(all))
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addresses = append(addresses, p.Addr())
		}
	}
	return addresses, nil
}
