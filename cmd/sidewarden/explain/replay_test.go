package explain

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

func TestHowATokenMayBeUsedIsExplained(t *testing.T) {
	t.Parallel()
	o := options(t, public+"token: {replay: {mode: same_sender}}\noperations: {listOrders: {replay: single_use}}\n")
	for _, c := range []struct {
		name, key string
		token     policy.Token
		sender    policy.Sender
		want      []Input
	}{
		{"by a certificate", "", policy.Token{ID: "jti"}, policy.Sender{Certificate: "c", Key: "k"}, []Input{{"token's jti", "****"}, {}, {"sender known by", "client certificate"}}},
		{"by a key", "", policy.Token{ID: "jti"}, policy.Sender{Key: "k"}, []Input{{"token's jti", "****"}, {}, {"sender known by", "key of the DPoP proof"}}},
		{"by the network alone", "", policy.Token{}, policy.Sender{}, []Input{{"token's jti", "none"}, {}, {"sender known by", "network of the peer"}}},
		{"once", "listOrders", policy.Token{ID: "jti"}, policy.Sender{Key: "k"}, []Input{{"token's jti", "****"}, {}}},
	} {
		r := &policy.Request{Auth: policy.Authentication{Token: &c.token, SentBy: &c.sender}}
		v := &view{cfg: o.Config, r: r, key: c.key, settings: o.Config.Operations[c.key]}
		got := v.inputs(policy.TokReplay)
		assert.Len(t, got, len(c.want), c.name)
		use, field := config.ReplaySameSender, "token.replay.mode"
		if c.key != "" {
			use, field = config.ReplaySingleUse, "operations.listOrders.replay"
		}
		place, known := o.Config.Place(field)
		assert.True(t, known)
		c.want[1] = Input{"may be used", use + " (" + place + ", " + field + ")"}
		assert.Equal(t, c.want, got, c.name)
	}
}
