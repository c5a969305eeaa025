package rpc

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// newStream returns the queue of a stream and the wire of its connection.
func newStream(t *testing.T) (*stream, *wire) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &stream{arrived: make(chan struct{}, 1), taken: make(chan struct{}, 1)}, newWire(near)
}

// Packets below streamSoft never wait. Beyond it each waits for the caller to
// take some, and for streamStall at most; what waits stays in order.
func TestPacketsWaitForASlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := newStream(t)
		const size = streamSoft / 4
		put := func(n byte) time.Duration {
			start := time.Now()
			data := make([]byte, size)
			data[0] = n
			s.put(data, w)
			return time.Since(start)
		}
		for i := range byte(4) {
			if d := put(i); d != 0 {
				t.Errorf("packet %d waited for %v", i, d)
			}
		}
		for i := range byte(2) {
			if d := put(4 + i); d != streamStall {
				t.Errorf("a packet waited for %v where nobody takes any", d)
			}
		}
		go func() {
			time.Sleep(streamStall / 5)
			if packets, overflow := s.take(); len(packets) != 6 || overflow || packets[5][0] != 5 {
				t.Errorf("%d packets, overflow %v", len(packets), overflow)
			}
		}()
		if d := put(6); d != streamStall/5 {
			t.Errorf("a packet waited for %v, although some were taken", d)
		}
		// What was taken before the queue was full makes no room in it.
		for i := range byte(3) {
			put(7 + i)
		}
		if d := put(10); d != streamStall {
			t.Errorf("a packet waited for %v in a full queue", d)
		}
		if packets, _ := s.take(); len(packets) != 5 || packets[0][0] != 6 {
			t.Errorf("%d packets", len(packets))
		}
	})
}

// What waits to be written leaves before a packet waits: it may be what its caller
// waits for.
func TestAWaitingPacketHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		s, w := &stream{arrived: make(chan struct{}, 1), taken: make(chan struct{}, 1)}, newWire(near)
		s.put(make([]byte, streamSoft), w)
		if err := w.resume(); err != nil { // the reader is busy from here on
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("call")); err != nil || w.waiting() != 4 {
			t.Fatalf("%d bytes wait, %v", w.waiting(), err)
		}
		start := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.put([]byte("x"), w)
		}()
		want(t, far, "call")
		if d := time.Since(start); d != 0 {
			t.Errorf("it left after %v", d)
		}
		<-ended
		if _, err := w.Write([]byte("more")); err != nil || w.waiting() != 4 {
			t.Errorf("afterwards %d bytes wait, %v", w.waiting(), err)
		}
	})
}

// A queue takes streamHard bytes and no more; what does not fit fails the call,
// also if something that would fit follows.
func TestPacketsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		sizes    []int
		packets  int
		overflow bool
	}{
		{[]int{2}, 1, false},
		{[]int{1, 1}, 2, false},
		{[]int{3}, 0, true},
		{[]int{2, 1}, 1, true},
		{[]int{3, 1}, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, w := newStream(t)
			s.bytes = streamHard - 2
			for _, n := range c.sizes {
				s.put(make([]byte, n), w)
			}
			if packets, overflow := s.take(); len(packets) != c.packets || overflow != c.overflow {
				t.Errorf("%v: %d packets, overflow %v", c.sizes, len(packets), overflow)
			}
		})
	}
}

// Packets for a caller that has left are dropped at once, however many waited.
func TestPacketsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := newStream(t)
		s.put(make([]byte, streamSoft), w)
		start := time.Now()
		go func() {
			time.Sleep(streamStall / 2)
			s.leave()
		}()
		for range 3 {
			s.put([]byte("x"), w)
		}
		if packets, overflow := s.take(); len(packets) != 0 || overflow || time.Since(start) != streamStall/2 {
			t.Errorf("%d packets, overflow %v, after %v", len(packets), overflow, time.Since(start))
		}
	})
}
