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

// What waits for an app's answers goes out when they come, and after a while without:
// also in the flood that none takes.
func TestWhatWaitsForAnswersWaitsNotForLong(t *testing.T) {
	acc, l := pipeLink(t)
	seq, now := uint64(0), time.Now()
	event := func() {
		seq++
		acc.mu.Lock()
		defer acc.mu.Unlock()
		acc.eventLocked(l, &outgoing{seq: seq, raw: []byte("{}")}, now)
	}
	waiting := func(what string, want int) {
		t.Helper()
		if n := len(l.asked.held); n != want {
			t.Fatalf("%s: %d events wait, want %d", what, n, want)
		}
	}
	for range 100 {
		event()
	}
	waiting("no answer", 100-mostAsked)
	acc.ack(l, 3)
	waiting("three answers", 97-mostAsked)
	if last := l.tail[len(l.tail)-1].seq; l.askedFor != last || last != 3+mostAsked {
		t.Fatalf("the last ping was for %d, the last event is %d", l.askedFor, last)
	}
	now = now.Add(waitTime)
	event()
	waiting("not too long", 98-mostAsked)
	now = now.Add(time.Millisecond)
	event()
	waiting("too long", 2)
	acc.ack(l, seq-2)
	waiting("all answers", 0)
	now = time.Now()
	for range 2 * maxFrames {
		event()
		now = now.Add(time.Millisecond)
		if n := len(l.asked.held); n > int(waitTime/time.Millisecond)+1 {
			t.Fatalf("%d events wait", n)
		}
	}
	if !errors.Is(l.out.why(), errSlow) {
		t.Errorf("an app that reads nothing is not cut off: %v", l.out.why())
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
