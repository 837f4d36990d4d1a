package test_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// vector is one request of the corpus with what has to be found. It stands for
// the contract and the configuration of testdata/base with at most three requests
// per client, as many of it for one account, and as many per peer, behind a gateway
// that proves itself.
type vector struct {
	Name string `json:"name"`
	// Source says where the demand comes from, Comment what it is.
	Source  string  `json:"source"`
	Comment string  `json:"comment"`
	Request request `json:"request"`
	// Keyed sends the request where API keys arrive and no tokens.
	Keyed bool `json:"keyed"`
	// Before is how often the same request is sent first.
	Before int `json:"before"`
	// Findings are the denials and what is undecided by itself, each "control
	// reason detail" or without the detail. All else that is undecided must have
	// one of their controls as its cause.
	Findings []string `json:"findings"`
	// Status is the answer of an enforcing sidecar; the backend says 200.
	Status int `json:"status"`
}

type request struct {
	Method string  `json:"method"`
	Target string  `json:"target"`
	Token  *minted `json:"token"` // nil sends none
	// Proof is sent beside the token, which then has the scheme DPoP; nil sends none.
	Proof  *proven     `json:"proof"`
	Header [][2]string `json:"header"`
	// Certificate is the client certificate, "none" for none, sent where they are asked
	// for; "" sends the request where there is no TLS.
	Certificate string `json:"certificate"`
	// Around leaves out the proof of the gateway, which every other request has.
	Around bool `json:"around"`
	// Body is sent with a declared length, or chunked.
	Body    *string `json:"body"`
	Chunked bool    `json:"chunked"`
}

// minted says how a token differs from a good one; see the command token of
// scripts.
type minted struct {
	Claims map[string]any `json:"claims"`
	Header map[string]any `json:"header"`
	Fault  string         `json:"fault"`
	Signer string         `json:"signer"`
	// Bound names the signer to whose key the token is bound; "" for none.
	Bound string `json:"bound"`
}

// proven says how a DPoP proof of the signer "client" differs from a good one.
type proven struct {
	Claims map[string]any `json:"claims"`
	Header map[string]any `json:"header"`
	Fault  string         `json:"fault"`
	Signer string         `json:"signer"`
	// Absent sends the scheme and no proof.
	Absent bool `json:"absent"`
}

func corpus(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("corpus", "*.json"))
	require.NoError(t, err)
	var all []vector
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		decoder := json.NewDecoder(f)
		decoder.DisallowUnknownFields()
		var vectors []vector
		require.NoError(t, decoder.Decode(&vectors), file)
		require.NoError(t, f.Close())
		all = append(all, vectors...)
	}
	return all
}

// TestCorpusIsComplete holds the corpus to its promise: every control of this
// version is denied by several vectors, and every vector says where it is from.
func TestCorpusIsComplete(t *testing.T) {
	t.Parallel()
	all := corpus(t)
	assert.GreaterOrEqual(t, len(all), 60)
	names, denials := map[string]bool{}, map[string]int{}
	for _, v := range all {
		assert.False(t, names[v.Name], "two vectors are called %s", v.Name)
		names[v.Name] = true
		assert.NotEmpty(t, v.Source, v.Name)
		assert.NotEmpty(t, v.Comment, v.Name)
		assert.Equal(t, v.Status == 200, len(v.Findings) == 0, "%s: a finding blocks and nothing else does", v.Name)
		for _, f := range v.Findings {
			control, _, _ := strings.Cut(f, " ")
			denials[control]++
		}
	}
	for _, entry := range policy.Catalogue() {
		if entry.Implemented {
			assert.GreaterOrEqual(t, denials[string(entry.ID)], 2, "vectors that %s denies", entry.ID)
		}
	}
}

// gatewayProof is the secret of the gateway in front of the corpus.
const gatewayProof = "proof-of-the-gateway-of-the-corpus"

// aboutAnswer reports whether the findings are about the answer.
func (v *vector) aboutAnswer() bool {
	return !slices.ContainsFunc(v.Findings, func(f string) bool { return !strings.HasPrefix(f, "out.") })
}

// call returns the request of a vector. Who has no claims of their own is a
// client of the vector's name, so that no vector spends what another has.
func (v *vector) call() call {
	c := call{method: v.Request.Method, target: v.Request.Target, chunked: v.Request.Chunked}
	if v.Request.Token != nil {
		c.header = append(c.header, v.Request.credential(v.Name)...)
	}
	if !v.Request.Around {
		c.header = append(c.header, [2]string{"X-Gateway-Proof", gatewayProof})
	}
	c.header = append(c.header, v.Request.Header...)
	if v.Request.Body != nil {
		c.body, c.hasBody = []byte(*v.Request.Body), true
	}
	return c
}

// credential returns the token and, if there is to be one, its proof.
func (r *request) credential(name string) [][2]string {
	token := r.Token.mint(name)
	if r.Proof == nil {
		return [][2]string{{"Authorization", "Bearer " + token}}
	}
	credential := [][2]string{{"Authorization", "DPoP " + token}}
	if r.Proof.Absent {
		return credential
	}
	signer := "client"
	if r.Proof.Signer != "" {
		signer = r.Proof.Signer
	}
	change := map[string]any{}
	for claimName, value := range r.Proof.Claims {
		if text, ok := value.(string); ok && strings.HasPrefix(text, "now") {
			value = claim(text)
		}
		change[claimName] = value
	}
	return append(credential, [2]string{"DPoP", signers()[signer].Proof(tokentest.Proof{
		Method: r.Method, URL: "https://api.example.net" + r.Target, Token: token, Time: time.Now(), ID: name,
		Header: r.Proof.Header, Claims: change, Fault: faults()[r.Proof.Fault],
	})})
}

func (m *minted) mint(name string) string {
	change := map[string]any{"client_id": name, "jti": name, "scope": "orders:read orders:write"}
	for claimName, value := range m.Claims {
		if text, ok := value.(string); ok && strings.HasPrefix(text, "now") {
			value = claim(text)
		}
		change[claimName] = value
	}
	signer := tokentest.RSA()
	if m.Signer != "" {
		signer = signers()[m.Signer]
	}
	if m.Bound != "" {
		change["cnf"] = map[string]any{"jkt": signers()[m.Bound].Thumbprint()}
	}
	claims := tokentest.Claims("https://idp.example.net", "https://api.example.net", time.Now(), change)
	return signer.Mint(tokentest.Spec{Header: m.Header, Claims: claims, Fault: faults()[m.Fault]})
}
