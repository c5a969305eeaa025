package install

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// tmpfs mounts a file system of a few bytes, or skips the test.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a file system of its own needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func noise(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)[:n]
}

// TestDiskFull fills a small file system with an upgrade: the error says so, the
// old pair stays, and nothing of the new one does.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("compressing what fills a disk takes half a minute under the race detector; `make test` does it")
	}
	home := tmpfs(t, "32m")
	s, err := Open(filepath.Join(home, "ncatd"))
	if err != nil {
		t.Fatal(err)
	}
	old := installLocal(t, s, "4.1.0", "3.2.1-1")
	before := treeDigest(t, s.releases())
	dir := t.TempDir()
	small := packNapCat(t, dir, "4.2.0")

	check := func(what string, req Request) {
		t.Helper()
		_, err := s.Install(t.Context(), req, nil)
		if !IsDiskFull(err) {
			t.Errorf("%s: error %v", what, err)
		}
		if p, err := s.Current(); err != nil || !p.Same(old) {
			t.Errorf("%s: current is %+v, %v", what, p, err)
		}
		left, _ := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*"))
		parts, _ := filepath.Glob(filepath.Join(s.downloads(), "*"))
		if len(left)+len(parts) > 0 {
			t.Errorf("%s: left behind %v %v", what, left, parts)
		}
	}
	// A package that does not say how large it becomes shows it by filling up.
	check("unpack", localRequest(small, packQQ(t, dir, "3.2.2-2", "./opt/QQ/a", noise(10<<20), "./opt/QQ/b", noise(25<<20))))
	// A zip says it beforehand.
	check("known beforehand", localRequest(packNapCat(t, dir, "4.3.0", "big", noise(40<<20)), packQQ(t, dir, "3.2.3-3")))
	if treeDigest(t, s.releases()) != before {
		t.Error("the releases changed")
	}
	// A download is stopped before it starts when the room is known, and in the
	// middle when it is not.
	for _, ranged := range []bool{true, false} {
		big := append([]byte("!<arch>\n"), []byte(noise(40<<20))...)
		w := newWorld(t)
		w.publisher.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/qq.deb":
				w.serve(rw, r)
			case ranged:
				http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(big))
			default:
				rw.(http.Flusher).Flush() // no length
				rw.Write(big)
			}
		})
		req := w.request()
		req.NapCat = Package{File: small}
		check("download", req)
		if _, err := os.Stat(old.QQExe); err != nil {
			t.Error(err)
		}
	}
}
