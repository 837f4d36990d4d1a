package demo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	audience = "https://api.naas.example"
	// tokenLife is well under token.max_lifetime of the configuration. One client
	// has a longer one.
	tokenLife = 30 * time.Minute
	rsaBits   = 2048
)

// signer is one key of the issuer.
type signer struct {
	kid, alg string
	key      crypto.Signer
}

func newSigners() ([]signer, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an ES256 key: %w", err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("make an RS256 key: %w", err)
	}
	return []signer{{kid: "es-1", alg: "ES256", key: ec}, {kid: "rs-1", alg: "RS256", key: rs}}, nil
}

// sign returns the JWS signature of the input (RFC 7518 sections 3.3 and 3.4).
func (s signer) sign(input string) ([]byte, error) {
	digest := sha256.Sum256([]byte(input))
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		r, v, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		const size = 32
		signature := make([]byte, 2*size)
		r.FillBytes(signature[:size])
		v.FillBytes(signature[size:])
		return signature, nil
	}
	return s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// jwk returns the public key as a member of a key set (RFC 7517).
func (s signer) jwk() (map[string]string, error) {
	jwk := map[string]string{"kid": s.kid, "alg": s.alg, "use": "sig"}
	switch key := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil {
			return nil, fmt.Errorf("encode key %s: %w", s.kid, err)
		}
		half := (len(point) - 1) / 2
		jwk["kty"], jwk["crv"] = "EC", "P-256"
		jwk["x"], jwk["y"] = encode(point[1:1+half]), encode(point[1+half:])
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"], jwk["e"] = encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
	}
	return jwk, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims are those of an access token (RFC 9068).
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Client    string   `json:"client_id"`
	Audience  string   `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf,omitempty"`
	ID        string   `json:"jti"`
	Scope     string   `json:"scope"`
	Accounts  []string `json:"account_id"`
}

// issuer hands out tokens for client credentials and publishes its keys.
type issuer struct {
	url     string // set before it serves
	signers []signer
	parties []*party
	keySet  []byte

	once  sync.Once
	asked chan struct{} // closed when somebody fetched the key set
}

func newIssuer(parties []*party) (*issuer, error) {
	signers, err := newSigners()
	if err != nil {
		return nil, err
	}
	var keys []map[string]string
	for _, s := range signers {
		jwk, err := s.jwk()
		if err != nil {
			return nil, err
		}
		keys = append(keys, jwk)
	}
	set, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		return nil, fmt.Errorf("write the key set: %w", err)
	}
	return &issuer{signers: signers, parties: parties, keySet: set, asked: make(chan struct{})}, nil
}

// claimsOf returns the claims of a token that a party gets at a time.
func (is *issuer) claimsOf(p *party, at time.Time) claims {
	return claims{
		Issuer: is.url, Subject: p.principal, Client: p.client, Audience: audience,
		IssuedAt: at.Unix(), Expires: at.Add(p.life).Unix(), ID: rand.Text(),
		Scope: scopes, Accounts: p.accounts,
	}
}

// token signs claims with the party's key.
func (is *issuer) token(p *party, c claims) (string, error) {
	s := is.signers[p.key]
	header, err := json.Marshal(map[string]string{"alg": s.alg, "typ": "at+jwt", "kid": s.kid})
	if err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	input := encode(header) + "." + encode(payload)
	signature, err := s.sign(input)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return input + "." + encode(signature), nil
}

func (is *issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		if _, err := w.Write(is.keySet); err == nil {
			is.once.Do(func() { close(is.asked) })
		}
	})
	mux.HandleFunc("POST /token", is.grant)
	return mux
}

// grant is the token endpoint (RFC 6749 section 4.4).
func (is *issuer) grant(w http.ResponseWriter, r *http.Request) {
	client, secret, _ := r.BasicAuth()
	i := slices.IndexFunc(is.parties, func(p *party) bool { return p.client == client })
	if i < 0 || subtle.ConstantTimeCompare([]byte(is.parties[i].secret), []byte(secret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.PostFormValue("grant_type") != "client_credentials" {
		answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	signed, err := is.token(is.parties[i], is.claimsOf(is.parties[i], time.Now()))
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "server_error"})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, map[string]any{
		"access_token": signed, "token_type": "Bearer", "expires_in": int(is.parties[i].life.Seconds()), "scope": scopes,
	})
}

// verify reads a token whose signature is by one of the keys, with the key's
// own algorithm.
func (is *issuer) verify(token string) (claims, bool) {
	input, signature64, ok := cutLast(token, ".")
	if !ok {
		return claims{}, false
	}
	header64, payload64, ok := strings.Cut(input, ".")
	if !ok {
		return claims{}, false
	}
	var header struct{ Alg, Kid string }
	if !decodePart(header64, &header) {
		return claims{}, false
	}
	i := slices.IndexFunc(is.signers, func(s signer) bool { return s.kid == header.Kid && s.alg == header.Alg })
	signature, err := base64.RawURLEncoding.Strict().DecodeString(signature64)
	if i < 0 || err != nil || !is.signers[i].verifies(input, signature) {
		return claims{}, false
	}
	var c claims
	return c, decodePart(payload64, &c)
}

func (s signer) verifies(input string, signature []byte) bool {
	digest := sha256.Sum256([]byte(input))
	switch key := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		r, v := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return len(signature) == 64 && ecdsa.Verify(key, digest[:], r, v)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func decodePart(part string, to any) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(b, to) == nil
}
