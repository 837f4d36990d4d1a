package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference returns the manual of the file format as Markdown: every field with
// its type, default and description, from the same tags as [Schema].
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\nOne YAML file. In a path `[]` stands for every element of a list, `<name>` for every key of a mapping.\n" +
		"Any string that is not one of a closed set may be `${env:NAME}` or `${file:/path}`. Relative paths start from the folder of the file.\n" +
		"Fields marked with * must be there. Fields marked with † are read and refused: they are not available in this version.\n" +
		"Fields marked with ‡ are read at the start: a reload that changes one of them is refused as a whole, and says which.\n" +
		"Files that they name are read again when they change.\n")
	t := reflect.TypeFor[Config]()
	b.WriteString("\n## Top level\n" + tableHead)
	var sections []field
	for _, f := range fieldsOf(t) {
		row(&b, f.name, t.FieldByIndex(f.index).Type, f)
		if nested(t.FieldByIndex(f.index).Type) != nil {
			sections = append(sections, f)
		}
	}
	for _, f := range sections {
		ft := t.FieldByIndex(f.index).Type
		fmt.Fprintf(&b, "\n## %s\n\n%s\n%s", f.name, f.doc, tableHead)
		rows(&b, f.name+suffix(ft), nested(ft))
	}
	return b.String()
}

const tableHead = "\n| Field | Type | Default | Meaning |\n|---|---|---|---|\n"

// rows writes the fields of a struct and of the structs in it.
func rows(b *strings.Builder, path string, t reflect.Type) {
	for _, f := range fieldsOf(t) {
		at, ft := joinPath(path, f.name), t.FieldByIndex(f.index).Type
		row(b, at, ft, f)
		if in := nested(ft); in != nil {
			rows(b, at+suffix(ft), in)
		}
	}
}

func row(b *strings.Builder, path string, t reflect.Type, f field) {
	mark, doc := "", strings.ReplaceAll(f.doc, "|", `\|`)
	if f.required {
		mark = "*"
	}
	if needsRestart(path) {
		mark += "‡"
	}
	for _, a := range absences() {
		if missing, note := a.about(path); missing {
			mark += "†"
		} else if note != "" {
			doc += " " + note
		}
	}
	def := ""
	if f.hasDef {
		def = "`" + f.def + "`"
	}
	fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", path, mark, typeName(t, f), def, doc)
}

// typeName names a type in the manual.
func typeName(t reflect.Type, f field) string {
	if s, ok := scalarOf(t); ok {
		return s.describe().name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem(), f)
	case reflect.Struct:
		return "mapping"
	case reflect.Map:
		return "mapping of " + typeName(t.Elem(), f)
	case reflect.Slice:
		return "list of " + typeName(t.Elem(), f)
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "integer"
	default:
		const few = 12
		if f.enum != nil && len(f.enum) <= few {
			return strings.Join(f.enum, ", ")
		}
		if f.enum != nil {
			return "control"
		}
		return "string"
	}
}

// nested returns the struct type inside of a pointer, list or map, or nil.
func nested(t reflect.Type) reflect.Type {
	if _, ok := scalarOf(t); ok {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return nested(t.Elem())
	case reflect.Struct:
		return t
	default:
		return nil
	}
}

// suffix is what the path of a collection gets for its elements.
func suffix(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "[]"
	case reflect.Map:
		return ".<name>"
	default:
		return ""
	}
}
