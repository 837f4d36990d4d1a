package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// metadataOf checks an issuer that is asked where its key set is.
func (v *validator) metadataOf(path string, is Issuer) {
	u, err := url.Parse(is.Issuer)
	const way = "add jwks_url or jwks_file, or correct it; it has to be what its tokens have as iss, for example https://idp.example.net"
	switch {
	case is.Issuer == "": // it is required, which is told
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		v.add(path+".issuer", v.named(path+".issuer", is.Issuer)+" is not an https URL, and neither jwks_url nor jwks_file is given", way)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(is.Issuer, "#"):
		v.add(path+".issuer", "has a user, a query or a fragment, and neither jwks_url nor jwks_file is given", way)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.add(path+".issuer", "is http, and neither jwks_url nor jwks_file is given: whoever is on the way can replace the keys", way)
	}
	for i, host := range is.DiscoveryHosts {
		at := fmt.Sprintf("%s.discovery_hosts[%d]", path, i)
		switch {
		case !isHost(host):
			v.add(at, v.named(at, withoutUser(host))+" is not a host, or host and port", "write for example keys.example.net or keys.example.net:8443")
		case slices.Contains(is.DiscoveryHosts[:i], host):
			v.add(at, v.named(at, host)+" is given twice", "remove one")
		}
	}
}

// proxy checks the proxy on the way to an issuer.
func (v *validator) proxy(path string, is Issuer, byFile bool) {
	at := path + ".proxy_url"
	reached := is.reached(byFile)
	u, err := url.Parse(is.ProxyURL)
	switch {
	case len(reached) == 0:
		v.add(at, "has no effect with jwks_file", "remove it")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Host):
		v.add(at, v.named(at, withoutUser(is.ProxyURL))+" is not the URL of an HTTP proxy", "write for example http://proxy.example.net:3128")
	case u.User != nil:
		v.add(at, "has a user or password in it", "remove everything up to the @, and let the proxy know this host by its address")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || strings.Contains(is.ProxyURL, "#"):
		v.add(at, "has more than a host", "write for example http://proxy.example.net:3128")
	case slices.ContainsFunc(reached, isPlain):
		v.add(at, "keys or answers come by http, and whoever runs the proxy can replace them", "use https for the issuer, jwks_url and introspection.url, or remove the proxy")
	}
}

// reached are the URLs that are asked on behalf of the issuer.
func (is Issuer) reached(byFile bool) []string {
	var urls []string
	switch {
	case byFile || is.Tokens == TokensOpaque:
	case is.JWKSURL != "":
		urls = append(urls, is.JWKSURL)
	default:
		urls = append(urls, is.Issuer)
	}
	if is.Introspection != nil {
		urls = append(urls, is.Introspection.URL)
	}
	return urls
}

// isPlain reports whether a URL is asked without TLS.
func isPlain(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "http"
}

// isHost reports whether s is a host in ASCII with or without a port.
func isHost(s string) bool {
	u, err := url.Parse("https://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// withoutUser returns a URL, or what was meant to be one, without what may be a
// password.
func withoutUser(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "..." + s[at:]
	}
	return s
}
