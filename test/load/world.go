package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed" // contract and configurations are files of their own
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

var (
	//go:embed openapi.yaml
	contract []byte
	//go:embed sidewarden.yaml.tmpl
	sidecarTemplate string
	//go:embed haproxy.cfg.tmpl
	haproxyTemplate string
	//go:embed nginx.conf.tmpl
	nginxTemplate string
)

// world is the folder of a run and what is in it: programs, keys, contract.
type world struct {
	dir     string
	sidecar string // the program
	bare    string
	tuned   string // bare, built with the sidecar's profile for PGO
	pgo     bool
	roots   *x509.CertPool
}

// The files of a world that configurations name.
const (
	fileContract  = "openapi.yaml"
	fileKeySet    = "jwks.json"
	filePublicKey = "rsa.pem"
	filePseudonym = "pseudonym.key"
	fileCert      = "cert.pem"
	fileKey       = "key.pem"
)

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// newWorld builds the programs and writes keys and contract into a folder.
func newWorld(ctx context.Context, dir, binary string) (*world, error) {
	w := &world{dir: dir, sidecar: filepath.Join(dir, "sidewarden"), bare: filepath.Join(dir, "load"), roots: x509.NewCertPool()}
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	root = strings.TrimSpace(root)
	if binary == "" {
		err = build(ctx, root, w.sidecar, "-tags", "timetzdata", "./cmd/sidewarden")
	} else {
		err = duplicate(binary, w.sidecar)
	}
	if err != nil {
		return nil, err
	}
	if err := build(ctx, root, w.bare, "./test/load"); err != nil {
		return nil, err
	}
	w.tuned = w.bare
	pgo := filepath.Join(root, "cmd", "sidewarden", "default.pgo")
	if _, err := os.Stat(pgo); err == nil { // go build uses it for the sidecar unasked
		w.pgo, w.tuned = true, filepath.Join(dir, "load-pgo")
		if err := build(ctx, root, w.tuned, "-pgo", pgo, "./test/load"); err != nil {
			return nil, err
		}
	}
	return w, w.writeFiles()
}

// duplicate copies a program, so that all rounds measure the same one whoever builds
// in the meantime.
func duplicate(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o700)
}

// build builds a program with the flags of `make build`.
func build(ctx context.Context, root, to string, args ...string) error {
	all := append([]string{"build", "-trimpath", "-ldflags", "-s -w -X main.version=load", "-o", to}, args...)
	cmd := exec.CommandContext(ctx, "go", all...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(all, " "), err, out)
	}
	return nil
}

// output runs a program and returns what it writes to standard output.
func output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, problems.String())
	}
	return out.String(), nil
}

func (w *world) writeFiles() error {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(tokentest.RSA().Public())
	if err != nil {
		return err
	}
	cert, key, err := certificate()
	if err != nil {
		return err
	}
	w.roots.AppendCertsFromPEM(cert)
	for name, content := range map[string][]byte{
		fileContract:  contract,
		fileKeySet:    tokentest.JWKS(tokentest.RSA(), tokentest.EC()),
		filePublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		filePseudonym: []byte(hex.EncodeToString(secret)),
		fileCert:      cert,
		fileKey:       key,
	} {
		if err := os.WriteFile(w.path(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// certificate returns a certificate of this run for the loopback address, and its
// key, in PEM.
func certificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "load"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// render writes a configuration and returns its path.
func (w *world) render(name, text string, values any) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return "", err
	}
	path := w.path(name)
	return path, os.WriteFile(path, b.Bytes(), 0o600)
}
