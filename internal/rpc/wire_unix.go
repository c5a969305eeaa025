//go:build unix

package rpc

import (
	"errors"
	"net"
	"syscall"
)

// NowWriter writes to one connection without waiting, one write at a time. What a
// write needs is made once.
type NowWriter struct {
	raw syscall.RawConn // nil: what cannot be waited for is not known here
	try func(fd uintptr) bool

	b   []byte // is being written
	n   int
	err error
}

// NewNowWriter returns a NowWriter for a connection, which may close meanwhile.
func NewNowWriter(c net.Conn) *NowWriter {
	w := &NowWriter{}
	if sc, ok := c.(syscall.Conn); ok {
		w.raw, w.err = sc.SyscallConn()
	}
	w.try = func(fd uintptr) bool {
		w.n, w.err = syscall.Write(int(fd), w.b)
		return true
	}
	return w
}

// Write writes as much of b as the system takes without waiting.
func (w *NowWriter) Write(b []byte) (int, error) {
	if w.raw == nil {
		return 0, w.err
	}
	w.b = b
	err := w.raw.Write(w.try)
	w.b = nil // it may be large, and the next write far
	if err != nil {
		return 0, err
	}
	if errors.Is(w.err, syscall.EAGAIN) || errors.Is(w.err, syscall.EINTR) {
		w.err = nil
	}
	return max(w.n, 0), w.err
}
