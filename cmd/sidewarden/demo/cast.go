package demo

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// scopes are what every client of the world was given, which is all but the
// administration.
const scopes = "ports:read ports:write orders:read orders:write reports:read"

// party is a client of the API.
type party struct {
	name, client, principal, secret string
	accounts                        []string
	key                             int           // index of the issuer's signer
	life                            time.Duration // of its tokens
}

// cast is who and what the world is about; the seed draws it.
type cast struct {
	// customers have one account each; the partner has an account and may act for
	// the second customer, which its token says, and not for the first.
	customers [2]*party
	partner   *party
	// monitor looks whether the API answers. Its tokens live too long (row 22).
	monitor *party
	// seconds are the second applications of the customers.
	seconds [2]*party
	estates map[string]*estate
	sites   []string
}

// parties are those whose requests are what the policy wants, unless the script
// makes them.
func (c *cast) parties() []*party { return []*party{c.customers[0], c.customers[1], c.partner} }

// clients are all whom the issuer knows.
func (c *cast) clients() []*party { return append(c.parties(), c.monitor, c.seconds[0], c.seconds[1]) }

// What the seed decides of the cast does not depend on what it decides of the
// script.
const (
	castStream   = 1
	scriptStream = 2
)

// newRand returns the source of what the seed decides.
func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func newCast(r *rand.Rand) *cast {
	names := []string{
		"harbour-freight", "north-star-media", "quarry-bank", "alder-clinics", "tidewater-games",
		"foxglove-retail", "ironbridge-rail", "saltmarsh-foods",
	}
	partners := []string{"meridian-resale", "copperline-cloud", "lantern-networks"}
	sites := []string{"ams-1", "ber-2", "dub-1", "fra-3", "lon-4", "mad-1", "mil-2", "par-5", "vie-1", "zrh-2"}
	for _, list := range [][]string{names, partners, sites} {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	c := &cast{estates: map[string]*estate{}, sites: sites[:4]}
	for i := range c.customers {
		c.customers[i] = c.party(r, names[i], 0)
		second := *c.customers[i]
		second.client, second.secret = names[i]+"-mobile", crand.Text()
		c.seconds[i] = &second
	}
	c.partner = c.party(r, partners[0], 1)
	c.partner.accounts = append(c.partner.accounts, c.customers[1].accounts...)
	c.monitor = c.party(r, "watchtower-monitoring", 0)
	c.monitor.life = 24 * time.Hour
	return c
}

// party draws a client with an account and what that account has.
func (c *cast) party(r *rand.Rand, name string, key int) *party {
	account := c.account(r)
	e := &estate{report: fmt.Sprintf("rep-%06x", r.IntN(1<<24))}
	for i := range 2 + r.IntN(3) {
		e.ports = append(e.ports, port{
			ID:   fmt.Sprintf("port-%x%05x", i, r.IntN(1<<20)), // the first digit keeps them apart
			Site: c.site(r), Megabits: 100 * (1 + r.IntN(100)),
		})
	}
	for i := range 3 {
		e.orders = append(e.orders, order{ID: fmt.Sprintf("order-old-%d", i), Product: "port-10g", Site: c.site(r), Quantity: 1 + r.IntN(4)})
	}
	for i := range 2 {
		e.policies = append(e.policies, bgpPolicy{
			ID: fmt.Sprintf("bgp-old-%d", i), Port: e.ports[i].ID, Prefixes: []string{fmt.Sprintf("198.51.100.%d/32", r.IntN(256))}, account: account,
		})
	}
	c.estates[account] = e
	return &party{
		name: name, client: name + "-app", principal: "svc-" + name, secret: crand.Text(),
		accounts: []string{account}, key: key, life: tokenLife,
	}
}

// account draws a number that nobody has yet.
func (c *cast) account(r *rand.Rand) string {
	for {
		account := fmt.Sprintf("acct-%06d", r.IntN(1_000_000))
		if _, taken := c.estates[account]; !taken {
			return account
		}
	}
}

func (c *cast) site(r *rand.Rand) string { return c.sites[r.IntN(len(c.sites))] }

// other returns the customer that p is not.
func (c *cast) other(p *party) *party {
	if p == c.customers[0] {
		return c.customers[1]
	}
	return c.customers[0]
}

// stranger returns the customer that the partner may not act for.
func (c *cast) stranger() *party { return c.customers[0] }

// backendEstates is a copy for the backend to change.
func (c *cast) backendEstates() map[string]*estate {
	all := make(map[string]*estate, len(c.estates))
	for account, e := range c.estates {
		all[account] = &estate{
			ports: slices.Clone(e.ports), orders: slices.Clone(e.orders), policies: slices.Clone(e.policies), report: e.report,
		}
	}
	return all
}
