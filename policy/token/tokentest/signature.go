package tokentest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// MessageSignature is one HTTP message signature (RFC 9421) to be made.
type MessageSignature struct {
	// Label is the key in both fields; "gateway" if it is empty.
	Label string
	// Key is that of hmac-sha256. Private, if it is given, signs with ed25519 in its place.
	Key     string
	Private ed25519.PrivateKey
	// Components are the names, without quotes, and the values that are signed.
	Components [][2]string
	// Params is what follows the list, such as ;created=1800000000.
	Params string
}

// Fields returns the values of Signature-Input and Signature.
func (s MessageSignature) Fields() (input, signature string) {
	names := make([]string, len(s.Components))
	var base strings.Builder
	for i, c := range s.Components {
		names[i] = `"` + c[0] + `"`
		base.WriteString(names[i] + ": " + c[1] + "\n")
	}
	params := "(" + strings.Join(names, " ") + ")" + s.Params
	base.WriteString(`"@signature-params": ` + params)
	label := s.Label
	if label == "" {
		label = "gateway"
	}
	return label + "=" + params, label + "=:" + base64.StdEncoding.EncodeToString(s.sum([]byte(base.String()))) + ":"
}

func (s MessageSignature) sum(base []byte) []byte {
	if s.Private != nil {
		return ed25519.Sign(s.Private, base)
	}
	mac := hmac.New(sha256.New, []byte(s.Key))
	mac.Write(base) // a hash never returns an error (package hash)
	return mac.Sum(nil)
}
