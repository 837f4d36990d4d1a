package policy

// Reasons of mtls.client.
const (
	// ClientCertificateMissing: the peer has shown no certificate, or there is no TLS.
	ClientCertificateMissing Reason = "client-certificate-missing"
	// ClientCertificateUntrusted: none of the authorities signed it, and no thumbprint names it.
	ClientCertificateUntrusted Reason = "client-certificate-untrusted"
	// ClientCertificateExpired: it, or one up to the authority, is over or not valid yet.
	ClientCertificateExpired Reason = "client-certificate-expired"
	// ClientCertificatePurpose: it is for something else than TLS clients.
	ClientCertificatePurpose Reason = "client-certificate-purpose"
	// ClientCertificateUnmapped: clients are configured, and it is none of theirs.
	ClientCertificateUnmapped Reason = "client-certificate-unmapped"
	// ClientCertificateMismatch: it is that of another client than the credential's.
	ClientCertificateMismatch Reason = "client-certificate-mismatch"
)
