package rpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/onebot"
)

// backWithin is how soon a link is up again after its endpoint returned.
const backWithin = 500 * time.Millisecond

// However long an endpoint on this machine was away, the next attempt comes in
// time, and there are no more attempts than that needs.
func TestAttemptsGoOnOftenEnough(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			away := time.Duration(rand.Int64N(int64(10 * time.Minute)))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			attempts := 0
			var late time.Duration
			err := redial(ctx, "ws://127.0.0.1:1/", nil, func(context.Context) (bool, error) {
				attempts++
				if late = time.Since(start) - away; late < 0 {
					return false, errors.New("nobody listens")
				}
				cancel()
				return true, nil
			})
			if !errors.Is(err, context.Canceled) || late > backWithin-50*time.Millisecond {
				t.Errorf("away for %v: back %v later, %v", away, late, err)
			}
			if most := int(away/(nearPause/2)) + 6; attempts > most {
				t.Errorf("away for %v: %d attempts, want %d at most", away, attempts, most)
			}
		})
	}
}

// An endpoint that takes connections only to drop them, and one on another
// machine, are asked every farPause at most.
func TestAttemptsGrowRarer(t *testing.T) {
	for name, tc := range map[string]struct {
		url    string
		linked bool
	}{
		"drops at once": {"ws://127.0.0.1:1/", true},
		"far away":      {"ws://192.0.2.1/", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			attempts := 0
			redial(ctx, tc.url, nil, func(context.Context) (bool, error) {
				attempts++
				return tc.linked, errors.New("lost")
			})
			if least, most := int(10*time.Minute/farPause), int(10*time.Minute/(farPause/2))+10; attempts < least || attempts > most {
				t.Errorf("%s: %d attempts in ten minutes", name, attempts)
			}
		})
	}
}

// What is on this machine is asked more often than what is far away, or may be.
func TestWhoIsNear(t *testing.T) {
	for url, near := range map[string]bool{
		"ws://localhost:3001/": true, "ws://127.0.0.1:1": true, "ws://127.8.9.10:1": true, "ws://[::1]:3001/x": true,
		"ws://192.0.2.1:3001": false, "ws://[2001:db8::1]:3001": false, "ws://localhost.example.org": false, "ws://napcat": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			var last, gap time.Duration
			start := time.Now()
			_ = redial(ctx, url, nil, func(context.Context) (bool, error) {
				now := time.Since(start)
				gap, last = max(gap, now-last), now
				return false, errors.New("nobody listens")
			})
			if got := gap <= nearPause; got != near || gap > farPause {
				t.Errorf("%s is asked after %v", url, gap)
			}
		})
	}
}

// After a link that held for long the first attempt comes soon, after one that
// did not it comes later each time. Down hears of every loss, Run of the last.
func TestPausesStartAnewAfterALinkThatHeld(t *testing.T) {
	for held, anew := range map[time.Duration]bool{0: false, steady / 2: false, steady: false, steady + 1: true, time.Hour: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			why, lost := errors.New("enough"), errors.New("lost")
			rounds, downs := 0, 0
			var ended time.Time
			err := redial(ctx, "ws://127.0.0.1:1", func(err error) {
				if downs++; err != lost || downs != rounds {
					t.Errorf("down after %d rounds with %v", rounds, err)
				}
			}, func(context.Context) (bool, error) {
				rounds++
				if paused := time.Since(ended); rounds > 10 && (paused <= firstPause) != anew {
					t.Errorf("a link that held %v is back after %v", held, paused)
				}
				if rounds == 20 {
					cancel(why)
				}
				time.Sleep(held)
				ended = time.Now()
				return true, lost
			})
			if err != why || downs != 19 {
				t.Errorf("%v after %d losses", err, downs)
			}
		})
	}
}

// The same on real sockets, in the best of three rounds.
func TestBackSoonAfterTheEndpointReturns(t *testing.T) {
	var took []time.Duration
	for range 3 {
		took = append(took, comeBack(t))
		if took[len(took)-1] <= backWithin {
			t.Logf("back after %v", took)
			return
		}
	}
	t.Errorf("back after %v", took)
}

func comeBack(t *testing.T) time.Duration {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	down, up := make(chan error, 100), make(chan time.Time, 1)
	r := &Redialer{URL: "ws://" + addr, Down: func(err error) { down <- err }, Up: func() { up <- time.Now() }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	}()
	for range 6 { // the pauses have grown to their longest by then
		<-down
	}
	if err := r.Call(ctx, "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("call without a link: %v", err)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Skipf("the port is gone: %v", err)
	}
	start := time.Now()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := websocket.Accept(w, r, nil); err == nil {
			ws.Read(r.Context())
		}
	})}
	go srv.Serve(ln)
	defer srv.Close()
	return (<-up).Sub(start)
}
