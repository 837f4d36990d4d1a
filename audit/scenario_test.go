package audit_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

const (
	issuer = "https://idp.example.net"
	digest = "sha256:9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
)

var start = time.Date(2026, 9, 14, 21, 40, 55, 123456789, time.UTC)

// scenario is what the proxy hands to an observer.
type scenario struct {
	r *policy.Request
	d policy.Decision
	o policy.Outcome
}

func bandwidth() *policy.Operation {
	return &policy.Operation{ID: "updateBandwidth", Method: "PATCH", Template: "/v1/accounts/{accountId}/ports/{portId}/bandwidth"}
}

func contract() audit.Contract {
	return audit.Contract{
		Operations: []*policy.Operation{bandwidth()},
		Parameters: []string{"dryRun", "account"},
		Issuers:    []string{issuer},
		Scopes:     []string{"ports:read", "ports:admin"},
		Selectors: []audit.Selector{
			{In: "path", Name: "accountId"},
			{In: "query", Name: "account"},
			{In: "header", Name: "X-Account-Id"},
			{In: "body", Name: "/accountId"},
		},
	}
}

func pseudonyms(t testing.TB) *audit.Pseudonymizer {
	t.Helper()
	p, err := audit.NewPseudonymizer([]byte("0123456789abcdef"), "1", "naas-ports")
	require.NoError(t, err)
	return p
}

// last keeps the last record.
type last struct{ rec *audit.Record }

func (l *last) Consume(rec *audit.Record) { l.rec = rec }

func recorder(t testing.TB, consumers ...audit.Consumer) *audit.Recorder {
	t.Helper()
	return audit.NewRecorder(audit.Options{
		Product: "naas-ports", Environment: "prod", Instance: "sidecar-1", Version: "0.1.0",
		RequestIDHeader: "X-Request-Id", Contract: contract(), Pseudonyms: pseudonyms(t), Consumers: consumers,
	})
}

// record returns what a recorder makes of a scenario.
func record(t testing.TB, s scenario) *audit.Record {
	t.Helper()
	var got last
	recorder(t, &got).Observe(s.r, s.d, s.o)
	require.NotNil(t, got.rec)
	return got.rec
}

func line(t testing.TB, rec *audit.Record) []byte {
	t.Helper()
	l, err := rec.AppendLine(nil)
	require.NoError(t, err)
	return l
}

type never struct{}

func (never) Check(context.Context, *policy.Request) policy.Verdict { return policy.Permitted() }

func finding(c policy.Control, m policy.Mode, v policy.Verdict) policy.Finding {
	phase := policy.HeadPhase
	if e, _ := policy.Lookup(c); e.Phase == "body" {
		phase = policy.BodyPhase
	}
	return policy.Finding{Rule: &policy.Rule{Control: c, Phase: phase, Mode: m, Check: never{}}, Verdict: v}
}

// said is what one control says.
type said struct {
	control policy.Control
	verdict policy.Verdict
}

// judged has a verdict of each control, all permits but those given.
func judged(m policy.Mode, verdicts ...said) policy.Decision {
	var d policy.Decision
	for _, c := range []policy.Control{
		policy.InRoute, policy.InMethod, policy.TokPresent, policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud,
		policy.TokTime, policy.TokTTL, policy.AzScope, policy.AzAccount, policy.InCtype,
	} {
		v := policy.Permitted()
		for _, s := range verdicts {
			if s.control == c {
				v = s.verdict
			}
		}
		d.Findings = append(d.Findings, finding(c, m, v))
	}
	return d
}

func identity() policy.Identity {
	return policy.Identity{
		Issuer: issuer, Client: "client-ports-7", Principal: "svc-orders@clients",
		Accounts: []string{"ACCT-100200"}, Scopes: []string{"ports:write", "ports:read"},
	}
}

func proven() policy.Authentication {
	id := identity()
	return policy.Authentication{Proof: policy.Permitted(), Identity: &id, Token: token()}
}

func token() *policy.Token {
	return &policy.Token{
		Algorithm: "RS256", KeyID: "k3", Type: "at+JWT", ID: "jti-993412", Missing: []string{"nbf"},
		Audience: []string{"https://api.example.net"},
		IssuedAt: start.Add(-212 * time.Second), Expires: start.Add(3388 * time.Second),
		Claimed: identity(), Fingerprint: sha256.Sum256([]byte("token")),
	}
}

// request is a valid request for an account.
func request(account string) *policy.Request {
	op := bandwidth()
	path := "/v1/accounts/" + account + "/ports/port-778899/bandwidth"
	return &policy.Request{
		ID: "01K54Z0000000000000000000D", Time: start,
		Peer:   policy.Peer{Addr: netip.MustParseAddr("203.0.113.77")},
		Source: netip.MustParseAddr("203.0.113.77"),
		Method: "PATCH", Path: path, RawQuery: "dryRun=true&debug=1", Host: "api.example.net", Proto: "HTTP/1.1",
		Query: policy.ParseQuery("dryRun=true&debug=1"),
		Header: http.Header{
			"Authorization": {"Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"},
			"Content-Type":  {"application/json; charset=utf-8"},
			"Traceparent":   {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
			"X-Request-Id":  {"tracking-4711"},
		},
		Match: policy.Match{Operation: op, Params: []policy.Pair{
			{Name: "accountId", Value: account}, {Name: "portId", Value: "port-778899"},
		}},
		Auth: proven(),
		Body: policy.Body{Bytes: []byte(`{"mbps":500}`), Inspected: 12, Size: 12, Whole: true},
	}
}

func forwarded(disposition policy.Disposition, status int, class policy.ResponseClass) policy.Outcome {
	return policy.Outcome{
		Disposition: disposition, Status: status, BackendStatus: status, Class: class, Instance: "ports-api-2",
		Overhead: 412 * time.Microsecond, Elapsed: 38*time.Millisecond + 512*time.Microsecond, Backend: 37 * time.Millisecond,
		Sent: 188, Policy: digest,
	}
}

func scenarios() map[string]scenario {
	const mine, foreign = "ACCT-100200", "ACCT-999888"
	shadow := func(v ...said) policy.Decision { return judged(policy.Shadow, v...) }
	byToken := policy.UndecidedBy(policy.TokPresent)
	bySig := policy.UndecidedBy(policy.TokSig)

	missing := request(mine)
	missing.Header.Del("Authorization")
	missing.Auth = policy.Authentication{Proof: policy.Verdict{Reason: policy.CredentialMissing, Cause: policy.TokPresent}}

	expired := request(mine)
	expired.Auth.Token.Expires = start.Add(-time.Minute)

	forged := request(foreign)
	forged.Auth.Identity = nil
	forged.Auth.Proof = policy.Denied(policy.TokenSignature, "")
	forged.Auth.Token.Claimed.Issuer = "https://evil.example"
	forged.Auth.Token.Claimed.Accounts = []string{foreign}

	unmatched := request(mine)
	unmatched.Method, unmatched.Path = "PROPFIND", "/v1/accounts/"+mine+"/secrets/..%2fports"
	unmatched.Match = policy.Match{}
	unmatched.Header.Del("Traceparent")

	blocked := forwarded(policy.Blocked, 403, policy.ClassNone)
	blocked.BackendStatus, blocked.Backend, blocked.Instance = 0, 0, ""
	down := forwarded(policy.Failed, 502, policy.ClassAbort)
	down.BackendStatus, down.Backend, down.Instance, down.Sent = 0, 0, "", 0

	accountDenied := said{policy.AzAccount, policy.Denied(policy.AccountNotInToken, "path.accountId")}
	return map[string]scenario{
		"clean-allowed": {request(mine), shadow(), forwarded(policy.Allowed, 200, policy.ClassOK)},
		"account-leak":  {request(foreign), shadow(accountDenied), forwarded(policy.WouldBlock, 200, policy.ClassOK)},
		"blocked-403":   {request(foreign), judged(policy.Enforce, accountDenied), blocked},
		"backend-down":  {request(mine), shadow(), down},
		"missing-token": {missing, shadow(
			said{policy.TokPresent, policy.Denied(policy.CredentialMissing, "")}, said{policy.TokSig, byToken}, said{policy.TokIss, byToken},
			said{policy.TokTyp, byToken}, said{policy.TokAud, byToken}, said{policy.TokTime, byToken}, said{policy.TokTTL, byToken},
			said{policy.AzScope, byToken}, said{policy.AzAccount, byToken},
		), forwarded(policy.WouldBlock, 401, policy.Class401)},
		"expired-token": {expired, shadow(
			said{policy.TokTime, policy.Denied(policy.TokenExpired, "")},
		), forwarded(policy.WouldBlock, 200, policy.ClassOK)},
		"forged-signature": {forged, shadow(
			said{policy.TokSig, policy.Denied(policy.TokenSignature, "")}, said{policy.TokIss, bySig}, said{policy.TokTyp, bySig},
			said{policy.TokAud, bySig}, said{policy.TokTime, bySig}, said{policy.TokTTL, bySig}, said{policy.AzScope, bySig}, said{policy.AzAccount, bySig},
		), forwarded(policy.WouldBlock, 404, policy.Class404)},
		"unmatched-path": {unmatched, shadow(
			said{policy.InRoute, policy.Denied(policy.RouteUnknown, "")}, said{policy.InMethod, policy.UndecidedBy(policy.InRoute)},
			said{policy.AzScope, policy.UndecidedBy(policy.InRoute)}, said{policy.AzAccount, policy.UndecidedBy(policy.InRoute)},
			said{policy.InCtype, policy.Inapplicable()},
		), forwarded(policy.WouldBlock, 404, policy.Class404)},
		"transport-refused": {&policy.Request{Time: start}, policy.Decision{}, policy.Outcome{Status: 431}},
	}
}
