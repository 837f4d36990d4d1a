package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// BenchmarkAuthenticate measures the stage beside the signature algorithm alone.
func BenchmarkAuthenticate(b *testing.B) {
	document := tokentest.JWKS(tokentest.RSA(), tokentest.EC())
	issuers := []token.Issuer{issuerWith(fileSet(b, issuerName, document, "RS256", "ES256"), "RS256", "ES256")}
	for _, row := range []struct {
		name, token string
		cache       int64
		want        policy.Effect
	}{
		{"cached", tokentest.RSA().Token(claims(nil)), 0, policy.Permit},
		{"RS256", tokentest.RSA().Token(claims(nil)), -1, policy.Permit},
		{"ES256", tokentest.EC().Token(claims(nil)), -1, policy.Permit},
		{"malformed", tokentest.RSA().Token(claims(nil)) + "=", 0, policy.Deny},
	} {
		stage, err := token.NewAuthenticator(token.Options{Scheme: "Bearer", Issuers: issuers, CacheBytes: row.cache})
		require.NoError(b, err)
		r := bearer(row.token)
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				if stage.Authenticate(ctx, r).Proof.Effect != row.want {
					b.Fatal("wrong verdict")
				}
			}
		})
	}
	b.Run("introspected", func(b *testing.B) {
		d := newDesk()
		d.say("idp.example.net", "opaque-1", opaque(epoch, nil))
		stage, r := askingWorld(b, opaqueIssuer(d)).stage, bearer("opaque-1")
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			if stage.Authenticate(ctx, r).Proof.Effect != policy.Permit {
				b.Fatal("not proven")
			}
		}
	})
	b.Run("crypto-rsa", func(b *testing.B) {
		input, sig := signed(b, tokentest.RSA().Token(claims(nil)))
		public, ok := tokentest.RSA().Public().(*rsa.PublicKey)
		require.True(b, ok)
		for b.Loop() {
			digest := sha256.Sum256([]byte(input))
			if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("crypto-ecdsa", func(b *testing.B) {
		input, sig := signed(b, tokentest.EC().Token(claims(nil)))
		public, ok := tokentest.EC().Public().(*ecdsa.PublicKey)
		require.True(b, ok)
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		for b.Loop() {
			digest := sha256.Sum256([]byte(input))
			if !ecdsa.Verify(public, digest[:], r, s) {
				b.Fatal("refused")
			}
		}
	})
}

func signed(b *testing.B, sent string) (string, []byte) {
	b.Helper()
	dot := strings.LastIndexByte(sent, '.')
	sig, err := base64.RawURLEncoding.DecodeString(sent[dot+1:])
	require.NoError(b, err)
	return sent[:dot], sig
}
