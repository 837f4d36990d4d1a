package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// metadataOf checks an issuer that is asked where its key set is.
func (v *validator) metadataOf(path string, is Issuer) {
	const way = "add jwks_url or jwks_file, or correct it; it has to be what its tokens have as iss, for example https://idp.example.net"
	if is.Issuer != "" { // it is required, which is told
		at := path + ".issuer"
		faults := urlRule{what: "an https URL", danger: "whoever is on the way can replace the keys"}.faults(v.named(at, withoutUser(is.Issuer)), is.Issuer)
		for i := range faults {
			faults[i] = fault{faults[i].cause + ", and neither jwks_url nor jwks_file is given", way}
		}
		v.addAll(at, faults)
	}
	v.discoveryHosts(path, is)
}

// discoveryHosts checks the hosts on which the metadata of an issuer may say that the
// key set is. One that no URL can have would look as if it were permitted.
func (v *validator) discoveryHosts(path string, is Issuer) {
	var issuer string
	if u, err := url.Parse(is.Issuer); err == nil {
		issuer = authority(u.Host)
	}
	var before []string
	for i, host := range is.DiscoveryHosts {
		at := fmt.Sprintf("%s.discovery_hosts[%d]", path, i)
		named := v.named(at, withoutUser(host))
		var faults []fault
		u, err := url.Parse("https://" + host)
		if err != nil || u.Host != host || !isHostname(u.Hostname()) {
			faults = append(faults, fault{named + " is not a host, or host and port", "write for example keys.example.net or keys.example.net:8443; each is named as a whole"})
		}
		if err == nil && u.Host == host {
			faults = append(faults, portFaults(u)...)
		}
		switch name := authority(host); {
		case name == issuer:
			faults = append(faults, fault{named + " is the host of the issuer, which needs no permission", "remove it"})
		case slices.Contains(before, name):
			faults = append(faults, fault{named + " is given twice", "remove one"})
		}
		before = append(before, authority(host))
		v.addAll(at, faults)
	}
}

// authority returns a host and its port, which is 443 unless it says another, in one
// form.
func authority(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ":443")
}

// proxy checks the proxy on the way to an issuer.
func (v *validator) proxy(path string, is Issuer, byFile bool) {
	at := path + ".proxy_url"
	reached := is.reached(byFile)
	if len(reached) == 0 {
		v.add(at, "has no effect with jwks_file", "remove it")
		return
	}
	const example = "http://proxy.example.net:3128"
	faults := urlRule{what: "the URL of an HTTP proxy", example: example, path: func(u *url.URL) []fault {
		if u.Path == "" || u.Path == "/" {
			return nil
		}
		return []fault{{"has a path", "write for example " + example}}
	}}.faults(v.named(at, withoutUser(is.ProxyURL)), is.ProxyURL)
	if slices.ContainsFunc(reached, isPlain) {
		faults = append(faults, fault{"keys or answers come by http, and whoever runs the proxy can replace them", "use https for the issuer, jwks_url and introspection.url, or remove the proxy"})
	}
	v.addAll(at, faults)
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
