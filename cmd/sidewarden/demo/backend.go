package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBody bounds the bodies that the servers of the world read.
const maxBody = 64 << 10

// maxOrders bounds the orders, and the routing policies, that the backend
// remembers for an account.
const maxOrders = 20

// port is a network port of an account.
type port struct {
	ID       string `json:"id"`
	Site     string `json:"site"`
	Megabits int    `json:"megabits"`
}

// order is what somebody asked for. It says nothing of what was delivered.
type order struct {
	ID       string `json:"id"`
	Product  string `json:"product"`
	Site     string `json:"site"`
	Quantity int    `json:"quantity"`
	// MonthlyCost is for the backend to set. Nothing keeps a client from it (row 12).
	MonthlyCost json.Number `json:"monthlyCost,omitempty"`
}

// bgpPolicy is what is announced for an account over a port.
type bgpPolicy struct {
	ID       string   `json:"id"`
	Port     string   `json:"port"`
	Prefixes []string `json:"prefixes"`
	account  string
}

// estate is what one account has.
type estate struct {
	ports    []port
	orders   []order
	policies []bgpPolicy
	report   string
}

// database is shared by the instances.
type database struct {
	mu      sync.Mutex
	estates map[string]*estate
	sites   []string
	serial  int
}

// instance is one node of the legacy backend. Each of its methods that answers
// an operation says what it does not check.
type instance struct {
	name, version string
	db            *database
	// meters is shared by the instances, events is not (rows 17 and 18).
	meters, events *limiter
	// asserted makes it trust the gateway's headers: no token arrives.
	asserted bool
}

func (in *instance) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sites", in.authenticated(in.listSites))
	mux.HandleFunc("GET /v1/accounts/{accountId}/ports", in.authenticated(in.listPorts))
	mux.HandleFunc("GET /v1/accounts/{accountId}/ports/{portId}", in.authenticated(in.getPort))
	mux.HandleFunc("PATCH /v1/accounts/{accountId}/ports/{portId}/bandwidth", in.authenticated(in.setBandwidth))
	mux.HandleFunc("GET /v1/accounts/{accountId}/orders", in.authenticated(in.listOrders))
	mux.HandleFunc("POST /v1/accounts/{accountId}/orders", in.authenticated(in.createOrder))
	mux.HandleFunc("GET /v1/accounts/{accountId}/bgp-policies", in.authenticated(in.listBgpPolicies))
	mux.HandleFunc("POST /v1/accounts/{accountId}/bgp-policies", in.authenticated(in.createBgpPolicy))
	mux.HandleFunc("GET /v1/accounts/{accountId}/usage", in.authenticated(in.getUsage))
	mux.HandleFunc("GET /v1/accounts/{accountId}/meters", in.authenticated(limited(in.meters, in.listMeters)))
	mux.HandleFunc("GET /v1/accounts/{accountId}/events", in.authenticated(limited(in.events, in.listEvents)))
	mux.HandleFunc("GET /v1/reports/{reportId}", in.authenticated(in.getReport))
	mux.HandleFunc("POST /v1/admin/accounts/{accountId}/suspension", in.authenticated(in.suspendAccount))
	// Row 21: the first version was never switched off, and a developer's page
	// went live with it. The contract knows neither.
	mux.HandleFunc("GET /v0/accounts/{accountId}/ports", in.authenticated(in.listPorts))
	mux.HandleFunc("GET /internal/debug", in.debug)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Instance", in.name)
		w.Header().Set("Server", "naas-ports/"+in.version)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

// authenticated reads the token. It trusts the gateway for signature, issuer and
// audience, looks at exp itself, does not know of nbf (row 4), and does not mind
// how long a token lives (row 22). Where the gateway strips tokens it believes the
// headers, whoever set them.
func (in *instance) authenticated(next func(http.ResponseWriter, *http.Request, claims)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c, ok := asserted(r.Header); ok && in.asserted {
			next(w, r, c)
			return
		}
		var c claims
		parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
		if len(parts) != 3 || !decodePart(parts[1], &c) {
			answer(w, http.StatusUnauthorized, map[string]any{"success": false, "ErrorCode": "unauthenticated"})
			return
		}
		if time.Now().Unix() >= c.Expires {
			answer(w, http.StatusUnauthorized, map[string]any{"success": false, "ErrorCode": "expired"})
			return
		}
		next(w, r, c)
	}
}

func (in *instance) listSites(w http.ResponseWriter, _ *http.Request, _ claims) {
	answer(w, http.StatusOK, map[string]any{"success": true, "sites": in.db.sites})
}

func (in *instance) listPorts(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "ports": e.ports})
}

// getPort finds nothing in a foreign account (row 7).
func (in *instance) getPort(w http.ResponseWriter, r *http.Request, c claims) {
	if !slices.Contains(c.Accounts, r.PathValue("accountId")) {
		missing(w)
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	if p := in.db.port(r); p != nil {
		answer(w, http.StatusOK, *p)
		return
	}
	missing(w)
}

// setBandwidth looks up the port by the account in the path, and never compares
// that account with the token (row 6). What else is in the body it does not read
// (row 13).
func (in *instance) setBandwidth(w http.ResponseWriter, r *http.Request, _ claims) {
	var wanted struct{ Megabits int }
	if !in.read(w, r, &wanted) {
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	p := in.db.port(r)
	if p == nil {
		missing(w)
		return
	}
	p.Megabits = wanted.Megabits
	answer(w, http.StatusOK, *p)
}

// listOrders refuses a foreign account, with a status of success (rows 10 and 19).
func (in *instance) listOrders(w http.ResponseWriter, r *http.Request, c claims) {
	if !slices.Contains(c.Accounts, r.PathValue("accountId")) {
		answer(w, http.StatusOK, map[string]any{"success": false, "ErrorCode": "forbidden"})
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "orders": e.orders})
}

// createOrder takes an order for any account from any client (row 10).
func (in *instance) createOrder(w http.ResponseWriter, r *http.Request, _ claims) {
	var o order
	if !in.read(w, r, &o) {
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	o.ID = in.db.next("order")
	if e.orders = append(e.orders, o); len(e.orders) > maxOrders {
		e.orders = slices.Delete(e.orders, 0, len(e.orders)-maxOrders)
	}
	o.MonthlyCost = ""
	answer(w, http.StatusCreated, o)
}

// listBgpPolicies shows the rows that are the caller's, which are none of a
// foreign account (row 11).
func (in *instance) listBgpPolicies(w http.ResponseWriter, r *http.Request, c claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e := in.db.estate(w, r)
	if e == nil {
		return
	}
	rows := make([]bgpPolicy, 0, len(e.policies))
	for _, p := range e.policies {
		if slices.Contains(c.Accounts, p.account) {
			rows = append(rows, p)
		}
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "policies": rows})
}

// createBgpPolicy reads JSON, whatever the content type says (row 15).
func (in *instance) createBgpPolicy(w http.ResponseWriter, r *http.Request, _ claims) {
	var wanted struct {
		Port     string
		ASNumber int64
		Prefixes []string
	}
	if !in.read(w, r, &wanted) {
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	account := r.PathValue("accountId")
	e, ok := in.db.estates[account]
	if !ok {
		missing(w)
		return
	}
	p := bgpPolicy{ID: in.db.next("bgp"), Port: wanted.Port, Prefixes: wanted.Prefixes, account: account}
	if e.policies = append(e.policies, p); len(e.policies) > maxOrders {
		e.policies = slices.Delete(e.policies, 0, len(e.policies)-maxOrders)
	}
	answer(w, http.StatusCreated, map[string]any{"id": p.ID, "prefixes": len(p.Prefixes)})
}

// getUsage compares the account with the token since version 3.2 (row 9).
func (in *instance) getUsage(w http.ResponseWriter, r *http.Request, c claims) {
	account := r.PathValue("accountId")
	if in.version != "3.1" && !slices.Contains(c.Accounts, account) {
		answer(w, http.StatusForbidden, map[string]any{"success": false, "ErrorCode": "forbidden"})
		return
	}
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	e, ok := in.db.estates[account]
	if !ok {
		missing(w)
		return
	}
	answer(w, http.StatusOK, map[string]any{"account": account, "megabits": e.megabits(), "ports": len(e.ports)})
}

func (in *instance) getReport(w http.ResponseWriter, r *http.Request, _ claims) {
	in.db.mu.Lock()
	defer in.db.mu.Unlock()
	account := r.URL.Query().Get("account")
	e, ok := in.db.estates[account]
	if !ok || e.report != r.PathValue("reportId") {
		missing(w)
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": e.report, "megabits": e.megabits(), "rows": len(e.ports)})
}

// megabits is the bandwidth of all ports.
func (e *estate) megabits() int {
	total := 0
	for _, p := range e.ports {
		total += p.Megabits
	}
	return total
}

// suspendAccount checks nothing at all. Nobody calls it, so nobody knows (row 25).
func (in *instance) suspendAccount(w http.ResponseWriter, _ *http.Request, _ claims) {
	answer(w, http.StatusOK, map[string]any{"success": true})
}

func (in *instance) debug(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"node": in.name, "version": in.version, "threads": 212})
}

// read decodes a body. What it cannot read crashes the request (row 14).
func (in *instance) read(w http.ResponseWriter, r *http.Request, to any) bool {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, to)
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"exception": "java.lang.NullPointerException", "at": "BodyReader.java:214"})
		return false
	}
	return true
}

// estate returns what the account of the path has, or answers that there is no such
// account. The caller holds mu.
func (db *database) estate(w http.ResponseWriter, r *http.Request) *estate {
	e, ok := db.estates[r.PathValue("accountId")]
	if !ok {
		missing(w)
	}
	return e
}

// port returns the port that the path names. The caller holds mu.
func (db *database) port(r *http.Request) *port {
	e, ok := db.estates[r.PathValue("accountId")]
	if !ok {
		return nil
	}
	for i := range e.ports {
		if e.ports[i].ID == r.PathValue("portId") {
			return &e.ports[i]
		}
	}
	return nil
}

// next returns a new id. The caller holds mu.
func (db *database) next(kind string) string {
	db.serial++
	return fmt.Sprintf("%s-%06d", kind, db.serial)
}

func missing(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, map[string]any{"success": false, "ErrorCode": "not-found"})
}

// answer writes a JSON body. A client that is gone needs no answer.
func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the answer can not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
