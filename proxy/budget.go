package proxy

import "sync/atomic"

// budget bounds the body bytes that are held at one time. The zero value lends
// nothing.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take lends n bytes and reports whether they were there.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// give returns n bytes.
func (b *budget) give(n int64) { b.used.Add(-n) }
