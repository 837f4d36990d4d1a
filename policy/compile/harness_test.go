package compile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

const contract = `openapi: 3.0.3
info: {title: t, version: "1"}
security: [{oauth: [ports:read]}]
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://i.example/t", scopes: {"ports:read": r, "ports:write": w}}}}
paths:
  /accounts/{accountId}/ports:
    parameters: [{name: accountId, in: path, required: true, schema: {type: string}}]
    get: {operationId: listPorts, responses: {"200": {description: ok, content: {application/json: {schema: {type: array, items: {type: object}}}}}}}
    post:
      operationId: createPort
      security: [{oauth: [ports:write]}, {oauth: [admin]}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {name: {type: string}, accountId: {type: string}}}}}
      responses: {"201": {description: created}}
  /sites:
    get: {operationId: listSites, responses: {"200": {description: ok}}}
  /status:
    get: {security: [], responses: {"200": {description: ok}}}
`

// keySet has one public key of P-256 that nobody signs with.
const keySet = `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k",
"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

// head is the least that a configuration needs.
const head = `version: 1
product: orders
listen: {address: "127.0.0.1:8080"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: openapi.yaml}
token:
  issuers: [{issuer: "https://i.example", jwks_file: keys.json, audiences: [a]}]
`

// accounts are account rules of every carrier.
const accounts = `account:
  rules: [{in: path, name: accountId}, {in: query, name: account}, {in: header, name: X-Account-Id}, {in: body, pointer: /accountId}]
`

// partners are account rules with a partner that may act for acct-2 and acct-3.
const partners = accounts + `  delegation: [{issuer: "https://i.example", client: p, accounts: [acct-2, acct-3]}]
`

// byName asks for az.default, which is not judged in shadow in passing.
const byName = "controls: {az.default: shadow}\n"

// read parses a configuration beside the contract and the key set.
func read(t *testing.T, text string) *config.Config {
	t.Helper()
	return readIn(t, t.TempDir(), contract, text)
}

// readIn parses a configuration in a folder, beside another contract.
func readIn(t *testing.T, dir, spec, text string) *config.Config {
	t.Helper()
	for name, content := range map[string]string{"openapi.yaml": spec, "keys.json": keySet, "sidewarden.yaml": text} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	c, err := config.Load(filepath.Join(dir, "sidewarden.yaml"), config.Env{})
	require.NoError(t, err)
	return c
}

func now() time.Time { return time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC) }

func build(t *testing.T, text string) (*compile.Output, error) {
	t.Helper()
	return compile.Compile(compile.Input{Config: read(t, text), Now: now})
}

// mustOf compiles beside another contract.
func mustOf(t *testing.T, spec, text string) *compile.Output {
	t.Helper()
	out, err := compile.Compile(compile.Input{Config: readIn(t, t.TempDir(), spec, text), Now: now})
	require.NoError(t, err)
	return out
}

func must(t *testing.T, text string) *compile.Output {
	t.Helper()
	out, err := build(t, text)
	require.NoError(t, err)
	return out
}

func operation(t *testing.T, p *policy.Policy, id string) *policy.Operation {
	t.Helper()
	for _, op := range append(p.Operations, p.Unmatched) {
		if op.ID == id {
			return op
		}
	}
	require.FailNow(t, "no operation", id)
	return nil
}

func find(op *policy.Operation, c policy.Control) *policy.Rule {
	for _, r := range op.Rules {
		if r.Control == c {
			return r
		}
	}
	return nil
}

// judge takes a request with a proven token of account acct-1 through every phase
// and returns the verdict of a control, and what blocks.
func judge(t *testing.T, p *policy.Policy, r *policy.Request, body string, control policy.Control) (policy.Verdict, policy.Control) {
	t.Helper()
	r.Time = now()
	r.Match = p.Matcher.Match(r)
	r.Auth = policy.Authentication{Proof: policy.Permitted(), Token: &policy.Token{}, Identity: &policy.Identity{
		Issuer: "https://i.example", Client: "c", Accounts: []string{"acct-1"}, Scopes: []string{"ports:read", "ports:write"},
	}}
	r.Body.Size = int64(len(body))
	r.Frame = unambiguous()
	d := p.Evaluate(t.Context(), r, policy.HeadPhase)
	r.Spent = p.Spender.Spend(t.Context(), r, d)
	d = p.Extend(t.Context(), r, d, policy.LimitPhase)
	plan := p.Plan(r)
	require.NotNil(t, plan.In)
	r.Body = plan.In.Inspect(r, []byte(body), int64(len(body)), true)
	d = p.Extend(t.Context(), r, d, policy.BodyPhase)
	var verdict policy.Verdict
	for _, f := range d.Findings {
		if f.Rule.Control == control {
			verdict = f.Verdict
		}
	}
	if f, blocks := d.Blocking(); blocks {
		return verdict, f.Rule.Control
	}
	return verdict, ""
}

// unambiguous is what the connection tells of a request that can be read in one way only.
func unambiguous() policy.Frame {
	return policy.Frame{Head: policy.Permitted(), Body: policy.Inapplicable()}
}
