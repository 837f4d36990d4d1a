package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// What AllowInPath can hold.
const (
	// AllowEncodedSlash allows %2F in a segment of the path.
	AllowEncodedSlash = "encoded-slash"
	// AllowParameter allows a semicolon in the path.
	AllowParameter = "parameter"
	// AllowEmptySegment allows several slashes in a row in the path.
	AllowEmptySegment = "empty-segment"
)

// Message tells what the head of a request may be.
type Message struct {
	MaxTargetBytes  Size     `yaml:"max_target_bytes" default:"8KiB" positive:"true" doc:"Longest target of a request, path and query together. Control in.path judges it, and answers 414."`
	AllowInPath     []string `yaml:"allow_in_path" enum:"encoded-slash|parameter|empty-segment" doc:"What paths may have although servers read it differently, because the backend asks for it and reads it as the contract does: encoded-slash, %2F in a parameter of the path; parameter, a semicolon; empty-segment, several slashes in a row, not at the beginning. None of them allows a dot segment. Default: nothing, and control in.path denies all three."`
	MaxHeaderBytes  Size     `yaml:"max_header_bytes" default:"16KiB" positive:"true" doc:"Largest request line and header fields together, as they are forwarded. Control in.size judges it; listen.max_head_bytes is what the process takes at all."`
	MaxHeaderFields int      `yaml:"max_header_fields" default:"100" min:"1" doc:"Most header fields. One that is sent several times counts as often. Control in.size judges it."`
}

// message checks what a head may be, and the names of hosts.
func (v *validator) message() {
	if most, taken := v.c.Message.MaxHeaderBytes, v.c.Listen.MaxHeadBytes; most > taken {
		v.add("message.max_header_bytes", fmt.Sprintf("is %s, and no head over %s (listen.max_head_bytes) is taken at all: nothing would be judged by it", most, taken),
			"lower it, or raise listen.max_head_bytes")
	}
	if target, head := v.c.Message.MaxTargetBytes, v.c.Listen.MaxHeadBytes; target > head && head > 0 {
		v.add("message.max_target_bytes", fmt.Sprintf("%s is more than listen.max_head_bytes, %s, which ends every head before", target, head),
			"write a smaller one, or raise listen.max_head_bytes")
	}
	for i, host := range v.c.Listen.Hosts {
		path := fmt.Sprintf("listen.hosts[%d]", i)
		switch {
		case !isHost(host):
			v.add(path, v.named(path, host)+" is not the name of a host", "write for example api.example.net or *.example.net, without scheme and port")
		case slices.ContainsFunc(v.c.Listen.Hosts[:i], func(before string) bool { return strings.EqualFold(before, host) }):
			v.add(path, v.named(path, host)+" is given twice", "remove one")
		}
	}
}

// isHost reports whether s names a host: a DNS name, in which underscores count, also
// with an asterisk for its first label, or an address.
func isHost(s string) bool {
	const longest, longestLabel = 253, 63
	name, wild := strings.CutPrefix(s, "*.")
	inner, bracketed := strings.CutPrefix(name, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	switch {
	case bracketed || closed || err == nil:
		return err == nil && !wild && addr.Zone() == "" && bracketed == closed && (!bracketed || addr.Is6())
	case len(s) > longest:
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > longestLabel {
			return false
		}
		for _, r := range label {
			if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}
