package compile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// TestWhichControlJudgesALimit is the rule of the configuration: account in the key
// makes it one of rate.customer, else rate.app; a quota is one of rate.quota.
func TestWhichControlJudgesALimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, limit, want string }{
		{"a rate by client", "key: [client], rate: 1/s", "rate.app"},
		{"a rate by peer", "key: [peer, operation], rate: 1/s", "rate.app"},
		{"a rate by account", "key: [account], rate: 1/s", "rate.customer"},
		{"a rate by account and client", "key: [client, account], rate: 1/s", "rate.customer"},
		{"a quota by client", "key: [client], quota: 5/day", "rate.quota"},
		{"a quota by account", "key: [account], quota: 5/day", "rate.quota"},
		{"both by account", "key: [account], rate: 1/s, quota: 5/day", "rate.customer rate.quota"},
		{"both by client", "key: [client], rate: 1/s, quota: 5/day", "rate.app rate.quota"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := must(t, head+accounts+"limits: [{name: l, "+c.limit+"}]\n")
			var rules, limits []string
			for _, r := range operation(t, out.Policy, "listPorts").Rules {
				if strings.HasPrefix(string(r.Control), "rate.") {
					rules = append(rules, string(r.Control))
				}
			}
			for _, l := range out.Parts.Limits() {
				limits = append(limits, string(l.Control))
				assert.Equal(t, l.Control == policy.RateQuota, l.Quota != nil)
				assert.NotEqual(t, l.Quota == nil, l.Limiter == nil)
				assert.Equal(t, policy.Shadow, l.Mode)
			}
			assert.Equal(t, c.want, strings.Join(rules, " "))
			assert.Equal(t, c.want, strings.Join(limits, " "))
		})
	}
}

// TestALimitOfSomeOperations counts those alone, whatever names them, and each in
// the mode that the operation has.
func TestALimitOfSomeOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, operations, want string }{
		{"all", "", "<nil>"},
		{"one by its id", "operations: [listPorts],", "[listPorts]"},
		{"one by method and path", `operations: ["GET /accounts/{accountId}/ports"],`, "[listPorts]"},
		{"requests that match none", "operations: [unmatched],", "[unmatched]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := must(t, head+accounts+"limits: [{name: l, key: [client], "+c.operations+" rate: 1/s}]\n").Parts.Limits()
			require.Len(t, limits, 1)
			if limits[0].Operations == nil {
				assert.Equal(t, c.want, "<nil>")
				return
			}
			assert.Equal(t, c.want, fmt.Sprint(limits[0].Operations))
		})
	}
	out := must(t, head+accounts+`limits: [{name: l, key: [client], operations: [listPorts], rate: 1/h, burst: 1}]
controls: {tok: "off", rate.app: enforce}
`)
	require.Len(t, out.Parts.Limits(), 1, "there is none in shadow")
	for _, want := range []policy.Effect{policy.Permit, policy.Deny} {
		v, _ := judge(t, out.Policy, port("acct-1"), "", policy.RateApp)
		assert.Equal(t, want, v.Effect)
		v, blocks := judge(t, out.Policy, &policy.Request{Method: "POST", Path: "/accounts/acct-1/ports"}, `{"name":"n"}`, policy.RateApp)
		assert.Equal(t, policy.NotApplicable, v.Effect, "another operation is not counted")
		assert.Empty(t, blocks)
	}
	_, err := build(t, head+accounts+"limits: [{name: l, key: [client], operations: [listPort], rate: 1/s}]\n")
	require.ErrorContains(t, err, `limits[0].operations[0]: the contract has no such operation; did you mean "listPorts"?`)
}

// port is a request of listPorts for an account.
func port(account string) *policy.Request {
	return &policy.Request{Method: "GET", Path: "/accounts/" + account + "/ports"}
}

func TestACustomerIsChargedWhereTheBodyMayNameHim(t *testing.T) {
	t.Parallel()
	p := must(t, head+accounts+`limits: [{name: l, key: [account], rate: 1/h, burst: 2}]
controls: {tok: "off", rate.customer: enforce}
`).Policy
	stranger, own := "/accounts/acct-2/ports", "/accounts/acct-1/ports"
	for range 2 {
		v, _ := judge(t, p, &policy.Request{Method: "GET", Path: stranger}, "", policy.RateCustomer)
		require.Equal(t, policy.Permit, v.Effect, "from the bucket of the client")
	}
	v, blocks := judge(t, p, &policy.Request{Method: "GET", Path: stranger}, "", policy.RateCustomer)
	assert.Equal(t, policy.RateExceeded, v.Reason)
	assert.Equal(t, policy.RateCustomer, blocks)
	v, _ = judge(t, p, port("acct-1"), "", policy.RateCustomer)
	assert.Equal(t, policy.Permit, v.Effect)
	v, _ = judge(t, p, &policy.Request{Method: "POST", Path: own}, `{"name":"n"}`, policy.RateCustomer)
	assert.Equal(t, policy.Permit, v.Effect)
	v, _ = judge(t, p, port("acct-1"), "", policy.RateCustomer)
	assert.Equal(t, policy.RateExceeded, v.Reason, "all operations of the customer share")
}

func TestARateAndAQuotaOfOneModeAreOneStep(t *testing.T) {
	t.Parallel()
	const limits = "limits: [{name: l, key: [account], rate: 1/h, burst: 5, quota: 1/day}, {name: c, key: [client], rate: 1/h, burst: 2}]\n"
	for _, c := range []struct{ name, modes, want string }{
		{"in one mode a denial spends nothing", "rate.app: enforce, rate.customer: enforce, rate.quota: enforce", "rate.quota rate.quota rate.quota"},
		{"in another mode it has nothing to do with it", "rate.app: enforce, rate.customer: enforce", " rate.app rate.app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := must(t, head+accounts+limits+"controls: {tok: \"off\", "+c.modes+"}\n").Policy
			_, blocks := judge(t, p, port("acct-1"), "", policy.RateApp)
			require.Empty(t, blocks)
			var got []string
			for range 3 {
				_, blocks = judge(t, p, port("acct-1"), "", policy.RateApp)
				got = append(got, string(blocks))
			}
			assert.Equal(t, c.want, strings.Join(got, " "))
		})
	}
}

func TestAReloadKeepsWhatIsTheSame(t *testing.T) {
	t.Parallel()
	const limits = "limits: [{name: l, key: [account, client], rate: 1/s, quota: 5/day}]\n"
	first := must(t, head+accounts+limits)
	for _, c := range []struct {
		name, from, to   string
		sameRate, sameQt bool
	}{
		{"nothing changed", "", "", true, true},
		{"the order of the key is none", "[account, client]", "[client, account]", true, true},
		{"another rate leaves the quota", "1/s", "2/s", false, true},
		{"another quota leaves the rate", "5/day", "6/day", true, false},
		{"another period leaves the rate", "5/day", "5/hour", true, false},
		{"another key is another limit", "[account, client]", "[account]", false, false},
		{"another name is another limit", "name: l", "name: m", false, false},
	} {
		cfg := read(t, head+accounts+strings.Replace(limits, c.from, c.to, 1))
		out, err := compile.Compile(compile.Input{Config: cfg, Now: now, Previous: first.Parts})
		require.NoError(t, err, c.name)
		before, after := first.Parts.Limits(), out.Parts.Limits()
		require.Len(t, after, 2, c.name)
		assert.Equal(t, c.sameRate, before[0].Limiter == after[0].Limiter, c.name)
		assert.Equal(t, c.sameQt, before[1].Quota == after[1].Quota, c.name)
		assert.Equal(t, 24*time.Hour-time.Duration(now().Hour())*time.Hour, before[1].Quota.Usage(now(), 0).Ends.Sub(now()), c.name)
	}
}

func TestALimitByAccountNeedsTheBoundary(t *testing.T) {
	t.Parallel()
	const limits = "limits: [{name: a, key: [client], rate: 1/s}, {name: b, key: [account], rate: 1/s}]\n"
	for _, c := range []struct {
		name, text string
		warned     bool
	}{
		{"with account rules it counts by account", accounts, false},
		{"without account rules it cannot", "", true},
		{"nor with az.account off", accounts + "controls: {az.account: \"off\"}\n", true},
		{"one operation is enough", accounts + "controls: {az.account: \"off\"}\noperations: {listPorts: {controls: {az.account: shadow}}}\n", false},
	} {
		var fields []string
		for _, w := range must(t, head+limits+c.text).Warnings {
			if strings.Contains(w.Cause, "counts by client instead") {
				fields = append(fields, w.Field)
			}
		}
		if c.warned {
			assert.Equal(t, []string{"limits[1].key"}, fields, c.name)
		} else {
			assert.Empty(t, fields, c.name)
		}
	}
}
