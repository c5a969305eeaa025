package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// maxInstallRSS is the most memory that an install may take.
const maxInstallRSS = 60 << 20

// largeDeb writes a QQ package with so many bytes of noise and returns its path
// and digest.
func largeDeb(t *testing.T, bytesOfNoise int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "large.deb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	w := io.MultiWriter(f, h)
	var small bytes.Buffer
	zw := gzip.NewWriter(&small)
	tw := tar.NewWriter(zw)
	tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeReg, Name: "./control", Mode: 0o644}, "Package: linuxqq\nVersion: 3.2.31-60000\nArchitecture: "+Arch()+"\n")
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	// A tar has whole blocks, so that its size is known beforehand.
	var head bytes.Buffer
	tw = tar.NewWriter(&head)
	tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeReg, Name: "./opt/QQ/qq", Mode: 0o755}, "#!/bin/sh\n")
	tarEntry(t, tw, &tar.Header{Typeflag: tar.TypeReg, Name: "./opt/QQ/resources/app/package.json", Mode: 0o644}, qqManifest("3.2.31-60000"))
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./opt/QQ/noise", Mode: 0o644, Size: bytesOfNoise}); err != nil {
		t.Fatal(err)
	}
	tail := make([]byte, 1024)
	member := func(name string, size int64) {
		fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", size)
	}
	io.WriteString(w, "!<arch>\n")
	member("debian-binary", 4)
	io.WriteString(w, "2.0\n")
	member("control.tar.gz", int64(small.Len()))
	w.Write(small.Bytes())
	if small.Len()%2 == 1 {
		io.WriteString(w, "\n")
	}
	member("data.tar", int64(head.Len())+bytesOfNoise+int64(len(tail)))
	w.Write(head.Bytes())
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{1}), bytesOfNoise); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(tail); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path, hex.EncodeToString(h.Sum(nil))
}

// TestLargePackage fetches 300 MiB, killed with -9 at three tenths and started
// again, and shows bytes sent, memory and rate beside curl and sha256sum.
func TestLargePackage(t *testing.T) {
	if os.Getenv("NCATD_LARGE") == "" {
		t.Skip("writes a gigabyte; `make large` runs it")
	}
	path, sum := largeDeb(t, 300<<20)
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	third := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		http.ServeContent(&meter{w, &sent, fi.Size() * 3 / 10, third}, r, "large.deb", fi.ModTime(), f)
	}))
	defer srv.Close()
	napcat := packNapCat(t, t.TempDir(), "4.18.13")
	home := t.TempDir()

	cmd := child(t.Context(), home, napcat, srv.URL+"/large.deb", sum)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-third:
	case <-t.Context().Done():
		t.Fatal("three tenths never came")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	before := sent.Swap(0)
	began := time.Now()
	cmd = child(t.Context(), home, napcat, srv.URL+"/large.deb", sum)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("killed after %d MiB were sent; then %d MiB more and unpacked in %s", before>>20, sent.Load()>>20, time.Since(began))
	if sent.Load() > fi.Size()*8/10 {
		t.Errorf("%d of %d bytes were sent again", sent.Load(), fi.Size())
	}
	if rss := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10; rss > maxInstallRSS {
		t.Errorf("the install took %d MiB", rss>>20)
	} else {
		t.Logf("memory at most %d MiB", rss>>20)
	}

	// The whole in one go, beside curl and sha256sum of the same file.
	began = time.Now()
	if out, err := child(t.Context(), t.TempDir(), napcat, srv.URL+"/large.deb", sum).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ours := time.Since(began)
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Logf("install in %s; no curl to compare with: %v", ours, err)
		return
	}
	dst := filepath.Join(t.TempDir(), "curl.deb")
	began = time.Now()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `"$0" -sf -o "$1" "$2" && sha256sum "$1"`, curl, dst, srv.URL+"/large.deb").Output()
	if err != nil || !strings.HasPrefix(string(out), sum) {
		t.Fatalf("curl: %v: %s", err, out)
	}
	t.Logf("fetched, verified and unpacked in %s; curl and sha256sum need %s for the first two", ours, time.Since(began))
}

// meter counts what is sent and tells when a mark is passed.
type meter struct {
	http.ResponseWriter
	n    *atomic.Int64
	mark int64
	done chan struct{}
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.ResponseWriter.Write(p)
	now := m.n.Add(int64(n))
	if before := now - int64(n); before < m.mark && now >= m.mark {
		select {
		case <-m.done:
		default:
			close(m.done)
		}
	}
	return n, err
}
