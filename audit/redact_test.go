package audit_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestSecretsInFreeTextAreReplaced(t *testing.T) {
	rows := []struct{ rule, value string }{
		{"a signed token", "x eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."},
		{"a token after a false start", "eyJ eyJhbGciOiJub25lIn0.eyJz"},
		{"a private key", "-----BEGIN EC PRIVATE KEY-----"},
		{"a cloud access key", "AKIAIOSFODNN7EXAMPLE"},
		{"a source host's token", "trace:ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
		{"a card number", "4111111111111111"},
		{"a card number in groups", "id 5500-0055-5555-5559 x"},
		{"an e-mail address", "jane.doe@example.org"},
		{"an e-mail address of another script", "jané@exämple.org"},
		{"an encoded e-mail address", "jane%40example.org"},
		{"an encoded card number", "4111%201111%201111%201111"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			r := request("A-1")
			r.Header.Set("X-Request-Id", row.value)
			d := policy.Decision{Findings: one(policy.InSchema, policy.Denied(policy.SchemaMismatch, row.value))}
			rec := record(t, scenario{r, d, policy.Outcome{Instance: row.value}})
			assert.Equal(t, "[redacted]", rec.RequestID)
			assert.Equal(t, "[redacted]", rec.Be.Instance)
			assert.Equal(t, "[redacted]", rec.Findings[0].Detail)
			assert.ElementsMatch(t, []string{"be.instance", "request_id", "findings.detail"}, rec.Redaction.Applied)
		})
	}
}

func TestUnprintableCharactersAreReplaced(t *testing.T) {
	r := request("A-1")
	r.Header.Set("X-Request-Id", "a\r\nb\x7fc\u2028d")
	d := policy.Decision{Findings: one(policy.InSchema, policy.Denied(policy.SchemaMismatch, "/a\r\n\x7f\u2028\u202e\x1b[31m\xffé"))}
	rec := record(t, scenario{r, d, policy.Outcome{}})
	assert.Equal(t, "a__b_c_d", rec.RequestID)
	assert.Equal(t, "/a"+strings.Repeat("\uFFFD", 6)+"[31m\uFFFDé", rec.Findings[0].Detail)
}

func TestLookAlikesAreKept(t *testing.T) {
	rows := []struct{ rule, value string }{
		{"an order number that fails the check", "4111111111111112"},
		{"digits that no card begins with", "9111111111111111"},
		{"digits within a word", "x4111111111111111"},
		{"more digits than a card has", "41111111111111111111111"},
		{"a UUID", "123e4567-e89b-12d3-a456-426614174000"},
		{"the word ASIA", "ASIA/ports"},
		{"a token's beginning without a dot", "eyJhbGciOiJub25lIn0"},
		{"an address of an instance", "10.0.0.17:8443"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			rec := record(t, scenario{&policy.Request{}, policy.Decision{}, policy.Outcome{Instance: row.value}})
			assert.Equal(t, row.value, rec.Be.Instance)
		})
	}
}

func TestRequestIDCannotCarryAnIdentifierOfTheRequest(t *testing.T) {
	rows := []struct{ rule, value string }{
		{"the account of the path", "r-ACCT-999888"},
		{"the account of the token", "ACCT-100200"},
		{"an encoded account", "ACCT%2D100200"},
		{"the client", "client-ports-7"},
		{"the principal", "svc-orders@clients"},
		{"the token's id", "jti-993412"},
		{"the credential", "x-c2lnbmF0dXJl-opaque"},
		{"a path parameter", "port-778899"},
		{"the proof of the sender", "x-proof-of-possession"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			r := request("ACCT-999888")
			r.Header.Set("Authorization", "Bearer x-c2lnbmF0dXJl-opaque")
			r.Header.Set("DPoP", "proof-of-possession")
			r.Header.Set("X-Request-Id", row.value)
			assert.Equal(t, "[redacted]", record(t, scenario{r: r}).RequestID)
		})
	}
}

func TestClientWordsOutsideClosedSetsDoNotAppear(t *testing.T) {
	r := request("A-1")
	r.Method, r.Proto = "STEAL", "GOPHER/1"
	r.Query = policy.ParseQuery("dryRun=1&dryRun=2&evilname=1&" + strings.Repeat("x", 9000) + "=1")
	r.Header["Content-Type"] = []string{"evil/type"}
	r.Auth.Identity = nil
	r.Auth.Proof = policy.UndecidedBy(policy.TokIss)
	r.Auth.Token = &policy.Token{Algorithm: "evilalg", Type: "eviltyp", KeyID: "evilkid", Claimed: policy.Identity{Issuer: "https://evil.example"}}
	rec := record(t, scenario{r: r})
	assert.NotContains(t, strings.ToLower(string(line(t, rec))), "evil")
	assert.Equal(t, []string{"dryRun", "other"}, rec.HTTP.QueryKeys)
	assert.Equal(t, "OTHER", rec.HTTP.Method)
}

func TestWhatStandsInHeadersOfTheGatewayIsNotRepeated(t *testing.T) {
	names := contract()
	names.Untold = []string{"X-Client-Id", "x_accounts"}
	for _, c := range []struct {
		rule, header, value, id string
		told                    bool
	}{
		{"one that nobody could read", "X-Client-Id", "(app-plant", "(app-plant", false},
		{"an element of a list", "X-Accounts", "acct-1,, plant-2", "id-plant-2", false},
		{"in another spelling", "X_client_id", "app-plant", "app-plant", false},
		{"percent-encoded", "X-Client-Id", "app plant", "app%20plant", false},
		{"another header is no secret", "X-Other", "app-plant", "app-plant", true},
		{"another value is no secret", "X-Client-Id", "app-other", "app-plant", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := request("acct-1")
			r.Auth = policy.Authentication{Proof: policy.UndecidedBy(policy.TokPresent)}
			r.Header = http.Header{c.header: {"other-value", c.value}, "X-Request-Id": {c.id}}
			var got last
			rc := recorder(t, &got)
			rc.Use(names)
			rc.Observe(r, policy.Decision{}, policy.Outcome{})
			assert.Equal(t, c.told, got.rec.RequestID != "[redacted]", got.rec.RequestID)
		})
	}
}

// FuzzRedact plants an account, a token and free text wherever a client can put
// bytes. Whatever they are, the record is one valid line of JSON of bounded length
// without a control character, and neither plant survives in it.
func FuzzRedact(f *testing.F) {
	f.Add("PATCH", "/v1/x", "id-1", "a=1", "text/plain", "k1", "")
	f.Add("GET\r\n", "/a/\u2028/%00", "x\x1b[31m\x7f", "a\"}{\"", "\xff/\xfe", "..\n", "ports-1")
	f.Add("OPTIONS", "//%zz///", strings.Repeat("4", 400), "account=", "a/b;c", "kid\u202e", "4111111111111111")
	f.Fuzz(func(t *testing.T, method, path, id, query, ctype, kid, instance string) {
		const account, credential = "Plant~Acct~7731", "eyJhbGciOiJSUzI1NiJ9.PlantPayload.PlantSignature"
		r := request(account)
		r.Method, r.Path, r.RawQuery = method, path+"/"+account+"/"+credential, query
		r.Query = append(policy.ParseQuery(query), policy.Pair{Name: "account", Value: account}, policy.Pair{Name: account, Value: credential})
		r.Header = http.Header{
			"Authorization": {"Bearer " + credential}, "X-Request-Id": {id + account}, "X-Account-Id": {account},
			"Content-Type": {ctype + account}, "Traceparent": {id + credential},
			"Cookie": {credential},
		}
		r.Body.Selected = [][]string{{account, id}}
		r.Body.Bytes = []byte(account)
		r.Auth.Token = &policy.Token{
			KeyID: kid + account, Type: credential, Algorithm: credential,
			Claimed: policy.Identity{Issuer: id + account, Client: account, Principal: account, Accounts: []string{account, kid}},
		}
		r.Auth.Identity = nil
		for _, matched := range []policy.Match{r.Match, {}} {
			r.Match = matched
			out := line(t, record(t, scenario{r, policy.Decision{}, policy.Outcome{Instance: instance + credential}}))
			require.LessOrEqual(t, len(out), audit.MaxLine)
			require.Equal(t, 1, bytes.Count(out, []byte("\n")))
			require.True(t, json.Valid(out))
			require.NotContains(t, string(out), "Plant")
			require.Equal(t, -1, strings.IndexFunc(strings.TrimSuffix(string(out), "\n"), unprintable), "%q", out)
			_, err := audit.ReadRecord(out)
			require.NoError(t, err)
		}
	})
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func FuzzReadRecord(f *testing.F) {
	for _, s := range scenarios() {
		f.Add(line(f, record(f, s)))
	}
	f.Add([]byte(`{"v":1,"v":1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, in []byte) {
		rec, err := audit.ReadRecord(in)
		if err != nil {
			require.Nil(t, rec)
			return
		}
		out := line(t, rec)
		require.Equal(t, string(bytes.TrimSuffix(in, []byte("\n"))), string(bytes.TrimSuffix(out, []byte("\n"))), "what is read is what would be written")
	})
}

func TestReadRecordRefuses(t *testing.T) {
	good := string(line(t, record(t, scenarios()["clean-allowed"])))
	rows := []struct{ rule, line string }{
		{"another version", strings.Replace(good, `"v":1`, `"v":2`, 1)},
		{"an unknown field", strings.Replace(good, `"v":1`, `"v":1,"x":1`, 1)},
		{"a repeated field", strings.Replace(good, `"v":1`, `"v":1,"v":1`, 1)},
		{"another case", strings.Replace(good, `"env"`, `"ENV"`, 1)},
		{"two records", good + good},
		{"a torn line", good[:len(good)/2]},
		{"a line that is too long", strings.Repeat(" ", audit.MaxLine) + good},
		{"nothing", ""},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			require.NotEqual(t, good, row.line)
			_, err := audit.ReadRecord([]byte(row.line))
			assert.Error(t, err)
		})
	}
}
