package audit

import (
	"net/http"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

// Consumer learns from records in the request's goroutine, so it is quick and
// never blocks. It must not change the record, which it shares with others, and
// may keep it.
type Consumer interface {
	Consume(rec *Record)
}

// Options are what a Recorder is made from.
type Options struct {
	// Product, Environment, Instance and Version identify the writer.
	Product, Environment, Instance, Version string
	// RequestIDHeader is the header in which the gateway puts its id of the
	// request; empty for none.
	RequestIDHeader string
	// CredentialHeader is the header that carries the credential; its value is
	// never repeated. Default: Authorization.
	CredentialHeader string
	// Contract is the vocabulary of the first policy.
	Contract Contract
	// Pseudonyms makes the pseudonyms. It is required.
	Pseudonyms *Pseudonymizer
	// Log gets every record; nil for none.
	Log *Log
	// Consumers get every record, in order.
	Consumers []Consumer
}

// Recorder observes outcomes and makes one record of each. It implements
// [policy.Observer] and is safe for concurrent use.
type Recorder struct {
	options Options
	ids     IDs
	authn   map[policy.Control]bool
	// claimSets are shared by all records.
	claimSets *claimSets
	words     atomic.Pointer[words]
	applied   []string // fields of options that the pattern net replaced
}

var _ policy.Observer = (*Recorder)(nil)

// NewRecorder returns a recorder.
func NewRecorder(o Options) *Recorder {
	if o.CredentialHeader == "" {
		o.CredentialHeader = "Authorization"
	}
	o.CredentialHeader, o.RequestIDHeader = http.CanonicalHeaderKey(o.CredentialHeader), http.CanonicalHeaderKey(o.RequestIDHeader)
	// These repeat in every record, so they are made safe once.
	var s sieve
	o.Product, o.Environment = s.text("product", o.Product, maxText), s.text("env", o.Environment, maxText)
	o.Instance, o.Version = s.text("instance", o.Instance, maxText), s.text("sidecar_version", o.Version, maxText)
	rc := &Recorder{options: o, authn: make(map[policy.Control]bool), claimSets: newClaimSets(), applied: s.applied}
	for _, e := range policy.Catalogue() {
		rc.authn[e.ID] = e.Family == policy.AuthN && e.ID != policy.MTLSClient // which judges no credential
	}
	rc.Use(o.Contract)
	return rc
}

// Use replaces the vocabulary when a policy is reloaded. A request that an older
// policy decided and that ends later is recorded by the new one; since both hold
// only words of contracts, that discloses nothing.
func (rc *Recorder) Use(c Contract) { rc.words.Store(c.words()) }

// Observe builds the record of a request and hands it on. It takes any request,
// also the zero one of a connection that was refused before its head was read.
func (rc *Recorder) Observe(r *policy.Request, d policy.Decision, o policy.Outcome) {
	if r == nil {
		r = &policy.Request{}
	}
	rec := rc.record(r, d, o)
	if rc.options.Log != nil {
		rc.options.Log.Enqueue(rec)
	}
	for _, c := range rc.options.Consumers {
		c.Consume(rec)
	}
}

// record never fails: if a value makes building panic, the facts of the outcome
// are recorded alone, and the record says so.
func (rc *Recorder) record(r *policy.Request, d policy.Decision, o policy.Outcome) (rec *Record) {
	b := builder{Recorder: rc, words: rc.words.Load(), r: r, o: o}
	defer func() {
		if recover() != nil {
			rec = b.minimal()
		}
	}()
	return b.build(d)
}
