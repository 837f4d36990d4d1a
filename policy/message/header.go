package message

import (
	"context"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// HeaderOptions say which header fields of requests mean something, and to whom. Names
// are taken without regard to case. Each list may be empty.
type HeaderOptions struct {
	// Own are fields that the sidecar alone sends to the backend, Reserved those that
	// the gateway alone sends.
	Own, Reserved []string
	// Vouched permits requests that proved to have come through the gateway, which may
	// have the reserved fields. Nil: nobody may.
	Vouched policy.Check
	// Judged are the fields that other controls judge, or that are handed on as the word
	// of somebody who is believed. Respelt are those of them of which another control
	// denies other spellings.
	Judged, Respelt []string
	// Single are fields that may occur once, and of which no other control says so.
	Single []string
	// Pass are fields of [policy.Overriding] or [Forwarding] that clients may send.
	Pass []string
	// Hops are the peers whose word about the client counts; AnyHop believes every peer.
	Hops   Hops
	AnyHop bool
}

// Header is the check of in.hdr: no field of the request pretends to be the word of
// somebody else, asks for another request than the request line does, or takes away a
// field that counts.
//
// Rule: it is denied with the first of these that applies, [policy.HeaderConnection] and
// [policy.HeaderDuplicate] first, for which nothing can be taken away so that the rest of
// the request means what it says. For the others, see [Stripped], Strip names what to
// take away. A detail is the name of a field that is configured or built in, never one
// of the client's.
//
// A field is compared with the ones that mean something as CGI does (RFC 3875 section
// 4.1.18): without regard to case, and a dash is an underscore.
type Header struct {
	fields  map[string]*field // by folded name
	longest int               // of those names
	pass    []string
	single  []string
	vouched policy.Check
	hops    Hops
	anyHop  bool
}

var (
	_ policy.Check    = (*Header)(nil)
	_ policy.Stripper = (*Header)(nil)
)

// field is what is known of a name and its other spellings.
type field struct {
	name                                 string // canonical, for details
	own, reserved, overriding, forwarded bool
	counts                               bool     // for another control, or by definition
	spellings                            []string // the canonical ones that mean it; nil: no other spelling is looked for
}

// NewHeader returns the check.
func NewHeader(o HeaderOptions) *Header {
	h := &Header{
		fields: map[string]*field{}, pass: canonical(o.Pass), single: canonical(o.Single), vouched: o.Vouched,
		hops: o.Hops, anyHop: o.AnyHop,
	}
	for _, name := range append(canonical(o.Judged), always()...) {
		f := h.field(name)
		f.counts, f.spellings = true, append(f.spellings, name)
	}
	for _, name := range canonical(o.Respelt) {
		h.field(name).spellings = nil
	}
	for _, name := range canonical(o.Own) {
		h.field(name).own = true
	}
	for _, name := range canonical(o.Reserved) {
		f := h.field(name)
		f.reserved, f.spellings = true, append(f.spellings, name)
	}
	for _, name := range policy.Overriding() {
		h.field(name).overriding = true
	}
	for _, name := range Forwarding() {
		f := h.field(name)
		f.forwarded, f.spellings = true, append(f.spellings, name)
	}
	return h
}

func canonical(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = http.CanonicalHeaderKey(name)
	}
	return all
}

func (h *Header) field(name string) *field {
	key := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	f := h.fields[key]
	if f == nil {
		f = &field{name: name}
		h.fields[key], h.longest = f, max(h.longest, len(key))
	}
	return f
}

// lookup returns what is known of a name; nil if nothing is.
func (h *Header) lookup(name string) *field {
	if len(name) <= h.longest {
		var space [64]byte
		key := space[:0]
		for i := range len(name) {
			key = append(key, policy.FoldVariable(name[i]))
		}
		if f := h.fields[string(key)]; f != nil {
			return f
		}
	}
	if len(name) > len(forwardedPrefix) && policy.SameVariable(name[:len(forwardedPrefix)], forwardedPrefix) {
		return anyForwarded(name)
	}
	return nil
}

// Check implements [policy.Check].
func (h *Header) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	if f := h.taken(r.Hop.Connection); f != nil {
		return policy.Denied(policy.HeaderConnection, f.name)
	}
	for _, name := range h.single {
		if len(r.Header[name]) > 1 {
			return policy.Denied(policy.HeaderDuplicate, name)
		}
	}
	worst := policy.Permitted()
	var v vouching
	for name := range r.Header {
		if reason, detail := h.judge(ctx, r, name, &v); reason != "" {
			worst = worse(worst, reason, detail)
		}
	}
	if len(r.Hop.Upgrade) > 0 && !r.Upgrades() {
		worst = worse(worst, policy.HeaderUpgrade, protocolOf(r.Hop.Upgrade))
	}
	if len(r.Hop.Trailer) > 0 {
		worst = worse(worst, policy.HeaderTrailer, "")
	}
	return worst
}

// Strip implements [policy.Stripper].
func (h *Header) Strip(r *policy.Request) []string {
	var names []string
	var v vouching
	for name := range r.Header {
		if reason, _ := h.judge(context.Background(), r, name, &v); reason != "" {
			names = append(names, name)
		}
	}
	if len(r.Hop.Upgrade) > 0 && !r.Upgrades() {
		names = append(names, "Upgrade")
	}
	if len(r.Hop.Trailer) > 0 {
		names = append(names, "Trailer")
	}
	slices.Sort(names)
	return names
}

// Stripped are the reasons for which a request is not blocked where in.hdr enforces,
// because Strip takes away what they are about; the gravest first.
func Stripped() []policy.Reason {
	return []policy.Reason{
		policy.HeaderReserved, policy.HeaderSpelling, policy.HeaderOverride, policy.HeaderUpgrade,
		policy.HeaderForwarding, policy.HeaderTrailer,
	}
}

// worse returns the graver of two denials, and of two equally grave ones the same
// whatever order the fields come in.
func worse(v policy.Verdict, reason policy.Reason, detail string) policy.Verdict {
	if v.Effect == policy.Deny {
		order := slices.Index(Stripped(), v.Reason) - slices.Index(Stripped(), reason)
		if order < 0 || order == 0 && v.Detail <= detail {
			return v
		}
	}
	return policy.Denied(reason, detail)
}

// judge returns why one field must not reach the backend, and its name as it is known
// here; "" if it may.
func (h *Header) judge(ctx context.Context, r *policy.Request, name string, v *vouching) (reason policy.Reason, detail string) {
	f := h.lookup(name)
	switch {
	case f == nil, slices.Contains(h.pass, name):
		return "", ""
	case f.own, f.reserved && !h.vouches(ctx, r, v):
		return policy.HeaderReserved, f.name
	case f.overriding:
		return policy.HeaderOverride, f.name
	case f.forwarded && !h.anyHop && !h.hops.Trusts(r.Peer.Addr):
		return policy.HeaderForwarding, f.name
	case len(f.spellings) > 0 && !slices.Contains(f.spellings, name):
		return policy.HeaderSpelling, f.name
	}
	return "", ""
}

// vouching is whether the gateway vouches for a request. It is asked at most once: a
// proof may be a signature, and a client chooses how many fields ask for it.
type vouching struct{ asked, holds bool }

func (h *Header) vouches(ctx context.Context, r *policy.Request, v *vouching) bool {
	if !v.asked {
		v.asked = true
		v.holds = h.vouched != nil && h.vouched.Check(ctx, r).Effect == policy.Permit
	}
	return v.holds
}

// taken returns a field that lines of Connection take away although it counts; nil if
// they take none. Other names are harmless: what nobody knows, nobody misses.
func (h *Header) taken(lines []string) *field {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if f := h.lookup(textproto.TrimString(option)); f != nil {
				return f
			}
		}
	}
	return nil
}

// protocolOf returns which well-known protocol is asked for; "" for others. That h2c is
// among several is what to know of them: it would carry requests that nobody judges.
func protocolOf(lines []string) string {
	known := ""
	for _, line := range lines {
		for protocol := range strings.SplitSeq(line, ",") {
			switch protocol = textproto.TrimString(protocol); {
			case strings.EqualFold(protocol, "h2c"):
				return "h2c"
			case strings.EqualFold(protocol, "websocket"):
				known = "websocket"
			}
		}
	}
	return known
}

// always are fields that others judge, or by which they tell what a request is, in every
// configuration. None of them passes one hop alone.
func always() []string {
	return []string{
		"Access-Control-Request-Method", "Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
		"Dpop", "Expect", "Host", "Origin", "Transfer-Encoding",
	}
}

// forwardedPrefix begins the names of a family that everybody adds to.
const forwardedPrefix = "X-Forwarded-"

// anyForwarded is what is known of a name of that family. The client made its end, so
// that is in no detail.
func anyForwarded(name string) *field {
	f := &field{name: "X-Forwarded-*", forwarded: true, spellings: []string{name}}
	if strings.Contains(name, "_") {
		f.spellings[0] = strings.ReplaceAll(name, "_", "-")
	}
	return f
}

// Forwarding returns the names of header fields in which proxies say whom they took a
// request from, in the canonical form of net/http, but for the many that begin with
// X-Forwarded- and belong to them, too.
func Forwarding() []string {
	return []string{
		"Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Client-Ip", "Fastly-Client-Ip", "Forwarded", "True-Client-Ip", "X-Azure-Clientip",
		"X-Client-Ip", "X-Cluster-Client-Ip", "X-Envoy-External-Address", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Uri",
		"X-Original-Forwarded-For", "X-Original-Host", "X-Originating-Ip", "X-Real-Ip", "X-Remote-Addr", "X-Remote-Ip",
	}
}

// Knows tells of a name, in any spelling, whether fields of it are taken away from
// somebody's requests, and whether they count for another control or by definition.
func (h *Header) Knows(name string) (takes, counts bool) {
	f := h.lookup(name)
	if f == nil {
		return false, false
	}
	takes = f.own || f.reserved || f.overriding || f.forwarded
	return takes, f.counts
}
