//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package rpc

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// threadConn is a TCP connection whose reader waits in poll(2), on a thread that it
// keeps meanwhile. The runtime's poller, which waits for all others, would wake two
// threads for each message: one that learns of it, and one that may help. Only one
// goroutine may read it.
type threadConn struct {
	file          *os.File        // which the runtime's poller does not know
	raw           syscall.RawConn // of file
	local, remote net.Addr
	closed        atomic.Bool

	try func(fd uintptr) bool // reads once there is something
	p   []byte                // is being read into
	n   int
	err error
}

// onThread returns what takes the place of c, which is not used any more then, or c
// if it is no TCP connection. Where there is one processor, who waits in the system
// would keep it from the others, so that c stays there, too.
func onThread(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok || runtime.GOMAXPROCS(0) == 1 {
		return c
	}
	file, err := unpolled(tcp)
	if err != nil {
		return c
	}
	t := &threadConn{file: file, local: tcp.LocalAddr(), remote: tcp.RemoteAddr()}
	if t.raw, err = file.SyscallConn(); err != nil {
		_ = file.Close()
		return c
	}
	_ = tcp.Close() // the connection lives on in file
	t.try = func(fd uintptr) bool {
		t.n, t.err = waiting(fd, unix.POLLIN, func() (int, error) { return syscall.Read(int(fd), t.p) })
		return true
	}
	return t
}

// unpolled returns a connection as a file that the runtime's poller does not know.
// Both never block.
func unpolled(c *net.TCPConn) (*os.File, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var file *os.File
	cerr := raw.Control(func(old uintptr) {
		var fd int
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return
		}
		if err = unix.SetNonblock(fd, false); err != nil { // for the poller takes a file that does not block
			_ = unix.Close(fd)
			return
		}
		file = os.NewFile(uintptr(fd), "connection")
		err = unix.SetNonblock(fd, true)
	})
	return file, errors.Join(cerr, err)
}

// waiting calls f once fd is ready for it.
func waiting(fd uintptr, events int16, f func() (int, error)) (int, error) {
	for {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1) // f tells what is wrong
		n, err := f()
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// Read implements [net.Conn].
func (c *threadConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.p = p
	err := c.raw.Read(c.try)
	c.p = nil
	if err == nil {
		err = c.err
	}
	switch {
	case err != nil || c.closed.Load():
		return 0, c.failed("read", err)
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}

// Write implements [net.Conn].
func (c *threadConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		cerr := c.raw.Write(func(fd uintptr) bool {
			m, err = waiting(fd, unix.POLLOUT, func() (int, error) { return syscall.Write(int(fd), p[n:]) })
			return true
		})
		n += max(m, 0)
		if cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		return n, c.failed("write", err)
	}
	return n, nil
}

// failed returns an error as [net.TCPConn] would.
func (c *threadConn) failed(op string, err error) error {
	var no syscall.Errno
	switch {
	case c.closed.Load():
		err = net.ErrClosed
	case errors.As(err, &no):
		err = os.NewSyscallError(op, no)
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// Close implements [net.Conn]. Who waits in Read or Write is woken.
func (c *threadConn) Close() error {
	if c.closed.Swap(true) {
		return c.failed("close", net.ErrClosed)
	}
	_ = c.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }) // the peer may have ended it
	return c.file.Close()
}

// SyscallConn implements [syscall.Conn].
func (c *threadConn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// LocalAddr implements [net.Conn].
func (c *threadConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *threadConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn]. There are none.
func (c *threadConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements [net.Conn]. There are none.
func (c *threadConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements [net.Conn]. There are none.
func (c *threadConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
