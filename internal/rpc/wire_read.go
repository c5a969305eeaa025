package rpc

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
)

// What most of what comes consists of, a short message in one frame of its own, is
// taken from the wire without the library, which spends more on a message than it
// takes to decode one. Whatever else there is (control frames, fragments, what is
// long or has not come whole) stays the library's. The wire gives the library no
// more than the frame that comes, so that it never holds a part of the next one.

// incoming is a wire's part for what comes.
type incoming struct {
	frames atomic.Int32 // what is known of it, see opaque

	reading    sync.Mutex // guards the fields below
	in         []byte     // in[head:tail] was read from the system and not yet by the reader
	head, tail int
	left       int // bytes of the frame that the reader is in the middle of
}

// How the reader sees what comes.
const (
	opaque   = iota // as bytes: TLS, or what is not known
	upgrades        // lines of an answer to an upgrade, after which frames come
	framed          // frames that are not masked
)

// Read implements [net.Conn].
func (w *wire) Read(p []byte) (int, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	mode := w.frames.Load()
	if w.head == w.tail {
		if len(p) >= wireIn && (mode == opaque || mode == framed && len(p) <= w.left) {
			n, err := w.system(p)
			w.left -= min(n, w.left)
			return n, err
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := w.tail - w.head
	switch mode {
	case upgrades: // a line at a time, so that nothing is taken of what follows the last
		if i := bytes.IndexByte(w.in[w.head:w.tail], '\n'); i >= 0 {
			n = i + 1
		}
	case framed:
		if w.left == 0 {
			w.left = w.measure()
		}
		n = min(n, w.left)
	}
	n = copy(p, w.in[w.head:w.head+n])
	w.head += n
	w.left -= min(n, w.left)
	return n, nil
}

// fill reads at least a byte more.
func (w *wire) fill() error {
	if w.in == nil {
		w.in = make([]byte, wireIn)
	}
	w.tail = copy(w.in, w.in[w.head:w.tail])
	w.head = 0
	n, err := w.system(w.in[w.tail:])
	w.tail += n
	return err
}

// measure returns how long the frame is that comes, its header included. If the
// connection ends within the header it is what there is.
func (w *wire) measure() int {
	for {
		b := w.in[w.head:w.tail]
		if head, n := frameSize(b); head > 0 {
			return head + n
		}
		if w.fill() != nil {
			return len(b)
		}
	}
}

// frameSize returns how long the header and the rest of the frame are that b
// begins with; 0 if b does not hold the header whole.
func frameSize(b []byte) (head, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	head = 2
	switch n = int(b[1] &^ 0x80); n {
	case 126:
		if head = 4; len(b) >= head {
			n = int(binary.BigEndian.Uint16(b[2:]))
		}
	case 127:
		if head = 10; len(b) >= head {
			n = int(min(binary.BigEndian.Uint64(b[2:]), math.MaxInt-14)) // the library refuses more
		}
	}
	if b[1]&0x80 != 0 {
		head += 4
	}
	if len(b) < head {
		return 0, 0
	}
	return head, n
}

// message waits for a frame and, if it is a whole message and has come whole,
// takes it and appends what it holds to b. Else, and on an error, it is the
// library's turn, which comes upon the same.
func (w *wire) message(b []byte) (_ []byte, ok bool) {
	if w.frames.Load() != framed {
		return b, false
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	if w.left > 0 || w.head == w.tail && w.fill() != nil {
		return b, false
	}
	const last = 0x80
	in := w.in[w.head:w.tail]
	head, n := frameSize(in)
	if head == 0 || in[0] != last|opText || in[1]&0x80 != 0 || n > len(in)-head {
		return b, false
	}
	w.head += head + n
	return append(b, in[head:head+n]...), true
}
