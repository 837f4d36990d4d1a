package compile_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// controls are those that judge an operation, without those that judge every message
// as it came.
func controls(op *policy.Operation) []string {
	var all []string
	for _, r := range op.Rules {
		switch r.Control {
		case policy.InFrame, policy.InPath, policy.InHdr:
		default:
			all = append(all, string(r.Control))
		}
	}
	return all
}

func has(op *policy.Operation, control policy.Control) bool {
	return slices.ContainsFunc(op.Rules, func(r *policy.Rule) bool { return r.Control == control })
}

func TestRulesOfOperations(t *testing.T) {
	t.Parallel()
	tok := "tok.present tok.sig tok.iss tok.typ tok.aud tok.time tok.ttl tok.bind"
	out := " out.size out.schema"
	in := "in.ctype in.size in.wellformed in.schema" + out
	for _, c := range []struct{ name, text, operation, want string }{
		{"protected", head + accounts, "listPorts", "in.route in.method " + tok + " az.scope az.account " + in},
		{"public by the contract", head + accounts, "GET /status", "in.route in.method " + in},
		{"public by the configuration", head + accounts + "operations: {listPorts: {public: true}}", "listPorts", "in.route in.method " + in},
		{"no account rules at all", head, "listPorts", "in.route in.method " + tok + " az.scope " + in},
		{"account: none", head + accounts + "operations: {listPorts: {account: none}}", "listPorts", "in.route in.method " + tok + " az.scope " + in},
		{"no scopes wanted", head + byName + "operations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"no scopes wanted, and az.default in passing", head + "controls: {az: shadow}\noperations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " " + in},
		{"no scopes wanted, and everything enforces", head + "mode: enforce\noperations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"no scopes wanted, and az.default for it", head + "operations: {listPorts: {scopes: [], controls: {az.default: shadow}}}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"no scopes wanted, and an account", head + accounts + byName + "operations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " az.account " + in},
		{"no scopes wanted, and no account", head + accounts + byName + "operations: {listPorts: {scopes: [], account: none}}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"no scopes wanted, and no place for an account", head + accounts + byName + "operations: {listSites: {scopes: []}}", "listSites", "in.route in.method " + tok + " az.default az.account " + in},
		{"scopes that nobody judges", head + "controls: {az.scope: off, az.default: shadow}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"accounts that nobody judges", head + accounts + "controls: {az.account: off, az.default: shadow}\noperations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " az.default " + in},
		{"every proven caller, on purpose", head + byName + "operations: {listPorts: {scopes: [], controls: {az.default: off}}}", "listPorts", "in.route in.method " + tok + " " + in},
		{"public needs no rule", head + byName + "operations: {listPorts: {scopes: [], public: true}}", "listPorts", "in.route in.method " + in},
		{"partners", head + partners, "listPorts", "in.route in.method " + tok + " az.scope az.account az.delegate " + in},
		{"partners where no account counts", head + partners + "operations: {listPorts: {account: none}}", "listPorts", "in.route in.method " + tok + " az.scope " + in},
		{"partners that nobody judges", head + partners + "controls: {az.delegate: off}", "listPorts", "in.route in.method " + tok + " az.scope az.account " + in},
		{"partners alone authorise nobody else", head + partners + "controls: {az.account: off, az.default: shadow}\noperations: {listPorts: {scopes: []}}", "listPorts", "in.route in.method " + tok + " az.default az.delegate " + in},
		{"unmatched with partners", head + partners + byName, "unmatched", "in.route in.method " + tok + " az.scope az.account az.delegate " + in},
		{"by method and path", head + accounts + `operations: {"GET /sites": {account: none}}`, "listSites", "in.route in.method " + tok + " az.scope " + in},
		{"a family off", head + "controls: {tok: off, az: off}", "listPorts", "in.route in.method " + in},
		{"a control off for one operation", head + "operations: {listPorts: {controls: {in: off}}}", "listPorts", tok + " az.scope" + out},
		{"out.* off", head + "controls: {out: off, tok: off, az: off}", "listPorts", "in.route in.method in.ctype in.size in.wellformed in.schema"},
		{"limits", head + "limits: [{name: l, key: [client], rate: 1/s}]", "listSites", "in.route in.method " + tok + " az.scope in.ctype rate.app in.size in.wellformed in.schema" + out},
		{"single use", head + "operations: {listSites: {replay: single_use}}", "listSites", "in.route in.method " + tok + " az.scope in.ctype tok.replay in.size in.wellformed in.schema" + out},
		{"single use of others", head + "operations: {listSites: {replay: single_use}}", "listPorts", "in.route in.method " + tok + " az.scope " + in},
		{"unmatched", head + accounts, "unmatched", "in.route in.method " + tok + " az.scope az.account " + in},
		{"unmatched without account rules", head, "unmatched", "in.route in.method " + tok + " az.scope " + in},
	} {
		op := operation(t, must(t, c.text).Policy, c.operation)
		assert.Equal(t, c.want, strings.Join(controls(op), " "), c.name)
		for _, edge := range []policy.Control{policy.InFrame, policy.InPath, policy.InHdr} {
			assert.Equal(t, strings.Contains(c.want, "in.route"), has(op, edge), "%s: %s is judged whatever the operation is", c.name, edge)
		}
	}
}

func TestAccountIsJudgedWhereItsSelectorsCanBeRead(t *testing.T) {
	t.Parallel()
	p := must(t, head+accounts).Policy
	assert.Equal(t, policy.BodyPhase, find(operation(t, p, "listPorts"), policy.AzAccount).Phase, "a body that is not declared can be sent")
	assert.Equal(t, policy.BodyPhase, find(operation(t, p, "createPort"), policy.AzAccount).Phase)
	p = must(t, head+"account: {rules: [{in: path, name: accountId}]}\n").Policy
	assert.Equal(t, policy.HeadPhase, find(operation(t, p, "createPort"), policy.AzAccount).Phase)
}

func TestOperationsThatNoAccountRuleBindsAreNamed(t *testing.T) {
	t.Parallel()
	const clients = "gateway: {present: false}\n"
	out := must(t, head+accounts+clients)
	require.Len(t, out.Warnings, 1)
	assert.Contains(t, out.Warnings[0].String(), `az.account can not decide for listSites: `)
	assert.Contains(t, out.Warnings[0].Fix, `operations: {"listSites": {account: none}}`)
	assert.Empty(t, must(t, head+accounts+clients+`operations: {listSites: {account: none}}`).Warnings)
	r := &policy.Request{
		Match: policy.Match{Operation: operation(t, out.Policy, "listSites")},
		Auth:  policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{}},
	}
	v := find(operation(t, out.Policy, "listSites"), policy.AzAccount).Check.Check(t.Context(), r)
	assert.Equal(t, policy.Undecided(policy.AccountUnbound, nil), v)
}

func TestHoldAndLimitsOfBodies(t *testing.T) {
	t.Parallel()
	all := "controls: {in: enforce}\n"
	p := must(t, head+all+"operations: {createPort: {max_request_bytes: 2KiB}, listPorts: {controls: {in.size: shadow, in.wellformed: shadow, in.schema: shadow}}}").Policy
	create, list := operation(t, p, "createPort"), operation(t, p, "listPorts")
	assert.True(t, create.HoldIn)
	assert.EqualValues(t, 2<<10, create.MaxIn)
	assert.NotNil(t, create.In)
	assert.False(t, list.HoldIn)
	assert.EqualValues(t, 1<<20, list.MaxIn)
	assert.True(t, list.AnswersJSON)
	assert.False(t, create.AnswersJSON)
	assert.Nil(t, operation(t, must(t, head+"controls: {in.wellformed: off, in.schema: off}").Policy, "createPort").In)
}

func TestContentCodingsAreTakenOffWhereTheyAreConfigured(t *testing.T) {
	t.Parallel()
	const off = "controls: {in.wellformed: off, in.schema: off}\n"
	const coded = "payload: {content_codings: [gzip], max_inflation: 7}\n"
	verdicts := func(config, id string) []policy.Verdict {
		op := operation(t, must(t, head+config).Policy, id)
		r := &policy.Request{
			Method: op.Method, Match: policy.Match{Operation: op},
			Header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
			Body:   policy.Body{Size: 4, Whole: true, Unpacked: true, Inflated: 29},
		}
		var all []policy.Verdict
		for _, control := range []policy.Control{policy.InCtype, policy.InSize} {
			i := slices.IndexFunc(op.Rules, func(r *policy.Rule) bool { return r.Control == control })
			require.GreaterOrEqual(t, i, 0)
			all = append(all, op.Rules[i].Check.Check(t.Context(), r))
		}
		return all
	}
	assert.Equal(t, []policy.Verdict{policy.Denied(policy.ContentCoding, ""), policy.Permitted()}, verdicts("", "createPort"))
	assert.Equal(t, []policy.Verdict{policy.Permitted(), policy.Denied(policy.InflatedTooLarge, "ratio, limit 7")}, verdicts(coded, "createPort"))
	assert.Equal(t, []policy.Verdict{policy.Denied(policy.BodyUndeclared, ""), policy.Permitted()}, verdicts(coded, "listPorts"))

	assert.NotNil(t, operation(t, must(t, head+off+coded).Policy, "createPort").In, "in.size alone asks for the content")
	assert.Nil(t, operation(t, must(t, head+off+coded).Policy, "listPorts").In, "no body is declared")
	assert.Nil(t, operation(t, must(t, head+off).Policy, "createPort").In)
}

func TestNeedsAreRefusedWithTheLinesToAdd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, field, cause, fix string }{
		{
			"az.account alone", head + "account: {rules: [{in: path, name: accountId}]}\ncontrols: {az.account: enforce}",
			`controls["az.account"]`, "needs in.route, in.method, tok.present, tok.sig to enforce too",
			"add to controls: {in.route: enforce, in.method: enforce, tok.present: enforce, tok.sig: enforce}",
		},
		{
			"az.account that reads the body", head + accounts + "controls: {az.account: enforce, in.route: enforce, in.method: enforce, tok: enforce}",
			`controls["az.account"]`, "needs in.ctype, in.size, in.wellformed",
			"add to controls: {in.ctype: enforce, in.size: enforce, in.wellformed: enforce}",
		},
		{"a token check alone", head + "controls: {tok.time: enforce}", `controls["tok.time"]`, "needs tok.present, tok.sig", "add to controls: {tok.present: enforce, tok.sig: enforce}"},
		{"a method without the route", head + "controls: {in.method: enforce}", `controls["in.method"]`, "needs in.route", "add to controls: {in.route: enforce}"},
		{
			"one operation", head + "operations: {createPort: {controls: {in.schema: enforce}}}",
			`operations.createPort.controls["in.schema"]`, "needs in.ctype, in.size, in.wellformed",
			`add to operations: {"createPort": {controls: {in.ctype: enforce, in.size: enforce, in.wellformed: enforce}}}`,
		},
		{"a family whose need is in shadow", head + "controls: {tok: enforce, tok.sig: shadow}", "controls.tok", "needs tok.sig", "add to controls: {tok.sig: enforce}"},
		{"the default mode", head + "mode: enforce\ncontrols: {in.route: shadow}", "mode", "needs in.route", "add to controls: {in.route: enforce}"},
	} {
		_, err := build(t, c.text)
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.name)
		at := slices.IndexFunc(problems, func(p config.Problem) bool {
			return p.Field == c.field && strings.Contains(p.Cause, c.cause) && p.Fix == c.fix
		})
		assert.GreaterOrEqual(t, at, 0, "%s: %s", c.name, err)
		assert.Positive(t, problems[0].Line, c.name)
	}
}

func TestRouteAloneNeedsNothing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"in.route: enforce", "in.hdr: enforce", "rate.app: enforce", "tok.present: enforce", "out: enforce"} {
		_, err := build(t, head+"limits: [{name: l, key: [client], rate: 1/s}]\ncontrols: {"+line+"}")
		assert.NoError(t, err, line)
	}
}

// What check prints is what works: every line, merged, is a valid configuration
// in which its control enforces.
func TestEnforceLinesWork(t *testing.T) {
	t.Parallel()
	rest := partners + "limits: [{name: l, key: [client], rate: 1/s}]\noperations: {listSites: {account: none, scopes: [], replay: single_use}}\n"
	lines := compile.EnforceLines(must(t, head+rest+byName).Policy)
	require.Len(t, lines, 25)
	for _, line := range lines {
		p := must(t, head+rest+line+"\n").Policy
		last := line[strings.LastIndex(line, " ")+1:]
		assert.Equal(t, "enforce}", last)
		parts := strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(line, "controls: {"), "}"), ", ")
		for part := range parts {
			control, _, _ := strings.Cut(part, ":")
			if r := find(operation(t, p, "listSites"), policy.Control(control)); r != nil {
				assert.Equal(t, policy.Enforce, r.Mode, "%s in %s", control, line)
			}
		}
	}
	everything := head + rest + "mode: enforce\n"
	assert.Empty(t, compile.EnforceLines(must(t, everything).Policy))
}

func TestFailOpenIsByControlOrFamily(t *testing.T) {
	t.Parallel()
	p := must(t, head+"insecure_fail_open: [rate.app, tok]\nlimits: [{name: l, key: [client], rate: 1/s}]\n").Policy
	op := operation(t, p, "listPorts")
	assert.Equal(t, policy.Permit, find(op, policy.RateApp).OnError)
	assert.Equal(t, policy.Permit, find(op, policy.TokSig).OnError)
	assert.Equal(t, policy.Indeterminate, find(op, policy.InRoute).OnError)
}

func TestBrokenInputsAreAllTold(t *testing.T) {
	t.Parallel()
	text := strings.Replace(head, "jwks_file: keys.json", "jwks_file: none.json", 1) +
		"operations: {listPort: {public: true}, listSites: {account: none}, \"GET /sites\": {account: none}}\ncontrols: {tok.aud: enforce}\n"
	_, err := build(t, text)
	require.Error(t, err)
	for _, part := range []string{
		"token.issuers[0].jwks_file", "operations.listPort: the contract has no such operation", `did you mean "listPorts"?`,
		"is set a second time", "tok.aud enforces",
	} {
		assert.Contains(t, err.Error(), part)
	}
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	assert.True(t, slices.IsSortedFunc(problems, func(a, b config.Problem) int { return a.Line - b.Line }), err)
}

func TestControlsWithoutACheckAreRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := build(t, head+"controls: {waf.sqli: enforce, out.data: shadow, az.object: off}\noperations: {listSites: {controls: {waf.xss: shadow}}}")
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
		assert.Contains(t, p.Cause, "not available in this version")
	}
	assert.ElementsMatch(t, []string{`controls["waf.sqli"]`, `controls["out.data"]`, `operations.listSites.controls["waf.xss"]`}, fields)
}

func TestDigests(t *testing.T) {
	t.Parallel()
	base := read(t, head)
	compiled := func(change func(*config.Config)) *compile.Output {
		c := *base
		change(&c)
		out, err := compile.Compile(compile.Input{Config: &c, Now: now})
		require.NoError(t, err)
		return out
	}
	same := compiled(func(*config.Config) {})
	again := compiled(func(*config.Config) {})
	assert.Equal(t, same.Policy.Digest, again.Policy.Digest)
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", same.Policy.Digest)
	mode := compiled(func(c *config.Config) { c.Controls = map[string]config.Mode{"in.route": config.Enforce} })
	assert.NotEqual(t, same.Policy.Digest, mode.Policy.Digest)
	assert.Equal(t, same.Measured, mode.Measured, "a mode changes nothing that is measured")
	rule := compiled(func(c *config.Config) { c.Token.MaxLifetime *= 2 })
	assert.NotEqual(t, same.Measured, rule.Measured)
}

func TestPartsOutliveAPolicy(t *testing.T) {
	t.Parallel()
	c := read(t, head+"limits: [{name: l, key: [peer], rate: 1/h, burst: 1}]\ncontrols: {rate.app: enforce}\n")
	compiled := func(previous *compile.Parts, change func(*config.Config)) *compile.Output {
		next := *c
		next.Limits = slices.Clone(c.Limits)
		change(&next)
		out, err := compile.Compile(compile.Input{Config: &next, Now: now, Previous: previous})
		require.NoError(t, err)
		return out
	}
	spends := func(p *policy.Policy) policy.Effect {
		r := &policy.Request{Time: now(), Header: http.Header{}}
		return p.Spender.Spend(t.Context(), r, policy.Decision{})[0].Effect
	}
	first := compiled(nil, func(*config.Config) {})
	require.Len(t, first.Runners, 1)
	assert.Equal(t, policy.Permit, spends(first.Policy))
	second := compiled(first.Parts, func(n *config.Config) { n.Token.MaxLifetime *= 2 })
	assert.Equal(t, policy.Deny, spends(second.Policy), "a reload must not fill a bucket again")
	assert.Equal(t, first.Parts.KeySets(), second.Parts.KeySets())
	assert.Same(t, first.Policy.Authenticator, second.Policy.Authenticator, "the cache of verified facts goes on")
	third := compiled(second.Parts, func(n *config.Config) { n.Limits[0].Burst = 2 })
	assert.Equal(t, policy.Permit, spends(third.Policy), "another limit has buckets of its own")
}

// What enforces and what is in shadow never share a bucket.
func TestModesSpendApart(t *testing.T) {
	t.Parallel()
	p := must(t, head+`limits: [{name: l, key: [peer], rate: 1/h, burst: 1}]
operations: {listSites: {controls: {rate.app: enforce}}, listPorts: {controls: {rate.app: off}}}`).Policy
	spend := func(id string) policy.Verdict {
		r := &policy.Request{Time: now(), Header: http.Header{}}
		if id != policy.UnmatchedID {
			r.Match.Operation = operation(t, p, id)
		}
		r.Spent = p.Spender.Spend(t.Context(), r, policy.Decision{})
		return find(operation(t, p, id), policy.RateApp).Check.Check(t.Context(), r)
	}
	assert.Nil(t, find(operation(t, p, "listPorts"), policy.RateApp))
	assert.Equal(t, policy.Permit, spend("createPort").Effect)
	assert.Equal(t, policy.Deny, spend("unmatched").Effect, "operations of one mode share the limit")
	assert.Equal(t, policy.Permit, spend("listSites").Effect, "the enforcing bucket is another one")
	assert.Equal(t, policy.Deny, spend("listSites").Effect)
}

func TestPolicyWithoutIssuers(t *testing.T) {
	t.Parallel()
	text := head[:strings.Index(head, "token:")] + "controls: {tok: off, az: off}\n"
	p := must(t, text).Policy
	a := p.Authenticator.Authenticate(t.Context(), &policy.Request{Header: http.Header{"Authorization": {"Bearer x"}}})
	assert.Nil(t, a.Identity)
	assert.Equal(t, policy.TokPresent, a.Proof.Cause)
	assert.False(t, errors.Is(a.Proof.Err, context.Canceled))
}
