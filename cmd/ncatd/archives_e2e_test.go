//go:build e2e && linux

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// hostile is one entry of an archive that somebody made to do harm.
type hostile struct {
	name string
	kind byte // tar's; 0 is a file
	link string
	data string
	zero int64 // with data empty: so many zero bytes
}

// TestHostileArchives gives the program packages that must not be unpacked, at
// the sizes at which its own limits lie. Each is refused with the entry named,
// and nothing changes anywhere, the installed pair included.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	if _, errs, code := r.run("install", "--napcat-package", r.napcat, "--qq-package", r.qq); code != 0 {
		t.Fatal(errs)
	}
	around := filepath.Dir(r.home)
	if err := os.WriteFile(filepath.Join(around, "outside"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	many := make([]hostile, 100_000)
	for i := range many {
		many[i].name = fmt.Sprintf("d/%05d", i)
	}
	out := strings.Repeat("../", 6)
	for _, tt := range []struct {
		what    string
		entries []hostile
		named   string // the last one by default
		debOnly bool
	}{
		{what: "path upwards", entries: []hostile{{name: out + "outside", data: "x"}}},
		{what: "absolute path", entries: []hostile{{name: filepath.Join(around, "outside"), data: "x"}}},
		{what: "write through a link", entries: []hostile{{name: "d/f", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "d"}, {name: "l/g", data: "x"}}},
		{what: "link out, then a write", entries: []hostile{{name: "l", kind: tar.TypeSymlink, link: strings.TrimSuffix(out, "/")}, {name: "l/outside", data: "x"}}, named: "l"},
		{what: "absolute link, then a write", entries: []hostile{{name: "l", kind: tar.TypeSymlink, link: around}, {name: "l/outside", data: "x"}}, named: "l*"},
		{what: "hard link out", entries: []hostile{{name: "h", kind: tar.TypeLink, link: out + "outside"}}, debOnly: true},
		{what: "absolute hard link", entries: []hostile{{name: "h", kind: tar.TypeLink, link: filepath.Join(around, "outside")}}, debOnly: true},
		{what: "device", entries: []hostile{{name: "opt/null", kind: tar.TypeChar}}},
		{what: "bomb of a hundred to one", entries: []hostile{{name: "opt/zeros", zero: 100 << 20}}},
		{what: "the same name twice", entries: []hostile{{name: "opt/f", data: "x"}, {name: "opt/f", data: "y"}}},
		{what: "no UTF-8", entries: []hostile{{name: "opt/caf\xe9", data: "x"}}},
		{what: "100,000 entries", entries: many, named: "d/25000"},
	} {
		for format, build := range map[string]func(testing.TB, []hostile) []byte{"zip": hostileZip, "deb": hostileDeb} {
			if tt.debOnly && format != "deb" {
				continue // a zip has none
			}
			t.Run(tt.what+"/"+format, func(t *testing.T) {
				path := filepath.Join(around, "package")
				if err := os.WriteFile(path, build(t, tt.entries), 0o600); err != nil {
					t.Fatal(err)
				}
				before := manifest(t, around)
				flag := map[string]string{"zip": "--napcat-package", "deb": "--qq-package"}[format]
				_, errs, code := r.run("install", flag, path)
				if code != 1 {
					t.Errorf("exit %d", code)
				}
				named := tt.named
				if named == "" {
					named = tt.entries[len(tt.entries)-1].name
				}
				const refused = "the package holds what must not be unpacked "
				want := fmt.Sprintf(refused+"(%q, ", named)
				if prefix, any := strings.CutSuffix(named, "*"); any {
					want = refused + `("` + prefix
				}
				if !strings.Contains(errs, want) {
					t.Errorf("the error does not name %q: %s", named, errs)
				}
				if after := manifest(t, around); !maps.Equal(before, after) {
					for name := range after {
						if before[name] != after[name] {
							t.Errorf("%s was %q, is %q", name, before[name], after[name])
						}
					}
					for name := range before {
						if after[name] == "" {
							t.Errorf("%s is gone", name)
						}
					}
				}
			})
		}
	}
	if n, q := r.current(); n != "4.18.13" || q != "3.2.30-50969" {
		t.Errorf("installed is now %s with %s", n, q)
	}
}

// manifest is one line for all that lies below dir, but for the installs' log.
func manifest(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		line := fi.Mode().String()
		switch {
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + to
		case fi.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		if d.Name() != "install.log" {
			all[p] = line
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (h hostile) body() io.Reader {
	if h.zero > 0 {
		return io.LimitReader(zeros{}, h.zero)
	}
	return strings.NewReader(h.data)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func hostileTar(t testing.TB, w io.Writer, entries []hostile) {
	t.Helper()
	tw := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Linkname: e.link, Mode: 0o644, Size: int64(len(e.data)) + e.zero, Format: tar.FormatGNU}
		if e.kind != 0 {
			h.Typeflag = e.kind
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(tw, e.body()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
}

func hostileDeb(t testing.TB, entries []hostile) []byte {
	t.Helper()
	member := func(name string, entries []hostile) []byte {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		hostileTar(t, zw, entries)
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		if b.Len()%2 == 1 {
			b.WriteByte(0)
		}
		return append(fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", b.Len()), b.Bytes()...)
	}
	control := "Package: linuxqq\nVersion: 3.2.30-50969\nArchitecture: " + runtime.GOARCH + "\n"
	deb := []byte("!<arch>\n" + fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n2.0\n", "debian-binary", 0, 0, 0, "100644", 4))
	deb = append(deb, member("control.tar.gz", []hostile{{name: "./control", data: control}})...)
	return append(deb, member("data.tar.gz", entries)...)
}

func hostileZip(t testing.TB, entries []hostile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		body := e.body()
		switch e.kind {
		case tar.TypeSymlink:
			h.SetMode(0o777 | fs.ModeSymlink)
			body = strings.NewReader(e.link)
		case tar.TypeChar:
			h.SetMode(0o644 | fs.ModeDevice | fs.ModeCharDevice)
		default:
			h.SetMode(0o644)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
