package test_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// denied CONTROL REASON STATUS REQUEST sends a request to every sidecar that
// runs. In shadow the backend must have answered it and the record says that it
// would block; an enforcing sidecar must answer STATUS, and the backend must not
// see the request, unless the control judges answers, which are withheld. Both records have the denial, and the shadow record no denial
// but it and those of also=CONTROL,CONTROL. Further expectations are of the
// enforcing answer; detail=TEXT is the finding's.
func (s *story) denied(ts *testscript.TestScript, args []string) error {
	control, reason, status := args[0], args[1], args[2]
	p, err := s.parse(ts, args[3:])
	if err != nil {
		return err
	}
	allowed, detail := []string{control}, ""
	p.expect = slices.DeleteFunc(p.expect, func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "also":
			allowed = append(allowed, strings.Split(value, ",")...)
		case "detail":
			detail = value
		}
		return name == "also" || name == "detail"
	})
	slices.Sort(allowed)
	for _, mode := range s.modes() {
		expect, record := []string{"status=200"}, []string{"disposition=would-block", "be.status=200", "denials=" + strings.Join(allowed, ",")}
		forwarded := 1
		if mode == "enforce" {
			expect, record = append(slices.Clone(p.expect), "status="+status), []string{"disposition=blocked", "be.status=0", "be.class=R-NONE"}
			if forwarded = 0; strings.HasPrefix(control, "out.") {
				record, forwarded = []string{"disposition=blocked", "be.status=200"}, 1
			}
		}
		record = append(record, "client.status="+strings.TrimPrefix(expect[len(expect)-1], "status="),
			"finding."+control+".reason="+reason, "finding."+control+".effect=deny", "finding."+control+".mode="+mode)
		if detail != "" {
			record = append(record, "finding."+control+".detail="+detail)
		}
		if err := s.try(mode, p, expect, record, forwarded); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// permitted REQUEST sends a request to every sidecar that runs. Each must let it
// through, and no record may have a finding.
func (s *story) permitted(ts *testscript.TestScript, args []string) error {
	p, err := s.parse(ts, args)
	if err != nil {
		return err
	}
	for _, mode := range s.modes() {
		record := []string{"disposition=allowed", "be.status=200", "findings=[]", "observations=[]"}
		if err := s.try(mode, p, append(slices.Clone(p.expect), "status=200"), record, 1); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// try sends a request and checks answer, backend and record.
func (s *story) try(mode string, p parsed, expect, record []string, forwarded int) error {
	before := len(s.backend.requests())
	a, err := s.do(mode, p)
	if err != nil {
		return err
	}
	if err := a.check(expect); err != nil {
		return err
	}
	after := s.backend.requests()
	if n := len(after) - before; n != forwarded {
		return fmt.Errorf("the backend saw %d requests, want %d", n, forwarded)
	}
	if forwarded == 1 && string(after[len(after)-1].Body) != string(p.body) {
		return errors.New("the backend got another body than was sent")
	}
	return s.recordIs(mode, record)
}

// audit MODE FIELD=VALUE... looks at the record of the last request in a mode.
// Fields are paths such as be.status or observations.0.signal; findings and other
// lists compare as JSON, finding.CONTROL.FIELD is one finding, and denials lists
// the controls that deny.
func (s *story) auditIs(_ *testscript.TestScript, args []string) error {
	return s.recordIs(args[0], args[1:])
}

func (s *story) recordIs(mode string, expect []string) error {
	c, err := s.in(mode)
	if err != nil {
		return err
	}
	id, known := s.last[mode]
	return eventually(func() error {
		all, err := c.records()
		if err != nil {
			return err
		}
		for _, record := range slices.Backward(all) {
			if known && record["request_id"] != id {
				continue
			}
			err := compare(expect, func(field string) (string, error) { return fieldOf(record, field) })
			if err == nil {
				return nil
			}
			line, _ := json.Marshal(record) // it was JSON
			err = fmt.Errorf("%w\nthe record is %s", err, line)
			if known {
				return permanent{err}
			}
			return err // the latest one may be yet to come
		}
		return fmt.Errorf("there is no record of %q among %d", id, len(all))
	})
}

// fieldOf returns the value at a path of a record as text.
func fieldOf(record map[string]any, path string) (string, error) {
	findings, _ := record["findings"].([]any)
	if path == "denials" {
		denials := []string{}
		for _, f := range findings {
			if f, ok := f.(map[string]any); ok && f["effect"] == "deny" {
				denials = append(denials, fmt.Sprint(f["control"]))
			}
		}
		slices.Sort(denials)
		return strings.Join(denials, ","), nil
	}
	var at any = record
	if rest, ok := strings.CutPrefix(path, "finding."); ok {
		last := strings.LastIndexByte(rest, '.')
		for _, f := range findings {
			if f, ok := f.(map[string]any); ok && f["control"] == rest[:last] {
				return text(f[rest[last+1:]]), nil
			}
		}
		return "", nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch value := at.(type) {
		case map[string]any:
			at = value[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(value) {
				return "", fmt.Errorf("%s: no element %q among %d", path, name, len(value))
			}
			at = value[i]
		default:
			at = nil
		}
	}
	return text(at), nil
}

// text returns a string as it is, nothing as "", and all else as JSON.
func text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	b, _ := json.Marshal(value) // it was JSON
	return string(b)
}

// metric MODE SAMPLE VALUE asks for the value of one sample, which is written as
// the exposition writes it; a VALUE of "absent" asks that there is none, "some" for
// any but 0.
func (s *story) metricIs(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	want := args[2]
	if want == "absent" {
		want = ""
	}
	return eventually(func() error {
		got, err := c.metric(args[1])
		if some := want == "some" && got != "" && got != "0"; err == nil && got != want && !some {
			err = fmt.Errorf("%s is %q, want %q", args[1], got, want)
		}
		return err
	})
}

// cells MODE CONTROL@OPERATION FIELD=VALUE... looks at one cell of /cells.
func (s *story) cellIs(_ *testscript.TestScript, args []string) error {
	c, err := s.in(args[0])
	if err != nil {
		return err
	}
	control, operation, _ := strings.Cut(args[1], "@")
	return eventually(func() error {
		_, body, err := c.get("/cells")
		if err != nil {
			return err
		}
		var doc struct{ Cells []map[string]any }
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			return permanent{err}
		}
		for _, cell := range doc.Cells {
			if cell["control"] == control && cell["operation"] == operation {
				return compare(args[2:], func(field string) (string, error) { return fieldOf(cell, field) })
			}
		}
		return fmt.Errorf("no cell %s among %d", args[1], len(doc.Cells))
	})
}

// secrets WORD... asks that no token that was minted, no part of one, neither
// the pseudonym key nor any of the words is in anything that a sidecar said:
// standard output and error, records, metrics, cells, census, endpoints, effective configuration.
func (s *story) secrets(_ *testscript.TestScript, args []string) error {
	words := append(slices.Clone(args), pseudonymKey)
	for _, token := range s.tokens {
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 20 {
				words = append(words, part)
			}
		}
	}
	said := map[string]string{}
	for mode, c := range s.sidecars {
		for _, path := range []string{"/metrics", "/cells", "/census", "/endpoints", "/bypass", "/config"} {
			_, body, err := c.get(path)
			if err != nil || body == "" {
				return fmt.Errorf("%s said nothing: %w", path, err)
			}
			said[mode+path] = body
		}
	}
	all := slices.Clone(s.ended)
	for _, mode := range s.modes() {
		all = append(all, s.sidecars[mode])
	}
	for _, c := range all {
		records, err := os.ReadFile(c.audit)
		if err != nil || len(records) == 0 {
			return fmt.Errorf("there are no records: %w", err)
		}
		said[c.audit], said[c.config+" stdout"], said[c.config+" stderr"] = string(records), c.stdout.String(), c.stderr.String()
	}
	for place, text := range said {
		for _, word := range words {
			if strings.Contains(text, word) {
				return fmt.Errorf("%s has %.60q", place, word)
			}
		}
	}
	return nil
}
