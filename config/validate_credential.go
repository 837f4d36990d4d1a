package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// tokensArrive reports whether the credential is a token.
func (v *validator) tokensArrive() bool {
	return v.c.Credential.Kind == KindClientToken || v.c.Credential.Kind == KindGatewayToken
}

// proof checks how a request shows that it came through the gateway.
func (v *validator) proof() {
	const at = "gateway.proof"
	p := v.c.Gateway.Proof
	if !v.given(at) {
		return
	}
	if !v.c.Gateway.Present {
		v.add("gateway.present", "is false, and gateway.proof says how a request shows that it came through the gateway", "write present: true or remove proof")
	}
	switch {
	case p.Header == "" && !p.Configured():
		v.add(at, "nothing proves the gateway", "add header and secret, peers, certificates, or a signature")
	case p.Header == "" && len(p.Secrets) > 0:
		v.add(at+".header", "no header carries the secret", "name it, for example X-Gateway-Proof")
	case p.Header != "" && len(p.Secrets) == 0:
		v.add(at+".secrets", "the header is no proof without a secret", "add for example secret: ${file:/run/secrets/gateway-proof}")
	}
	v.header(at+".header", p.Header)
	for i, s := range p.Secrets {
		v.proofSecret(fmt.Sprintf("%s.secrets[%d]", at, i), s.Reveal(), p.Secrets[:i])
	}
	for i, text := range p.Peers {
		v.network(fmt.Sprintf("%s.peers[%d]", at, i), text)
	}
	v.proofCertificates(p.Certificates)
	v.proofSignature(p.Signature)
}

// proofSecret checks one secret, and never says what it is.
func (v *validator) proofSecret(path, s string, before []Secret) {
	named := v.named(path, "")
	switch {
	case len(s) < minKeyBytes:
		v.add(path, fmt.Sprintf("%s has fewer than %d characters", named, minKeyBytes), "make a random one, for example with openssl rand -hex 32")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		v.add(path, named+" has characters that no header carries unchanged", "use letters and digits, for example of openssl rand -hex 32")
	case slices.ContainsFunc(before, func(o Secret) bool { return o.Reveal() == s }):
		v.add(path, named+" is given twice", "remove one; a rotation needs two that differ")
	}
}

func (v *validator) network(path, text string) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		v.add(path, v.named(path, text)+" is not a network", "write for example 10.0.0.0/8 or fd00::/8, and a single address as 10.1.2.3/32")
	case p != p.Masked():
		v.add(path, v.named(path, text)+" has address bits behind its length", "write "+p.Masked().String())
	case p.Bits() == 0:
		v.add(path, v.named(path, text)+" is every address, which proves nothing", "name the networks of the gateway")
	}
}

// credential checks that what arrives and what is asked of it fit together.
func (v *validator) credential() {
	c := &v.c.Credential
	v.headersApart()
	if c.Kind != KindIdentityHeaders && v.given("credential.headers") {
		v.add("credential.headers", "has no effect with credential.kind "+c.Kind, "remove it, or write kind: "+KindIdentityHeaders)
	}
	v.apiKey()
	if (c.Kind == KindGatewayToken || c.Kind == KindIdentityHeaders) && !v.c.Gateway.Present {
		v.add("credential.kind", quote(c.Kind)+" comes from a gateway, and gateway.present is false", "add gateway: {present: true}")
	}
	if !v.tokensArrive() {
		v.tokenless()
	}
	switch c.Kind {
	case KindIdentityHeaders:
		if c.Headers.Client == "" {
			v.add("credential.headers.client", "no header with the client is named", "add for example headers: {client: X-Client-Id}")
		}
		if !v.given("gateway.proof") {
			v.add("credential.kind", "anybody could set identity headers: nothing shows that they are the gateway's",
				"add to gateway: {proof: {header: X-Gateway-Proof, secret: \"${file:/run/secrets/gateway-proof}\"}}")
		}
	case KindNone:
		v.nobody()
	}
}

// apiKey checks that API keys and what is asked of them fit together.
func (v *validator) apiKey() {
	const at = "credential.api_key"
	c := &v.c.Credential
	keys := c.APIKey
	switch {
	case c.Kind != KindAPIKey && v.given(at):
		v.add(at, "has no effect with credential.kind "+c.Kind, "remove it, or write kind: "+KindAPIKey)
		return
	case c.Kind != KindAPIKey:
		return
	case keys == nil:
		v.add(at, "no file with keys is named", "add for example api_key: {file: api-keys.json}")
	default:
		if keys.Header == "" {
			v.add(at+".header", "is empty", "name a header, for example X-API-Key")
		}
		v.header(at+".header", keys.Header)
		if v.given(at+".file") && keys.File == "" {
			v.add(at+".file", "is empty", "name the file")
		}
		if keys.Issuer == "" {
			v.add(at+".issuer", "is empty", "name who gave the keys out, or remove the line")
		}
	}
	// The defaults stand in every effective configuration.
	for path, other := range map[string]bool{"credential.header": c.Header != "Authorization", "credential.scheme": c.Scheme != "Bearer"} {
		if v.given(path) && other {
			v.add(path, "has no effect: no token arrives with credential.kind "+c.Kind, "remove it; the header of the key is "+at+".header")
		}
	}
}

// headersApart checks that no header has two meanings: the secret of the gateway
// would be recorded as a request id, or an account compared with itself.
func (v *validator) headersApart() {
	h := v.c.Credential.Headers
	type use struct{ path, name string }
	uses := []use{
		{"gateway.request_id_header", v.c.Gateway.RequestIDHeader},
		{"gateway.proof.header", v.c.Gateway.Proof.Header},
		{"gateway.client_cert_header", v.c.Gateway.ClientCertHeader},
		{"credential.headers.client", h.Client},
		{"credential.headers.principal", h.Principal},
		{"credential.headers.accounts", h.Accounts},
		{"credential.headers.scopes", h.Scopes},
	}
	if keys := v.c.Credential.APIKey; keys != nil {
		uses = append([]use{{"credential.api_key.header", keys.Header}}, uses...)
	}
	for _, f := range v.c.Backend.Identity.Fields() {
		uses = append(uses, use{f.Path, f.Header})
	}
	if v.tokensArrive() {
		uses = append([]use{{"credential.header", v.c.Credential.Header}}, uses...)
	}
	if v.c.Token.DPoP != nil {
		uses = append([]use{{"token.dpop", proofHeader}}, uses...)
	}
	if v.c.Gateway.Proof.Signature != nil {
		uses = append([]use{{"gateway.proof.signature", "Signature"}, {"gateway.proof.signature", "Signature-Input"}}, uses...)
	}
	for i, r := range v.c.Account.Rules {
		if r.In == InHeader {
			uses = append(uses, use{fmt.Sprintf("account.rules[%d].name", i), r.Name})
		}
	}
	same := func(a, b string) bool {
		return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
	}
	for i, u := range uses {
		if strings.HasPrefix(u.path, "credential.headers.") {
			v.header(u.path, u.name)
		}
		for _, other := range uses[:i] {
			bothRules := strings.HasPrefix(other.path, "account.") // rules may share one with each other
			if u.name != "" && same(u.name, other.name) && !bothRules {
				v.add(u.path, "is the header of "+other.path+" too", "name another header, or remove one of the two")
			}
		}
	}
}

// tokenless refuses what asks something of a token where none arrives.
func (v *validator) tokenless() {
	cause := "has no effect: no token arrives with credential.kind " + v.c.Credential.Kind
	if len(v.c.Token.Issuers) > 0 {
		v.add("token.issuers", cause, "remove it")
	}
	if v.c.Gateway.ClientCertHeader != "" {
		v.add("gateway.client_cert_header", cause, "remove it")
	}
	if v.c.Token.Replay.Mode != ReplayOff {
		v.add("token.replay.mode", cause, "remove it")
	}
	if v.c.Token.DPoP != nil {
		v.add("token.dpop", cause, "remove it")
	}
	for key, o := range v.c.Operations {
		if o.Replay != "" && o.Replay != ReplayOff {
			v.add(pathKey("operations", key)+".replay", cause, "remove it")
		}
	}
}

// nobody refuses what needs to know the caller where nobody says who it is: it
// would look as if it were in force.
func (v *validator) nobody() {
	cause := "needs to know the caller, and with credential.kind " + KindNone + " nothing tells"
	const fix = "remove it, or say with credential.kind what arrives"
	modes := func(path string, controls map[string]Mode) {
		for name, mode := range controls {
			if f := family(name); mode != Off && (f == "tok" || f == "az") {
				v.add(pathKey(path, name), cause, "set it to off, or say with credential.kind what arrives")
			}
		}
	}
	modes("controls", v.c.Controls)
	for key, o := range v.c.Operations {
		path := pathKey("operations", key)
		modes(path+".controls", o.Controls)
		if len(o.Scopes) > 0 {
			v.add(path+".scopes", cause, fix)
		}
		if o.Public != nil && !*o.Public {
			v.add(path+".public", cause, fix)
		}
	}
	for _, path := range []string{"account.rules", "account.delegation"} {
		if v.given(path) {
			v.add(path, cause, fix)
		}
	}
	for i, l := range v.c.Limits {
		for j, k := range l.Key {
			if k == KeyClient || k == KeyAccount {
				v.add(fmt.Sprintf("limits[%d].key[%d]", i, j), cause, "use "+KeyPeer+", or say with credential.kind what arrives")
			}
		}
	}
}

// ReferencedFiles returns the files behind references in a field and in what is
// inside of it, sorted. They are read when the file is.
func (c *Config) ReferencedFiles(field string) []string {
	var files []string
	for path, ref := range c.refs {
		name, isFile := strings.CutPrefix(ref, "${file:")
		if isFile && (path == field || strings.HasPrefix(path, field+".") || strings.HasPrefix(path, field+"[")) {
			files = append(files, strings.TrimSuffix(name, "}"))
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}
