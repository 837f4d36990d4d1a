package config

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

const maxSecretBytes = 64 << 10

// resolve returns what a string stands for: itself, or the value that it refers
// to. It reports false after a problem.
func (d *decoder) resolve(path string, n *yaml.Node, s string) (string, bool) {
	if !strings.Contains(s, "${") {
		return s, true
	}
	if !referenceForm.MatchString(s) {
		d.refuse(path, n, "a reference must be the whole value, as ${env:NAME} or ${file:/path}", "put the whole value there, or remove ${")
		return "", false
	}
	kind, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "${"), "}"), ":")
	if kind == "env" {
		d.refs[path] = s
		value, ok := d.env.LookupEnv(name)
		switch {
		case !ok:
			d.refuse(path, n, "environment variable "+name+" is not set", "set it")
		case value == "":
			d.refuse(path, n, "environment variable "+name+" is empty", "set it")
		case !utf8.ValidString(value):
			d.refuse(path, n, "environment variable "+name+" is not UTF-8 text", "encode it as text")
		default:
			return value, true
		}
		return "", false
	}
	file := d.path(name)
	d.refs[path] = "${file:" + file + "}"
	data, err := d.env.ReadFile(file)
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case err != nil:
		d.refuse(path, n, "file "+quote(file)+" can not be read: "+reason(err), "check its path and permissions")
	case len(data) > maxSecretBytes:
		d.refuse(path, n, "file "+quote(file)+" has more than 65536 bytes", "is it the right file?")
	case value == "":
		d.refuse(path, n, "file "+quote(file)+" is empty", "write the value into it")
	case !utf8.ValidString(value):
		d.refuse(path, n, "file "+quote(file)+" is not UTF-8 text", "encode it as text")
	default:
		return value, true
	}
	return "", false
}

// path returns a path as seen from the folder of the configuration file.
func (d *decoder) path(p string) string {
	if p == "" || d.base == "" || d.quiet > 0 || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(d.base, p)
}

// reason returns an error without the path that the message has already.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// derive sets the defaults that follow from other fields. The fields say so.
func derive(c *Config) {
	for i := range c.Limits {
		if l := &c.Limits[i]; l.Burst == 0 && !l.Rate.IsZero() {
			l.Burst = max(1, int(math.Ceil(l.Rate.PerSecond())))
		}
	}
	for i := range c.Specs {
		if s := &c.Specs[i]; s.Root == "" {
			s.Root = filepath.Dir(s.File)
		}
	}
}
