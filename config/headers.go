package config

import (
	"fmt"
	"strings"
)

// Headers says which header fields clients may send. Control in.hdr judges them.
type Headers struct {
	Reserved []string `yaml:"reserved" doc:"Fields that the gateway alone may send, for example X-User-Id: on requests with the proof of gateway.proof they pass, and from everybody else, or where nothing proves the gateway, they are violations of in.hdr. In every spelling of dashes, underscores and case."`
	Pass     []string `yaml:"pass" doc:"Fields that clients may send although in.hdr takes them away: of those by which frameworks serve another path or method, such as X-HTTP-Method-Override, and of those in which proxies tell of their clients, such as X-Real-IP. In this spelling of dashes and underscores alone. Nobody judges what a field of the first kind asks for."`
}

// headers finds names under headers that are none, or are there twice.
func (v *validator) headers() {
	seen := map[string]string{}
	for _, list := range []struct {
		path  string
		names []string
	}{{"headers.reserved", v.c.Headers.Reserved}, {"headers.pass", v.c.Headers.Pass}} {
		for i, name := range list.names {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			v.header(path, name)
			key := strings.ToLower(name)
			if first, again := seen[key]; again {
				v.add(path, v.named(path, name)+" is "+first+" too", "keep one of the two")
			}
			seen[key] = path
		}
	}
}
