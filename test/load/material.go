package main

import (
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// The names that tokens, contract and configurations share.
const (
	issuer   = "https://idp.load.example"
	audience = "https://api.load.example"
	host     = "api.load.example"
)

// accounts is how many callers share a workload of reused tokens; each has its own
// token, client and account.
const accounts = 64

// shot is one prepared request and what it must be answered with.
type shot struct {
	wire     []byte // whole, unless tokens are new; then without the token's header
	enforced int    // status where every control enforces; everywhere else it is 200

	target, token string // for the HTTP/2 generator
}

// material is everything that requests are made of, prepared before anything is
// measured.
type material struct {
	reused            []shot
	bare              []shot // for tokens that are new
	rs256, es256      []string
	post1, post16     []shot
	post256           []shot
	mix               []shot
	now               time.Time
	distinctPerSigner int
}

func newMaterial(now time.Time, tokens int) *material {
	m := &material{now: now, distinctPerSigner: tokens}
	for i := range accounts {
		m.reused = append(m.reused, get(i, m.token(tokentest.RSA(), i, nil)))
	}
	m.bare = []shot{{wire: []byte("GET " + portPath(0) + " HTTP/1.1\r\nHost: " + host + "\r\n"), enforced: 200}}
	m.rs256 = m.distinct(tokentest.RSA())
	m.es256 = m.distinct(tokentest.EC())
	m.post1, m.post16, m.post256 = m.posts(1<<10), m.posts(16<<10), m.posts(256<<10)
	m.mix = m.mixed()
	return m
}

// token mints a token of one of the callers.
func (m *material) token(s *tokentest.Signer, caller int, change map[string]any) string {
	claims := tokentest.Claims(issuer, audience, m.now.Add(-time.Minute), map[string]any{
		"sub": fmt.Sprintf("subject-%d", caller), "client_id": fmt.Sprintf("client-%d", caller), "account_id": accountID(caller),
		"scope": "ports:read orders:write", "jti": fmt.Sprintf("reused-%d", caller),
	})
	maps.Copy(claims, change)
	return s.Token(claims)
}

// distinct mints tokens of one caller of which no two are equal, on all cores.
func (m *material) distinct(s *tokentest.Signer) []string {
	all := make([]string, m.distinctPerSigner)
	var workers sync.WaitGroup
	for first := range runtime.NumCPU() {
		workers.Go(func() {
			for i := first; i < len(all); i += runtime.NumCPU() {
				all[i] = m.token(s, 0, map[string]any{"jti": fmt.Sprintf("new-%s-%d", s.Algorithm, i)})
			}
		})
	}
	workers.Wait()
	return all
}

func accountID(caller int) string { return fmt.Sprintf("acct-%06d", caller) }

func portPath(caller int) string {
	return "/v1/accounts/" + accountID(caller) + "/ports/port-00a1b2?detail=short"
}

func get(caller int, token string) shot { return getAt(portPath(caller), token, 200) }

func getAt(target, token string, enforced int) shot {
	return shot{
		wire:   []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: application/json\r\n" + authorization(token) + "\r\n"),
		target: target, token: token, enforced: enforced,
	}
}

func authorization(token string) string {
	if token == "" {
		return ""
	}
	return "Authorization: Bearer " + token + "\r\n"
}

// posts returns one order per caller, each of about so many bytes and valid by the
// contract.
func (m *material) posts(size int) []shot {
	body := order(size)
	callers := accounts
	if size > 64<<10 {
		callers = 4 // they are kept in memory
	}
	all := make([]shot, 0, callers)
	for i := range callers {
		all = append(all, m.post(i, body, 200))
	}
	return all
}

func (m *material) post(caller int, body string, enforced int) shot {
	return shot{
		wire: []byte("POST /v1/accounts/" + accountID(caller) + "/orders HTTP/1.1\r\nHost: " + host +
			"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" +
			authorization(m.reused[caller].token) + "\r\n" + body),
		enforced: enforced,
	}
}

// order returns a body of nearly so many bytes, never more.
func order(size int) string {
	const line = `{"product":"port-10g","site":"ZRH-4","quantity":2,"note":"second row, left"}`
	const head, end = `{"reference":"load-000001","lines":[`, `]}`
	n := max(1, (size-len(head)-len(end)+1)/(len(line)+1))
	return head + strings.Repeat(line+",", n-1) + line + end
}

// mixed returns 250 requests: nine reads to one order, and 2 % that violate exactly
// one control each, so that what blocks them is known.
func (m *material) mixed() []shot {
	all := make([]shot, 0, 250)
	body := order(1 << 10)
	for i := range cap(all) {
		caller := i % accounts
		if i%10 == 9 {
			all = append(all, m.post(caller, body, 200))
		} else {
			all = append(all, m.reused[caller])
		}
	}
	expired := map[string]any{"iat": m.now.Add(-2 * time.Hour).Unix(), "exp": m.now.Add(-time.Hour - time.Minute).Unix()}
	signer := tokentest.RSA()
	for i, violation := range []shot{
		getAt(portPath(2), m.reused[1].token, 403),                                                // another customer's account
		getAt(portPath(3), m.token(signer, 3, expired), 401),                                      // too old
		getAt(portPath(4), "", 401),                                                               // no token
		getAt("/v1/accounts/"+accountID(5)+"/debug", m.reused[5].token, 404),                      // in no contract
		m.post(6, `{"reference":"load-000001","lines":[{"product":"port-10g","site":"Z"}]}`, 400), // no quantity
	} {
		all[i*50+25] = violation
	}
	return all
}
