package rpc

import (
	"context"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// Frames are small but for a few: a picture or a video as base64 in one, up to
// 50 MiB. Such a frame is read in pieces, is never copied once it is whole, and
// its memory goes back to the system soon after, so that a bot does not stay as
// large as its largest message.
const (
	// maxKept is the largest buffer that is kept for the next frame. A larger
	// frame belongs to who gets it.
	maxKept = 256 << 10
	// A large frame is read in pieces as long as what is there already, within
	// these bounds.
	minPiece, maxPiece = 256 << 10, 8 << 20
	// tailKept is how much of the end of a frame over the limit is looked at.
	tailKept = 1 << 10

	// giant is how long a frame is after which memory is given back. Below it
	// Go's own slow return is good enough.
	giant = 4 << 20
	// settle is how long after the last giant frame that happens, and later
	// when it happens again, for what a handler still held the first time.
	settle, later = time.Second, 10 * time.Second
	// breathe is the least time between two returns of memory in a process:
	// each is a whole garbage collection.
	breathe = 5 * time.Second
)

// read reads one message. Up to maxKept bytes it is in buf's memory, else in
// memory of its own. Of a message over Options.MaxFrame only the last bytes are
// returned; size tells how long it was.
func (c *Conn) read(ctx context.Context, buf []byte) (_ []byte, size int, err error) {
	_, r, err := c.ws.Reader(ctx)
	if err != nil {
		return buf, 0, err
	}
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= maxKept {
				return c.readLarge(r, buf)
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, len(buf), nil
		}
		if err != nil {
			return buf, len(buf), err
		}
	}
}

// readLarge reads the rest of a message that begins with head.
func (c *Conn) readLarge(r io.Reader, head []byte) (_ []byte, size int, err error) {
	pieces := [][]byte{head}
	size = len(head)
	for size <= c.o.MaxFrame {
		piece := make([]byte, min(max(size, minPiece), maxPiece))
		n, err := io.ReadFull(r, piece)
		pieces = append(pieces, piece[:n])
		size += n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return join(pieces, size), size, nil
		}
		if err != nil {
			return nil, size, err
		}
	}
	// Too large: only its end matters, where the answer's echo stands (contract
	// E.2).
	last := pieces[len(pieces)-1]
	tail := append([]byte(nil), last[max(len(last)-tailKept, 0):]...)
	clear(pieces)
	piece := make([]byte, 64<<10)
	for {
		n, err := r.Read(piece)
		size += n
		tail = append(tail, piece[:n]...)
		tail = append(tail[:0], tail[max(len(tail)-tailKept, 0):]...)
		if err == io.EOF {
			return tail, size, nil
		}
		if err != nil {
			return nil, size, err
		}
	}
}

// join makes one slice of pieces, which it lets go of on the way.
func join(pieces [][]byte, size int) []byte {
	whole := make([]byte, 0, size)
	for i, p := range pieces {
		whole = append(whole, p...)
		pieces[i] = nil
	}
	return whole
}

// swell notes that a frame of so many bytes came or went.
func (c *Conn) swell(size int) {
	if size >= giant {
		signal(c.swollen)
	}
}

// trims gives memory back to the system after giant frames.
func (c *Conn) trims(ctx context.Context) {
	pauses := []time.Duration{settle, later}
	next := len(pauses) // nothing to do
	t := time.NewTimer(0)
	<-t.C
	for {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-c.swollen:
			next = 0
			t.Reset(pauses[next])
			continue
		case <-t.C:
		}
		if wait := trim(); wait > 0 {
			t.Reset(wait)
			continue
		}
		if next++; next < len(pauses) {
			t.Reset(pauses[next])
		}
	}
}

// trimmed is when memory was last given back, which is the process's matter and
// not a connection's.
var trimmed struct {
	sync.Mutex
	at time.Time
}

// trim gives memory back to the system, or returns how long to wait with it.
func trim() (wait time.Duration) {
	trimmed.Lock()
	wait = breathe - time.Since(trimmed.at)
	if wait <= 0 {
		trimmed.at = time.Now()
	}
	trimmed.Unlock()
	if wait <= 0 {
		debug.FreeOSMemory()
	}
	return max(wait, 0)
}
