package proxy

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTee(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name            string
		body            io.Reader
		limit, declared int64
		memory          int64
		want            passed
	}{
		{"whole", strings.NewReader("abc"), 10, 3, 1 << 20, passed{bytes: []byte("abc"), size: 3, whole: true, ended: true}},
		{"whole, length unknown", strings.NewReader("abc"), 10, -1, 1 << 20, passed{bytes: []byte("abc"), size: 3, whole: true, ended: true}},
		{"exactly the limit", strings.NewReader("abc"), 3, -1, 1 << 20, passed{bytes: []byte("abc"), size: 3, whole: true, ended: true}},
		{"over the limit", strings.NewReader("abcd"), 3, -1, 1 << 20, passed{size: 4, ended: true}},
		{"declared over the limit", strings.NewReader("abcd"), 3, 4, 1 << 20, passed{size: 4, ended: true}},
		{"no copy wanted", strings.NewReader("abc"), 0, 3, 1 << 20, passed{size: 3, ended: true}},
		{"no memory", strings.NewReader("abc"), 10, 3, 2, passed{size: 3, ended: true}},
		{"broken", io.MultiReader(strings.NewReader("a"), iotest.ErrReader(broken)), 10, 3, 1 << 20, passed{bytes: []byte("a"), size: 1, err: broken}},
		{
			"byte by byte", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 20000))), 1 << 20, -1, 1 << 20,
			passed{bytes: []byte(strings.Repeat("x", 20000)), size: 20000, whole: true, ended: true},
		},
	} {
		held := &budget{limit: c.memory}
		in := newTee(io.NopCloser(c.body), c.limit, c.declared, held)
		_, _ = io.Copy(io.Discard, in)
		got := in.seal()
		assert.Equal(t, c.want.bytes, nilIfEmpty(got.bytes), c.name)
		got.bytes, c.want.bytes = nil, nil
		assert.Equal(t, c.want, got, c.name)
		assert.LessOrEqual(t, held.used.Load(), c.memory, c.name)
		in.release()
		assert.Zero(t, held.used.Load(), c.name)
	}
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// A client that declares much and sends little holds little.
func TestTeeReservesWhatCame(t *testing.T) {
	t.Parallel()
	held := &budget{limit: 1 << 30}
	in := newTee(io.NopCloser(strings.NewReader("x")), 1<<20, 1<<20, held)
	_, _ = in.Read(make([]byte, 10))
	assert.LessOrEqual(t, held.used.Load(), int64(firstCopy))
}

// The transport may go on reading after the handler is done: the copy must not.
func TestTeeIsSealed(t *testing.T) {
	t.Parallel()
	held := &budget{limit: 1 << 20}
	in := newTee(io.NopCloser(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 5000)))), 1<<20, -1, held)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(io.Discard, in) })
	got := in.seal()
	before := bytes.Clone(got.bytes)
	wg.Wait()
	assert.Equal(t, before, got.bytes)
	in.release()
	assert.Zero(t, held.used.Load())
}

func FuzzTee(f *testing.F) {
	f.Add([]byte("hello"), int64(3), int64(-1), 2)
	f.Fuzz(func(t *testing.T, body []byte, limit, declared int64, chunk int) {
		held := &budget{limit: 1 << 16}
		in := newTee(io.NopCloser(bytes.NewReader(body)), limit, declared, held)
		var through bytes.Buffer
		_, err := io.CopyBuffer(struct{ io.Writer }{&through}, struct{ io.Reader }{in}, make([]byte, 1+(chunk&1023)))
		require.NoError(t, err)
		require.Equal(t, body, append([]byte{}, through.Bytes()...), "what is forwarded is what came")
		got := in.seal()
		require.EqualValues(t, len(body), got.size)
		if got.whole {
			require.Equal(t, body, append([]byte{}, got.bytes...), "what is inspected is what is forwarded")
		}
		require.LessOrEqual(t, held.used.Load(), held.limit)
		in.release()
		require.Zero(t, held.used.Load())
	})
}
