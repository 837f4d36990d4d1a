package compile_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

const keyOfScript = "key-of-the-gateway-0123456789-0123456789"

// proofOf compiles with a proof of the gateway, beside files with keys.
func proofOf(t *testing.T, dir, more, proof string, previous *compile.Parts) (*compile.Output, error) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(keyOfScript+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "next"), []byte("next-"+keyOfScript+"\n"), 0o600))
	text := strings.Replace(plain, `"127.0.0.1:8080"`, `"127.0.0.1:8080", tls: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem, client_auth: request}`, 1)
	return compile.Compile(compile.Input{Config: readIn(t, dir, contract, text+"gateway: {present: true, proof: {"+proof+"}}\n"+more), Now: now, Previous: previous})
}

// pemOf writes a public key into a file.
func pemOf(t *testing.T, file string, public any) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
}

// signedHeader is the header of GET /sites as the gateway signs it.
func signedHeader(key string, private ed25519.PrivateKey) http.Header {
	input, signature := tokentest.MessageSignature{
		Key: key, Private: private, Params: ";created=" + strconv.FormatInt(now().Unix(), 10),
		Components: [][2]string{{"@method", "GET"}, {"@authority", ""}, {"@path", "/sites"}, {"@query", "?"}},
	}.Fields()
	return http.Header{"Signature-Input": {input}, "Signature": {signature}, "X-Client-Id": {"app-1"}}
}

const assertedBySignature = "credential: {kind: identity_headers, headers: {client: X-Client-Id}}\n"

// Who the gateway says that its client is counts on a signature as on a secret.
func TestIdentityHeadersBehindASignature(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pemOf(t, filepath.Join(dir, "gateway.pub"), public)
	out, err := proofOf(t, dir, assertedBySignature, `signature: {keys: ["${file:key}", "${file:next}"], public_keys: [gateway.pub]}`, nil)
	require.NoError(t, err)
	for rule, header := range map[string]http.Header{
		"a secret": signedHeader(keyOfScript, nil), "the next secret": signedHeader("next-"+keyOfScript, nil), "a public key": signedHeader("", private),
	} {
		got, _ := effects(t, out.Policy, "/sites", header)
		assert.NotContains(t, got, policy.PathGateway, rule)
		assert.NotContains(t, got, policy.TokPresent, rule)
	}
	got, _ := effects(t, out.Policy, "/sites", signedHeader("another-"+keyOfScript, nil))
	assert.Equal(t, policy.Denied(policy.GatewaySignatureMismatch, ""), got[policy.PathGateway])
	assert.Equal(t, policy.UndecidedBy(policy.PathGateway), got[policy.TokPresent])
	for _, file := range []string{"key", "next", "gateway.pub"} {
		assert.True(t, slices.ContainsFunc(out.Files, func(f string) bool { return filepath.Base(f) == file }), "%s that changes is noticed", file)
	}
}

// A rotation of keys measures the same, and is another policy.
func TestARotationOfSignatureKeysMeasuresTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pemOf(t, filepath.Join(dir, "gateway.pub"), public)
	compiled := func(proof string) *compile.Output {
		out, err := proofOf(t, dir, assertedBySignature, "signature: {"+proof+"}", nil)
		require.NoError(t, err)
		return out
	}
	one := compiled(`key: "${file:key}"`)
	for rule, other := range map[string]*compile.Output{
		"one key more":      compiled(`keys: ["${file:key}", "${file:next}"]`),
		"a public key more": compiled(`key: "${file:key}", public_keys: [gateway.pub]`),
	} {
		assert.Equal(t, one.Measured, other.Measured, rule)
		assert.NotEqual(t, one.Policy.Digest, other.Policy.Digest, rule)
	}
	assert.NotEqual(t, one.Measured, compiled(`key: "${file:key}", max_age: 10s`).Measured, "another age judges otherwise")
	before := compiled(`public_keys: [gateway.pub]`)
	public, _, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pemOf(t, filepath.Join(dir, "gateway.pub"), public)
	after := compiled(`public_keys: [gateway.pub]`)
	assert.Equal(t, before.Measured, after.Measured)
	assert.NotEqual(t, before.Policy.Digest, after.Policy.Digest, "a key that changed in its file is another policy")
}

// What reads certificates in a header knows the gateway by the keys in force.
func TestTheAuthenticatorFollowsTheSignatureThatItReadsCertificatesBy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	compiled := func(keys string, previous *compile.Parts) *compile.Output {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(keyOfScript), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "next"), []byte("next-"+keyOfScript), 0o600))
		out, err := compile.Compile(compile.Input{
			Config: readIn(t, dir, contract, head+"gateway: {present: true, client_cert_header: Client-Cert, proof: {signature: {keys: ["+keys+"]}}}\n"), Now: now, Previous: previous,
		})
		require.NoError(t, err)
		return out
	}
	same := func(a, b policy.Authenticator) bool { return a == b }
	one := compiled(`"${file:key}"`, nil)
	again := compiled(`"${file:key}"`, one.Parts)
	assert.True(t, same(one.Policy.Authenticator, again.Policy.Authenticator))
	assert.False(t, same(again.Policy.Authenticator, compiled(`"${file:key}", "${file:next}"`, again.Parts).Policy.Authenticator))
}

func TestPathGatewayByCertificate(t *testing.T) {
	t.Parallel()
	out, err := proofOf(t, t.TempDir(), "credential: {kind: none}\n", `certificates: [{san: "dns:gateway.example.net"}, {thumbprint: "`+strings.Repeat("ab", 32)+`"}]`, nil)
	require.NoError(t, err)
	got, _ := effects(t, out.Policy, "/sites", http.Header{})
	assert.Equal(t, policy.Denied(policy.GatewayCertificateMissing, ""), got[policy.PathGateway])
}

func TestPublicKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	pemOf(t, filepath.Join(dir, "good"), public)
	pemOf(t, filepath.Join(dir, "ec"), other.Public())
	good, err := os.ReadFile(filepath.Join(dir, "good"))
	require.NoError(t, err)
	for name, content := range map[string]string{
		"empty": "", "two": string(good) + string(good), "large": string(good) + strings.Repeat("\n", 64<<10),
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}})),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	for file, want := range map[string]string{
		"absent": "can not be read", "empty": "holds no public key", "two": "more than one key", "large": "holds no public key",
		"certificate": "holds no public key", "ec": "none of Ed25519",
	} {
		_, err := proofOf(t, dir, assertedBySignature, "signature: {public_keys: [good, "+file+"]}", nil)
		require.ErrorContains(t, err, "gateway.proof.signature.public_keys[1]", file)
		require.ErrorContains(t, err, want, file)
		assert.NotContains(t, err.Error(), "public_keys[0]", file)
	}
}
