package bypass

import (
	"fmt"
	"strings"
	"time"
)

// Document is what the admin listener answers on /bypass. Its order is the same for the
// same counts.
type Document struct {
	// Since is when counting and looking began: with the process.
	Since time.Time `json:"since"`
	// Claim is what can be said of all tests together.
	Claim string `json:"claim"`
	// Arrivals is BY1, Listeners BY2 and Connections BY3.
	Arrivals    ArrivalsDocument    `json:"arrivals"`
	Listeners   ListenersDocument   `json:"listeners"`
	Connections ConnectionsDocument `json:"connections"`
}

// Finding is what every test says.
type Finding struct {
	Test  Test  `json:"test"`
	State State `json:"state"`
	// Why is empty unless the state is unknown or not-applicable.
	Why Why `json:"why,omitempty"`
	// Count counts requests (BY1), listeners (BY2) or connections (BY3) that were found
	// since the start; one that stays is counted once, one that comes back again.
	Count uint64 `json:"count"`
	// FirstSeen and LastSeen are when something was found first and last.
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

// Count counts what has one name.
type Count struct {
	Name      string    `json:"name"`
	Count     uint64    `json:"count"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// ArrivalsDocument says which requests arrived without the proof of the gateway.
type ArrivalsDocument struct {
	Finding
	// Judged counts the requests of which path.gateway said whether they have the proof,
	// Forwarded those without it that were not blocked.
	Judged    uint64 `json:"judged"`
	Forwarded uint64 `json:"forwarded"`
	// Operations, Sources and Reasons have the same requests by operation, by the network
	// of the peer as records have it (client.ip), and by the reason of path.gateway.
	Operations []Count `json:"operations"`
	Sources    []Count `json:"sources"`
	Reasons    []Count `json:"reasons"`
}

// ListenersDocument says where the backend's port listens.
type ListenersDocument struct {
	Finding
	// Listeners are there now, also those of loopback.
	Listeners []Listener `json:"listeners"`
}

// ConnectionsDocument says who is connected to the backend's port beside the sidecar.
type ConnectionsDocument struct {
	Finding
	// Open counts those that are there now.
	Open int `json:"open"`
	// Peers has all since the start by pseudonym of the peer, or "loopback".
	Peers []Count `json:"peers"`
}

// Compose puts together what is known of all tests.
func Compose(since time.Time, arrivals *Arrivals, sockets *Audit) Document {
	d := Document{Since: since.UTC(), Arrivals: arrivals.document()}
	d.Listeners, d.Connections = sockets.documents()
	d.Claim = claim(d.Since, d.Arrivals.Finding, d.Listeners.Finding, d.Connections.Finding)
	return d
}

// claim says no more than what was tested.
func claim(since time.Time, findings ...Finding) string {
	var found, tested, open []string
	for _, f := range findings {
		name := string(f.Test)
		switch f.State {
		case Found:
			found, tested = append(found, name), append(tested, name)
		case NoneFound:
			tested = append(tested, name)
			if f.Count > 0 { // it was there, and it is gone
				found = append(found, name)
			}
		case Unknown, NotApplicable:
			open = append(open, fmt.Sprintf("%s %s (%s)", name, f.State, f.Why))
			if f.Count > 0 {
				found = append(found, name)
			}
		}
	}
	from := since.Format(time.RFC3339)
	var text string
	switch {
	case len(found) > 0:
		text = fmt.Sprintf("a bypass was found by %s since %s", strings.Join(found, ", "), from)
	case len(tested) == 0:
		text = "no path was tested since " + from
	default:
		paths := "paths"
		if len(tested) == 1 {
			paths = "path"
		}
		text = fmt.Sprintf("no bypass found on %d tested %s (%s) since %s", len(tested), paths, strings.Join(tested, ", "), from)
	}
	if len(open) > 0 {
		text += "; " + strings.Join(open, ", ")
	}
	return text
}

func findingOf(test Test, state State, why Why, r record) Finding {
	f := Finding{Test: test, State: state, Why: why, Count: r.count}
	if r.count > 0 {
		f.FirstSeen, f.LastSeen = r.first.UTC(), r.last.UTC()
	}
	return f
}

func countOf(name string, r record) Count {
	return Count{Name: name, Count: r.count, FirstSeen: r.first.UTC(), LastSeen: r.last.UTC()}
}
