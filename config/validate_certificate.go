package config

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
