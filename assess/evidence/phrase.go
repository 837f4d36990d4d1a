package evidence

import (
	"strings"
	"unicode"

	"github.com/sidewarden/sidewarden/policy"
)

// phrase is how plain words speak of one control: what is checked, and how a
// request that violates it is described.
type phrase struct{ what, violation string }

// phraseOf returns the words of a control. Where all violations have one reason
// that has words of its own, those say more than the control's.
func phraseOf(c policy.Control, reason policy.Reason) phrase {
	p := phraseOfControl(c)
	if v := violationOf(reason); v != "" {
		p.violation = v
	}
	return p
}

func phraseOfControl(c policy.Control) phrase {
	switch c {
	case policy.PathGateway:
		return phrase{"whether a request came through the gateway", "that did not come through the gateway"}
	case policy.MTLSClient:
		return phrase{"the client certificate", "without a client certificate that counts"}
	case policy.InFrame:
		return phrase{"how requests are framed", "whose end servers find in different places"}
	case policy.InPath:
		return phrase{"whether everybody reads the same path", "with a target that servers read differently"}
	case policy.InHdr:
		return phrase{"header fields", "with a header field that its sender may not send"}
	case policy.InRoute:
		return phrase{"whether the contract has the path", "for a path that the contract does not have"}
	case policy.InMethod:
		return phrase{"the method", "with a method that the path does not have"}
	case policy.AzScope:
		return phrase{"the scope", "without the scope that the operation needs"}
	case policy.AzAccount:
		return phrase{"the account", "with another customer's account"}
	case policy.AzDelegate:
		return phrase{"whether a partner may act for the account", "of a partner for an account that was not delegated to it"}
	case policy.AzDefault:
		return phrase{"whether anything authorises the caller", "that no authorisation rule decides about"}
	case policy.InCtype:
		return phrase{"the content type", "with a content type that the contract does not declare"}
	case policy.InSize:
		return phrase{"the size of requests", "with a body over the limit"}
	case policy.InWellformed:
		return phrase{"whether the body is well-formed", "with a malformed body"}
	case policy.InSchema:
		return phrase{"the contract's schema", "that do not match the contract's schema"}
	case policy.OutSize:
		return phrase{"the size of answers", "answered over the limit"}
	case policy.OutSchema:
		return phrase{"whether answers match the contract", "answered with what the contract does not declare"}
	case policy.RateApp:
		return phrase{"the limit per application", "over the limit per application"}
	case policy.RateCustomer:
		return phrase{"the limit per customer", "over the limit per customer"}
	case policy.RateQuota:
		return phrase{"the quota", "over the quota"}
	}
	if p, ok := phraseOfCredential(c); ok {
		return p
	}
	what := show(string(c))
	if entry, ok := policy.Lookup(c); ok {
		what += " (" + strings.ToLower(entry.Title) + ")"
	}
	return phrase{what, "that violate it"}
}

// violationOfGateway is violationOf for the reasons of path.gateway.
func violationOfGateway(r policy.Reason) string {
	switch r { //nolint:exhaustive // as below
	case policy.GatewayPeer:
		return "from outside of the gateway's networks"
	case policy.GatewayProofMissing:
		return "without the proof of the gateway"
	case policy.GatewayProofMismatch:
		return "with a wrong proof of the gateway"
	case policy.GatewayCertificateMissing, policy.GatewayCertificateMismatch, policy.GatewayCertificateUnverified:
		return "without a certificate of the gateway"
	case policy.GatewaySignatureMissing:
		return "without a signature of the gateway"
	case policy.GatewaySignatureMismatch:
		return "with a wrong signature of the gateway"
	case policy.GatewaySignatureStale:
		return "with an old signature of the gateway"
	}
	return ""
}

// violationOf returns the words of a reason that says more than its control; ""
// for all others.
func violationOf(r policy.Reason) string {
	if words := violationOfGateway(r); words != "" {
		return words
	}
	switch r { //nolint:exhaustive // for all other reasons the control's words are as good
	case policy.TargetTooLong:
		return "with a target over the limit"
	case policy.HostUnknown:
		return "for a host that is not ours"
	case policy.CredentialMissing:
		return "without a credential"
	case policy.TokenAlg:
		return "with a forbidden signature algorithm"
	case policy.TokenSignature:
		return "with a wrong signature"
	case policy.KeyUnknown:
		return "signed by an unknown key"
	case policy.APIKeyUnknown:
		return "with an unknown API key"
	case policy.APIKeyExpired:
		return "with an expired API key"
	case policy.APIKeyDisabled:
		return "with an API key that was taken back"
	case policy.AudienceMissing:
		return "with a token without an audience"
	case policy.ExpiryMissing:
		return "with a token that never expires"
	case policy.TokenExpired:
		return "with an expired token"
	case policy.TokenNotYetValid:
		return "with a token that is not valid yet"
	case policy.TokenIssuedInFuture:
		return "with a token from the future"
	case policy.AccountMissing:
		return "without an account"
	case policy.OperationNotDelegated:
		return "of a partner for an operation that was not delegated to it"
	case policy.DelegationExpired:
		return "of a partner under a delegation that has expired"
	case policy.UndeclaredProperty:
		return "with a property that the contract does not declare"
	case policy.ParameterMissing:
		return "without a required parameter"
	case policy.ParameterInvalid:
		return "with an invalid parameter"
	case policy.ParameterUndeclared:
		return "with a query parameter that the contract does not declare"
	case policy.ParameterEscape:
		return "with an escape in the query that cannot be decoded"
	case policy.BodyRequired:
		return "without the required body"
	case policy.JSONDuplicateMember:
		return "with a duplicate member in the body"
	case policy.HeaderTooLarge, policy.HeaderTooManyFields:
		return "with a head over the limit"
	case policy.ContentTypeMissing:
		return "without a content type"
	}
	return ""
}

// show makes a name safe for a terminal: contracts and backends choose names.
func show(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}

// phraseOfCredential has the controls that judge credentials.
func phraseOfCredential(c policy.Control) (phrase, bool) {
	var p phrase
	switch c {
	case policy.TokPresent:
		p = phrase{"whether there is a credential", "without a usable credential"}
	case policy.TokSig:
		p = phrase{"the token's signature", "with a token that does not prove itself"}
	case policy.TokIss:
		p = phrase{"the token's issuer", "with a token of an issuer that is not trusted"}
	case policy.TokTyp:
		p = phrase{"the token's type", "with a token of another type"}
	case policy.TokAud:
		p = phrase{"the token's audience", "with a token for another audience"}
	case policy.TokTime:
		p = phrase{"the token's time of validity", "with a token outside its time of validity"}
	case policy.TokTTL:
		p = phrase{"the token's lifetime", "with a token that lives too long"}
	case policy.TokBind:
		p = phrase{"who sends the token", "with a token that is bound to somebody else, or without the proof that it asks for"}
	case policy.TokRevoked:
		p = phrase{"whether a token was revoked", "with a token that its issuer takes back"}
	case policy.TokReplay:
		p = phrase{"whether a token may be used again", "with a token that was used before, or by another sender"}
	case policy.KeyValid:
		p = phrase{"the API key", "with an API key that does not count"}
	}
	return p, p != phrase{}
}
