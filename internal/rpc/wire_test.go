package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// counting counts the calls of a connection.
type counting struct {
	*net.TCPConn
	reads atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.TCPConn.Read(p)
}

// wirePair returns a wire and the other end of it.
func wirePair(t *testing.T) (*wire, *counting, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{TCPConn: near.(*net.TCPConn)}
	w := newWire(c)
	t.Cleanup(func() { w.Close(); far.Close() })
	_ = far.SetDeadline(time.Now().Add(time.Minute))
	return w, c, far.(*net.TCPConn)
}

func want(t *testing.T, r io.Reader, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(r, b); err != nil || string(b) != text {
		t.Fatalf("the peer got %.40q, %v, want %.40q", b, err, text)
	}
}

// waiting returns how many bytes of a wire wait.
func (w *wire) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

func TestWireNothingIsStuck(t *testing.T) {
	buf := make([]byte, 10)
	t.Run("nobody has read yet", func(t *testing.T) {
		w, _, far := wirePair(t)
		w.Write([]byte("a"))
		want(t, far, "a")
	})
	t.Run("the reader is blocked", func(t *testing.T) {
		w, _, far := wirePair(t)
		far.Write([]byte("x"))
		w.Read(buf)
		got := make(chan error, 1)
		go func() { _, err := w.Read(buf); got <- err }()
		w.Write([]byte("b"))
		want(t, far, "b") // whether it was written before the reader blocked or after
		far.Write([]byte("y"))
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
	t.Run("the reader is busy, then reads on", func(t *testing.T) {
		w, _, far := wirePair(t)
		far.Write([]byte("x"))
		w.Read(buf)
		w.Write([]byte("c"))
		w.Write([]byte("d"))
		if n := w.waiting(); n != 2 {
			t.Errorf("%d bytes wait while the reader is busy", n)
		}
		far.Write([]byte("y"))
		w.Read(buf) // does not block, and flushes all the same
		want(t, far, "cd")
	})
	t.Run("the reader waits for something else", func(t *testing.T) {
		w, _, far := wirePair(t)
		far.Write([]byte("x"))
		w.Read(buf)
		w.Write([]byte("e"))
		w.pause()
		want(t, far, "e")
		w.Write([]byte("f"))
		want(t, far, "f")
		w.resume()
	})
	t.Run("a frame is held", func(t *testing.T) {
		w, _, far := wirePair(t)
		w.hold()
		w.Write([]byte("g"))
		if n := w.waiting(); n != 1 {
			t.Errorf("%d bytes wait", n)
		}
		w.release(false)
		want(t, far, "g")
	})
	t.Run("more than may wait", func(t *testing.T) {
		w, _, far := wirePair(t)
		far.Write([]byte("x"))
		w.Read(buf) // the reader is busy from here on
		half := strings.Repeat("k", wireOut/2)
		for i, waiting := range []int{len(half), wireOut, len(half)} {
			if w.Write([]byte(half)); w.waiting() != waiting {
				t.Errorf("%d bytes wait after %d writes", w.waiting(), i+1)
			}
		}
		want(t, far, half+half)
		large := strings.Repeat("m", wireOut+1) // which never waits, and nothing before it does
		var written sync.WaitGroup
		written.Go(func() { w.Write([]byte(large)) })
		want(t, far, half+large)
		written.Wait()
	})
	t.Run("behind a large one", func(t *testing.T) {
		w, _, far := wirePair(t)
		large := strings.Repeat("l", 16<<20) // more than any socket holds
		var written sync.WaitGroup
		written.Go(func() { w.Write([]byte(large)) })
		for begun := false; !begun; runtime.Gosched() {
			w.mu.Lock()
			begun = w.flying
			w.mu.Unlock()
		}
		w.Write([]byte("z"))
		if n := w.waiting(); n != 1 {
			t.Errorf("%d bytes wait", n)
		}
		want(t, far, large+"z")
		written.Wait()
	})
	t.Run("it is closed", func(t *testing.T) {
		w, _, far := wirePair(t)
		far.Write([]byte("x"))
		w.Read(buf)
		w.Write([]byte("h"))
		w.Close()
		want(t, far, "h")
		if _, err := w.Write([]byte("i")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
	})
}

// countingWriter counts the system calls that write to a connection.
type countingWriter struct {
	net.Conn
	writes atomic.Int64
}

type countingRaw struct {
	syscall.RawConn
	writes *atomic.Int64
}

func (c *countingWriter) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	return countingRaw{raw, &c.writes}, err
}

func (c countingRaw) Write(f func(fd uintptr) bool) error {
	c.writes.Add(1)
	return c.RawConn.Write(f)
}

// Calls that begin beside each other leave together.
func TestCallsLeaveTogether(t *testing.T) {
	const calls = 80
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		var echoes []string
		for range calls {
			_, b, err := ws.Read(r.Context())
			if err != nil {
				t.Error(err)
				return
			}
			_, echo, _ := strings.Cut(string(b), `"echo":`)
			echoes = append(echoes, echo)
		}
		for _, echo := range echoes {
			_ = ws.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"echo":%s`, echo))
		}
		_, _, _ = ws.Read(r.Context())
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Dial(ctx, srv.URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &countingWriter{Conn: c.wire.Conn}
	c.wire.now = NewNowWriter(w)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that all of them begin before the first has written
	var open, running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	for range calls {
		open.Go(func() {
			if err := c.Call(ctx, "x", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	open.Wait()
	if n := w.writes.Load(); n > calls/4 {
		t.Errorf("%d system calls write %d calls", n, calls)
	}
	cancel()
	running.Wait()
}

// A peer that does not read does not keep us from reading, and gets everything
// in order when it reads at last.
func TestWireReaderNeverWaitsForThePeer(t *testing.T) {
	w, _, far := wirePair(t)
	buf := make([]byte, 10)
	far.Write([]byte("x"))
	w.Read(buf)
	piece := bytes.Repeat([]byte("0123456789abcdef"), 1<<10) // 16 KiB
	const pieces = 2000                                      // more than any socket holds
	var written sync.WaitGroup
	written.Go(func() {
		for range pieces {
			if _, err := w.Write(piece); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 100 { // a reader that waited for its flush would hang here
		far.Write([]byte("y"))
		if _, err := w.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for {
			if _, err := w.Read(buf); err != nil {
				return
			}
		}
	}()
	for range pieces {
		want(t, far, string(piece))
	}
	written.Wait()
}

// Many small frames are read by few calls, and one that is longer than the
// buffer straight into its reader's memory.
func TestWireReadsManyFramesAtOnce(t *testing.T) {
	w, c, far := wirePair(t)
	far.Write(bytes.Repeat([]byte("0123456789"), 1000))
	far.CloseWrite()
	got := 0
	for buf := make([]byte, 10); ; {
		n, err := io.ReadFull(w, buf)
		if err != nil {
			break
		}
		if string(buf) != "0123456789" {
			t.Fatalf("read %q", buf[:n])
		}
		got++
	}
	if n := c.reads.Load(); got != 1000 || n > 5 {
		t.Errorf("%d frames by %d calls", got, n)
	}
}

// What cannot be written ends the link, although its writer was told it was taken.
func TestWireThatCannotBeWrittenFailsItsReader(t *testing.T) {
	w, c, far := wirePair(t)
	c.CloseWrite()
	read := make(chan error, 1)
	go func() { _, err := w.Read(make([]byte, 10)); read <- err }()
	for range 2 { // the first may be buffered
		w.Write([]byte("x"))
	}
	select {
	case err := <-read:
		if err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("Read returned %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("Read goes on")
	}
	_ = far
}

// Calls are made while events stream in, so that the reader is never blocked for
// long, and while none comes, so that it always is: every answer comes. The peer
// says nothing more until it has every call, so that one that was stuck would
// stay stuck.
func TestCallsLeaveWhileEventsStream(t *testing.T) {
	const rounds, calls = 50, 20
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for round := range rounds {
			event := fmt.Sprintf(`{"post_type":"x","round":%d,"pad":"%s"}`, round, strings.Repeat("p", round*50))
			for range calls { // one call is set off by each
				if ws.Write(r.Context(), websocket.MessageText, []byte(event)) != nil {
					return
				}
			}
			var answers [][]byte
			for range calls {
				_, b, err := ws.Read(r.Context())
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				_, echo, _ := bytes.Cut(b, []byte(`"echo":`))
				answers = append(answers, fmt.Appendf(nil, `{"status":"ok","retcode":0,"echo":%s`, echo))
			}
			for _, a := range answers {
				_ = ws.Write(r.Context(), websocket.MessageText, a)
			}
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var c *Conn
	var open sync.WaitGroup
	var answered atomic.Int64
	c, err := Dial(ctx, srv.URL, Options{Event: func([]byte) bool {
		open.Go(func() {
			if err := c.Call(ctx, "x", nil, nil); err != nil {
				t.Error(err)
			}
			if answered.Add(1) == rounds*calls {
				cancel()
			}
		})
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Run(ctx)
	open.Wait()
	if n := answered.Load(); n != rounds*calls {
		t.Errorf("%d calls were answered", n)
	}
}
