package payload_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

var xmlCases = []struct {
	name, text string
	want       policy.Reason
	detail     string
}{
	{"an empty element", `<a/>`, "", ""},
	{"a declaration", `<?xml version="1.0" encoding="UTF-8"?><a/>`, "", ""},
	{"white space around the root", "\n<a> </a>\n", "", ""},
	{"comments", `<!-- c --><a><!-- d --></a><!-- e -->`, "", ""},
	{"CDATA", `<a><![CDATA[<b>]]></a>`, "", ""},
	{"predefined entities", `<a>&lt;&amp;&#65;</a>`, "", ""},
	{"namespaces", `<x:a xmlns:x="urn:x" x:b="1" b="2"><x:c/></x:a>`, "", ""},
	{"depth at the bound", elements(depth), "", ""},
	{"attributes at the bound", `<a` + attributes(payload.MaxAttributes) + `/>`, "", ""},
	{"equals signs in values", `<a b="` + strings.Repeat("=", 300) + `" c='"` + strings.Repeat("=", 300) + `'/>`, "", ""},
	{"equals signs in text", `<a>` + strings.Repeat("b=c ", 300) + `</a>`, "", ""},
	{"equals signs in a comment", `<a><!-- ' <b` + attributes(300) + `> --><b c="1"/></a>`, "", ""},
	{"equals signs in CDATA", `<a><![CDATA[ " <b` + attributes(300) + `>]]><b c="1"/></a>`, "", ""},
	{"few attributes of each of many elements", `<a>` + strings.Repeat(`<b c="1" d="2"/>`, 300) + `</a>`, "", ""},
	{"nothing", ``, policy.XMLSyntax, "offset 0"},
	{"white space only", ` `, policy.XMLSyntax, "offset 1"},
	{"a declaration only", `<?xml version="1.0"?>`, policy.XMLSyntax, "offset 21"},
	{"text only", `abc`, policy.XMLSyntax, "text outside the root element"},
	{"text after the root", `<a/>b`, policy.XMLSyntax, "text outside the root element"},
	{"a byte order mark", "\ufeff<a/>", policy.XMLSyntax, "text outside the root element"},
	{"two roots", `<a/><b/>`, policy.XMLSyntax, "second root element"},
	{"an open element", `<a>`, policy.XMLSyntax, "offset 3"},
	{"mismatched tags", `<a></b>`, policy.XMLSyntax, "offset 7"},
	{"an attribute without quotes", `<a b=c/>`, policy.XMLSyntax, "offset 6"},
	{"a duplicate attribute", `<a b="1" b="2"/>`, policy.XMLSyntax, "duplicate attribute"},
	{"a duplicate attribute by namespace", `<a xmlns:x="u" xmlns:y="u" x:b="1" y:b="2"/>`, policy.XMLSyntax, "duplicate attribute"},
	{"an unknown entity", `<a>&b;</a>`, policy.XMLSyntax, "offset 6"},
	{"a control character", "<a>\x01</a>", policy.XMLSyntax, "offset 4"},
	{"invalid UTF-8", "<a>\xff</a>", policy.XMLSyntax, "encoding"},
	{"another declared encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`, policy.XMLSyntax, "offset 39"},
	{"another version", `<?xml version="1.1"?><a/>`, policy.XMLSyntax, "offset 21"},
	{"a processing instruction", `<?php x?><a/>`, policy.XMLSyntax, "processing instruction"},
	{"a style sheet", `<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>`, policy.XMLSyntax, "processing instruction"},
	{"a late declaration", `<a/><?xml version="1.0"?>`, policy.XMLSyntax, "processing instruction"},
	{"an indented declaration", ` <?xml version="1.0"?><a/>`, policy.XMLSyntax, "processing instruction"},
	{"XInclude", `<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///etc/passwd"/></a>`, policy.XMLSyntax, "xinclude"},
	{"a document type", `<!DOCTYPE a><a/>`, policy.XMLDoctype, ""},
	{"an external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:1/x">]><a>&x;</a>`, policy.XMLDoctype, ""},
	{"a parameter entity", `<!DOCTYPE a [<!ENTITY % x "y"> %x;]><a/>`, policy.XMLDoctype, ""},
	{"a billion laughs", `<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>`, policy.XMLDoctype, ""},
	{"a document type inside the root", `<a><!DOCTYPE a></a>`, policy.XMLDoctype, ""},
	{"depth beyond the bound", elements(depth + 1), policy.XMLTooDeep, "limit 64"},
	{"10000 levels", elements(10_000), policy.XMLTooDeep, "limit 64"},
	{"attributes beyond the bound", `<a` + attributes(payload.MaxAttributes+1) + `/>`, policy.XMLTooDeep, "attributes, limit 256"},
	{"100000 attributes", `<a` + attributes(100_000) + `/>`, policy.XMLTooDeep, "attributes, limit 256"},
	{"attributes beyond the bound behind text", `<a>text<b` + attributes(payload.MaxAttributes+1) + `/></a>`, policy.XMLTooDeep, "attributes, limit 256"},
	{"attributes beyond the bound in turn with marks", `<a` + strings.Repeat(` b='"' c="'"`, payload.MaxAttributes/2) + ` d="1"/>`, policy.XMLTooDeep, "attributes, limit 256"},
	{"100001 elements", `<a>` + strings.Repeat("<b/>", payload.MaxMembers) + `</a>`, policy.XMLTooDeep, "elements and attributes, limit 100000"},
}

func elements(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` b%d=""`, i)
	}
	return b.String()
}

func TestThreatXMLDocuments(t *testing.T) {
	for _, c := range xmlCases {
		t.Run(c.name, func(t *testing.T) {
			v := payload.ReadXML([]byte(c.text), depth)
			if c.want == "" {
				assert.Equal(t, policy.Permitted(), v)
				return
			}
			assert.Equal(t, policy.Denied(c.want, c.detail), v)
		})
	}
}

func TestNoXMLDetailHoldsWhatWasSent(t *testing.T) {
	const c = policytest.Canary
	for _, text := range []string{
		c, `<` + c + `>`, `<a ` + c + `="1" ` + c + `="2"/>`, `<a>&` + c + `;</a>`, `<?` + c + `?><a/>`,
		`<!DOCTYPE ` + c + `><a/>`, `<?xml version="1.0" encoding="` + c + `"?><a/>`, `<a></` + c + `>`,
	} {
		v := payload.ReadXML([]byte(text), depth)
		require.Equal(t, policy.Deny, v.Effect, text)
		assert.NotContains(t, v.Detail, c)
	}
}

// hostileXML are the documents of threats.md 6, of a megabyte where size makes them worse.
func hostileXML() map[string]string {
	const n = 1 << 20
	entities := strings.Repeat(`<!ENTITY x "&y;&y;&y;&y;">`, n/26)
	return map[string]string{
		"a document type": `<!DOCTYPE a [` + entities + `]><a>&x;</a>`,
		"an open one":     `<!DOCTYPE a ` + strings.Repeat("<", n),
		"levels":          strings.Repeat("<a>", n/3),
		"10000 levels":    elements(10_000),
		"attributes":      `<a` + attributes(100_000) + `/>`,
		"one attribute":   `<a` + strings.Repeat(` b=""`, n/5) + `/>`,
		"an entity":       `<a>&` + strings.Repeat("x", n) + `;</a>`,
		"an instruction":  `<?` + strings.Repeat("x", n),
		"two roots":       `<a>` + strings.Repeat("x", n) + `</a><b/>`,
		"XInclude":        `<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd">` + strings.Repeat("x", n),
		"UTF-16":          `<?xml version="1.0" encoding="UTF-16"?><a>` + strings.Repeat("x", n) + `</a>`,
	}
}

func TestThreatHostileXML(t *testing.T) {
	for name, text := range hostileXML() {
		t.Run(name, func(t *testing.T) {
			b := []byte(text)
			assert.Equal(t, policy.Deny, payload.ReadXML(b, depth).Effect)
			took, bytes := cost(func() { payload.ReadXML(b, depth) })
			assert.Less(t, took, slowness*50*time.Millisecond)
			assert.LessOrEqual(t, bytes, uint64(fatness*(8*len(b)+1<<16)))
		})
	}
}

func FuzzXML(f *testing.F) {
	for _, c := range xmlCases {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	// No input panics; what we accept, encoding/xml reads to its end without a
	// document type and within the bound of nesting.
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		v := payload.ReadXML(b, depth)
		if !v.Passes() {
			require.Equal(t, policy.Deny, v.Effect)
			require.NotEmpty(t, v.Reason)
			return
		}
		d, open, roots := xml.NewDecoder(strings.NewReader(string(b))), 0, 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			switch token := token.(type) {
			case xml.StartElement:
				require.LessOrEqual(t, len(token.Attr), payload.MaxAttributes)
				if open++; open == 1 {
					roots++
				}
				require.LessOrEqual(t, open, depth)
			case xml.EndElement:
				open--
			case xml.Directive:
				require.Fail(t, "a document type was accepted")
			}
		}
		require.Equal(t, 1, roots)
	})
}
