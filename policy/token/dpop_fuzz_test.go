package token_test

import (
	"context"
	"crypto/sha256"
	stdjson "encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// memory is a store in which every use is the first.
type memory struct{}

func (memory) Use(context.Context, time.Time, string, time.Time) (bool, error) { return true, nil }

// FuzzDPoPProof: tok.bind permits only what the JOSE library verifies by the key to
// which the token is bound, and whose claims, read by another parser, are those of
// the request.
func FuzzDPoPProof(f *testing.F) {
	var clients []*tokentest.Signer
	var tokens []string
	for _, name := range []string{"ES256", "EdDSA", "RS256", "PS256", "ES384", "ES512"} {
		s := tokentest.Shared(name, "")
		clients, tokens = append(clients, s), append(tokens, bound(s, nil))
	}
	w := newProving(f, clients[0], func(o *token.DPoP) { o.Used = memory{} })
	bind := token.NewBind(nil)
	for i := range clients {
		f.Add("", uint8(i), uint8(0), uint8(0), uint16(0))
		f.Add("", uint8(i), uint8(i+1), uint8('A'), uint16(50*i))
		f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC"}}`, uint8(i), uint8(8), uint8(0), uint16(0))
		f.Add(`{"jti":"x","htm":"POST","htu":"`+wholeURL+`","iat":1800000000}`, uint8(i), uint8(9), uint8(0), uint16(0))
		f.Add(`{"jti":"x","htm":"POST","htu":"https://API.example.net:443/base/orders/o%2f1?a#b","iat":1800000000,"ath":"`+athOf(tokens[i])+`"}`, uint8(i), uint8(9), uint8(0), uint16(0))
	}
	f.Add("..", uint8(0), uint8(0), uint8(0), uint16(0))
	f.Fuzz(func(t *testing.T, raw string, which, how, b uint8, at uint16) {
		i := int(which) % len(clients)
		client, held := clients[i], tokens[i]
		good := tokentest.Proof{Method: "POST", URL: wholeURL, Token: held, Time: epoch}
		sent := raw
		switch {
		case raw == "":
			sent = mutate(client.Proof(good), how, b, at)
		case how%16 == 8:
			good.HeaderJSON = raw
			sent = client.Proof(good)
		case how%16 == 9:
			good.ClaimsJSON = raw
			sent = client.Proof(good)
		}
		r := with(held, sent)
		r.Auth = w.authenticate(t, r)
		v := bind.Check(t.Context(), r)
		if v.Effect != policy.Permit {
			require.NotEqual(t, policy.NotApplicable, v.Effect)
			require.NotEmpty(t, v.Reason)
			require.Equal(t, v.Effect != policy.Permit, r.Auth.Sender().Key == "")
			return
		}
		require.Equal(t, client.Thumbprint(), r.Auth.Sender().Key)
		payload, ok := oracle(sent, []*tokentest.Signer{client})
		require.True(t, ok, "permitted without a signature by the bound key: %s", sent)
		var said struct {
			ID     string         `json:"jti"`
			Method string         `json:"htm"`
			URL    string         `json:"htu"`
			Token  string         `json:"ath"`
			Issued stdjson.Number `json:"iat"`
		}
		require.NoError(t, stdjson.Unmarshal(payload, &said))
		require.NotEmpty(t, said.ID)
		require.Equal(t, "POST", said.Method)
		require.Equal(t, athOf(held), said.Token)
		require.True(t, strings.HasPrefix(strings.ToLower(said.URL), "https://api.example.net"), said.URL)
		seconds, err := strconv.ParseInt(said.Issued.String(), 10, 64)
		require.NoError(t, err)
		require.LessOrEqual(t, seconds, epoch.Add(skew).Unix())
		require.GreaterOrEqual(t, seconds, epoch.Add(-maxAge).Unix())
	})
}

func BenchmarkProof(b *testing.B) {
	for _, name := range []string{"ES256", "EdDSA", "RS256"} {
		client := tokentest.Shared(name, "")
		w := newProving(b, client, func(o *token.DPoP) { o.Used = memory{} })
		bind := token.NewBind(nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := w.good(nil)
			for b.Loop() {
				r.Auth = w.stage.Authenticate(b.Context(), r)
				if bind.Check(b.Context(), r).Effect != policy.Permit {
					b.Fatal("refused")
				}
			}
		})
	}
}

// athOf is the claim ath of a proof for the token.
func athOf(t string) string {
	digest := sha256.Sum256([]byte(t))
	return tokentest.Encode(digest[:])
}
