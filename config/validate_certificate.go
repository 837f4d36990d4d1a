package config

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// certificates checks where the certificate of a client comes from.
func (v *validator) certificates() {
	if t := v.c.Listen.TLS; t != nil {
		switch {
		case !v.given("listen.tls.client_ca_file"):
		case t.ClientCAFile == "":
			v.add("listen.tls.client_ca_file", "is empty", "name the file, or remove the line")
		case t.ClientAuth == ClientAuthNone:
			v.add("listen.tls.client_ca_file", "has no effect: no client certificate is asked for with client_auth "+ClientAuthNone,
				"add client_auth: "+ClientAuthRequest+" or "+ClientAuthRequire+", or remove it")
		}
	}
	v.clients()
	const at = "gateway.client_cert_header"
	header := v.c.Gateway.ClientCertHeader
	switch {
	case v.given(at) && header == "":
		v.add(at, "is empty", "name a header, for example Client-Cert, or remove the line")
	case header != "" && !v.given("gateway.proof"):
		v.add(at, "anybody could set it: nothing shows that it is the gateway's",
			"add to gateway: {proof: {header: X-Gateway-Proof, secret: \"${file:/run/secrets/gateway-proof}\"}}")
	}
	v.header(at, header)
}

// certificatesArrive reports whether anything tells the certificate of a client.
func (v *validator) certificatesArrive() bool {
	t := v.c.Listen.TLS
	return t != nil && t.ClientAuth != ClientAuthNone || v.c.Gateway.ClientCertHeader != ""
}

// clients checks whose client certificates are.
func (v *validator) clients() {
	t := v.c.Listen.TLS
	if t == nil || !v.given("listen.tls.clients") {
		return
	}
	switch {
	case len(t.Clients) == 0:
		v.add("listen.tls.clients", "is empty", "name a client, or remove the line")
	case t.ClientAuth == ClientAuthNone:
		v.add("listen.tls.clients", "has no effect: no client certificate is asked for with client_auth "+ClientAuthNone,
			"add client_auth: "+ClientAuthRequest+" or "+ClientAuthRequire+", or remove it")
	}
	for i, c := range t.Clients {
		path := fmt.Sprintf("listen.tls.clients[%d]", i)
		v.clientCertificate(path, c)
		same := func(o ClientCertificate) bool {
			return o.Name() == c.Name() && o.Subject == c.Subject && o.Digest() == c.Digest()
		}
		if before := slices.IndexFunc(t.Clients[:i], same); before >= 0 {
			v.add(path, fmt.Sprintf("is the certificate of listen.tls.clients[%d] too", before), "keep one, and leave out client if it may be that of several")
		}
	}
}

func (v *validator) clientCertificate(path string, c ClientCertificate) {
	if c.SAN == "" && c.Subject == "" && c.Thumbprint == "" {
		v.add(path, "names no certificate", "add san, subject or thumbprint")
	}
	kind, name, _ := strings.Cut(c.Name(), ":")
	if c.SAN != "" && (name == "" || !slices.Contains([]string{"dns", "uri", "email", "ip"}, kind)) {
		v.add(path+".san", v.named(path+".san", c.SAN)+" is not a name of a certificate", "write for example dns:partner.example.net, uri:urn:example:partner, email:ops@example.net or spiffe://example.net/partner")
	}
	if raw, err := hex.DecodeString(c.Digest()); c.Thumbprint != "" && (err != nil || len(raw) != 32) {
		v.add(path+".thumbprint", v.named(path+".thumbprint", c.Thumbprint)+" is not SHA-256 in hexadecimal", "write what openssl x509 -noout -fingerprint -sha256 -in client.pem prints behind the =")
	}
	if c.Thumbprint == "" && (c.SAN != "" || c.Subject != "") && v.c.Listen.TLS.ClientCAFile == "" {
		v.add(path, "anybody can make a certificate with this name: no authority says whose it is", "add listen.tls.client_ca_file, or a thumbprint")
	}
	if c.Issuer != "" && c.Client == "" {
		v.add(path+".issuer", "has no effect without client", "add client, or remove it")
	}
}

// versions checks which versions of HTTP are spoken.
func (v *validator) versions() {
	if v.c.Listen.H2C && v.c.Listen.TLS != nil {
		v.add("listen.h2c", "has no effect: the listener serves TLS, over which http2 offers HTTP/2", "remove it, or remove listen.tls")
	}
	if v.c.Backend.HTTP == HTTPTwoClear && !isPlain(v.c.Backend.URL) {
		v.add("backend.http", quote(HTTPTwoClear)+" is HTTP/2 without TLS, and the backend is https", "write "+HTTPAuto+", which is HTTP/2 where the backend offers it")
	}
}
