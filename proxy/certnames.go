package proxy

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"strings"
)

// namesOf returns the subject alternative names among the extensions of a certificate,
// with their kinds (RFC 5280 section 4.2.1.6). They are taken from the extension itself:
// an URI that was parsed and printed again may be another one. Nil where it can not be
// read. Names of dns have no letter case, and are in lower case.
func namesOf(extensions []pkix.Extension) []string {
	const email, dns, uri, ip = 1, 2, 6, 7
	var all []string
	for _, extension := range extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) > 0 {
			return nil
		}
		for _, n := range names {
			if n.Class != asn1.ClassContextSpecific {
				continue
			}
			switch n.Tag {
			case email:
				all = append(all, "email:"+string(n.Bytes))
			case dns:
				all = append(all, "dns:"+lowered(string(n.Bytes)))
			case uri:
				all = append(all, "uri:"+string(n.Bytes))
			case ip:
				if addr, ok := netip.AddrFromSlice(n.Bytes); ok {
					all = append(all, "ip:"+addr.Unmap().String())
				}
			}
		}
	}
	return all
}

// lowered folds the letters that names of dns have: no other letter becomes one of them.
func lowered(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
