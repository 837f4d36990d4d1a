package compile

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// contracts reads the contracts; nil if one of them cannot be used.
func (c *compiler) contracts() []*openapi.Contract {
	all := make([]*openapi.Contract, 0, len(c.cfg.Specs))
	for i, spec := range c.cfg.Specs {
		if contract := c.contract(i, spec); contract != nil {
			all = append(all, contract)
		}
	}
	if len(all) < len(c.cfg.Specs) {
		return nil
	}
	return all
}

// contract reads one contract; nil if it cannot be used.
func (c *compiler) contract(i int, spec config.Spec) *openapi.Contract {
	contract, err := openapi.Load(openapi.Options{
		File: spec.File, Root: spec.Root, BasePath: spec.BasePath,
		UndeclaredProperties: c.cfg.Schema.UndeclaredProperties,
		OmitPatterns:         c.cfg.Schema.UnsupportedPatterns == config.PatternsOmit,
		QueryParameters:      c.queryParameters(),
		MaxQueryParameters:   c.cfg.Schema.MaxQueryParameters,
		Answers:              c.judgesAnywhere(policy.OutSchema),
	})
	var problems openapi.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			c.problem(fileOf(i), causeOf(p), cmp.Or(p.Fix, "correct the contract"))
		}
		return nil
	case err != nil:
		c.problem(fmt.Sprintf("specs[%d]", i), err.Error(), "check file and root")
		return nil
	}
	for _, note := range contract.Notes() {
		c.warn(fileOf(i), causeOf(note), cmp.Or(note.Fix, "let the backend judge it"))
	}
	return contract
}

// queryParameters are those that the configuration speaks of, which an operation
// may have without declaring them: the accounts, and the token of a client that
// sends it there (RFC 6750, section 2.3), which tok.present judges.
func (c *compiler) queryParameters() []string {
	names := []string{"access_token"}
	for _, rule := range c.cfg.Account.Rules {
		if rule.In == config.InQuery {
			names = append(names, rule.Name)
		}
	}
	return names
}

// head reports whether HEAD requests are judged as the operation of GET, by the
// contract that declares no HEAD there.
func (c *compiler) head(spec int, op openapi.Operation, all []openapi.Operation) bool {
	if c.cfg.Specs[spec].Head != config.HeadGet || op.Method != http.MethodGet {
		return false
	}
	return !slices.ContainsFunc(all, func(o openapi.Operation) bool {
		return o.Method == http.MethodHead && o.Template == op.Template
	})
}

// fileOf names the field of a contract's file.
func fileOf(spec int) string { return fmt.Sprintf("specs[%d].file", spec) }

// causeOf returns the place and the cause of a problem of the contract, whose fix
// is told apart.
func causeOf(p openapi.Problem) string {
	p.Fix = ""
	return p.String()
}

// qualified returns the id of an operation: that of its contract, behind the name
// that the configuration gives the contract. One by method and path needs no name,
// for it has the base path of the contract.
func (c *compiler) qualified(spec int, op openapi.Operation) string {
	name := c.cfg.Specs[spec].Name
	if name == "" || op.ID == op.Method+" "+op.Template {
		return op.ID
	}
	return name + ":" + op.ID
}

// unique refuses ids that two contracts share, once for each pair of them, and
// those of pseudo-operations.
func (c *compiler) unique(all []*planned) {
	type pair struct{ first, second int }
	shared := map[pair]int{}
	at := map[string]*planned{}
	for _, p := range all {
		id := p.operation.ID
		if id == policy.UnmatchedID || id == policy.HealthID {
			c.problem(fileOf(p.spec), fmt.Sprintf("%s: records name other requests %s", p.contract.Place, id),
				"give the contract a name, for example name: v1, which stands before its operationIds")
		}
		first, known := at[id]
		if !known {
			at[id] = p
			continue
		}
		both := pair{first.spec, p.spec}
		if shared[both]++; shared[both] > 1 {
			continue
		}
		c.problem(fileOf(p.spec), fmt.Sprintf("the contracts share operationIds: %s is %s of specs[%d] and %s of specs[%d]",
			id, first.contract.Place, first.spec, p.contract.Place, p.spec),
			"give one of them a name, for example name: v2, which stands before its operationIds as in v2:"+id)
	}
}

// match gives the policy its matcher over the operations of all contracts. It
// refuses operations that are in each other's way.
func (c *compiler) match(p *policy.Policy, all []*planned) {
	contracts := make([][]*policy.Operation, len(c.cfg.Specs))
	for _, planned := range all {
		if planned.operation != p.Unmatched {
			contracts[planned.spec] = append(contracts[planned.spec], planned.operation)
		}
	}
	clashes := openapi.Clashes(contracts...)
	for _, clash := range clashes {
		first, second := plannedOf(all, clash.FirstOf, clash.First), plannedOf(all, clash.SecondOf, clash.Second)
		what := "match some of the same requests, and neither path is the more exact one"
		if clash.Same {
			what = "match the same requests"
		}
		c.problem(fileOf(second.spec), fmt.Sprintf("%s %s (%s of specs[%d]) and %s (%s of specs[%d]) %s", clash.First.Method,
			clash.First.Template, first.contract.Place, first.spec, clash.Second.Template, second.contract.Place, second.spec, what),
			"give the contracts different base paths, or take the operation out of one of them")
	}
	if len(clashes) > 0 {
		return
	}
	matcher, err := openapi.NewMatcher(p.Operations)
	if err != nil {
		c.problem(fileOf(0), err.Error(), "correct the paths in the contract")
		return
	}
	if c.allowsInPath(config.AllowEncodedSlash) {
		matcher = matcher.TakingSlashes()
	}
	p.Matcher = matcher
	c.health(p, all)
}

// plannedOf returns the plan of an operation of a contract, by any of its places.
func plannedOf(all []*planned, spec int, op *policy.Operation) *planned {
	return all[slices.IndexFunc(all, func(p *planned) bool { return p.spec == spec && p.operation.ID == op.ID })]
}
