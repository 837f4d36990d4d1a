package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// Options say what to load and how strictly to judge by it.
type Options struct {
	// File is the contract, YAML or JSON. Links are followed.
	File string
	// Root is the folder that references may not leave. Empty means the folder of
	// File; a link below it may not lead out of it either.
	Root string
	// BasePath replaces the path of the contract's servers: "" keeps that path, "/"
	// means no base path.
	BasePath string
	// UndeclaredProperties is "contract", the default, or "deny": a property of a body
	// that no schema declares is then denied although the contract does not forbid
	// it.
	UndeclaredProperties string
	// Answers asks for what judges answers, too.
	Answers bool
	// OmitPatterns leaves a pattern out that cannot be compiled, with a note; else the
	// contract is refused for it.
	OmitPatterns bool
	// QueryParameters are names of the query that an operation may have without declaring
	// them. Those of the keys that the contract's security schemes name need not be
	// among them.
	QueryParameters []string
	// MaxQueryParameters bounds the parameters of a query; 0 means 1000.
	MaxQueryParameters int
	// MaxBytes bounds all files together; 0 means 20 MiB.
	MaxBytes int64
}

// Load reads a contract. Everything that is wrong with the contract is returned
// at once as [Problems]; wrong options are a plain error. Load does not use the
// network and reads no file outside of Root.
func Load(o Options) (*Contract, error) {
	deny := o.UndeclaredProperties == "deny"
	if !deny && o.UndeclaredProperties != "" && o.UndeclaredProperties != "contract" {
		return nil, fmt.Errorf("undeclared properties %q: use contract or deny", bounded(o.UndeclaredProperties))
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	base, err := optionBase(o.BasePath)
	if err != nil {
		return nil, err
	}
	way := manner{base: base, deny: deny, answers: o.Answers, omit: o.OmitPatterns, query: o.QueryParameters, maxQuery: o.MaxQueryParameters}
	if way.maxQuery <= 0 {
		way.maxQuery = defaultMaxQuery
	}
	c, problems, ended := load(o, way)
	if len(problems) == 0 {
		return c, nil
	}
	// The loader can note the line of everything, which costs memory and time:
	// only a broken contract is read a second time for its lines, and not one that
	// is broken everywhere.
	if len(problems) <= maxPlaced && !ended {
		way.lines = true
		if _, placed, _ := load(o, way); len(placed) > 0 {
			problems = placed
		}
	}
	return nil, problems
}

// maxPlaced is how many problems are worth a second reading.
const maxPlaced = 1000

// manner is one way to read a contract.
type manner struct {
	base    *string
	deny    bool
	answers bool     // for what judges answers, too
	omit    bool     // patterns that cannot be compiled
	query   []string // parameters that need not be declared
	// maxQuery is how many parameters of a query are judged.
	maxQuery int
	lines    bool // note the line of everything
}

// load reads the contract once. A library that has panicked on contracts before
// does the reading, hence the recover. Ended reports that a file was not read to its
// end: another reading would say no more.
func load(o Options, way manner) (c *Contract, problems Problems, ended bool) {
	name := filepath.Base(o.File)
	defer func() {
		if p := recover(); p != nil {
			c, problems = nil, Problems{{File: name, Cause: fmt.Sprintf("cannot be read: the reader failed with %T", p)}}
		}
	}()
	rd, path, err := open(o.File, o.Root, o.MaxBytes)
	if err != nil {
		return nil, Problems{{File: name, Cause: err.Error()}}, true
	}
	defer rd.close() //nolint:errcheck // a folder that was only read from
	rel, ok := rd.relative(path)
	if !ok {
		return nil, Problems{{File: name, Cause: "is outside of the root folder", Fix: "set root to a folder above the file"}}, true
	}
	loader := openapi3.NewLoader()
	loader.IncludeOrigin, rd.lined = way.lines, way.lines
	loader.ReadFromURIFunc = rd.read
	doc, err := loader.LoadFromURI(&url.URL{Path: filepath.ToSlash(path)})
	l := &linter{file: rel, place: rd.relative}
	if way.lines {
		l.line = rd.line
	}
	if rd.isSwagger(rel) {
		l.at(schema.Place{Document: rel, Pointer: "/swagger"}, "this is a document of Swagger 2.0", "convert it to OpenAPI 3.0 or 3.1")
		return nil, l.problems, false
	}
	if err != nil {
		ended = rd.unread(l) || errors.Is(err, errValues)
		switch {
		case len(l.problems) > 0:
		case ended || !(&broken{linter: l, reader: rd, main: rel, omit: way.omit}).find():
			l.failed(err)
		}
		return nil, l.problems.sorted(), ended
	}
	b := &builder{linter: l, way: way, doc: doc, trees: rd.trees()}
	c = b.build()
	if len(l.problems) > 0 {
		return nil, l.problems.sorted(), false
	}
	c.files, c.digest = rd.digested()
	return c, nil, true
}

// linter collects problems and knows where in which file they are.
type linter struct {
	file     string
	place    func(path string) (string, bool)
	line     func(at schema.Place) int // nil: nobody asks for lines
	problems Problems
}

// at reports what is wrong at a place of a file.
func (l *linter) at(place schema.Place, cause, fix string) {
	p := Problem{File: place.Document, Pointer: bounded(place.Pointer), Cause: bounded(cause), Fix: fix}
	if l.line != nil {
		p.Line = l.line(place)
	}
	l.problems = append(l.problems, p)
}

func (l *linter) report(origin *openapi3.Origin, ptr, cause, fix string) {
	p := Problem{File: l.file, Pointer: bounded(ptr), Cause: bounded(cause), Fix: fix}
	if l.line != nil && p.Pointer != "" {
		p.Line = l.line(schema.Place{Document: l.file, Pointer: ptr})
	}
	if origin != nil && origin.Key != nil {
		p.Line = origin.Key.Line
		if u, err := url.Parse(origin.Key.File); err == nil && u.Path != "" {
			if rel, ok := l.place(filepath.FromSlash(u.Path)); ok {
				p.File = rel
			}
		}
	}
	l.problems = append(l.problems, p)
}

// wrong reports why a file has no tree.
func (l *linter) wrong(file string, err error) {
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		problems = Problems{{Cause: bounded(err.Error())}}
	}
	for _, p := range problems {
		p.File = file
		l.problems = append(l.problems, p)
	}
}

// failed reports why the loader gave up.
func (l *linter) failed(err error) {
	if f, ok := errors.AsType[*os.PathError](err); ok {
		err = f.Err
	}
	if holdsValues(err) {
		l.invalid(nil, err)
		return
	}
	fix := ""
	if errors.Is(err, errOutside) {
		fix = "set root to a folder that holds every file of the contract"
	}
	l.report(nil, "", "the document cannot be loaded: "+err.Error(), fix)
}

// holdsValues reports whether the error's text would print a schema or a value,
// which has no bound.
func holdsValues(err error) bool {
	_, schema := errors.AsType[*openapi3.SchemaError](err)
	_, many := errors.AsType[openapi3.MultiError](err)
	return schema || many
}
