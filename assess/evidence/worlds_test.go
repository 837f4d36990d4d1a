package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// violations has one violation of every control of the plan, and the answer of
// a backend that enforces it.
func violations() []visit {
	return []visit{
		{denied: of(policy.TokPresent), reason: policy.CredentialMissing, class: policy.Class401},
		{denied: of(policy.TokSig), reason: policy.TokenSignature, class: policy.Class401},
		{denied: of(policy.TokTime), reason: policy.TokenExpired, class: policy.Class401},
		{denied: of(policy.AzScope), reason: policy.ScopeMissing, class: policy.Class403},
		{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403},
		{denied: of(policy.InCtype), reason: policy.ContentTypeUndeclared, class: policy.Class415},
		{denied: of(policy.RateApp), reason: policy.RateExceeded, class: policy.Class429},
		{denied: of(policy.InSize), reason: policy.BodyTooLarge, class: policy.ClassSize},
		{denied: of(policy.InWellformed), reason: policy.JSONSyntax, class: policy.ClassInput},
		{denied: of(policy.InSchema), reason: policy.SchemaMismatch, class: policy.ClassInput},
	}
}

// attack sends every violation of every operation for 90 seconds, by clients in
// turn; an open backend answers all of them with R-OK.
func attack(s *evidence.Store, open bool, clients ...string) {
	for _, op := range []string{"createOrder", "getOrder"} {
		for _, instance := range []string{"ports-1", "ports-2"} {
			for _, v := range violations() {
				v.op, v.instance = op, instance
				if open {
					v.class = policy.ClassOK
				}
				send(s, 90, v, clients...)
			}
		}
	}
}

func clean(s *evidence.Store, clients ...string) {
	for _, op := range []string{"createOrder", "getOrder"} {
		for _, instance := range []string{"ports-1", "ports-2"} {
			send(s, 100, visit{op: op, instance: instance}, clients...)
		}
	}
}

func tested(s *evidence.Store) []evidence.Cell {
	var cells []evidence.Cell
	for _, c := range s.Cells() {
		if c.Operation != policy.UnmatchedID {
			cells = append(cells, c)
		}
	}
	return cells
}

func TestWorldInWhichEverythingIsEnforced(t *testing.T) {
	s := evidence.New(options())
	clean(s, "cust-a", "cust-b")
	attack(s, false, "script", "partner")
	for _, c := range tested(s) {
		assert.Zero(t, c.Backend.K, "%s %s", c.Operation, c.Control)
		assert.Equal(t, "BACKEND_ONLY LOW_N", brief(c), "%s %s", c.Operation, c.Control)
	}
}

func TestWorldInWhichEverythingIsOpen(t *testing.T) {
	s := evidence.New(options())
	clean(s, "cust-a", "cust-b")
	attack(s, true, "script", "partner")
	for _, c := range tested(s) {
		assert.Equal(t, evidence.ClassNone, c.Class, "%s %s", c.Operation, c.Control)
		assert.Equal(t, c.Backend.N, c.Backend.K, "%s %s", c.Operation, c.Control)
		anonymous := c.Control == policy.TokPresent || c.Control == policy.TokSig
		assert.Equal(t, anonymous, c.Has(evidence.ModLowN), "callers without a proven client are one: %s", c.Control)
	}
}

func TestWorldThatDeletesOneCheckOfTheBackend(t *testing.T) {
	before, after := evidence.New(options()), evidence.New(options())
	for _, s := range []*evidence.Store{before, after} {
		clean(s, "cust-a", "cust-b")
		for _, v := range violations() {
			if s == after && v.denied[0] == policy.AzAccount {
				v.class = policy.ClassOK
			}
			send(s, 90, v, "script", "partner")
		}
	}
	var changed []string
	was := before.Cells()
	for i, c := range after.Cells() {
		if brief(c) != brief(was[i]) {
			changed = append(changed, c.Operation+" "+string(c.Control)+": "+brief(c))
		}
	}
	assert.Equal(t, []string{"createOrder az.account: NONE"}, changed)
}

func TestWorldThatRefusesThirtyPercentOfCleanRequests(t *testing.T) {
	for _, v := range violations() {
		t.Run(string(v.denied[0]), func(t *testing.T) {
			s := evidence.New(options())
			send(s, 700, visit{}, "cust-a", "cust-b")
			send(s, 300, visit{class: v.class}, "cust-a", "cust-b")
			v.at = 10 * time.Minute
			send(s, 90, v, "script")
			cell := cellOf(t, s, "createOrder", v.denied[0])
			assert.Equal(t, evidence.StateAMB, cell.Backend.State)
			assert.Equal(t, evidence.ClassAmbiguous, cell.Class)
		})
	}
}

func TestWorldWithOneScriptAsTheOnlyCaller(t *testing.T) {
	s := evidence.New(options())
	clean(s, "script")
	attack(s, false, "script")
	for _, c := range s.Cells() {
		assert.NotEqual(t, evidence.StateENF, c.Backend.State, "%s %s", c.Operation, c.Control)
	}
}

func TestWorldWithAGatewayThatStripsTokens(t *testing.T) {
	stripped := visit{denied: of(policy.TokPresent), reason: policy.CredentialMissing}
	for _, c := range []struct{ rule, kind string }{
		{"the config says that the gateway asserts identities", "identity_headers"},
		{"the config says that the gateway has its own tokens", "gateway_token"},
		{"nobody told the config", "client_token"},
		{"the default", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := options()
			o.CredentialKind = c.kind
			s := evidence.New(o)
			send(s, 100, stripped, "cust-a", "cust-b", "partner")
			for _, cell := range s.Cells() {
				if !strings.HasPrefix(string(cell.Control), "tok.") {
					continue
				}
				assert.Contains(t, []evidence.Class{evidence.ClassUntestable, evidence.ClassUnobserved}, cell.Class, cell.Control)
				assert.Equal(t, evidence.StateUNK, cell.Gateway.State, cell.Control)
				assert.Equal(t, evidence.StateUNK, cell.Backend.State, cell.Control)
			}
			assert.Equal(t, evidence.ClassUntestable, cellOf(t, s, "createOrder", policy.TokPresent).Class)
		})
	}
}

func TestCredentialsOfTheGatewayLeaveAccessTestable(t *testing.T) {
	o := options()
	o.CredentialKind = "identity_headers"
	s := evidence.New(o)
	send(s, 4, visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}, "cust-a", "cust-b")
	assert.Equal(t, "NONE", brief(cellOf(t, s, "createOrder", policy.AzAccount)))
	for _, cell := range s.Cells() {
		if strings.HasPrefix(string(cell.Control), "tok.") {
			assert.Equal(t, evidence.ClassUntestable, cell.Class, "%s %s", cell.Operation, cell.Control)
		}
	}
}

func TestWorkedExamples(t *testing.T) {
	foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	as := func(v visit, class policy.ResponseClass) visit { v.class = class; return v }
	for _, c := range []struct {
		rule    string
		world   func(s *evidence.Store)
		control policy.Control
		want    string
	}{
		{"14 foreign accounts by 3 clients, all 200", func(s *evidence.Store) { send(s, 14, foreign, "a", "b", "c") }, policy.AzAccount, "NONE"},
		{"the same by one client", func(s *evidence.Store) { send(s, 14, foreign, "a") }, policy.AzAccount, "NONE LOW_N"},
		{"foreign account is 404: masked, existence unproven", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 9, as(foreign, policy.Class404), "a")
		}, policy.AzAccount, "AMBIGUOUS MASKED"},
		{"malformed JSON crashes the backend", func(s *evidence.Store) {
			send(s, 12, visit{denied: of(policy.InWellformed), reason: policy.JSONSyntax, class: policy.Class500}, "a", "b")
		}, policy.InWellformed, "NONE ERROR_MASKED"},
		{"foreign account and unknown field in one request", func(s *evidence.Store) {
			send(s, 9, visit{denied: of(policy.AzAccount, policy.InSchema), reason: policy.SchemaMismatch, class: policy.Class403}, "a")
		}, policy.AzAccount, "UNOBSERVED"},
		{"nobody ever tried, after many clean requests", func(s *evidence.Store) { send(s, 5000, visit{}, "a", "b") }, policy.AzScope, "UNOBSERVED"},
		{"the gateway skips expiry, the backend does not", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 5, visit{denied: of(policy.TokTime), reason: policy.TokenExpired, class: policy.Class401}, "a")
		}, policy.TokTime, "BACKEND_ONLY LOW_N"},
		{"refused inside a success answer", func(s *evidence.Store) {
			serveClean(s, visit{})
			soft := as(foreign, policy.ClassSoftDeny)
			soft.soft = policy.AuthZObj
			send(s, 5, soft, "a")
		}, policy.AzAccount, "BACKEND_ONLY SOFT LOW_N"},
		{"one instance checks, the other does not", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 6, as(foreign, policy.Class403), "a")
			leak := foreign
			leak.instance = "ports-2"
			send(s, 6, leak, "a")
		}, policy.AzAccount, "INCONSISTENT BY_INSTANCE"},
		{"undocumented path served", func(s *evidence.Store) {
			send(s, 4, visit{op: policy.UnmatchedID, denied: of(policy.InRoute), reason: policy.RouteUnknown}, "a", "b")
		}, policy.InRoute, "NONE"},
		{"blocked by us: only the arrival is known", func(s *evidence.Store) { send(s, 4, as(foreign, policy.ClassNone), "a") }, policy.AzAccount, "GATEWAY_OPEN DEPTH_UNKNOWN"},
		{"the backend was down", func(s *evidence.Store) { send(s, 4, as(foreign, policy.ClassUnavail), "a") }, policy.AzAccount, "GATEWAY_OPEN DEPTH_UNKNOWN"},
		{"the policy cannot decide 1 in 20", func(s *evidence.Store) {
			send(s, 14, foreign, "a", "b")
			send(s, 5, visit{}, "a")
			send(s, 1, visit{vague: of(policy.AzAccount)}, "a")
		}, policy.AzAccount, "INDETERMINATE_POLICY"},
		{"the policy cannot decide fewer", func(s *evidence.Store) {
			send(s, 14, foreign, "a", "b")
			send(s, 6, visit{}, "a")
			send(s, 1, visit{vague: of(policy.AzAccount)}, "a")
		}, policy.AzAccount, "NONE"},
		{"left undecided by another control is not the policy's fault", func(s *evidence.Store) {
			send(s, 50, visit{denied: of(policy.TokSig), reason: policy.TokenSignature})
		}, policy.AzAccount, "UNOBSERVED"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := evidence.New(options())
			c.world(s)
			op := "createOrder"
			if c.control == policy.InRoute {
				op = policy.UnmatchedID
			}
			assert.Equal(t, c.want, brief(cellOf(t, s, op, c.control)))
		})
	}
}

func TestGatewayPosition(t *testing.T) {
	leak := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	for _, c := range []struct {
		rule     string
		gateway  evidence.Gateway
		want     string
		unproven bool
		class    string
	}{
		{"without proof an arrival is a leak, flagged", evidence.Gateway{Present: true}, "OPEN 0/4/0/0", true, "NONE"},
		{"with proof it is a leak", evidence.Gateway{Present: true, Proof: true}, "OPEN 0/4/0/0", false, "NONE"},
		{"without a gateway there is none", evidence.Gateway{}, "NA 0/4/0/0", false, "NONE"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := options()
			o.Gateway = c.gateway
			s := evidence.New(o)
			send(s, 4, leak, "a", "b")
			cell := cellOf(t, s, "createOrder", policy.AzAccount)
			assert.Equal(t, c.want, numbers(cell.Gateway))
			assert.Equal(t, c.unproven, cell.Gateway.Unproven)
			assert.Equal(t, c.class, brief(cell))
		})
	}
}
