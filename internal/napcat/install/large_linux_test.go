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
	if os.Getenv("E2E_LARGE") == "" {
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
	program := filepath.Join(t.TempDir(), "ncatd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/ncatd/ncatd/cmd/ncatd").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	install := func(home string) *exec.Cmd {
		return exec.CommandContext(t.Context(), program, "--home", home, "--set", "napcat.qq_source="+srv.URL+"/large.deb", "--set", "napcat.qq_sha256="+sum,
			"install", "--yes", "--napcat-package", napcat)
	}
	rss := func(cmd *exec.Cmd) {
		t.Helper()
		n := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("memory at most %d MiB", n>>20)
		if n > maxInstallRSS {
			t.Errorf("more than %d MiB", maxInstallRSS>>20)
		}
	}

	cmd := install(home)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-third:
	case err := <-ended:
		t.Fatalf("ended before three tenths came: %v\n%s", err, said.Bytes())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended // killed
	before := sent.Swap(0)
	began := time.Now()
	cmd = install(home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("killed after %d MiB were sent; then %d MiB more and unpacked in %s", before>>20, sent.Load()>>20, time.Since(began))
	if sent.Load() > fi.Size()*8/10 {
		t.Errorf("%d of %d bytes were sent again", sent.Load(), fi.Size())
	}
	rss(cmd)
	got, err := os.Open(filepath.Join(home, "downloads", ownName(QQ, Package{Source: srv.URL + "/large.deb"})))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if s, err := hashFile(t.Context(), got); err != nil || s.sum != sum {
		t.Errorf("the package has digest %s (%v), want %s", s.sum, err, sum)
	}

	// The whole in one go, beside curl and sha256sum of the same file. The best of
	// several rounds counts: others use this machine too.
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl to compare with: ", err)
	}
	var ours, theirs time.Duration
	for range 3 {
		dir := t.TempDir()
		dst := filepath.Join(dir, "curl.deb")
		began = time.Now()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `"$0" -sf -o "$1" "$2" && sha256sum "$1"`, curl, dst, srv.URL+"/large.deb").Output()
		if err != nil || !strings.HasPrefix(string(out), sum) {
			t.Fatalf("curl: %v: %s", err, out)
		}
		if d := time.Since(began); theirs == 0 || d < theirs {
			theirs = d
		}
		cmd := install(filepath.Join(dir, "home"))
		began = time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if d := time.Since(began); ours == 0 || d < ours {
			ours = d
		}
		rss(cmd)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	ratio := float64(ours) / float64(theirs)
	t.Logf("fetched, verified and unpacked in %s; curl and sha256sum need %s for the first two: ratio %.2f", ours, theirs, ratio)
	if ratio > 1.2 {
		t.Error("more than a fifth slower")
	}
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
