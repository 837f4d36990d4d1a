package test_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMain owns the folder of what the tests of this package build.
func TestMain(m *testing.M) {
	os.Exit(func() int { //nolint:forbidigo // a test binary exits here; the folder must go before
		dir, err := os.MkdirTemp("", "sidewarden-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "a folder for the binary under test:", err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }() // the system removes what stays
		built.dir = dir
		return m.Run()
	}())
}

// built is the binary under test: building takes seconds, and every test asks for
// the same thing. It is built by the first one that asks.
var built struct {
	dir  string
	once sync.Once
	err  error
}

// binary returns the path of the program as it is shipped: static, with the time
// zone database inside. Its folder holds nothing else, so that it can be put into
// PATH.
func binary() (string, error) {
	path := filepath.Join(built.dir, "bin", "sidewarden")
	built.once.Do(func() {
		if built.err = touchSources(); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "timetzdata",
			"-ldflags", "-s -w -X main.version=under-test", "-o", path, "./cmd/sidewarden")
		cmd.Dir, cmd.Env = repoRoot, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the binary under test: %w\n%s", err, out)
		}
	})
	return path, built.err
}

// touchSources looks at every file that the binary is made from. The go command
// keeps the result of a test until a file that the test looked at changes, and
// does not see what a compiler looked at that the test started.
func touchSources() error {
	return filepath.WalkDir(repoRoot, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != repoRoot && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

// mustBinary is binary for a test.
func mustBinary(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
