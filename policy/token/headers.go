package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Bounds of what a gateway may assert, in bytes: one id, and one list of ids.
const (
	maxID     = 256
	maxIDList = 32 << 10
)

// HeaderOptions configure Headers. Names of headers that are empty are not read.
type HeaderOptions struct {
	// Gateway is what proves that the headers are the gateway's. It is required.
	Gateway *Gateway
	// Issuer is the fixed name of who asserts: the issuer of every identity.
	Issuer string
	// Client and Principal name headers with one id. Client is required.
	Client, Principal string
	// Accounts and Scopes name headers with a list.
	Accounts, Scopes string
}

// Headers is the stage that reads an identity from headers which the gateway sets.
// It is immutable and safe for concurrent use.
//
// The headers prove nothing by themselves: there is an identity exactly when the
// request proved that it came through the gateway, and the headers can be read in
// one way only. Each field occurs at most once, and in no other spelling with
// underscores, which many backends take for the same field; of two values, one was
// not set by the gateway. An id has 1 to 256 letters, digits and characters of
// !#$%&'*+-.^_`|~ (RFC 9110 section 5.6.2) or :/@=. A list has at most 32 KiB, ids
// between commas, with spaces or tabs around them; scopes may be separated by
// spaces alone too. Nothing is empty, and nothing is unescaped.
type Headers struct {
	gateway *Gateway
	issuer  string
	fields  []field
}

var _ policy.Authenticator = (*Headers)(nil)

// part is what one header says of an identity; its name is the detail of denials.
type part string

const (
	clientPart    part = "client"
	principalPart part = "principal"
	accountsPart  part = "accounts"
	scopesPart    part = "scopes"
)

type field struct {
	part part
	name string // canonical
}

// NewHeaders returns the stage. The error names the option.
func NewHeaders(o HeaderOptions) (*Headers, error) {
	if o.Gateway == nil {
		return nil, errors.New("token: identity headers without a proof of the gateway: anybody could set them")
	}
	if o.Client == "" {
		return nil, errors.New("token: the header with the client is not named")
	}
	h := &Headers{gateway: o.Gateway, issuer: o.Issuer}
	for _, f := range []field{{clientPart, o.Client}, {principalPart, o.Principal}, {accountsPart, o.Accounts}, {scopesPart, o.Scopes}} {
		if f.name == "" {
			continue
		}
		f.name = http.CanonicalHeaderKey(f.name)
		for _, other := range h.fields {
			if policy.SameVariable(f.name, other.name) {
				return nil, fmt.Errorf("token: one header is named for %s and for %s", other.part, f.part)
			}
		}
		h.fields = append(h.fields, f)
	}
	return h, nil
}

// Authenticate returns the identity that the gateway asserted. It reads r.Header
// and r.Peer, and there is no token. Without the proof of the gateway, what the
// headers say is only claimed.
func (h *Headers) Authenticate(ctx context.Context, r *policy.Request) policy.Authentication {
	if v := h.gateway.Check(ctx, r); v.Effect != policy.Permit {
		claimed, _, _ := h.read(r.Header)
		proof := policy.Verdict{Effect: policy.Indeterminate, Reason: v.Reason, Cause: policy.PathGateway}
		return policy.Authentication{Proof: proof, Claimed: claimed}
	}
	identity, reason, at := h.read(r.Header)
	if reason != "" {
		return unproven(nil, policy.Verdict{Effect: policy.Indeterminate, Reason: reason, Detail: string(at), Cause: policy.TokPresent})
	}
	return policy.Authentication{Proof: policy.Permitted(), Identity: identity}
}

// read returns the identity, or the reason of tok.present that there is none and
// the part that is to blame.
func (h *Headers) read(header http.Header) (*policy.Identity, policy.Reason, part) {
	present := false
	for _, f := range h.fields {
		if len(header[f.name]) > 1 || respelt(header, f.name) {
			return nil, policy.CredentialDuplicate, f.part
		}
		present = present || len(header[f.name]) == 1
	}
	switch {
	case !present:
		return nil, policy.CredentialMissing, ""
	case len(header[h.fields[0].name]) == 0:
		return nil, policy.CredentialMalformed, clientPart
	}
	identity := &policy.Identity{Issuer: h.issuer}
	for _, f := range h.fields {
		if values := header[f.name]; len(values) == 1 && !f.set(identity, values[0]) {
			return nil, policy.CredentialMalformed, f.part
		}
	}
	return identity, "", ""
}

// set reads one value into its part of the identity.
func (f field) set(to *policy.Identity, value string) (ok bool) {
	switch f.part {
	case clientPart:
		to.Client, ok = value, isID(value)
	case principalPart:
		to.Principal, ok = value, isID(value)
	case accountsPart:
		to.Accounts, ok = idsOf(value, false)
	case scopesPart:
		to.Scopes, ok = idsOf(value, true)
	}
	return ok
}

// idsOf splits a list. Words are ids that spaces separate within an element.
func idsOf(value string, words bool) ([]string, bool) {
	if len(value) > maxIDList {
		return nil, false
	}
	ids := make([]string, 0, strings.Count(value, ",")+1)
	for element := range strings.SplitSeq(value, ",") {
		element = textproto.TrimString(element)
		before := len(ids)
		if words {
			ids = append(ids, strings.FieldsFunc(element, func(r rune) bool { return r == ' ' || r == '\t' })...)
		} else {
			ids = append(ids, element)
		}
		if len(ids) == before {
			return nil, false
		}
		for _, id := range ids[before:] {
			if !isID(id) {
				return nil, false
			}
		}
	}
	return ids, true
}

// isID reports whether s is an id. A comma in it could be two fields that somebody
// joined (RFC 9110 section 5.3), a quote or a backslash is read in several ways.
func isID(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~:/@=", c) >= 0:
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxID
}

// respelt reports whether the header has a field in another spelling, such as
// X_Client_Id for X-Client-Id.
func respelt(header http.Header, name string) bool {
	for other := range header {
		if other != name && policy.SameVariable(other, name) {
			return true
		}
	}
	return false
}
