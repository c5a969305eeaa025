package unpack

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"
)

// maxWindow bounds the memory of one decompressor: xz -9 and zstd --ultra use
// up to this much, packages as they are published an eighth of it.
const maxWindow = 64 << 20

// decompress wraps r by the compression that name's ending tells: .xz, .zst,
// .gz, or none. The caller closes what it gets.
func decompress(name string, r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	switch ext(name) {
	case "xz":
		x, err := xz.NewReader(br, maxWindow)
		if errors.Is(err, xz.ErrMemlimit) {
			return nil, wideWindow(name)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return io.NopCloser(windowed{name, x}), nil
	case "zst":
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		c := z.IOReadCloser()
		return struct {
			io.Reader
			io.Closer
		}{windowed{name, c}, c}, nil
	case "gz":
		g, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return g, nil
	case "tar":
		return io.NopCloser(br), nil
	}
	return nil, fmt.Errorf("%w: unknown compression of %s", ErrFormat, name)
}

// windowed names the refusal of a window above maxWindow.
type windowed struct {
	name string
	r    io.Reader
}

func (w windowed) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if errors.Is(err, xz.ErrMemlimit) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = wideWindow(w.name)
	}
	return n, err
}

func wideWindow(name string) error {
	return refuse(name, ReasonTooLarge, "to unpack it takes a window of more than %d MiB", maxWindow>>20)
}

// ext is the last ending of name, without its dot.
func ext(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return ""
}
