package unpack

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxCentralDirectory bounds the index of a zip, which archive/zip reads whole
// before the first entry can be judged: 25,000 entries with long names fit.
const maxCentralDirectory = 16 << 20

// endOfCentralDirectory is the fixed part of a zip's last record.
const endOfCentralDirectory = 22

func extractZip(t *tree, f io.ReaderAt, size int64) error {
	zr, err := openZip(f, size, t.lim.Entries)
	if err != nil {
		return err
	}
	for _, e := range zr.File {
		if err := t.zipEntry(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) zipEntry(e *zip.File) error {
	mode := e.Mode()
	switch {
	case e.Flags&1 != 0:
		return refuse(e.Name, ReasonSpecial, "encrypted")
	case mode.IsDir():
		return t.dir(e.Name)
	case mode&fs.ModeSymlink != 0:
		target, err := readZip(e, int64(t.lim.PathBytes))
		if err != nil {
			return err
		}
		return t.symlink(e.Name, string(target), false)
	case !mode.IsRegular():
		return refuse(e.Name, ReasonSpecial, "neither file, folder nor link (%s)", mode)
	}
	if e.UncompressedSize64 > uint64(t.lim.FileBytes) {
		return refuse(e.Name, ReasonTooLarge, "%d bytes, more than %d", e.UncompressedSize64, t.lim.FileBytes)
	}
	r, err := e.Open()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, e.Name, err)
	}
	defer r.Close()
	return t.file(e.Name, mode, int64(e.UncompressedSize64), r)
}

func readZip(e *zip.File, limit int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, e.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, damaged(err)
	}
	if int64(len(b)) > limit {
		return nil, refuse(e.Name, ReasonLink, "link target longer than %d bytes", limit)
	}
	return b, nil
}

func checkZip(f io.ReaderAt, size int64) (total int64, files int, err error) {
	zr, err := openZip(f, size, DefaultLimits.Entries)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range zr.File {
		if e.UncompressedSize64 > uint64(DefaultLimits.FileBytes) {
			return 0, 0, refuse(e.Name, ReasonTooLarge, "%d bytes, more than %d", e.UncompressedSize64, DefaultLimits.FileBytes)
		}
		total += int64(e.UncompressedSize64)
		files++
	}
	return total, files, nil
}

// openZip reads the index, after looking that it is small enough to be read.
func openZip(f io.ReaderAt, size int64, entries int) (*zip.Reader, error) {
	dir, count, end, err := zipIndexSize(f, size)
	if err != nil {
		return nil, err
	}
	if dir > maxCentralDirectory || count > uint64(entries) {
		return nil, refuse(zipEntryName(f, end-int64(dir), entries), ReasonTooMany, "%d entries in an index of %d bytes, more than %d", count, dir, entries)
	}
	zr, err := zip.NewReader(f, size)
	// An unsafe name is refused by the tree, which can say why.
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, damaged(err)
	}
	if len(zr.File) > entries {
		return nil, refuse(zr.File[entries].Name, ReasonTooMany, "more than %d entries", entries)
	}
	return zr, nil
}

// zipEntryName reads of the index that begins at at the name of the nth entry,
// without keeping what stands before it.
func zipEntryName(f io.ReaderAt, at int64, n int) string {
	const header, unknown = 46, "(index)"
	if at < 0 {
		return unknown
	}
	r := bufio.NewReader(io.NewSectionReader(f, at, maxCentralDirectory))
	h := make([]byte, header)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(r, h); err != nil || binary.LittleEndian.Uint32(h) != 0x02014b50 {
			return unknown
		}
		name := make([]byte, binary.LittleEndian.Uint16(h[28:]))
		if _, err := io.ReadFull(r, name); err != nil {
			return unknown
		}
		if i == n {
			return string(name)
		}
		if _, err := r.Discard(int(binary.LittleEndian.Uint16(h[30:])) + int(binary.LittleEndian.Uint16(h[32:]))); err != nil {
			return unknown
		}
	}
}

// zipIndexSize finds the end record and returns the size of the index and its
// number of entries as the archive claims them, and where the index ends.
func zipIndexSize(f io.ReaderAt, size int64) (dir, count uint64, at int64, err error) {
	// The end record is followed by a comment of at most 64 KiB.
	n := min(size, endOfCentralDirectory+1<<16)
	tail := make([]byte, n)
	if _, err := f.ReadAt(tail, size-n); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, 0, err
	}
	for i := len(tail) - endOfCentralDirectory; i >= 0; i-- {
		if binary.LittleEndian.Uint32(tail[i:]) != 0x06054b50 {
			continue
		}
		end := tail[i:]
		comment := int(binary.LittleEndian.Uint16(end[20:]))
		if i+endOfCentralDirectory+comment > len(tail) {
			continue
		}
		count = uint64(binary.LittleEndian.Uint16(end[10:]))
		dir = uint64(binary.LittleEndian.Uint32(end[12:]))
		if count == 0xffff || dir == 0xffffffff || binary.LittleEndian.Uint32(end[16:]) == 0xffffffff {
			return zip64IndexSize(f, size-n+int64(i))
		}
		return dir, count, size - n + int64(i), nil
	}
	return 0, 0, 0, fmt.Errorf("%w: a zip without its end, cut short", ErrDamaged)
}

// zip64IndexSize reads the same from the 64-bit end record, whose locator
// stands just before the ordinary one at end.
func zip64IndexSize(f io.ReaderAt, end int64) (dir, count uint64, at int64, err error) {
	loc := make([]byte, 20)
	if end < int64(len(loc)) {
		return 0, 0, 0, fmt.Errorf("%w: zip64 without its locator", ErrDamaged)
	}
	if _, err := f.ReadAt(loc, end-int64(len(loc))); err != nil {
		return 0, 0, 0, damaged(err)
	}
	if binary.LittleEndian.Uint32(loc) != 0x07064b50 {
		return 0, 0, 0, fmt.Errorf("%w: zip64 without its locator", ErrDamaged)
	}
	where := binary.LittleEndian.Uint64(loc[8:])
	rec := make([]byte, 56)
	if where > uint64(end) {
		return 0, 0, 0, fmt.Errorf("%w: zip64 end record beyond the file", ErrDamaged)
	}
	if _, err := f.ReadAt(rec, int64(where)); err != nil {
		return 0, 0, 0, damaged(err)
	}
	if binary.LittleEndian.Uint32(rec) != 0x06064b50 {
		return 0, 0, 0, fmt.Errorf("%w: no zip64 end record", ErrDamaged)
	}
	return binary.LittleEndian.Uint64(rec[40:]), binary.LittleEndian.Uint64(rec[32:]), int64(where), nil
}
