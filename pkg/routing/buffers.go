package routing

import "sync"

// buffers lends out the buffers of bodies on their way.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10 // bytes; as io.Copy takes

// Get implements [httputil.BufferPool].
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf[:]
	}
	return make([]byte, bufferSize)
}

// Put implements [httputil.BufferPool].
func (b *buffers) Put(buf []byte) {
	if len(buf) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(buf))
	}
}
