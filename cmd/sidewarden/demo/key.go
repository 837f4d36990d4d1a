package demo

import (
	"cmp"
	"slices"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// Answer is one row of the answer key: what the sidecar must find out, by
// watching traffic alone.
type Answer struct {
	// Row is the number of the seeded truth; numbers are stable, and those that
	// need more than watching are not here. A truth about several operations has an
	// answer for each of them.
	Row       int
	Operation string
	// Control is empty when the row is about every control of the operation.
	Control          policy.Control
	Class            evidence.Class
	Modifiers        []evidence.Modifier
	Gateway, Backend evidence.State
	// Truth says in plain words how the world is.
	Truth string
}

func (a Answer) place() Place { return Place{Row: a.Row, Operation: a.Operation} }

// Key returns the answer key by row. What it does not name must stay undecided:
// the world gives no evidence of anything else.
func Key() []Answer {
	all := slices.Concat(tokenAnswers(), accountAnswers(), partnerAnswers(), messageAnswers(), limitAnswers())
	slices.SortStableFunc(all, func(a, b Answer) int { return cmp.Compare(a.Row, b.Row) })
	return all
}

// tokenAnswers are about how long tokens are good for.
func tokenAnswers() []Answer {
	const open, not, enf = evidence.StateOPEN, evidence.StateNOT, evidence.StateENF
	return []Answer{
		{
			Row: 3, Operation: "getReport", Control: policy.TokTime, Class: evidence.ClassBackendOnly, Gateway: open, Backend: enf,
			Truth: "The gateway takes expired tokens under /v1/reports/. The backend refuses them with 401.",
		},
		{
			Row: 4, Operation: "listPorts", Control: policy.TokTime, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "Nobody looks at nbf: a token works before its time.",
		},
		{
			Row: 22, Operation: "listSites", Control: policy.TokTTL, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "The tokens of the monitoring live for 24 hours, and nobody minds. One hour was agreed.",
		},
	}
}

// accountAnswers are about whose data it is.
func accountAnswers() []Answer {
	const open, not, enf = evidence.StateOPEN, evidence.StateNOT, evidence.StateENF
	return []Answer{
		{
			Row: 6, Operation: "setBandwidth", Control: policy.AzAccount, Class: evidence.ClassNone,
			Modifiers: []evidence.Modifier{evidence.ModByOperation}, Gateway: open, Backend: not,
			Truth: "Nobody compares the account in the path with the token: a customer changes the bandwidth of another one's port.",
		},
		{
			Row: 7, Operation: "getPort", Control: policy.AzAccount, Class: evidence.ClassBackendOnly,
			Modifiers: []evidence.Modifier{evidence.ModByOperation, evidence.ModMasked}, Gateway: open, Backend: enf,
			Truth: "Asked for a port of a foreign account, the backend says 404, as if the port did not exist. Its owner gets it.",
		},
		{
			Row: 9, Operation: "getUsage", Control: policy.AzAccount, Class: evidence.ClassInconsistent,
			Modifiers: []evidence.Modifier{evidence.ModByInstance}, Gateway: open, Backend: evidence.StatePART,
			Truth: "ports-2 (v3.2) refuses a foreign account with 403. ports-1 (v3.1) was never upgraded and does not look.",
		},
		{
			Row: 11, Operation: "listBgpPolicies", Control: policy.AzAccount, Class: evidence.ClassBackendOnly,
			Modifiers: []evidence.Modifier{evidence.ModMasked}, Gateway: open, Backend: enf,
			Truth: "The backend filters the list by the token without a word: of a foreign account it shows no rows.",
		},
		{
			Row: 19, Operation: "listOrders", Control: policy.AzAccount, Class: evidence.ClassBackendOnly,
			Modifiers: []evidence.Modifier{evidence.ModSoft}, Gateway: open, Backend: enf,
			Truth: "The backend refuses a foreign account inside a 200: success is false, ErrorCode is forbidden.",
		},
	}
}

// partnerAnswers are about whom the partner may act for.
func partnerAnswers() []Answer {
	const open, not, enf = evidence.StateOPEN, evidence.StateNOT, evidence.StateENF
	const together = " Measurement calls the pair of operations INCONSISTENT BY_OPERATION."
	return []Answer{
		{
			Row: 10, Operation: "listOrders", Control: policy.AzDelegate, Class: evidence.ClassBackendOnly,
			Modifiers: []evidence.Modifier{evidence.ModByOperation, evidence.ModSoft}, Gateway: open, Backend: enf,
			Truth: "The partner acts for one customer and asks for the orders of the other. The backend refuses, inside a 200." + together,
		},
		{
			Row: 10, Operation: "createOrder", Control: policy.AzDelegate, Class: evidence.ClassNone,
			Modifiers: []evidence.Modifier{evidence.ModByOperation}, Gateway: open, Backend: not,
			Truth: "The partner orders in the name of the customer that it does not act for, and the backend takes the order." + together,
		},
	}
}

// messageAnswers are about what is sent, and where to.
func messageAnswers() []Answer {
	const open, not = evidence.StateOPEN, evidence.StateNOT
	return []Answer{
		{
			Row: 12, Operation: "createOrder", Control: policy.InSchema, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "The property monthlyCost, which the contract does not know, is taken and stored with the order.",
		},
		{
			Row: 13, Operation: "setBandwidth", Control: policy.InSchema, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "A property that the contract does not know is ignored. From outside that looks as if it were taken.",
		},
		{
			Row: 14, Operation: "createOrder", Control: policy.InWellformed, Class: evidence.ClassNone,
			Modifiers: []evidence.Modifier{evidence.ModErrorMasked}, Gateway: open, Backend: not,
			Truth: "Broken JSON crashes the backend's parser: 500 is a crash, not a control.",
		},
		{
			Row: 15, Operation: "createBgpPolicy", Control: policy.InCtype, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "A body of type text/plain is taken as if it were JSON.",
		},
		{
			Row: 21, Operation: policy.UnmatchedID, Control: policy.InRoute, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "/internal/debug and the forgotten /v0 are served, and no contract knows them.",
		},
		{
			Row: 25, Operation: "suspendAccount", Class: evidence.ClassUnobserved, Gateway: evidence.StateUNK, Backend: evidence.StateUNK,
			Truth: "Nobody calls the administration, so nothing is known of it, and that must be said.",
		},
	}
}

// limitAnswers are the rows about limits, which have traffic of their own.
func limitAnswers() []Answer {
	const open, not = evidence.StateOPEN, evidence.StateNOT
	return []Answer{
		{
			Row: metersRow, Operation: "listMeters", Control: policy.RateCustomer, Class: evidence.ClassNone, Gateway: open, Backend: not,
			Truth: "The backend limits each application, and nobody the customer: with two applications it gets twice as much.",
		},
		{
			Row: eventsRow, Operation: "listEvents", Control: policy.RateApp, Class: evidence.ClassInconsistent,
			Modifiers: []evidence.Modifier{evidence.ModByInstance}, Gateway: open, Backend: evidence.StatePART,
			Truth: "Each instance of the backend counts an application's requests by itself: two of them let twice as many through.",
		},
	}
}
