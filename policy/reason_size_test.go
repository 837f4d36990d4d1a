package policy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestReasonsWithAStatusOfTheirOwn(t *testing.T) {
	t.Parallel()
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, policy.HeaderTooLarge.Status())
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, policy.HeaderTooManyFields.Status())
	assert.Zero(t, policy.BodyTooLarge.Status(), "the status of its control")
}
