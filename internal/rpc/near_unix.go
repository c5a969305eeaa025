//go:build unix

package rpc

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// nearTime is how soon something comes after what was before if it is near, and how
	// long the next is waited for in poll(2).
	nearTime = 2 * time.Millisecond
	// busyTime is how soon it comes if there is no time to wait for it: the other side
	// sends as fast as we are.
	busyTime = 200 * time.Microsecond
	// turnTime is how often others get a turn at least. The runtime takes a goroutine
	// that has not given one for 10 ms for one that does not end.
	turnTime = 5 * time.Millisecond
)

// nearReader reads from one connection. While a few messages come every millisecond,
// it waits for the next in poll(2), on its thread. The runtime's poller would wake
// threads beside it each time, which costs more than to read and handle a message.
// Only one goroutine may use it.
type nearReader struct {
	conn net.Conn
	raw  syscall.RawConn // nil: what may be near is not known here
	try  func(fd uintptr) bool

	last  time.Time // when something came
	paced time.Time // when something came that was near, and not busy
	turn  time.Time // when others had one
	near  bool      // the next is waited for in poll(2)

	p   []byte // is being read into
	n   int
	err error
}

// newNearReader returns a nearReader for a connection, which may close meanwhile.
func newNearReader(c net.Conn) *nearReader {
	r := &nearReader{conn: c}
	sc, ok := c.(syscall.Conn)
	if !ok || runtime.GOMAXPROCS(0) == 1 { // who waits in the system keeps the processor
		return r
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return r
	}
	r.raw = raw
	r.try = func(fd uintptr) bool {
		if r.near {
			r.near = false
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(nearTime/time.Millisecond))
		}
		for {
			if r.n, r.err = syscall.Read(int(fd), r.p); !errors.Is(r.err, syscall.EINTR) {
				return !errors.Is(r.err, syscall.EAGAIN)
			}
		}
	}
	return r
}

// Read implements [io.Reader].
func (r *nearReader) Read(p []byte) (int, error) {
	if r.raw == nil {
		return r.conn.Read(p)
	}
	if r.near && r.last.Sub(r.turn) > turnTime {
		r.turn = r.last
		runtime.Gosched()
	}
	r.p = p
	err := r.raw.Read(r.try)
	r.p = nil
	switch {
	case err != nil:
		return 0, r.failed(err)
	case r.err != nil:
		return 0, r.failed(os.NewSyscallError("read", r.err))
	case r.n == 0:
		return 0, io.EOF
	}
	r.came(time.Now())
	return r.n, nil
}

// came notes that something came.
func (r *nearReader) came(now time.Time) {
	if gap := now.Sub(r.last); gap >= busyTime && gap < nearTime {
		r.paced = now
	}
	r.last = now
	r.near = now.Sub(r.paced) < nearTime
}

// failed returns an error as [net.Conn] would.
func (r *nearReader) failed(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	return &net.OpError{Op: "read", Net: r.conn.LocalAddr().Network(), Source: r.conn.LocalAddr(), Addr: r.conn.RemoteAddr(), Err: err}
}
