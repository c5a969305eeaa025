package gateway

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"
)

// pipeLink returns a link of an app with replay, whose other side reads nothing.
func pipeLink(t *testing.T) (*Account, *link) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	acc := newAccount("main")
	app, err := New(Options{}).App(Config{Name: "app", Accounts: []string{"main"}, Replay: Replay{Age: time.Minute, Events: 1000}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(app, acc, roleUniversal, "peer")
	l.out = newOutbox(near, near, false)
	t.Cleanup(func() { _ = l.out.Close() })
	return acc, l
}

// What waits for an app's answers waits as long as answers come, and goes out without
// a ping only when there are none.
func TestWhatWaitsForAnswersWaitsWhileTheyCome(t *testing.T) {
	acc, l := pipeLink(t)
	seq, now := uint64(0), time.Now()
	event := func() {
		seq++
		acc.mu.Lock()
		defer acc.mu.Unlock()
		acc.eventLocked(l, &outgoing{seq: seq, raw: []byte("{}")}, now)
	}
	for range 100 {
		event()
	}
	if n := len(l.asked.held); n != 100-firstAsked {
		t.Fatalf("%d events wait", n)
	}
	for i := range uint64(3) {
		acc.ack(l, i+1)
		now = time.Now().Add(holdTime - time.Second)
		event()
		if n := len(l.asked.held); n == 0 || l.askedFor != l.tail[len(l.tail)-1].seq {
			t.Fatalf("%d events wait after an answer, the last ping was for %d of %d", n, l.askedFor, seq)
		}
	}
	now = now.Add(2 * time.Second)
	event()
	if n := len(l.asked.held); n != 0 {
		t.Errorf("%d events wait though nothing is answered", n)
	}
	acc.ack(l, seq)
	now = time.Now()
	for range 2 * maxFrames {
		event()
		now = now.Add(time.Millisecond)
		l.asked.moved = now
	}
	if !errors.Is(l.out.why(), errSlow) {
		t.Errorf("%d events wait, and the app is not cut off: %v", len(l.asked.held), l.out.why())
	}
}

// An app is asked for each event, also right after many that came at once, and only
// now and then while very many keep coming.
func TestABurstIsNoFlood(t *testing.T) {
	acc, l := pipeLink(t)
	seq, now := uint64(0), time.Now()
	// events feeds n events, each of which is answered for, and returns how many were asked for.
	events := func(n int, gap time.Duration) (asked int) {
		for range n {
			seq++
			now = now.Add(gap)
			acc.mu.Lock()
			acc.eventLocked(l, &outgoing{seq: seq, raw: []byte("{}")}, now)
			acc.mu.Unlock()
			if l.askedFor == seq {
				asked++
				acc.ack(l, seq)
				l.asked.moved = now
			}
		}
		return asked
	}
	if n := events(300, 50*time.Microsecond) + events(60, 3*time.Millisecond); n != 360 {
		t.Errorf("%d of 360 were asked for after a burst", n)
	}
	events(600, 500*time.Microsecond)
	if n := events(400, 500*time.Microsecond); n > 20 {
		t.Errorf("%d of 400 were asked for in a flood", n)
	}
	events(50, 3*time.Millisecond)
	if n := events(50, 3*time.Millisecond); n != 50 {
		t.Errorf("%d of 50 were asked for after it", n)
	}
}
