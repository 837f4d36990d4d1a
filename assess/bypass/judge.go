package bypass

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Target is the backend as the listener audit looks for it.
type Target struct {
	// Host is the host of backend.url, Port its port.
	Host string
	Port uint16
}

// Listener is one socket that listens at the backend's port.
type Listener struct {
	// Address is its address and port: one of this machine's own.
	Address string `json:"address"`
	Scope   Scope  `json:"scope"`
}

// connection is one from somebody else to the backend's port, told by both ends.
type connection struct{ local, remote netip.AddrPort }

// seen is what one look at the tables found.
type seen struct {
	// state is empty when both tests could be made.
	state State
	why   Why
	// listeners are sorted by address, foreign by both ends.
	listeners []Listener
	foreign   []connection
}

// place says where the backend is: with a state when nothing can be tested there.
func (t Target) place(machine []netip.Addr) (State, Why) {
	if strings.EqualFold(t.Host, "localhost") {
		return "", ""
	}
	addr, err := netip.ParseAddr(t.Host)
	if err != nil {
		return Unknown, BackendByName
	}
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || addr.IsUnspecified() || slices.ContainsFunc(machine, func(a netip.Addr) bool { return a.Unmap().WithZone("") == addr }) {
		return "", ""
	}
	return NotApplicable, BackendElsewhere
}

// judge finds what listens at the backend's port, and who is connected to it that has no
// socket in own.
func judge(t Target, sockets []Socket, own map[uint64]struct{}) seen {
	var s seen
	ours := make(map[connection]struct{})
	for _, o := range sockets {
		if _, is := own[o.Inode]; is && o.Inode != 0 {
			ours[connection{o.Local, o.Remote}] = struct{}{}
		}
		if o.Listens && o.Local.Port() == t.Port {
			s.listeners = append(s.listeners, Listener{Address: o.Local.String(), Scope: scopeOf(o.Local.Addr())})
		}
	}
	if len(s.listeners) == 0 {
		s.state, s.why = Unknown, NothingListens
		return s
	}
	slices.SortFunc(s.listeners, func(a, b Listener) int { return strings.Compare(a.Address, b.Address) })
	s.listeners = slices.Compact(s.listeners) // several processes can share one port
	for _, c := range sockets {
		if !c.Established || c.Local.Port() != t.Port {
			continue
		}
		// The other end of ours is a socket of ours that has the two ends the other way.
		if _, is := ours[connection{c.Remote, c.Local}]; !is {
			s.foreign = append(s.foreign, connection{c.Local, c.Remote})
		}
	}
	slices.SortFunc(s.foreign, func(a, b connection) int {
		return cmp.Or(a.remote.Compare(b.remote), a.local.Compare(b.local))
	})
	return s
}

func scopeOf(a netip.Addr) Scope {
	switch {
	case a.IsUnspecified():
		return ScopeAny
	case a.IsLoopback():
		return ScopeLoopback
	}
	return ScopeInterface
}

// beyond returns the listeners that can be reached from elsewhere, nil if there is none.
func (s *seen) beyond() []Listener {
	var all []Listener
	for _, l := range s.listeners {
		if l.Scope != ScopeLoopback {
			all = append(all, l)
		}
	}
	return all
}
