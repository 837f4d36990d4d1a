package openapi

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// The bounds of one contract over all its files. A reference that leads through
// a loop of links reads the same file again and again, hence the second.
const (
	defaultMaxBytes = 20 << 20
	maxFiles        = 1000
)

// errOutside is why a reference is not followed.
var errOutside = errors.New("it is outside of the root folder")

// reader reads the files of one contract: regular files below one folder, links
// included, of a bounded total size, and nothing else.
type reader struct {
	root  *os.Root
	dir   string // absolute, links evaluated
	bytes int64  // still allowed
	files int    // still allowed
	seen  map[string][sha256.Size]byte
}

// open returns a reader for the folder dir, or for the folder of file if dir is
// empty, and the path of the file with links evaluated.
func open(file, dir string, maxBytes int64) (*reader, string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, "", fmt.Errorf("cannot find the file: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, "", fmt.Errorf("cannot find the file: %w", bare(err))
	}
	if dir == "" {
		dir = filepath.Dir(path)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, "", fmt.Errorf("cannot find the root folder: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, "", fmt.Errorf("cannot find the root folder: %w", bare(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", fmt.Errorf("cannot open the root folder: %w", bare(err))
	}
	return &reader{root: root, dir: dir, bytes: maxBytes, files: maxFiles, seen: map[string][sha256.Size]byte{}}, path, nil
}

func (rd *reader) close() error { return rd.root.Close() }

// relative returns the path below the root folder, with slashes.
func (rd *reader) relative(path string) (string, bool) {
	rel, err := filepath.Rel(rd.dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// read is the loader's only way to a file or URL.
func (rd *reader) read(_ *openapi3.Loader, u *url.URL) ([]byte, error) {
	if (u.Scheme != "" && u.Scheme != "file") || u.Host != "" || u.Opaque != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("reference to %q: only files below the root folder are read", bounded(u.Redacted()))
	}
	rel, ok := rd.relative(filepath.FromSlash(u.Path))
	if !ok {
		return nil, errOutside
	}
	if rd.files--; rd.files < 0 {
		return nil, fmt.Errorf("more than %d files are read", maxFiles)
	}
	// Opening a pipe would wait for a writer, so look first.
	if info, err := rd.root.Stat(rel); err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", bounded(rel), bare(err))
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %q: not a regular file", bounded(rel))
	}
	f, err := rd.root.Open(rel)
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", bounded(rel), bare(err))
	}
	data, err := io.ReadAll(io.LimitReader(f, rd.bytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", bounded(rel), bare(err))
	}
	if rd.bytes -= int64(len(data)); rd.bytes < 0 {
		return nil, errors.New("the files of the contract are larger than its size bound")
	}
	rd.seen[rel] = sha256.Sum256(data)
	return data, nil
}

// sources returns the absolute paths of the files that were read, sorted, and one
// digest of their names below the root and of their content.
func (rd *reader) sources() (files []string, digest [sha256.Size]byte) {
	h := sha256.New()
	for _, rel := range slices.Sorted(maps.Keys(rd.seen)) {
		files = append(files, filepath.Join(rd.dir, rel))
		sum := rd.seen[rel]
		_, _ = fmt.Fprintf(h, "%q %x\n", rel, sum) // a hash takes everything
	}
	return files, [sha256.Size]byte(h.Sum(nil))
}

// bare takes the operation and the absolute path off a file error.
func bare(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}
