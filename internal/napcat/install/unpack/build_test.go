package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulikunitz/xz"
)

// entry is one entry of an archive to build.
type entry struct {
	name string
	kind byte // tar's type flags; 0 is a file
	link string
	data string
	mode int64
	n    int64 // with data empty: this many zero bytes
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

// debWith is a deb with this data member.
func debWith(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	return arFile([2]string{"debian-binary", "2.0\n"},
		[2]string{"control.tar.gz", string(gzipped(t, buildTar(t, []entry{{name: "./control", data: control}})))},
		[2]string{name, string(data)})
}

// wideXZ is a small xz whose only block asks for a window of 1.5 GiB.
func wideXZ(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 16, CheckSum: xz.CRC32}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(buildTar(t, []entry{{name: "f", data: "x"}})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// The block header stands after the 12 bytes of the stream header: its size in
	// words, flags, LZMA2's number, one byte of properties: the window, padding, a checksum.
	out := b.Bytes()
	head := out[12 : 12+4*(int(out[12])+1)]
	at := bytes.Index(head, []byte{0x21, 1}) + 2
	head[at] = 37 // 3 << 29
	binary.LittleEndian.PutUint32(head[len(head)-4:], crc32.ChecksumIEEE(head[:len(head)-4]))
	return out
}

// wideZstd is a small zstd frame that asks for a window of 2 GiB.
func wideZstd(t testing.TB) []byte {
	t.Helper()
	raw := buildTar(t, []entry{{name: "f", data: "x"}})
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3} // magic, no sizes, window
	for len(raw) > 0 {
		n := min(len(raw), 1<<16)
		h := uint32(n) << 3
		if n == len(raw) {
			h |= 1
		}
		out = append(append(out, byte(h), byte(h>>8), byte(h>>16)), raw[:n]...)
		raw = raw[n:]
	}
	return out
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
