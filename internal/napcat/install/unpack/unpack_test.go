package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

type builder func(testing.TB, []entry) []byte

// extract unpacks an archive into a folder whose surroundings are watched.
func extract(t testing.TB, archive []byte, o Options) (dir string, res Result, err error) {
	t.Helper()
	around, err := os.MkdirTemp("", "ncatd-unpack-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(around); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"outside", "evil", "sub/outside"} {
		p := filepath.Join(around, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, around)
	dir = filepath.Join(around, "sub", "staging")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	res, err = Extract(t.Context(), bytes.NewReader(archive), int64(len(archive)), dir, o)
	after := files(t, around)
	for name := range after {
		if name == filepath.Join("sub", "staging") || strings.HasPrefix(name, filepath.Join("sub", "staging")+string(filepath.Separator)) {
			delete(after, name)
		}
	}
	if !maps.Equal(before, after) {
		t.Errorf("surroundings changed: %v, were %v", after, before)
	}
	return dir, res, err
}

func TestExtract(t *testing.T) {
	entries := []entry{
		{name: "./opt/", kind: tar.TypeDir},
		{name: "./opt/QQ/qq", data: "\x7fELF program", mode: 0o755},
		{name: "./opt/QQ/chrome-sandbox", data: "#!/bin/sh", mode: 0o4755},
		{name: "./opt/QQ/native/ffmpeg", data: "\x7fELF that lost its mode"},
		{name: "./opt/QQ/resources/app/package.json", data: `{"version":"3.2.30-50969"}`},
		{name: "./opt/QQ/名字.txt", data: "你好"},
		{name: "./opt/QQ/lib.so", kind: tar.TypeSymlink, link: "resources/lib.so.1"},
	}
	want := map[string]string{
		"opt": "dir", "opt/QQ": "dir", "opt/QQ/qq": "\x7fELF program", "opt/QQ/chrome-sandbox": "#!/bin/sh", "opt/QQ/native": "dir",
		"opt/QQ/native/ffmpeg": "\x7fELF that lost its mode", "opt/QQ/resources": "dir", "opt/QQ/resources/app": "dir",
		"opt/QQ/resources/app/package.json": `{"version":"3.2.30-50969"}`, "opt/QQ/名字.txt": "你好", "opt/QQ/lib.so": "-> resources/lib.so.1",
	}
	for format, build := range map[Format]builder{Deb: buildDeb, Zip: buildZip} {
		t.Run(string(format), func(t *testing.T) {
			archive := build(t, entries)
			sum, err := Check(bytes.NewReader(archive), int64(len(archive)))
			if err != nil || sum.Format != format {
				t.Fatalf("Check: %+v, %v", sum, err)
			}
			dir, res, err := extract(t, archive, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := files(t, dir)
			if !maps.Equal(got, want) {
				t.Errorf("unpacked %q", got)
			}
			if res.Files != 5 || res.Format != format {
				t.Errorf("result %+v", res)
			}
			if format != Zip && (res.Control.Architecture != "amd64" || res.Control.Package != "linuxqq" || !strings.HasPrefix(res.Control.Version, "3.2.30-")) {
				t.Errorf("control %+v", res.Control)
			}
			for name, mode := range map[string]os.FileMode{"qq": 0o755, "chrome-sandbox": 0o755, "native/ffmpeg": 0o755, "名字.txt": 0o644} {
				fi, err := os.Stat(filepath.Join(dir, "opt/QQ", name))
				if err != nil || fi.Mode() != mode {
					t.Errorf("%s has mode %v (%v), want %v", name, fi.Mode(), err, mode)
				}
			}
		})
	}
}

func TestHardLink(t *testing.T) {
	archive := buildDeb(t, []entry{{name: "a", data: "one"}, {name: "b", kind: tar.TypeLink, link: "./a"}})
	dir, _, err := extract(t, archive, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got["b"] != "one" {
		t.Errorf("unpacked %q", got)
	}
}

// A package for the root of a system may name its own files by absolute paths.
func TestAbsoluteLinkWithin(t *testing.T) {
	entries := []entry{{name: "./usr/bin/qq", kind: tar.TypeSymlink, link: "/opt/QQ/qq"}, {name: "./opt/QQ/qq", data: "program"}}
	for _, build := range []builder{buildDeb} {
		dir, _, err := extract(t, build(t, entries), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir); got["usr/bin/qq"] != "-> ../../opt/QQ/qq" {
			t.Errorf("unpacked %q", got)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "usr/bin/qq")); err != nil || string(b) != "program" {
			t.Errorf("through the link: %q, %v", b, err)
		}
	}
}

// Verify judges as Extract does, and sees what the archive's checksums see.
func TestVerify(t *testing.T) {
	good := []entry{{name: "d/", kind: tar.TypeDir}, {name: "d/f", data: strings.Repeat("some data that compresses ", 1000)}, {name: "l", kind: tar.TypeSymlink, link: "d/f"}}
	bad := append(good[:2:2], entry{name: "l", kind: tar.TypeSymlink, link: "../out"})
	for format, build := range map[Format]builder{Deb: buildDeb, Zip: buildZip} {
		b := build(t, good)
		if res, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), Options{}); err != nil || res.Files != 1 {
			t.Errorf("%s: %+v, %v", format, res, err)
		}
		at := len(b) - 40
		if format == Zip {
			at = 60
		}
		b[at] ^= 0xff
		if _, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), Options{}); err == nil {
			t.Errorf("%s: a wrong byte was overlooked", format)
		}
		b = build(t, bad)
		if _, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), Options{}); !errors.As(err, new(*RefusedError)) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestRefused(t *testing.T) {
	many := make([]entry, 100_000)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("f%05d", i)}
	}
	deep := strings.Repeat("d/", 60) + "f"
	for _, tt := range []struct {
		name    string
		entries []entry
		reason  Reason
		entry   string // the entry that is named, the last one by default
		only    []Format
		lim     Limits
	}{
		{name: "traversal", entries: []entry{{name: "../evil", data: "x"}}, reason: ReasonTraversal},
		{name: "traversal inside", entries: []entry{{name: "a/../../../outside", data: "x"}}, reason: ReasonTraversal},
		{name: "traversal that stays", entries: []entry{{name: "a/../b", data: "x"}}, reason: ReasonTraversal},
		{name: "traversal folder", entries: []entry{{name: "../made/", kind: tar.TypeDir}}, reason: ReasonTraversal},
		{name: "backslashes", entries: []entry{{name: `..\..\evil`, data: "x"}}, reason: ReasonBadName},
		{name: "absolute", entries: []entry{{name: "/tmp/ncatd-evil", data: "x"}}, reason: ReasonAbsolute},
		{name: "drive", entries: []entry{{name: "C:/evil", data: "x"}}, reason: ReasonAbsolute},
		{name: "link out", entries: []entry{{name: "a", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "../outside"}}, reason: ReasonLink},
		{name: "link to absolute", entries: []entry{{name: "l", kind: tar.TypeSymlink, link: "/etc/passwd"}}, reason: ReasonLink},
		{name: "write through a link", entries: []entry{{name: "d/f", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "d"}, {name: "l/g", data: "x"}}, reason: ReasonThrough},
		{name: "write onto a link", entries: []entry{{name: "f", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "f"}, {name: "l", data: "y"}}, reason: ReasonDuplicate},
		{name: "chain of links out", entries: []entry{
			{name: "a/b/f", data: "x"}, {name: "a/b/up", kind: tar.TypeSymlink, link: "../.."}, {name: "out", kind: tar.TypeSymlink, link: "a/b/up/../../outside"},
		}, reason: ReasonLink, entry: "out"},
		{name: "hard link out", entries: []entry{{name: "l", kind: tar.TypeLink, link: "../outside"}}, reason: ReasonLink, only: []Format{Deb}},
		{name: "hard link to absolute", entries: []entry{{name: "l", kind: tar.TypeLink, link: "/etc/passwd"}}, reason: ReasonLink, only: []Format{Deb}},
		{name: "hard link to a link", entries: []entry{{name: "s", kind: tar.TypeSymlink, link: "t"}, {name: "l", kind: tar.TypeLink, link: "s"}}, reason: ReasonLink, only: []Format{Deb}},
		{name: "hard link to nothing", entries: []entry{{name: "l", kind: tar.TypeLink, link: "nothing"}}, reason: ReasonLink, only: []Format{Deb}},
		{name: "device", entries: []entry{{name: "null", kind: tar.TypeChar}}, reason: ReasonSpecial},
		{name: "block device", entries: []entry{{name: "sda", kind: tar.TypeBlock}}, reason: ReasonSpecial, only: []Format{Deb}},
		{name: "pipe", entries: []entry{{name: "pipe", kind: tar.TypeFifo}}, reason: ReasonSpecial, only: []Format{Deb, Zip}},
		{name: "twice", entries: []entry{{name: "a/f", data: "x"}, {name: "a/f", data: "y"}}, reason: ReasonDuplicate},
		{name: "twice in other words", entries: []entry{{name: "a/f", data: "x"}, {name: "./a//f", data: "y"}}, reason: ReasonDuplicate},
		{name: "file under a file", entries: []entry{{name: "a", data: "x"}, {name: "a/f", data: "y"}}, reason: ReasonDuplicate},
		{name: "file where a folder is", entries: []entry{{name: "a/f", data: "x"}, {name: "a", data: "y"}}, reason: ReasonDuplicate},
		{name: "not UTF-8", entries: []entry{{name: "caf\xe9", data: "x"}}, reason: ReasonBadName},
		{name: "control character", entries: []entry{{name: "a\nb", data: "x"}}, reason: ReasonBadName},
		{name: "long name", entries: []entry{{name: strings.Repeat("n", 300), data: "x"}}, reason: ReasonBadName},
		{name: "deep", entries: []entry{{name: deep, data: "x"}}, reason: ReasonBadName},
		{name: "bomb", entries: []entry{{name: "zeros", n: 9 << 20}}, reason: ReasonBomb, lim: Limits{RatioFloor: 1 << 20}},
		{name: "100k entries", entries: many, reason: ReasonTooMany, entry: "f02000", lim: Limits{Entries: 2000}},
	} {
		for format, build := range map[Format]builder{Deb: buildDeb, Zip: buildZip} {
			if tt.only != nil && !strings.Contains(fmt.Sprint(tt.only), string(format)) {
				continue
			}
			t.Run(tt.name+"/"+string(format), func(t *testing.T) {
				if testing.Short() && len(tt.entries) > 1000 {
					t.Skip("100,000 files take most of a minute under the race detector; `make test` has them")
				}
				_, _, err := extract(t, build(t, tt.entries), Options{Limits: tt.lim})
				var refused *RefusedError
				if !errors.As(err, &refused) {
					t.Fatalf("error %v", err)
				}
				if refused.Reason != tt.reason {
					t.Errorf("reason %s (%v), want %s", refused.Reason, err, tt.reason)
				}
				want := tt.entry
				if want == "" {
					want = tt.entries[len(tt.entries)-1].name
				}
				if refused.Entry != want {
					t.Errorf("names entry %q, want %q", refused.Entry, want)
				}
				if !strings.Contains(err.Error(), fmt.Sprintf("%q", refused.Entry)) {
					t.Errorf("error does not name the entry: %v", err)
				}
			})
		}
	}
}

// The limits hold for what comes out, whatever the archive claims beforehand.
func TestLimits(t *testing.T) {
	small := Limits{Bytes: 1 << 20, FileBytes: 512 << 10}
	for _, build := range []builder{buildDeb, buildZip} {
		for _, entries := range [][]entry{
			{{name: "one", n: 600 << 10}},
			{{name: "a", n: 500 << 10}, {name: "b", n: 500 << 10}, {name: "c", n: 500 << 10}},
		} {
			_, _, err := extract(t, build(t, entries), Options{Limits: small})
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Reason != ReasonTooLarge {
				t.Errorf("error %v", err)
			}
		}
	}
}

// A window beyond the bound is refused before it is allocated.
func TestWideWindow(t *testing.T) {
	for name, data := range map[string][]byte{"data.tar.xz": wideXZ(t), "data.tar.zst": wideZstd(t)} {
		frugal(t, len(data), func() {
			_, _, err := extract(t, debWith(t, name, data), Options{})
			if refused := (*RefusedError)(nil); !errors.As(err, &refused) || refused.Reason != ReasonTooLarge {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestNotAnArchive(t *testing.T) {
	deb := buildDeb(t, []entry{{name: "f", data: strings.Repeat("data", 1000)}})
	zip := buildZip(t, []entry{{name: "f", data: strings.Repeat("data", 1000)}})
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"html", []byte("\r\n  <!DOCTYPE html><html>"), ErrHTML},
		{"html with a mark", []byte("\xef\xbb\xbf<HTML>"), ErrHTML},
		{"text", []byte("404: Not Found"), ErrFormat},
		{"nothing", nil, ErrFormat},
		{"noise", []byte{1, 2, 3, 4, 0, 255}, ErrFormat},
		{"deb cut short", deb[:len(deb)*9/10], ErrDamaged},
		{"zip cut short", zip[:len(zip)*9/10], ErrDamaged},
		{"zip of zeros", append([]byte("PK\x03\x04"), make([]byte, 1000)...), ErrDamaged},
		{"ar that is no deb", arFile([2]string{"hello.o", "x"}), ErrFormat},
		{"deb without data", arFile([2]string{"debian-binary", "2.0\n"}, [2]string{"control.tar.gz", "x"}), ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Check(bytes.NewReader(tt.b), int64(len(tt.b))); !errors.Is(err, tt.want) {
				t.Errorf("Check: %v", err)
			}
			if _, _, err := extract(t, tt.b, Options{}); !errors.Is(err, tt.want) {
				t.Errorf("Extract: %v", err)
			}
		})
	}
}

// A flipped byte in the compressed data is the archive's fault, not a success.
func TestDamagedInside(t *testing.T) {
	for format, build := range map[Format]builder{Deb: buildDeb, Zip: buildZip} {
		b := build(t, []entry{{name: "f", data: strings.Repeat("some data that compresses ", 1000)}})
		bad := bytes.Clone(b)
		at := len(bad) - 40
		if format == Zip {
			at = 60
		}
		bad[at] ^= 0xff
		if _, _, err := extract(t, bad, Options{}); err == nil {
			t.Errorf("%s: unpacked without an error", format)
		}
	}
}

// TestDpkgDeb unpacks what Debian's own tool builds, in every compression.
func TestDpkgDeb(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("no dpkg-deb on this machine: ", err)
	}
	src := t.TempDir()
	for name, data := range map[string]string{
		"DEBIAN/control": "Package: linuxqq\nVersion: 3.2.30-50969\nArchitecture: amd64\nMaintainer: nobody <n@example.org>\nInstalled-Size: 34\nDescription: QQ\n",
		"opt/QQ/qq":      "#!/bin/sh\n", "opt/QQ/resources/app/package.json": `{"version":"3.2.30-50969"}`,
		"opt/QQ/big": strings.Repeat("0123456789abcdef", 1<<16),
	} {
		p := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, z := range []string{"xz", "zstd", "gzip", "none"} {
		t.Run(z, func(t *testing.T) {
			deb := filepath.Join(t.TempDir(), "qq.deb")
			if out, err := exec.CommandContext(t.Context(), dpkg, "--root-owner-group", "-Z"+z, "-b", src, deb).CombinedOutput(); err != nil {
				t.Skipf("dpkg-deb -Z%s: %v: %s", z, err, out)
			}
			b, err := os.ReadFile(deb)
			if err != nil {
				t.Fatal(err)
			}
			dir, res, err := extract(t, b, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if res.Control.Version != "3.2.30-50969" || res.Control.InstalledBytes != 34<<10 || res.Files != 3 {
				t.Errorf("result %+v", res)
			}
			if got := files(t, filepath.Join(dir, "opt/QQ")); len(got["big"]) != 1<<20 || got["resources/app/package.json"] != `{"version":"3.2.30-50969"}` {
				t.Errorf("unpacked %d entries", len(got))
			}
		})
	}
}
