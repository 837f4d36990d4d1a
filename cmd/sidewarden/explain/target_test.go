package explain

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

func TestWhatATargetWasComparedWith(t *testing.T) {
	t.Parallel()
	v := newView(options(t, public), &policy.Request{Target: "/orders", Path: "/orders", Host: "evil.example"})
	assert.Equal(t, []Input{
		{"target", "7 bytes, limit 8KiB (the default of message.max_target_bytes)"}, {"path", "/orders"}, {"hosts", "any"},
	}, v.target())
	o := options(t, public)
	o.Config.Listen.Hosts = []string{"api.example.net", "*.tenants.example.net"}
	o.Config.Message.AllowInPath = []string{config.AllowParameter}
	for host, shown := range map[string]string{"api.example.net": "api.example.net", "evil.example": "****le", "": "none"} {
		v := newView(o, &policy.Request{Target: "/orders", Path: "/orders", Host: host})
		assert.Equal(t, []Input{
			{"target", "7 bytes, limit 8KiB (the default of message.max_target_bytes)"},
			{"path", "/orders"},
			{"allowed in it", "parameter"},
			{"host", shown},
			{"hosts", "api.example.net, *.tenants.example.net (the default of listen.hosts)"},
		}, v.target())
	}
}
