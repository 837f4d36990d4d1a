package message_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// FuzzHeader reads any name, and any line of Connection and Upgrade. Whatever is taken away
// leaves nothing that stripping answers; an option of Connection that counts is found in
// any company; and no detail is of the client's making.
func FuzzHeader(f *testing.F) {
	for _, seed := range [][3]string{
		{"X-Account-Id", "close", "h2c"}, {"x_forwarded_for", "keep-alive, TE", "websocket"}, {"X-Forwarded-\xff_", ",,\t,", " , "}, {"", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	h := message.NewHeader(options())
	details := []string{"", "websocket", "h2c", "X-Forwarded-*"}
	details = append(details, append(message.Forwarding(), policy.Overriding()...)...)
	details = append(details, "X-Account-Id", "X-Api-Key", "Tenant_name", "X-User-Id", "X-Verified-Client", "Access-Control-Request-Method",
		"Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Dpop", "Expect", "Host", "Origin", "Transfer-Encoding")
	f.Fuzz(func(t *testing.T, name, connection, upgrade string) {
		r := lines(client)
		r.Header[name] = []string{"v"}
		r.Hop.Connection, r.Hop.Upgrade = []string{connection}, []string{upgrade}
		v := h.Check(t.Context(), r)
		assert.Contains(t, details, v.Detail)
		assert.Contains(t, h.Strip(r), "Upgrade", "no operation allows one")
		if !strings.ContainsAny(connection, ",") {
			company := *r
			company.Hop.Connection = []string{"a," + connection + ",b"}
			assert.Equal(t, v.Reason == policy.HeaderConnection, h.Check(t.Context(), &company).Reason == policy.HeaderConnection)
		}
		r.Hop = policy.Hop{}
		for _, gone := range h.Strip(r) {
			delete(r.Header, gone)
		}
		assert.Equal(t, policy.Permitted(), h.Check(t.Context(), r))
	})
}
