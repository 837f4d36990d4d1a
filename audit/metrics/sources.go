package metrics

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sidewarden/sidewarden/audit"
)

// Sources tell, at every scrape, what no record tells. Each may be nil, and is
// called from several goroutines. Counts never fall within a process.
type Sources struct {
	// TransportRefused counts connections and requests that were refused before a
	// policy saw them, by reason. The reasons are a closed set.
	TransportRefused func() map[string]uint64
	// GuardBlind counts connections that went on although it could not be told any more
	// where their requests begin.
	GuardBlind func() uint64
	// ConnectionAuth counts answers in which the backend asks for authentication that is
	// bound to a connection, by scheme, a closed set.
	ConnectionAuth func() map[string]uint64
	// Waited counts requests of HTTP/2 that waited for their turn, and tells how long all of
	// them together did.
	Waited func() (waits uint64, waited time.Duration)
	// KeySets tells of the key sets of the configured issuers.
	KeySets func() []KeySet
	// TokenCache tells how often tokens of the configured issuers were remembered.
	TokenCache func() []TokenCache
	// Introspection tells how often issuers were asked about tokens.
	Introspection func() []Introspection
	// Exceptions tells of the exceptions of the configuration in force.
	Exceptions func() []Exception
	// Endpoints counts the endpoints by kind, a closed set that the source gives whole.
	Endpoints func() map[string]int
	// Certificates tells when certificates of our own are over, by what they are used for,
	// a closed set.
	Certificates func() map[string]time.Time
	// Bypass tells what the tests for ways around found; of all tests, each once.
	Bypass func() []Bypass
	// Logs tells of the audit logs, by the name of their sink.
	Logs func() map[string]audit.LogStats
}

// KeySet is what is known of one issuer's key set. Of several with one issuer the
// counts are added, the greatest age counts, and all have to be ready.
type KeySet struct {
	// Issuer is the configured issuer.
	Issuer string
	// Age is the time since the keys were read; it counts only if Loaded.
	Age    time.Duration
	Loaded bool
	// Ready reports that there are keys, and that they are not too old to be used.
	Ready bool
	// Keys is the number of usable keys.
	Keys int
	// Reads counts reads of the key set by result, Skipped the keys of the latest
	// document that are not used by reason. Both are closed sets that the source
	// gives whole, also what is zero.
	Reads   map[string]uint64
	Skipped map[string]int
	// RetiredUses counts tokens of keys that had left the set.
	RetiredUses uint64
}

// TokenCache is what is known of one issuer's tokens.
type TokenCache struct {
	// Issuer is the configured issuer.
	Issuer string
	// Hits counts tokens that were remembered as proven, Misses those whose proof was
	// looked for.
	Hits, Misses uint64
}

// Introspection is what is known of the questions to one issuer about its tokens.
type Introspection struct {
	// Issuer is the configured issuer.
	Issuer string
	// Results counts questions by how they ended, of a closed set.
	Results map[string]uint64
	// Hits counts requests for which an answer was remembered, Misses those for which
	// one was looked for.
	Hits, Misses uint64
}

// Exception is what is known of one exception of the configuration. Its id is
// unique there.
type Exception struct {
	ID string
	// Expires is the first moment at which it covers nothing any more.
	Expires time.Time
	// Matches counts the findings that it covered.
	Matches uint64
}

// Bypass is what one test for ways around found.
type Bypass struct {
	// Kind names the test; it is of a closed set.
	Kind string
	// Detected counts what it found, Tested reports that it is being made.
	Detected uint64
	Tested   bool
}

// scraped turns sources into metrics at the time of the scrape, so that a series
// is gone when its issuer or policy is.
type scraped struct {
	sources Sources
	digest  *atomic.Pointer[string]
}

//nolint:gochecknoglobals // immutable descriptions
var (
	policyInfo = desc("policy_info", "Digest of the policy in force; always 1.", "digest")
	refused    = desc("transport_refused_total", "Connections and requests refused by transport bounds before any policy.", "reason")
	blind      = desc("guard_blind_total", "Connections that went on although it could not be told any more where their requests begin and end.")
	bound      = desc("connection_auth_total", "Answers in which the backend asks for authentication that is bound to a connection, which does not work through a proxy, by scheme.", "scheme")
	waits      = desc("turn_waits_total", "Requests of HTTP/2 that waited for their turn, because others of their connections were being worked on.")
	waited     = desc("turn_wait_seconds_total", "How long requests of HTTP/2 waited for their turn, all together.")
	keyAge     = desc("key_set_age_seconds", "Time since the keys of an issuer were read; absent until they are.", "issuer")
	keyReads   = desc("key_set_refresh_total", "Reads of an issuer's key set by result.", "issuer", "result")
	keyReady   = desc("key_set_ready", "Whether there are keys of an issuer that are not too old to be used.", "issuer")
	keys       = desc("key_set_keys", "Usable keys of an issuer.", "issuer")
	keySkipped = desc("key_set_skipped_keys", "Keys of an issuer's latest key set that are not used, by reason.", "issuer", "reason")
	keyRetired = desc("key_retired_uses_total", "Tokens that were signed by a key that had left the issuer's key set, and were denied for it.", "issuer")
	tokenCache = desc("token_cache_total", "Well-formed tokens that name an issuer, by whether they were remembered as proven or their proof was looked for.", "issuer", "result")
	questions  = desc("introspection_total", "Questions to an issuer about a token by how they ended, and those that were not asked.", "issuer", "result")
	answers    = desc("introspection_cache_total", "Requests with a token about which its issuer is asked, by whether an answer was remembered or looked for.", "issuer", "result")
	expiry     = desc("exception_expiry_timestamp_seconds", "When an exception of the configuration ends, or ended.", "exception")
	matches    = desc("exception_matches_total", "Findings that an exception covered.", "exception")
	endpoints  = desc("endpoints", "Endpoints that were asked for, declared by the contract or not, and those that nobody asked for, by kind.", "kind")
	certExpiry = desc("certificate_expiry_timestamp_seconds", "When a certificate that the sidecar itself shows is over, by what it is used for.", "use")
	detected   = desc("bypass_detected_total", "Ways around the gateway or the sidecar that were found: requests without the proof of the gateway (BY1), listeners beyond loopback (BY2), connections of others (BY3).", "kind")
	tested     = desc("bypass_tested", "Whether a test for ways around is being made.", "kind")
	records    = desc("audit_records_total", "Audit records by sink and result of writing.", "sink", "result")
	dropped    = desc("audit_dropped_total", "Audit records that found no room in the queue, by class of record.", "class")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (s *scraped) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{policyInfo, refused, blind, bound, waits, waited, keyAge, keyReads, keyReady, keys, keySkipped, keyRetired, tokenCache, questions, answers, expiry, matches, endpoints, certExpiry, detected, tested, records, dropped} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *scraped) Collect(out chan<- prometheus.Metric) {
	if digest := s.digest.Load(); digest != nil {
		gauge(out, policyInfo, 1, *digest)
	}
	if s.sources.TransportRefused != nil {
		for reason, n := range s.sources.TransportRefused() {
			count(out, refused, n, reason)
		}
	}
	if s.sources.GuardBlind != nil {
		count(out, blind, s.sources.GuardBlind())
	}
	if s.sources.ConnectionAuth != nil {
		for scheme, n := range s.sources.ConnectionAuth() {
			count(out, bound, n, scheme)
		}
	}
	if s.sources.Waited != nil {
		n, together := s.sources.Waited()
		count(out, waits, n)
		send(out, waited, prometheus.CounterValue, together.Seconds(), nil)
	}
	if s.sources.KeySets != nil {
		keySets(out, s.sources.KeySets())
	}
	if s.sources.TokenCache != nil {
		for _, c := range s.sources.TokenCache() {
			count(out, tokenCache, c.Hits, c.Issuer, "hit")
			count(out, tokenCache, c.Misses, c.Issuer, "miss")
		}
	}
	if s.sources.Introspection != nil {
		introspection(out, s.sources.Introspection())
	}
	if s.sources.Exceptions != nil {
		for _, e := range s.sources.Exceptions() {
			gauge(out, expiry, float64(e.Expires.Unix()), e.ID)
			count(out, matches, e.Matches, e.ID)
		}
	}
	if s.sources.Endpoints != nil {
		for kind, n := range s.sources.Endpoints() {
			gauge(out, endpoints, float64(n), kind)
		}
	}
	if s.sources.Certificates != nil {
		for use, until := range s.sources.Certificates() {
			gauge(out, certExpiry, float64(until.Unix()), use)
		}
	}
	if s.sources.Bypass != nil {
		bypasses(out, s.sources.Bypass())
	}
	if s.sources.Logs != nil {
		logs(out, s.sources.Logs())
	}
}

func keySets(out chan<- prometheus.Metric, sets []KeySet) {
	byIssuer := make(map[string]KeySet, len(sets))
	for _, k := range sets {
		sum, again := byIssuer[k.Issuer]
		if !again {
			sum = KeySet{Ready: true, Reads: map[string]uint64{}, Skipped: map[string]int{}}
		}
		if k.Loaded {
			sum.Loaded, sum.Age = true, max(sum.Age, k.Age)
		}
		sum.Ready = sum.Ready && k.Ready
		sum.Keys += k.Keys
		sum.RetiredUses += k.RetiredUses
		for result, n := range k.Reads {
			sum.Reads[result] += n
		}
		for reason, n := range k.Skipped {
			sum.Skipped[reason] += n
		}
		byIssuer[k.Issuer] = sum
	}
	for _, issuer := range slices.Sorted(maps.Keys(byIssuer)) {
		k := byIssuer[issuer]
		if k.Loaded {
			gauge(out, keyAge, k.Age.Seconds(), issuer)
		}
		ready := 0.0
		if k.Ready {
			ready = 1
		}
		gauge(out, keyReady, ready, issuer)
		gauge(out, keys, float64(k.Keys), issuer)
		for result, n := range k.Reads {
			count(out, keyReads, n, issuer, result)
		}
		for reason, n := range k.Skipped {
			gauge(out, keySkipped, float64(n), issuer, reason)
		}
		count(out, keyRetired, k.RetiredUses, issuer)
	}
}

func introspection(out chan<- prometheus.Metric, issuers []Introspection) {
	for _, i := range issuers {
		for result, n := range i.Results {
			count(out, questions, n, i.Issuer, result)
		}
		count(out, answers, i.Hits, i.Issuer, "hit")
		count(out, answers, i.Misses, i.Issuer, "miss")
	}
}

func bypasses(out chan<- prometheus.Metric, all []Bypass) {
	for _, b := range all {
		count(out, detected, b.Detected, b.Kind)
		made := 0.0
		if b.Tested {
			made = 1
		}
		gauge(out, tested, made, b.Kind)
	}
}

func logs(out chan<- prometheus.Metric, stats map[string]audit.LogStats) {
	var drops audit.Drops
	for sink, s := range stats {
		count(out, records, s.Written, sink, "written")
		count(out, records, s.Failed, sink, "failed")
		drops.Allowed += s.Dropped.Allowed
		drops.Denied += s.Dropped.Denied
		drops.Failed += s.Dropped.Failed
	}
	count(out, dropped, drops.Allowed, string(audit.ClassAllowed))
	count(out, dropped, drops.Denied, string(audit.ClassDenied))
	count(out, dropped, drops.Failed, string(audit.ClassFailed))
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	send(out, d, prometheus.GaugeValue, value, labels)
}

func count(out chan<- prometheus.Metric, d *prometheus.Desc, n uint64, labels ...string) {
	send(out, d, prometheus.CounterValue, float64(n), labels)
}

// send reports a label that is not UTF-8 as an error of the scrape, never as a
// panic.
func send(out chan<- prometheus.Metric, d *prometheus.Desc, t prometheus.ValueType, value float64, labels []string) {
	m, err := prometheus.NewConstMetric(d, t, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	out <- m
}
