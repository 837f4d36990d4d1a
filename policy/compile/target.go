package compile

import (
	"context"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// target returns the check of in.path, which is the same for every operation.
func (c *compiler) target() message.Target {
	hosts, err := message.NewHosts(c.cfg.Listen.Hosts)
	if err != nil { // config has refused what is no host
		c.problem("listen.hosts", err.Error(), "write for example api.example.net or *.example.net, without scheme and port")
	}
	return message.Target{
		MaxBytes: int(c.cfg.Message.MaxTargetBytes), Hosts: hosts,
		Allow: message.Allowance{
			EncodedSlash: c.allowsInPath(config.AllowEncodedSlash), Parameter: c.allowsInPath(config.AllowParameter),
			EmptySegment: c.allowsInPath(config.AllowEmptySegment),
		},
	}
}

func (c *compiler) allowsInPath(what string) bool {
	return slices.Contains(c.cfg.Message.AllowInPath, what)
}

// doubtTargets warns of hosts that nobody looks at, and of operations whose own path
// in.path denies.
func (c *compiler) doubtTargets(all []*planned) {
	if len(c.cfg.Listen.Hosts) > 0 && !c.judgesAnywhere(policy.InPath) {
		c.warn("listen.hosts", "in.path, which judges them, is off: requests for every host pass",
			"set in.path: shadow in controls, or remove hosts")
	}
	check := c.target()
	check.Hosts = message.Hosts{}
	found := those(all, func(p *planned) bool {
		return p.has(policy.InPath) && slices.ContainsFunc(p.operation.Places(), func(op *policy.Operation) bool {
			path := sample(op.Template)
			return path != "" && check.Check(context.Background(), &policy.Request{Method: op.Method, Target: path, Path: path}).Effect == policy.Deny
		})
	})
	if len(found) > 0 {
		c.warn("message.allow_in_path", "by the contract, every request of "+names(found)+" has in its path what in.path denies",
			"allow it, if the backend reads it as the contract does, or correct the contract")
	}
}

// sample returns a path of a template, with a letter for every parameter, or "" for one
// that a client escapes: by letters that no target has.
func sample(template string) string {
	var b strings.Builder
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if found {
			_, rest, _ = strings.Cut(rest, "}")
			b.WriteByte('x')
		}
		template = rest
	}
	path := b.String()
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("?#", r) }) {
		return ""
	}
	return path
}
