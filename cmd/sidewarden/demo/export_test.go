package demo

import (
	"fmt"
	"time"

	"github.com/sidewarden/sidewarden/assess/evidence"
)

// SetPace makes the traffic of a test faster.
func (w *World) SetPace(d time.Duration) { w.pace = d }

// Compare is what Check does with the cells.
func Compare(cells []evidence.Cell) Score { return compare(PassesToken, cells) }

// CompareBehind is Compare for a variant of the gateway.
func CompareBehind(v Variant, cells []evidence.Cell) Score { return compare(v, cells) }

// Protected is what CheckProtected does with the statistics and the cells.
func Protected(s Stats, cells []evidence.Cell) Score { return protected(PassesToken, s, cells) }

// Scopes are what every client has.
const Scopes = scopes

// Contract is the embedded contract.
func Contract() []byte { return contract }

// RenderConfig returns the configuration for addresses of no world.
func RenderConfig(enforce bool) ([]byte, error) {
	return renderConfig(configValues{
		Listen: "127.0.0.1:20001", Admin: "127.0.0.1:20002", Backend: "http://127.0.0.1:20003",
		Issuer: "http://127.0.0.1:20004", Audience: audience, Enforce: enforce,
		Partner: "partner-app", Delegated: []string{"acct-000001", "acct-000002"},
	})
}

// RenderConfigBehind is RenderConfig for a gateway that strips tokens.
func RenderConfigBehind(enforce bool) ([]byte, error) {
	return renderConfig(configValues{
		Listen: "127.0.0.1:20001", Admin: "127.0.0.1:20002", Backend: "http://127.0.0.1:20003",
		Issuer: "http://127.0.0.1:20004", Audience: audience, Enforce: enforce, Strips: true,
		Partner: "partner-app", Delegated: []string{"acct-000001", "acct-000002"},
	})
}

// Step is one request of the script, as a test sees it.
type Step struct {
	Label, Kind, Method, Path, ContentType, Body string
	Client, Shown                                string
	Operation                                    string // that the row is about
	Row, Want, Blocked                           int
}

// Script returns the first rounds that a seed writes.
func Script(seed uint64, rounds int) []Step {
	sc := script{rand: newRand(seed, scriptStream), cast: newCast(newRand(seed, castStream))}
	var all []Step
	for range rounds {
		for _, st := range sc.round() {
			all = append(all, Step{
				Label: st.label, Kind: st.kind.String(), Method: st.method, Path: st.path, ContentType: st.contentType, Body: st.body,
				Row: st.answer.Row, Operation: st.answer.Operation, Want: st.want, Blocked: st.blocked, Client: st.who.client, Shown: fmt.Sprint(uint8(st.shown)),
			})
		}
	}
	return all
}

// Bound is a limit as a test sees it.
type Bound = bound

// PerSecond is the sustained rate.
func (b bound) PerSecond() float64 { return b.perSecond }

// Burst is the most at once.
func (b bound) Burst() int { return b.burst }

// Due is how many requests are over the limit at least.
func (b bound) Due(sent int, took time.Duration) int { return b.due(sent, took) }

// MetersOfApp, MetersOfCustomer and EventsOfApp are the limits of the world.
func MetersOfApp() Bound { return metersOfApp() }

// MetersOfCustomer is the policy's.
func MetersOfCustomer() Bound { return metersOfCustomer() }

// EventsOfApp is the policy's and that of each instance.
func EventsOfApp() Bound { return eventsOfApp() }

// Share and Gust are how much one application asks of meters, and for how long of
// events.
const (
	Share = share
	Gust  = gust
)
