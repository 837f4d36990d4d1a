package demo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
	"github.com/sidewarden/sidewarden/config"
)

// limitsOf returns the limits of the configuration by name.
func limitsOf(t *testing.T) map[string]config.Limit {
	t.Helper()
	text, err := demo.RenderConfig(true)
	require.NoError(t, err)
	c, err := config.Parse("sidewarden.yaml", text, exampleKey())
	require.NoError(t, err)
	all := map[string]config.Limit{}
	for _, l := range c.Limits {
		all[l.Name] = l
	}
	return all
}

// TestTheLimitsAreThoseThatTheStormsExceed ties the numbers of the configuration to
// those of the traffic.
func TestTheLimitsAreThoseThatTheStormsExceed(t *testing.T) {
	limits := limitsOf(t)
	for _, c := range []struct {
		name, operation string
		want            demo.Bound
	}{
		{"meters-per-application", "listMeters", demo.MetersOfApp()},
		{"meters-per-customer", "listMeters", demo.MetersOfCustomer()},
		{"events-per-application", "listEvents", demo.EventsOfApp()},
	} {
		l := limits[c.name]
		assert.Equal(t, []string{c.operation}, l.Operations, c.name)
		assert.Equal(t, c.want.PerSecond(), l.Rate.PerSecond(), c.name)
		assert.Equal(t, c.want.Burst(), l.Burst, c.name)
	}
	assert.Less(t, demo.Share, demo.MetersOfApp().Burst(), "an application keeps to its own limit")
	assert.Greater(t, demo.Gust, time.Second, "longer than the window of the limit")
}

// TestHowManyAreOverALimitAtLeast is what an enforcing sidecar is held to.
func TestHowManyAreOverALimitAtLeast(t *testing.T) {
	limit := demo.EventsOfApp() // 10/s, and 4 at once
	for _, c := range []struct {
		name string
		sent int
		took time.Duration
		want int
	}{
		{"all at once", 60, 0, 56},
		{"the bucket fills meanwhile", 60, time.Second, 46},
		{"a part of a second may let one more through", 60, 1001 * time.Millisecond, 45},
		{"so slow that none is", 60, 10 * time.Second, 0},
		{"within the burst", 4, 0, 0},
	} {
		assert.Equal(t, c.want, limit.Due(c.sent, c.took), c.name)
	}
}
