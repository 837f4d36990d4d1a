package compile

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
)

// maxWatched bounds the files of a contract's folder that are looked at.
const maxWatched = 1000

// Files lists the files that a policy is made from besides the configuration
// file: the contract with the documents below its root that it may refer to, and
// the authorities of issuers. Key sets are not among them; they are read again by
// themselves. The order is stable.
func Files(cfg *config.Config) []string {
	var files []string
	for _, spec := range cfg.Specs {
		files = append(files, spec.File)
		root := spec.Root
		if root == "" {
			root = filepath.Dir(spec.File)
		}
		files = append(files, documents(root)...)
	}
	for _, issuer := range cfg.Token.Issuers {
		if issuer.CAFile != "" {
			files = append(files, issuer.CAFile)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// documents lists what a reference below root may lead to.
func documents(root string) []string {
	var files []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // a folder that cannot be read holds nothing that the contract can refer to
		case len(files) >= maxWatched:
			return fs.SkipAll
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".yaml", ".yml", ".json":
			files = append(files, path)
		}
		return nil
	})
	return files
}

// contractDigest digests the contract by its bytes and those of every document
// that it may refer to.
func (c *compiler) contractDigest() []byte {
	var parts [][]byte
	for _, path := range Files(c.cfg) {
		b, err := os.ReadFile(path)
		if err != nil {
			b = nil // the loader has told what is wrong with a file that it needs
		}
		parts = append(parts, []byte(filepath.Base(path)), b)
	}
	return []byte(digest(parts...))
}
