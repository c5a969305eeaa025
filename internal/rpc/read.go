package rpc

import (
	"context"
	"io"
)

// Frames are small but for a few: a picture or a video as base64 in one, up to
// 50 MiB. Such a frame is read in pieces, is never copied once it is whole, and
// belongs to the call or event that it is for: the connection keeps nothing of
// it, so that its memory is free as soon as they are through with it.
const (
	// maxKept is the largest buffer that is kept for the next frame. A larger
	// frame belongs to its receiver.
	maxKept = 256 << 10
	// A large frame is read in pieces as long as what is there already, within
	// these bounds.
	minPiece, maxPiece = 256 << 10, 8 << 20
	// tailKept is how much of the end of a frame over the limit is looked at.
	tailKept = 1 << 10
)

// read reads one message. Up to maxKept bytes it is in buf's memory, else in
// memory of its own. Of a message over Options.MaxFrame only the last bytes are
// returned; size tells how long it was.
func (c *Conn) read(ctx context.Context, buf []byte) (_ []byte, size int, err error) {
	buf = buf[:0]
	if !c.down.Load() {
		if b, ok := c.wire.message(buf); ok {
			return b, len(b), nil
		}
	}
	_, r, err := c.ws.Reader(ctx)
	if err != nil {
		return buf, 0, err
	}
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
