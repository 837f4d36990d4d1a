package config_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

func TestQuotedIsPlainWhereItMayBe(t *testing.T) {
	for in, want := range map[string]string{
		"createOrder": "createOrder", "X-Account-Id": "X-Account-Id", "a_b": "a_b", "": `""`,
		"true": `"true"`, "Off": `"Off"`, "17": `"17"`, "-": `"-"`, "orders:read": `"orders:read"`, "a # b": `"a # b"`,
		"a\nb: c": `"a\x0ab: c"`, `"\`: `"\"\\"`, "é": `"\xe9"`, "\u2028": `"\u2028"`, "\U0001f512": `"\U0001f512"`,
	} {
		got, ok := config.Quoted(in)
		require.True(t, ok, "%q", in)
		assert.Equal(t, want, got, "%q", in)
	}
	for _, in := range []string{"${env:HOME}", "a${", "\xff"} {
		_, ok := config.Quoted(in)
		assert.False(t, ok, "%q", in)
	}
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"a", "\x00", "\u0085", "\ufeff", "'", "!!binary", "&a", "*a", "- a", "${env:A}", "a\r\n# b", "\U0010ffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<10 {
			return
		}
		q, ok := config.Quoted(s)
		require.Equal(t, utf8.ValidString(s) && !strings.Contains(s, "${"), ok)
		if !ok {
			return
		}
		// As a value and, unless it is empty, as a key: both are read back.
		text := "version: 1\nproduct: p\nenvironment: " + q + "\nlisten: {address: \"127.0.0.1:8080\"}\nbackend: {url: \"http://127.0.0.1:9000\"}\n" +
			"spec: {file: a}\ncontrols: {tok: off, az: off}\n"
		if s != "" && !strings.Contains(s, " ") {
			text += "operations: {" + q + ": {scopes: [[" + q + "]]}}\n"
		}
		c, err := config.Parse("f.yaml", []byte(text), config.Env{})
		if err != nil {
			require.ErrorContains(t, err, "has a space in it", "%q", text) // a scope can not have one
			return
		}
		require.Equal(t, s, c.Environment)
		for key, op := range c.Operations {
			require.Equal(t, s, key)
			require.Equal(t, [][]string{{s}}, op.Scopes)
		}
	})
}
