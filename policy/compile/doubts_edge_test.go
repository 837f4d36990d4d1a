package compile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWordsOfEveryPeerAreNamedWhereHeadersAreTakenAway(t *testing.T) {
	t.Parallel()
	const part, behind = "gateway.forwarded", "gateway: {present: true}\n"
	for name, text := range map[string]string{
		"everywhere":       behind + "mode: enforce\n",
		"by the control":   behind + "controls: {in.hdr: enforce}\n",
		"by one operation": behind + "operations: {listPorts: {controls: {in.hdr: enforce}}}\n",
	} {
		warning := warningOf(must(t, head+text), part)
		assert.Contains(t, warning, "reach the backend as everybody who connects writes them; add to gateway: forwarded: {peers: [NETWORK]}", name)
		assert.NotContains(t, warning, "\n", name)
	}
	for name, text := range map[string]string{
		"in shadow nothing is taken away": behind,
		"networks are named":              "gateway: {present: true, forwarded: {peers: [10.0.0.0/8]}}\nmode: enforce\n",
		"there is no gateway":             "gateway: {present: false}\nmode: enforce\n",
		"the gateway alone passes": "gateway: {present: true, proof: {header: X-Proof, secret: \"${file:proof}\"}}\n" +
			"controls: {in.hdr: enforce, path.gateway: enforce}\n",
	} {
		out, err := compiled(t, head+text)
		assert.NoError(t, err, name)
		assert.Empty(t, warningOf(out, part), name)
	}
}

func TestDeclaredUpgradesThatNobodyAllowsAreNamed(t *testing.T) {
	t.Parallel()
	const part = "declares an answer 101"
	watched := strings.Replace(contract, "get: {operationId: listSites, responses: {", `get: {operationId: listSites, responses: {"101": {description: d}, `, 1)
	assert.NotEqual(t, contract, watched)
	for _, mode := range []string{"shadow", "enforce"} {
		warning := warningOf(mustOf(t, watched, head+"mode: "+mode+"\n"), part)
		assert.Contains(t, warning, `for listSites and the configuration no upgrade`, mode)
		assert.Contains(t, warning, `add to operations: {"listSites": {upgrade: [websocket]}}`, mode)
	}
	posted := strings.Replace(contract, `{"201": {description: created}}`, `{"101": {description: d}, "201": {description: created}}`, 1)
	assert.NotEqual(t, contract, posted)
	inClear := strings.Replace(head, `http://127.0.0.1:9000"`, `http://127.0.0.1:9000", http: h2c`, 1)
	assert.NotEqual(t, head, inClear)
	for name, row := range map[string]struct{ spec, text string }{
		"it is allowed":                     {watched, head + "operations: {listSites: {upgrade: [websocket]}}\n"},
		"nothing becomes one":               {watched, head + "operations: {listSites: {upgrade: []}}\n"},
		"nobody judges it":                  {watched, head + "controls: {in.hdr: off}\n"},
		"nobody judges it there":            {watched, head + "operations: {listSites: {controls: {in.hdr: off}}}\n"},
		"no connection to the backend can":  {watched, inClear},
		"another method makes no WebSocket": {posted, head},
		"no answer 101 is declared":         {contract, head},
	} {
		assert.Empty(t, warningOf(mustOf(t, row.spec, row.text), part), name)
	}
}
