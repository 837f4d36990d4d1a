package evidence

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxSample bounds the trials of one cell that are kept one by one.
const maxSample = 256

// sample is an even choice of a cell's effective trials, each of which had the
// same chance to be kept. The choice depends on the cell's name and the order of
// the trials alone.
type sample struct {
	trials []sampled
	seen   uint64
	random rand.PCG
	strata []*stratum // by number
}

// sampled is one trial. The stratum and the tally say the rest of it.
type sampled struct {
	principal uint32 // keyed hash
	stratum   uint16
	tally     uint8
}

// join gives a stratum its number, while there are any.
func (s *sample) join(st *stratum) {
	if len(s.strata) > math.MaxUint16 {
		return
	}
	st.backend.sample, st.backend.number = s, uint16(len(s.strata)) //nolint:gosec // checked above
	s.strata = append(s.strata, st)
}

// note takes a trial into the sample, perhaps in the place of another one. A nil
// sample takes none.
func (s *sample) note(number uint16, tally int, principal uint64) {
	if s == nil {
		return
	}
	s.seen++
	taken := sampled{principal: uint32(principal), stratum: number, tally: uint8(tally)} //nolint:gosec // a hash; at most maxTallies and the signals
	if len(s.trials) < maxSample {
		s.trials = append(s.trials, taken)
		return
	}
	if i := s.random.Uint64() % s.seen; i < maxSample {
		s.trials[i] = taken
	}
}

// fact is one effective trial: whether it leaked, and the value that it has in
// each dimension, numbered as they come.
type fact struct {
	values [dimensions]uint8
	leaked bool
}

// effective returns the kept trials, without the refusals that their baselines
// do not support.
func (s *sample) effective(baselines map[string]*baseline) []fact {
	var instances []string
	var reasons []policy.Reason
	var principals []uint32
	facts := make([]fact, 0, len(s.trials))
	for _, t := range s.trials {
		st := s.strata[t.stratum]
		counted := st.backend.tallies[t.tally]
		leaked := counted.signal == policy.Leaked || counted.signal == policy.Weak
		if !leaked && !supports(baselines[st.instance].of(counted.class), counted.timely) {
			continue
		}
		f := fact{leaked: leaked}
		f.values[byInstance] = number(&instances, st.instance)
		f.values[byReason] = number(&reasons, st.reason)
		f.values[bySubject] = number(&principals, t.principal)
		facts = append(facts, f)
	}
	return facts
}

// number returns the place of a value in a list, to which it is added if needed;
// there are no more values than trials.
func number[T comparable](list *[]T, value T) uint8 {
	i := slices.Index(*list, value)
	if i < 0 {
		i, *list = len(*list), append(*list, value)
	}
	return uint8(i) //nolint:gosec // less than maxSample
}

// fixedHash is a hash that is the same in every process.
func fixedHash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// digest tells lists of trials apart.
func digest(facts []fact) uint64 {
	b := make([]byte, 0, len(facts)*(dimensions+1))
	for _, f := range facts {
		b = append(b, f.values[:]...)
		if f.leaked {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return fixedHash(string(b))
}

// resourceOf returns what an operation works on: its template up to the first
// parameter that is not an account, without parameters at the end. "GET
// /accounts/{accountId}/ports" and "PATCH /accounts/{accountId}/ports/{id}/speed"
// both work on ports; orders of an account are something else.
func resourceOf(template string, accounts []string) string {
	kept := strings.Split(template, "/")
	for i, segment := range kept {
		name, open := strings.CutPrefix(segment, "{")
		if open && !slices.Contains(accounts, strings.TrimSuffix(name, "}")) {
			kept = kept[:i]
			break
		}
	}
	for len(kept) > 0 && strings.HasPrefix(kept[len(kept)-1], "{") {
		kept = kept[:len(kept)-1]
	}
	return strings.Join(kept, "/")
}
