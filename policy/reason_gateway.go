package policy

// Reasons of path.gateway by the client certificate of the peer.
const (
	// GatewayCertificateMissing: the peer has none, or the connection is not one of TLS.
	GatewayCertificateMissing Reason = "gateway-certificate-missing"
	// GatewayCertificateExpired: it is over, or does not count yet.
	GatewayCertificateExpired Reason = "gateway-certificate-expired"
	// GatewayCertificateUnverified: it has a name of the gateway, and no configured
	// authority says that the name is its own.
	GatewayCertificateUnverified Reason = "gateway-certificate-unverified"
	// GatewayCertificatePurpose: it is for something else than TLS clients.
	GatewayCertificatePurpose Reason = "gateway-certificate-purpose"
	// GatewayCertificateMismatch: it is somebody else's.
	GatewayCertificateMismatch Reason = "gateway-certificate-mismatch"
)

// Reasons of path.gateway by an HTTP message signature (RFC 9421).
const (
	// GatewaySignatureMissing: there is no signature of the gateway's label.
	GatewaySignatureMissing Reason = "gateway-signature-missing"
	// GatewaySignatureMalformed: the fields with the signature are no structured fields,
	// or say something that no signature of a gateway says.
	GatewaySignatureMalformed Reason = "gateway-signature-malformed"
	// GatewaySignatureComponents: it leaves out a component that it has to cover, or
	// covers one that the request does not have.
	GatewaySignatureComponents Reason = "gateway-signature-components"
	// GatewaySignatureAlgorithm: it names an algorithm that no key is for.
	GatewaySignatureAlgorithm Reason = "gateway-signature-algorithm"
	// GatewaySignatureStale: it is too old, or over by its own word.
	GatewaySignatureStale Reason = "gateway-signature-stale"
	// GatewaySignatureFuture: it was made later than now.
	GatewaySignatureFuture Reason = "gateway-signature-future"
	// GatewaySignatureMismatch: it is of none of the keys, or of another request.
	GatewaySignatureMismatch Reason = "gateway-signature-mismatch"
)
