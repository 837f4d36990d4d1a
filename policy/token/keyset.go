package token

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of KeySetOptions.
const (
	DefaultRefresh  = 5 * time.Minute
	DefaultMaxStale = 24 * time.Hour
)

const (
	// fetchTimeout bounds one fetch from dial to the last byte.
	fetchTimeout = 5 * time.Second
	// maxDocument bounds a document in bytes.
	maxDocument = 1 << 20
	// unknownKeyInterval is the shortest time between two fetches that tokens with
	// an unknown key id cause.
	unknownKeyInterval = 30 * time.Second
	// maxRetry bounds the growing wait after failed reads.
	maxRetry = time.Minute
)

// KeySetOptions configure a KeySet. At most one of URL and File is given; without
// them the metadata of the issuer tells where its key set is.
type KeySetOptions struct {
	// Issuer is the issuer whose tokens the keys verify. Without URL and File it is
	// an https URL without user, query and fragment, at which its metadata is asked
	// for (RFC 8414 section 2); http is allowed for loopback hosts.
	Issuer string
	// URL is the https address of the key set, without user and fragment; http is
	// allowed for loopback hosts.
	URL string
	// File is the path of the key set.
	File string
	// DiscoveryHosts are the hosts, with a port unless it is that of the scheme, on
	// which a key set that the metadata names may be besides the host of the issuer.
	DiscoveryHosts []string
	// Client fetches metadata and key set; its redirect policy and cookie jar are replaced. Nil makes
	// one that verifies certificates with RootCAs and goes through Proxy.
	Client *http.Client
	// RootCAs are the authorities for URL, metadata and an https Proxy; nil means
	// those of the system.
	RootCAs *x509.CertPool
	// Proxy is the HTTP proxy on the way to URL and metadata: an http or https URL of
	// a host alone. What is read through it has to be https. Nil means none; the
	// environment is not asked.
	Proxy *url.URL
	// Algorithms are the algorithms that the issuer may use, by which keys without
	// alg are pinned.
	Algorithms []string
	// Refresh is the longest time between two reads; zero means DefaultRefresh.
	Refresh time.Duration
	// MaxStale is how long the last good set is used when it cannot be read again;
	// after that no token proves itself. Zero means DefaultMaxStale.
	MaxStale time.Duration
	// Now is the clock of the refresher, usually time.Now. It is required.
	Now func() time.Time
	// Seed is the key set of the same issuer and source that this one takes the
	// place of; nil means none, and that of another issuer or source counts as
	// none. Until the first good read its keys are used, as far as Algorithms
	// allow them, and at their age: an issuer that is down at that moment does no
	// harm. Its timeline and counts go on.
	Seed *KeySet
	// OnRefresh is called after each read by Run, in its goroutine; err is nil when
	// the result is RefreshOK. Metadata that failed while an earlier one still told
	// the place is a call of its own, before. Nil does nothing.
	OnRefresh func(result RefreshResult, err error)
}

// KeySet holds the public keys of one issuer and keeps them fresh. Requests read
// the current keys without waiting; Run alone reads the file or the URL. It is
// safe for concurrent use.
type KeySet struct {
	// Set by the constructor, never changed.
	issuer, url, file string
	discovery         *discovery // nil when url or file is given
	timeline          *timeline
	client            *http.Client
	algorithms        []string
	refresh, maxStale time.Duration
	now               func() time.Time
	onRefresh         func(RefreshResult, error)
	errNever, errOld  error
	// seed is what Seed gave; Run replaces it at once.
	seed *set

	// Written by Run, read by requests.
	current atomic.Pointer[set]
	// wanted asks Run for a read; one waiting request is enough for all.
	wanted  chan struct{}
	running atomic.Bool

	// Guarded by mu; written by Run, read by Stats.
	mu      sync.Mutex
	results map[RefreshResult]uint64
	skipped map[SkipReason]int
	lastErr error
}

// NewKeySet returns the key set of an issuer. A file is read at once, and an
// unusable one is an error that names it and the cause. A URL is not fetched
// before Run.
func NewKeySet(o KeySetOptions) (*KeySet, error) {
	s := &KeySet{
		issuer: o.Issuer, url: o.URL, file: o.File, client: o.Client, algorithms: slices.Clone(o.Algorithms),
		refresh: o.Refresh, maxStale: o.MaxStale, now: o.Now, onRefresh: o.OnRefresh,
		errNever: fmt.Errorf("the key set of issuer %q was not loaded yet", o.Issuer),
		errOld:   fmt.Errorf("the key set of issuer %q is older than its maximum age", o.Issuer),
		wanted:   make(chan struct{}, 1),
		results:  make(map[RefreshResult]uint64),
		timeline: newTimeline(),
	}
	if err := s.complete(o); err != nil {
		return nil, fmt.Errorf("key set of issuer %q: %w", o.Issuer, err)
	}
	s.takeOver(o.Seed)
	if s.file != "" {
		if result, err := s.load(context.Background(), true, nil); result != RefreshOK {
			return nil, fmt.Errorf("key set of issuer %q: %w", o.Issuer, err)
		}
	}
	return s, nil
}

// takeOver starts with the keys of a previous key set of the same source. It is
// another source when the place that metadata told is not permitted any more.
func (s *KeySet) takeOver(previous *KeySet) {
	if previous == nil || previous.issuer != s.issuer || previous.url != s.url || previous.file != s.file {
		return
	}
	if s.discovery != nil && !s.discovery.takeOver(previous.discovery) {
		return
	}
	s.timeline, s.results = previous.timeline, previous.Stats().Refreshes
	if s.seed = previous.current.Load().allowing(s.algorithms); s.seed != nil {
		s.current.Store(s.seed)
	}
}

// complete fills in the defaults and judges the options.
func (s *KeySet) complete(o KeySetOptions) error {
	if s.refresh == 0 {
		s.refresh = DefaultRefresh
	}
	if s.maxStale == 0 {
		s.maxStale = DefaultMaxStale
	}
	switch {
	case s.issuer == "":
		return errors.New("the issuer is missing")
	case s.now == nil:
		return errors.New("the clock is missing")
	case s.refresh < 0 || s.maxStale < s.refresh:
		return fmt.Errorf("maximum age %s is shorter than the refresh interval %s", s.maxStale, s.refresh)
	case s.url != "" && s.file != "":
		return errors.New("give a URL or a file, not both")
	case len(s.algorithms) == 0:
		return errors.New("no algorithm is allowed: name at least one")
	}
	for _, name := range s.algorithms {
		if _, ok := algorithmOf(name); !ok {
			return fmt.Errorf("algorithm %q is not one of %s", name, strings.Join(Algorithms(), " "))
		}
	}
	if s.file != "" {
		return nil
	}
	return s.reach(o)
}

// reach judges how the key set is come by over the network.
func (s *KeySet) reach(o KeySetOptions) (err error) {
	from := s.url
	if from == "" {
		from, o.Refresh = s.issuer, s.refresh
		if s.discovery, err = newDiscovery(o); err != nil {
			return err
		}
	} else if err := checkURL(from); err != nil {
		return err
	}
	if p := o.Proxy; p != nil {
		u, err := url.Parse(from)
		switch {
		case err != nil:
			return errors.New("the URL cannot be parsed")
		case p.Scheme != "http" && p.Scheme != "https" || p.Hostname() == "":
			return errors.New("the proxy is not an http or https URL")
		case p.User != nil:
			return errors.New("the proxy has a user or password in it: let it know this host by its address")
		case u.Scheme != "https":
			return errors.New("through a proxy the URL must be https: whoever runs it could replace the keys")
		}
	}
	s.client = boundedClient(o.Client, o.RootCAs, o.Proxy, 0)
	return nil
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("the URL cannot be parsed")
	}
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("the URL needs a host, and no user or fragment")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("the URL with host %q must be https: what anybody on the way can change proves nothing", u.Host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// at returns the keys that count at time t.
func (s *KeySet) at(t time.Time) (*set, error) {
	current := s.current.Load()
	switch {
	case current == nil:
		return nil, s.errNever
	case t.Sub(current.read) > s.maxStale:
		return nil, s.errOld
	}
	return current, nil
}

// want asks Run for a read because a token names an unknown key. It never waits.
func (s *KeySet) want() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// unwant forgets the requests for a read that a read is about to answer.
func (s *KeySet) unwant() {
	select {
	case <-s.wanted:
	default:
	}
}

// Ready reports whether there are keys now, not older than MaxStale.
func (s *KeySet) Ready() bool {
	_, err := s.at(s.now())
	return err == nil
}

// KeySetStats describe a key set for metrics and readiness.
type KeySetStats struct {
	// Issuer is the issuer of the keys.
	Issuer string
	// Loaded reports that a good set was read at least once, Age how long ago.
	Loaded bool
	Age    time.Duration
	// Keys is the number of usable keys.
	Keys int
	// Refreshes counts the reads by result, since the start.
	Refreshes map[RefreshResult]uint64
	// Skipped counts the keys of the latest readable document that are not used.
	Skipped map[SkipReason]int
	// RetiredUses counts tokens that were signed by a key that had left the set, and
	// were denied for it.
	RetiredUses uint64
	// LastError is why the latest read failed; nil when it did not.
	LastError error
}

// Stats returns the state of the key set. The maps are the caller's.
func (s *KeySet) Stats() KeySetStats {
	s.mu.Lock()
	stats := KeySetStats{
		Issuer: s.issuer, LastError: s.lastErr,
		Refreshes: maps.Clone(s.results), Skipped: maps.Clone(s.skipped),
		RetiredUses: s.timeline.late.Load(),
	}
	s.mu.Unlock()
	if current := s.current.Load(); current != nil {
		stats.Loaded, stats.Age, stats.Keys = true, s.now().Sub(current.read), len(current.keys)
	}
	return stats
}
