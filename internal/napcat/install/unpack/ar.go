package unpack

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// arMember is one file of an ar archive, as a part of the file that holds it.
type arMember struct {
	name string
	data *io.SectionReader
}

// arReader walks an ar archive, the outer wrapping of a .deb. Only what a .deb
// has is known: short names, no symbol table.
type arReader struct {
	f    io.ReaderAt
	at   int64
	size int64
}

func newArReader(f io.ReaderAt, size int64) (*arReader, error) {
	head := make([]byte, len(arMagic))
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != arMagic {
		return nil, fmt.Errorf("%w: no ar magic", ErrDamaged)
	}
	return &arReader{f: f, at: int64(len(arMagic)), size: size}, nil
}

// next returns the next member, or io.EOF after the last one.
func (r *arReader) next() (arMember, error) {
	if r.at >= r.size {
		return arMember{}, io.EOF
	}
	h := make([]byte, arHeader)
	if _, err := r.f.ReadAt(h, r.at); err != nil {
		if errors.Is(err, io.EOF) {
			return arMember{}, fmt.Errorf("%w: ar header cut short at byte %d", ErrDamaged, r.at)
		}
		return arMember{}, err
	}
	if h[58] != '`' || h[59] != '\n' {
		return arMember{}, fmt.Errorf("%w: no ar header at byte %d", ErrDamaged, r.at)
	}
	name := strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/")
	size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 {
		return arMember{}, fmt.Errorf("%w: size of ar member %q", ErrDamaged, name)
	}
	start := r.at + arHeader
	if size > r.size-start {
		return arMember{}, fmt.Errorf("%w: ar member %q has %d bytes of %d, cut short", ErrDamaged, name, r.size-start, size)
	}
	r.at = start + size + size&1
	return arMember{name: name, data: io.NewSectionReader(r.f, start, size)}, nil
}
