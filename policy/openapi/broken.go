package openapi

import (
	"errors"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// broken finds in the raw trees why the library did not load a contract: it stops at
// the first reference that leads nowhere, and does not say where that is, nor where a
// keyword has a value of another type than it takes.
type broken struct {
	*linter
	reader *reader
	main   string // the file that was asked for
	omit   bool   // patterns that cannot be compiled

	documents *schema.Documents
	unread    map[string]error      // by the URL: why a file that a reference names is not read
	walked    map[schema.Place]bool // objects
	queue     []schema.Place        // what references lead to
}

// find reports what is wrong, all of it, and whether that is anything.
func (b *broken) find() bool {
	b.readAll()
	b.documents = schema.NewDocuments()
	trees := b.reader.trees()
	for _, rel := range sortedKeys(trees) {
		b.documents.Add(rel, trees[rel])
	}
	if !b.reader.modern {
		b.documents.OmitIDs()
	}
	(&places{documents: b.documents, trees: trees}).scan()
	b.walked = map[schema.Place]bool{}
	b.queue = []schema.Place{{Document: b.main}}
	for len(b.queue) > 0 {
		at := b.queue[0]
		b.queue = b.queue[1:]
		value, _ := b.documents.Value(at)
		b.walk(value, at, false)
	}
	b.schemas()
	return len(b.problems) > 0
}

// readAll reads the files that the library did not come to.
func (b *broken) readAll() {
	b.unread = map[string]error{}
	in, files := "", sortedKeys(b.reader.sources)
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				visit(item)
			}
		case map[string]any:
			for _, name := range sortedKeys(v) {
				visit(v[name])
			}
			ref, _ := v["$ref"].(string)
			if rel, fresh := b.readFile(ref, in); fresh {
				files = append(files, rel)
			}
		}
	}
	for i := 0; i < len(files); i++ {
		in = files[i]
		visit(b.reader.sources[in].tree)
	}
}

// readFile reads the file that a reference names, and returns its path if nobody has read
// it before.
func (b *broken) readFile(ref, in string) (rel string, fresh bool) {
	u, ok := b.file(ref, in)
	if !ok {
		return "", false
	}
	if _, known := b.unread[u.String()]; known {
		return "", false
	}
	before := len(b.reader.sources)
	_, err := b.reader.read(nil, u)
	b.unread[u.String()] = err
	rel, ok = b.reader.relative(filepath.FromSlash(u.Path))
	return rel, ok && len(b.reader.sources) > before
}

// file returns the URL of the file that a reference names, as the library makes it; not
// ok if it names none.
func (b *broken) file(ref, in string) (*url.URL, bool) {
	name, _, _ := strings.Cut(ref, "#")
	u, err := url.Parse(name)
	if name == "" || err != nil {
		return nil, false
	}
	if u.Scheme == "" && u.Host == "" && !path.IsAbs(u.Path) {
		u.Path = path.Join(filepath.ToSlash(b.reader.dir), path.Dir(in), u.Path)
	}
	return u, true
}

// walk checks the references in a value. Named reports that the members of an object
// have names of somebody's making, so that none of them is a keyword.
func (b *broken) walk(v any, at schema.Place, named bool) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			b.walk(item, at.Child(strconv.Itoa(i)), false)
		}
	case map[string]any:
		if !named {
			if b.walked[at] {
				return
			}
			b.walked[at] = true
			if ref, ok := v["$ref"].(string); ok {
				b.follow(at, ref)
			}
		}
		for _, name := range sortedKeys(v) {
			if !named && isLiteral(name, v[name]) {
				continue
			}
			b.walk(v[name], at.Child(name), !named && holdsNames(name))
		}
	}
}

// isLiteral reports whether a keyword holds values in which nothing is a reference.
func isLiteral(keyword string, value any) bool {
	switch keyword {
	case "example", "default", "enum", "const", "value":
		return true
	case "examples": // of a schema; others have objects by their names
		_, list := value.([]any)
		return list
	}
	return strings.HasPrefix(keyword, "x-")
}

// holdsNames reports whether a keyword holds an object by whose members things are named.
func holdsNames(keyword string) bool {
	switch keyword {
	case "properties", "patternProperties", "dependentSchemas", "$defs", "schemas", "responses", "parameters", "examples", "requestBodies",
		"headers", "securitySchemes", "links", "callbacks", "pathItems", "paths", "webhooks", "content", "encoding":
		return true
	}
	return false
}

// follow reports a reference that leads nowhere.
func (b *broken) follow(at schema.Place, ref string) {
	to, err := b.documents.Locate(at, ref)
	if err == nil {
		b.queue = append(b.queue, to)
		return
	}
	where, fix := at.Child("$ref"), "correct the reference, or write what it names"
	if u, ok := b.file(ref, at.Document); ok && b.unread[u.String()] != nil {
		why := b.unread[u.String()]
		if rel, inside := b.reader.relative(filepath.FromSlash(u.Path)); inside && b.reader.sources[rel] != nil && b.reader.sources[rel].err != nil {
			b.wrong(rel, b.reader.sources[rel].err)
			return
		}
		switch {
		case errors.Is(why, errOutside):
			fix = "set root to a folder that holds every file of the contract"
		case errors.Is(why, errRemote):
			fix = "put a copy there and refer to that"
		}
		b.at(where, "reference "+strconv.Quote(bounded(ref))+": "+why.Error(), fix)
		return
	}
	b.at(where, err.Error(), fix)
}

// schemas reports what is wrong with the schemas by themselves, wherever they are.
func (b *broken) schemas() {
	c := schema.NewCompiler(b.documents, schema.Options{Modern: b.reader.modern, OmitPatterns: b.omit})
	told := map[schema.Place]bool{}
	for _, p := range b.problems {
		told[schema.Place{Document: p.File, Pointer: p.Pointer}] = true
	}
	trees := b.reader.trees()
	eachSchema(trees[b.main], schema.Place{Document: b.main}, func(at schema.Place) { c.Schema(at) })
	wrong, _ := c.End()
	for _, p := range wrong {
		if !told[schema.Place{Document: p.Place.Document, Pointer: bounded(p.Place.Pointer)}] {
			b.at(p.Place, p.Cause, p.Fix)
		}
	}
}
