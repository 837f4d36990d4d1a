package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

const portOfA = "/accounts/a1/ports/p1"

// owner asks for the port, script asks for it too; it is told that there is none.
func owner(at time.Duration) visit {
	return visit{client: "cust-a", path: portOfA, requested: []string{"a1"}, carrier: "path.accountId", at: at}
}

func stranger(at time.Duration) visit {
	v := owner(at)
	v.client, v.class, v.denied, v.reason = "cust-b", policy.Class404, of(policy.AzAccount), policy.AccountNotInToken
	return v
}

// with changes a visit.
func with(v visit, change func(v *visit)) visit { change(&v); return v }

func remove(path string, at time.Duration) visit {
	return visit{op: "getOrder", client: "cust-a", method: "DELETE", path: path, at: at}
}

// A masked answer counts exactly if the same thing was served to its owner before
// and after, and nothing may have deleted it in between.
func TestMaskedAnswersNeedAProofOfExistence(t *testing.T) {
	const proven, unproven = "BACKEND_ONLY MASKED LOW_N", "AMBIGUOUS MASKED"
	const first, trial, last = time.Minute, 2 * time.Minute, 3 * time.Minute
	sandwich := func(change func(v *visit)) []visit {
		return []visit{with(owner(first), change), with(stranger(trial), change), with(owner(last), change)}
	}
	between := func(v visit) []visit { return []visit{owner(first), stranger(trial), v, owner(last)} }
	empty := func(v *visit) {
		v.op, v.path = "getOrder", "/accounts/a1/ports"
		if v.denied != nil {
			v.class = policy.ClassEmpty
		}
	}
	for _, c := range []struct {
		rule   string
		visits []visit
		want   string
	}{
		{"served before and after", sandwich(func(*visit) {}), proven},
		{"never served: the thing may never have existed", []visit{stranger(trial)}, unproven},
		{"served before alone", []visit{owner(first), stranger(trial)}, unproven},
		{"served after alone", []visit{stranger(trial), owner(last)}, unproven},
		{"another thing of the owner was served", []visit{
			with(owner(first), func(v *visit) { v.path += "2" }), stranger(trial), with(owner(last), func(v *visit) { v.path += "2" }),
		}, unproven},
		{"the port of one account under another one: 404 by nesting", []visit{
			owner(first), with(stranger(trial), func(v *visit) { v.path, v.requested = "/accounts/b1/ports/p1", []string{"b1"} }), owner(last),
		}, unproven},
		{"the same nesting by a header", []visit{
			with(owner(first), func(v *visit) { v.path, v.carrier = "/ports/p1", "header.X-Account-Id" }),
			with(stranger(trial), func(v *visit) { v.path, v.carrier, v.requested = "/ports/p1", "header.X-Account-Id", []string{"b1"} }),
			with(owner(last), func(v *visit) { v.path, v.carrier = "/ports/p1", "header.X-Account-Id" }),
		}, unproven},
		{"served by another operation", []visit{
			with(owner(first), func(v *visit) { v.op = "getOrder" }), stranger(trial), with(owner(last), func(v *visit) { v.op = "getOrder" }),
		}, unproven},
		{"served to somebody who violates something else", []visit{
			owner(first), stranger(trial), with(owner(last), func(v *visit) { v.denied, v.reason = of(policy.InSchema), policy.SchemaMismatch }),
		}, unproven},
		{"not found by the owner either", []visit{owner(first), stranger(trial), with(owner(last), func(v *visit) { v.class = policy.Class404 })}, unproven},
		{"HEAD shows nothing", []visit{owner(first), stranger(trial), with(owner(last), func(v *visit) { v.method = "HEAD" })}, unproven},

		{"deleted between", between(remove(portOfA, trial+1)), unproven},
		{"deleted and made again before the trial", []visit{owner(first), remove(portOfA, first+1), stranger(trial), owner(last)}, unproven},
		{"what it lies in was deleted", between(remove("/accounts/a1/", trial+1)), unproven},
		{"what lies beside it was deleted", between(remove("/accounts/a1/ports/p", trial+1)), proven},
		{"deleted long before", []visit{remove(portOfA, 0), owner(first), stranger(trial), owner(last)}, proven},
		{"deleting was refused", between(with(remove(portOfA, trial+1), func(v *visit) { v.class = policy.Class403 })), proven},
		{"nobody knows whether it was deleted", between(with(remove(portOfA, trial+1), func(v *visit) { v.class = policy.ClassAbort })), unproven},
		{"something was deleted, and nobody knows what", between(remove("[redacted]", trial+1)), unproven},
		{"something unmatched was deleted", between(with(remove("/x", trial+1), func(v *visit) { v.op = policy.UnmatchedID })), unproven},

		{"a query parameter that is an account is known", sandwich(func(v *visit) {
			v.query, v.carrier = []string{"account"}, "path.accountId,query.account"
		}), proven},
		{"a query parameter that is none is not", sandwich(func(v *visit) { v.query = []string{"filter"} }), unproven},
		{"a body says more than the record", sandwich(func(v *visit) {
			v.change = func(rec *audit.Record) { *rec.HTTP.ReqBytes = 12 }
		}), unproven},
		{"a body of unknown length, too", sandwich(func(v *visit) { v.change = func(rec *audit.Record) { rec.HTTP.ReqBytes = nil } }), unproven},
		{"a path that was redacted", sandwich(func(v *visit) { v.path = "[redacted]" }), unproven},
		{"a path that is too long", sandwich(func(v *visit) { v.path = "/" + string(make([]byte, 1023)) }), unproven},
		{"a path without the value of a parameter", sandwich(func(v *visit) { v.path = "/accounts/{accountId}" }), unproven},
		{"a list of accounts that was cut", sandwich(func(v *visit) {
			v.change = func(rec *audit.Record) { rec.Truncated, rec.Disposition = true, "allowed" }
		}), unproven},

		{"a list that is empty for others", sandwich(empty), proven},
		{"a list of which nobody looked at the contents", sandwich(func(v *visit) {
			empty(v)
			v.change = func(rec *audit.Record) { rec.HTTP.InspectedBytes = 0 }
		}), unproven},
		{"a list that is empty for its owner, too", []visit{
			with(owner(first), empty), with(stranger(trial), empty), with(with(owner(last), empty), func(v *visit) { v.class = policy.ClassEmpty }),
		}, unproven},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := evidence.New(options())
			op := "createOrder"
			for _, v := range c.visits {
				if v.denied != nil {
					op = orDefault(v.op, op)
				}
			}
			serveClean(s, visit{op: op})
			send(s, 30, visit{op: op, at: trial}, "cust-a", "cust-b") // the baseline bears one refusal in 50
			for _, v := range c.visits {
				s.Consume(v.record())
			}
			assert.Equal(t, c.want, brief(cellOf(t, s, op, policy.AzAccount)))
		})
	}
}

func TestAProvenRefusalNeedsTheBaselineOfOthers(t *testing.T) {
	s := evidence.New(options())
	for _, v := range []visit{owner(1), stranger(2), owner(3)} {
		s.Consume(v.record())
	}
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	assert.Equal(t, "AMBIGUOUS MASKED", brief(cell), "two clean requests are no baseline")
	assert.Equal(t, "AMB 0/0/1/0", numbers(cell.Backend))

	serveClean(s, visit{})
	assert.Equal(t, "ENF 1/0/0/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))

	send(s, 3, visit{class: policy.Class404}, "cust-a")
	assert.Equal(t, "AMBIGUOUS MASKED", brief(cellOf(t, s, "createOrder", policy.AzAccount)), "a backend that finds nothing for anybody")
}

// The proof may come long after the trial; the clean request near it was seen then.
func TestAProofThatComesLateCounts(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	for _, v := range []visit{owner(time.Minute), stranger(2 * time.Minute), owner(5 * time.Hour)} {
		s.Consume(v.record())
	}
	assert.Equal(t, "ENF 1/0/0/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
}

func TestMaskedTellsWhetherAllRefusalsAre(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	for _, v := range []visit{owner(time.Minute), stranger(2 * time.Minute), stranger(3 * time.Minute), owner(4 * time.Minute), stranger(5 * time.Minute)} {
		s.Consume(v.record())
	}
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	assert.Equal(t, "ENF 2/0/1/0", numbers(cell.Backend), "the last one waits for its proof")
	assert.Equal(t, "BACKEND_ONLY MASKED LOW_N", brief(cell))
	assert.Contains(t, evidence.Sentence(cell), "the backend refused all of 2 requests with another customer's account, as if nothing were there")

	s.Consume(with(stranger(6*time.Minute), func(v *visit) { v.class = policy.Class403 }).record())
	assert.Equal(t, "BACKEND_ONLY LOW_N", brief(cellOf(t, s, "createOrder", policy.AzAccount)), "one says openly that it is a refusal")
}

func TestThingsAreBounded(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	numbered := func(v visit, i int) visit { v.path = fmt.Sprintf("/accounts/a1/ports/%d", i); return v }
	for i := range 600 {
		s.Consume(numbered(owner(time.Minute), i).record())
	}
	s.Consume(numbered(owner(2*time.Minute), 88).record()) // the oldest that is still known
	for i := range 600 {
		s.Consume(numbered(stranger(3*time.Minute), i).record())
	}
	assert.EqualValues(t, 512-64, s.Stats().ExistenceOverflow, "64 wait")
	for i := range 600 {
		s.Consume(numbered(owner(4*time.Minute), 599-i).record())
	}
	assert.Equal(t, "ENF 64/0/536/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
	assert.EqualValues(t, 512-64, s.Stats().ExistenceOverflow)

	s.Consume(numbered(stranger(5*time.Minute), 87).record())
	for i := range 600 {
		s.Consume(numbered(owner(6*time.Minute), 1000+i).record())
	}
	assert.EqualValues(t, 512-64+1, s.Stats().ExistenceOverflow, "what made room cannot be proven any more")
}

func TestTheThingThatWasServedLastStays(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	for i := range 2000 {
		at := time.Duration(i) * time.Second
		s.Consume(owner(at).record())
		s.Consume(with(owner(at), func(v *visit) { v.path = fmt.Sprintf("/accounts/a1/ports/%d", i) }).record())
	}
	s.Consume(stranger(2000 * time.Second).record())
	s.Consume(owner(2001 * time.Second).record())
	assert.Equal(t, "ENF 1/0/0/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
}

func TestDeletionsAreBounded(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	s.Consume(owner(time.Minute).record())
	s.Consume(stranger(2 * time.Minute).record())
	for i := range 257 {
		s.Consume(remove(fmt.Sprintf("/accounts/b1/ports/%d", i), 2*time.Minute+time.Second).record())
	}
	require.EqualValues(t, 1, s.Stats().ExistenceOverflow)
	s.Consume(owner(3 * time.Minute).record())
	assert.Equal(t, "AMB 0/0/1/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend), "the forgotten one may have been of this")

	s.Consume(stranger(4 * time.Minute).record())
	s.Consume(owner(5 * time.Minute).record())
	assert.Equal(t, "ENF 1/0/1/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
}
