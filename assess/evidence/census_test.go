package evidence_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

const (
	idp     = "https://idp.example.net"
	partner = "https://partner.example.net"
	unheard = "p1_strangerstrangerstranger12" // what a record has of an issuer that is not configured
)

func censusOptions() evidence.CensusOptions {
	return evidence.CensusOptions{Issuers: []string{idp, partner}, Since: t0}
}

// sent is one request with a credential, as its record has it.
type sent struct {
	issuer, client, op string
	at                 time.Duration
	unproven           bool
	findings           []audit.Finding
	change             func(rec *audit.Record)
}

func (s sent) record() *audit.Record {
	seconds := func(n int64) *int64 { return &n }
	rec := &audit.Record{
		Time: t0.Add(s.at), Op: audit.Op{ID: orDefault(s.op, "createOrder")}, Findings: s.findings,
		Auth: audit.Auth{Outcome: audit.AuthSuccess, Reason: audit.TokenValid},
		Tok: &audit.Tok{
			Iss: orDefault(s.issuer, idp), Alg: "RS256", Kid: "p1_k1", Typ: "at+jwt", AgeS: seconds(90), TTLS: seconds(3600),
			ScopesN: 2, Scopes: []string{"orders:read", "orders:write"}, Missing: []string{"nbf"}, FP: "p1_f",
		},
	}
	if s.unproven {
		rec.Claimed = &audit.Claimed{ClientID: s.client, Iss: rec.Tok.Iss}
		rec.Auth = audit.Auth{Outcome: audit.AuthFailure, Reason: policy.TokenSignature}
	} else {
		rec.ClientID, rec.PrincipalID = s.client, "p1_somebody"
	}
	if s.change != nil {
		s.change(rec)
	}
	return rec
}

// without is the record of a request without a token.
func without(outcome string, reason policy.Reason, findings ...audit.Finding) *audit.Record {
	return &audit.Record{Time: t0, Op: audit.Op{ID: "getOrder"}, Auth: audit.Auth{Outcome: outcome, Reason: reason}, Findings: findings}
}

func denial(control policy.Control, reason policy.Reason) audit.Finding {
	return audit.Finding{Control: control, Effect: "deny", Reason: reason, Mode: "shadow"}
}

func doubt(control policy.Control, reason policy.Reason) audit.Finding {
	return audit.Finding{Control: control, Effect: "indeterminate", Reason: reason, Mode: "enforce"}
}

func after(control, cause policy.Control) audit.Finding {
	return audit.Finding{Control: control, Effect: "indeterminate", Reason: policy.PrerequisiteFailed, Cause: cause}
}

func censusOf(records ...*audit.Record) evidence.CensusDocument {
	c := evidence.NewCensus(censusOptions())
	for _, rec := range records {
		c.Consume(rec)
	}
	return c.Document()
}

func issuerOf(tb testing.TB, doc evidence.CensusDocument, name string) evidence.CensusIssuer {
	tb.Helper()
	for _, is := range doc.Issuers {
		if is.Issuer == name {
			return is
		}
	}
	require.Failf(tb, "no such issuer", "%s", name)
	return evidence.CensusIssuer{}
}

// places lists where requests are counted, as issuer/client/operation.
func places(doc evidence.CensusDocument) map[string]uint64 {
	all := map[string]uint64{}
	if doc.NotEvaluated > 0 {
		all["not evaluated"] = doc.NotEvaluated
	}
	for _, op := range doc.None.Operations {
		all["none/"+op.Operation] = op.Requests
	}
	for _, is := range doc.Issuers {
		for _, cl := range is.Clients {
			for _, op := range cl.Operations {
				all[is.Issuer+"/"+cl.Client+"/"+op.Operation] = op.Requests
			}
		}
	}
	return all
}

func TestWhoAndWhatARequestIsCountedFor(t *testing.T) {
	rows := []struct {
		rule, place string
		rec         *audit.Record
	}{
		{"a proven token by issuer, client and operation", idp + "/p1_c/createOrder", sent{client: "p1_c"}.record()},
		{"a proven token of another issuer apart", partner + "/p1_c/createOrder", sent{issuer: partner, client: "p1_c"}.record()},
		{"a proven token that is refused for its client too", idp + "/p1_c/createOrder", sent{client: "p1_c", findings: []audit.Finding{denial(policy.TokAud, policy.TokenAudience)}}.record()},
		{"a proven token that names no client", idp + "/absent/createOrder", sent{}.record()},
		{"an unproven token never for the client that it claims", idp + "/unproven/createOrder", sent{client: "p1_c", unproven: true}.record()},
		{"a token of an issuer that is not configured", "other/unproven/createOrder", sent{issuer: unheard, unproven: true}.record()},
		{"a token that proved itself under a policy that is gone", "other/p1_c/createOrder", sent{issuer: unheard, client: "p1_c"}.record()},
		{"a request that matches nothing", idp + "/p1_c/unmatched", sent{client: "p1_c", op: policy.UnmatchedID}.record()},
		{"a credential of which nothing could be read", "other/unproven/getOrder", without(audit.AuthFailure, policy.TokenMalformed)},
		{"one whose issuer could not be asked", "other/unproven/getOrder", without(audit.AuthError, policy.KeySetUnavailable)},
		{"an identity that the gateway asserts", "no-token/p1_c/getOrder", func() *audit.Record {
			rec := without(audit.AuthSuccess, audit.IdentityAsserted)
			rec.ClientID = "p1_c"
			return rec
		}()},
		{"one that is asserted without a client", "no-token/absent/getOrder", func() *audit.Record {
			rec := without(audit.AuthSuccess, audit.IdentityAsserted)
			rec.PrincipalID = "p1_p"
			return rec
		}()},
		{"one that anybody may have asserted", "no-token/unproven/getOrder", func() *audit.Record {
			rec := without(audit.AuthFailure, policy.GatewayProofMismatch)
			rec.Claimed = &audit.Claimed{ClientID: "p1_c"}
			return rec
		}()},
		{"an API key that is refused", "no-token/unproven/getOrder", without(audit.AuthFailure, "key-refused", denial("key.valid", "key-refused"))},
		{"no credential", "none/getOrder", without(audit.AuthNone, policy.CredentialMissing)},
		{"none on a public operation", "none/getOrder", without(audit.AuthNone, audit.NotRequired)},
		{"a request that ended before", "not evaluated", without(audit.AuthError, audit.NotEvaluated)},
		{"a record that was reduced", "not evaluated", without(audit.AuthError, policy.InternalError)},
	}
	for _, row := range rows {
		doc := censusOf(row.rec, row.rec)
		assert.Equal(t, map[string]uint64{row.place: 2}, places(doc), row.rule)
		assert.EqualValues(t, 2, doc.Records, row.rule)
	}
	health := sent{client: "p1_c", op: policy.HealthID}.record()
	assert.Empty(t, places(censusOf(health)), "health checks are nobody's")
	assert.Zero(t, censusOf(health).Records)
}

func TestEveryConfiguredIssuerIsThereFromTheStart(t *testing.T) {
	doc := censusOf()
	require.Len(t, doc.Issuers, 2)
	assert.Equal(t, []string{idp, partner}, []string{doc.Issuers[0].Issuer, doc.Issuers[1].Issuer})
	assert.Zero(t, doc.Issuers[0].Requests)
	assert.True(t, doc.Issuers[0].FirstSeen.IsZero())
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "null")
	assert.NotContains(t, string(b), "first_seen")
}

func TestFactsOfTokensAreCounted(t *testing.T) {
	facts := func(change func(tok *audit.Tok)) *audit.Record {
		return sent{client: "p1_c", change: func(rec *audit.Record) { change(rec.Tok) }}.record()
	}
	n := func(s int64) *int64 { return &s }
	got := func(change func(tok *audit.Tok)) evidence.Tokens { return censusOf(facts(change)).Issuers[0].Tokens }
	is := func(name string) map[string]uint64 { return map[string]uint64{name: 1} }

	whole := got(func(*audit.Tok) {})
	assert.Equal(t, [4]map[string]uint64{is("RS256"), is("p1_k1"), is("at+jwt"), is("bearer")}, [4]map[string]uint64{whole.Algorithms, whole.KeyIDs, whole.Types, whole.Bound})
	assert.Equal(t, map[string]uint64{"orders:read": 1, "orders:write": 1}, whole.Scopes)
	assert.Equal(t, is("nbf"), whole.Missing)
	assert.Zero(t, whole.NoScopes+whole.UndeclaredScopes+whole.Actors)
	assert.EqualValues(t, 1, whole.Read)

	bare := got(func(tok *audit.Tok) { *tok = audit.Tok{Iss: idp} })
	assert.Equal(t, [3]map[string]uint64{is("absent"), is("absent"), is("absent")}, [3]map[string]uint64{bare.Algorithms, bare.KeyIDs, bare.Types})
	assert.EqualValues(t, 1, bare.NoScopes)
	assert.Equal(t, [2]uint64{1, 1}, [2]uint64{bare.Lifetime.Absent, bare.Age.Absent})

	assert.Equal(t, is("dpop"), got(func(tok *audit.Tok) { tok.Bound = "dpop" }).Bound)
	other := got(func(tok *audit.Tok) { tok.ScopesN = 3 })
	assert.Equal(t, [2]uint64{0, 1}, [2]uint64{other.NoScopes, other.UndeclaredScopes})
	assert.EqualValues(t, 1, got(func(tok *audit.Tok) { tok.TTLS = n(-1) }).Lifetime.Negative)
	assert.EqualValues(t, 1, got(func(tok *audit.Tok) { tok.AgeS = n(-5) }).Age.Negative)
	for _, row := range []struct {
		seconds int64
		bucket  int
	}{{0, 0}, {60, 0}, {61, 1}, {300, 1}, {3600, 5}, {3601, 6}, {604800, 10}, {604801, 11}, {1 << 40, 11}} {
		var want [12]uint64
		want[row.bucket] = 1
		assert.Equal(t, want, got(func(tok *audit.Tok) { tok.TTLS = n(row.seconds) }).Lifetime.Counts, "lifetime %d", row.seconds)
		assert.Equal(t, want, got(func(tok *audit.Tok) { tok.AgeS = n(row.seconds) }).Age.Counts, "age %d", row.seconds)
	}
	acts := sent{client: "p1_c", change: func(rec *audit.Record) { rec.ActorID = "p1_a" }}.record()
	claims := sent{unproven: true, change: func(rec *audit.Record) { rec.Claimed.ActorID = "p1_a" }}.record()
	assert.EqualValues(t, 2, censusOf(acts, claims, sent{}.record()).Issuers[0].Tokens.Actors)
}

func TestObjectionsAreCountedWhateverTheMode(t *testing.T) {
	enforced := denial(policy.TokTime, policy.TokenExpired)
	enforced.Mode = "enforce"
	rows := []struct {
		rule               string
		findings           []audit.Finding
		refused, undecided uint64
		by, doubts         []evidence.CensusReason
	}{
		{"nothing objects", nil, 0, 0, []evidence.CensusReason{}, []evidence.CensusReason{}},
		{"in shadow", []audit.Finding{denial(policy.TokAud, policy.TokenAudience)}, 1, 0, []evidence.CensusReason{{Control: policy.TokAud, Reason: policy.TokenAudience, Requests: 1}}, []evidence.CensusReason{}},
		{"enforced", []audit.Finding{enforced}, 1, 0, []evidence.CensusReason{{Control: policy.TokTime, Reason: policy.TokenExpired, Requests: 1}}, []evidence.CensusReason{}},
		{"two controls are one refusal", []audit.Finding{denial(policy.TokTTL, policy.TokenLifetime), denial(policy.TokAud, policy.TokenAudience)}, 1, 0, []evidence.CensusReason{
			{Control: policy.TokAud, Reason: policy.TokenAudience, Requests: 1}, {Control: policy.TokTTL, Reason: policy.TokenLifetime, Requests: 1},
		}, []evidence.CensusReason{}},
		{"in doubt", []audit.Finding{doubt(policy.TokSig, policy.KeySetUnavailable)}, 0, 1, []evidence.CensusReason{}, []evidence.CensusReason{{Control: policy.TokSig, Reason: policy.KeySetUnavailable, Requests: 1}}},
		{"refused and in doubt", []audit.Finding{denial(policy.TokAud, policy.TokenAudience), doubt(policy.TokReplay, policy.InternalError)}, 1, 0, []evidence.CensusReason{{Control: policy.TokAud, Reason: policy.TokenAudience, Requests: 1}}, []evidence.CensusReason{{Control: policy.TokReplay, Reason: policy.InternalError, Requests: 1}}},
		{"what follows from another control is that one's", []audit.Finding{denial(policy.TokSig, policy.TokenSignature), after(policy.TokAud, policy.TokSig), after(policy.AzScope, policy.TokSig)}, 1, 0, []evidence.CensusReason{{Control: policy.TokSig, Reason: policy.TokenSignature, Requests: 1}}, []evidence.CensusReason{}},
		{"what is no credential's", []audit.Finding{denial(policy.AzAccount, policy.AccountNotInToken), doubt(policy.InSchema, policy.NotInspected)}, 0, 0, []evidence.CensusReason{}, []evidence.CensusReason{}},
	}
	for _, row := range rows {
		for _, unproven := range []bool{false, true} {
			got := censusOf(sent{client: "p1_c", unproven: unproven, findings: row.findings}.record()).Issuers[0].Credentials
			assert.Equal(t, [2]uint64{row.refused, row.undecided}, [2]uint64{got.Refused, got.Undecided}, row.rule)
			assert.Equal(t, row.by, got.RefusedBy, row.rule)
			assert.Equal(t, row.doubts, got.UndecidedBy, row.rule)
		}
	}
	missing := without(audit.AuthNone, policy.CredentialMissing, denial(policy.TokPresent, policy.CredentialMissing))
	none := censusOf(missing, without(audit.AuthNone, audit.NotRequired)).None
	assert.Equal(t, [2]uint64{2, 1}, [2]uint64{none.Requests, none.Refused})
}

func TestFirstAndLastAreByTimeAndNotByOrder(t *testing.T) {
	at := func(d time.Duration) *audit.Record { return sent{client: "p1_c", at: d}.record() }
	is := censusOf(at(time.Minute), at(0), at(time.Hour), at(time.Second)).Issuers[0]
	assert.Equal(t, [2]time.Time{t0, t0.Add(time.Hour)}, [2]time.Time{is.FirstSeen, is.LastSeen})
}

// Anybody can send a token with any key id: only those by which tokens proved
// themselves have a name.
func TestKeyIDsOfUnprovenTokensMakeNoNames(t *testing.T) {
	key := func(id string, unproven bool) *audit.Record {
		return sent{client: "p1_c", unproven: unproven, change: func(rec *audit.Record) { rec.Tok.Kid = id }}.record()
	}
	is := censusOf(key("p1_made-up", true), key("p1_k", false), key("p1_k", true), key("p1_made-up", true)).Issuers[0]
	assert.Equal(t, map[string]uint64{"p1_k": 2, "other": 2}, is.Tokens.KeyIDs)
}

func TestAReloadKeepsWhatWasCounted(t *testing.T) {
	c := evidence.NewCensus(evidence.CensusOptions{Issuers: []string{idp}, Since: t0})
	c.Consume(sent{client: "p1_c"}.record())
	c.Consume(sent{issuer: partner, unproven: true}.record())
	c.Use([]string{partner})
	c.Consume(sent{issuer: partner, client: "p1_d"}.record())
	doc := c.Document()
	assert.Equal(t, t0, doc.Since)
	assert.Equal(t, map[string]uint64{
		idp + "/p1_c/createOrder": 1, partner + "/p1_d/createOrder": 1, "other/unproven/createOrder": 1,
	}, places(doc))
}

func TestTheKeysOfAnIssuerStandBesideIt(t *testing.T) {
	o := censusOptions()
	o.Keys = func() map[string][]evidence.KeyLife {
		return map[string][]evidence.KeyLife{
			idp: {
				{Key: "p1_b", Alg: "ES256", FirstSeen: t0.Add(time.Hour), LastSeen: t0.Add(2 * time.Hour)},
				{Key: "p1_z", Alg: "RS256", FirstSeen: t0, LastSeen: t0, RetiredAt: t0, LastUsed: t0, Uses: 3, UsesAfterRetirement: 1},
				{Key: "p1_a", FirstSeen: t0.Add(time.Hour), LastSeen: t0.Add(2 * time.Hour)},
			},
			"https://nobody.example": {{Key: "p1_n"}},
		}
	}
	doc := evidence.NewCensus(o).Document()
	var order []string
	for _, k := range issuerOf(t, doc, idp).Keys {
		order = append(order, k.Key)
	}
	assert.Equal(t, []string{"p1_z", "p1_a", "p1_b"}, order)
	assert.Empty(t, issuerOf(t, doc, partner).Keys)
	b, err := json.Marshal(issuerOf(t, doc, idp).Keys[:2])
	require.NoError(t, err)
	assert.JSONEq(t, `[
		{"key":"p1_z","alg":"RS256","first_seen":"2026-11-22T12:00:00Z","last_seen":"2026-11-22T12:00:00Z","retired_at":"2026-11-22T12:00:00Z","last_used":"2026-11-22T12:00:00Z","uses":3,"uses_after_retirement":1},
		{"key":"p1_a","alg":"","first_seen":"2026-11-22T13:00:00Z","last_seen":"2026-11-22T14:00:00Z","uses":0,"uses_after_retirement":0}]`, string(b))
}

// market is a census with something of each kind.
func market() evidence.CensusDocument {
	o := censusOptions()
	o.MaxClients = 3
	o.Keys = func() map[string][]evidence.KeyLife {
		return map[string][]evidence.KeyLife{idp: {{Key: "p1_k1", Alg: "RS256", FirstSeen: t0, LastSeen: t0.Add(time.Hour), LastUsed: t0.Add(time.Minute), Uses: 9}}}
	}
	c := evidence.NewCensus(o)
	long := func(rec *audit.Record) { *rec.Tok.TTLS, rec.Tok.Alg, rec.Tok.Kid = 90_000, "ES256", "p1_k2" }
	bare := func(rec *audit.Record) { rec.Tok = &audit.Tok{Iss: idp, Missing: []string{"exp", "iat", "jti"}} }
	for i, rec := range []*audit.Record{
		sent{client: "p1_a"}.record(),
		sent{client: "p1_a", op: "getOrder", change: func(rec *audit.Record) { rec.Tok.ScopesN, rec.ActorID = 5, "p1_x" }}.record(),
		sent{client: "p1_b", op: "getOrder", change: long, findings: []audit.Finding{denial(policy.TokTTL, policy.TokenLifetime)}}.record(),
		sent{client: "p1_b", op: policy.UnmatchedID, change: long}.record(),
		sent{client: "p1_c", change: bare, findings: []audit.Finding{denial(policy.TokTime, policy.TokenExpired)}}.record(),
		sent{client: "p1_d"}.record(),
		sent{client: "p1_a", unproven: true, findings: []audit.Finding{denial(policy.TokSig, policy.TokenSignature), after(policy.TokAud, policy.TokSig)}}.record(),
		sent{issuer: unheard, unproven: true, findings: []audit.Finding{denial(policy.TokIss, policy.IssuerUnknown)}}.record(),
		sent{issuer: partner, unproven: true, findings: []audit.Finding{doubt(policy.TokSig, policy.KeySetUnavailable)}}.record(),
		without(audit.AuthNone, policy.CredentialMissing, denial(policy.TokPresent, policy.CredentialMissing)),
		without(audit.AuthNone, audit.NotRequired),
		without(audit.AuthError, audit.NotEvaluated),
	} {
		rec.Time = t0.Add(time.Duration(i) * time.Minute)
		c.Consume(rec)
	}
	return c.Document()
}

func TestCensusDocument(t *testing.T) {
	b, err := json.MarshalIndent(market(), "", "  ")
	require.NoError(t, err)
	lists := regexp.MustCompile(`\[[0-9,\s]+\]`) // of numbers, for the reader
	golden(t, "census.golden.json", lists.ReplaceAllStringFunc(string(b), func(list string) string {
		return strings.Join(strings.Fields(list), " ")
	})+"\n")
	for range 20 {
		again, err := json.MarshalIndent(market(), "", "  ")
		require.NoError(t, err)
		require.Equal(t, string(b), string(again), "the order is stable")
	}
}

func TestTheCensusIsTheSameFromEveryGoroutine(t *testing.T) {
	o := censusOptions()
	o.MaxEntries, o.MaxClients = 12, 4
	c := evidence.NewCensus(o)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 300 {
				key := fmt.Sprintf("p1_k%d", (g*7+i)%70)
				c.Consume(sent{
					client: fmt.Sprintf("p1_c%d", i%6), op: fmt.Sprintf("op%d", g%4), unproven: i%5 == 0,
					change: func(rec *audit.Record) { rec.Tok.Kid = key },
				}.record())
				if i%50 == 0 {
					c.Use([]string{idp, fmt.Sprintf("https://%d.example", g)})
					sums(t, c.Document())
				}
			}
		})
	}
	all.Wait()
	doc := c.Document()
	sums(t, doc)
	assert.EqualValues(t, 2400, doc.Records)
	assert.Len(t, doc.Issuers, 10)
}

// sums states what must hold of every document.
func sums(tb assert.TestingT, doc evidence.CensusDocument) {
	total := doc.NotEvaluated + sum(tb, doc.None.Credentials, doc.None.Operations)
	for _, is := range doc.Issuers {
		var requests uint64
		for _, cl := range is.Clients {
			requests += sum(tb, cl.Credentials, cl.Operations)
			assert.NotEmpty(tb, cl.Client)
		}
		assert.Equal(tb, is.Requests, requests, is.Issuer)
		plausible(tb, is.Credentials)
		total += is.Requests
	}
	assert.Equal(tb, doc.Records, total)
}

func sum(tb assert.TestingT, all evidence.Credentials, parts []evidence.CensusOperation) uint64 {
	var requests, proven, refused uint64
	for _, op := range parts {
		requests, proven, refused = requests+op.Requests, proven+op.Proven, refused+op.Refused
		plausible(tb, op.Credentials)
	}
	assert.Equal(tb, [3]uint64{all.Requests, all.Proven, all.Refused}, [3]uint64{requests, proven, refused})
	plausible(tb, all)
	return requests
}

// plausible states that every request is counted once by each fact of its token.
func plausible(tb assert.TestingT, c evidence.Credentials) {
	count := func(m map[string]uint64) (n uint64) {
		for _, v := range maps.All(m) {
			n += v
		}
		return n
	}
	spread := func(s evidence.Seconds) uint64 {
		n := s.Absent + s.Negative
		for _, v := range s.Counts {
			n += v
		}
		return n
	}
	tok := &c.Tokens
	want := slices.Repeat([]uint64{tok.Read}, 6)
	assert.Equal(tb, want, []uint64{count(tok.Algorithms), count(tok.KeyIDs), count(tok.Types), count(tok.Bound), spread(tok.Lifetime), spread(tok.Age)})
	assert.LessOrEqual(tb, tok.Read, c.Requests)
	assert.LessOrEqual(tb, c.Proven, c.Requests)
	assert.LessOrEqual(tb, c.Refused+c.Undecided, c.Requests)
	assert.LessOrEqual(tb, tok.NoScopes+tok.UndeclaredScopes, tok.Read)
	assert.LessOrEqual(tb, tok.Actors, tok.Read)
	assert.False(tb, c.LastSeen.Before(c.FirstSeen))
}
