//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package rpc

import (
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"
	"weak"

	"golang.org/x/sys/unix"
)

// threadPair is tcpPair with a reader that keeps its thread at the near end.
func threadPair(t *testing.T) (near *threadConn, far *net.TCPConn) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	tcp, far := tcpPair(t)
	near, ok := onThread(tcp).(*threadConn)
	if !ok {
		t.Fatal("the poller keeps it")
	}
	t.Cleanup(func() { _ = near.Close() })
	return near, far
}

// Whoever waits for the connection, a wait ends with it, and tells how it ended as
// one of package net would.
func TestHowAWaitEnds(t *testing.T) {
	buf := make([]byte, 1<<20)
	read := func(c net.Conn) error { _, err := c.Read(buf[:10]); return err }
	write := func(c net.Conn) error {
		for {
			if _, err := c.Write(buf); err != nil {
				return err
			}
		}
	}
	for _, c := range []struct {
		what string
		wait func(net.Conn) error
		end  func(near net.Conn, far *net.TCPConn)
		want error
		text string
	}{
		{"a read, the peer's end", read, func(_ net.Conn, far *net.TCPConn) { _ = far.Close() }, io.EOF, "^EOF$"},
		{"a read, a reset", read, func(_ net.Conn, far *net.TCPConn) { _ = far.SetLinger(0); _ = far.Close() }, syscall.ECONNRESET, `^read tcp 127\.0\.0\.1:.+->127\.0\.0\.1:.+: read: `},
		{"a read, our end", read, func(near net.Conn, _ *net.TCPConn) { _ = near.Close() }, net.ErrClosed, `^read tcp 127\.0\.0\.1:`},
		{"a write, our end", write, func(near net.Conn, _ *net.TCPConn) { _ = near.Close() }, net.ErrClosed, `^write tcp 127\.0\.0\.1:`},
		{"a write, a reset", write, func(_ net.Conn, far *net.TCPConn) { _ = far.SetLinger(0); _ = far.Close() }, syscall.ECONNRESET, `^write tcp 127\.0\.0\.1:.+: write: `},
	} {
		near, far := threadPair(t)
		go c.end(near, far)
		if err := c.wait(near); !errors.Is(err, c.want) && !(c.want == syscall.ECONNRESET && errors.Is(err, syscall.EPIPE)) || !regexp.MustCompile(c.text).MatchString(err.Error()) {
			t.Errorf("%s: %v", c.what, err)
		}
		_ = near.Close()
		for _, again := range []func(net.Conn) error{read, write} {
			if err := again(near); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, and again: %v", c.what, err)
			}
		}
		if err := near.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closed twice: %v", c.what, err)
		}
	}
}

// The system waits, not the runtime, and the place of the connection before is free.
func TestTheSystemWaits(t *testing.T) {
	tcp, far := tcpPair(t)
	local := tcp.LocalAddr().String()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	c := onThread(tcp)
	defer c.Close()
	if _, err := tcp.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection before is open: %v", err)
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var flags, kept int
	if err := raw.Control(func(fd uintptr) {
		flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0)
		kept, _ = unix.FcntlInt(fd, unix.F_GETFD, 0)
	}); err != nil || flags&unix.O_NONBLOCK == 0 || kept&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x and %#x, %v", flags, kept, err)
	}
	if c.LocalAddr().String() != local || c.RemoteAddr().String() != far.LocalAddr().String() {
		t.Errorf("from %v to %v", c.LocalAddr(), c.RemoteAddr())
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("nothing is read: %d, %v", n, err)
	}
	want(t, far, send(t, c, "there"))
	want(t, c, send(t, far, "and back"))
}

func send(t *testing.T, w io.Writer, text string) string {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	return text
}

// Where there is one processor the wait leaves it to the others, and what is no TCP
// connection is left as it is.
func TestWhatKeepsNoThread(t *testing.T) {
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	if onThread(pipe) != pipe {
		t.Error("a pipe has got a thread")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	tcp, _ := tcpPair(t)
	if onThread(tcp) != net.Conn(tcp) {
		t.Error("the only processor may be kept")
	}
}

// A thread is free again when its connection has ended.
func TestThreadsComeBack(t *testing.T) {
	made := pprof.Lookup("threadcreate")
	before := made.Count()
	for range 100 {
		near, far := threadPair(t)
		ended := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			ended <- err
		}()
		_ = far.Close()
		if err := <-ended; err != io.EOF {
			t.Fatal(err)
		}
		_ = near.Close()
	}
	if n := made.Count() - before; n > 20 {
		t.Errorf("%d threads for 100 connections that ended", n)
	}
}

// What is not ready after all, or was interrupted, is waited for again.
func TestWaitingGoesOn(t *testing.T) {
	near, _ := threadPair(t)
	left := []error{syscall.EAGAIN, syscall.EINTR, nil}
	if err := near.raw.Control(func(fd uintptr) {
		n, err := waiting(fd, unix.POLLOUT, func() (int, error) {
			err := left[0]
			left = left[1:]
			return 3 - len(left), err
		})
		if n != 3 || err != nil || len(left) != 0 {
			t.Errorf("%d, %v, %d left", n, err, len(left))
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// The connection keeps nothing of what it read or wrote.
func TestNothingReadIsKept(t *testing.T) {
	near, far := threadPair(t)
	use := func() weak.Pointer[byte] {
		b := make([]byte, 1<<20)
		send(t, far, "x")
		if n, err := near.Read(b); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return weak.Make(&b[0])
	}
	p := use()
	runtime.GC()
	if p.Value() != nil {
		t.Error("it is kept")
	}
	runtime.KeepAlive(near)
}

// The runtime's poller is not told of it: a file that it knows takes deadlines.
func TestThePollerIsNotTold(t *testing.T) {
	near, _ := threadPair(t)
	if err := near.file.SetDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("a deadline: %v", err)
	}
	for _, set := range []func(time.Time) error{near.SetDeadline, near.SetReadDeadline, near.SetWriteDeadline} {
		if err := set(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
			t.Errorf("a deadline: %v", err)
		}
	}
}
