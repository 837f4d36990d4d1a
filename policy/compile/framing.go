package compile

import (
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// addBodyFraming adds the rule by which in.frame judges the chunks and the trailer of a
// body beside the one that judges the head. It holds no body: chunks are judged while
// they pass, and the connection ends with the first that is at fault.
func (p *planned) addBodyFraming(head *policy.Rule) {
	rule := *head
	rule.Phase, rule.Check = policy.BodyPhase, message.FrameOfBody{}
	p.operation.Rules = append(p.operation.Rules, &rule)
}
