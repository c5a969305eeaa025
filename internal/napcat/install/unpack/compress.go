package unpack

import (
	"bufio"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// maxWindow bounds the memory of one decompressor: xz -9 and zstd --ultra use
// up to this much, packages as they are published an eighth of it.
const maxWindow = 64 << 20

// decompress wraps r by the compression that name's ending tells: .xz, .zst,
// .gz, .lzma, or none. The caller closes what it gets.
func decompress(name string, r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	switch ext(name) {
	case "xz":
		x, err := xz.ReaderConfig{DictCap: 1 << 20}.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return io.NopCloser(x), nil
	case "lzma":
		x, err := lzma.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return io.NopCloser(x), nil
	case "zst":
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return z.IOReadCloser(), nil
	case "gz":
		g, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		return g, nil
	case "tar", "cpio":
		return io.NopCloser(br), nil
	}
	return nil, fmt.Errorf("%w: unknown compression of %s", ErrFormat, name)
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
