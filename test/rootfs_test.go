package test_test

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// nobody is the user of the container image.
const nobody = 65532

// TestRootfs runs the program in the root folder of the container image, as its
// user: an empty root with one static binary and the configuration is enough, and
// nothing is written there.
func TestRootfs(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	out, err := exec.CommandContext(t.Context(), filepath.Join(repoRoot, "tools", "rootfs.sh"), root).CombinedOutput()
	require.NoError(t, err, "%s", out)
	static(t, filepath.Join(root, "sidewarden"))

	b := backendOf(t)
	etc := filepath.Join(root, "etc", "sidewarden")
	contract, err := os.ReadFile(filepath.Join("testdata", "base", "openapi.yaml"))
	require.NoError(t, err)
	for name, content := range map[string]string{
		"openapi.yaml": string(contract), "jwks.json": string(tokentest.JWKS(tokentest.RSA())), "sidewarden.yaml": `version: 1
product: orders
listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
backend: {url: "http://` + b.address + `"}
spec: {file: openapi.yaml}
token: {issuers: [{issuer: https://idp.example.net, jwks_file: jwks.json, audiences: [https://api.example.net]}]}
`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644)) //nolint:gosec // the user of the image reads it
	}
	before := tree(t, root)
	assert.Equal(t, []string{"etc", "etc/sidewarden", "etc/sidewarden/jwks.json", "etc/sidewarden/openapi.yaml", "etc/sidewarden/sidewarden.yaml", "sidewarden"},
		names(before), "what is in the image")

	const config = "/etc/sidewarden/sidewarden.yaml"
	out, err = confined(t, root, "version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.True(t, strings.HasPrefix(string(out), "sidewarden "), "%s", out)
	out, err = confined(t, root, "check", "--config", config).CombinedOutput()
	require.NoError(t, err, "%s", out)
	s, err := startCommand(confined(t, root, "serve", "--config", config), config)
	require.NoError(t, err)
	a, err := (&call{method: "GET", target: "/v1/sites"}).send(s.data)
	require.NoError(t, err)
	assert.Equal(t, 200, a.status)
	require.NoError(t, s.stop())
	assert.Contains(t, s.stdout.String(), `"disposition":"would-block"`, "records go to standard output")
	assert.Equal(t, before, tree(t, root), "nothing is written")
}

// static asks that a binary needs no interpreter and no shared library.
func static(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for _, p := range f.Progs {
		assert.NotEqual(t, elf.PT_INTERP, p.Type, "the binary asks for an interpreter")
	}
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	assert.Empty(t, libraries)
}

// confined returns a command of the binary in the root, as the image's user, with
// an empty environment.
func confined(t *testing.T, root string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() == 0 {
		cmd := exec.CommandContext(t.Context(), "/sidewarden", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir, cmd.Env = "/", []string{"NOTHING=1"}
		return cmd
	}
	require.NoError(t, exec.CommandContext(t.Context(), "sudo", "-n", "true").Run(),
		"a folder can be made the root only by root: run the tests as root, or as a user who may sudo without a password")
	user := fmt.Sprintf("--userspec=%d:%d", nobody, nobody)
	return exec.CommandContext(t.Context(), "sudo", append([]string{"-n", "chroot", user, root, "/sidewarden"}, args...)...)
}

// tree returns what is below a folder, with size and time of the last change.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		all[relative] = fmt.Sprintf("%s %d %s", info.Mode(), info.Size(), info.ModTime())
		return err
	}))
	return all
}

func names(all map[string]string) []string {
	var list []string
	for name := range all {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
