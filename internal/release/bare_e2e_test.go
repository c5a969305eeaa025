//go:build e2e && linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// liar serves a release, with some files changed: a path begins with the lie's name.
type liar struct {
	files map[string][]byte
	lies  map[string]map[string]func([]byte) []byte
	odd   map[string]http.HandlerFunc // in the place of the program
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lie, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name := filepath.Base(r.URL.Path)
	b, ok := l.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if odd := l.odd[lie]; odd != nil && strings.HasSuffix(name, ".tar.gz") {
		odd(w, r)
		return
	}
	if change := l.lies[lie][name]; change != nil {
		b = change(bytes.Clone(b))
	}
	_, _ = w.Write(b) // a client that goes away
}

// TestBareDebian installs a whole release, made by this program, with install.sh in
// a Debian that has nothing but its base, from servers that tell the truth and
// from servers that lie, with each of the shells; and starts what it installed.
// E2E_RELEASE is the folder of the release.
func TestBareDebian(t *testing.T) {
	dir := os.Getenv("E2E_RELEASE")
	if dir == "" {
		t.Skip("needs a Debian and a release; `make e2e-install` has both")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{files: map[string][]byte{}}
	for _, p := range paths {
		if l.files[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	man, err := signed.ParseManifest(l.files[signed.ManifestName])
	if err != nil {
		t.Fatal(err)
	}
	tell := func(name string, change func([]byte) []byte) map[string]func([]byte) []byte {
		return map[string]func([]byte) []byte{name: change}
	}
	archive := fmt.Sprintf("ncatd_%s_linux_%s.tar.gz", man.Version, runtime.GOARCH)
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	page := func([]byte) []byte { return []byte("<!DOCTYPE html><html><body>404</body></html>") }
	l.lies = map[string]map[string]func([]byte) []byte{
		"byte":      tell(archive, flip),
		"half":      tell(archive, half),
		"page":      tell(archive, page),
		"page-list": tell(signed.ManifestName, page),
		"half-list": tell(signed.ManifestName, half),
		"signature": tell(signed.ManifestName+signed.Suffix, func([]byte) []byte { return l.files["SHA256SUMS"+signed.Suffix] }),
		"certified": tell(signed.KeyName+signed.Suffix, func([]byte) []byte { return l.files[signed.ManifestName+signed.Suffix] }),
		"newer":     tell(signed.ManifestName, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(man.Version), []byte("9.9.9")) }),
	}
	l.odd = map[string]http.HandlerFunc{
		"empty":   func(http.ResponseWriter, *http.Request) {},
		"loop":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"endless": endless,
		"silence": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-9/%d", len(l.files[archive])))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(l.files[archive][:10]) // a client that goes away
		},
	}
	srv := httptest.NewUnstartedServer(l)
	if srv.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.Close()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		busybox = ""
	}
	cmd := exec.CommandContext(t.Context(), "../e2e/installsh/run.sh", filepath.Join(dir, "install.sh"), srv.URL, man.Version, busybox)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 77 {
		t.Skip("cannot be tried here")
	}
	if err != nil {
		t.Error(err)
	}
}
