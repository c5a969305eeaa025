package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/jsonscan"
	"github.com/ncatd/ncatd/onebot"
)

// Bounds of a stream's queue. NapCat sends packets as fast as the socket takes
// them, without waiting for their reader.
const (
	// streamSoft is how many bytes may wait before the connection stops
	// reading to let the packets' reader catch up.
	streamSoft = 8 << 20
	// streamStall is how long the connection waits for a reader that takes
	// nothing: it may itself wait for an answer on this connection.
	streamStall = 50 * time.Millisecond
	// streamHard is how many bytes may wait at all. Beyond it the call fails.
	streamHard = 128 << 20
)

// stream is the queue of packets between the connection's reader and the
// caller of Stream.
type stream struct {
	arrived chan struct{} // 1 slot
	taken   chan struct{} // 1 slot

	mu       sync.Mutex // guards the fields below
	packets  [][]byte
	bytes    int
	overflow bool
	over     bool // the caller has left
}

// isPacket reports whether r is one of the packets of a stream that is not the
// last: the last has type response or error (contract E.3).
func (r *reply) isPacket() bool {
	if !r.stream || r.refused() {
		return false
	}
	packet := false
	jsonscan.Fields(r.data, func(key, val []byte) {
		if string(key) == "type" {
			packet = string(val) == `"stream"`
		}
	})
	return packet
}

// put queues a packet for the caller. It is called by the reader only, whose
// wire is flushed before it waits.
func (s *stream) put(data []byte, w *wire) {
	for s.full() && s.waitTaken(w) {
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.overflow = s.overflow || s.bytes+len(data) > streamHard; !s.overflow {
		s.packets = append(s.packets, bytes.Clone(data))
		s.bytes += len(data)
	}
	signal(s.arrived)
}

// full reports whether the caller must catch up first.
func (s *stream) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes >= streamSoft && !s.over && !s.overflow
}

// waitTaken waits until the caller takes what is queued; false if it does not.
func (s *stream) waitTaken(w *wire) bool {
	w.pause()
	defer func() { _ = w.resume() }() // the next read tells
	t := time.NewTimer(streamStall)
	defer t.Stop()
	select {
	case <-s.taken:
		return true
	case <-t.C:
		return false
	}
}

// take returns the packets that wait.
func (s *stream) take() (packets [][]byte, overflow bool) {
	s.mu.Lock()
	packets, s.packets, s.bytes = s.packets, nil, 0
	overflow = s.overflow
	s.mu.Unlock()
	signal(s.taken)
	return packets, overflow
}

// leave drops what waits and what will come.
func (s *stream) leave() {
	s.mu.Lock()
	s.over, s.packets = true, nil
	s.mu.Unlock()
	signal(s.taken)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Stream implements [onebot.Streamer]. packet runs on the caller's goroutine.
// The default deadline counts from the last packet. At most 128 MiB of packets
// wait for packet to return; beyond that the call fails with an error that
// wraps [ErrTooLarge].
func (c *Conn) Stream(ctx context.Context, action string, params any, packet func(json.RawMessage) error, result any) error {
	p := pendings.Get().(*pending)
	s := &stream{arrived: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
	p.stream = s
	defer s.leave()
	if err := c.start(ctx, p, action, params); err != nil {
		return err
	}
	deliver := func() error {
		packets, overflow := s.take()
		for _, data := range packets {
			if err := packet(data); err != nil {
				return err
			}
		}
		if overflow {
			return fmt.Errorf("%s: %w: more than %d bytes of packets waiting: %w", action, ErrTooLarge, streamHard, onebot.ErrUnknownOutcome)
		}
		return nil
	}
	for over := false; !over; {
		select {
		case <-s.arrived:
		case <-ctx.Done():
			c.remove(p.id)
			return lostError(action, onebot.ErrUnknownOutcome, context.Cause(ctx))
		case <-p.done:
			over = true
		}
		if err := deliver(); err != nil {
			c.remove(p.id)
			return err
		}
	}
	defer release(p)
	return p.finish(action, result)
}
