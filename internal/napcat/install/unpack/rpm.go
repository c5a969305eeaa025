package unpack

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"
)

var (
	rpmLeadMagic   = []byte{0xed, 0xab, 0xee, 0xdb}
	rpmHeaderMagic = []byte{0x8e, 0xad, 0xe8, 0x01}
)

const (
	rpmLead = 96
	// maxRPMHeader bounds one header: names and digests of a few thousand files.
	maxRPMHeader = 16 << 20
	maxRPMTags   = 1 << 12

	rpmTagName       = 1000
	rpmTagVersion    = 1001
	rpmTagRelease    = 1002
	rpmTagSize       = 1009
	rpmTagArch       = 1022
	rpmTagCompressor = 1125

	rpmInt32  = 4
	rpmString = 6
)

// rpmHeader is what stands before an rpm's payload.
type rpmHeader struct {
	control    Control
	compressor string
	payload    int64 // offset
}

// readRPMHead reads the lead, the signature and the header of an rpm.
func readRPMHead(r *io.SectionReader) (rpmHeader, error) {
	var h rpmHeader
	lead := make([]byte, rpmLead)
	if _, err := io.ReadFull(r, lead); err != nil || !bytes.HasPrefix(lead, rpmLeadMagic) {
		return h, fmt.Errorf("%w: no rpm lead", ErrDamaged)
	}
	br := bufio.NewReader(r)
	at := int64(rpmLead)
	n, err := readRPMTags(br, func(int32, string, int64) {})
	if err != nil {
		return h, err
	}
	at += n
	// The signature is padded to eight bytes.
	if pad := (8 - at%8) % 8; pad > 0 {
		if _, err := br.Discard(int(pad)); err != nil {
			return h, damaged(err)
		}
		at += pad
	}
	var release string
	n, err = readRPMTags(br, func(tag int32, s string, v int64) {
		switch tag {
		case rpmTagName:
			h.control.Package = s
		case rpmTagVersion:
			h.control.Version = s
		case rpmTagRelease:
			release = s
		case rpmTagArch:
			h.control.Architecture = debianArch(s)
		case rpmTagSize:
			h.control.InstalledBytes = v
		case rpmTagCompressor:
			h.compressor = s
		}
	})
	if err != nil {
		return h, err
	}
	if release != "" {
		h.control.Version += "-" + release
	}
	h.payload = at + n
	return h, nil
}

// readRPMTags reads one header structure, tells each of its plain string and
// 32-bit values, and returns its length in bytes.
func readRPMTags(r io.Reader, tell func(tag int32, s string, v int64)) (int64, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || !bytes.HasPrefix(head[:], rpmHeaderMagic) {
		return 0, fmt.Errorf("%w: no rpm header", ErrDamaged)
	}
	count := binary.BigEndian.Uint32(head[8:])
	size := binary.BigEndian.Uint32(head[12:])
	if count > maxRPMTags || size > maxRPMHeader {
		return 0, refuse("(header)", ReasonTooLarge, "rpm header of %d tags and %d bytes", count, size)
	}
	index := make([]byte, 16*count)
	if _, err := io.ReadFull(r, index); err != nil {
		return 0, damaged(err)
	}
	// Grown as it is read: a header that only claims to be large costs nothing.
	var store bytes.Buffer
	if n, err := io.CopyN(&store, r, int64(size)); err != nil {
		return 0, fmt.Errorf("%w: rpm header has %d bytes of %d", ErrDamaged, n, size)
	}
	data := store.Bytes()
	for i := range int(count) {
		e := index[16*i:]
		tag, kind := int32(binary.BigEndian.Uint32(e)), binary.BigEndian.Uint32(e[4:])
		off := binary.BigEndian.Uint32(e[8:])
		if off >= size {
			continue
		}
		switch kind {
		case rpmString:
			if s, _, ok := bytes.Cut(data[off:], []byte{0}); ok {
				tell(tag, string(s), 0)
			}
		case rpmInt32:
			if size-off >= 4 {
				tell(tag, "", int64(binary.BigEndian.Uint32(data[off:])))
			}
		}
	}
	return 16 + int64(len(index)) + int64(size), nil
}

// debianArch turns rpm's word for an architecture into Debian's.
func debianArch(s string) string {
	switch s {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "noarch":
		return "all"
	}
	return s
}

func extractRPM(t *tree, f io.ReaderAt, size int64) (Control, error) {
	h, err := readRPMHead(io.NewSectionReader(f, 0, size))
	if err != nil {
		return h.control, err
	}
	name := "payload.cpio"
	switch h.compressor {
	case "zstd":
		name += ".zst"
	case "xz", "lzma":
		name += "." + h.compressor
	case "gzip", "":
		name += ".gz"
	case "none":
	default:
		return h.control, fmt.Errorf("%w: rpm payload compressed with %.20q", ErrFormat, h.compressor)
	}
	r, err := decompress(name, io.NewSectionReader(f, h.payload, size-h.payload))
	if err != nil {
		return h.control, err
	}
	defer r.Close()
	return h.control, extractCPIO(t, t.stream(r))
}

func extractCPIO(t *tree, r io.Reader) error {
	cr := cpio.NewReader(r)
	links := cpioLinks{}
	for {
		h, err := cr.Next()
		if errors.Is(err, io.EOF) {
			return links.empty(t)
		}
		if err != nil {
			return damaged(err)
		}
		if err := t.cpioEntry(h, cr, links); err != nil {
			return err
		}
	}
}

func (t *tree) cpioEntry(h *cpio.Header, r io.Reader, links cpioLinks) error {
	mode := h.FileInfo().Mode()
	switch {
	case mode.IsDir():
		return t.dir(h.Name)
	case mode&fs.ModeSymlink != 0:
		return t.symlink(h.Name, h.Linkname, true)
	case !mode.IsRegular():
		return refuse(h.Name, ReasonSpecial, "neither file, folder nor link (%s)", mode)
	case h.Links > 1:
		return links.add(t, h, r)
	}
	return t.file(h.Name, mode, h.Size, r)
}

// cpioLinks are the files with several names, by inode number. An rpm gives the
// bytes to one of the names, mostly the last; the others come without.
type cpioLinks map[int64]*cpioLink

type cpioLink struct {
	name    string // of the one that has the bytes, empty until it came
	waiting []string
	mode    fs.FileMode
}

func (l cpioLinks) add(t *tree, h *cpio.Header, r io.Reader) error {
	g := l[h.Inode]
	if g == nil {
		g = &cpioLink{mode: h.FileInfo().Mode()}
		l[h.Inode] = g
	}
	switch {
	case g.name != "" && h.Size > 0:
		return refuse(h.Name, ReasonLink, "a second content for the file that is also %s", g.name)
	case g.name != "":
		return t.hardlink(h.Name, g.name)
	case h.Size == 0:
		g.waiting = append(g.waiting, h.Name)
		if len(g.waiting) > t.lim.Entries {
			return refuse(h.Name, ReasonTooMany, "more than %d entries", t.lim.Entries)
		}
		return nil
	}
	return g.write(t, h.Name, h.Size, r)
}

// write writes the file under the name that has its bytes, and gives it the
// names that waited.
func (g *cpioLink) write(t *tree, name string, size int64, r io.Reader) error {
	if err := t.file(name, g.mode, size, r); err != nil {
		return err
	}
	g.name = name
	for _, w := range g.waiting {
		if err := t.hardlink(w, name); err != nil {
			return err
		}
	}
	return nil
}

// empty writes the files that nobody brought bytes for, in a fixed order.
func (l cpioLinks) empty(t *tree) error {
	for _, inode := range slices.Sorted(maps.Keys(l)) {
		g := l[inode]
		if g.name != "" {
			continue
		}
		name := g.waiting[0]
		g.waiting = g.waiting[1:]
		if err := g.write(t, name, 0, strings.NewReader("")); err != nil {
			return err
		}
	}
	return nil
}
