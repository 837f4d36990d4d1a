package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestRecordTellsHowBothHopsAreSecured(t *testing.T) {
	t.Parallel()
	until := start.Add(time.Hour)
	own := &policy.Certificate{
		Thumbprint: strings.Repeat("ab", 32), Subject: "CN=planted", Names: []string{"dns:planted"},
		Trust: policy.TrustVerified, ForClients: true, From: start.Add(-time.Hour), Until: until,
	}
	of := func(peer, backend *policy.TLS) *audit.Record {
		s := scenario{r: &policy.Request{Time: start, Peer: policy.Peer{TLS: peer}, Response: &policy.Response{TLS: backend}}}
		return record(t, s)
	}
	pseudonym := pseudonyms(t).Of(audit.TypeCertificate, own.Thumbprint)
	rec := of(&policy.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Certificate: own}, &policy.TLS{Fault: policy.FaultName})
	assert.Equal(t, &audit.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Certificate: pseudonym, State: "verified", Expires: until.UTC()}, rec.Client.TLS)
	assert.Equal(t, &audit.TLS{State: "name"}, rec.Be.TLS)
	assert.NotContains(t, string(line(t, rec)), "planted", "a record names nobody")
	assert.NotContains(t, string(line(t, rec)), own.Thumbprint)

	rec = of(nil, &policy.TLS{Version: "TLS 1.2", Cipher: "x", Certificate: &policy.Certificate{Trust: policy.TrustVerified, Until: until}})
	assert.Nil(t, rec.Client.TLS, "a plain connection")
	assert.Equal(t, &audit.TLS{Version: "TLS 1.2", Cipher: "x", State: "verified", Expires: until.UTC()}, rec.Be.TLS)
	rec = of(&policy.TLS{Version: "TLS 1.3"}, nil)
	assert.Equal(t, &audit.TLS{Version: "TLS 1.3"}, rec.Client.TLS, "no certificate")
	assert.Nil(t, rec.Be.TLS)
}

// The authentication is about the credential: a good token on a connection without a
// certificate is no failed one, and no token is none.
func TestAuthenticationIsNotAboutTheConnection(t *testing.T) {
	t.Parallel()
	denied := finding(policy.MTLSClient, policy.Shadow, policy.Denied(policy.ClientCertificateMissing, ""))
	s := scenarios()["clean-allowed"]
	s.d.Findings = append([]policy.Finding{denied}, s.d.Findings...)
	assert.Equal(t, audit.Auth{Outcome: audit.AuthSuccess, Reason: audit.TokenValid}, record(t, s).Auth)
	s = scenarios()["missing-token"]
	s.d.Findings = append([]policy.Finding{denied}, s.d.Findings...)
	assert.Equal(t, audit.Auth{Outcome: audit.AuthNone, Reason: policy.CredentialMissing}, record(t, s).Auth)
}
