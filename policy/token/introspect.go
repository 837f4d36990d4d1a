package token

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxAnswer bounds an answer in bytes.
const maxAnswer = 64 << 10

// exchange asks the issuer about a token (RFC 7662 section 2.1) and returns its
// answer. Of an error the result says what went wrong.
func (e *endpoint) exchange(ctx context.Context, t string) ([]byte, IntrospectionResult, error) {
	form := url.Values{"token": {t}, "token_type_hint": {"access_token"}}
	if e.options.Auth == ClientSecretPost {
		form.Set("client_id", e.options.ClientID)
		form.Set("client_secret", e.options.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.options.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, IntrospectionUnreachable, errors.New("the URL cannot be requested")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if e.options.Auth == ClientSecretBasic {
		// RFC 6749 section 2.3.1: both are encoded as in a form first.
		r.SetBasicAuth(url.QueryEscape(e.options.ClientID), url.QueryEscape(e.options.ClientSecret))
	}
	document, result, err := send(e.client, r, maxAnswer)
	if err != nil {
		return nil, resultOf(result, err), err
	}
	return document, IntrospectionActive, nil
}

// resultOf returns the result of an exchange that brought no answer.
func resultOf(result RefreshResult, err error) IntrospectionResult {
	switch result { //nolint:exhaustive // every other one is an answer of a status, or none
	case RefreshRedirect:
		return IntrospectionRedirect
	case RefreshTimeout:
		return IntrospectionTimeout
	case RefreshTooLarge:
		return IntrospectionTooLarge
	}
	status, ok := errors.AsType[errStatus](err)
	switch {
	case !ok:
		return IntrospectionUnreachable
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return IntrospectionUnauthorized
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return IntrospectionStatus
	}
	return IntrospectionRefused
}

// readActivity reads whether a token is active (RFC 7662 section 2.2) and returns the
// members of the answer. Without an error the result is IntrospectionActive,
// IntrospectionInactive, or IntrospectionForeign when the answer is about a token of
// another issuer than the one that was asked.
func readActivity(document []byte, issuer string) ([]member, IntrospectionResult, error) {
	members, err := readObject(document)
	if err != nil {
		return nil, IntrospectionMalformed, errors.New("the answer is not one JSON object") // err may quote it
	}
	switch find(members, "active").Kind() { //nolint:exhaustive // every other kind is no answer
	case 'f':
		return nil, IntrospectionInactive, nil
	case 't':
	default:
		return nil, IntrospectionMalformed, errors.New("the answer does not tell whether the token is active")
	}
	switch iss := find(members, "iss"); {
	case iss == nil:
	case iss.Kind() != '"':
		return nil, IntrospectionMalformed, errors.New("claim /iss of the answer cannot be read")
	case unquote(iss) != issuer:
		return nil, IntrospectionForeign, nil
	}
	return members, IntrospectionActive, nil
}

// readFacts reads the facts of a token from the answer of its issuer. They are read
// as claims of a JWT are; a claim of a wrong type is an error, because what is wrong
// is the answer and not the token.
func readFacts(members []member, m mapping, issuer, t string) (*policy.Token, error) {
	facts := &policy.Token{Introspected: true, Handle: !isJWT(t), Fingerprint: sha256.Sum256([]byte(t))}
	if v := readClaims(members, m, facts); v.Effect != policy.Permit {
		return nil, fmt.Errorf("claim %s of the answer cannot be read", v.Detail)
	}
	if kind := find(members, "token_type"); kind != nil {
		if kind.Kind() != '"' {
			return nil, errors.New("claim /token_type of the answer cannot be read")
		}
		facts.TokenType = unquote(kind)
	}
	if strings.EqualFold(facts.TokenType, "DPoP") && facts.Confirmation.Key == "" {
		// RFC 9449 section 6.2: the answer about a bound token tells its key. Without it,
		// what the token is bound to is not known, and that is not nothing.
		facts.Confirmation.Other = true
	}
	facts.Claimed.Issuer = issuer
	return facts, nil
}

// isBearerToken reports whether t has the form of a bearer token: b64token of RFC
// 6750 section 2.1.
func isBearerToken(t string) bool {
	body := strings.TrimRight(t, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return body != ""
}

// isJWT reports whether t has the form of a JWT: three segments of base64url, of which
// the first one holds an object. Whether it is a good one is for others to say.
func isJWT(t string) bool {
	first, _, ok := dots(t)
	if !ok {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(t[:first])
	header = bytes.Trim(header, " \t\r\n")
	return err == nil && bytes.HasPrefix(header, []byte("{")) && bytes.HasSuffix(header, []byte("}"))
}
