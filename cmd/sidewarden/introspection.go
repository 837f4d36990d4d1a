package main

import "github.com/sidewarden/sidewarden/audit/metrics"

// introspection tells the metrics how often issuers were asked about tokens.
func (s *sidecar) introspection() []metrics.Introspection {
	var all []metrics.Introspection
	for _, i := range s.current.Load().output.Parts.Introspection() {
		m := metrics.Introspection{Issuer: i.Issuer, Results: make(map[string]uint64, len(i.Results)), Hits: i.Hits, Misses: i.Misses}
		for result, n := range i.Results {
			m.Results[string(result)] = n
		}
		all = append(all, m)
	}
	return all
}
