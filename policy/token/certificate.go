package token

import (
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxCertificate bounds the field with a certificate, in bytes.
const maxCertificate = 8 << 10

// What is wrong with the field in which a gateway passes a certificate on.
const (
	// CertificateDuplicate: it occurs twice, or in another spelling.
	CertificateDuplicate = "client-cert-duplicate"
	// CertificateMalformed: it is no byte sequence of one DER structure, or too long.
	CertificateMalformed = "client-cert-malformed"
)

// CertificateOptions say how a gateway that ends the TLS connections of clients passes
// on which certificate a client has.
type CertificateOptions struct {
	// Gateway is what proves that the header is the gateway's. It is required.
	Gateway *Gateway
	// Header is the request header with the certificate, in the form of RFC 9440
	// section 2.2, which calls it Client-Cert. It is required.
	Header string
}

// Certificates finds the certificate of who sends a request. It is immutable and safe
// for concurrent use. A nil one knows the certificate of the TLS connection alone.
//
// Rule: of a request that proves to have come through the gateway, the header says
// which certificate counts; the connection is the gateway's own then, and so is its
// certificate, which never counts as the client's. The header is the gateway's only if
// it replaces what its clients send under that name. Of any other request the header
// says nothing, and the certificate of its TLS connection counts, whose key the peer
// has.
//
// Nobody verifies here who signed a certificate: a token is bound to its exact bytes
// (RFC 8705 section 3.1).
type Certificates struct {
	gateway *Gateway
	header  string // canonical
	b64     *base64.Encoding
}

// NewCertificates returns what reads certificates from a gateway. The error names the
// option.
func NewCertificates(o CertificateOptions) (*Certificates, error) {
	switch {
	case o.Gateway == nil:
		return nil, errors.New("token: certificates in a header without a proof of the gateway: anybody could set it")
	case o.Header == "":
		return nil, errors.New("token: the header with the certificate is not named")
	}
	return &Certificates{
		gateway: o.Gateway, header: http.CanonicalHeaderKey(o.Header), b64: base64.StdEncoding.Strict(),
	}, nil
}

// Thumbprint returns x5t#S256 of the sender's certificate: SHA-256 of its DER form in
// base64url (RFC 8705 section 3.1). It is empty without one, and without one that can
// be read in one way only; fault then says what is wrong with the header.
func (c *Certificates) Thumbprint(ctx context.Context, r *policy.Request) (thumbprint, fault string) {
	der := r.Peer.Certificate
	if c != nil && c.gateway.Check(ctx, r).Effect == policy.Permit {
		der, fault = c.read(r.Header)
	}
	if len(der) == 0 {
		return "", fault
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), ""
}

// read returns the certificate in the header; nil without one, and with a fault.
func (c *Certificates) read(header http.Header) (der []byte, fault string) {
	values := header[c.header]
	switch {
	case len(values) > 1 || respelt(header, c.header):
		return nil, CertificateDuplicate
	case len(values) == 0:
		return nil, ""
	}
	if der = c.parse(values[0]); der == nil {
		return nil, CertificateMalformed
	}
	return der, ""
}

// parse reads a byte sequence (RFC 8941 section 3.3.5) of one DER structure, without
// parameters, which RFC 9440 does not have; nil if it is none. The encoding is the only
// one of its bytes: padded, and without left-over bits.
func (c *Certificates) parse(value string) []byte {
	if len(value) < 2 || len(value) > maxCertificate || value[0] != ':' || value[len(value)-1] != ':' {
		return nil
	}
	text := value[1 : len(value)-1]
	if strings.ContainsAny(text, "\r\n") { // the decoder passes over them
		return nil
	}
	der, err := c.b64.DecodeString(text)
	if err != nil {
		return nil
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence || !outer.IsCompound {
		return nil
	}
	return der
}

// certify adds the certificate of who sends a token that proved itself, as far as
// somebody asks: the token is bound to one, or senders are compared.
func (a *Authenticator) certify(ctx context.Context, r *policy.Request, auth *policy.Authentication) {
	if auth.Identity != nil && (auth.Token.Confirmation.Certificate != "" || a.everySender) {
		if auth.SentBy == nil {
			auth.SentBy = &policy.Sender{Proof: policy.Inapplicable()}
		}
		auth.SentBy.Certificate, auth.SentBy.CertificateFault = a.certificates.Thumbprint(ctx, r)
	}
}
