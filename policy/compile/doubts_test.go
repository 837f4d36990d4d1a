package compile_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy/compile"
)

// warningOf returns the only warning with a text in it; "" if there is none.
func warningOf(out *compile.Output, part string) string {
	var found []string
	for _, w := range out.Warnings {
		if strings.Contains(w.String(), part) {
			found = append(found, w.String())
		}
	}
	return strings.Join(found, "\n")
}

func TestEnforcingForOneOperationAloneIsNamed(t *testing.T) {
	t.Parallel()
	const alone = "operations: {createPort: {controls: {tok: enforce, az: enforce, in: enforce}}, listPorts: {controls: {tok.present: enforce}}}\n"
	warning := warningOf(must(t, head+accounts+alone), "alone")
	assert.Contains(t, warning, "in.route, in.method, tok.present, tok.sig, ")
	assert.Contains(t, warning, "az.account, in.ctype, in.size, in.wellformed, in.schema enforce for listPorts, createPort alone: an unlisted spelling of a path passes by")
	assert.Contains(t, warning, "add to controls: {in.route: enforce, in.method: enforce}")
	assert.NotContains(t, warning, "\n", "it is said once")
	for name, text := range map[string]string{
		"nothing enforces":                  "",
		"the same enforces everywhere":      "controls: {tok: enforce}\noperations: {listPorts: {controls: {tok: enforce}}}\n",
		"unlisted spellings are denied":     "controls: {in.route: enforce, in.method: enforce}\n" + alone,
		"an operation is let off in shadow": everything + "operations: {listPorts: {controls: {in.schema: shadow}}}\n",
	} {
		assert.Empty(t, warningOf(must(t, head+accounts+text), "alone"), name)
	}
	assert.Contains(t, warningOf(must(t, head+"controls: {in.route: enforce}\noperations: {listPorts: {controls: {tok.present: enforce}}}\n"), "alone"),
		"tok.present enforces for listPorts alone: an unlisted spelling of a path passes by, because in.method does not enforce for it; add to controls: {in.method: enforce}")
}

func TestBodiesFromWhichNoAccountIsReadAreNamed(t *testing.T) {
	t.Parallel()
	warning := warningOf(mustOf(t, bodies, head+accounts), "not JSON")
	assert.Contains(t, warning, "az.account can not decide for bodies of form that are not JSON")
	assert.Contains(t, warning, `add to operations: {"form": {account: none}}`)
	assert.Empty(t, warningOf(mustOf(t, bodies, head+"account: {rules: [{in: path, name: accountId}]}\n"), "not JSON"))
	assert.Contains(t, warningOf(mustOf(t, bodies, head+accounts+"operations: {\"POST /accounts/{accountId}/form\": {max_request_bytes: 1KiB}}\n"), "not JSON"),
		`add to operations: {"POST /accounts/{accountId}/form": {account: none}}`, "by the key that the configuration has")
}

func TestOperationsThatNothingAuthorisesAreNamed(t *testing.T) {
	t.Parallel()
	const none = "operations: {listSites: {scopes: []}, listPorts: {scopes: []}, createPort: {scopes: [], public: true}}\n"
	warning := warningOf(must(t, head+none), "nothing authorises")
	assert.Contains(t, warning, "nothing authorises the callers of listPorts, listSites: no scope is asked for and no account rule applies there")
	assert.Contains(t, warning, `add to operations: {"listPorts": {scopes: [[SCOPE]]}, "listSites": {scopes: [[SCOPE]]}}`)
	assert.Contains(t, warning, `add to operations: {"listPorts": {controls: {az.default: off}}, "listSites": {controls: {az.default: off}}}`)
	assert.Contains(t, warningOf(must(t, head+accounts+none), "nothing authorises"), "the callers of listSites: ", "an account rule authorises")
	for name, text := range map[string]string{
		"scopes are asked for":      head,
		"every caller may":          head + "controls: {az.default: off}\n" + none,
		"nothing of az.* is judged": head + "controls: {az: off}\n" + none,
		"the account rules apply":   head + accounts + "operations: {listPorts: {scopes: []}}\n",
	} {
		assert.Empty(t, warningOf(must(t, text), "nothing authorises"), name)
	}
}
