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

// basePath returns the path of the servers of an operation: its own, else those
// of its path, else those of the document. Variables have their defaults. Host
// and scheme do not matter, since they name the place of the gateway; several
// servers must agree on the path.
func (b *builder) basePath(place string, item *openapi3.PathItem, o *openapi3.Operation) (string, bool) {
	if b.base != nil {
		return *b.base, true
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
		base, err := serverPath(s)
		if err != nil {
			b.report(s.Origin, fmt.Sprintf("%s/%d/url", where, i), err.Error(), baseFix)
			return "", false
		}
		if !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	switch len(bases) {
	case 0:
		return "", true
	case 1:
		return bases[0], true
	}
	b.report(servers[0].Origin, where, fmt.Sprintf("the servers have different paths: %s", bounded(strings.Join(bases, ", "))), baseFix)
	return "", false
}

// serverPath returns the path of a server's URL, without a trailing slash.
func serverPath(s *openapi3.Server) (string, error) {
	text := s.URL
	for _, name := range sortedKeys(s.Variables) {
		text = strings.ReplaceAll(text, "{"+name+"}", s.Variables[name].Default)
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
