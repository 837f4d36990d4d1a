package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

func TestModeFieldIsTheOneThatDecides(t *testing.T) {
	c, err := config.Parse("f.yaml", []byte(`version: 1
product: p
listen: {address: "127.0.0.1:8080"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: a}
controls: {tok: "off", az: "off", in: enforce, in.size: shadow}
operations:
  a:
    controls: {in.size: "off"}
  "GET /b": {controls: {in: shadow}}
`), config.Env{})
	require.NoError(t, err)
	for _, row := range []struct {
		operation, control, field, place string
		mode                             config.Mode
	}{
		{"", "rate.app", "mode", "", config.Shadow},
		{"", "tok.sig", "controls.tok", "f.yaml:6", config.Off},
		{"", "in.size", `controls["in.size"]`, "f.yaml:6", config.Shadow},
		{"a", "in.size", `operations.a.controls["in.size"]`, "f.yaml:9", config.Off},
		{"a", "in.route", "controls.in", "f.yaml:6", config.Enforce},
		{"GET /b", "in.size", `operations["GET /b"].controls.in`, "f.yaml:10", config.Shadow},
		{"nowhere", "in.route", "controls.in", "f.yaml:6", config.Enforce},
	} {
		field := c.ModeField(row.operation, row.control)
		assert.Equal(t, row.field, field, "%v", row)
		assert.Equal(t, row.mode, c.ControlMode(row.operation, row.control), "%v", row)
		place, ok := c.Place(field)
		assert.Equal(t, row.place, place, "%v", row)
		assert.Equal(t, row.place != "", ok, "a default has no place")
	}
}
