package policytest

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// clone returns a deep copy of the request. Operations are shared, because
// they hold code; plan is for them.
func clone(r *policy.Request) *policy.Request {
	return copyOf(reflect.ValueOf(r)).Interface().(*policy.Request) //nolint:errcheck // the copy has the type of its original
}

// opaque reports whether values of the type are copied as they are: contract
// and code, times and addresses, and verdicts, whose errors are shared.
func opaque(t reflect.Type) bool {
	switch t.String() {
	case "*policy.Operation", "policy.Verdict", "time.Time", "netip.Addr":
		return true
	}
	return false
}

func copyOf(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	if opaque(v.Type()) {
		return c
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.Set(reflect.New(v.Type().Elem()))
			c.Elem().Set(copyOf(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.Field(i).Set(copyOf(v.Field(i)))
		}
	case reflect.Slice:
		if !v.IsNil() {
			c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				c.Index(i).Set(copyOf(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			c.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for _, k := range v.MapKeys() {
				c.SetMapIndex(k, copyOf(v.MapIndex(k)))
			}
		}
	}
	return c
}

// changed names the first field in which the requests differ, or is empty.
func changed(before, after *policy.Request) string {
	a, b := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			return a.Type().Field(i).Name
		}
	}
	return ""
}

// plan returns a copy of an operation and its rules without their code.
func plan(o *policy.Operation) policy.Operation {
	if o == nil {
		return policy.Operation{}
	}
	c := *o
	c.In, c.Out, c.Rules = nil, nil, make([]*policy.Rule, 0, len(o.Rules))
	for _, rule := range o.Rules {
		r := *rule
		r.Check = nil
		c.Rules = append(c.Rules, &r)
	}
	return c
}

// stripped returns the request with what one stage adds taken away.
func stripped(name string, r *policy.Request) []variant {
	var all []variant
	without := func(what string, take func(*policy.Request)) {
		c := clone(r)
		take(c)
		all = append(all, variant{name + " without " + what, c})
	}
	without("a match", func(c *policy.Request) { c.Match = policy.Match{} })
	without("path parameters", func(c *policy.Request) { c.Match.Params = nil })
	without("authentication", func(c *policy.Request) { c.Auth = policy.Authentication{} })
	without("a token", func(c *policy.Request) { c.Auth.Token = nil })
	without("an identity", func(c *policy.Request) { c.Auth.Identity = nil })
	without("a query", func(c *policy.Request) { c.Query, c.RawQuery = nil, "" })
	without("headers", func(c *policy.Request) { c.Header = nil })
	without("spending", func(c *policy.Request) { c.Spent = nil })
	without("a body", func(c *policy.Request) { c.Body = policy.Body{} })
	without("an inspected body", func(c *policy.Request) { c.Body = policy.Body{Size: -1} })
	without("selected values", func(c *policy.Request) { c.Body.Selected = nil })
	without("a response", func(c *policy.Request) { c.Response = nil })
	return all
}

// planted returns the request with the canary in place of each submitted value,
// and appended to it, one value at a time, and with all of them replaced.
func planted(name string, r *policy.Request) []variant {
	var all []variant
	n := len(places(clone(r)))
	for i := range n {
		for _, after := range []bool{false, true} {
			c := clone(r)
			p := places(c)[i]
			p.plant(after)
			all = append(all, variant{name + " with a canary in " + p.name, c})
		}
	}
	c := clone(r)
	for _, p := range places(c) {
		p.plant(false)
	}
	return append(all, variant{name + " with canaries everywhere", c})
}

// place is one submitted value of a request.
type place struct {
	name  string
	plant func(after bool)
}

// places lists every submitted value. A value that is missing is listed where
// the suite can add it: a header, a query pair.
func places(r *policy.Request) []place {
	var all []place
	for _, f := range []struct {
		name string
		at   any
	}{
		{"Method", &r.Method},
		{"Path", &r.Path},
		{"RawQuery", &r.RawQuery},
		{"Host", &r.Host},
		{"Query", &r.Query},
		{"Header", &r.Header},
		{"Hop", &r.Hop},
		{"Auth.Token", &r.Auth.Token},
		{"Auth.Identity", &r.Auth.Identity},
		{"Body.Bytes", &r.Body.Bytes},
		{"Body.Selected", &r.Body.Selected},
		{"Response", &r.Response},
	} {
		all = append(all, within(f.name, reflect.ValueOf(f.at).Elem())...)
	}
	for i := range r.Match.Params { // names are the contract's
		all = append(all, within("Match.Params", reflect.ValueOf(&r.Match.Params[i].Value).Elem())...)
	}
	return append(all,
		place{"a new header", func(bool) {
			if r.Header == nil {
				r.Header = make(map[string][]string)
			}
			r.Header["X-"+Canary] = []string{Canary}
		}},
		place{"a new query pair", func(bool) {
			r.Query = append(r.Query, policy.Pair{Name: Canary, Value: Canary})
		}})
}

// within lists the submitted values inside v, which can be set.
func within(name string, v reflect.Value) []place {
	if opaque(v.Type()) {
		return nil
	}
	var all []place
	switch v.Kind() {
	case reflect.String:
		return []place{{name, func(after bool) { v.SetString(text(v.String(), after)) }}}
	case reflect.Pointer:
		if !v.IsNil() {
			return within(name, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, within(name+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return []place{{name, func(after bool) { v.SetBytes([]byte(text(string(v.Bytes()), after))) }}}
		}
		for i := range v.Len() {
			all = append(all, within(name, v.Index(i))...)
		}
	case reflect.Map:
		h := v.Convert(reflect.TypeFor[map[string][]string]()).Interface().(map[string][]string) //nolint:errcheck // the only maps of a request are headers
		for _, k := range slices.Sorted(maps.Keys(h)) {
			all = append(all, within(name+" "+k, reflect.ValueOf(h[k]))...)
		}
	}
	return all
}

func text(s string, after bool) string {
	if after {
		return strings.Clone(s) + Canary
	}
	return Canary
}
