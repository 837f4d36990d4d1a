package config

import (
	"fmt"
	"strings"
)

// origin remembers where in which file the values of a configuration stand.
type origin struct {
	file   string
	places map[string]place
	// single has the shorter key of a list that the file writes as one element, by
	// the path of the list: spec for specs.
	single map[string]string
}

// At returns a problem of the configuration at the place of a field, or of the
// nearest part of the file that it would be in. Packages that give a
// configuration its meaning report with it what only they can find.
func (c *Config) At(field, cause, fix string) Problem { return c.at(field, cause, fix) }

// Place returns where a field stands, as FILE:LINE, and false when the file does
// not have it, so that its default holds.
func (c *Config) Place(field string) (string, bool) {
	p, ok := c.places[field]
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%s:%d", c.file, p.line), true
}

// Key returns the path of the value under a key of a map, such as
// controls["az.account"].
func Key(field, key string) string { return pathKey(field, key) }

func (o *origin) at(path, cause, fix string) Problem {
	nearest := path
	p, ok := o.places[nearest]
	for !ok && nearest != "" {
		nearest = parent(nearest)
		p, ok = o.places[nearest]
	}
	return Problem{File: o.file, Line: p.line, Column: p.column, Field: o.shown(path), Cause: cause, Fix: fix}
}

// shown returns the path as the author of the file wrote it.
func (o *origin) shown(path string) string {
	for list, one := range o.single {
		if rest, ok := strings.CutPrefix(path, list+"[0]"); ok {
			return one + rest
		}
	}
	return path
}
