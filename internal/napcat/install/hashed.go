package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// hashedBlock is how much of a package is judged at a time.
const hashedBlock = 1 << 20

// hashedFile is a package as it was when its digest was taken: it keeps a digest
// of every block, and each block that is read later is compared, so that what is
// unpacked is what was hashed, whatever is written into the file meanwhile. It is
// not safe for concurrent use.
type hashedFile struct {
	f      io.ReaderAt
	size   int64
	sum    string // SHA-256 of the whole in hex
	blocks [][sha256.Size]byte

	at  int64 // number of the block in buf, -1 for none
	buf []byte
}

// hashFile reads a file from its beginning to its end.
func hashFile(ctx context.Context, f *os.File) (*hashedFile, error) {
	h := &hashedFile{f: f, at: -1, buf: make([]byte, hashedBlock)}
	whole := sha256.New()
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := f.ReadAt(h.buf, h.size)
		if n > 0 {
			whole.Write(h.buf[:n])
			h.blocks = append(h.blocks, sha256.Sum256(h.buf[:n]))
			h.size += int64(n)
		}
		if errors.Is(err, io.EOF) {
			h.sum = hex.EncodeToString(whole.Sum(nil))
			return h, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// ErrChanged is a package that was written to while it was installed.
var ErrChanged = errors.New("the file changed while it was read")

// ReadAt implements io.ReaderAt.
func (h *hashedFile) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		if off >= h.size {
			return n, io.EOF
		}
		if err := h.load(off / hashedBlock); err != nil {
			return n, err
		}
		k := copy(p[n:], h.buf[off-h.at*hashedBlock:min(hashedBlock, h.size-h.at*hashedBlock)])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// load brings a block into buf and compares it.
func (h *hashedFile) load(block int64) error {
	if block == h.at {
		return nil
	}
	h.at = -1
	buf := h.buf[:min(hashedBlock, h.size-block*hashedBlock)]
	if n, err := h.f.ReadAt(buf, block*hashedBlock); n < len(buf) {
		if err == nil || errors.Is(err, io.EOF) {
			err = ErrChanged
		}
		return err
	}
	if sha256.Sum256(buf) != h.blocks[block] {
		return fmt.Errorf("%w (near byte %d)", ErrChanged, block*hashedBlock)
	}
	h.at = block
	return nil
}
