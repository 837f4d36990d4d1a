package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/audit"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	var ids audit.IDs
	first, second, later := ids.New(at), ids.New(at), ids.New(at.Add(time.Millisecond))
	assert.Regexp(t, "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", first)
	assert.NotEqual(t, first, second)
	assert.Equal(t, first[:10], second[:10])
	assert.Less(t, first, later)
}
