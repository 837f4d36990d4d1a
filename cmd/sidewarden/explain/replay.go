package explain

import (
	"cmp"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// replay tells how the token may be used, and what tells its sender from others.
func (v *view) replay(t *policy.Token) []Input {
	id := "none"
	if t.ID != "" {
		id = v.value(t.ID)
	}
	field := "token.replay.mode"
	if v.settings.Replay != "" {
		field = config.Key("operations", v.key) + ".replay"
	}
	use := cmp.Or(v.settings.Replay, v.cfg.Token.Replay.Mode)
	inputs := []Input{{"token's jti", id}, {"may be used", use + " (" + v.set(field) + ")"}}
	if use != config.ReplaySameSender {
		return inputs
	}
	sender := "network of the peer"
	switch proven := v.r.Auth.Sender(); {
	case proven.Certificate != "":
		sender = "client certificate"
	case proven.Key != "":
		sender = "key of the DPoP proof"
	}
	return append(inputs, Input{"sender known by", sender})
}
