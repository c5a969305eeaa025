package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// lostWithin is how soon after the loss of a link all of its calls must have
// ended. The race detector makes each of them cost several times as much.
const lostWithin = 50 * time.Millisecond * slowdown

// The link is cut in the middle of 10,000 concurrent calls. What each of them
// says must fit what became of it, every time. How long the last one took is
// held to lostWithin in the best of some rounds, and on a machine that is busy
// with other things to what it takes there to wake so many goroutines.
func TestLinkCutEndsEveryCallAtOnce(t *testing.T) {
	var took, floors []time.Duration
	for range 10 {
		took = append(took, cutInTheMiddle(t))
		floors = append(floors, wakeAll())
		last := len(took) - 1
		if took[last] <= max(lostWithin, 3*floors[last]) || t.Failed() {
			t.Logf("the last call ended %v after the cut; floor %v", took, floors)
			return
		}
	}
	t.Errorf("the last call ended %v after the cut, want %v at most; floor %v", took, lostWithin, floors)
}

// wakeAll returns how long it takes until the last of 5,000 goroutines that wait
// for a channel of their own has woken and made an error, as the calls do that a
// cut link ends.
func wakeAll() time.Duration {
	const n = 5_000
	waits, ends := make([]chan error, n), make([]time.Time, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		waits[i] = make(chan error, 1)
		done.Go(func() {
			ready.Done()
			_ = fmt.Errorf("call %d: %w", i, <-waits[i])
			ends[i] = time.Now()
		})
	}
	ready.Wait()
	began := time.Now()
	for _, c := range waits {
		c <- onebot.ErrUnknownOutcome
	}
	done.Wait()
	return slices.MaxFunc(ends, time.Time.Compare).Sub(began)
}

// cutInTheMiddle lets 10,000 calls start at once. The peer takes 7,500 of them,
// answers 2,500 of these in random order and cuts the link, while more are on
// their way. It returns how long after the cut the last call ended that was
// waiting at that time.
func cutInTheMiddle(t *testing.T) time.Duration {
	t.Helper()
	before := runtime.NumGoroutine()
	const calls, taken, answered = 10_000, 7_500, 2_500
	type result struct {
		n     int
		err   error
		ended time.Time
	}
	seen, replied := make([]bool, calls), make([]bool, calls) // by the peer
	var settled sync.WaitGroup                                // calls that were answered
	settled.Add(answered)
	var cut time.Time
	gone := make(chan struct{})
	url := endpoint(t, func(ctx context.Context, p *peer) {
		defer close(gone)
		var all []request
		number := func(q request) int {
			var n numbered
			if err := json.Unmarshal(q.Params, &n); err != nil {
				t.Error(err)
			}
			return n.N
		}
		for len(all) < taken {
			q, ok := p.next(ctx)
			if !ok {
				t.Error("the link was lost early")
				return
			}
			all = append(all, q)
			seen[number(q)] = true
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, q := range all[:answered] {
			if err := p.write(ctx, okFrame(q.Echo, string(q.Params))); err != nil {
				t.Error(err)
				return
			}
			replied[number(q)] = true
		}
		settled.Wait() // what is still in the socket would count as lost
		cut = time.Now()
		p.ws.CloseNow()
	})
	c, wait := dial(t, url, rpc.Options{})
	results := make([]result, calls)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	for i := range calls {
		running.Go(func() {
			r := &results[i]
			var got numbered
			r.err = c.Call(ctx, "get", numbered{i}, &got)
			r.n, r.ended = got.N, time.Now()
			if r.err == nil {
				settled.Done()
			}
		})
	}
	running.Wait()
	<-gone
	if err := wait(); err == nil {
		t.Error("Run returned nil for a lost link")
	}
	var last time.Duration
	var counts struct{ done, unknown, unsent int }
	for i, r := range results {
		notSent, unknown := errors.Is(r.err, onebot.ErrNotSent), errors.Is(r.err, onebot.ErrUnknownOutcome)
		switch {
		case replied[i]:
			counts.done++
			if r.err != nil || r.n != i {
				t.Errorf("call %d was answered but got %d, %v", i, r.n, r.err)
			}
			continue
		case notSent == unknown:
			t.Errorf("call %d: %v", i, r.err)
		case seen[i] && notSent:
			t.Errorf("call %d reached the peer but says it was not sent", i)
		case notSent:
			counts.unsent++
		default: // it may have reached the peer's machine, if not the peer
			counts.unknown++
		}
		last = max(last, r.ended.Sub(cut))
	}
	if counts.done != answered || counts.unknown < taken-answered {
		t.Errorf("%+v", counts)
	}
	if err := c.Call(t.Context(), "get", nil, nil); !errors.Is(err, onebot.ErrNotSent) || errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Errorf("call after the loss: %v", err)
	}
	if s := c.Stats(); s.Pending != 0 {
		t.Errorf("%d calls leak", s.Pending)
	}
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+4 }) // the test server's own
	return last
}

// An answer to a call that still waits to be written, by an endpoint that guesses,
// ends that call only.
func TestAnAnswerToWhatWasNotSent(t *testing.T) {
	begun, waits, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	url := endpoint(t, func(ctx context.Context, p *peer) {
		_, r, err := p.ws.Reader(ctx) // the header and no more
		if err != nil {
			return
		}
		close(begun)
		<-waits
		p.write(ctx, okFrame(json.RawMessage(`"2"`), "null"))
		<-ended
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
		p.write(ctx, okFrame(json.RawMessage(`"1"`), `{"n":1}`))
		echoServer(ctx, p)
	})
	c, _ := dial(t, url, rpc.Options{})
	large := make(chan error, 1)
	var got numbered
	go func() { large <- c.Call(t.Context(), "large", filler(30<<20), &got) }()
	<-begun
	go func() {
		eventually(t, "the small call", func() bool { return c.Stats().Pending == 2 })
		close(waits)
	}()
	if err := c.Call(t.Context(), "small", nil, nil); !errors.Is(err, onebot.ErrNotSent) || errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Errorf("the call that was not sent: %v", err)
	}
	close(ended)
	if err := <-large; err != nil || got.N != 1 {
		t.Errorf("the call before it: %v, %v", got, err)
	}
	for i := range 3 {
		if err := c.Call(t.Context(), "x", numbered{i}, &got); err != nil || got.N != i {
			t.Errorf("a call after it: %v, %v", got, err)
		}
	}
}

// What the peer has not read and the socket could not take is not sent; what
// was on the wire has an unknown outcome.
func TestCallsBehindAStuckFrameAreNotSent(t *testing.T) {
	begun, cut := make(chan struct{}), make(chan struct{})
	url := endpoint(t, func(ctx context.Context, p *peer) {
		p.ws.Reader(ctx) // the header and no more
		close(begun)
		<-cut
	})
	c, wait := dial(t, url, rpc.Options{})
	stuck := make(chan error, 1)
	go func() { stuck <- c.Call(t.Context(), "large", filler(30<<20), nil) }()
	<-begun
	const behind = 1000
	errs := make(chan error, behind)
	for range behind {
		go func() { errs <- c.Call(t.Context(), "small", nil, nil) }()
	}
	eventually(t, "the small calls", func() bool { return c.Stats().Pending == 1+behind })
	close(cut)
	err := <-stuck
	if !errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Errorf("the stuck call: %v", err)
	}
	wrong := 0
	for range behind {
		if err = <-errs; !errors.Is(err, onebot.ErrNotSent) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d calls behind it claim to be sent, such as %v", wrong, err)
	}
	if err := wait(); err == nil {
		t.Error("Run returned nil for a lost link")
	}
}

// How a link ended is said for people, without the steps of the WebSocket library.
func TestTheEndIsSaidPlainly(t *testing.T) {
	for want, end := range map[string]func(p *peer){
		"EOF":                      func(p *peer) { p.ws.CloseNow() },
		"status = StatusGoingAway": func(p *peer) { p.ws.Close(websocket.StatusGoingAway, "later") },
	} {
		url := endpoint(t, func(ctx context.Context, p *peer) {
			p.next(ctx)
			end(p)
		})
		c, wait := dial(t, url, rpc.Options{})
		err := c.Call(t.Context(), "x", nil, nil)
		for _, text := range []string{err.Error(), wait().Error()} {
			if !strings.Contains(text, want) || strings.Contains(text, "failed to") {
				t.Errorf("%s: %s", want, text)
			}
		}
	}
}
