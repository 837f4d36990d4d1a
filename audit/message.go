package audit

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxSegments bounds the path of an unmatched request; the rest is one "…".
const maxSegments = 24

// http describes the message without its contents.
func (b *builder) http(d policy.Decision) HTTP {
	r := b.r
	h := HTTP{
		Method: method(r.Method), Version: version(r.Proto), Path: b.path(),
		QueryKeys: b.queryKeys(), RespBytes: b.o.Sent, Ctype: b.ctype(),
		InspectedBytes:     int64(len(r.Body.Bytes)),
		PartiallyInspected: partial(r.Body),
	}
	if r.Body.Size >= 0 {
		size := r.Body.Size
		h.ReqBytes = &size
	}
	if resp := r.Response; resp != nil {
		h.InspectedBytes += int64(len(resp.Body.Bytes))
		h.PartiallyInspected = h.PartiallyInspected || partial(resp.Body)
	}
	for _, f := range d.Findings {
		h.PartiallyInspected = h.PartiallyInspected || f.Verdict.Reason == policy.NotInspected
	}
	return h
}

func partial(body policy.Body) bool { return len(body.Bytes) > 0 && !body.Whole }

// path returns the request's path with pseudonyms for everything that is not a
// word of the contract.
func (b *builder) path() string {
	if op := b.r.Match.Operation; op != nil {
		return b.sieve.text("http.path", b.fill(op.Template), maxLong)
	}
	segments := strings.SplitN(b.r.Path, "/", maxSegments+1)
	rest := ""
	if len(segments) > maxSegments {
		segments, rest, b.cut = segments[:maxSegments], "/…", true
	}
	var out strings.Builder
	for i, s := range segments {
		if i > 0 {
			out.WriteByte('/')
		}
		_, literal := b.words.segments[s]
		if s == "" || literal {
			out.WriteString(s)
			continue
		}
		out.WriteString(b.options.Pseudonyms.Of(TypePath, decoded(s)))
	}
	return b.sieve.text("http.path", out.String()+rest, maxLong)
}

func decoded(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

// fill puts pseudonyms of the path parameters into a template; a parameter of an
// account rule has the pseudonym that the account has everywhere.
func (b *builder) fill(template string) string {
	var out strings.Builder
	for {
		before, after, open := strings.Cut(template, "{")
		out.WriteString(before)
		name, rest, closed := strings.Cut(after, "}")
		if !open || !closed {
			out.WriteString(after)
			return out.String()
		}
		out.WriteString(b.parameter(name))
		template = rest
	}
}

func (b *builder) parameter(name string) string {
	for _, p := range b.r.Match.Params {
		if p.Name != name {
			continue
		}
		if b.words.isAccount(name) {
			return b.options.Pseudonyms.Of(TypeAccount, p.Value)
		}
		return b.options.Pseudonyms.Of(TypePath, p.Value)
	}
	return "{" + name + "}"
}

func (b *builder) queryKeys() []string {
	var keys []string
	strange := false
	for _, p := range b.r.Query {
		if _, declared := b.words.parameters[p.Name]; !declared {
			strange = true
			continue
		}
		if slices.Contains(keys, p.Name) {
			continue
		}
		if len(keys) == maxKeys {
			b.cut = true
			break
		}
		keys = append(keys, p.Name)
	}
	if strange {
		keys = append(keys, other)
	}
	return keys
}

func (b *builder) ctype() string {
	value := b.r.Header.Get("Content-Type")
	if value == "" {
		return ""
	}
	media, _, _ := strings.Cut(value, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if _, known := b.words.media[media]; !known {
		return other
	}
	return media
}
