package payload

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/policy"
)

// MaxAttributes is how many attributes one XML element may have.
const MaxAttributes = 256

const xinclude = "http://www.w3.org/2001/XInclude"

// ReadXML reads a whole XML document and returns the verdict of in.wellformed.
// Beyond well-formedness (XML 1.0, section 2.1) it refuses a document type, any
// entity but the five predefined ones, a processing instruction other than the
// XML declaration at the start, an element of XInclude, a declared encoding
// other than UTF-8 and a byte order mark. MaxDepth is how deep elements may
// nest; a single element has depth 1. Details name the kind of fault.
func ReadXML(b []byte, maxDepth int) policy.Verdict {
	if !utf8.Valid(b) {
		return policy.Denied(policy.XMLSyntax, "encoding")
	}
	source := &xmlSource{unread: b}
	r := xmlReader{decoder: xml.NewDecoder(source), source: source, maxDepth: maxDepth}
	return verdictOf(r.document(b))
}

// errAttributes ends the reading of an element.
var errAttributes = &fault{policy.XMLTooDeep, "attributes, " + limit(MaxAttributes)}

// xmlSource gives a document to the decoder byte by byte, and stops it inside an element
// that has too many attributes: the decoder would first gather them all.
type xmlSource struct {
	unread     []byte
	inElement  bool // what is read is the start of an element
	quote      byte // the mark that ends the attribute's value; 0 outside of one
	attributes int  // equals signs outside of values
}

// token tells that the decoder is about to read what b begins with.
func (s *xmlSource) token(b []byte) {
	s.inElement = len(b) > 1 && b[0] == '<' && b[1] != '/' && b[1] != '!' && b[1] != '?'
	s.quote, s.attributes = 0, 0
}

// ReadByte implements [io.ByteReader].
func (s *xmlSource) ReadByte() (byte, error) {
	if len(s.unread) == 0 {
		return 0, io.EOF
	}
	c := s.unread[0]
	s.unread = s.unread[1:]
	if !s.inElement {
		return c, nil
	}
	switch {
	case s.quote != 0:
		if c == s.quote {
			s.quote = 0
		}
	case c == '"' || c == '\'':
		s.quote = c
	case c == '=':
		if s.attributes++; s.attributes > MaxAttributes {
			return 0, errAttributes
		}
	}
	return c, nil
}

// Read implements [io.Reader], which the decoder asks for and does not use.
func (s *xmlSource) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

// xmlReader walks over one document and keeps nothing of it.
type xmlReader struct {
	decoder         *xml.Decoder
	source          *xmlSource
	depth, maxDepth int
	nodes           int  // elements and attributes so far
	rooted          bool // the root element was opened
}

func (r *xmlReader) document(b []byte) error {
	for {
		at := r.decoder.InputOffset()
		r.source.token(b[at:])
		token, err := r.decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && r.rooted:
			return nil
		case errors.Is(err, errAttributes):
			return errAttributes
		case err != nil: // its text quotes the document
			return &fault{policy.XMLSyntax, offset(r.decoder.InputOffset())}
		}
		if err := r.token(token, at); err != nil {
			return err
		}
	}
}

// token judges one token, which began at an offset.
func (r *xmlReader) token(token xml.Token, at int64) error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.element(t)
	case xml.EndElement:
		r.depth--
	case xml.CharData:
		if r.depth == 0 && len(bytes.TrimLeft(t, " \t\r\n")) > 0 {
			return &fault{policy.XMLSyntax, "text outside the root element"}
		}
	case xml.Directive:
		return &fault{policy.XMLDoctype, ""}
	case xml.ProcInst:
		if t.Target != "xml" || at != 0 {
			return &fault{policy.XMLSyntax, "processing instruction"}
		}
	}
	return nil
}

func (r *xmlReader) element(e xml.StartElement) error {
	if r.depth == 0 && r.rooted {
		return &fault{policy.XMLSyntax, "second root element"}
	}
	r.rooted = true
	r.nodes += 1 + len(e.Attr)
	switch r.depth++; {
	case r.depth > r.maxDepth:
		return &fault{policy.XMLTooDeep, limit(r.maxDepth)}
	case r.nodes > MaxMembers:
		return &fault{policy.XMLTooDeep, "elements and attributes, " + limit(MaxMembers)}
	case e.Name.Space == xinclude:
		return &fault{policy.XMLSyntax, "xinclude"}
	}
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr { // the decoder does not look for duplicates
		if seen[a.Name] {
			return &fault{policy.XMLSyntax, "duplicate attribute"}
		}
		seen[a.Name] = true
	}
	return nil
}
