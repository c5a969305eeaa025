package unpack

import (
	"archive/tar"
	"bytes"
	"io"
	"runtime"
	"testing"
	"time"
)

// tight keep a fuzzed archive from taking long.
var tight = Limits{Entries: 64, Bytes: 1 << 20, FileBytes: 1 << 19, Ratio: 1000, RatioFloor: 1 << 16}

func fuzzExtract(f *testing.F, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		frugal(t, len(b), func() { extract(t, b, Options{Limits: tight}) })
		frugal(t, len(b), func() {
			if _, err := Check(bytes.NewReader(b), int64(len(b))); err == nil && len(b) == 0 {
				t.Error("nothing is an archive")
			}
		})
	})
}

// frugal fails when f allocates more than a window for each of the two members,
// what the limits let out, and some KiB for each byte of the archive: an entry
// of 30 bytes costs its header, its names and a file.
func frugal(t *testing.T, n int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if most := 10*time.Second + time.Duration(n)*time.Millisecond; took > most {
		t.Errorf("%d bytes took %v, more than %v", n, took, most)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*maxWindow+16<<20+n*1024); got > most {
		t.Errorf("%d bytes took %d bytes of memory, more than %d", n, got, most)
	}
}

func seedEntries() []entry {
	return []entry{{name: "a/b", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "a/b"}, {name: "d/", kind: tar.TypeDir}}
}

func FuzzZip(f *testing.F) { fuzzExtract(f, buildZip(f, seedEntries())) }

func FuzzDeb(f *testing.F) { fuzzExtract(f, buildDeb(f, seedEntries())) }

// FuzzCompressed unpacks a deb whose data is b in each compression.
func FuzzCompressed(f *testing.F) {
	f.Add(uint8(0), wideXZ(f))
	f.Add(uint8(1), wideZstd(f))
	f.Add(uint8(2), gzipped(f, buildTar(f, seedEntries())))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		deb := debWith(t, "data.tar."+[]string{"xz", "zst", "gz"}[kind%3], b)
		frugal(t, len(b), func() { extract(t, deb, Options{Limits: tight}) })
	})
}

func FuzzTar(f *testing.F) {
	f.Add(buildTar(f, seedEntries()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		deb := arFile([2]string{"debian-binary", "2.0\n"},
			[2]string{"control.tar.gz", string(gzipped(t, buildTar(t, []entry{{name: "control", data: control}})))},
			[2]string{"data.tar", string(b)})
		frugal(t, len(b), func() { extract(t, deb, Options{Limits: tight}) })
	})
}

func FuzzAr(f *testing.F) {
	f.Add(arFile([2]string{"debian-binary", "2.0\n"}, [2]string{"data.tar", "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newArReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		var sum int64
		for range len(b) + 1 {
			m, err := r.next()
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, m.data)
			if err != nil || n != m.data.Size() {
				t.Fatalf("member %q: %d of %d bytes, %v", m.name, n, m.data.Size(), err)
			}
			sum += n
		}
		t.Errorf("no end after %d bytes of %d", sum, len(b))
	})
}

func FuzzControl(f *testing.F) {
	f.Add([]byte(control))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseControl(bytes.NewReader(b)); err == nil && c.InstalledBytes < 0 {
			t.Errorf("negative size of %q", b)
		}
	})
}
