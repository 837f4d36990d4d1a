package starter

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// keys says where the contract has API keys.
type keys struct {
	// header carries the key; "" if the contract names none that can.
	header string
	// elsewhere are the other places of keys, as "query key".
	elsewhere []string
}

// credential finds out what arrives: API keys where the contract asks for nothing else
// and no option tells of tokens, else tokens.
func (d *draft) credential(schemes []openapi.Scheme, operations []openapi.Operation, o Options) {
	var asked []string
	for i := range operations {
		asked = append(asked, slices.Concat(operations[i].Schemes...)...)
	}
	found, others := &keys{}, false
	keyed := false
	for _, s := range schemes {
		switch {
		case !slices.Contains(asked, s.Name):
		case !isKey(s):
			others = true
		default:
			keyed = true
			found.add(s)
		}
	}
	switch told := o.Issuer != "" || o.JWKSFile != "" || o.JWKSURL != "" || len(o.Audiences) > 0; {
	case keyed && (others || told):
		d.mixed = true
	case keyed:
		d.keys = found
	}
}

// isKey reports whether a scheme is one of API keys. A contract that has them in header
// Authorization means tokens: it is how they are declared where only keys can be.
func isKey(s openapi.Scheme) bool {
	return s.Type == openapi.APIKeyScheme && (s.In != "header" || !sameHeader(s.Field, "Authorization"))
}

// add takes the first header that a file can name, in order of the schemes.
func (k *keys) add(s openapi.Scheme) {
	if s.In == "header" {
		_, ok := config.Quoted(s.Field)
		if ok = ok && config.ReadsHeader(s.Field); ok && (k.header == "" || sameHeader(k.header, s.Field)) {
			k.header = s.Field
			return
		}
	}
	if place := s.In + " " + s.Field; !slices.Contains(k.elsewhere, place) {
		k.elsewhere = append(k.elsewhere, place)
	}
}

// sameHeader reports whether two names may reach a backend as one.
func sameHeader(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}

func (w *writer) credential() {
	w.line("")
	switch {
	case w.draft.public:
		w.line("# The contract asks for no credential anywhere, so tokens and what they permit are not judged.")
		w.line("controls: {tok: \"off\", az: \"off\"}")
	case w.draft.keys != nil:
		w.keys()
	default:
		w.tokens()
	}
}

func (w *writer) keys() {
	k := w.draft.keys
	w.line("# The contract asks for API keys and for nothing else.")
	w.line("credential:")
	w.line("  kind: api_key")
	w.line("  api_key:")
	if k.header != "" {
		w.line("    header: %s", w.quoted(k.header))
	} else {
		w.line("    # decide: the contract names no header that can carry the key.")
		w.line("    # header: X-API-Key")
	}
	for _, place := range k.elsewhere {
		w.line("    # decide: the contract has a key in %s, which is not read: one header carries the key.", shown(place))
	}
	w.line("    file: %s # entries with the hash of each key, made by sidewarden api-key", w.value("", "SIDEWARDEN_API_KEYS"))
}

func (w *writer) tokens() {
	o := w.options
	if w.draft.mixed {
		w.line("# decide: the contract takes API keys too, and one kind of credential is judged. Tokens are; credential.kind says otherwise.")
	}
	w.line("token:")
	w.line("  issuers:")
	w.line("    - issuer: %s # the exact iss of its tokens", w.value(o.Issuer, "SIDEWARDEN_ISSUER"))
	switch {
	case o.JWKSFile != "":
		w.line("      jwks_file: %s", w.quoted(o.JWKSFile))
	case o.JWKSURL == "" && hasMetadata(o.Issuer):
		w.line("      # Its key set is where its metadata says (RFC 8414, OpenID Connect Discovery), unless jwks_url or jwks_file does.")
	default:
		w.line("      jwks_url: %s # its key set; jwks_file reads one from a file", w.value(o.JWKSURL, "SIDEWARDEN_JWKS_URL"))
		if o.JWKSURL == "" {
			w.line("      # decide: without jwks_url, an https issuer is asked where its key set is.")
		}
	}
	if len(o.Audiences) == 0 {
		w.line("      audiences: [%s] # values of aud that name this API", w.value("", "SIDEWARDEN_AUDIENCE"))
	} else {
		w.line("      audiences: %s # values of aud that name this API", w.list(o.Audiences))
	}
	w.line("      # decide: profile: rfc9068, algorithms: [RS256, ES256] and these claims hold unless said otherwise:")
	w.line("      # claims: {client: /client_id, principal: /sub, accounts: /account_id, scopes: /scope}")
	w.line("      # decide: opaque tokens need an issuer that is asked about them (RFC 7662); jwts: true asks whether a JWT was revoked, too.")
	w.line("      # tokens: both")
	w.line("      # introspection: {url: https://idp.example.net/introspect, client_id: sidewarden, client_secret: \"${env:SIDEWARDEN_CLIENT_SECRET}\"}")
	w.line("  # decide: clients that prove to hold the key of their token (RFC 9449) need the URL at which they reach this API.")
	w.line("  # dpop: {public_url: https://api.example.net}")
}

// hasMetadata reports whether an issuer can be asked where its key set is.
func hasMetadata(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(issuer, "#")
}
