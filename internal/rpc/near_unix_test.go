//go:build unix

package rpc

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nearPair returns a reader and what is sent to it.
func nearPair(t *testing.T) (*nearReader, *net.TCPConn) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close(); _ = in.Close() })
	return newNearReader(in), out.(*net.TCPConn)
}

// Events a millisecond apart, each with the answer to its reply right behind it, are
// near. After a pause, and in a burst, the goroutine parks.
func TestWhatIsNear(t *testing.T) {
	r := &nearReader{}
	now := time.Now()
	for i, c := range []struct {
		gap  time.Duration
		near bool
	}{
		{time.Hour, false}, {busyTime - 1, false}, {nearTime, false},
		{busyTime, true}, {50 * time.Microsecond, true}, {nearTime - 1, true}, {50 * time.Microsecond, true},
		{nearTime, false}, {time.Millisecond, true}, {busyTime - 1, true}, {time.Hour, false},
	} {
		now = now.Add(c.gap)
		if r.came(now); r.near != c.near {
			t.Errorf("%d: after %v near is %v", i, c.gap, r.near)
		}
	}
	r.came(now.Add(time.Millisecond))
	for i := range time.Duration(100) {
		r.came(now.Add(time.Millisecond + i*100*time.Microsecond))
	}
	if r.near {
		t.Error("a burst is near")
	}
}

// Near or not, a wait ends with the connection, and tells how it ended as one
// of package net would.
func TestHowAWaitEnds(t *testing.T) {
	for _, near := range []bool{false, true} {
		for _, c := range []struct {
			what string
			end  func(r *nearReader, out *net.TCPConn)
			want error
		}{
			{"the peer's end", func(_ *nearReader, out *net.TCPConn) { _ = out.Close() }, io.EOF},
			{"a reset", func(_ *nearReader, out *net.TCPConn) { _ = out.SetLinger(0); _ = out.Close() }, syscall.ECONNRESET},
			{"our end", func(r *nearReader, _ *net.TCPConn) { _ = r.conn.Close() }, net.ErrClosed},
		} {
			r, out := nearPair(t)
			r.near = near
			go c.end(r, out)
			_, err := r.Read(make([]byte, 10))
			if !errors.Is(err, c.want) || err != io.EOF && !strings.HasPrefix(err.Error(), "read tcp 127.0.0.1:") {
				t.Errorf("%s, near %v: %v", c.what, near, err)
			}
		}
	}
}

// Where there is one processor the wait leaves it to the others.
func TestOneProcessorIsNotKept(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	in, out := net.Pipe()
	defer in.Close()
	defer out.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, c := range []net.Conn{in, c} {
		if newNearReader(c).raw != nil {
			t.Errorf("%T is waited for in the system", c)
		}
	}
}
