package ecma

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLibraryCompilesAnExpressionOnce(t *testing.T) {
	l := NewLibrary()
	first, over, err := l.Compile("^a+b?a$")
	require.NoError(t, err)
	require.False(t, over)
	spent := l.spent
	again, _, err := l.Compile("^a+b?a$")
	require.NoError(t, err)
	assert.Same(t, first, again)
	_, _, err = l.Compile("(")
	require.Error(t, err)
	_, _, again2 := l.Compile("(")
	assert.Equal(t, err, again2)
	assert.Equal(t, spent.bytes, l.spent.bytes)
}

func TestLibraryTellsOnceThatPatternsCostTooMuch(t *testing.T) {
	for _, most := range []cost{{bytes: 1_000, steps: 1 << 20}, {bytes: 1 << 20, steps: 50}} {
		l := NewLibrary()
		l.most = most
		first, over, err := l.Compile("^a+$")
		require.NoError(t, err)
		require.False(t, over)
		require.NotNil(t, first)
		p, over, err := l.Compile("(a|bc){1,20}d(e|f)")
		require.NoError(t, err)
		assert.True(t, over)
		assert.Nil(t, p)
		p, over, err = l.Compile("^c$")
		require.NoError(t, err)
		assert.False(t, over)
		assert.Nil(t, p)
		known, _, _ := l.Compile("^a+$")
		assert.Same(t, first, known)
	}
}
