package unpack

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// maxControl bounds the control file of a package; real ones have a few KiB.
const maxControl = 1 << 20

// debParts are the members of a .deb.
type debParts struct {
	control, data arMember
}

// readDeb finds the members of a .deb and checks that none is cut short.
func readDeb(f io.ReaderAt, size int64) (debParts, error) {
	var d debParts
	ar, err := newArReader(f, size)
	if err != nil {
		return d, err
	}
	for i := 0; ; i++ {
		m, err := ar.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return d, err
		}
		switch {
		case i == 0:
			version, err := io.ReadAll(io.LimitReader(m.data, 8))
			if err != nil || m.name != "debian-binary" || !strings.HasPrefix(string(version), "2.") {
				return d, fmt.Errorf("%w: an ar archive, but no Debian package of format 2", ErrFormat)
			}
		case strings.HasPrefix(m.name, "control.tar") && d.control.data == nil:
			d.control = m
		case strings.HasPrefix(m.name, "data.tar") && d.data.data == nil:
			d.data = m
		case strings.HasPrefix(m.name, "control.tar"), strings.HasPrefix(m.name, "data.tar"):
			return d, refuse(m.name, ReasonDuplicate, "the member comes twice")
		}
	}
	if d.control.data == nil || d.data.data == nil {
		return d, fmt.Errorf("%w: a Debian package without %s", ErrDamaged, missing(d))
	}
	return d, nil
}

func missing(d debParts) string {
	if d.control.data == nil {
		return "control.tar"
	}
	return "data.tar"
}

func checkDeb(f io.ReaderAt, size int64) (Control, error) {
	d, err := readDeb(f, size)
	if err != nil {
		return Control{}, err
	}
	return readControl(d.control)
}

func extractDeb(t *tree, f io.ReaderAt, size int64) (Control, error) {
	d, err := readDeb(f, size)
	if err != nil {
		return Control{}, err
	}
	c, err := readControl(d.control)
	if err != nil {
		return c, err
	}
	r, err := decompress(d.data.name, d.data.data)
	if err != nil {
		return c, err
	}
	defer r.Close()
	return c, extractTar(t, t.stream(r))
}

func extractTar(t *tree, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end mark is read too, so that a wrong checksum at
			// the end of the compressed stream is not overlooked.
			if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, t.buf); err != nil {
				return damaged(err)
			}
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if err := t.tarEntry(h, tr); err != nil {
			return err
		}
	}
}

func (t *tree) tarEntry(h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg:
		return t.file(h.Name, h.FileInfo().Mode(), h.Size, r)
	case tar.TypeDir:
		return t.dir(h.Name)
	case tar.TypeSymlink:
		return t.symlink(h.Name, h.Linkname, true)
	case tar.TypeLink:
		return t.hardlink(h.Name, h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return refuse(h.Name, ReasonSpecial, "neither file, folder nor link (type %q)", h.Typeflag)
}

// readControl reads the control file out of control.tar.
func readControl(m arMember) (Control, error) {
	r, err := decompress(m.name, m.data)
	if err != nil {
		return Control{}, err
	}
	defer r.Close()
	tr := tar.NewReader(io.LimitReader(r, 16*maxControl))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return Control{}, fmt.Errorf("%w: %s holds no control file", ErrDamaged, m.name)
		}
		if err != nil {
			return Control{}, damaged(err)
		}
		if path.Clean(h.Name) == "control" && h.Typeflag == tar.TypeReg {
			return parseControl(io.LimitReader(tr, maxControl))
		}
	}
}

// parseControl reads the fields that matter of a Debian control file.
func parseControl(r io.Reader) (Control, error) {
	var c Control
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxControl)
	for s.Scan() {
		key, value, ok := strings.Cut(s.Text(), ":")
		if !ok || strings.HasPrefix(key, " ") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "package":
			c.Package = value
		case "version":
			c.Version = value
		case "architecture":
			c.Architecture = value
		case "installed-size":
			if kib, err := strconv.ParseInt(value, 10, 64); err == nil && kib > 0 && kib < 1<<40 {
				c.InstalledBytes = kib << 10
			}
		}
	}
	return c, damaged(s.Err())
}
