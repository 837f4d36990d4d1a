package compile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
	"github.com/sidewarden/sidewarden/policy/openapi"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Input is what a policy is made from.
type Input struct {
	Config *config.Config
	// Now is the clock of key sets.
	Now func() time.Time
	// OnRefresh is told of every read of a key set; nil does nothing.
	OnRefresh func(issuer string, result token.RefreshResult, err error)
	// Offline asks no issuer about tokens: what only it could tell is undecided.
	Offline bool
	// Previous are the parts of the policy in force; nil for the first one.
	Previous *Parts
}

// Runner is a part that works in the background until ctx ends.
type Runner interface {
	Run(ctx context.Context) error
}

// Parts are what outlives a policy, by stable ids.
type Parts struct {
	keySets map[string]*token.KeySet
	// seeds are the same key sets by issuer and source alone.
	seeds         map[string]*token.KeySet
	authenticator *token.Authenticator
	authID        string
	limiters      map[string]*ratelimit.Limiter
	quotas        map[string]*ratelimit.Quota
	limits        []Limit
	replay        map[string]*ratelimit.Once
	// proofs remembers DPoP proofs; nil where none are taken.
	proofs *proofStore
	// questions owns the questions to issuers; nil until one is asked about tokens. Then
	// it stays: a request of an earlier policy may be waiting for its answer.
	questions *token.Questions
}

// KeySets returns the key sets of all issuers.
func (p *Parts) KeySets() []*token.KeySet {
	all := make([]*token.KeySet, 0, len(p.keySets))
	for _, k := range p.keySets {
		all = append(all, k)
	}
	return all
}

// TokenCache tells how often the tokens of each issuer were remembered.
func (p *Parts) TokenCache() []token.CacheStats {
	if p.authenticator == nil {
		return nil
	}
	return p.authenticator.CacheStats()
}

// Introspection tells how often the issuers were asked about tokens, and how that
// ended.
func (p *Parts) Introspection() []token.IntrospectionStats {
	if p.authenticator == nil {
		return nil
	}
	return p.authenticator.IntrospectionStats()
}

// Output is a policy and what belongs to it.
type Output struct {
	Policy *policy.Policy
	// Measured names what is measured: the digest of everything but the modes and
	// the exceptions, which change what is done with a verdict and no verdict.
	// Evidence stays valid while it stays the same.
	Measured string
	// Runners have to run while the policy is in force, by stable ids.
	Runners map[string]Runner
	Parts   *Parts
	// Files are the files that the policy was made from, besides the configuration.
	Files []string
	// Contracts are the contracts as they were read, in the order of the configuration.
	Contracts []*openapi.Contract
	// Warnings tell what is allowed and probably not meant.
	Warnings config.Problems
}

// Compile returns the policy of a configuration. An error is config.Problems.
func Compile(in Input) (*Output, error) {
	c := &compiler{
		Input: in, cfg: in.Config,
		parts: &Parts{
			keySets:  map[string]*token.KeySet{},
			seeds:    map[string]*token.KeySet{},
			limiters: map[string]*ratelimit.Limiter{},
			quotas:   map[string]*ratelimit.Quota{},
			replay:   map[string]*ratelimit.Once{},
		},
		previous: in.Previous,
	}
	if c.previous == nil {
		c.previous = &Parts{}
	}
	c.parts.questions = c.previous.questions
	out := c.compile()
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b config.Problem) int {
			return cmp.Or(a.Line-b.Line, a.Column-b.Column, cmp.Compare(a.Field, b.Field))
		})
		return nil, c.problems
	}
	return out, nil
}

// compiler collects problems and never stops at the first.
type compiler struct {
	Input
	cfg             *config.Config
	gateway         *token.Gateway // the check of path.gateway; nil when nothing proves the gateway
	publicKeys      [][]byte       // of the gateway's signatures
	parts, previous *Parts
	problems        config.Problems
	warnings        config.Problems
	// partners may act for accounts by delegation; nil for none. Lists is a digest
	// of the files that name the accounts, nil for none.
	partners *account.Delegations
	lists    []byte
	// keys is a digest of the file with API keys, nil for none.
	keys []byte
}

func (c *compiler) problem(field, cause, fix string) {
	c.problems = append(c.problems, c.cfg.At(field, cause, fix))
}

func (c *compiler) warn(field, cause, fix string) {
	c.warnings = append(c.warnings, c.cfg.At(field, cause, fix))
}

func (c *compiler) compile() *Output {
	c.refusePlanned()
	c.refuseIdle()
	issuers, asked := c.issuers()
	c.gateway = c.gatewayProof()
	c.refuseHeaders()
	contracts := c.contracts()
	if contracts == nil {
		return nil
	}
	p := &policy.Policy{Hints: c.hints()}
	plans := c.plan(contracts, issuers)
	for _, planned := range plans.all {
		if planned.operation.ID == policy.UnmatchedID {
			p.Unmatched = planned.operation
		} else {
			p.Operations = append(p.Operations, planned.operation)
		}
	}
	c.checkNeeds(plans)
	c.checkNonces(plans.all)
	c.checkIntroduced(plans)
	c.doubt(plans.all)
	c.doubtSchemes(contracts, plans.all)
	exceptions := c.exceptions(plans.all)
	c.match(p, plans.all)
	if len(c.problems) > 0 {
		return nil
	}
	p.Authenticator = c.authenticator(issuers, asked)
	p.Scheme, p.DPoP = c.cfg.Credential.Scheme, c.proofAlgorithms()
	p.Spender = plans.spending.stage
	p.Sourcer, p.Introducer = c.sourcer(), c.introducer()
	digest, measured, err := c.digests(contracts)
	if err != nil {
		c.problem("", err.Error(), "report it: it is a defect of this program")
	}
	p.Digest = digest
	return &Output{
		Policy: p.WithExceptions(exceptions), Measured: measured, Runners: c.runners(), Parts: c.parts,
		Files: filesOf(c.cfg, contracts), Contracts: contracts, Warnings: c.warnings,
	}
}

func (c *compiler) hints() policy.Hints {
	h := policy.Hints{LoginPaths: c.cfg.Backend.LoginPaths}
	for _, s := range c.cfg.Backend.SoftDeny {
		families := make(map[string]policy.Family, len(s.Families))
		for code, family := range s.Families {
			families[code] = policy.Family(family)
		}
		h.SoftDenials = append(h.SoftDenials, policy.SoftDenial{
			Pointer: s.Pointer, Equals: s.Equals.String(), Code: s.Code, Families: families,
		})
	}
	return h
}

func (c *compiler) runners() map[string]Runner {
	all := make(map[string]Runner, len(c.parts.keySets))
	for id, k := range c.parts.keySets {
		all["key-set "+id] = k
	}
	if c.parts.questions != nil {
		all["introspection"] = c.parts.questions
	}
	return all
}

// digests name the policy and what it measures, by the values that are in force:
// one that changed behind a reference makes another policy.
func (c *compiler) digests(contracts []*openapi.Contract) (whole, measured string, err error) {
	all, err := c.cfg.Fingerprint()
	if err != nil {
		return "", "", err
	}
	modeless := *c.cfg
	modeless.Gateway.Proof = withoutKeys(modeless.Gateway.Proof) // a rotation measures the same
	modeless.Mode, modeless.Controls, modeless.InsecureFailOpen, modeless.Exceptions = "", nil, nil, nil
	modeless.Operations = make(map[string]config.Operation, len(c.cfg.Operations))
	for id, op := range c.cfg.Operations {
		op.Controls = nil
		modeless.Operations[id] = op
	}
	neutral, err := modeless.Fingerprint()
	if err != nil {
		return "", "", err
	}
	read := c.read(contracts)
	measured = digest(neutral[:], read...)
	if c.keys != nil {
		read = append(read, c.keys)
	}
	read = append(read, c.publicKeys...)
	return digest(all[:], read...), measured, nil
}

// read are the digests of what the policy was made from besides the configuration.
func (c *compiler) read(contracts []*openapi.Contract) [][]byte {
	var all [][]byte
	for _, contract := range contracts {
		sources := contract.Digest()
		all = append(all, sources[:])
	}
	if c.lists != nil {
		all = append(all, c.lists)
	}
	return all
}

func digest(settings []byte, read ...[]byte) string {
	h := sha256.New()
	for _, p := range append([][]byte{settings}, read...) {
		_, _ = fmt.Fprintf(h, "%d:", len(p)) // a hash takes everything
		_, _ = h.Write(p)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
