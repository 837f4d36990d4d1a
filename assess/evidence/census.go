package evidence

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// Defaults of CensusOptions.
const (
	DefaultMaxClients = 1000
	DefaultMaxEntries = 2048
)

const (
	// maxIssuers bounds the issuers that have a name of their own, those of earlier
	// configurations among them.
	maxIssuers = 256
	// maxKeyIDs bounds the key ids that are told apart of one issuer.
	maxKeyIDs = 64
	// maxNames bounds each list of names of one client and operation, Other included,
	// and maxObjections what objected there.
	maxNames      = 32
	maxObjections = 32
)

// The names that stand for none or for all that have no name of their own.
const (
	// NoToken stands, in place of an issuer, for callers who prove themselves without
	// a token: by an API key, or because the gateway says who they are.
	NoToken = "no-token"
	// Unproven stands, in place of a client, for every credential that did not prove
	// itself: what it claims to be is nobody's name.
	Unproven = "unproven"
	// Absent stands for a name that the token does not have.
	Absent = "absent"
	// Other stands for every issuer that is not configured, and for what found no
	// room.
	Other = other
	// Bearer stands for a token that is bound to nothing.
	Bearer = "bearer"
)

// Places of requests without a credential, and of those that ended before anybody
// looked for one. They are no issuers, and no part of the list of these.
const (
	withoutCredential = "\x00none"
	notEvaluated      = "\x00not-evaluated"
)

// CensusOptions say what a Census counts.
type CensusOptions struct {
	// Issuers are the configured issuers. All others are "other".
	Issuers []string
	// MaxClients bounds the clients that are told apart, of all issuers together;
	// MaxEntries bounds the pairs of client and operation. Zero means the default.
	MaxClients, MaxEntries int
	// Keys returns the life of the keys of each issuer, for the document; nil for
	// none. It is called whenever the document is made.
	Keys func() map[string][]KeyLife
	// Since is when counting began.
	Since time.Time
}

// KeyLife is what is known of one key of an issuer's key set.
type KeyLife struct {
	// Key is the pseudonym of the key id, the same as in records.
	Key string `json:"key"`
	// Alg is the algorithm that the key is for; empty if it does not say.
	Alg string `json:"alg"`
	// FirstSeen and LastSeen are when the key was first and last in the key set.
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// RetiredAt is when the key left the key set; zero while it is there.
	RetiredAt time.Time `json:"retired_at,omitzero"`
	// LastUsed is when a token of the key last came; zero if none did.
	LastUsed time.Time `json:"last_used,omitzero"`
	// Uses counts the tokens that the key proved, UsesAfterRetirement those that it had
	// signed and that came after it had left the key set.
	Uses                uint64 `json:"uses"`
	UsesAfterRetirement uint64 `json:"uses_after_retirement"`
}

// CensusStats counts requests that did not go where they belong, because a bound
// was reached. It is part of the document.
type CensusStats struct {
	// Issuers counts configured issuers that found no room and are "other".
	Issuers uint64 `json:"issuers"`
	// Clients counts requests of clients that found no room and are "other".
	Clients uint64 `json:"clients"`
	// Entries counts requests of pairs of client and operation that found no room.
	// They are "other" in both.
	Entries uint64 `json:"entries"`
	// KeyIDs counts requests whose token proved itself by a key whose id found no
	// room among those of its issuer and is "other".
	KeyIDs uint64 `json:"key_ids"`
	// Names counts algorithms, key ids, types, scopes and claims that found no room in
	// their list and are "other" there; Objections counts refusals and doubts for
	// which there was none.
	Names      uint64 `json:"names"`
	Objections uint64 `json:"objections"`
	// Certificates counts requests with a verified certificate that found no room in the
	// list of its hop.
	Certificates uint64 `json:"certificates"`
}

// Census counts what callers send as credentials: per issuer, client and operation,
// of accepted tokens and of refused ones. It is safe for concurrent use.
//
// It is a fold over records, as the cells are. Unlike them it goes on over a reload:
// a cell says what a policy found, and ends with it, while what an issuer mints and
// a client sends is the same under the next policy. It ends with the process.
type Census struct {
	since                  time.Time
	maxClients, maxEntries int
	keys                   func() map[string][]KeyLife
	stats                  censusCounters
	hops                   hops

	issuers atomic.Pointer[map[string]*censusIssuer] // replaced under mu, never changed

	mu      sync.RWMutex // guards entries and clients; never held together with the lock of an entry
	entries map[entryKey]*entry
	clients map[clientKey]struct{}
}

type censusCounters struct{ issuers, clients, entries, keyIDs, names, objections, certificates atomic.Uint64 }

type clientKey struct{ issuer, client string }

type entryKey struct{ issuer, client, operation string }

// censusIssuer is an issuer with the key ids by which tokens of it proved
// themselves. Others are never kept: anybody can make one up.
type censusIssuer struct {
	name string

	mu     sync.Mutex // guards keyIDs; taken under the lock of an entry
	keyIDs map[string]struct{}
}

var _ audit.Consumer = (*Census)(nil)

// NewCensus returns a census that has counted nothing.
func NewCensus(o CensusOptions) *Census {
	if o.MaxClients <= 0 {
		o.MaxClients = DefaultMaxClients
	}
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	c := &Census{
		since: o.Since, maxClients: o.MaxClients, maxEntries: o.MaxEntries, keys: o.Keys,
		entries: make(map[entryKey]*entry), clients: make(map[clientKey]struct{}),
	}
	c.issuers.Store(&map[string]*censusIssuer{})
	c.Use(o.Issuers)
	return c
}

// Use tells the census which issuers a new policy has. What was counted of earlier
// ones stays.
func (c *Census) Use(issuers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.issuers.Load())
	for _, name := range issuers {
		switch {
		case next[name] != nil:
		case len(next) >= maxIssuers:
			c.stats.issuers.Add(1)
		default:
			next[name] = &censusIssuer{name: name}
		}
	}
	c.issuers.Store(&next)
}

// Stats returns what did not go where it belongs.
func (c *Census) Stats() CensusStats {
	return CensusStats{
		Issuers: c.stats.issuers.Load(), Clients: c.stats.clients.Load(), Entries: c.stats.entries.Load(),
		KeyIDs: c.stats.keyIDs.Load(), Names: c.stats.names.Load(), Objections: c.stats.objections.Load(),
		Certificates: c.stats.certificates.Load(),
	}
}

// Consume counts one record. It keeps nothing of it but names of closed sets, of the
// contract, and pseudonyms, and costs no allocation once it has seen the same of a
// client and operation.
func (c *Census) Consume(rec *audit.Record) {
	if rec.Op.ID == policy.HealthID {
		return // nobody judged it
	}
	c.hops.count(c, rec)
	k, proven := c.place(rec)
	e := c.entry(k)
	if e == nil {
		e = c.admit(k)
	}
	e.count(c, rec, proven)
}

// place says of whom and of what a record is, and whether its credential proved
// itself.
func (c *Census) place(rec *audit.Record) (k entryKey, proven bool) {
	k.operation = rec.Op.ID
	named := rec.ClientID != "" || rec.PrincipalID != ""
	switch {
	case rec.Tok != nil && rec.Claimed == nil:
		k.issuer, k.client = rec.Tok.Iss, orAbsent(rec.ClientID)
		return k, true
	case rec.Tok != nil:
		k.issuer, k.client = c.known(rec.Tok.Iss), Unproven
	case named:
		k.issuer, k.client = NoToken, orAbsent(rec.ClientID)
		return k, true
	case rec.Claimed != nil, refuses(rec, policy.KeyValid):
		k.issuer, k.client = NoToken, Unproven
	case rec.Auth.Outcome == audit.AuthNone:
		k.issuer = withoutCredential
	case rec.Auth.Reason == audit.NotEvaluated, rec.Auth.Reason == policy.InternalError:
		k.issuer = notEvaluated
	default:
		k.issuer, k.client = Other, Unproven // nothing could be read of it
	}
	return k, false
}

func refuses(rec *audit.Record, control policy.Control) bool {
	for i := range rec.Findings {
		if f := &rec.Findings[i]; f.Control == control && f.Effect == policy.Deny.String() {
			return true
		}
	}
	return false
}

func orAbsent(name string) string {
	if name == "" {
		return Absent
	}
	return name
}

// known returns the name under which an issuer is counted.
func (c *Census) known(issuer string) string {
	if _, configured := (*c.issuers.Load())[issuer]; configured {
		return issuer
	}
	return Other
}

func (c *Census) entry(k entryKey) *entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[k]
}

// admit returns the entry of what is new or found no room of its own before.
func (c *Census) admit(k entryKey) *entry {
	switch k.issuer {
	case NoToken, withoutCredential, notEvaluated:
	default:
		k.issuer = c.known(k.issuer) // a policy that is gone may have had it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.client != "" && k.client != Unproven && k.client != Absent && !c.client(clientKey{k.issuer, k.client}) {
		c.stats.clients.Add(1)
		k.client = Other
	}
	if e := c.entries[k]; e != nil {
		return e
	}
	if len(c.entries) >= c.maxEntries {
		c.stats.entries.Add(1)
		if k.operation = Other; k.client != "" && k.client != Unproven {
			k.client = Other
		}
		if e := c.entries[k]; e != nil {
			return e
		}
	}
	k = entryKey{strings.Clone(k.issuer), strings.Clone(k.client), strings.Clone(k.operation)} // may be parts of something larger
	e := &entry{issuer: (*c.issuers.Load())[k.issuer]}
	c.entries[k] = e
	return e
}

// client reports whether a client has a name of its own. The caller holds c.mu.
func (c *Census) client(k clientKey) bool {
	if _, known := c.clients[k]; known {
		return true
	}
	if len(c.clients) >= c.maxClients || len(c.entries) >= c.maxEntries {
		return false
	}
	c.clients[clientKey{strings.Clone(k.issuer), strings.Clone(k.client)}] = struct{}{}
	return true
}

// keyID returns the name under which a key id is counted.
func (c *Census) keyID(is *censusIssuer, id string, proven bool) string {
	if is == nil {
		return Other
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	if _, known := is.keyIDs[id]; known {
		return id
	}
	if !proven {
		return Other
	}
	if len(is.keyIDs) >= maxKeyIDs {
		c.stats.keyIDs.Add(1)
		return Other
	}
	if is.keyIDs == nil {
		is.keyIDs = make(map[string]struct{})
	}
	is.keyIDs[strings.Clone(id)] = struct{}{}
	return id
}
