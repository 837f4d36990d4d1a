package openapi

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// The bounds of one contract over all its files. A reference that leads through
// a loop of links reads the same file again and again under other names, hence the
// second.
const (
	defaultMaxBytes = 20 << 20
	maxFiles        = 1000
	// maxValues bounds what is in the files: what a schema costs is not told by its
	// bytes, and the library needs some 2 KiB for each.
	maxValues = 500_000
)

// errValues is why a contract is not read to its end.
var errValues = fmt.Errorf("the files of the contract have more than %d values", maxValues)

// errRemote is why a reference with a scheme, a host or a query is not followed.
var errRemote = errors.New("only files below the root folder are read")

// errOutside is why a reference is not followed.
var errOutside = errors.New("it is outside of the root folder")

// reader reads the files of one contract: regular files below one folder, links
// included, of a bounded total size, and nothing else.
type reader struct {
	root  *os.Root
	dir   string // absolute, links evaluated
	bytes int64  // still allowed
	files int    // still allowed
	// values are how many are still allowed.
	values int
	levels int // of what is nested deep, still allowed
	// sources are the files that were read, by their path below the root.
	sources map[string]*source
	modern  bool // the first of them is OpenAPI 3.1
	lined   bool // the library shall note lines, for which it needs YAML as it is
	// resources are the URIs that schemas of the files give themselves by $id.
	resources map[string]bool
}

// source is one file that was read.
type source struct {
	text  []byte
	tree  any
	err   error                    // why there is no tree
	plain []byte                   // what the library reads
	lines func(pointer string) int // nil until a line is asked for
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
	return &reader{root: root, dir: dir, bytes: maxBytes, files: maxFiles, values: maxValues, levels: maxLevels, sources: map[string]*source{}, resources: map[string]bool{}}, path, nil
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
		return nil, errRemote
	}
	rel, ok := rd.relative(filepath.FromSlash(u.Path))
	if !ok {
		return nil, errOutside
	}
	// The loader asks for a file at every reference to it.
	if known := rd.sources[rel]; known != nil && known.err == nil {
		return known.plain, nil
	}
	text, err := rd.file(rel)
	if err != nil {
		return nil, err
	}
	made := &source{text: text}
	rd.sources[rel] = made
	if made.tree, made.err = parseDocument(text); made.err != nil {
		return nil, errors.New("it cannot be read")
	}
	if rd.values -= countValues(made.tree, rd.values); rd.values < 0 {
		return nil, errValues
	}
	b := burden{tree: made.tree, levels: rd.levels}
	if problems := b.find(); problems != nil {
		made.err = problems
		return nil, errors.New("it is too much to read")
	}
	rd.levels = b.levels
	if len(rd.sources) == 1 {
		rd.modern = isModern(made.tree)
	}
	made.plain = rd.plain(rel, made)
	return made.plain, nil
}

// countValues returns how many values there are in a value, itself included, and no more
// than one more than is allowed.
func countValues(v any, allowed int) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if n > allowed {
				break
			}
			n += countValues(item, allowed-n)
		}
	case map[string]any:
		for _, member := range v {
			if n > allowed {
				break
			}
			n += countValues(member, allowed-n)
		}
	}
	return n
}

// file returns the text of a file below the root.
func (rd *reader) file(rel string) ([]byte, error) {
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
	return data, nil
}

// trees returns the trees of the files that were read, by their paths below the root.
func (rd *reader) trees() map[string]any {
	trees := make(map[string]any, len(rd.sources))
	for rel, s := range rd.sources {
		trees[rel] = s.tree
	}
	return trees
}

// unread reports what is wrong with the files that have no tree, and whether there are
// any.
func (rd *reader) unread(l *linter) bool {
	found := false
	for _, rel := range sortedKeys(rd.sources) {
		if err := rd.sources[rel].err; err != nil {
			found = true
			l.wrong(rel, err)
		}
	}
	return found
}

// isSwagger reports whether a file says that it is of the version before OpenAPI 3.0.
func (rd *reader) isSwagger(rel string) bool {
	if rd.sources[rel] == nil {
		return false
	}
	root, _ := rd.sources[rel].tree.(map[string]any)
	_, openapi := root["openapi"]
	_, swagger := root["swagger"]
	return swagger && !openapi
}

// line returns the line of a place; 0 if it is not known.
func (rd *reader) line(at schema.Place) int {
	s := rd.sources[at.Document]
	if s == nil {
		return 0
	}
	if s.lines == nil {
		s.lines = linesOf(s.text, maxLineText)
	}
	return s.lines(at.Pointer)
}

// digested returns the absolute paths of the files that were read, sorted, and one
// digest of their names below the root and of their content.
func (rd *reader) digested() (files []string, digest [sha256.Size]byte) {
	h := sha256.New()
	for _, rel := range sortedKeys(rd.sources) {
		files = append(files, filepath.Join(rd.dir, rel))
		_, _ = fmt.Fprintf(h, "%q %x\n", rel, sha256.Sum256(rd.sources[rel].text)) // a hash takes everything
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
