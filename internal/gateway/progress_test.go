package gateway

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"
)

// What waits for an app's answers waits as long as answers come, and goes out without
// a ping only when there are none.
func TestWhatWaitsForAnswersWaitsWhileTheyCome(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	acc := newAccount("main")
	app, err := New(Options{}).App(Config{Name: "app", Accounts: []string{"main"}, Replay: Replay{Age: time.Minute, Events: 1000}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(app, acc, roleUniversal, "peer")
	l.out = newOutbox(near, near, false)
	defer l.out.Close()
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
