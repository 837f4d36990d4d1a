package config

// ListenTLS is the server side of TLS.
type ListenTLS struct {
	CertFile     string              `yaml:"cert_file" required:"true" file:"true" doc:"PEM file with the certificate chain, leaf first. It is read again when it changes, like key_file and client_ca_file."`
	KeyFile      string              `yaml:"key_file" required:"true" file:"true" doc:"PEM file with the private key of the certificate."`
	MinVersion   string              `yaml:"min_version" default:"\"1.2\"" enum:"1.2|1.3" doc:"Lowest version of TLS. Of 1.2, only cipher suites with forward secrecy and authenticated encryption are taken."`
	ClientCAFile string              `yaml:"client_ca_file" file:"true" doc:"PEM file with the authorities that sign client certificates. Default: none is asked for; a client proves that it has the key of its certificate, and nobody says whose it is, which is enough for tokens that are bound to a certificate."`
	ClientAuth   string              `yaml:"client_auth" default:"none" enum:"none|request|require" doc:"Whether a client certificate is asked for. Request: a client may have none, and one that no authority signed is a finding of mtls.client, which blocks where that enforces. Require: without one there is no connection, in every mode and without a record; with client_ca_file one that none of the authorities signed ends the handshake, too. Tokens can be bound to the certificate, see docs/rationale.md."`
	Clients      []ClientCertificate `yaml:"clients" doc:"Whose a client certificate is. With any, mtls.client denies a certificate that is none of theirs, and one that comes with the credential of another client."`
}

// Certificate tells one client certificate from others, in whichever list it stands. At
// least one of its fields is given, and all that are given fit.
type Certificate struct {
	SAN        string `yaml:"san" doc:"One of its subject alternative names: dns:NAME, uri:URI, email:ADDRESS or ip:ADDRESS; spiffe://ID stands for uri:spiffe://ID. Names of dns have no letter case, and all others are compared byte for byte. At least one of san, subject and thumbprint; several must all fit."`
	Subject    string `yaml:"subject" doc:"Distinguished name as openssl x509 -noout -subject -nameopt RFC2253 prints it, compared byte for byte, for example CN=partner,O=Example."`
	Thumbprint string `yaml:"thumbprint" doc:"SHA-256 of the certificate in hexadecimal, as openssl x509 -noout -fingerprint -sha256 prints it. Without it, listen.tls.client_ca_file says whose word counts; with it, nobody needs to have signed the certificate."`
}

// ClientCertificate tells by which certificate a client connects.
type ClientCertificate struct {
	Certificate

	Client string `yaml:"client" doc:"Client whose credential may come with this certificate. Default: that of any client, as behind a gateway that connects for all."`
	Issuer string `yaml:"issuer" doc:"Issuer of that credential. Default: any."`
}

// BackendTLS is the client side of TLS towards the backend.
type BackendTLS struct {
	CAFile     string `yaml:"ca_file" file:"true" doc:"PEM file with the authorities that sign the certificate of the backend. Default: those of the system. It is read again when it changes, like cert_file and key_file."`
	CertFile   string `yaml:"cert_file" file:"true" doc:"PEM file with the client certificate to present."`
	KeyFile    string `yaml:"key_file" file:"true" doc:"PEM file with the private key of the client certificate."`
	ServerName string `yaml:"server_name" doc:"Name to verify in the certificate of the backend. Default: the host of backend.url."`
	MinVersion string `yaml:"min_version" default:"\"1.2\"" enum:"1.2|1.3" doc:"Lowest version of TLS towards the backend."`
}
