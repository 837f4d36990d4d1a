package test_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The resources that the OAuth server has tokens for.
const (
	apiResource    = "https://api.example.net"   // JWT
	otherResource  = "https://other.example.net" // JWT
	opaqueResource = "https://opaque.example.net"
)

// oauthServer is a real OAuth server: oidc-provider under Node.js, as
// testdata/oauth-server/server.js sets it up. Its clients and commands are
// documented there. It keeps its address and its signing keys when it is stopped
// and started; what it knows of opaque tokens it forgets.
type oauthServer struct {
	address, issuer string
	node, folder    string
	keysFile        string

	cmd    *exec.Cmd // of the process that runs; nil when it is down
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *output
}

// newOAuthServer returns a server that is down and has an address. It ends with
// the test.
func newOAuthServer(t *testing.T) *oauthServer {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("testdata", "oauth-server"))
	require.NoError(t, err)
	l, err := loopback("127.0.0.9:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	const didNotRun = "the tests with the OAuth server did not run: run make test-deps"
	node, err := exec.LookPath("node")
	require.NoError(t, err, didNotRun)
	o := &oauthServer{
		address: address, issuer: "http://" + address, node: node, folder: folder,
		keysFile: filepath.Join(t.TempDir(), "keys.json"),
	}
	require.NoError(t, o.packagesAreThose(), didNotRun)
	t.Cleanup(func() { require.NoError(t, o.down()) })
	return o
}

// startOAuthServer returns a server that is up.
func startOAuthServer(t *testing.T) *oauthServer {
	t.Helper()
	o := newOAuthServer(t)
	require.NoError(t, o.up())
	return o
}

// packagesAreThose reports whether the packages of the lock file are installed.
// It reads what the server is made of, so that the go command runs the tests
// again when that changes.
func (o *oauthServer) packagesAreThose() error {
	if _, err := os.ReadFile(filepath.Join(o.folder, "server.js")); err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(o.folder, "package-lock.json"))
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(o.folder, "node_modules", ".installed-lock.json"))
	if err != nil || string(got) != string(want) {
		return errors.New("the npm packages of the OAuth server are not installed, or not those of its package-lock.json")
	}
	return nil
}

// The packages come from whatever registry npm is set up for, and are what they
// were when somebody last looked at the lock file.
func TestOAuthServerPackagesAreLocked(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "oauth-server", "package-lock.json"))
	require.NoError(t, err)
	var lock struct {
		Packages map[string]struct{ Resolved, Integrity string }
	}
	require.NoError(t, json.Unmarshal(b, &lock))
	require.Contains(t, lock.Packages, "node_modules/oidc-provider")
	delete(lock.Packages, "") // our own
	for name, p := range lock.Packages {
		assert.Empty(t, p.Resolved, "%s names the address of a registry", name)
		assert.NotEmpty(t, p.Integrity, "%s is whatever the registry serves", name)
	}
}

// up starts the server and returns when it answers.
func (o *oauthServer) up() error {
	cmd := exec.Command(o.node, "server.js", o.address, o.keysFile)
	stderr := &output{}
	cmd.Dir, cmd.Stderr = o.folder, stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the OAuth server: %w", err)
	}
	o.cmd, o.stdin, o.stdout, o.stderr = cmd, stdin, bufio.NewReader(stdout), stderr
	var said struct{ Issuer string }
	if err := o.hear(&said); err != nil {
		return err
	}
	if said.Issuer != o.issuer {
		return fmt.Errorf("the OAuth server calls itself %q, want %q", said.Issuer, o.issuer)
	}
	return nil
}

// down ends the server, if it is up, by closing its standard input.
func (o *oauthServer) down() error {
	if o.cmd == nil {
		return nil
	}
	cmd := o.cmd
	o.cmd = nil
	defer o.impatient(cmd)()
	_ = o.stdin.Close() // a process that has ended is seen below
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the OAuth server ended badly: %w\n%s", err, o.stderr)
	}
	return nil
}

// impatient ends a process that is stuck. What waits for it then sees its end.
func (o *oauthServer) impatient(cmd *exec.Cmd) (calm func()) {
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // it may have ended at that moment
	return func() { timer.Stop() }
}

// hear reads one line of the server.
func (o *oauthServer) hear(into any) error {
	defer o.impatient(o.cmd)()
	line, err := o.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		return fmt.Errorf("what the OAuth server says is no JSON line: %w\n%s%s", err, line, o.stderr)
	}
	return nil
}

// command does a step of a key rotation: publish, rotate or retire.
func (o *oauthServer) command(name string) error {
	if _, err := fmt.Fprintln(o.stdin, name); err != nil {
		return fmt.Errorf("tell the OAuth server to %s: %w\n%s", name, err, o.stderr)
	}
	var said struct{ Keys []string }
	return o.hear(&said)
}

// grant is the server's answer to a token request.
type grant struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
	ExpiresIn   int    `json:"expires_in"`
}

// token gets a client an access token for itself (RFC 6749 section 4.4).
func (o *oauthServer) token(client, resource, scope string) (string, error) {
	g, _, err := o.request(client, resource, scope, "")
	return g.AccessToken, err
}

// request asks for a token, with a DPoP proof unless it is empty. A refusal is an
// error with the code of the server; the nonce comes with both.
func (o *oauthServer) request(client, resource, scope, proof string) (grant, string, error) {
	header := http.Header{}
	if proof != "" {
		header.Set("DPoP", proof)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {scope}}
	var g grant
	answer, err := o.post("/token", client, form, header, &g)
	return g, answer.Get("DPoP-Nonce"), err
}

// introspect asks what the server knows of a token (RFC 7662).
func (o *oauthServer) introspect(client, token string) (map[string]any, error) {
	var known map[string]any
	_, err := o.post("/token/introspection", client, url.Values{"token": {token}}, http.Header{}, &known)
	return known, err
}

// revoke ends a token of a client (RFC 7009).
func (o *oauthServer) revoke(client, token string) error {
	_, err := o.post("/token/revocation", client, url.Values{"token": {token}}, http.Header{}, nil)
	return err
}

// post sends a form as a client, with HTTP Basic.
func (o *oauthServer) post(path, client string, form url.Values, header http.Header, into any) (http.Header, error) {
	r, err := http.NewRequest(http.MethodPost, o.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, client+"-secret")
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		var refusal struct{ Error string }
		_ = json.Unmarshal(body, &refusal) // without a code, the status tells
		return resp.Header, fmt.Errorf("%s: %s: %s", path, resp.Status, refusal.Error)
	case into == nil:
		return resp.Header, nil
	}
	return resp.Header, json.Unmarshal(body, into)
}
