package demo_test

import (
	"iter"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

func loadContract(t *testing.T) *openapi.Contract {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	require.NoError(t, os.WriteFile(file, demo.Contract(), 0o600))
	c, err := openapi.Load(openapi.Options{File: file})
	require.NoError(t, err)
	return c
}

func TestEverythingInTheContractIsJudged(t *testing.T) {
	assert.Empty(t, loadContract(t).Notes())
}

func TestEveryOperationSaysWhoseDataItIsAbout(t *testing.T) {
	text, err := demo.RenderConfig(false)
	require.NoError(t, err)
	c, err := config.Parse("sidewarden.yaml", text, exampleKey())
	require.NoError(t, err)
	for _, op := range loadContract(t).Operations() {
		named := slices.Contains(op.PathParams, "accountId") || slices.Contains(op.QueryParams, "account")
		assert.NotEqual(t, named, c.Operations[op.ID].Account == config.AccountNone, op.ID)
	}
}

// TestStepsAreWhatTheContractWants holds for clean steps and for violations of
// anything but the body: those violate one control alone.
func TestStepsAreWhatTheContractWants(t *testing.T) {
	operations := loadContract(t).Operations()
	var plain []*policy.Operation
	for _, op := range operations {
		plain = append(plain, &policy.Operation{ID: op.ID, Method: op.Method, Template: op.Template})
	}
	matcher, err := openapi.NewMatcher(plain)
	require.NoError(t, err)
	granted := strings.Fields(demo.Scopes)
	judged := 0
	for _, st := range demo.Script(3, 3) {
		target, err := url.Parse(st.Path)
		require.NoError(t, err)
		r := &policy.Request{
			Method: st.Method, Path: target.EscapedPath(), RawQuery: target.RawQuery,
			Query: policy.ParseQuery(target.RawQuery), Header: http.Header{},
		}
		r.Match = matcher.Match(r)
		if st.Row == 21 {
			assert.Nil(t, r.Match.Operation)
			assert.Empty(t, r.Match.Allow)
			continue
		}
		require.NotNil(t, r.Match.Operation, st.Path)
		op := operations[slices.Index(plain, r.Match.Operation)]
		for _, scope := range op.Security[0] {
			assert.Contains(t, granted, scope, op.ID)
		}
		if st.Body != "" && st.Row == 14 {
			assert.False(t, jsontext.Value(st.Body).IsValid(), st.Body)
			continue
		}
		judged++
		verdict := op.Judge().Judge(r, "application/json", tokens(st.Body), st.Body != "")
		if st.Row == 12 || st.Row == 13 {
			assert.Equal(t, policy.Deny, verdict.Effect, "the contract does not know the property")
			continue
		}
		assert.Equal(t, policy.Permitted(), verdict, "%s %s", st.Method, st.Path)
		assert.Equal(t, st.Row == 15, st.Body != "" && !slices.Contains(op.RequestMediaTypes, st.ContentType))
	}
	assert.Greater(t, judged, 150)
}

// tokens are those of a JSON document.
func tokens(text string) iter.Seq2[jsontext.Kind, []byte] {
	return func(yield func(jsontext.Kind, []byte) bool) {
		decoder := jsontext.NewDecoder(strings.NewReader(text))
		for {
			token, err := decoder.ReadToken()
			if err != nil || !yield(token.Kind(), []byte(token.String())) {
				return
			}
		}
	}
}
