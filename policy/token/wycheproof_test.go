package token_test

import (
	stdjson "encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// vectors are one file of Wycheproof's JOSE vectors.
type vectors struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment         string
		Public, Private stdjson.RawMessage
		Tests           []struct {
			TCID     int `json:"tcId"`
			Comment  string
			JWS, JWE stdjson.RawMessage
			Result   string
		}
	}
}

// sent is what a client would send of a vector: the compact form, or the JSON text.
func sent(t *testing.T, vector stdjson.RawMessage) string {
	t.Helper()
	if vector[0] != '"' {
		return string(vector)
	}
	var compact string
	require.NoError(t, stdjson.Unmarshal(vector, &compact))
	return compact
}

// judgedFile says what comes of one file of vectors: how many of the valid ones are
// accepted, and why the others are refused, by group and comment.
type judgedFile struct {
	name     string
	accepted int
	refused  map[string]policy.Reason
}

func judgedFiles() []judgedFile {
	const (
		symmetric = policy.KeySetUnavailable // no key set with symmetric keys is used
		malformed = policy.TokenMalformed
	)
	return []judgedFile{
		{"json_web_signature_test.json", 26, map[string]policy.Reason{
			"hs256: acceptsValid": symmetric, "rfc7520: Figure35": symmetric,
			"base64: InvalidCharacterInsertedInHeader": symmetric, "base64: InvalidCharacterInsertedInPayload": symmetric,
			"base64: ValidEdgeCaseMac": symmetric, "base64: ValidMac": symmetric,
			"base64: ValidSpacesInJsonHeader": symmetric, "base64: ValidWhiteSpaceInJsonHeader": symmetric,
			// No claims, so no access token.
			"ps256: emptyPayload": malformed, "ps384: emptyPayload": malformed, "ps512: emptyPayload": malformed,
			"rs256: emptyPayload": malformed, "rs384: emptyPayload": malformed, "rs512: emptyPayload": malformed,
			// The key says PS256 or ES521, which does not exist, and the header another algorithm.
			"rfc7520: Figure20": policy.TokenAlg, "rfc7520WithKeyOps: Figure20": policy.TokenAlg,
			"rfc7520: Figure27": policy.KeySetUnavailable, "rfc7520WithKeyOps: Figure27": policy.KeySetUnavailable,
		}},
		{"json_web_key_test.json", 1, map[string]policy.Reason{
			"HS256: long_key": symmetric, "HS384: long_key": symmetric, "HS512: long_key": symmetric, "jws_keyset: acceptsValid": symmetric,
		}},
		{"json_web_crypto_test.json", 2, map[string]policy.Reason{
			"jws_aes: acceptsValid": symmetric, "jws_keyset: acceptsValid": symmetric,
			"jwe_aes: acceptsValid": symmetric, "jwe_ec: acceptsValid": policy.KeySetUnavailable, // the keys are private ones
		}},
	}
}

// TestThreatWycheproof runs the JOSE vectors of Wycheproof, encrypted ones too, which no
// API takes for a token: none that is invalid is accepted, and one that is valid is
// refused only for a reason that is named here.
func TestThreatWycheproof(t *testing.T) {
	for _, file := range judgedFiles() {
		t.Run(file.name, func(t *testing.T) {
			text, err := fs.ReadFile(wycheproof.TestVectors, file.name)
			require.NoError(t, err)
			var all vectors
			require.NoError(t, stdjson.Unmarshal(text, &all))
			seen, accepted, refused := 0, 0, map[string]policy.Reason{}
			for _, g := range all.TestGroups {
				judge := judgeOf(t, g.Public, g.Private)
				for _, v := range g.Tests {
					seen++
					text := v.JWS
					if text == nil {
						text = v.JWE
					}
					verdict := judge(sent(t, text))
					if v.Result != "valid" {
						assert.NotEqual(t, policy.Permit, verdict.Effect, "%s, %d: a false accept", v.Comment, v.TCID)
						continue
					}
					if verdict.Effect == policy.Permit {
						accepted++
					} else {
						refused[g.Comment+": "+v.Comment] = verdict.Reason
					}
				}
			}
			assert.Equal(t, all.NumberOfTests, seen)
			assert.Equal(t, file.accepted, accepted)
			assert.Equal(t, file.refused, refused)
		})
	}
}

// judgeOf returns what judges the signatures of one group: the keys are read like any
// key set, and what is no key set refuses everything.
func judgeOf(t *testing.T, public, private stdjson.RawMessage) func(jws string) policy.Verdict {
	t.Helper()
	document := public
	if document == nil {
		document = private
	}
	var set struct{ Keys []stdjson.RawMessage }
	require.NoError(t, stdjson.Unmarshal(document, &set))
	if set.Keys == nil {
		document = []byte(`{"keys":[` + string(document) + `]}`)
	}
	path := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(path, document, 0o600))
	keys, err := token.NewKeySet(token.KeySetOptions{Issuer: issuerName, File: path, Algorithms: token.Algorithms(), Now: atEpoch})
	if err != nil {
		return func(string) policy.Verdict { return policy.Undecided(policy.KeySetUnavailable, err) }
	}
	stage, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: []token.Issuer{issuerWith(keys, token.Algorithms()...)}})
	require.NoError(t, err)
	return func(jws string) policy.Verdict { return stage.ProveJWS(jws, issuerName, &policy.Request{Time: epoch}) }
}
