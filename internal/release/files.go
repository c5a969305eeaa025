package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// write adds a file to the release.
func (m *maker) write(name, platform string, b []byte) error {
	if err := os.WriteFile(filepath.Join(m.out, name), b, 0o644); err != nil {
		return err
	}
	return m.add(name, platform)
}

// add names a file of the release that lies in the folder already.
func (m *maker) add(name, platform string) error {
	f, err := os.Open(filepath.Join(m.out, name))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	m.files = append(m.files, signed.File{Name: name, Platform: platform, SHA256: hex.EncodeToString(h.Sum(nil)), Size: n})
	return nil
}

// member is a file of an archive.
type member struct {
	name string
	mode fs.FileMode
	from string // path
}

// below are the files of a folder as members of an archive, in their order.
func below(dir, prefix string) ([]member, error) {
	var all []member
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		all = append(all, member{prefix + filepath.ToSlash(rel), 0o644, p})
		return err
	})
	return all, err
}

// tarball packs members: no owner, one time, no name of this machine.
func tarball(members []member, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, m := range members {
		data, err := os.ReadFile(m.from)
		if err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: int64(m.mode), Size: int64(len(data)), ModTime: at, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// zipped is tarball for Windows.
func zipped(members []member, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(o io.Writer) (io.WriteCloser, error) { return flate.NewWriter(o, flate.BestCompression) })
	for _, m := range members {
		data, err := os.ReadFile(m.from)
		if err != nil {
			return nil, err
		}
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: at}
		h.SetMode(m.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sectionOf returns the part of a changelog below the heading of a version, or
// what is unreleased.
func sectionOf(changelog, version string) string {
	var found, unreleased []string
	var into *[]string
	for line := range strings.SplitSeq(changelog, "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			title = strings.Trim(strings.Fields(title + " -")[0], "[]v")
			switch {
			case title == version:
				into = &found
			case strings.EqualFold(title, "unreleased"):
				into = &unreleased
			default:
				into = nil
			}
			continue
		}
		if into != nil {
			*into = append(*into, line)
		}
	}
	if len(found) == 0 {
		found = unreleased
	}
	return strings.TrimSpace(strings.Join(found, "\n"))
}
