package token

import (
	"encoding/base64"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// thumbprintText is the length of a SHA-256 digest in base64url.
const thumbprintText = 43

// readConfirmation reads the claim cnf (RFC 7800 section 3.1). A claim that is no
// object, or an empty one, or has a thumbprint that cannot be one, is refused: a
// token that was meant to be bound must not be taken for a bearer token.
func readConfirmation(v jsontext.Value) (c policy.Confirmation, ok bool) {
	if v == nil {
		return policy.Confirmation{}, true
	}
	if v.Kind() != '{' {
		return policy.Confirmation{}, false
	}
	members, err := readObject(v)
	if err != nil {
		return policy.Confirmation{}, false
	}
	for _, m := range members {
		switch string(m.name) {
		case "jkt": // RFC 9449 section 6.1
			if c.Key, ok = readThumbprint(m.value); !ok {
				return policy.Confirmation{}, false
			}
		case "x5t#S256": // RFC 8705 section 3.1
			if c.Certificate, ok = readThumbprint(m.value); !ok {
				return policy.Confirmation{}, false
			}
		default:
			c.Other = true
		}
	}
	return c, c.Bound()
}

// readThumbprint returns a SHA-256 thumbprint in its only spelling, so that it can be
// compared as a string.
func readThumbprint(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	text := unquote(v)
	if len(text) != thumbprintText {
		return "", false
	}
	digest, ok := exactly(text)
	return text, ok && len(digest) == 32
}

// exactly decodes base64url without padding in the one spelling that encoding it
// again gives: no line breaks, no other unused bits.
func exactly(text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text {
		return nil, false
	}
	return b, true
}
