package token_test

import (
	"bytes"
	stdjson "encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// oracle reports whether one of the signers verifies the token by the JOSE
// library, which is given the key and the algorithm.
func oracle(sent string, signers []*tokentest.Signer) ([]byte, bool) {
	for _, s := range signers {
		algorithm := jwa.SignatureAlgorithm(s.Algorithm)
		if payload, err := jws.Verify([]byte(sent), jws.WithKey(algorithm, s.Public()), jws.WithCompact()); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// mutate changes a token: one byte, a cut, an insertion, or another header.
func mutate(sent string, how, b byte, at uint16) string {
	i := int(at) % len(sent)
	switch how % 8 {
	case 1:
		return sent[:i] + string([]byte{b}) + sent[i+1:]
	case 2:
		return sent[:i]
	case 3:
		return sent[:i] + string([]byte{b}) + sent[i:]
	case 4:
		return sent[:i] + sent[i+1:]
	case 5:
		_, rest, _ := strings.Cut(sent, ".")
		return tokentest.Encode([]byte(`{"alg":"`+token.Algorithms()[int(b)%10]+`","kid":"key-1"}`)) + "." + rest
	case 6:
		part := strings.SplitN(sent, ".", 3)
		return part[0] + "." + tokentest.Encode([]byte(`{"iss":"`+issuerName+`"}`)) + "." + part[2]
	case 7:
		return sent[i:] + sent[:i]
	}
	return sent
}

// FuzzToken: a proof never permits without a signature by a configured key that
// the JOSE library verifies too, and never changes with the cache.
func FuzzToken(f *testing.F) {
	var signers []*tokentest.Signer
	var keys []map[string]any
	for _, name := range token.Algorithms() {
		if name[0] == 'P' {
			continue // the RSA key has one pinned algorithm per id; PS is in TestEveryAlgorithm
		}
		s := tokentest.Shared(name, "key-"+strconv.Itoa(len(signers)))
		signers, keys = append(signers, s), append(keys, s.JWK())
	}
	w := newWorld(f, issuerWith(fileSet(f, issuerName, tokentest.KeySet(keys...), token.Algorithms()...), token.Algorithms()...))
	for i, s := range signers {
		f.Add("", uint8(i), uint8(0), uint8(0), uint16(0))
		f.Add(s.Token(claims(nil)), uint8(i), uint8(i), uint8('='), uint16(200*i))
		f.Add(s.Mint(tokentest.Spec{Claims: claims(nil), Fault: tokentest.HMACWithPEM, Header: map[string]any{"alg": "HS256"}}), uint8(i), uint8(5), uint8(i), uint16(3))
	}
	f.Add("..", uint8(0), uint8(0), uint8(0), uint16(0))
	f.Add(`{"payload":"","protected":"","signature":""}`, uint8(0), uint8(0), uint8(0), uint16(0))
	f.Fuzz(func(t *testing.T, raw string, which, how, b uint8, at uint16) {
		sent := raw
		if sent == "" {
			sent = mutate(signers[int(which)%len(signers)].Token(claims(nil)), how, b, at)
		}
		r := bearer(sent)
		first := w.authenticate(t, r)
		require.Equal(t, first.Proof, w.stage.Authenticate(t.Context(), r).Proof)
		if first.Proof.Effect != policy.Permit {
			require.NotEqual(t, policy.NotApplicable, first.Proof.Effect)
			require.NotEmpty(t, first.Proof.Reason)
			return
		}
		payload, ok := oracle(strings.TrimLeft(sent, " "), signers)
		require.True(t, ok, "proven without a valid signature: %s", sent)
		var said struct {
			Iss string `json:"iss"`
		}
		require.NoError(t, stdjson.Unmarshal(payload, &said))
		require.Equal(t, said.Iss, first.Identity.Issuer)
	})
}

// FuzzClaims: signed claims prove an identity only if they are one JSON object in
// valid UTF-8, and what is read of them is what another parser reads.
func FuzzClaims(f *testing.F) {
	s := tokentest.Shared("EdDSA", "ed-1")
	w := newWorld(f, issuerWith(fileSet(f, issuerName, tokentest.JWKS(s), "EdDSA"), "EdDSA"))
	full, err := stdjson.Marshal(claims(nil))
	require.NoError(f, err)
	f.Add(string(full))
	for _, seed := range []string{
		`{}`, `{"iss":"` + issuerName + `"}`, `{"iss":"` + issuerName + `","exp":1e3}`, `{"iss":"a","iss":"b"}`, `{"iss":"` + issuerName + `","aud":["a",1]}`,
		`{"iss":"` + issuerName + `","act":{"sub":"x"},"account_id":[1,"2"],"scope":"a b"}`, `{"\u0069ss":"` + issuerName + `"}`, "{\"iss\":\"\xff\"}", `[]`, `null`, `{"iss":"` + issuerName + `"} x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return // the helper mints an empty object then
		}
		r := bearer(s.Mint(tokentest.Spec{ClaimsJSON: text}))
		a := w.authenticate(t, r)
		if a.Proof.Effect != policy.Permit {
			return
		}
		require.True(t, utf8.ValidString(text))
		var object map[string]any
		d := stdjson.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		require.NoError(t, d.Decode(&object))
		_, err := d.Token()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, issuerName, object["iss"])
		require.Equal(t, object["iss"], a.Identity.Issuer)
		require.Equal(t, object["exp"], numberOf(a.Token.Expires))
		require.Equal(t, object["nbf"], numberOf(a.Token.NotBefore))
		for _, account := range a.Identity.Accounts {
			require.NotEmpty(t, account)
			require.True(t, strings.Contains(text, account) || strings.Contains(text, `\`), "an account that was not sent")
		}
	})
}

func numberOf(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return stdjson.Number(strconv.FormatInt(at.Unix(), 10))
}

// FuzzKeySet: whatever the document says, every usable key is strong, public, on
// its curve and of an allowed algorithm, ids are unique, and no key is lost
// uncounted.
func FuzzKeySet(f *testing.F) {
	allowed := []string{"RS256", "ES256", "ES512", "EdDSA"}
	f.Add(tokentest.JWKS(tokentest.RSA(), tokentest.EC(), tokentest.Shared("EdDSA", "ed-1"), tokentest.Shared("ES512", "ec-5")))
	f.Add(tokentest.KeySet(changed(tokentest.RSA(), map[string]any{"e": number(64, 3)}), changed(tokentest.RSA(), map[string]any{"alg": nil, "use": nil})))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"AKP"},{},null,1]}`))
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, skipped, err := token.ReadKeySet(document, allowed)
		if err != nil {
			require.Empty(t, keys)
			return
		}
		require.NotEmpty(t, keys)
		total := len(keys)
		for why, n := range skipped {
			require.Contains(t, token.SkipReasons(), why)
			total += n
		}
		require.LessOrEqual(t, total, 100)
		var listed struct {
			Keys []stdjson.RawMessage `json:"keys"`
		}
		if stdjson.NewDecoder(bytes.NewReader(document)).Decode(&listed) == nil && !bytes.ContainsAny(document, "K\\") && bytes.Count(document, []byte(`"keys"`)) == 1 {
			require.Len(t, listed.Keys, total)
		}
		ids := map[string]bool{}
		for _, k := range keys {
			require.Contains(t, allowed, k.Algorithm)
			require.False(t, k.ID != "" && ids[k.ID], "an id twice")
			ids[k.ID] = true
			switch {
			case k.RSA != nil:
				require.True(t, k.RSA.N.BitLen() >= 2048 && k.RSA.N.BitLen() <= 8192)
				require.True(t, k.RSA.E >= 3 && k.RSA.E%2 == 1 && k.RSA.E <= 1<<31-1)
			case k.EC != nil:
				_, err := k.EC.ECDH()
				require.NoError(t, err)
			default:
				require.Len(t, k.Ed, 32)
			}
		}
	})
}

// FuzzMetadata: whatever metadata says, a place for keys is one https URL on a
// configured host, of a document that another parser takes for that of the issuer.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(metadata(issuerName, keysAt)))
	f.Add([]byte(metadata(issuerName, "https://KEYS.example.net:443/keys?a=b")))
	f.Add([]byte(`{"\u0069ssuer":"` + issuerName + `","jwks_uri":"https:\/\/idp.example.net\/keys"}`))
	for _, place := range []string{
		"https://idp.example.net@evil.example/", "https://evil.example\\@idp.example.net/", "https://idp.example.net:443:80/", "//idp.example.net/",
		"https://[::ffff:127.0.0.1]/", "https://idp.example.net%2eevil.example/", "https://idp.example.net\u0000.evil.example/", "HTTPS://idp.example.net/", "https://idp.example.net:0443/",
	} {
		f.Add([]byte(metadata(issuerName, place)))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		where, result, err := token.KeySetPlace(issuerName, []string{"keys.example.net"}, document)
		require.Contains(t, token.RefreshResults(), result)
		require.Equal(t, result == token.RefreshOK, err == nil)
		if err != nil {
			require.Empty(t, where)
			return
		}
		said := map[string]any{} // a struct would take names in any case
		require.NoError(t, stdjson.Unmarshal(document, &said))
		require.Equal(t, issuerName, said["issuer"])
		require.Equal(t, where, said["jwks_uri"])
		r, err := http.NewRequest(http.MethodGet, where, nil)
		require.NoError(t, err)
		require.Equal(t, "https", r.URL.Scheme)
		require.Nil(t, r.URL.User)
		require.Contains(t, []string{"idp.example.net", "keys.example.net"}, strings.ToLower(r.URL.Hostname()))
		require.Contains(t, []string{"", "443"}, r.URL.Port())
	})
}
