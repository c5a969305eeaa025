package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// bubbled connects in memory, for bubbles, and runs the connection. It returns the
// connection, its peer, and Run's error.
func bubbled(t *testing.T, o rpc.Options) (*rpc.Conn, *websocket.Conn, <-chan error) {
	t.Helper()
	return bubbledUntil(t.Context(), t, o)
}

// bubbledUntil is bubbled with a connection that is wanted until ctx ends.
func bubbledUntil(ctx context.Context, t *testing.T, o rpc.Options) (*rpc.Conn, *websocket.Conn, <-chan error) {
	t.Helper()
	noPools()
	ln, conns, ended := make(pipes), make(chan *rpc.Conn, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := rpc.Accept(w, r, o)
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c
		ended <- c.Run(ctx)
	})}
	go srv.Serve(ln)
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		ln <- far
		return near, nil
	}}
	ws, _, err := websocket.Dial(t.Context(), "ws://ncatd/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	c := <-conns
	t.Cleanup(func() {
		cancel()
		ws.CloseNow()
		c.Close()
		srv.Close()
		synctest.Wait()
		noPools()
	})
	return c, ws, ended
}

// noPools empties the pools: a channel must not leave its bubble.
func noPools() {
	runtime.GC()
	runtime.GC() // a pool gives up what it holds at the second
}

// Without options a call ends after 30 s, and a peer that answers no ping is given up
// 10 s after one, which comes every 15 s. The calls that wait then say why.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		o         rpc.Options
		call, end time.Duration
	}{
		{rpc.Options{}, 30 * time.Second, 25 * time.Second},
		{rpc.Options{CallTimeout: -1, PingTimeout: -1}, 30 * time.Second, 25 * time.Second},
		{rpc.Options{CallTimeout: 5 * time.Second, PingInterval: time.Minute, PingTimeout: time.Second}, 5 * time.Second, 61 * time.Second},
		{rpc.Options{PingInterval: -1}, 30 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, ws, ended := bubbled(t, c.o)
			go func() {
				for {
					if _, _, err := ws.Read(t.Context()); err != nil { // answers pings
						return
					}
				}
			}()
			start := time.Now()
			err := conn.Call(t.Context(), "x", nil, nil)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, onebot.ErrUnknownOutcome) || took < c.call || took > c.call+c.call/40 {
				t.Errorf("%+v: the call ended after %v with %v", c.o, took, err)
			}
			time.Sleep(time.Hour - time.Since(start)) // a peer that answers is kept
			if len(ended) > 0 {
				t.Fatalf("%+v: the link is lost", c.o)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			conn, _, ended := bubbled(t, c.o) // a peer that reads nothing
			start := time.Now()
			called := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				called <- conn.Call(ctx, "x", nil, nil)
			}()
			select {
			case err := <-ended:
				if took := time.Since(start); took != c.end || !strings.Contains(err.Error(), "no answer to a ping") {
					t.Errorf("%+v: lost after %v with %v", c.o, took, err)
				}
				if err := <-called; !rpc.Lost(err) || !strings.Contains(err.Error(), "no answer to a ping") {
					t.Errorf("%+v: the call ended with %v", c.o, err)
				}
			case <-time.After(time.Hour):
				if c.end != 0 {
					t.Errorf("%+v: nothing happened in an hour", c.o)
				}
			}
		})
	}
}

// A peer that stopped reading holds up no call longer than its context, of a frame
// that it is in the middle of or of one behind it, which is not sent; and it is given
// up.
func TestStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, ended := bubbled(t, rpc.Options{PingInterval: 500 * time.Millisecond, PingTimeout: 500 * time.Millisecond})
		start := time.Now()
		call := func(params any, limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := c.Call(ctx, "x", params, nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call ended with %v", err)
			}
			return err
		}
		if err := call(filler(1<<20), 300*time.Millisecond); !errors.Is(err, onebot.ErrUnknownOutcome) {
			t.Errorf("large request: %v", err)
		}
		if err := call(nil, 20*time.Millisecond); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("request behind it: %v", err)
		}
		if took := time.Since(start); took != 320*time.Millisecond {
			t.Errorf("they took %v", took)
		}
		if err := <-ended; !strings.Contains(err.Error(), "no answer to a ping") || time.Since(start) != time.Second {
			t.Errorf("Run returned %v after %v", err, time.Since(start))
		}
	})
}

// A connection that is no longer wanted ends at once, or soon if its peer hangs.
func TestWantedEnd(t *testing.T) {
	for name, hangs := range map[string]bool{"peer answers the close": false, "peer hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				_, ws, ended := bubbledUntil(ctx, t, rpc.Options{})
				if !hangs {
					go ws.Read(t.Context())
				}
				synctest.Wait()
				start, why := time.Now(), errors.New("stop")
				cancel(why)
				err := <-ended
				if took := time.Since(start); !errors.Is(err, why) || took > 2*time.Second || !hangs && took > 0 {
					t.Errorf("Run returned %v after %v", err, took)
				}
			})
		})
	}
}

// While a long frame is on its way, in either direction, or the reader is busy with
// one, no ping can be answered: the peer is given up only when nothing moves.
func TestPatienceWithLongFrames(t *testing.T) {
	const steps, step = 30, 2 * time.Second
	deaf := func(t *testing.T, ended <-chan error) { // from now on nothing moves
		if len(ended) > 0 {
			t.Fatalf("the link is lost: %v", <-ended)
		}
		start := time.Now()
		if err := <-ended; !strings.Contains(err.Error(), "no answer to a ping") || time.Since(start) > 40*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		_, ws, ended := bubbled(t, rpc.Options{})
		w, err := ws.Writer(t.Context(), websocket.MessageText)
		for i := 0; i < steps && err == nil; i++ {
			_, err = w.Write([]byte(strings.Repeat("x", 64<<10)))
			time.Sleep(step)
		}
		if err != nil {
			t.Error(err)
		}
		deaf(t, ended)
	})
	synctest.Test(t, func(t *testing.T) {
		conn, ws, ended := bubbled(t, rpc.Options{})
		called := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			called <- conn.Call(ctx, "x", strings.Repeat("x", 4<<20), nil)
		}()
		ws.SetReadLimit(-1)
		_, r, err := ws.Reader(t.Context())
		for i := 0; i < steps && err == nil; i++ {
			_, err = io.CopyN(io.Discard, r, 64<<10)
			time.Sleep(step)
		}
		if err != nil {
			t.Error(err)
		}
		deaf(t, ended)
		if err := <-called; !rpc.Lost(err) {
			t.Errorf("the call: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, ws, ended := bubbled(t, rpc.Options{Event: func([]byte) bool { time.Sleep(steps * step); return false }})
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"post_type":"x"}`)); err != nil {
			t.Error(err)
		}
		time.Sleep(steps*step + time.Second)
		if len(ended) > 0 {
			t.Errorf("the link is lost: %v", <-ended)
		}
	})
}
