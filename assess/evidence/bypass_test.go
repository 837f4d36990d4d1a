package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// proven is a store behind a gateway that proves itself.
func proven(kind string) *evidence.Store {
	o := options()
	for i := range o.Operations {
		o.Operations[i].Controls = append(of(policy.PathGateway), o.Operations[i].Controls...)
	}
	o.Gateway.Proof = true
	o.CredentialKind = kind
	return evidence.New(o)
}

// around is a request that did not come through the gateway.
func around(also ...policy.Control) visit {
	return visit{denied: append(of(policy.PathGateway), also...), reason: policy.GatewayProofMissing}
}

func TestWithProofAnArrivalShowsTheGatewayOpen(t *testing.T) {
	s := proven("client_token")
	foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	send(s, 4, foreign, "a", "b")
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	assert.Equal(t, "NONE", brief(cell))
	assert.Equal(t, evidence.StateOPEN, cell.Gateway.State)
	assert.False(t, cell.Gateway.Unproven)
}

func TestWithoutAProofAnArrivalIsUnproven(t *testing.T) {
	s := evidence.New(options())
	send(s, 4, visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}, "a", "b")
	assert.True(t, cellOf(t, s, "createOrder", policy.AzAccount).Gateway.Unproven)
}

// Who comes around the gateway says nothing of it, only that there is a way around.
func TestARequestAroundTheGatewaySaysNothingOfIt(t *testing.T) {
	for _, c := range []struct {
		rule    string
		visits  visit
		control policy.Control
		want    string
		gateway evidence.State
		backend evidence.State
	}{
		{"the backend serves it", around(), policy.PathGateway, "NONE BYPASSABLE", evidence.StateNA, evidence.StateNOT},
		{"the backend refuses it", visit{denied: of(policy.PathGateway), reason: policy.GatewayProofMissing, class: policy.Class403}, policy.PathGateway, "BACKEND_ENFORCED BYPASSABLE LOW_N", evidence.StateNA, evidence.StateENF},
		{"the sidecar blocks it", visit{denied: of(policy.PathGateway), reason: policy.GatewayProofMissing, class: policy.ClassNone}, policy.PathGateway, "UNOBSERVED", evidence.StateNA, evidence.StateUNK},
		{"it violates something else too", around(policy.AzAccount), policy.AzAccount, "UNOBSERVED", evidence.StateUNK, evidence.StateUNK},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := proven("client_token")
			serveClean(s, visit{})
			send(s, 6, c.visits, "a", "b")
			cell := cellOf(t, s, "createOrder", c.control)
			assert.Equal(t, c.want, brief(cell))
			assert.Equal(t, c.gateway, cell.Gateway.State)
			assert.Equal(t, c.backend, cell.Backend.State)
			if len(c.visits.denied) > 1 {
				assert.EqualValues(t, 6, cell.Confounded)
				assert.EqualValues(t, 6, cellOf(t, s, "createOrder", policy.PathGateway).Confounded)
			}
		})
	}
}

// What is known of the operation's other controls stays, and says that there is a
// way around; other operations are not concerned.
func TestAWayAroundMarksTheCellsOfItsOperation(t *testing.T) {
	s := proven("client_token")
	foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	send(s, 4, foreign, "a", "b")
	other := foreign
	other.op = "getOrder"
	send(s, 4, other, "a", "b")
	send(s, 3, around(), "a", "b")
	assert.Equal(t, "NONE BYPASSABLE", brief(cellOf(t, s, "createOrder", policy.AzAccount)))
	assert.Equal(t, "NONE", brief(cellOf(t, s, "getOrder", policy.AzAccount)))
	assert.Equal(t, "UNOBSERVED", brief(cellOf(t, s, "createOrder", policy.InSize)), "what nothing is known of carries nothing")
	assert.Equal(t, "nobody checks whether a request came through the gateway: 3 requests without the proof of the gateway were answered 2xx by ports-1",
		evidence.Sentence(cellOf(t, s, "createOrder", policy.PathGateway)))
}

func TestBehindAssertedIdentitiesTokensStayUntestable(t *testing.T) {
	for _, kind := range []string{"identity_headers", "gateway_token"} {
		s := proven(kind)
		send(s, 6, visit{denied: of(policy.TokTime), reason: policy.TokenExpired}, "a", "b")
		send(s, 6, around(), "a", "b")
		cell := cellOf(t, s, "createOrder", policy.TokTime)
		assert.Equal(t, "UNTESTABLE", brief(cell), kind)
		assert.Equal(t, evidence.StateUNK, cell.Gateway.State, kind)
		assert.Equal(t, evidence.StateUNK, cell.Backend.State, kind)
		assert.Equal(t, "NONE BYPASSABLE", brief(cellOf(t, s, "createOrder", policy.PathGateway)), kind)
	}
}
