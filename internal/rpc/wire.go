package rpc

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// Sizes of a wire.
const (
	// wireIn is how much one system call reads at most. It also bounds for how
	// many events the reader may be busy before it flushes what was written
	// meanwhile.
	wireIn = 32 << 10
	// wireOut is how much may wait to be written. A writer of more waits for the
	// system to take it.
	wireOut = 64 << 10
	// wirePiece is how much of what is larger is written at a time, so that it is
	// seen that the peer takes it.
	wirePiece = 256 << 10
)

// wire is a network connection under a WebSocket that makes few system calls of
// many small frames. One call reads as many frames as there are. Frames that are
// written while others are on their way, or while the reader is busy with what it
// has read, leave in one call. A frame is never delayed to wait for others: it
// leaves at once if the reader is blocked, else when the reader is through with
// what it has read, before it asks the system for more. If it woke others by then,
// which are about to write, it lets them run first and sends for all; asking at once
// would most often find nothing yet. Of those that did not get to run, the first to
// write lets the others go before it likewise, as does one that writes while many other
// calls are on their way: where there are many, more are about to be made.
//
// A wire is safe for concurrent use, as a closing handshake needs that reads from
// another goroutine.
type wire struct {
	net.Conn
	now *NowWriter // for what set flying or, while it is not set, holds mu

	idle func() // nil, or called before the system is asked for more

	woke  atomic.Int32  // goroutines woken since the system was last asked that have not written
	moved atomic.Uint32 // how often bytes came, or the peer made room for some that waited
	incoming

	flushers sync.WaitGroup // what waits for the peer to read

	mu     sync.Mutex // guards the fields below
	landed sync.Cond  // flying became false
	out    []byte     // waits to be written
	spare  []byte     // memory for the next out, or nil
	busy   bool       // the reader handles what it has read, and will flush
	held   int        // hold without release
	coming int        // goroutines woken before the reader asked, that may still write
	yields bool       // a writer lets others run, and will flush
	flying bool       // something is being written, whose writer goes on with out
	err    error      // why nothing can be written any more
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c, now: NewNowWriter(c)}
	w.landed.L = &w.mu
	return w
}

// onThread lets the reader wait on a thread that it keeps meanwhile. It is called
// while nobody uses the wire.
func (w *wire) onThread() {
	w.Conn = onThread(w.Conn)
	w.now = NewNowWriter(w.Conn)
}

// system reads from the system, whose error that comes with data comes again.
func (w *wire) system(p []byte) (int, error) {
	if w.idle != nil {
		w.idle()
	}
	if w.woke.Load() > 0 {
		runtime.Gosched()
	}
	w.pause()
	n, err := w.Conn.Read(p)
	if lost := w.resume(); err != nil && lost != nil {
		err = lost
	}
	if n > 0 {
		w.moved.Add(1)
		err = nil
	}
	return n, err
}

// signs returns how often the peer gave a sign of life, and whether the reader is
// busy with what came, so that it cannot see more.
func (w *wire) signs() (moved uint32, busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.moved.Load(), w.busy
}

// pause is called by the reader before it does anything that may block. It
// flushes, and until resume whatever is written leaves at once.
func (w *wire) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	w.coming = max(int(w.woke.Swap(0)), 0)
	w.flushLocked()
}

// resume is called by the reader when it goes on. It returns why writing failed.
func (w *wire) resume() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = true
	return w.err
}

// hold lets frames wait until release, so that their writers need not
// keep others from writing while the system takes them.
func (w *wire) hold() {
	w.mu.Lock()
	w.held++
	w.mu.Unlock()
}

// release ends a hold; others says whether others may be about to write as well.
func (w *wire) release(others bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held--
	if w.busy {
		w.woke.Add(-1)
		return
	}
	if w.coming--; w.coming > 0 || others {
		if w.yields {
			return
		}
		w.yields = true
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
		w.yields = false
	}
	w.flushLocked()
}

// Write implements [net.Conn]. A nil error says that p was taken, not that it
// was sent; after what could not be sent Read fails.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.out)+len(p) > wireOut && (len(w.out) > 0 || w.flying) && w.err == nil {
		if w.flying {
			w.landed.Wait()
		} else {
			w.flushLocked()
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	if len(p) > wireOut { // not worth a copy
		w.flying = true
		w.mu.Unlock()
		n, err := w.all(p)
		w.mu.Lock()
		w.landLocked(nil, err)
		w.flushLocked()
		return n, err
	}
	w.out = append(w.out, p...)
	if !w.busy && w.held == 0 {
		w.flushLocked()
	}
	return len(p), nil
}

// all writes p, waiting for the peer to make room.
func (w *wire) all(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = w.Conn.Write(p[n:min(n+wirePiece, len(p))])
		n += k
		w.moved.Add(1)
	}
	return n, err
}

// flushLocked writes what waits, and what comes meanwhile. It does not wait for a
// peer that takes nothing, which may itself be waiting for us to read: a
// goroutine does.
func (w *wire) flushLocked() {
	for len(w.out) > 0 && !w.flying && w.err == nil {
		b := w.out
		w.out, w.spare, w.flying = w.spare[:0], nil, true
		w.mu.Unlock()
		n, err := w.now.Write(b)
		w.mu.Lock()
		if n == len(b) || err != nil || w.err != nil {
			w.landLocked(b, err)
			continue
		}
		w.flushers.Go(func() {
			_, err := w.all(b[n:])
			w.mu.Lock()
			defer w.mu.Unlock()
			w.landLocked(b, err)
			w.flushLocked()
		})
	}
}

// landLocked ends the writing of b.
func (w *wire) landLocked(b []byte, err error) {
	w.flying = false
	if cap(b) > 0 {
		w.spare = b
	}
	if err != nil && w.err == nil {
		w.err = err
		w.Conn.Close() // so that the reader learns of it
	}
	w.landed.Broadcast()
}

// Close implements [net.Conn]. What waits is sent as far as the system takes it
// at once.
func (w *wire) Close() error {
	w.mu.Lock()
	if len(w.out) > 0 && !w.flying && w.err == nil {
		_, _ = w.now.Write(w.out) // it would be lost otherwise
	}
	if w.err == nil {
		w.err = net.ErrClosed
	}
	w.landed.Broadcast()
	w.mu.Unlock()
	err := w.Conn.Close()
	w.flushers.Wait()
	return err
}
