package main

// refused counts what transport bounds refused, by reason: that of [proxy.Refusals], and
// "not-taken" for clients that did not take what was written to them.
func (s *sidecar) refused() map[string]uint64 {
	counts := s.refusals.Counts()
	counts["not-taken"] = s.taking.Cut()
	return counts
}
