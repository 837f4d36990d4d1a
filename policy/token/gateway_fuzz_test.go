package token_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// FuzzGatewaySignature: whatever the fields say, a request is permitted only with a
// signature by a key of the gateway of this very request; and a good signature stays
// good beside any dictionary of others.
func FuzzGatewaySignature(f *testing.F) {
	input, signature := ofOrder().Fields()
	f.Add(input, signature, "/v1/orders/o%2f1")
	f.Add(input+`, a=(1 "x";y);z`, signature+", a=:AA==:", "/v1/orders/o%2f1")
	f.Add(strings.Replace(input, `"@path"`, `"@path";req`, 1), signature, "/")
	f.Add(`gateway=("@method" "@authority" "@path" "@query");created=1800000000;alg="hmac-sha256"`, "gateway=::", "/v1")
	f.Add(`a=?1;b=*c/d:e, f=-1.5, g=:AA==:, h="\\\""`, "", "")
	check := bySignature(f)
	line := regexp.MustCompile(`(?m)^"([^"]+)": (.*)$`)
	f.Fuzz(func(t *testing.T, input, signature, path string) {
		r := order()
		r.Path, r.Header["Signature-Input"], r.Header["Signature"] = path, []string{input}, []string{signature}
		v := check.Check(t.Context(), r)
		require.Contains(t, []policy.Effect{policy.Permit, policy.Deny}, v.Effect)
		if v.Effect == policy.Permit {
			// Another signer, over lines read back from the base, has to come to the same.
			base := token.SignatureBase("gateway", r)
			var again tokentest.MessageSignature
			for _, m := range line.FindAllStringSubmatch(base, -1) {
				if m[1] == "@signature-params" {
					_, again.Params, _ = strings.Cut(m[2], ")")
					continue
				}
				again.Components = append(again.Components, [2]string{m[1], m[2]})
			}
			require.Equal(t, "POST", valueOf(again, "@method"))
			require.Equal(t, path, valueOf(again, "@path"))
			require.True(t, signedByOneOf(again, signature), "permitted without a signature of the gateway: %q", base)
		}
		has, ok := token.IsDictionary([]string{input}, "gateway")
		if ok && !has && len(input) < 4<<10 {
			good := signedBy(order(), ofOrder())
			good.Header["Signature-Input"] = append(good.Header["Signature-Input"], input)
			if _, fits := token.IsDictionary(good.Header["Signature-Input"], "x"); fits {
				require.Equal(t, policy.Permitted(), check.Check(t.Context(), good))
			}
		}
	})
}

func signedByOneOf(s tokentest.MessageSignature, field string) bool {
	for _, key := range []string{signatureKey, nextSignatureKey, ""} {
		if s.Key = key; key == "" {
			s.Private = privateKey()
		}
		_, made := s.Fields()
		if bytes := strings.Trim(strings.TrimPrefix(made, "gateway="), ":"); strings.Contains(field, bytes) {
			_, err := base64.StdEncoding.DecodeString(bytes)
			return err == nil
		}
	}
	return false
}

// FuzzCertificateName: a name that is read is read again as itself, and so fits no
// certificate that it would not have fitted as it was written.
func FuzzCertificateName(f *testing.F) {
	for _, text := range []string{"dns:A.example.net", "spiffe://a/b", "uri:spiffe://a/B", "ip:::ffff:192.0.2.1", "email:Ops@example.net", strings.Repeat("AB:", 31) + "AB", "AB:C"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if san, err := token.ParseSAN(text); err == nil {
			again, err := token.ParseSAN(san)
			require.NoError(t, err)
			require.Equal(t, san, again)
			kind, _, _ := strings.Cut(san, ":")
			require.Contains(t, token.SANTypes(), kind)
		}
		if sum, err := token.ParseThumbprint(text); err == nil {
			require.Len(t, sum, 64)
			require.Equal(t, strings.ToLower(strings.ReplaceAll(text, ":", "")), sum)
		}
	})
}

func valueOf(s tokentest.MessageSignature, name string) string {
	for _, c := range s.Components {
		if c[0] == name {
			return c[1]
		}
	}
	return ""
}
