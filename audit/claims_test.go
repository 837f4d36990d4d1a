package audit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestMissingClaimsAreNamed(t *testing.T) {
	for _, row := range []struct {
		rule          string
		missing, want []string
	}{
		{"of a whole token none", nil, nil},
		{"one", []string{"jti"}, []string{"jti"}},
		{"several in a fixed order", []string{"nbf", "jti", "exp"}, []string{"exp", "jti", "nbf"}},
		{"all", []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "nbf"}, []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "nbf"}},
		{"no other word", []string{"secret", "iat"}, []string{"iat"}},
	} {
		for _, proven := range []bool{true, false} {
			r := request("A-1")
			r.Auth.Token = token()
			r.Auth.Token.Missing = row.missing
			if !proven {
				r.Auth.Identity = nil
			}
			assert.Equal(t, row.want, record(t, scenario{r: r}).Tok.Missing, row.rule)
		}
	}
}

func TestOnlyDeclaredScopesAreNamed(t *testing.T) {
	rows := []struct {
		rule   string
		scopes []string
		want   []string
		n      int
	}{
		{"none", nil, nil, 0},
		{"a declared one", []string{"ports:read"}, []string{"ports:read"}, 1},
		{"another one is counted", []string{"acct-4711-secret"}, nil, 1},
		{"sorted, and the others counted", []string{"x", "ports:read", "y", "ports:admin"}, []string{"ports:admin", "ports:read"}, 4},
		{"each once", []string{"ports:read", "ports:read"}, []string{"ports:read"}, 2},
		{"as they are spelt", []string{"Ports:Read"}, nil, 1},
	}
	for _, row := range rows {
		r := request("A-1")
		r.Auth.Token.Claimed.Scopes = row.scopes
		for range 2 { // lists of one are shared
			rec := record(t, scenario{r: r})
			assert.Equal(t, row.want, rec.Tok.Scopes, row.rule)
			assert.Equal(t, row.n, rec.Tok.ScopesN, row.rule)
			assert.False(t, rec.Truncated, row.rule)
		}
	}
}

// A scope that nobody may read, or that is too long for a record, is treated like
// one that is not declared.
func TestADeclaredScopeMustBeFitForARecord(t *testing.T) {
	r := request("A-1")
	long := strings.Repeat("s", 97)
	bad := []string{"ghp_0123456789abcdef0123", "line\nbreak", "mail@example.net", long}
	r.Auth.Token.Claimed.Scopes = append([]string{long[1:]}, bad...)
	c := contract()
	c.Scopes = r.Auth.Token.Claimed.Scopes
	assert.Equal(t, []string{long[1:]}, with(t, c, r).Tok.Scopes)
}

func TestManyScopesAreCut(t *testing.T) {
	r, c := request("A-1"), contract()
	var scopes []string
	for i := range 40 {
		scopes = append(scopes, fmt.Sprintf("%096d", i))
	}
	c.Scopes, r.Auth.Token.Claimed.Scopes = scopes, scopes[:32]
	rec := with(t, c, r)
	assert.Equal(t, scopes[:32], rec.Tok.Scopes)
	assert.False(t, rec.Truncated)

	r.Auth.Token.Claimed.Scopes = scopes
	rec = with(t, c, r)
	assert.Equal(t, scopes[:32], rec.Tok.Scopes)
	assert.Equal(t, 40, rec.Tok.ScopesN)
	assert.True(t, rec.Truncated)

	rec.HTTP.Path = strings.Repeat("x", 6000)
	text := line(t, rec)
	back, err := audit.ReadRecord(text)
	require.NoError(t, err)
	assert.Empty(t, back.Tok.Scopes, "a line that is too long loses them")
	assert.Len(t, rec.Tok.Scopes, 32, "the shared record is not changed")
}

// with is the record of a request by another vocabulary.
func with(t *testing.T, c audit.Contract, r *policy.Request) *audit.Record {
	t.Helper()
	var got last
	rc := recorder(t, &got)
	rc.Use(c)
	rc.Observe(r, policy.Decision{}, policy.Outcome{})
	return got.rec
}

func TestAnActorHasAPseudonym(t *testing.T) {
	p := pseudonyms(t)
	s := byToken("a", "ACCT-100200")
	assert.Empty(t, record(t, s).ActorID)
	s.r.Auth.Token.Claimed.Actor = "operator-5"
	want := p.Owned(audit.TypeActor, issuer, "operator-5")
	rec := record(t, s)
	assert.Equal(t, want, rec.ActorID)
	assert.NotEqual(t, p.Owned(audit.TypePrincipal, issuer, "operator-5"), want)
	s.r.Auth.Identity = nil
	rec = record(t, s)
	assert.Empty(t, rec.ActorID, "it did not prove itself")
	assert.Equal(t, want, rec.Claimed.ActorID)
}

// No claim gets through: each is planted with a word of its own and looked for in
// the line.
func TestNoClaimIsRepeated(t *testing.T) {
	for _, proven := range []bool{true, false} {
		r := request("A-1")
		tok := r.Auth.Token
		tok.Algorithm, tok.KeyID, tok.Type, tok.ID, tok.Audience = "PLANTED-1", "PLANTED-2", "PLANTED-3", "PLANTED-4", []string{"PLANTED-5"}
		tok.Confirmation = policy.Confirmation{Key: "PLANTED-6", Certificate: "PLANTED-7"}
		tok.Claimed = policy.Identity{
			Issuer: "https://PLANTED-8", Client: "PLANTED-9", Principal: "PLANTED-10", Actor: "PLANTED-11",
			Accounts: []string{"PLANTED-12"}, Scopes: []string{"PLANTED-13", "ports:read"},
		}
		r.Auth.Identity = &tok.Claimed
		if !proven {
			r.Auth.Identity = nil
		}
		text := line(t, record(t, scenario{r: r}))
		assert.NotContains(t, string(text), "PLANTED")
		assert.True(t, bytes.Contains(text, []byte(`"scopes_n":2,"scopes":["ports:read"]`)), string(text))
	}
}
