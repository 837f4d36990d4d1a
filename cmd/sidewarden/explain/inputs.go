package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// inputs tells what a control looked at. A control that is not here has nothing to
// show beside its verdict.
func (v *view) inputs(c policy.Control) []Input {
	switch c {
	case policy.InFrame:
		return []Input{{"head", cmp.Or(v.r.Proto, "not read")}, {"body", v.framing()}}
	case policy.InPath:
		return v.target()
	case policy.InHdr:
		return v.fields()
	case policy.InRoute:
		return []Input{{"path", v.path()}}
	case policy.InMethod:
		return v.methods()
	case policy.TokPresent:
		return v.credential()
	case policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL, policy.TokBind, policy.TokRevoked, policy.TokReplay:
		if v.r.Auth.Token == nil {
			return []Input{{"token", "none that could be read"}}
		}
		return v.token(c, v.r.Auth.Token)
	case policy.KeyValid:
		return v.apiKey()
	case policy.AzScope, policy.AzDefault:
		return []Input{{"asked for", v.asked()}, {"token's scopes", v.heldScopes()}}
	case policy.AzAccount:
		return v.accounts()
	case policy.AzDelegate:
		return append(v.accounts(), v.delegations())
	case "path.gateway":
		return []Input{{"peer", v.r.Peer.Addr.String()}, {"proof", v.set("gateway.proof")}}
	case policy.MTLSClient:
		return []Input{{"connection", v.connection()}, {"clients", v.set("listen.tls.clients")}}
	case policy.InCtype:
		return v.contentType()
	case policy.InSize:
		return v.size()
	case policy.InWellformed:
		return []Input{v.inspected(), {"deepest nesting", fmt.Sprintf("%d (payload.max_json_depth)", v.cfg.Payload.MaxJSONDepth)}}
	case policy.InSchema:
		return []Input{v.inspected(), {"contract", v.contractFile()}}
	}
	if strings.HasPrefix(string(c), "rate.") {
		return v.limits(c)
	}
	return nil
}

// framing says what tells the end of the body.
func (v *view) framing() string {
	switch {
	case v.r.Proto == "":
		return "not read"
	case len(v.r.Header["Content-Length"]) > 0:
		return "by its length"
	case !v.r.HasBody():
		return "none"
	}
	return "in chunks"
}

// fields counts the header fields, which are not told: any of them may be a secret.
func (v *view) fields() []Input {
	upgrade := "not asked for"
	switch {
	case v.r.Upgrades():
		upgrade = "asked for, as the operation allows"
	case len(v.r.Hop.Upgrade) > 0:
		upgrade = "asked for, and the operation does not allow it"
	}
	return []Input{{"fields", strconv.Itoa(len(v.r.Header))}, {"upgrade", upgrade}}
}

func (v *view) methods() []Input {
	inputs := []Input{{"method", v.method()}}
	if len(v.r.Match.Allow) > 0 {
		inputs = append(inputs, Input{"the path has", strings.Join(v.r.Match.Allow, ", ")})
	}
	return inputs
}

func (v *view) credential() []Input {
	header := v.cfg.Credential.Header
	expected := plain(header)
	if scheme := v.cfg.Credential.Scheme; scheme != "" {
		expected += " with scheme " + plain(scheme)
	}
	if v.cfg.Token.DPoP != nil {
		expected += " or DPoP"
	}
	if keys := v.cfg.Credential.APIKey; keys != nil {
		header, expected = keys.Header, plain(keys.Header)
	}
	sent := "no such header"
	for name, values := range v.r.Header {
		if strings.EqualFold(name, header) {
			sent = fmt.Sprintf("%d of them", len(values))
		}
	}
	return []Input{{"expected", expected}, {"sent", sent}}
}

// apiKey tells what is known of the key that was sent, and never the key.
func (v *view) apiKey() []Input {
	keys := v.cfg.Credential.APIKey
	if keys == nil {
		return []Input{{"keys", "none: no API key arrives with credential.kind " + v.cfg.Credential.Kind}}
	}
	file := Input{"keys", plain(keys.File) + " (" + v.set("credential.api_key.file") + ")"}
	k := v.r.Auth.APIKey
	if k == nil {
		return []Input{{"key", "none that the file has"}, file}
	}
	disabled := "no"
	if k.Disabled {
		disabled = "yes"
	}
	return []Input{
		{"key", "one of the file"},
		file,
		{"now", v.r.Time.UTC().Format(time.RFC3339)},
		{"is over", v.moment(k.Until)},
		{"disabled", disabled},
	}
}

// asked tells the alternatives of scopes, and who says so.
func (v *view) asked() string {
	anyOf := v.anyOf()
	if len(anyOf) == 0 {
		return "nothing"
	}
	alternatives := make([]string, len(anyOf))
	for i, all := range anyOf {
		alternatives[i] = strings.Join(all, " and ")
		if len(all) == 0 {
			alternatives[i] = "nothing"
		}
	}
	said := "the contract"
	if v.settings.Scopes != nil {
		said = v.set(config.Key("operations", v.key) + ".scopes")
	}
	return strings.Join(alternatives, ", or ") + " (" + said + ")"
}

func (v *view) heldScopes() string {
	id := v.r.Auth.Identity
	if id == nil {
		return "none proven"
	}
	return v.values(id.Scopes, v.scopes())
}

// accounts tells what each selector found, and whose the token is.
func (v *view) accounts() []Input {
	var inputs []Input
	body := 0
	for i, rule := range v.cfg.Account.Rules {
		var found []string
		name, unread := rule.Name, false
		switch rule.In {
		case config.InPath:
			found = named(v.r.Match.Params, rule.Name)
			if v.contract != nil && !slices.Contains(v.contract.PathParams, rule.Name) {
				continue
			}
		case config.InQuery:
			found = named(v.r.Query, rule.Name)
		case config.InHeader:
			for header, values := range v.r.Header {
				if strings.EqualFold(header, rule.Name) {
					found = values
				}
			}
		case config.InBody:
			name = rule.Pointer
			if unread = v.r.HasBody(); body < len(v.r.Body.Selected) {
				found, unread = v.r.Body.Selected[body], false
			}
			body++
		}
		text := v.values(found, nil)
		if unread {
			text = "not read"
		}
		inputs = append(inputs, Input{rule.In + " " + plain(name), text + " (" + v.set(fmt.Sprintf("account.rules[%d]", i)) + ")"})
	}
	held := "none proven"
	if id := v.r.Auth.Identity; id != nil {
		held = v.values(id.Accounts, nil)
	}
	return append(inputs, Input{"token's accounts", held})
}

func named(pairs []policy.Pair, name string) []string {
	var found []string
	for _, p := range pairs {
		if p.Name == name {
			found = append(found, p.Value)
		}
	}
	return found
}

func (v *view) contentType() []Input {
	declared := []string{}
	if v.contract != nil {
		declared = v.contract.RequestMediaTypes
	}
	return []Input{{"sent", v.values(v.r.Header["Content-Type"], declared)}, {"declared", (mask{show: true}).values(declared, nil)}}
}

func (v *view) size() []Input {
	size := "not known"
	if v.r.Body.Size >= 0 {
		size = fmt.Sprintf("%d bytes", v.r.Body.Size)
	}
	limit, field := v.cfg.Payload.MaxRequestBytes, "payload.max_request_bytes"
	if v.settings.MaxRequestBytes > 0 {
		limit, field = v.settings.MaxRequestBytes, config.Key("operations", v.key)+".max_request_bytes"
	}
	bytes, fields := message.HeadOf(v.r)
	most := v.cfg.Message
	return []Input{
		{"head", fmt.Sprintf("%d bytes in %d fields", bytes, fields)},
		{"largest head", fmt.Sprintf("%s, %d fields (%s)", most.MaxHeaderBytes, most.MaxHeaderFields, v.set("message"))},
		{"body", size},
		{"largest", limit.String()},
		{"set in", v.set(field)},
	}
}

func (v *view) inspected() Input {
	return Input{"inspected", fmt.Sprintf("%d of %d bytes", v.r.Body.Inspected, max(v.r.Body.Size, v.r.Body.Inspected))}
}

func (v *view) contractFile() string {
	files := make([]string, len(v.cfg.Specs))
	for i, s := range v.cfg.Specs {
		files[i] = plain(s.File)
	}
	return strings.Join(files, ", ")
}

// limits tells the limits that a control judges: those with a quota, those that
// count accounts, and the others.
func (v *view) limits(c policy.Control) []Input {
	var inputs []Input
	if v.r.Source != v.r.Peer.Addr {
		inputs = append(inputs, Input{"address of the client", v.source()})
	}
	for i, l := range v.cfg.Limits {
		accounts := slices.Contains(l.Key, config.KeyAccount)
		text := fmt.Sprintf("%s, burst %d", l.Rate, l.Burst)
		switch {
		case c == "rate.quota" && !l.Quota.IsZero():
			text = l.Quota.String()
		case c == "rate.customer" && accounts && !l.Rate.IsZero(), c == policy.RateApp && !accounts && !l.Rate.IsZero():
		default:
			continue
		}
		inputs = append(inputs, Input{
			"limit " + l.Name, fmt.Sprintf("%s, by %s, unused (%s)", text, strings.Join(l.Key, " and "), v.set(fmt.Sprintf("limits[%d]", i))),
		})
	}
	return inputs
}

// delegations tells which delegations are the client's.
func (v *view) delegations() Input {
	var found []string
	if id := v.r.Auth.Identity; id != nil {
		for i, d := range v.cfg.Account.Delegation {
			if d.Issuer == id.Issuer && d.Client == id.Client {
				found = append(found, v.set(fmt.Sprintf("account.delegation[%d]", i)))
			}
		}
	}
	if len(found) == 0 {
		return Input{"delegated to the client", "nothing"}
	}
	return Input{"delegated to the client", strings.Join(found, "; ")}
}
