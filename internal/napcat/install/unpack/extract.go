package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Options adjust [Extract].
type Options struct {
	Limits Limits
	// Progress is called from the same goroutine with the unpacked bytes so far.
	// It may be nil.
	Progress func(bytes int64)
}

// Result is what an archive turned out to hold.
type Result struct {
	Format  Format
	Bytes   int64 // of all files, unpacked
	Files   int
	Control Control // of a deb
}

// Control is what a distribution package says of itself.
type Control struct {
	Package      string
	Version      string
	Architecture string // amd64, arm64, all …, in Debian's words
	// InstalledBytes is the package's own estimate, 0 when it gives none.
	InstalledBytes int64
}

// Extract unpacks the archive f of size bytes into dir, which must exist and be
// empty. The format is read from the file itself. On an error dir holds an
// unusable part, for the caller to remove; nothing outside of dir was touched.
// A *[RefusedError] names the entry that was not accepted; an error that wraps
// [ErrHTML], [ErrFormat] or [ErrDamaged] says that f is not a whole archive; any
// other error is the file system's. When ctx ends, its cause is returned.
func Extract(ctx context.Context, f io.ReaderAt, size int64, dir string, o Options) (Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()
	return walk(ctx, f, size, root, o)
}

// Verify does all of [Extract] but writing: it decompresses everything, so that
// the archive's own checksums tell a damaged one. It is for an archive of which
// no digest is known.
func Verify(ctx context.Context, f io.ReaderAt, size int64, o Options) (Result, error) {
	return walk(ctx, f, size, nil, o)
}

func walk(ctx context.Context, f io.ReaderAt, size int64, root *os.Root, o Options) (Result, error) {
	format, err := SniffFile(f)
	if err != nil {
		return Result{}, err
	}
	t := newTree(ctx, root, size, o)
	res := Result{Format: format}
	switch format {
	case Zip:
		err = extractZip(t, f, size)
	case Deb:
		res.Control, err = extractDeb(t, f, size)
	}
	if err == nil {
		err = t.finish()
	}
	res.Bytes, res.Files = t.bytes, t.files
	if err == nil && t.files == 0 {
		err = fmt.Errorf("%w: no files in it", ErrDamaged)
	}
	return res, err
}

// Check reads of the archive f what can be read without unpacking it: that it
// is one, that it is not cut short, and how large it becomes. It is cheap
// enough to run before a download is accepted.
func Check(f io.ReaderAt, size int64) (Result, error) {
	format, err := SniffFile(f)
	if err != nil {
		return Result{}, err
	}
	res := Result{Format: format}
	switch format {
	case Zip:
		res.Bytes, res.Files, err = checkZip(f, size)
	case Deb:
		res.Control, err = checkDeb(f, size)
		res.Bytes = res.Control.InstalledBytes
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = damaged(err)
	}
	return res, err
}
