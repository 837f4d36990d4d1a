package demo_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// operations returns the ids of the contract with their method and path.
func operations(t *testing.T) map[string]string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(demo.Contract(), &doc))
	all := map[string]string{}
	for path, item := range doc.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var op struct {
				ID string `yaml:"operationId"`
			}
			require.NoError(t, node.Decode(&op))
			all[op.ID] = strings.ToUpper(method) + " " + path
		}
	}
	return all
}

func TestTheKeyNamesOnlyWhatExists(t *testing.T) {
	known := operations(t)
	known[policy.UnmatchedID] = ""
	var rows []int
	for _, a := range demo.Key() {
		rows = append(rows, a.Row)
		assert.Contains(t, known, a.Operation, "row %d", a.Row)
		assert.NotEmpty(t, a.Truth, "row %d", a.Row)
		class, given := evidence.ClassOf(a.Gateway, a.Backend)
		assert.Equal(t, class, a.Class, "row %d: the class follows from the states", a.Row)
		assert.Empty(t, given, "row %d", a.Row)
		if a.Control == "" {
			continue
		}
		entry, ok := policy.Lookup(a.Control)
		require.True(t, ok, "row %d", a.Row)
		assert.True(t, entry.Implemented, "row %d", a.Row)
	}
	assert.Equal(t, []int{3, 4, 6, 7, 9, 10, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, 25}, rows)
}

// exampleKey is in the place of the files with the key of the pseudonyms and with
// the secret of the gateway.
func exampleKey() config.Env {
	return config.Env{ReadFile: func(string) ([]byte, error) { return []byte("an-example-of-a-secret"), nil }}
}

func TestTheConfigurationIsAccepted(t *testing.T) {
	for _, enforce := range []bool{false, true} {
		text, err := demo.RenderConfig(enforce)
		require.NoError(t, err)
		c, err := config.Parse("sidewarden.yaml", text, exampleKey())
		require.NoError(t, err)
		assert.Empty(t, c.Warnings(), "an example has no warning")
		assert.Equal(t, config.Shadow, c.Mode)
		assert.True(t, c.Gateway.Present)
		assert.Equal(t, config.AccountNone, c.Operations["listSites"].Account)
		want := config.Shadow
		if enforce {
			want = config.Enforce
		}
		for _, a := range demo.Key() {
			if a.Control != "" {
				assert.Equal(t, want, c.ControlMode("", string(a.Control)), "row %d", a.Row)
			}
		}
	}
}

func TestTheConfigurationBehindAGatewayThatStripsTokensIsAccepted(t *testing.T) {
	for _, enforce := range []bool{false, true} {
		text, err := demo.RenderConfigBehind(enforce)
		require.NoError(t, err)
		c, err := config.Parse("sidewarden.yaml", text, exampleKey())
		require.NoError(t, err)
		assert.Empty(t, c.Warnings(), "an example has no warning")
		assert.Equal(t, config.KindIdentityHeaders, c.Credential.Kind)
		assert.True(t, c.Gateway.Proof.Configured())
		assert.Empty(t, c.Token.Issuers)
		assert.Equal(t, enforce, c.ControlMode("", string(policy.PathGateway)) == config.Enforce)
	}
}

func TestEveryEnforcingControlHasWhatItNeeds(t *testing.T) {
	text, err := demo.RenderConfig(true)
	require.NoError(t, err)
	c, err := config.Parse("sidewarden.yaml", text, exampleKey())
	require.NoError(t, err)
	for _, entry := range policy.Catalogue() {
		if c.ControlMode("", string(entry.ID)) != config.Enforce {
			continue
		}
		for _, need := range entry.Needs {
			assert.Equal(t, config.Enforce, c.ControlMode("", string(need)), "%s needs %s", entry.ID, need)
		}
	}
}

func TestTheSameSeedWritesTheSameScript(t *testing.T) {
	assert.Equal(t, demo.Script(7, 3), demo.Script(7, 3))
	assert.NotEqual(t, demo.Script(7, 3), demo.Script(8, 3))
}

// TestTheScriptKeepsToTheKey holds for any seed: what is said of a step is true
// by the contract's paths and by the key.
func TestTheScriptKeepsToTheKey(t *testing.T) {
	patterns := map[string]*regexp.Regexp{}
	for id, op := range operations(t) {
		patterns[id] = regexp.MustCompile("^" + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(op, "[^/?]+") + `(\?.*)?$`)
	}
	for seed := range uint64(20) {
		clients := map[string]map[string]int{}
		violators := map[demo.Place]map[string]int{}
		for _, st := range demo.Script(seed, 5) {
			operation := policy.UnmatchedID
			for id, p := range patterns {
				if p.MatchString(st.Method + " " + st.Path) {
					operation = id
				}
			}
			require.NotEqual(t, "suspendAccount", operation, "nobody calls the administration")
			if st.Kind == "violation" {
				require.Equal(t, st.Operation, operation, "row %d", st.Row)
				require.GreaterOrEqual(t, st.Blocked, 400)
				count(violators, demo.Place{Row: st.Row, Operation: operation}, st.Client)
				continue
			}
			require.Equal(t, st.Label, operation)
			if st.Kind == "clean" {
				count(clients, operation, st.Client)
			}
		}
		for _, operation := range []string{"getReport", "listOrders", "getPort", "getUsage", "listBgpPolicies"} {
			assert.Len(t, clients[operation], 3, "a refusal counts against a baseline of several clients")
			assert.GreaterOrEqual(t, sum(clients[operation]), 45, "and of 20 requests for each of two instances")
		}
		for _, p := range violated() {
			if p.Row == 17 || p.Row == 18 {
				continue // limits have traffic of their own
			}
			clients, least := 2, 10
			if p.Row == 10 || p.Row == 22 { // the partner, the tokens of the monitoring
				clients, least = 1, 5
			}
			assert.Len(t, violators[p], clients, "row %d", p.Row)
			assert.GreaterOrEqual(t, sum(violators[p]), least, "row %d", p.Row)
		}
	}
}

// violated are the answers of the key that somebody violates: nobody calls the
// administration.
func violated() []demo.Place {
	var all []demo.Place
	for _, a := range demo.Key() {
		if a.Control != "" {
			all = append(all, demo.Place{Row: a.Row, Operation: a.Operation})
		}
	}
	return all
}

// TestThePartnerIsCleanForItsCustomerOnly holds for any seed: where the partner is
// clean it acts for itself and for one customer, and row 10 is about the other.
func TestThePartnerIsCleanForItsCustomerOnly(t *testing.T) {
	account := regexp.MustCompile(`acct-[0-9]{6}`)
	for seed := range uint64(20) {
		delegated, foreign := map[string]map[string]int{}, map[string]map[string]int{}
		for _, st := range demo.Script(seed, 5) {
			switch named := account.FindString(st.Path); {
			case named == "":
			case st.Row == 10:
				count(foreign, named, st.Client)
			case st.Kind == "clean":
				count(delegated, named, st.Client)
			}
		}
		require.Len(t, foreign, 1)
		for stranger, by := range foreign {
			require.Len(t, by, 1)
			for partner := range by {
				assert.NotContains(t, delegated[stranger], partner)
				its := 0
				for _, clients := range delegated {
					if clients[partner] > 0 {
						its++
					}
				}
				assert.Equal(t, 2, its, "its own account, and that of its customer")
			}
			assert.NotEmpty(t, delegated[stranger], "the stranger is a customer")
		}
	}
}

func count[K comparable](in map[K]map[string]int, key K, client string) {
	if in[key] == nil {
		in[key] = map[string]int{}
	}
	in[key][client]++
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
