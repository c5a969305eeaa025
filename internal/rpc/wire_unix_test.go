//go:build unix

package rpc

import (
	"net"
	"runtime"
	"testing"
	"weak"
)

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
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
	return out.(*net.TCPConn), in.(*net.TCPConn)
}

// A frame of many megabytes is not kept until the next one.
func TestNothingWrittenIsKept(t *testing.T) {
	c, _ := tcpPair(t)
	w := NewNowWriter(c)
	write := func() weak.Pointer[byte] {
		b := make([]byte, 1<<20)
		if n, err := w.Write(b); n == 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return weak.Make(&b[0])
	}
	p := write()
	runtime.GC()
	if p.Value() != nil {
		t.Error("it is kept")
	}
	runtime.KeepAlive(w)
}
