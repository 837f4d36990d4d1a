package config

import (
	"reflect"
	"slices"
	"strings"
)

// openedOnce lists what a running sidecar opens or fixes at its start, with all that is
// in it. A reload cannot apply a change of it.
func openedOnce() []string {
	return []string{
		"product", "environment", "listen", "admin", "backend", "gateway.request_id_header", "credential.header",
		"payload.max_held_bytes", "audit.file", "audit.pseudonym_key",
	}
}

// judgedAnew lists what of that belongs to the policy, which a reload replaces.
func judgedAnew() []string {
	return []string{"listen.hosts", "listen.tls.clients", "backend.identity", "backend.soft_deny", "backend.login_paths"}
}

// needsRestart reports whether a change of a field takes a restart.
func needsRestart(path string) bool {
	in := func(all []string) bool {
		return slices.ContainsFunc(all, func(one string) bool {
			rest, ok := strings.CutPrefix(path, one)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	}
	return in(openedOnce()) && !in(judgedAnew())
}

// RestartFor returns the fields of next, which is to replace c in a running sidecar, that
// only a restart can apply, each at its place in the file of next; nil if there is none.
// No value is told.
func (c *Config) RestartFor(next *Config) Problems {
	var ps Problems
	differences("", reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem(), func(path string) {
		ps = append(ps, next.At(path, "changed, and a running sidecar keeps what it started with", "restart the sidecar to apply it, or change it back"))
	})
	return ps.sorted()
}

// differences calls found with every field that takes a restart and is not equal.
func differences(path string, a, b reflect.Value, found func(path string)) {
	for _, f := range fieldsOf(a.Type()) {
		at, one, other := joinPath(path, f.name), a.FieldByIndex(f.index), b.FieldByIndex(f.index)
		if one.Kind() == reflect.Pointer && !one.IsNil() && !other.IsNil() {
			one, other = one.Elem(), other.Elem()
		}
		switch {
		case one.Kind() == reflect.Struct && !isScalarType(one.Type()):
			differences(at, one, other, found)
		case needsRestart(at) && !reflect.DeepEqual(one.Interface(), other.Interface()):
			found(at)
		}
	}
}
