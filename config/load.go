package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Env is how a configuration reaches what is outside of it. A nil function means
// that of the process: os.LookupEnv, and the reading of a regular file.
type Env struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
}

func (e Env) orProcess() Env {
	if e.LookupEnv == nil {
		e.LookupEnv = os.LookupEnv
	}
	if e.ReadFile == nil {
		e.ReadFile = readFile
	}
	return e
}

// readFile reads a file up to one byte more than a configuration may have.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	return data, errors.Join(err, f.Close())
}

// Load reads and parses the file at path. Relative paths in the file, those of
// `${file:...}` included, are relative to the folder of the file: a Config from
// Load has them joined to it, so they are relative to the working folder when
// path is. An error is of type [Problems].
func Load(path string, env Env) (*Config, error) {
	env = env.orProcess()
	data, err := env.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Cause: "the file can not be read: " + reason(err), Fix: "check its path and permissions"}}
	}
	return parse(path, filepath.Dir(path), data, env)
}

// Parse parses the content of a configuration file; name stands for the file in
// problems. Relative paths stay as they are. An error is of type [Problems] and
// holds all of them, sorted by line.
func Parse(name string, data []byte, env Env) (*Config, error) {
	return parse(name, "", data, env)
}

func parse(name, base string, data []byte, env Env) (*Config, error) {
	d := newDecoder(name, base, env)
	c := d.decode(data)
	if c == nil {
		return nil, d.structural.sorted()
	}
	v := &validator{decoder: d, c: c}
	v.validate()
	if ps := slices.Concat(d.structural, d.semantic); len(ps) > 0 {
		return nil, ps.sorted()
	}
	derive(c)
	c.origin = d.origin
	c.refs = maps.Clone(d.refs)
	c.warnings = v.warn().sorted()
	return c, nil
}

// decode returns nil if there is no tree to look at.
func (d *decoder) decode(data []byte) *Config {
	root := d.read(data)
	if root == nil {
		return nil
	}
	return d.tree(root)
}

func (d *decoder) tree(root *yaml.Node) *Config {
	var c Config
	if root.Kind != yaml.MappingNode {
		d.bad("", root, "a mapping is expected, not "+kindOf(root), "start with version: 1")
		return nil
	}
	d.note("", root)
	d.structure("", root, reflect.ValueOf(&c).Elem())
	return &c
}

// read returns the root of the only document.
func (d *decoder) read(data []byte) *yaml.Node {
	start := &yaml.Node{}
	if len(data) > maxFileBytes {
		d.bad("", start, fmt.Sprintf("the file has more than %d bytes", maxFileBytes), "is it the right file?")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithUniqueKeys(), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		d.bad("", start, err.Error(), "")
		return nil
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		d.bad("", start, "the file is empty", "start with version: 1")
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
	default:
		d.bad("", &second, "a second document starts here", "keep one document per file")
	}
	return doc.Content[0]
}

// syntax reports what is not YAML.
func (d *decoder) syntax(err error) {
	var one *yaml.LoadError
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		one = many.Errors[0]
	} else if !errors.As(err, &one) {
		one = &yaml.LoadError{Message: err.Error()}
	}
	at := &yaml.Node{Line: one.Mark.Line, Column: one.Mark.Column}
	d.bad("", at, "this is not YAML: "+strings.TrimPrefix(one.Message, "yaml: "), "check the indentation and the quotes here and above")
}
