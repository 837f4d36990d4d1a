package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

const (
	apiKey      = "8Xq2-legacy-key-of-the-tests"
	otherAPIKey = "9Yr3-another-key-of-the-tests"
	keyHeader   = "X-Api-Key"
)

// saltOf is a salt of 16 bytes.
func saltOf(i int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "salt-%011d", i))
}

// entry is an entry of a key under a salt, with changes.
func entry(t testing.TB, id, key string, salt int, change ...func(*token.APIKeyEntry)) token.APIKeyEntry {
	t.Helper()
	hash, ok := token.HashAPIKey(saltOf(salt), key)
	require.True(t, ok)
	e := token.APIKeyEntry{
		ID: id, Salt: saltOf(salt), Hash: hash, Client: "app-1", Principal: "batch", Accounts: []string{"acct-1"}, Scopes: []string{"orders:read"},
	}
	for _, f := range change {
		f(&e)
	}
	return e
}

func apiKeys(t testing.TB, entries ...token.APIKeyEntry) *token.APIKeys {
	t.Helper()
	a, err := token.NewAPIKeys(token.APIKeyOptions{Header: "x-api-key", Issuer: "api-keys", Entries: entries})
	require.NoError(t, err)
	return a
}

// keyed is a request at the epoch with values of the header, authenticated.
func keyed(t testing.TB, stage *token.APIKeys, values ...string) *policy.Request {
	t.Helper()
	r := &policy.Request{Time: epoch, Header: http.Header{}, Query: []policy.Pair{{Name: "X-Api-Key", Value: apiKey}, {Name: "api_key", Value: apiKey}}}
	if values != nil {
		r.Header[keyHeader] = values
	}
	r.Auth = stage.Authenticate(t.Context(), r)
	return r
}

func TestTheHashIsHMACOfTheKeyUnderTheSalt(t *testing.T) {
	t.Parallel()
	m := hmac.New(sha256.New, []byte("salt-00000000007"))
	m.Write([]byte(apiKey))
	hash, ok := token.HashAPIKey(saltOf(7), apiKey)
	assert.True(t, ok)
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(m.Sum(nil)), hash)
	for _, salt := range []string{"", "c2hvcnQ", saltOf(7) + "==", strings.Repeat("A", 100), saltOf(7) + "\n"} {
		_, ok := token.HashAPIKey(salt, apiKey)
		assert.False(t, ok, salt)
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	expires := func(day string) func(*token.APIKeyEntry) {
		return func(e *token.APIKeyEntry) { e.Expires = day }
	}
	disabled := func(e *token.APIKeyEntry) { e.Disabled = true }
	who := &policy.Identity{Issuer: "api-keys", Client: "app-1", Principal: "batch", Accounts: []string{"acct-1"}, Scopes: []string{"orders:read"}}
	today := epoch.Format(time.DateOnly)
	for _, c := range []struct {
		rule    string
		entries []token.APIKeyEntry
		sent    []string
		key     policy.Verdict
		present policy.Verdict
		who     *policy.Identity
	}{
		{"a key of the file", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{apiKey}, policy.Permitted(), policy.Permitted(), who},
		{"under the last of many salts", sixteen(t, apiKey), []string{apiKey}, policy.Permitted(), policy.Permitted(), who},
		{"another one", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{otherAPIKey}, policy.Denied(policy.APIKeyUnknown, ""), policy.Permitted(), nil},
		{"a key and one byte more", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{apiKey + "x"}, policy.Denied(policy.APIKeyUnknown, ""), policy.Permitted(), nil},
		{"in other letters", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{strings.ToUpper(apiKey)}, policy.Denied(policy.APIKeyUnknown, ""), policy.Permitted(), nil},
		{"the hash is no key", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{entry(t, "a", apiKey, 1).Hash}, policy.Denied(policy.APIKeyUnknown, ""), policy.Permitted(), nil},
		{"one that two clients have", []token.APIKeyEntry{entry(t, "a", apiKey, 1), entry(t, "b", apiKey, 2)}, []string{apiKey}, policy.Denied(policy.APIKeyUnknown, "ambiguous"), policy.Permitted(), nil},
		{"one that three clients have", []token.APIKeyEntry{entry(t, "a", apiKey, 1), entry(t, "b", apiKey, 2), entry(t, "c", apiKey, 3)}, []string{apiKey}, policy.Denied(policy.APIKeyUnknown, "ambiguous"), policy.Permitted(), nil},
		{"disabled", []token.APIKeyEntry{entry(t, "a", apiKey, 1, disabled)}, []string{apiKey}, policy.Denied(policy.APIKeyDisabled, ""), policy.Permitted(), who},
		{"on its last day", []token.APIKeyEntry{entry(t, "a", apiKey, 1, expires(today))}, []string{apiKey}, policy.Permitted(), policy.Permitted(), who},
		{"after its last day", []token.APIKeyEntry{entry(t, "a", apiKey, 1, expires(epoch.AddDate(0, 0, -1).Format(time.DateOnly)))}, []string{apiKey}, policy.Denied(policy.APIKeyExpired, ""), policy.Permitted(), who},
		{"at its last moment", []token.APIKeyEntry{entry(t, "a", apiKey, 1, expires(epoch.Add(time.Second).Format(time.RFC3339)))}, []string{apiKey}, policy.Permitted(), policy.Permitted(), who},
		{"at the moment of its end", []token.APIKeyEntry{entry(t, "a", apiKey, 1, expires(epoch.Format(time.RFC3339)))}, []string{apiKey}, policy.Denied(policy.APIKeyExpired, ""), policy.Permitted(), who},
		{"none, and one in the query", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, nil, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMissing, ""), nil},
		{"twice", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{apiKey, apiKey}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialDuplicate, ""), nil},
		{"empty", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{""}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMalformed, ""), nil},
		{"too short", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{strings.Repeat("x", 15)}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMalformed, ""), nil},
		{"the shortest", []token.APIKeyEntry{entry(t, "a", strings.Repeat("x", 16), 1)}, []string{strings.Repeat("x", 16)}, policy.Permitted(), policy.Permitted(), who},
		{"the longest", []token.APIKeyEntry{entry(t, "a", strings.Repeat("x", 256), 1)}, []string{strings.Repeat("x", 256)}, policy.Permitted(), policy.Permitted(), who},
		{"too long", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{strings.Repeat("x", 257)}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMalformed, ""), nil},
		{"with a scheme", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{"Bearer " + apiKey}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMalformed, ""), nil},
		{"not ASCII", []token.APIKeyEntry{entry(t, "a", apiKey, 1)}, []string{apiKey + "ä"}, policy.UndecidedBy(policy.TokPresent), policy.Denied(policy.CredentialMalformed, ""), nil},
	} {
		r := keyed(t, apiKeys(t, c.entries...), c.sent...)
		assert.Equal(t, c.key, token.Key{}.Check(t.Context(), r), c.rule)
		assert.Equal(t, c.present, token.Present{}.Check(t.Context(), r), c.rule)
		assert.Equal(t, c.who, r.Auth.Identity, c.rule)
		assert.Equal(t, c.who != nil, r.Auth.Proof.Effect == policy.Permit, c.rule)
		assert.Equal(t, c.who != nil, r.Auth.APIKey != nil, c.rule)
		assert.Equal(t, token.APIKeyChallenge, r.Auth.Challenge, c.rule)
		assert.Nil(t, r.Auth.Token, c.rule)
		if v, missing := r.Auth.Missing(); missing {
			want := policy.TokPresent
			if c.present.Effect == policy.Permit {
				want = policy.KeyValid
			}
			assert.Equal(t, policy.UndecidedBy(want), v, c.rule)
		}
		policytest.Run(t, token.Key{}, r)
		policytest.Run(t, token.Present{}, r)
	}
}

// sixteen has as many salts as a file may have, the key under the last one.
func sixteen(t testing.TB, key string) []token.APIKeyEntry {
	t.Helper()
	var all []token.APIKeyEntry
	for i := range token.MaxAPIKeySalts - 1 {
		all = append(all, entry(t, fmt.Sprint("other-", i), fmt.Sprint("some-other-key-of-", i), i))
	}
	return append(all, entry(t, "last", key, token.MaxAPIKeySalts))
}

func TestAKeyInAnotherSpellingOfTheHeaderIsNone(t *testing.T) {
	t.Parallel()
	stage := apiKeys(t, entry(t, "a", apiKey, 1))
	for _, name := range []string{"X_Api_Key", "X-Api_Key"} {
		r := &policy.Request{Time: epoch, Header: http.Header{name: {apiKey}}}
		r.Auth = stage.Authenticate(t.Context(), r)
		assert.Equal(t, policy.Denied(policy.CredentialDuplicate, ""), token.Present{}.Check(t.Context(), r), name)
		r.Header[keyHeader] = []string{apiKey}
		r.Auth = stage.Authenticate(t.Context(), r)
		assert.Equal(t, policy.Denied(policy.CredentialDuplicate, ""), token.Present{}.Check(t.Context(), r), name)
	}
}

// fileOf is a file with entries, as JSON.
func fileOf(t testing.TB, entries ...token.APIKeyEntry) string {
	t.Helper()
	text, err := stdjson.Marshal(map[string]any{"version": 1, "keys": entries})
	require.NoError(t, err)
	return string(text)
}

func TestTheFileIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	want := []token.APIKeyEntry{
		entry(t, "legacy-1", apiKey, 1, func(e *token.APIKeyEntry) { e.Expires = "2027-01-31" }),
		entry(t, "legacy-2", otherAPIKey, 1, func(e *token.APIKeyEntry) { e.Disabled = true }),
	}
	got, err := token.ReadAPIKeys([]byte(fileOf(t, want...)))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	least := entry(t, "a", apiKey, 1)
	got, err = token.ReadAPIKeys(fmt.Appendf(nil, `{"version":1,"keys":[{"id":"a","salt":%q,"hash":%q,"client":"c"}]}`, least.Salt, least.Hash))
	require.NoError(t, err)
	assert.Equal(t, []token.APIKeyEntry{{ID: "a", Salt: least.Salt, Hash: least.Hash, Client: "c"}}, got)
}

// What is wrong with a file is told by entry and member. Nothing of the content is
// repeated: it may be a key.
func TestBrokenFilesOfKeys(t *testing.T) {
	t.Parallel()
	good := entry(t, "a", apiKey, 1)
	change := func(old, next string) string {
		text := fileOf(t, good)
		require.Contains(t, text, old)
		return strings.Replace(text, old, next, 1)
	}
	for _, c := range []struct{ rule, text, want string }{
		{"empty", "", "is not one JSON object"},
		{"a list", "[]", "is not one JSON object"},
		{"a key instead", apiKey, "is not one JSON object"},
		{"cut short", fileOf(t, good)[:60], "is not JSON"},
		{"trailing bytes", fileOf(t, good) + "x", "is not one JSON object"},
		{"two documents", fileOf(t, good) + "{}", "is not one JSON object"},
		{"a member twice", change(`"id":"a"`, `"id":"a","id":"b"`), "a member is given twice"},
		{"keys twice", change(`"version":1`, `"version":1,"keys":[]`), "a member is given twice"},
		{"invalid UTF-8", change(`"app-1"`, "\"app\xff\""), "is not JSON"},
		{"too deep", change(`"app-1"`, strings.Repeat("[", 40)+strings.Repeat("]", 40)), "nested at most 32 deep"},
		{"a foreign member", change(`"version":1`, `"version":1,"zqxkey":2`), "a member is none of version, keys"},
		{"no version", change(`"version":1`, `"versions":1`), "a member is none of"},
		{"another version", change(`"version":1`, `"version":2`), "member version: is not 1"},
		{"a version as text", change(`"version":1`, `"version":"1"`), "member version: is not 1"},
		{"no keys", `{"version":1}`, "member keys: is not a list"},
		{"an empty list", `{"version":1,"keys":[]}`, "has 0 entries"},
		{"an entry that is none", `{"version":1,"keys":["zqx"]}`, "entry number 1: is not an object"},
		{"a foreign member of an entry", change(`"client"`, `"clients"`), `entry "a": a member is none of`},
		{"the key itself", change(`"hash"`, `"key":"zqx","hash"`), `entry "a": a member is none of`},
		{"no id", change(`"id":"a",`, ``), "entry number 1: member id: is missing"},
		{"an id that is free text", change(`"id":"a"`, `"id":"zqx zqx"`), "entry number 1: member id:"},
		{"an id that is a number", change(`"id":"a"`, `"id":1`), "entry number 1: member id: is not a string"},
		{"no salt", change(`"salt":"`+good.Salt+`",`, ``), `entry "a": member salt: is missing`},
		{"a short salt", change(good.Salt, "c2FsdA"), `entry "a": member salt:`},
		{"a padded salt", change(good.Salt, good.Salt+"=="), `entry "a": member salt:`},
		{"left-over bits in the salt", change(good.Salt, good.Salt[:21]+"B"), `entry "a": member salt:`},
		{"no hash", change(`"hash":"`+good.Hash+`",`, ``), `entry "a": member hash: is missing`},
		{"a short hash", change(good.Hash, good.Hash[:40]), `entry "a": member hash:`},
		{"a hash in hex", change(good.Hash, strings.Repeat("0f", 32)), `entry "a": member hash:`},
		{"the key as hash", change(good.Hash, apiKey), `entry "a": member hash:`},
		{"no client", change(`"client":"app-1"`, `"client":""`), `entry "a": member client:`},
		{"a principal with a control character", change(`"batch"`, `"ba\ttch"`), `entry "a": member principal:`},
		{"accounts as text", change(`["acct-1"]`, `"acct-1"`), `entry "a": member accounts: is not a list`},
		{"an account that is a number", change(`["acct-1"]`, `["acct-1",2]`), `entry "a": member accounts: value number 2`},
		{"an empty scope", change(`["orders:read"]`, `[""]`), `entry "a": member scopes: value number 1`},
		{"no such day", change(`"disabled"`, `"expires":"2027-02-30","disabled"`), `entry "a": member expires:`},
		{"another form of day", change(`"disabled"`, `"expires":"31.01.2027","disabled"`), `entry "a": member expires:`},
		{"disabled as text", change(`"disabled":false`, `"disabled":"false"`), `entry "a": member disabled:`},
		{"disabled as null", change(`"disabled":false`, `"disabled":null`), `entry "a": member disabled:`},
		{"too large", strings.Repeat(" ", token.MaxAPIKeyFile+1), "has more than 16777216 bytes"},
		{"too many", `{"version":1,"keys":[` + strings.Repeat("0,", token.MaxAPIKeys) + `0]}`, "has 100001 entries"},
	} {
		_, err := token.ReadAPIKeys([]byte(c.text))
		require.ErrorContains(t, err, c.want, c.rule)
		for _, secret := range []string{good.Salt, good.Hash, apiKey, "zqx", "acct-1"} {
			assert.NotContains(t, err.Error(), secret, c.rule)
		}
	}
}

func TestKeysThatAreNotToldApartAreNotMade(t *testing.T) {
	t.Parallel()
	one := entry(t, "a", apiKey, 1)
	for _, c := range []struct {
		rule string
		o    token.APIKeyOptions
		want string
	}{
		{"no header", token.APIKeyOptions{Issuer: "i"}, "the header with the API key is not named"},
		{"no issuer", token.APIKeyOptions{Header: "h"}, "the issuer of API keys is not named"},
		{"an id twice", token.APIKeyOptions{Header: "h", Issuer: "i", Entries: []token.APIKeyEntry{one, entry(t, "a", otherAPIKey, 1)}}, `entry "a": member id: is that of entry number 1 too`},
		{"a key twice", token.APIKeyOptions{Header: "h", Issuer: "i", Entries: []token.APIKeyEntry{one, entry(t, "b", apiKey, 1)}}, `entry "b": member hash: is that of entry "a" too`},
		{"seventeen salts", token.APIKeyOptions{Header: "h", Issuer: "i", Entries: append(sixteen(t, apiKey), entry(t, "more", otherAPIKey, 99))}, `entry "more": member salt: is one more than the 16`},
		{"an entry that no file has", token.APIKeyOptions{Header: "h", Issuer: "i", Entries: []token.APIKeyEntry{{ID: "a"}}}, `entry "a": member salt:`},
	} {
		_, err := token.NewAPIKeys(c.o)
		require.ErrorContains(t, err, c.want, c.rule)
	}
}

// Whoever prints the stage by accident prints no key, which it does not have.
func TestTheStageHasNoKeys(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", apiKeys(t, entry(t, "a", apiKey, 1)), *apiKeys(t, entry(t, "a", apiKey, 1)), apiKeys(t, entry(t, "a", apiKey, 1))), apiKey)
}

// FuzzAPIKeys: a file that is read is one that another parser reads alike, and exactly
// the keys of its entries prove themselves.
func FuzzAPIKeys(f *testing.F) {
	f.Add(fileOf(f, entry(f, "a", apiKey, 1)), apiKey)
	f.Add(fileOf(f, sixteen(f, apiKey)...), otherAPIKey)
	f.Add(fileOf(f, entry(f, "a", apiKey, 1), entry(f, "b", apiKey, 2)), apiKey)
	f.Add(strings.Replace(fileOf(f, entry(f, "a", apiKey, 1)), `"id"`, `"\u0069d"`, 1), "x")
	f.Add(`{"version":1,"keys":[{"id":"a","ID":"b"}]}`, "")
	f.Fuzz(func(t *testing.T, text, sent string) {
		entries, err := token.ReadAPIKeys([]byte(text))
		if err != nil {
			return
		}
		var read struct {
			Version int                 `json:"version"`
			Keys    []token.APIKeyEntry `json:"keys"`
		}
		require.NoError(t, stdjson.Unmarshal([]byte(text), &read))
		require.Equal(t, 1, read.Version)
		require.Len(t, entries, len(read.Keys))
		stage, err := token.NewAPIKeys(token.APIKeyOptions{Header: keyHeader, Issuer: "i", Entries: entries})
		if err != nil {
			return
		}
		var owners []string
		for _, e := range read.Keys {
			hash, ok := token.HashAPIKey(e.Salt, sent)
			require.True(t, ok)
			if hash == e.Hash {
				owners = append(owners, e.Client)
			}
		}
		r := &policy.Request{Header: http.Header{keyHeader: {sent}}}
		a := stage.Authenticate(t.Context(), r)
		proven := len(owners) == 1 && token.IsAPIKey(sent)
		require.Equal(t, proven, a.Identity != nil)
		require.Equal(t, proven, a.Proof.Effect == policy.Permit)
		if proven {
			require.True(t, slices.Contains(owners, a.Identity.Client))
		}
	})
}

// BenchmarkAPIKeys measures a key of 1,000 under one salt, and under sixteen.
func BenchmarkAPIKeys(b *testing.B) {
	var many []token.APIKeyEntry
	for i := range 1000 {
		many = append(many, entry(b, fmt.Sprint("k-", i), fmt.Sprint("key-number-of-many-", i), 1))
	}
	for _, row := range []struct {
		name, key string
		entries   []token.APIKeyEntry
	}{{"one-salt", "key-number-of-many-7", many}, {"unknown", apiKey, many}, {"sixteen-salts", apiKey, sixteen(b, apiKey)}} {
		stage := apiKeys(b, row.entries...)
		r := &policy.Request{Header: http.Header{keyHeader: {row.key}}}
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if stage.Authenticate(b.Context(), r).Challenge == "" {
					b.Fatal("nobody looked")
				}
			}
		})
	}
}
