package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

func TestBaselineRule(t *testing.T) {
	for _, c := range []struct {
		rule   string
		clean  evidence.Clean
		timely bool
		want   bool
	}{
		{"enough of everything", evidence.NewClean(20, 20, 2, 0), true, true},
		{"nothing", evidence.NewClean(0, 0, 0, 0), true, false},
		{"one clean request too few", evidence.NewClean(19, 19, 2, 0), true, false},
		{"a single caller proves nothing", evidence.NewClean(1000, 1000, 1, 0), true, false},
		{"no clean request near the trial", evidence.NewClean(1000, 1000, 9, 0), false, false},
		{"2 % of clean requests refused alike", evidence.NewClean(49, 50, 2, 1), true, true},
		{"more than 2 % refused alike", evidence.NewClean(48, 49, 2, 1), true, false},
		{"30 % refused alike", evidence.NewClean(700, 1000, 2, 300), true, false},
		{"other failures do not matter, only this class", evidence.NewClean(20, 100, 2, 0), true, true},
		{"all refused", evidence.NewClean(0, 100, 2, 100), true, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			assert.Equal(t, c.want, evidence.Supports(c.clean, c.timely))
		})
	}
}

func TestRefusalsAgainstTheirBaseline(t *testing.T) {
	refused := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403, client: "script"}
	at := func(v visit, d time.Duration) visit { v.at = d; return v }
	for _, c := range []struct {
		rule  string
		world func(s *evidence.Store)
		want  string
	}{
		{"without clean requests it is ambiguous", func(s *evidence.Store) { send(s, 1, refused) }, "AMB 0/0/1/0"},
		{"clean requests before it support it", func(s *evidence.Store) { serveClean(s, visit{}); send(s, 1, at(refused, time.Minute)) }, "ENF 1/0/0/0"},
		{"clean requests after it support it", func(s *evidence.Store) { send(s, 1, refused); serveClean(s, visit{at: time.Minute}) }, "ENF 1/0/0/0"},
		{"clean requests long before do not", func(s *evidence.Store) { serveClean(s, visit{}); send(s, 1, at(refused, time.Hour)) }, "AMB 0/0/1/0"},
		{"clean requests long after do not", func(s *evidence.Store) { send(s, 1, refused); serveClean(s, visit{at: time.Hour}) }, "AMB 0/0/1/0"},
		{"one clean request in reach is enough when the others came earlier", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 1, at(refused, time.Hour))
			send(s, 1, visit{at: time.Hour + 14*time.Minute}, "cust-a")
		}, "ENF 1/0/0/0"},
		{"15 minutes are the limit", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 1, at(refused, time.Hour))
			send(s, 1, visit{at: time.Hour + 15*time.Minute + time.Second}, "cust-a")
		}, "AMB 0/0/1/0"},
		{"clean requests of another instance do not", func(s *evidence.Store) { serveClean(s, visit{instance: "ports-2"}); send(s, 1, refused) }, "AMB 0/0/1/0"},
		{"clean requests of another operation do not", func(s *evidence.Store) { serveClean(s, visit{op: "getOrder"}); send(s, 1, refused) }, "AMB 0/0/1/0"},
		{"clean requests that are refused alike do not", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 1, visit{class: policy.Class403}, "cust-a")
			send(s, 1, refused)
		}, "AMB 0/0/1/0"},
		{"clean requests that fail otherwise do not matter", func(s *evidence.Store) {
			serveClean(s, visit{})
			send(s, 5, visit{class: policy.Class500}, "cust-a")
			send(s, 1, refused)
		}, "ENF 1/0/0/0"},
		{"a masked refusal stays ambiguous", func(s *evidence.Store) {
			serveClean(s, visit{})
			masked := refused
			masked.class = policy.Class404
			send(s, 3, masked)
		}, "AMB 0/0/3/0"},
		{"a leak needs no baseline", func(s *evidence.Store) {
			leaked := refused
			leaked.class = policy.ClassOK
			send(s, 3, leaked)
		}, "NOT 3/3/0/0"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := evidence.New(options())
			c.world(s)
			assert.Equal(t, c.want, numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
		})
	}
}

func TestPendingRefusalsAreBounded(t *testing.T) {
	s := evidence.New(options())
	send(s, 100, visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403}, "script")
	serveClean(s, visit{at: 2 * time.Minute})
	assert.Equal(t, "ENF 32/0/68/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
	assert.EqualValues(t, 68, s.Stats().PendingOverflow)
}
