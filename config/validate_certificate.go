package config

import "fmt"

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
	names := make([]Certificate, len(t.Clients))
	for i, c := range t.Clients {
		names[i] = c.Certificate
		if c.Issuer != "" && c.Client == "" {
			v.add(fmt.Sprintf("listen.tls.clients[%d].issuer", i), "has no effect without client", "add client, or remove it")
		}
	}
	v.certificateNames("listen.tls.clients", names)
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
