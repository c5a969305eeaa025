package unpack

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
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
		extract(t, b, Options{Limits: tight})
		if _, err := Check(bytes.NewReader(b), int64(len(b))); err == nil && len(b) == 0 {
			t.Error("nothing is an archive")
		}
	})
}

func seedEntries() []entry {
	return []entry{{name: "a/b", data: "x"}, {name: "l", kind: tar.TypeSymlink, link: "a/b"}, {name: "d/", kind: tar.TypeDir}}
}

func FuzzZip(f *testing.F) { fuzzExtract(f, buildZip(f, seedEntries())) }

func FuzzDeb(f *testing.F) { fuzzExtract(f, buildDeb(f, seedEntries())) }

func FuzzRPM(f *testing.F) { fuzzExtract(f, buildRPM(f, seedEntries())) }

func FuzzTar(f *testing.F) {
	f.Add(buildTar(f, seedEntries()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		extract(t, arFile([2]string{"debian-binary", "2.0\n"},
			[2]string{"control.tar.gz", string(gzipped(t, buildTar(t, []entry{{name: "control", data: control}})))},
			[2]string{"data.tar", string(b)}), Options{Limits: tight})
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
