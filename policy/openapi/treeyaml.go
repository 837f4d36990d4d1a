package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	yaml "github.com/oasdiff/yaml3"
)

// maxAliased bounds how many names and values aliases of YAML may make. The loader of the contract
// has nearly the same bound.
const maxAliased = 400_000

// yamlReader makes the tree of the nodes of YAML.
type yamlReader struct {
	tokens   []string // the place
	problems Problems
	inside   map[*yaml.Node]bool // what aliases have led into
	aliased  int
	over     bool // a bound is exceeded; what is left is not read
}

func readYAML(data []byte) (any, Problems) {
	root, problems := parseYAML(data)
	if len(problems) > 0 || root == nil {
		return nil, problems
	}
	r := &yamlReader{inside: map[*yaml.Node]bool{}}
	tree := r.value(root)
	return tree, r.problems
}

// parseYAML returns the root of the nodes; nil if there is none. The library has panicked on
// contracts before, hence the recover.
func parseYAML(data []byte) (root *yaml.Node, problems Problems) {
	defer func() {
		if p := recover(); p != nil {
			root, problems = nil, Problems{{Cause: fmt.Sprintf("cannot be read as YAML: the reader failed with %T", p)}}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.DisableTimestamps(true)
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, Problems{yamlProblem(err)}
	}
	if len(first.Content) != 1 {
		return nil, nil
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, Problems{yamlProblem(err)}
	case len(second.Content) == 1 && second.Content[0].ShortTag() != "!!null":
		return nil, Problems{{Line: second.Content[0].Line, Cause: "a second YAML document begins here, and only the first would be read", Fix: "leave one in the file"}}
	}
	return first.Content[0], nil
}

func yamlProblem(err error) Problem {
	p := Problem{Cause: bounded("cannot be read as YAML: " + strings.TrimPrefix(err.Error(), "yaml: "))}
	if found := regexp.MustCompile(`\bline (\d+): `).FindStringSubmatch(p.Cause); found != nil {
		p.Line, _ = strconv.Atoi(found[1]) //nolint:errcheck // of a line too far away, there is none
		p.Cause = strings.Replace(p.Cause, found[0], "", 1)
	}
	return p
}

func (r *yamlReader) report(n *yaml.Node, cause, fix string) {
	r.problems = append(r.problems, Problem{Line: n.Line, Pointer: bounded(pointer(r.tokens...)), Cause: bounded(cause), Fix: fix})
}

// value returns the value of a node; nil once there is a problem that it is part of.
func (r *yamlReader) value(n *yaml.Node) any {
	if r.count(n); r.over {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		var value any
		r.enter(n, func(target *yaml.Node) { value = r.value(target) })
		return value
	case yaml.MappingNode, yaml.SequenceNode:
		if len(r.tokens) >= maxTreeDepth {
			r.over = true
			r.report(n, tooDeep(), "")
			return nil
		}
		if n.Kind == yaml.SequenceNode {
			return r.sequence(n)
		}
		object := map[string]any{}
		r.mapping(n, object, keysAreText(n), nil)
		return object
	default: // a document is in no other node
		return r.scalar(n)
	}
}

// count counts what aliases make, names included.
func (r *yamlReader) count(n *yaml.Node) {
	if len(r.inside) == 0 || r.over {
		return
	}
	if r.aliased++; r.aliased > maxAliased {
		r.over = true
		r.report(n, fmt.Sprintf("aliases of YAML make more than %d names and values", maxAliased), "write out what they stand for, or use references")
	}
}

// enter follows an alias.
func (r *yamlReader) enter(n *yaml.Node, then func(target *yaml.Node)) {
	if r.inside[n.Alias] {
		r.report(n, "the value of anchor "+strconv.Quote(bounded(n.Value))+" contains itself", "use a reference")
		return
	}
	r.inside[n.Alias] = true
	then(n.Alias)
	delete(r.inside, n.Alias)
}

func (r *yamlReader) sequence(n *yaml.Node) any {
	array := make([]any, len(n.Content))
	for i, item := range n.Content {
		array[i] = r.member(strconv.Itoa(i), item)
	}
	return array
}

func (r *yamlReader) member(token string, n *yaml.Node) any {
	r.tokens = append(r.tokens, token)
	value := r.value(n)
	r.tokens = r.tokens[:len(r.tokens)-1]
	return value
}

// mapping fills an object. While it is merged into one, taken are the names that are
// not to be replaced.
func (r *yamlReader) mapping(n *yaml.Node, object map[string]any, text bool, taken map[string]bool) {
	type spelling struct {
		kind  yaml.Kind
		value string
	}
	names, spellings := map[string]int{}, map[spelling]int{}
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content) && !r.over; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		r.count(key)
		spelt := spelling{key.Kind, key.Value}
		if first, twice := spellings[spelt]; twice {
			r.report(sameNode(key, key.Value, first))
			continue
		}
		spellings[spelt] = key.Line
		if isMerge(key) {
			merged = value
			continue
		}
		name, ok := r.name(key, text)
		if !ok {
			continue
		}
		if first, twice := names[name]; twice {
			r.report(sameNode(key, name, first))
			continue
		}
		names[name] = key.Line
		if taken != nil {
			if taken[name] {
				continue
			}
			taken[name] = true
		}
		object[name] = r.member(name, value)
	}
	if merged == nil {
		return
	}
	if taken == nil {
		taken = map[string]bool{"<<": true}
		for name := range names {
			taken[name] = true
		}
	}
	r.merge(merged, object, text, taken)
}

func sameNode(key *yaml.Node, name string, line int) (n *yaml.Node, cause, fix string) {
	cause, fix = sameName(name, line)
	return key, cause, fix
}

// merge adds what a merge key names, of several the first first.
func (r *yamlReader) merge(n *yaml.Node, object map[string]any, text bool, taken map[string]bool) {
	sources := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	for _, source := range sources {
		switch {
		case source.Kind == yaml.MappingNode:
			r.mapping(source, object, text, taken)
		case source.Kind == yaml.AliasNode && source.Alias.Kind == yaml.MappingNode:
			r.enter(source, func(target *yaml.Node) { r.mapping(target, object, text, taken) })
		default:
			r.report(source, "what is merged is no object", "")
		}
	}
}

// isMerge reports whether a key is the merge key, which a quoted one is not.
func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "" || key.Tag == "!" || key.Tag == "!!merge")
}

// keysAreText reports whether all keys are strings. The keys of what is merged into such an
// object are then not read as numbers, either.
func keysAreText(n *yaml.Node) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if tag := n.Content[i].ShortTag(); tag != "!!str" && tag != "!!merge" {
			return false
		}
	}
	return true
}

// name returns the name of a member.
func (r *yamlReader) name(key *yaml.Node, text bool) (string, bool) {
	node := key
	if key.Kind == yaml.AliasNode {
		node = key.Alias
	}
	var value any
	if node.Kind != yaml.ScalarNode {
		r.report(key, "the name of a member is not a string", "")
		return "", false
	}
	if tag := node.ShortTag(); text && tag != "!!binary" && tag != "!!null" {
		return node.Value, true
	}
	if err := node.Decode(&value); err != nil {
		r.report(key, yamlProblem(err).Cause, "")
		return "", false
	}
	switch v := value.(type) {
	case string: // of bytes, perhaps not of UTF-8
		return string([]rune(v)), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	r.report(key, "the name of a member is not a string", "quote it")
	return "", false
}

// scalar returns the value of a plain, tagged or quoted scalar.
func (r *yamlReader) scalar(n *yaml.Node) any {
	switch tag := n.ShortTag(); {
	case tag == "!!str":
		return n.Value
	case tag == "!!int" && len(n.Value) < 10 && isJSONNumber(n.Value) && strings.Trim(n.Value, "-0123456789") == "":
		return json.Number(n.Value) // what follows would say the same, at greater length
	}
	var value any
	if err := n.Decode(&value); err != nil {
		r.report(n, yamlProblem(err).Cause, "")
		return nil
	}
	switch v := value.(type) {
	case nil, bool:
		return v
	case string:
		return string([]rune(v))
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			r.report(n, "is not a number of JSON", "")
			return nil
		}
	}
	if len(n.Value) > maxNumberText {
		cause, fix := longNumber()
		r.report(n, cause, fix)
		return nil
	}
	text, err := json.Marshal(value)
	switch {
	case err != nil:
		r.report(n, "has no form in JSON", "")
		return nil
	case text[0] == '"': // of a date with the tag of one
		return strings.Trim(string(text), `"`)
	case isJSONNumber(n.Value):
		return json.Number(n.Value)
	}
	return json.Number(text)
}

// isJSONNumber reports whether a text is a number of JSON.
func isJSONNumber(text string) bool {
	return text != "" && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && json.Valid([]byte(text))
}
