package demo

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// credential says which token a step shows.
type credential uint8

const (
	current   credential = iota // from the token endpoint
	expired                     // kept for too long
	early                       // bought ahead: nbf lies in the future
	misplaced                   // made for another API
	forged                      // claims changed after signing
	unsigned                    // alg none
	absent                      // no token at all
)

// kind says what a step is for.
type kind uint8

const (
	clean   kind = iota // what the policy wants
	violate             // violates one control and arrives at the sidecar
	unseen              // violates one control, and the gateway takes the evidence away
	stopped             // violates one control and ends at the gateway
)

// step is one request of the traffic.
type step struct {
	kind   kind
	answer Answer // of the key, to what the step does wrong; for violate and unseen
	label  string // the operation, if the contract has one
	who    *party
	shown  credential

	method, path, contentType, body string

	// want is the status that the client gets in this world while the sidecar only
	// watches; blocked is what an enforcing sidecar answers in its place, 0 for
	// nothing.
	want, blocked int
	// other is what another instance answers, 0 for the same.
	other int
}

// minRounds is how many rounds are played however short the time is: after them
// every row of the key is decided. A round is some 120 requests.
const minRounds = 8

// script writes the traffic, round by round. The same seed gives the same steps.
type script struct {
	rand *rand.Rand
	cast *cast
	// gateway decides which violations can be seen behind it.
	gateway Variant
}

// round returns the next steps, in the order in which they are sent. Shuffling
// keeps an operation from meeting the same instance in each round.
func (s *script) round() []step {
	var steps []step
	for _, p := range s.cast.parties() {
		// Where the backend refuses, it takes a baseline of clean requests to know it.
		for range 4 {
			steps = append(steps, s.getReport(p), s.listOrders(p), s.getPort(p), s.getUsage(p), s.listBgpPolicies(p))
		}
		steps = append(steps, s.listPorts(p), s.listPorts(p), s.setBandwidth(p),
			s.createOrder(p), s.createOrder(p), s.createBgpPolicy(p), s.listSites(p))
	}
	violations := append(s.overreach(), violation(22, s.listSites(s.cast.monitor)))
	for _, p := range s.cast.customers {
		violations = append(violations, s.violations(p)...)
		steps = append(steps, s.stopped(p)...)
	}
	for _, st := range violations {
		if s.gateway.blind(st.answer.Control) {
			st.kind, st.blocked = unseen, 0
		}
		steps = append(steps, st)
	}
	s.rand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	return steps
}

// account draws one of the accounts that the party's token has.
func (s *script) account(p *party) string { return p.accounts[s.rand.IntN(len(p.accounts))] }

func (s *script) portOf(account string) string {
	ports := s.cast.estates[account].ports
	return ports[s.rand.IntN(len(ports))].ID
}

// get is a clean step without a body.
func get(label string, p *party, format string, args ...any) step {
	return step{label: label, who: p, method: http.MethodGet, path: fmt.Sprintf(format, args...), want: http.StatusOK}
}

// send is a clean step with a JSON body.
func send(label string, p *party, method, path, body string, want int) step {
	return step{label: label, who: p, method: method, path: path, contentType: "application/json", body: body, want: want}
}

func (s *script) listSites(p *party) step { return get("listSites", p, "/v1/sites") }

func (s *script) listPorts(p *party) step {
	return get("listPorts", p, "/v1/accounts/%s/ports", s.account(p))
}

func (s *script) getPort(p *party) step {
	account := s.account(p)
	return get("getPort", p, "/v1/accounts/%s/ports/%s", account, s.portOf(account))
}

func (s *script) listOrders(p *party) step {
	return get("listOrders", p, "/v1/accounts/%s/orders", s.account(p))
}

func (s *script) getUsage(p *party) step {
	return get("getUsage", p, "/v1/accounts/%s/usage", s.account(p))
}

func (s *script) listBgpPolicies(p *party) step {
	return get("listBgpPolicies", p, "/v1/accounts/%s/bgp-policies", s.account(p))
}

func (s *script) getReport(p *party) step {
	account := s.account(p)
	return get("getReport", p, "/v1/reports/%s?account=%s", s.cast.estates[account].report, account)
}

func (s *script) setBandwidth(p *party) step { return s.bandwidthOf(p, s.account(p)) }

func (s *script) bandwidthOf(p *party, account string) step {
	path := fmt.Sprintf("/v1/accounts/%s/ports/%s/bandwidth", account, s.portOf(account))
	return send("setBandwidth", p, http.MethodPatch, path, fmt.Sprintf(`{"megabits": %d}`, 100*(1+s.rand.IntN(100))), http.StatusOK)
}

func (s *script) createOrder(p *party) step { return s.orderFor(p, s.account(p)) }

func (s *script) orderFor(p *party, account string) step {
	products := []string{"port-1g", "port-10g", "port-100g"}
	body := fmt.Sprintf(`{"product": %q, "site": %q, "quantity": %d}`, products[s.rand.IntN(len(products))], s.cast.site(s.rand), 1+s.rand.IntN(8))
	return send("createOrder", p, http.MethodPost, "/v1/accounts/"+account+"/orders", body, http.StatusCreated)
}

func (s *script) createBgpPolicy(p *party) step {
	account := s.account(p)
	body := fmt.Sprintf(`{"port": %q, "asNumber": %d, "prefixes": ["192.0.2.%d/32"]}`, s.portOf(account), 64512+s.rand.IntN(1000), s.rand.IntN(256))
	return send("createBgpPolicy", p, http.MethodPost, "/v1/accounts/"+account+"/bgp-policies", body, http.StatusCreated)
}

// violations are what the script does with a customer's credentials and what
// gets past the gateway: one step for each way to violate a row of the key.
func (s *script) violations(p *party) []step {
	own, foreign := p.accounts[0], s.cast.other(p).accounts[0]
	late, soon := s.getReport(p), s.listPorts(p)
	late.shown, late.want = expired, http.StatusUnauthorized
	if s.gateway == StripsToken {
		late.want = http.StatusOK // the backend sees no expiry
	}
	soon.shown = early
	broken := s.createOrder(p)
	broken.body, broken.want = broken.body[:len(broken.body)-1-s.rand.IntN(8)], http.StatusInternalServerError
	plain := s.createBgpPolicy(p)
	plain.contentType = "text/plain"
	hidden := get("getPort", p, "/v1/accounts/%s/ports/%s", foreign, s.portOf(foreign))
	hidden.want = http.StatusNotFound
	priced, noted := s.createOrder(p), s.setBandwidth(p)
	priced.body = strings.TrimSuffix(priced.body, "}") + fmt.Sprintf(`, "monthlyCost": %d}`, s.rand.IntN(10))
	noted.body = strings.TrimSuffix(noted.body, "}") + `, "approvedBy": "script"}`
	steps := []step{
		violation(3, late),
		violation(4, soon),
		violation(6, s.bandwidthOf(p, foreign)),
		violation(7, hidden),
		violation(11, get("listBgpPolicies", p, "/v1/accounts/%s/bgp-policies", foreign)),
		violation(12, priced),
		violation(13, noted),
		violation(14, broken),
		violation(15, plain),
		violation(19, get("listOrders", p, "/v1/accounts/%s/orders", foreign)),
		violation(21, get("GET /internal/debug", p, "/internal/debug")),
		violation(21, get("GET /v0 ports", p, "/v0/accounts/%s/ports", own)),
	}
	for range 3 { // the instances share them
		usage := get("getUsage", p, "/v1/accounts/%s/usage", foreign)
		usage.other = http.StatusForbidden
		steps = append(steps, violation(9, usage))
	}
	return steps
}

// overreach is what the partner does to the customer that it may not act for.
func (s *script) overreach() []step {
	partner, foreign := s.cast.partner, s.cast.stranger().accounts[0]
	return []step{
		violation(10, get("listOrders", partner, "/v1/accounts/%s/orders", foreign)),
		violation(10, s.orderFor(partner, foreign)),
	}
}

// violation makes a step one that violates a row of the key.
func violation(row int, st step) step {
	st.kind, st.answer = violate, answerFor(row, st.label)
	if entry, ok := policy.Lookup(st.answer.Control); ok {
		st.blocked = entry.Status
	}
	return st
}

// answerFor returns what the key says in a row of an operation. What is no
// operation of the contract is unmatched.
func answerFor(row int, operation string) Answer {
	key := Key()
	return key[slices.IndexFunc(key, func(a Answer) bool {
		return a.Row == row && (a.Operation == operation || a.Operation == policy.UnmatchedID)
	})]
}

// stopped are steps that the gateway refuses; nothing of them may be in a cell.
func (s *script) stopped(p *party) []step {
	var steps []step
	for _, shown := range []credential{expired, misplaced, forged, unsigned, absent} {
		st := s.listPorts(p)
		st.kind, st.shown, st.want = stopped, shown, http.StatusUnauthorized
		steps = append(steps, st)
	}
	return steps
}
