package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
)

// Bounds on what waits for one receiver.
const (
	// maxQueued is how many bytes may wait. A frame that finds less than that
	// waiting is taken whatever its own size.
	maxQueued = 4 << 20
	// maxFrames is how many parts of frames may wait.
	maxFrames = 8192
	// stallTimeout is how long the system may take nothing of what is written.
	stallTimeout = 20 * time.Second
	// writeChunk is how much leaves with one system call at most.
	writeChunk = 64 << 10
)

// errSlow is why a receiver is cut off that does not take what is sent to it.
var errSlow = errors.New("reads too slowly")

// outbox is a connection that never blocks a writer: frames wait in memory,
// and all that wait leave with one system call. What the system does not take at
// once a goroutine writes, which exists for as long as there is such.
//
// It is the net.Conn beneath a WebSocket, whose own control frames go through
// Write. It is safe for concurrent use.
type outbox struct {
	net.Conn
	wire net.Conn       // Conn, or what it is wrapped around: what the system knows
	now  *rpc.NowWriter // of wire; for what set flying
	mask bool           // we are the client of the WebSocket

	wg sync.WaitGroup // the goroutine that writes

	mu     sync.Mutex // guards the fields below
	queue  [][]byte
	bytes  int   // of the queue and of what is being written
	total  int64 // bytes that were ever put
	wrote  int64 // bytes that the system took
	known  int64 // once it is closed: bytes that the receiver's system had confirmed
	closed bool
	flying bool // something is being written, whose writer goes on with the queue
	own    bool // what is being written is memory of ours, not a frame's
	spare  []byte
	err    error
	room   chan struct{} // closed when the queue has become empty; nil: nothing waits
}

func newOutbox(c, wire net.Conn, mask bool) *outbox {
	return &outbox{Conn: c, wire: wire, now: rpc.NewNowWriter(wire), mask: mask}
}

// put appends a frame, and returns where it ends in all that is ever sent. It
// reports false if the receiver is to be cut off.
func (o *outbox) put(f frame) (end int64, ok bool) {
	if o.mask {
		f = masked(f)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.total, false
	}
	if o.bytes > maxQueued || len(o.queue) > maxFrames {
		o.failLocked(errSlow)
		return o.total, false
	}
	n := f.size()
	o.queue = append(o.queue, f...)
	o.bytes += n
	o.total += int64(n)
	return o.total, true
}

// Write implements [net.Conn]. The WebSocket writes whole control frames through
// it, and during the handshake the answer's header.
func (o *outbox) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, o.err
	}
	if o.err != nil { // what has come is still read, whatever its answers
		return len(p), nil
	}
	if o.bytes > maxQueued || len(o.queue) > maxFrames { // pings whose answers it does not read
		o.failLocked(errSlow)
		return 0, o.err
	}
	o.queue = append(o.queue, append([]byte(nil), p...))
	o.bytes += len(p)
	o.total += int64(len(p))
	o.flushLocked()
	return len(p), nil
}

// flush sends what waits, as far as the system takes it without waiting.
func (o *outbox) flush() {
	o.mu.Lock()
	o.flushLocked()
	o.mu.Unlock()
}

func (o *outbox) flushLocked() {
	for len(o.queue) > 0 && !o.flying && o.err == nil {
		b := o.takeLocked()
		o.flying = true
		o.wrote += int64(len(b)) // its answer may be here before we are
		o.mu.Unlock()
		n, err := o.now.Write(b)
		o.mu.Lock()
		o.wrote -= int64(len(b) - n)
		if err != nil {
			o.landLocked(b, err)
			return
		}
		if n < len(b) {
			o.wg.Go(func() { o.drain(b, b[n:]) })
			return
		}
		o.landLocked(b, nil)
	}
}

// drain writes the rest of b, and then the queue, waiting for the receiver.
func (o *outbox) drain(b, rest []byte) {
	for {
		_ = o.Conn.SetWriteDeadline(time.Now().Add(stallTimeout)) // a connection without deadlines is closed with the link
		n, err := o.Conn.Write(rest)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errSlow
		}
		_ = o.Conn.SetWriteDeadline(time.Time{})
		o.mu.Lock()
		o.wrote += int64(n)
		o.landLocked(b, err)
		if len(o.queue) == 0 || o.err != nil {
			o.mu.Unlock()
			return
		}
		b = o.takeLocked()
		rest = b
		o.flying = true
		o.mu.Unlock()
	}
}

// takeLocked takes as much of the queue as leaves with one call. What is larger
// goes alone and uncopied.
func (o *outbox) takeLocked() []byte {
	if first := o.queue[0]; len(first) >= writeChunk || len(o.queue) == 1 {
		o.own = false
		o.queue[0] = nil
		if len(o.queue) == 1 {
			o.queue = o.queue[:0]
		} else {
			o.queue = o.queue[1:]
		}
		return first
	}
	b := o.spare[:0]
	o.spare, o.own = nil, true
	i := 0
	for i < len(o.queue) && len(b)+len(o.queue[i]) <= writeChunk {
		b = append(b, o.queue[i]...)
		o.queue[i] = nil
		i++
	}
	if i == len(o.queue) {
		o.queue = o.queue[:0]
	} else {
		o.queue = o.queue[i:]
	}
	return b
}

// landLocked ends the writing of b.
func (o *outbox) landLocked(b []byte, err error) {
	o.flying = false
	o.bytes -= len(b)
	if o.own && cap(b) <= 2*writeChunk {
		o.spare = b
	}
	if err != nil {
		o.failLocked(err)
	}
	if len(o.queue) == 0 && o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// failLocked gives the connection up. Of one that the other side has ended what
// came before the end is still read: it may say how far that got.
func (o *outbox) failLocked(err error) {
	if o.err == nil {
		o.err = err
		if errors.Is(err, errSlow) {
			_ = o.closeLocked() // so that its reader learns of it
		} else {
			_ = o.Conn.SetReadDeadline(time.Now().Add(stallTimeout)) // one that cannot is closed with the link
		}
	}
	o.queue = nil
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

func (o *outbox) closeLocked() error {
	if !o.closed {
		o.known = o.confirmedLocked()
		o.closed = true
	}
	return o.Conn.Close()
}

// confirmedLocked returns how many of the bytes put the receiver's system has
// confirmed, as far as ours knows that: what is wrapped is counted otherwise.
func (o *outbox) confirmedLocked() int64 {
	if o.closed {
		return o.known
	}
	return max(0, o.wrote-int64(unconfirmed(o.wire)))
}

// confirmed is confirmedLocked for others.
func (o *outbox) confirmed() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.confirmedLocked()
}

// empty returns a channel that is closed when nothing waits any more, nil if
// nothing does.
func (o *outbox) empty() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes == 0 || o.err != nil {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// waiting returns how many bytes wait.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// why returns why the connection was given up by us, nil if it was not.
func (o *outbox) why() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.err, net.ErrClosed) || errors.Is(o.err, io.EOF) {
		return nil
	}
	return o.err
}

// Close implements [net.Conn].
func (o *outbox) Close() error {
	o.mu.Lock()
	err := o.closeLocked()
	o.failLocked(net.ErrClosed)
	o.mu.Unlock()
	o.wg.Wait()
	return err
}
