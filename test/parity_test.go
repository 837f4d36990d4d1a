package test_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// TestParity sends the whole corpus through the same policy in both modes, and
// past it through a bare reverse proxy, over real sockets. The findings must be
// equal up to the first block; in shadow the backend must see what the bare proxy
// sends, and in enforce nothing of a request that is blocked.
func TestParity(t *testing.T) {
	t.Parallel()
	certificates := newCorpusCertificates(t)
	bare := newTrack(t, "", "", nil)
	shadows, enforces := map[string]*track{}, map[string]*track{}
	for _, kind := range []string{"", kindKeyed, kindCertified} {
		shadows[kind], enforces[kind] = newTrack(t, "shadow", kind, certificates), newTrack(t, "enforce", kind, certificates)
	}
	for i, v := range corpus(t) {
		c, shadow, enforce := v.call(), shadows[v.kind()], enforces[v.kind()]
		if v.Request.Certificate != "" {
			c.encrypted, c.certificate = true, certificates.pairs[v.Request.Certificate]
		}
		// Not the name, which is the client's: no identifier gets into a record.
		c.header = append(c.header, [2]string{"X-Request-Id", fmt.Sprintf("request.%d", i)})
		c.from = fmt.Sprintf("127.1.%d.%d", i/200, 1+i%200) // a peer of its own
		inShadow, inEnforce := shadow.play(t, v, c), enforce.play(t, v, c)
		unwatched := bare.play(t, v, c)

		assert.Equal(t, 200, inShadow.status, "%s: shadow blocks nothing", v.Name)
		assert.Equal(t, v.Status, inEnforce.status, "%s: the status in enforce", v.Name)
		assert.Equal(t, unwatched.status, inShadow.status, "%s: the client's answer", v.Name)
		if assert.NotNil(t, inShadow.seen, "%s: shadow forwards", v.Name) {
			assert.Equal(t, unwatched.seen.comparable(), inShadow.seen.comparable(), "%s: what the backend sees", v.Name)
		}
		// An answer is withheld after the backend gave it.
		assert.Equal(t, v.Status == 200 || v.aboutAnswer(), inEnforce.seen != nil, "%s: the backend sees what is not blocked", v.Name)
		if inEnforce.seen != nil {
			// A body that was held is sent with its length.
			assert.Equal(t, unwatched.seen.unframed(), inEnforce.seen.unframed(), "%s: what the backend sees in enforce", v.Name)
		}
		expected(t, v, inShadow.verdicts)
		equal(t, v, inShadow.verdicts, inEnforce.verdicts)
	}
}

// track is one way to a backend of its own: a sidecar, or a bare reverse proxy.
type track struct {
	sidecar *sidecar
	address string
	backend *backend
	// recorded is how many records of the sidecar were looked at.
	recorded int
}

// corpusKeys are the API keys that the corpus knows: one that counts, one that is
// over and one that was taken back.
func corpusKeys(t *testing.T) []byte {
	t.Helper()
	const salt = "c2FsdC1vZi10aGUtY29ycHVz"
	entryOf := func(id, expires string, disabled bool) token.APIKeyEntry {
		hash, ok := token.HashAPIKey(salt, "api-key-of-the-corpus-"+id)
		require.True(t, ok)
		return token.APIKeyEntry{
			ID: id, Salt: salt, Hash: hash, Client: "legacy-" + id, Accounts: []string{"acct-1"}, Scopes: []string{"orders:read", "orders:write"},
			Expires: expires, Disabled: disabled,
		}
	}
	text, err := json.Marshal(map[string]any{"version": 1, "keys": []token.APIKeyEntry{
		entryOf("good", "", false), entryOf("over", "2026-01-31", false), entryOf("back", "", true),
	}})
	require.NoError(t, err)
	return text
}

// keyedBy is a configuration in which API keys arrive in place of tokens.
func keyedBy(t *testing.T, text string) string {
	t.Helper()
	from, to := strings.Index(text, "token:\n"), strings.Index(text, "account:\n")
	require.Positive(t, from)
	require.Greater(t, to, from)
	text = text[:from] + "credential: {kind: api_key, api_key: {file: api-keys.json}}\n" + text[to:]
	from, to = strings.Index(text, "  delegation:\n"), strings.Index(text, "controls:")
	require.Greater(t, to, from)
	return strings.Replace(text[:from]+text[to:], ", replay: single_use", "", 1)
}

// askedToo adds an issuer that is asked about its tokens, and takes all of them back.
func askedToo(t *testing.T, text string) string {
	t.Helper()
	issuer, err := newClerk()
	require.NoError(t, err)
	require.NoError(t, issuer.up())
	t.Cleanup(issuer.down)
	asked := strings.Replace(text, "  issuers:\n", fmt.Sprintf(`  issuers:
    - issuer: https://asked.example.net
      jwks_file: jwks.json
      audiences: [https://api.example.net]
      introspection: {url: "http://%s/asked", client_id: %s, client_secret: "${env:CLIENT_SECRET}", jwts: true}
`, issuer.address, asksAs), 1)
	require.NotEqual(t, text, asked)
	return strings.Replace(asked, "token:\n", "decision_timeout: 10s\ntoken:\n", 1) // a busy machine is no finding
}

// The kinds of sidecars that vectors are for: with API keys in place of tokens, and with
// TLS that asks for client certificates.
const kindKeyed, kindCertified = "keyed", "certified"

func (v *vector) kind() string {
	switch {
	case v.Keyed:
		return kindKeyed
	case v.Request.Certificate != "":
		return kindCertified
	}
	return ""
}

func newTrack(t *testing.T, mode, kind string, certificates *corpusCertificates) *track {
	t.Helper()
	b := backendOf(t)
	if mode == "" {
		server := httptest.NewServer(bareProxy(b.address))
		t.Cleanup(server.Close)
		return &track{address: strings.TrimPrefix(server.URL, "http://"), backend: b}
	}
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	config, err := configure(dir, "sidewarden.yaml", mode)
	require.NoError(t, err)
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	limited := strings.Replace(string(text), "rate: 1000/s, burst: 2000}", `rate: 1/h, burst: 3}
  - {name: per-customer, key: [account, client], rate: 1/h, burst: 3}
  - {name: per-address, key: [peer], quota: 3/month}`, 1)
	require.NotEqual(t, string(text), limited)
	proven := strings.Replace(limited, "gateway: {", `gateway: {proof: {header: X-Gateway-Proof, secret: "${env:PROOF}"}, `, 1)
	require.NotEqual(t, limited, proven)
	if kind == kindCertified {
		proven = certificates.asking(t, proven)
	}
	if kind == kindKeyed {
		proven = keyedBy(t, proven)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "api-keys.json"), corpusKeys(t), 0o600))
	} else {
		bound := strings.Replace(proven, "token:\n", "token:\n  dpop: {public_url: https://api.example.net}\n", 1)
		require.NotEqual(t, proven, bound)
		proven = askedToo(t, bound)
	}
	require.NoError(t, os.WriteFile(config, []byte(proven), 0o600))
	s, err := start(config, "BACKEND=http://"+b.address, "AUDIT="+filepath.Join(dir, "audit.jsonl"), "PSEUDONYM="+pseudonymKey, "PROOF="+gatewayProof, "CLIENT_SECRET="+asksSecret)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	return &track{sidecar: s, address: s.data, backend: b}
}

// bareProxy forwards as httputil.ReverseProxy does when Host and everything that
// Rewrite takes away is kept.
func bareProxy(backend string) http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DisableCompression: true},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", backend, p.In.Host
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := p.In.Header[name]; ok {
					p.Out.Header[name] = values
				}
			}
		},
	}
}

// played is what became of one vector.
type played struct {
	status   int
	seen     *seen
	verdicts map[string]verdict
}

// verdict is what a record says of one control.
type verdict struct{ effect, reason, detail, cause string }

func (t *track) play(tt *testing.T, v vector, c call) played {
	tt.Helper()
	c.encrypted = c.encrypted && t.sidecar != nil // the bare proxy has no TLS
	before := c
	before.header = slices.Clone(c.header)
	before.header[len(before.header)-1][1] += "-before"
	for range v.Before {
		_, err := before.send(t.address)
		require.NoError(tt, err, v.Name)
	}
	count := len(t.backend.requests())
	a, err := c.send(t.address)
	require.NoError(tt, err, v.Name)
	p := played{status: a.status}
	if all := t.backend.requests(); len(all) > count {
		require.Len(tt, all, count+1, v.Name)
		p.seen = &all[count]
	}
	if t.sidecar != nil {
		p.verdicts = t.verdicts(tt, c.header[len(c.header)-1][1])
	}
	return p
}

// verdicts reads the record of a request.
func (t *track) verdicts(tt *testing.T, id string) map[string]verdict {
	tt.Helper()
	result := map[string]verdict{}
	require.NoError(tt, eventually(func() error {
		all, err := t.sidecar.records()
		if err != nil {
			return err
		}
		for _, record := range slices.Backward(all) {
			if record["request_id"] != id {
				continue
			}
			for _, list := range []string{"permits", "not_applicable"} {
				controls, _ := record[list].([]any)
				for _, control := range controls {
					result[fmt.Sprint(control)] = verdict{effect: list}
				}
			}
			findings, _ := record["findings"].([]any)
			for _, f := range findings {
				f, _ := f.(map[string]any)
				result[text(f["control"])] = verdict{text(f["effect"]), text(f["reason"]), text(f["detail"]), text(f["cause"])}
			}
			return nil
		}
		return fmt.Errorf("no record of %s", id)
	}), id)
	return result
}

// comparable is the message without what every hop changes.
func (s *seen) comparable() seen {
	c := *s
	c.Raw = nil
	return c
}

// unframed is comparable without how the end of the body is told.
func (s *seen) unframed() seen {
	c := s.comparable()
	c.Header = c.Header.Clone()
	c.Header.Del("Content-Length")
	return c
}

// expected compares the verdicts in shadow, where all are there, with a vector.
func expected(t *testing.T, v vector, got map[string]verdict) {
	t.Helper()
	var found, wanted []string
	own := map[string]bool{}
	for control, verdict := range got {
		if verdict.effect != "deny" && (verdict.effect != "indeterminate" || verdict.cause != "") {
			continue
		}
		own[control] = true
		f := control + " " + verdict.reason
		if long := strings.TrimSpace(f + " " + verdict.detail); slices.Contains(v.Findings, long) || !slices.Contains(v.Findings, f) {
			f = long
		}
		found = append(found, f)
	}
	wanted = append(wanted, v.Findings...)
	slices.Sort(found)
	slices.Sort(wanted)
	assert.Equal(t, wanted, found, "%s: the findings", v.Name)
	for control, verdict := range got {
		if verdict.effect == "indeterminate" && verdict.cause != "" {
			assert.True(t, own[verdict.cause], "%s: %s is undecided by %s, which has no finding", v.Name, control, verdict.cause)
		}
	}
}

// equal compares the modes: what enforce judged it judged as shadow did, and what
// it did not judge comes after the block.
func equal(t *testing.T, v vector, shadow, enforce map[string]verdict) {
	t.Helper()
	for control, verdict := range enforce {
		assert.Equal(t, shadow[control], verdict, "%s: %s in both modes", v.Name, control)
	}
	for control := range shadow {
		if _, judged := enforce[control]; judged {
			continue
		}
		entry, known := policy.Lookup(policy.Control(control))
		assert.True(t, known, control)
		later := entry.Phase == policy.BodyPhase.String() || entry.Phase == policy.ResponsePhase.String() ||
			entry.ID == policy.AzAccount || entry.ID == policy.AzDelegate // which may read the body
		assert.True(t, later && v.Status != 200, "%s: enforce did not judge %s", v.Name, control)
	}
}
