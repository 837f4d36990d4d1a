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
func (b *builder) http(h *HTTP) {
	r := b.r
	h.QueryKeys, h.Ctype = b.queryKeys(), b.ctype()
	h.InspectedBytes = r.Body.Inspected
	h.PartiallyInspected = partial(r.Body)
	h.StrippedFields = b.o.Stripped
	if r.Body.Size >= 0 {
		b.room.size = r.Body.Size
		h.ReqBytes = &b.room.size
	}
	if resp := r.Response; resp != nil {
		h.InspectedBytes += int64(len(resp.Body.Bytes))
		h.PartiallyInspected = h.PartiallyInspected || partial(resp.Body)
	}
}

func partial(body policy.Body) bool { return len(body.Bytes) > 0 && !body.Whole }

// path returns the request's path with pseudonyms for everything that is not a
// word of the contract. Filled is the template, with pseudonyms for its parameters.
func (b *builder) path(filled string) string {
	if b.operation != nil {
		return b.sieve.text("http.path", filled, maxLong)
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

// parameter returns the pseudonym of a path parameter.
func (b *builder) parameter(p part) string {
	for _, given := range b.r.Match.Params {
		switch {
		case given.Name != p.parameter:
		case p.kind == TypeAccount:
			return b.account(given.Value)
		default:
			return b.options.Pseudonyms.Of(p.kind, given.Value)
		}
	}
	return "{" + p.parameter + "}"
}

func (b *builder) queryKeys() []string {
	if len(b.r.Query) == 0 {
		return nil
	}
	if len(b.r.Query) == 1 {
		if alone, declared := b.words.parameters[b.r.Query[0].Name]; declared {
			return alone
		}
	}
	keys := make([]string, 0, min(len(b.r.Query), maxKeys)+1)
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
	values := b.r.Header["Content-Type"]
	if len(values) == 0 || values[0] == "" {
		return ""
	}
	value := values[0]
	media, _, _ := strings.Cut(value, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if _, known := b.words.media[media]; !known {
		return other
	}
	return media
}
