package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const baseFix = "set base_path to the path that this API has here"

// maxBases bounds the base paths of one operation: variables multiply.
const maxBases = 100

// optionBase returns the configured base path, without a trailing slash, or nil
// if there is none.
func optionBase(configured string) (*string, error) {
	if configured == "" {
		return nil, nil //nolint:nilnil // no base path is configured: not an error
	}
	base := strings.TrimSuffix(configured, "/")
	if err := goodBase(base); err != nil {
		return nil, fmt.Errorf("base path %q %w", bounded(configured), err)
	}
	return &base, nil
}

// basePaths returns the paths of the servers of an operation, at least one: its own
// servers, else those of its path, else those of the document. Host and scheme do
// not matter, since they name the place of the gateway. An operation is served
// under each path that its servers have.
func (b *builder) basePaths(place string, item *openapi3.PathItem, o *openapi3.Operation) ([]string, bool) {
	if b.way.base != nil {
		return []string{*b.way.base}, true
	}
	servers := b.doc.Servers
	where := "/servers"
	if len(item.Servers) > 0 {
		servers, where = item.Servers, place[:strings.LastIndexByte(place, '/')]+"/servers"
	}
	if o.Servers != nil && len(*o.Servers) > 0 {
		servers, where = *o.Servers, place+"/servers"
	}
	var bases []string
	for i, s := range servers {
		at := fmt.Sprintf("%s/%d", where, i)
		paths, err := serverPaths(s)
		if err != nil {
			b.report(s.Origin, at+"/url", err.Error(), baseFix)
			return nil, false
		}
		for _, name := range freeVariables(s) {
			b.noted.report(s.Origin, at+"/variables"+pointer(name), "any value is allowed, and only the default is taken for the path of the operations", baseFix)
		}
		for _, path := range paths {
			if !slices.Contains(bases, path) {
				bases = append(bases, path)
			}
		}
	}
	if len(bases) > maxBases {
		b.report(servers[0].Origin, where, fmt.Sprintf("the servers have more than %d paths", maxBases), baseFix)
		return nil, false
	}
	if len(bases) == 0 {
		bases = []string{""}
	}
	return bases, true
}

// serverPaths returns the paths of a server's URL, without a trailing slash: one
// for every combination of the values of its variables, that of the defaults first.
func serverPaths(s *openapi3.Server) ([]string, error) {
	texts := []string{s.URL}
	for _, name := range variablesOf(s) {
		values := []string{s.Variables[name].Default}
		for _, v := range s.Variables[name].Enum {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		var next []string
		for _, text := range texts {
			for _, v := range values {
				next = append(next, strings.ReplaceAll(text, "{"+name+"}", v))
			}
		}
		if texts = next; len(texts) > maxBases {
			return nil, fmt.Errorf("the variables of the server have more than %d combinations of values", maxBases)
		}
	}
	var bases []string
	for _, text := range texts {
		base, err := serverPath(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	return bases, nil
}

// variablesOf returns the names of the variables that may be a part of the path, in
// order. One before the first slash behind the scheme is a part of the host, unless
// a value of it has a slash.
func variablesOf(s *openapi3.Server) []string {
	path := s.URL
	if _, rest, found := strings.Cut(s.URL, "://"); found {
		_, path, _ = strings.Cut(rest, "/")
	}
	var names []string
	for _, name := range sortedKeys(s.Variables) {
		v := s.Variables[name]
		inside := slices.ContainsFunc(append([]string{v.Default}, v.Enum...), func(value string) bool { return strings.Contains(value, "/") })
		if strings.Contains(path, "{"+name+"}") || inside && strings.Contains(s.URL, "{"+name+"}") {
			names = append(names, name)
		}
	}
	return names
}

// freeVariables returns those of them that name no values: the contract does not
// say under which paths the operations are.
func freeVariables(s *openapi3.Server) []string {
	return slices.DeleteFunc(variablesOf(s), func(name string) bool { return len(s.Variables[name].Enum) > 0 })
}

// serverPath returns the path of a URL in which the path has no variable.
func serverPath(text string) (string, error) {
	if _, rest, found := strings.Cut(text, "://"); found {
		// Variables of scheme and host are left in it, which url.Parse does not take.
		_, path, _ := strings.Cut(rest, "/")
		text = "https://host/" + path
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the URL of the server cannot be parsed")
	}
	base := strings.TrimSuffix(u.EscapedPath(), "/")
	if err := goodBase(base); err != nil {
		return "", fmt.Errorf("the path of the server %w", err)
	}
	return base, nil
}

func goodBase(base string) error {
	switch {
	case base == "":
		return nil
	case !strings.HasPrefix(base, "/"):
		return errors.New("does not begin with a slash")
	case strings.ContainsAny(base, "{}?#") || strings.Contains(strings.ToUpper(base), "%7B"):
		return errors.New("is not a plain path")
	}
	for part := range strings.SplitSeq(base[1:], "/") {
		if part == "" || dots(part) {
			return errors.New("has an empty or a dot segment")
		}
	}
	return nil
}
