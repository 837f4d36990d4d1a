package starter

import (
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// Options are what the contract does not say. Empty fields are not known.
type Options struct {
	// Spec and Root are paths as they are written into the file, seen from its
	// folder. Without a root it is the folder of the contract.
	Spec, Root string
	// BasePath is what stands before the paths of the contract.
	BasePath string
	// Product names the API.
	Product string
	// Issuer is the exact iss of its tokens; JWKSFile or JWKSURL has its keys.
	Issuer, JWKSFile, JWKSURL string
	// Audiences are the values of aud that name this API.
	Audiences []string
	// Backend is the URL of what stands behind the sidecar.
	Backend string
	// Listen is the address of the data listener, Admin that of the administrative
	// one, which has a default.
	Listen, Admin string
}

// draft is what the file means, before it is written.
type draft struct {
	rules      []rule
	operations []operation
	// bodies is the longest body of the contract, doubled; 0 if it is not known.
	bodies config.Size
	// public reports that no operation needs a credential.
	public bool
	// keys is where the contract has API keys; nil when tokens arrive.
	keys *keys
	// mixed reports that tokens arrive and that the contract takes API keys too.
	mixed bool
	// left are names that were guessed to hold an account and cannot be written.
	left []string
}

// rule is a guessed place of an account.
type rule struct {
	config.AccountRule
	operations []string // that declare it
}

// operation is what the file says of one operation.
type operation struct {
	// key is its key in the file; "" if the file can not have one.
	key, id string
	scopes  [][]string
	public  bool
	// switches reports that its connections seem to become WebSockets.
	switches bool
	// notes are comments.
	notes []string
	// unbound reports that nothing in it names an account.
	unbound bool
}

// draftOf reads a contract.
func draftOf(c *openapi.Contract, o Options) *draft {
	d := &draft{public: true}
	operations := c.Operations()
	d.credential(c.Schemes(), operations, o)
	for i := range operations {
		op := &operations[i]
		d.public = d.public && op.Public
		d.carriers(op)
	}
	slices.SortFunc(d.rules, func(a, b rule) int { return strings.Compare(place(a.AccountRule), place(b.AccountRule)) })
	slices.Sort(d.left)
	d.left = slices.Compact(d.left)
	keys := keysOf(operations)
	for i := range operations {
		d.operations = append(d.operations, d.operation(&operations[i], keys[i]))
	}
	d.bodies = sizeOf(operations)
	return d
}

// place orders rules: path, query, header, body, each by name.
func place(r config.AccountRule) string {
	order := []string{config.InPath, config.InQuery, config.InHeader, config.InBody}
	return string(rune('0'+slices.Index(order, r.In))) + r.Name + r.Pointer
}

// carriers adds the account rules that the names of an operation suggest.
func (d *draft) carriers(op *openapi.Operation) {
	if op.Public {
		return // nobody is asked whose account it is
	}
	for _, group := range []struct {
		in    string
		names []string
	}{{config.InPath, op.PathParams}, {config.InQuery, op.QueryParams}, {config.InHeader, op.HeaderParams}, {config.InBody, op.BodyProperties()}} {
		for _, name := range group.names {
			if !namesAccount(name) {
				continue
			}
			r := config.AccountRule{In: group.in, Name: name}
			if group.in == config.InBody {
				r = config.AccountRule{In: group.in, Pointer: pointer(name)}
			}
			d.add(r, op.ID)
		}
	}
}

func (d *draft) add(r config.AccountRule, id string) {
	if r.In == config.InHeader && d.keys != nil && sameHeader(r.Name, d.keys.header) {
		return // it names who asks
	}
	if _, ok := config.Quoted(r.Name + r.Pointer); !ok || r.In == config.InHeader && !config.ReadsHeader(r.Name) {
		d.left = append(d.left, r.Name+r.Pointer)
		return
	}
	for i := range d.rules {
		known := d.rules[i].AccountRule
		if known == r || r.In == config.InHeader && known.In == r.In && strings.EqualFold(known.Name, r.Name) {
			d.rules[i].operations = append(d.rules[i].operations, id)
			return
		}
	}
	d.rules = append(d.rules, rule{r, []string{id}})
}

// pointer is the JSON pointer (RFC 6901) to a top-level member.
func pointer(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// isToken reports whether a method can have the name (RFC 9110, section 9.1).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func (d *draft) operation(op *openapi.Operation, key string) operation {
	o := operation{key: key, id: op.ID, public: op.Public, switches: op.Switches && op.Method == "GET"}
	o.scopes, o.notes = scopesOf(op)
	bound := slices.ContainsFunc(d.rules, func(r rule) bool { return slices.Contains(r.operations, op.ID) })
	o.unbound = !op.Public && !bound && len(d.rules) > 0
	return o
}

// keysOf returns for each operation its id, or its method and path when the file
// cannot hold the id; "" if that is not possible either. An id that reads like the
// method and path of another operation would mean both.
func keysOf(operations []openapi.Operation) []string {
	means := map[string]int{}
	for i := range operations {
		op := &operations[i]
		means[op.ID]++
		if byPath := op.Method + " " + op.Template; byPath != op.ID {
			means[byPath]++
		}
	}
	keys := make([]string, len(operations))
	for i := range operations {
		op := &operations[i]
		for _, key := range []string{op.ID, op.Method + " " + op.Template} {
			_, ok := config.Quoted(key)
			method, target, form := strings.Cut(key, " ")
			if ok && means[key] == 1 && (!form || isToken(method) && method == strings.ToUpper(method) && strings.HasPrefix(target, "/")) {
				keys[i] = key
				break
			}
		}
	}
	return keys
}

// scopesOf returns the scopes that the contract asks for: alternatives of scopes
// that must all be there.
func scopesOf(op *openapi.Operation) (anyOf [][]string, notes []string) {
	switch {
	case op.Public:
		return nil, nil
	case !op.SecurityDeclared:
		return nil, []string{"decide: the contract does not say who may call it. Name scopes, or write public: true if nobody needs a credential."}
	case op.Optional:
		notes = []string{"The contract makes the credential optional: one that is sent is judged. Write public: false to ask for one."}
	}
	for _, all := range op.Security {
		if len(all) == 0 {
			return nil, append(notes, "decide: the contract asks for a credential and for no scope, so every one that proves itself will do.")
		}
		for _, scope := range all {
			if _, ok := config.Quoted(scope); !ok || scope == "" || strings.ContainsAny(scope, " \t\r\n") {
				return nil, append(notes, "decide: a scope of the contract cannot be written in this file, so the contract alone says it.")
			}
		}
	}
	return op.Security, notes
}

// sizeOf returns twice the longest body of all operations, rounded up to a power
// of two of at least 1 KiB. It returns 0, for the default, if there is no body, or
// one without a bound or with a bound that would only widen the default.
func sizeOf(operations []openapi.Operation) config.Size {
	const least, most = 1 << 10, 1 << 20
	var longest int64
	for i := range operations {
		n, ok := operations[i].BodySize()
		if !ok {
			return 0
		}
		longest = max(longest, n)
	}
	size := int64(least)
	for size < 2*longest {
		size *= 2
	}
	if longest == 0 || size >= most {
		return 0
	}
	return config.Size(size)
}
