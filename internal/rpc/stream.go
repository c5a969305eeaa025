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
	for {
		s.mu.Lock()
		if s.over || s.overflow {
			s.mu.Unlock()
			return
		}
		if s.bytes < streamSoft {
			break
		}
		s.mu.Unlock()
		w.pause()
		t := time.NewTimer(streamStall)
		late := false
		select {
		case <-s.taken:
			t.Stop()
		case <-t.C:
			late = true
		}
		_ = w.resume() // the next read tells
		if !late {
			continue
		}
		s.mu.Lock()
		break
	}
	defer s.mu.Unlock()
	if s.bytes+len(data) > streamHard {
		s.overflow = true
	} else {
		s.packets = append(s.packets, bytes.Clone(data))
		s.bytes += len(data)
	}
	signal(s.arrived)
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
	defer func() {
		s.mu.Lock()
		s.over, s.packets = true, nil
		s.mu.Unlock()
		signal(s.taken)
	}()
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
	for {
		select {
		case <-s.arrived:
			if err := deliver(); err != nil {
				return c.abort(p, err)
			}
			continue
		case <-ctx.Done():
			return c.abort(p, lostError(action, onebot.ErrUnknownOutcome, context.Cause(ctx)))
		case <-p.done:
		}
		break
	}
	defer release(p)
	if err := deliver(); err != nil {
		return err
	}
	return p.finish(action, result)
}
