package evidence_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestClientsBeyondTheBoundAreOthers(t *testing.T) {
	o := censusOptions()
	o.MaxClients = 2
	c := evidence.NewCensus(o)
	for range 2 {
		for i := range 5 {
			c.Consume(sent{client: fmt.Sprintf("p1_c%d", i)}.record())
		}
		c.Consume(sent{client: "p1_c0", op: "getOrder"}.record())
		c.Consume(sent{}.record())
		c.Consume(sent{client: "p1_c9", unproven: true}.record())
	}
	assert.Equal(t, map[string]uint64{
		idp + "/p1_c0/createOrder": 2, idp + "/p1_c0/getOrder": 2, idp + "/p1_c1/createOrder": 2,
		idp + "/other/createOrder": 6, idp + "/absent/createOrder": 2, idp + "/unproven/createOrder": 2,
	}, places(c.Document()))
	assert.Equal(t, evidence.CensusStats{Clients: 6}, c.Stats())
	assert.Equal(t, c.Stats(), c.Document().Overflow)
}

func TestEntriesBeyondTheBoundAreOthers(t *testing.T) {
	o := censusOptions()
	o.MaxEntries = 2
	c := evidence.NewCensus(o)
	for range 2 {
		c.Consume(sent{client: "p1_a"}.record())
		c.Consume(without(audit.AuthNone, policy.CredentialMissing))
		c.Consume(sent{client: "p1_a", op: "getOrder"}.record())
		c.Consume(sent{client: "p1_b"}.record())
		c.Consume(sent{unproven: true}.record())
		rec := without(audit.AuthNone, policy.CredentialMissing)
		rec.Op.ID = "listSites"
		c.Consume(rec)
	}
	assert.Equal(t, map[string]uint64{
		idp + "/p1_a/createOrder": 2, "none/getOrder": 2, idp + "/other/other": 4, idp + "/unproven/other": 2, "none/other": 2,
	}, places(c.Document()))
	assert.EqualValues(t, 8, c.Stats().Entries)
	assert.EqualValues(t, 2, c.Stats().Clients, "a client that could have no entry")
	sums(t, c.Document())
}

func TestIssuersBeyondTheBoundAreOthers(t *testing.T) {
	c := evidence.NewCensus(censusOptions())
	for i := range 300 {
		c.Use([]string{fmt.Sprintf("https://%d.example", i)})
	}
	c.Consume(sent{issuer: "https://253.example", client: "p1_a"}.record())
	c.Consume(sent{issuer: "https://254.example", client: "p1_a"}.record())
	assert.Equal(t, map[string]uint64{"https://253.example/p1_a/createOrder": 1, "other/p1_a/createOrder": 1}, places(c.Document()))
	assert.EqualValues(t, 46, c.Stats().Issuers)
}

func TestKeyIDsBeyondTheBoundAreOthers(t *testing.T) {
	c := evidence.NewCensus(censusOptions())
	for i := range 100 {
		c.Consume(sent{client: fmt.Sprintf("p1_c%d", i%5), change: func(rec *audit.Record) { rec.Tok.Kid = fmt.Sprintf("p1_k%d", i) }}.record())
	}
	c.Consume(sent{issuer: partner, change: func(rec *audit.Record) { rec.Tok.Kid = "p1_k99" }}.record())
	doc := c.Document()
	ids := issuerOf(t, doc, idp).Tokens.KeyIDs
	assert.Len(t, ids, 65)
	assert.EqualValues(t, 36, ids["other"])
	assert.EqualValues(t, 36, c.Stats().KeyIDs)
	assert.EqualValues(t, 1, issuerOf(t, doc, partner).Tokens.KeyIDs["p1_k99"], "another issuer has room of its own")
}

func TestNamesAndObjectionsBeyondTheBoundAreOthers(t *testing.T) {
	c := evidence.NewCensus(censusOptions())
	for i := range 40 {
		c.Consume(sent{client: "p1_c", findings: []audit.Finding{denial(policy.TokSig, policy.Reason(fmt.Sprint("reason-", i)))}, change: func(rec *audit.Record) {
			rec.Tok.Scopes, rec.Tok.ScopesN = []string{fmt.Sprint("scope-", i)}, 1
		}}.record())
	}
	is := issuerOf(t, c.Document(), idp)
	assert.Len(t, is.Tokens.Scopes, 32)
	assert.EqualValues(t, 9, is.Tokens.Scopes["other"])
	assert.Len(t, is.RefusedBy, 32)
	assert.EqualValues(t, 40, is.Refused)
	assert.Equal(t, evidence.CensusStats{Names: 9, Objections: 8}, c.Stats())
}

// TestTheMemoryOfTheCensusIsBounded fills a census in every respect, with names as
// long as records have them.
func TestTheMemoryOfTheCensusIsBounded(t *testing.T) {
	const documented = 20 << 20
	var objections []audit.Finding
	var scopes []string // of the contract, so that records share them
	var tokens []audit.Tok
	for i := range 40 {
		objections = append(objections, denial(policy.TokSig, policy.Reason(fmt.Sprint("reason-", i))))
		scopes = append(scopes, fmt.Sprintf("%096d", i))
		tokens = append(tokens, audit.Tok{Iss: idp, Alg: fmt.Sprint("alg-", i), Typ: fmt.Sprint("typ-", i), Bound: fmt.Sprint("cnf-", i), Kid: fmt.Sprintf("p1_%026d", i)})
	}
	before := heap()
	c := evidence.NewCensus(censusOptions())
	for client := 0; c.Stats().Entries == 0; client++ {
		for op := range 6 {
			rec := sent{client: fmt.Sprintf("p1_%026d", client%600), op: fmt.Sprintf("operation-%0128d", client/600*6+op)}.record()
			for i := range tokens {
				rec.Tok, rec.Findings = &tokens[i], objections[i:i+1]
				rec.Tok.Scopes, rec.Tok.Missing = scopes[i:min(i+8, len(scopes))], scopes[:i]
				c.Consume(rec)
			}
		}
	}
	used := heap() - before
	doc := c.Document()
	full := places(doc)
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	t.Logf("%d entries take %.1f MiB, their document has %.1f MiB", len(full), float64(used)/(1<<20), float64(len(text))/(1<<20))
	assert.GreaterOrEqual(t, len(full), evidence.DefaultMaxEntries)
	assert.LessOrEqual(t, len(full), evidence.DefaultMaxEntries+8)
	assert.Less(t, used, int64(documented))
	assert.LessOrEqual(t, len(text), evidence.MaxDocument)
	runtime.KeepAlive(c)
}

func drawRecord(t *rapid.T) *audit.Record {
	name := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	var findings []audit.Finding
	for range rapid.IntRange(0, 3).Draw(t, "findings") {
		f := denial(policy.Control(name("control", "tok.sig", "tok.aud", "az.scope", "key.valid")), policy.Reason(name("reason", "a", "b")))
		f.Effect = name("effect", "deny", "indeterminate")
		f.Cause = policy.Control(name("cause", "", "", "tok.sig"))
		findings = append(findings, f)
	}
	if rapid.IntRange(0, 3).Draw(t, "token") == 0 {
		outcome := name("outcome", audit.AuthNone, audit.AuthFailure, audit.AuthError, audit.AuthSuccess)
		rec := without(outcome, policy.Reason(name("why", "credential-missing", "not-evaluated", "key-set-unavailable")), findings...)
		rec.ClientID = name("asserted", "", "p1_a")
		rec.ActorID = name("actor", "", "p1_x")
		return rec
	}
	return sent{
		issuer: name("issuer", idp, partner, unheard), client: name("client", "", "p1_a", "p1_b", "p1_c", "p1_d"),
		op: name("operation", "createOrder", "getOrder", policy.UnmatchedID), unproven: rapid.Bool().Draw(t, "unproven"), findings: findings,
		at: time.Duration(rapid.IntRange(-9, 9).Draw(t, "at")) * time.Minute,
		change: func(rec *audit.Record) {
			rec.Tok.Alg, rec.Tok.Kid = name("alg", "", "RS256", "other"), name("kid", "", "p1_k1", "p1_k2")
			rec.Tok.ScopesN, rec.ActorID = rapid.IntRange(0, 3).Draw(t, "scopes"), name("actor", "", "p1_x")
			rec.Tok.Scopes = rec.Tok.Scopes[:min(2, rec.Tok.ScopesN)]
			if rec.Tok.TTLS = nil; rapid.Bool().Draw(t, "expires") {
				ttl := rapid.Int64Range(-9, 1<<20).Draw(t, "ttl")
				rec.Tok.TTLS = &ttl
			}
		},
	}.record()
}

// Every record is counted once, by each fact of its token, whatever it says and
// however little room there is; and what follows from all of them does not depend on
// their order where there is room.
func TestTheCensusAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := censusOptions()
		o.MaxClients, o.MaxEntries = rapid.IntRange(1, 6).Draw(t, "clients"), rapid.IntRange(1, 12).Draw(t, "entries")
		c := evidence.NewCensus(o)
		records := rapid.SliceOfN(rapid.Custom(drawRecord), 0, 60).Draw(t, "records")
		for _, rec := range records {
			c.Consume(rec)
		}
		doc := c.Document()
		sums(t, doc)
		require.EqualValues(t, len(records), doc.Records)

		for _, rec := range records {
			if rec.Tok != nil {
				rec.Tok.Kid = "" // whose names come from proven tokens
			}
		}
		roomy := censusOf(records...)
		require.EqualValues(t, len(records), roomy.Records)
		require.Zero(t, roomy.Overflow)
		require.Equal(t, roomy, censusOf(rapid.Permutation(records).Draw(t, "order")...))
	})
}

// What a client says and the contract does not declare is nowhere in the document:
// each claim is planted with a word of its own.
func TestNoClaimIsInTheCensus(t *testing.T) {
	names, err := audit.NewPseudonymizer([]byte("0123456789abcdef"), "1", "orders")
	require.NoError(t, err)
	c := evidence.NewCensus(censusOptions())
	rc := audit.NewRecorder(audit.Options{
		Pseudonyms: names, Consumers: []audit.Consumer{c},
		Contract: audit.Contract{Issuers: []string{idp}, Scopes: []string{"orders:read"}},
	})
	planted := policy.Identity{
		Issuer: "https://PLANTED-1", Client: "PLANTED-2", Principal: "PLANTED-3", Actor: "PLANTED-4",
		Accounts: []string{"PLANTED-5"}, Scopes: []string{"PLANTED-6", "orders:read"},
	}
	for _, issuer := range []string{idp, planted.Issuer} {
		for _, proven := range []bool{true, false} {
			planted.Issuer = issuer
			tok := &policy.Token{
				Algorithm: "PLANTED-7", KeyID: "PLANTED-8", Type: "PLANTED-9", ID: "PLANTED-10", Audience: []string{"PLANTED-11"},
				Confirmation: policy.Confirmation{Key: "PLANTED-12", Certificate: "PLANTED-13"}, Claimed: planted,
				Fingerprint: sha256.Sum256([]byte("PLANTED-14")),
			}
			r := &policy.Request{Time: t0, Path: "/PLANTED-15", Auth: policy.Authentication{Token: tok, Proof: policy.Denied(policy.TokenSignature, "")}}
			if proven {
				r.Auth.Proof, r.Auth.Identity = policy.Permitted(), &tok.Claimed
			}
			rc.Observe(r, policy.Decision{}, policy.Outcome{})
		}
	}
	doc := c.Document()
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "PLANTED")
	assert.Equal(t, map[string]uint64{
		idp + "/" + names.Owned(audit.TypeClient, idp, "PLANTED-2") + "/unmatched": 1, idp + "/unproven/unmatched": 1,
		"other/" + names.Owned(audit.TypeClient, "https://PLANTED-1", "PLANTED-2") + "/unmatched": 1, "other/unproven/unmatched": 1,
	}, places(doc))
	tok := issuerOf(t, doc, idp).Tokens
	assert.Equal(t, map[string]uint64{"orders:read": 2}, tok.Scopes)
	assert.Equal(t, [3]uint64{2, 2, 2}, [3]uint64{tok.UndeclaredScopes, tok.Actors, tok.Bound["dpop+mtls"]})
	assert.Equal(t, map[string]uint64{names.Of(audit.TypeKey, "PLANTED-8"): 2}, tok.KeyIDs)
}

func TestWhatWasSeenCostsNoAllocation(t *testing.T) {
	o := censusOptions()
	o.MaxClients = 1
	c := evidence.NewCensus(o)
	for name, rec := range map[string]*audit.Record{
		"proven":        sent{client: "p1_c"}.record(),
		"refused":       sent{client: "p1_c", findings: []audit.Finding{denial(policy.TokAud, policy.TokenAudience)}}.record(),
		"unproven":      sent{unproven: true}.record(),
		"no token":      without(audit.AuthNone, policy.CredentialMissing),
		"beyond bounds": sent{client: "p1_d"}.record(),
	} {
		c.Consume(rec)
		assert.Zero(t, testing.AllocsPerRun(100, func() { c.Consume(rec) }), name)
	}
}

func BenchmarkCensus(b *testing.B) {
	for name, rec := range map[string]*audit.Record{
		"proven":   sent{client: "p1_abcdefghijklmnopqrstuvwxyz"}.record(),
		"unproven": sent{unproven: true, findings: []audit.Finding{denial(policy.TokSig, policy.TokenSignature), after(policy.TokAud, policy.TokSig)}}.record(),
		"none":     without(audit.AuthNone, policy.CredentialMissing, denial(policy.TokPresent, policy.CredentialMissing)),
	} {
		b.Run(name, func(b *testing.B) {
			c := evidence.NewCensus(censusOptions())
			c.Consume(rec)
			b.ReportAllocs()
			for b.Loop() {
				c.Consume(rec)
			}
		})
	}
}

func BenchmarkCensusParallel(b *testing.B) {
	c := evidence.NewCensus(censusOptions())
	rec := sent{client: "p1_abcdefghijklmnopqrstuvwxyz"}.record()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Consume(rec)
		}
	})
}
