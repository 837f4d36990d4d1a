package main

import (
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// maxFullest bounds the keys that are shown of each limit.
const maxFullest = 20

// limitsDocument is what /limits shows: how far the limits in force are used up.
type limitsDocument struct {
	// Time is when that was looked up.
	Time   time.Time    `json:"time"`
	Limits []limitUsage `json:"limits"`
}

// limitUsage is one limit in one mode: its rate or its quota.
type limitUsage struct {
	Name    string   `json:"name"`
	Control string   `json:"control"`
	Mode    string   `json:"mode"`
	Key     []string `json:"key"`
	// Rate and Burst are set for a rate; Quota and Resets, the end of the period, for
	// a quota.
	Rate   string     `json:"rate,omitempty"`
	Burst  int        `json:"burst,omitempty"`
	Quota  string     `json:"quota,omitempty"`
	Resets *time.Time `json:"resets,omitempty"`
	// Buckets is the number of keys that are counted now, out of MaxKeys; Exhausted
	// the number of those that have nothing left. Overflowed counts the requests that
	// had to share a bucket because there was no room.
	Buckets    int    `json:"buckets"`
	MaxKeys    int    `json:"max_keys"`
	Exhausted  int    `json:"exhausted"`
	Overflowed uint64 `json:"overflowed"`
	// Fullest are the keys that used most.
	Fullest []keyUsage `json:"fullest"`
}

// keyUsage is what one key used of its burst, or of its quota in the period.
type keyUsage struct {
	Used int64 `json:"used"`
	Of   int64 `json:"of"`
	// The key: pseudonyms as in records, issuers and operations as configured. Issuer
	// is that of the client, Namespace that of the account. Other is a key that was
	// too long to be kept.
	Issuer    string `json:"issuer,omitempty"`
	Client    string `json:"client,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Account   string `json:"account,omitempty"`
	Peer      string `json:"peer,omitempty"`
	Operation string `json:"operation,omitempty"`
	Other     string `json:"other,omitempty"`
}

// limitsDocument reads the buckets in force.
func (s *sidecar) limitsDocument() (any, error) {
	l := s.current.Load()
	now := time.Now()
	doc := limitsDocument{Time: now.UTC(), Limits: []limitUsage{}}
	for _, in := range l.output.Parts.Limits() {
		doc.Limits = append(doc.Limits, usageOf(in, now, l.config, s.names))
	}
	return doc, nil
}

// limitsOf lists the limits in force, as their violations are measured.
func limitsOf(parts *compile.Parts) []evidence.Limit {
	const day = 24 * time.Hour
	periods := map[string]time.Duration{config.WindowHour: time.Hour, config.WindowDay: day, config.WindowMonth: 31 * day}
	var all []evidence.Limit
	for _, in := range parts.Limits() {
		l := evidence.Limit{Name: in.Config.Name, Control: in.Control, Key: in.Config.Key, Operations: in.Operations}
		if in.Quota != nil {
			l.Quota, l.Period = in.Config.Quota.Count, periods[in.Config.Quota.Window]
		} else {
			l.Rate, l.Burst = in.Config.Rate.PerSecond(), in.Config.Burst
		}
		all = append(all, l)
	}
	return all
}

func usageOf(in compile.Limit, now time.Time, cfg *config.Config, names *audit.Pseudonymizer) limitUsage {
	u := limitUsage{
		Name: in.Config.Name, Control: string(in.Control), Mode: in.Mode.String(), Key: in.Config.Key,
		MaxKeys: in.Config.MaxKeys, Fullest: []keyUsage{},
	}
	var usage ratelimit.Usage
	var of int64
	if in.Quota != nil {
		usage, of = in.Quota.Usage(now, maxFullest), in.Config.Quota.Count
		u.Quota, u.Resets = in.Config.Quota.String(), &usage.Ends
	} else {
		usage, of = in.Limiter.Usage(now, maxFullest), int64(in.Config.Burst)
		u.Rate, u.Burst = in.Config.Rate.String(), in.Config.Burst
	}
	u.Buckets, u.Exhausted, u.Overflowed = usage.Keys, usage.Exhausted, usage.Overflowed
	for _, k := range usage.Fullest {
		shown := nameOf(k.Key, cfg, names)
		shown.Used, shown.Of = k.Used, of
		u.Fullest = append(u.Fullest, shown)
	}
	return u
}

// nameOf shows a key without the names that are in it.
func nameOf(key string, cfg *config.Config, names *audit.Pseudonymizer) keyUsage {
	h, ok := limit.HolderOf(key)
	if !ok {
		return keyUsage{Other: names.Of(audit.TypeBucket, key)}
	}
	of := func(t audit.Type, value string) string {
		if value == "" {
			return ""
		}
		return names.Of(t, value)
	}
	issuers := issuersOf(cfg)
	issuer := func(name string) string {
		if slices.Contains(issuers, name) {
			return name
		}
		return of(audit.TypeIssuer, name)
	}
	return keyUsage{
		Issuer: issuer(h.Issuer), Client: names.Owned(audit.TypeClient, h.Issuer, h.Client),
		Namespace: issuer(h.Namespace), Account: of(audit.TypeAccount, h.Account),
		Peer: of(audit.TypePeer, h.Peer), Operation: h.Operation,
	}
}

// issuersOf returns who may say who the caller is: names that the configuration says
// and that are nobody's secret.
func issuersOf(cfg *config.Config) []string {
	if cfg.Credential.Kind == config.KindIdentityHeaders {
		return []string{cfg.Credential.Headers.Asserter()}
	}
	if keys := cfg.Credential.APIKey; keys != nil {
		return []string{keys.Issuer}
	}
	names := make([]string, len(cfg.Token.Issuers))
	for i, is := range cfg.Token.Issuers {
		names[i] = is.Issuer
	}
	return names
}
