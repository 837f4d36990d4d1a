package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/config"
)

func TestByteRates(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]config.ByteRate{"1KiB/s": 1 << 10, "100/s": 100, "100B/s": 100, "2MiB/s": 2 << 20, "0/s": 0} {
		var got config.ByteRate
		require.NoError(t, yaml.Load([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"1KiB", "1024", "1KiB/m", "/s", "1 KiB/s", "-1/s", "1KB/s", "1KiB/s/s", "1e3/s", "[1]", "true"} {
		var got config.ByteRate
		assert.Error(t, yaml.Load([]byte(in), &got), in)
	}
	assert.Equal(t, "3KiB/s", config.ByteRate(3<<10).String())
}

func FuzzByteRate(f *testing.F) {
	seeds(f, "1KiB/s", "0/s", "999999999GiB/s", "1536B/s", "1/s/s", "x")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		roundTrip(t, in, config.ParseByteRate, config.Pattern(new(config.ByteRate)), false)
	})
}
