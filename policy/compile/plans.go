package compile

import (
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
	"github.com/sidewarden/sidewarden/policy/entitlement"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/openapi"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/token"
)

// plans are the rules of every operation and, last, of requests that match none.
type plans struct {
	all      []*planned
	spending *spending
}

// planned is one operation with what its rules were made from.
type planned struct {
	operation *policy.Operation
	// contract is the operation as its contract declares it, with the name of the
	// contract in its id; spec is the place of that contract among the specs.
	contract openapi.Operation
	spec     int
	// key is the operation's key in the configuration; "" if it has no settings.
	key      string
	settings config.Operation
	// public operations have no rule of tok.* and az.*; those of optional ones
	// judge a request that has a credential.
	public   bool
	optional bool
	declared payload.Declared
	account  account.Options
}

// plan returns the rules of all operations. Settings come first, because what is
// spent together depends on the modes of all operations.
func (c *compiler) plan(contracts []*openapi.Contract, issuers []token.Issuer) *plans {
	plans := &plans{}
	keys := map[string]bool{}
	for i, contract := range contracts {
		operations := contract.Operations()
		for _, op := range operations {
			op.ID = c.qualified(i, op)
			p := &planned{contract: op, spec: i, operation: &policy.Operation{
				ID: op.ID, Method: op.Method, Template: op.Template, Aliases: op.Aliases, Deprecated: op.Deprecated,
				AnswersJSON: op.AnswersJSON, Head: c.head(i, op, operations),
			}}
			c.settle(p, keys)
			plans.all = append(plans.all, p)
		}
	}
	c.unique(plans.all)
	c.strangers(plans.all, keys)
	c.delegate(plans.all)
	plans.all = append(plans.all, &planned{operation: &policy.Operation{
		ID: policy.UnmatchedID, MaxIn: int64(c.cfg.Payload.MaxRequestBytes),
	}})
	plans.spending = c.spending(plans.all)
	checks := c.commonChecks(issuers)
	for _, p := range plans.all {
		c.rules(p, checks, plans.spending)
	}
	return plans
}

// names are what the configuration may call an operation by: its id first, then
// method and path of every place.
func (p *planned) names() []string {
	names := []string{p.contract.ID}
	for _, place := range p.operation.Places() {
		if name := place.Method + " " + place.Template; name != p.contract.ID {
			names = append(names, name)
		}
	}
	return names
}

// settle finds the settings of an operation.
func (c *compiler) settle(p *planned, keys map[string]bool) {
	names := p.names()
	slices.Reverse(names) // the id is the one that messages name
	for _, key := range names {
		keys[key] = true
		settings, ok := c.cfg.Operations[key]
		switch {
		case !ok:
		case p.key != "" && p.key != key:
			c.problem(config.Key("operations", key), "is set a second time as "+p.key, "keep one of the two")
		default:
			p.key, p.settings = key, settings
		}
	}
	p.public, p.optional = p.contract.Public, p.contract.Optional
	if public := p.settings.Public; public != nil {
		p.public, p.optional = *public, false
	}
	p.operation.MaxIn = int64(c.cfg.Payload.MaxRequestBytes)
	if p.settings.MaxRequestBytes > 0 {
		p.operation.MaxIn = int64(p.settings.MaxRequestBytes)
	}
	if p.contract.BodyDeclared {
		declared, err := payload.Declare(p.contract.RequestMediaTypes...)
		if err != nil {
			c.problem(fileOf(p.spec), fmt.Sprintf("operation %s: %v", p.contract.ID, err), "name it as type/subtype, for example application/json")
		}
		if c.unpacks() {
			declared = declared.Unpacking(c.cfg.Payload.MaxInflation)
		}
		p.declared = declared
	}
	p.account = c.accountOf(p)
	c.settleUpgrade(p)
}

// strangers reports settings of operations that no contract has.
func (c *compiler) strangers(all []*planned, keys map[string]bool) {
	var ids []string
	for _, p := range all {
		ids = append(ids, p.operation.ID)
	}
	for key := range c.cfg.Operations {
		if !keys[key] {
			c.problem(config.Key("operations", key), "the contract has no such operation", config.DidYouMean(key, ids))
		}
	}
}

// commonChecks has the checks that are the same for every operation.
func (c *compiler) commonChecks(issuers []token.Issuer) map[policy.Control]policy.Check {
	checks := map[policy.Control]policy.Check{
		policy.InFrame: message.Frame{}, policy.InPath: c.target(),
		policy.InRoute: openapi.Route{}, policy.InMethod: openapi.Method{},
		policy.TokPresent: token.Present{}, policy.TokSig: token.Sig{}, policy.TokIss: token.Iss{},
		policy.TokTyp: token.NewTyp(issuers), policy.TokAud: token.NewAud(issuers),
		policy.TokTime: token.NewTime(issuers), policy.TokTTL: token.NewTTL(issuers),
		policy.TokBind: token.NewBind(issuers),
	}
	if c.asks() {
		checks[policy.TokRevoked] = token.Revoked{}
	}
	if c.gateway != nil {
		checks[policy.PathGateway] = c.gateway
	}
	if mtls := c.mtls(); mtls != nil {
		checks[policy.MTLSClient] = mtls
	}
	if c.keyed() {
		checks[policy.KeyValid] = token.Key{}
	}
	if c.tokenless() {
		for control := range checks {
			if familyOf(control) == "tok" && control != policy.TokPresent {
				checks[control] = tokenless{}
			}
		}
	}
	return checks
}

// rules gives an operation its rules and its inspector.
func (c *compiler) rules(p *planned, checks map[policy.Control]policy.Check, spending *spending) {
	for _, entry := range policy.Catalogue() {
		mode := c.modeOf(p.key, entry.ID)
		if mode == policy.Off || asksIdentity(entry.ID) && (p.public || c.cfg.Credential.Kind == config.KindNone) {
			continue
		}
		check, phase := checks[entry.ID], phaseOf(entry)
		switch {
		case check != nil:
		case phase == policy.LimitPhase:
			check = spending.check(entry.ID, replayKind{mode, c.replayOf(p)})
		case p.operation.ID == policy.UnmatchedID:
			check = c.unmatchedCheck(p, entry.ID)
		default:
			check, phase = c.checkOf(p, entry.ID, phase)
		}
		if check != nil {
			if isTokenless(check) {
				mode = policy.Shadow
			}
			if judgesAction(entry.ID) && p.bundles() != "" {
				check = whole{check, c.reports(entry.ID)}
			}
			rule := &policy.Rule{
				Control: entry.ID, Phase: phase, Mode: mode, OnError: c.onError(entry.ID), Check: check, Reports: c.reports(entry.ID),
			}
			if asksIdentity(entry.ID) {
				rule.Spared = p.spared()
			}
			p.add(rule)
			if entry.ID == policy.InFrame {
				p.addBodyFraming(rule)
			}
			if entry.ID == policy.TokPresent && c.takesForms(p) {
				p.add(p.formRule(rule))
			}
		}
	}
	c.inspect(p)
	c.inspectAnswers(p)
}

// reports returns the reasons that a control reports and never blocks for.
func (c *compiler) reports(control policy.Control) []policy.Reason {
	if control == policy.InSchema && c.cfg.Schema.UndeclaredParameters == config.UndeclaredReport {
		return []policy.Reason{policy.ParameterUndeclared, policy.ParameterEscape}
	}
	if control == policy.InHdr {
		return message.Stripped()
	}
	return nil
}

// spared returns which requests the operation does not ask who their caller is.
func (p *planned) spared() func(*policy.Request) bool {
	if p.optional {
		return asksNobody
	}
	return isPreflight
}

func (p *planned) add(rule *policy.Rule) {
	p.operation.Rules = append(p.operation.Rules, rule)
	hold(p.operation, rule)
}

// hold notes what the proxy has to hold, or to take away, for a rule that enforces.
func hold(op *policy.Operation, rule *policy.Rule) {
	if rule.Mode == policy.Enforce {
		if stripper, strips := rule.Check.(policy.Stripper); strips {
			op.Strip = stripper
		}
		op.Paced = true
		op.HoldIn = op.HoldIn || rule.Phase == policy.BodyPhase
		op.HoldOut = op.HoldOut || rule.Phase == policy.ResponsePhase
	}
}

func (p *planned) has(control policy.Control) bool {
	return slices.ContainsFunc(p.operation.Rules, func(r *policy.Rule) bool { return r.Control == control })
}

// modeOf returns the mode of the operation's rule of a control; Off without one.
func (p *planned) modeOf(control policy.Control) policy.Mode {
	for _, rule := range p.operation.Rules {
		if rule.Control == control {
			return rule.Mode
		}
	}
	return policy.Off
}

// checkOf returns the check of a control for one operation, and its phase; nil
// when the control has nothing to say of the operation.
func (c *compiler) checkOf(p *planned, control policy.Control, phase policy.Phase) (policy.Check, policy.Phase) {
	switch control {
	case policy.InHdr:
		return c.headerCheck(p), phase
	case policy.AzScope:
		if anyOf := p.scopes(); len(anyOf) > 0 {
			return entitlement.Scope{AnyOf: anyOf}, phase
		}
	case policy.AzDefault:
		if !c.authorises(p) {
			return entitlement.Default{}, phase
		}
	case policy.AzAccount, policy.AzDelegate:
		return c.accountCheck(p, control, phase)
	case policy.InCtype:
		return payload.Ctype{Declared: p.declared}, phase
	case policy.InSize:
		return c.sizeOf(p), phase
	case policy.InWellformed:
		return payload.WellFormed{}, phase
	case policy.InSchema:
		return openapi.Schema{}, phase
	case policy.OutSize:
		return payload.AnswerSize{MaxBytes: int64(c.cfg.Payload.MaxResponseBytes)}, phase
	case policy.OutSchema:
		return openapi.AnswerSchema{}, phase
	}
	return nil, phase
}

// unpacks reports whether a content coding of request bodies is taken off.
func (c *compiler) unpacks() bool { return len(c.cfg.Payload.ContentCodings) > 0 }

// unmatchedCheck returns the check of a control for requests that match no
// operation: the size needs none, the rest is undecided by what is missing.
func (c *compiler) unmatchedCheck(p *planned, control policy.Control) policy.Check {
	switch control {
	case policy.InHdr:
		return c.headerCheck(p)
	case policy.InSize:
		return c.sizeOf(p)
	case policy.OutSize:
		return payload.AnswerSize{MaxBytes: int64(c.cfg.Payload.MaxResponseBytes)}
	case policy.AzScope, policy.InCtype, policy.InWellformed, policy.InSchema, policy.OutSchema:
		return openapi.Unmatched{}
	case policy.AzAccount:
		if len(c.cfg.Account.Rules) > 0 {
			return openapi.Unmatched{}
		}
	case policy.AzDelegate:
		if c.partners != nil {
			return openapi.Unmatched{}
		}
	}
	return nil
}

func asksIdentity(control policy.Control) bool {
	family := familyOf(control)
	return family == "tok" || family == "key" || family == "az"
}

func phaseOf(entry policy.Entry) policy.Phase {
	for _, phase := range []policy.Phase{policy.HeadPhase, policy.LimitPhase, policy.BodyPhase, policy.ResponsePhase} {
		if phase.String() == entry.Phase {
			return phase
		}
	}
	return policy.HeadPhase
}

// scopes returns the alternatives that the operation asks for: those of the
// configuration, else those of the contract. An alternative without a scope asks
// for none.
func (p *planned) scopes() [][]string {
	anyOf := p.contract.Security
	if p.settings.Scopes != nil {
		anyOf = p.settings.Scopes
	}
	if slices.ContainsFunc(anyOf, func(all []string) bool { return len(all) == 0 }) {
		return nil
	}
	return anyOf
}

// inspect gives the operation an inspector if a rule needs the content of the
// body.
func (c *compiler) inspect(p *planned) {
	if p.operation.ID == policy.UnmatchedID {
		return
	}
	account := (p.has(policy.AzAccount) || p.has(policy.AzDelegate)) && len(p.account.Body) > 0
	content := p.contract.BodyDeclared && c.unpacks() && p.has(policy.InSize)
	form := p.has(policy.TokPresent) && c.takesForms(p)
	if !account && !content && !form && !p.has(policy.InWellformed) && !p.has(policy.InSchema) {
		return
	}
	o := payload.Options{
		Declared: p.declared, MaxBytes: p.operation.MaxIn, MaxDepth: c.cfg.Payload.MaxJSONDepth,
		MaxFields: c.cfg.Payload.MaxFormFields, MaxParts: c.cfg.Payload.MaxParts, MaxPartBytes: int64(c.cfg.Payload.MaxPartBytes),
	}
	if account {
		o.Selectors = p.account.Body
	}
	if p.has(policy.InSchema) {
		o.Schema = p.contract.Judge()
	}
	inspector, err := payload.NewInspector(o)
	if err != nil {
		c.problem(config.Key("operations", p.operation.ID), err.Error(), "correct its max_request_bytes, payload.max_json_depth or account.rules")
		return
	}
	p.operation.In = inspector
}

// inspectAnswers gives the operation what reads its answers, if a rule judges them.
func (c *compiler) inspectAnswers(p *planned) {
	sized := p.has(policy.OutSize)
	if !sized && !p.has(policy.OutSchema) {
		return
	}
	p.operation.MaxOut = int64(c.cfg.Payload.MaxResponseBytes)
	if p.operation.ID == policy.UnmatchedID || !p.has(policy.OutSchema) {
		return
	}
	o := payload.AnswerOptions{MaxBytes: p.operation.MaxOut, Sized: sized, MaxDepth: c.cfg.Payload.MaxJSONDepth}
	if answers := p.contract.Answers(); answers != nil {
		o.Schema = answers
	}
	p.operation.Out = payload.NewAnswerInspector(o)
}
