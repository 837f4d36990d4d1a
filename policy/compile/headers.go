package compile

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// headerCheck returns the check of in.hdr for one operation.
func (c *compiler) headerCheck(p *planned) *message.Header {
	o := c.headerOptions()
	o.Pass, o.Reserved = c.cfg.Headers.Pass, c.cfg.Headers.Reserved
	o.Judged = append(o.Judged, p.contract.HeaderParams...)
	credential := c.credentialHeaders()
	asks := c.asksCredential(p)
	if asks && c.tokenless() {
		o.Respelt = credential
	}
	if !asks {
		o.Single = append(o.Single, credential...)
	}
	if !asks || !slices.ContainsFunc(credential, func(name string) bool { return policy.SameVariable(name, "Authorization") }) {
		o.Single = append(o.Single, "Authorization")
	}
	return message.NewHeader(o)
}

// headerOptions are what in.hdr goes by everywhere.
func (c *compiler) headerOptions() message.HeaderOptions {
	gateway := &c.cfg.Gateway
	o := message.HeaderOptions{
		Judged: append(c.credentialHeaders(), given(gateway.Proof.Header, gateway.ClientCertHeader, gateway.RequestIDHeader)...),
		Single: given(gateway.ClientCertHeader),
		Own:    c.reservedHeaders(),
		Hops:   c.hops(),
		// Who has a gateway and does not say from where is connected to by the gateway.
		AnyHop: gateway.Present && gateway.Forwarded == nil,
	}
	for _, rule := range c.cfg.Account.Rules {
		if rule.In == "header" {
			o.Judged = append(o.Judged, rule.Name)
		}
	}
	if c.gateway != nil {
		o.Vouched = c.gateway
	}
	return o
}

// credentialHeaders are the fields that the credential of a request stands in.
func (c *compiler) credentialHeaders() []string {
	cfg := &c.cfg.Credential
	switch cfg.Kind {
	case config.KindIdentityHeaders:
		return given(cfg.Headers.Client, cfg.Headers.Principal, cfg.Headers.Accounts, cfg.Headers.Scopes)
	case config.KindAPIKey:
		return given(cfg.APIKey.Header)
	case config.KindNone:
		return nil
	}
	return given(cfg.Header)
}

func given(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// asksCredential reports whether tok.present judges requests of the operation, so that
// it is the control to deny a credential that comes twice.
func (c *compiler) asksCredential(p *planned) bool {
	return !p.public && c.cfg.Credential.Kind != config.KindNone && c.modeOf(p.key, policy.TokPresent) != policy.Off
}

// refuseHeaders refuses names under headers that could have no effect, or would undo
// what another control relies on.
func (c *compiler) refuseHeaders() {
	known := message.NewHeader(c.headerOptions())
	for i, name := range c.cfg.Headers.Reserved {
		field := fmt.Sprintf("headers.reserved[%d]", i)
		switch takes, counts := known.Knows(name); {
		case takes:
			c.problem(field, "is taken away as it is", "remove it")
		case counts:
			c.problem(field, "means something in every request, by its definition or by this file", "remove it: what judges it decides who may send it")
		}
	}
	for i, name := range c.cfg.Headers.Pass {
		field := fmt.Sprintf("headers.pass[%d]", i)
		switch takes, counts := known.Knows(name); {
		case counts:
			c.problem(field, "means something in every request, by its definition or by this file", "remove it: it passes in its one spelling, and no other may")
		case !takes:
			c.problem(field, "is not among the names that are taken away", "remove it")
		}
	}
}

// settleUpgrade notes what the connection of a request of the operation may become.
func (c *compiler) settleUpgrade(p *planned) {
	if len(p.settings.Upgrade) == 0 {
		return
	}
	field, refused := config.Key("operations", p.key)+".upgrade", false
	if p.operation.Method != http.MethodGet {
		refused = true
		c.problem(field, "is for an operation with the method "+p.operation.Method+", and a connection becomes a WebSocket by a GET (RFC 6455 section 4.1)", "remove it")
	}
	if c.cfg.Backend.HTTP == config.HTTPTwoClear {
		refused = true
		// RFC 9113 section 8.6: HTTP/2 has no upgrade.
		c.problem(field, "cannot happen: backend.http is h2c, and no connection of HTTP/2 becomes another one by an upgrade", "remove it, or write auto or h1 for backend.http")
	}
	if refused {
		return
	}
	p.operation.Upgrade = p.settings.Upgrade
}
