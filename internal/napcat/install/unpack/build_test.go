package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// entry is one entry of an archive to build.
type entry struct {
	name string
	kind byte // tar's type flags; 0 is a file
	link string
	data string
	mode int64
	n    int64 // with data empty: this many zero bytes
	// inode is the same for the names of one file in an rpm.
	inode int64
}

func (e entry) body() []byte {
	if e.n > 0 {
		return make([]byte, e.n)
	}
	return []byte(e.data)
}

func buildTar(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: e.mode, Format: tar.FormatGNU}
		if e.kind == tar.TypeReg {
			h.Size = int64(len(e.body()))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if e.kind == tar.TypeReg {
			if _, err := w.Write(e.body()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func arFile(members ...[2]string) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m[0], 0, 0, 0, "100644", len(m[1]), m[1])
		if len(m[1])%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

const control = "Package: linuxqq\nVersion: 3.2.30-50969\nArchitecture: amd64\nInstalled-Size: 12\nDescription: QQ\n Version: not this\n"

func buildDeb(t testing.TB, entries []entry) []byte {
	t.Helper()
	return arFile([2]string{"debian-binary", "2.0\n"},
		[2]string{"control.tar.gz", string(gzipped(t, buildTar(t, []entry{{name: "./control", data: control}})))},
		[2]string{"data.tar.gz", string(gzipped(t, buildTar(t, entries)))})
}

func buildZip(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, NonUTF8: true}
		body := e.body()
		mode := fs.FileMode(0o644)
		if e.mode != 0 {
			mode = fs.FileMode(e.mode)
		}
		switch e.kind {
		case tar.TypeSymlink:
			mode |= fs.ModeSymlink
			body = []byte(e.link)
		case tar.TypeDir:
			mode |= fs.ModeDir
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		case tar.TypeFifo:
			mode |= fs.ModeNamedPipe
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if len(body) > 0 && e.kind != tar.TypeDir {
			if _, err := f.Write(body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// buildRPM writes an rpm with the tags that are read and a gzip payload.
func buildRPM(t testing.TB, entries []entry) []byte {
	t.Helper()
	var payload bytes.Buffer
	w := cpio.NewWriter(&payload)
	names := map[int64]int{}
	for _, e := range entries {
		names[e.inode]++
	}
	names[0] = 1
	for _, e := range entries {
		mode := cpio.FileMode(0o644 | cpio.TypeReg)
		body := e.body()
		switch e.kind {
		case tar.TypeDir:
			mode = 0o755 | cpio.TypeDir
		case tar.TypeSymlink:
			mode, body = 0o777|cpio.TypeSymlink, []byte(e.link)
		case tar.TypeChar:
			mode = 0o644 | cpio.TypeChar
		}
		if e.mode != 0 {
			mode = mode&^0o777 | cpio.FileMode(e.mode)
		}
		if err := w.WriteHeader(&cpio.Header{Name: e.name, Mode: mode, Size: int64(len(body)), Links: names[e.inode], Inode: e.inode}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(rpmLeadMagic)
	b.Write(make([]byte, rpmLead-4))
	b.Write(rpmTags(nil))
	b.Write(make([]byte, (8-b.Len()%8)%8))
	b.Write(rpmTags(map[uint32]string{
		rpmTagName: "linuxqq", rpmTagVersion: "3.2.30", rpmTagRelease: "50828", rpmTagArch: "x86_64", rpmTagCompressor: "gzip",
	}))
	b.Write(gzipped(t, payload.Bytes()))
	return b.Bytes()
}

func rpmTags(tags map[uint32]string) []byte {
	var index, data bytes.Buffer
	for tag, s := range tags {
		for _, v := range []uint32{tag, rpmString, uint32(data.Len()), 1} {
			binary.Write(&index, binary.BigEndian, v)
		}
		data.WriteString(s + "\x00")
	}
	var b bytes.Buffer
	b.Write(rpmHeaderMagic)
	b.Write(make([]byte, 4))
	binary.Write(&b, binary.BigEndian, uint32(len(tags)))
	binary.Write(&b, binary.BigEndian, uint32(data.Len()))
	b.Write(index.Bytes())
	b.Write(data.Bytes())
	return b.Bytes()
}

// files lists what is below dir: path to content, links as "-> target".
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			all[rel] = "dir"
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			all[rel] = "-> " + to
		default:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			all[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
