package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// shop is a server of one release, which may lie.
type shop struct {
	files map[string][]byte
	odd   map[string]http.HandlerFunc // in the place of a file
	root  string                      // public key in base64
	key   minisign.PrivateKey         // that signs
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := s.odd[filepath.Base(r.URL.Path)]; h != nil {
		h(w, r)
		return
	}
	b, ok := s.files[filepath.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Write(b)
}

func generate(t *testing.T) (minisign.PublicKey, minisign.PrivateKey) {
	t.Helper()
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pub, key
}

// newShop makes a release whose program is a script.
func newShop(t *testing.T, version string) *shop {
	t.Helper()
	rootPub, root := generate(t)
	pub, key := generate(t)
	program := filepath.Join(t.TempDir(), "ncatd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho ncatd "+version+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := tarball([]member{{"ncatd", 0o755, program}}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	text := signed.KeyText(pub, 1)
	s := &shop{root: rootPub.String(), key: key, odd: map[string]http.HandlerFunc{}, files: map[string][]byte{
		signed.KeyName: text, signed.KeyName + signed.Suffix: minisign.Sign(root, text),
	}}
	s.sell(version, b)
	return s
}

// sell signs an archive as the release of a version.
func (s *shop) sell(version string, b []byte) {
	sum := sha256.Sum256(b)
	name := fmt.Sprintf("ncatd_%s_linux_%s.tar.gz", version, runtime.GOARCH)
	man := signed.Manifest{Version: version, Channel: "stable", Date: "2026-11-28", Files: []signed.File{
		{Name: name, Platform: "linux/" + runtime.GOARCH, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))},
	}}.Text()
	s.files[name], s.files[signed.ManifestName], s.files[signed.ManifestName+signed.Suffix] = b, man, minisign.Sign(s.key, man)
}

// installSh runs the script against the shop and returns what it said.
func installSh(t *testing.T, shell []string, s *shop, newest string, args ...string) (home, out string, err error) {
	t.Helper()
	script, err := os.ReadFile(filepath.FromSlash("../../configs/packaging/install.sh"))
	if err != nil {
		t.Fatal(err)
	}
	script = bytes.Replace(script, []byte("ROOT_KEYS=''"), []byte("ROOT_KEYS='RWRD/Xl4kO5s67rpHDy+dYk2/LZnhycA5EfO1b4P4qDeKA5vqk8B0UVi "+s.root+"'"), 1)
	script = bytes.Replace(script, []byte("NEWEST=''"), []byte("NEWEST='"+newest+"'"), 1)
	script = bytes.Replace(script, []byte("PATIENCE=30"), []byte("PATIENCE=2"), 1)
	home = t.TempDir()
	path := filepath.Join(home, "install.sh")
	if err := os.WriteFile(path, script, 0o644); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	args = append(append(shell, path, "--base", srv.URL, "--dir", filepath.Join(home, "bin")), args...)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home, "NCATD_LANG=en"}
	b, err := cmd.CombinedOutput()
	return home, string(b), err
}

func unixTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"awk", "od", "base64", "sha512sum", "tar"} {
		if _, err := exec.LookPath(tool); err != nil || runtime.GOOS != "linux" {
			t.Skip("the script needs a Linux with ", tool)
		}
	}
	_, noCurl := exec.LookPath("curl")
	_, noWget := exec.LookPath("wget")
	if noCurl != nil && noWget != nil {
		t.Skip("neither curl nor wget")
	}
}

// Its own help is the same in both languages: the usage, and none of the script.
func TestInstallScriptHelps(t *testing.T) {
	unixTools(t)
	for lang, words := range map[string][3]string{
		"en": {"Installs ncatd", "[--dir DIR]", "piped into a shell."},
		"zh": {"为运行本脚本的用户安装 ncatd", "[--dir 目录]", "交给 shell。"},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", filepath.FromSlash("../../configs/packaging/install.sh"), "--help")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NCATD_LANG=" + lang}
		b, err := cmd.CombinedOutput()
		out := strings.TrimSpace(string(b))
		if err != nil || !strings.HasPrefix(out, words[0]) || !strings.Contains(out, words[1]) || !strings.HasSuffix(out, words[2]) {
			t.Errorf("%s: %v\n%s", lang, err, out)
		}
	}
}

func TestInstallScript(t *testing.T) {
	unixTools(t)
	s := newShop(t, "1.2.3")
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		home, out, err := installSh(t, shell, s, "1.2.3")
		if err != nil {
			t.Fatalf("%v: %v\n%s", shell, err, out)
		}
		got, err := exec.Command(filepath.Join(home, "bin", "ncatd")).Output()
		if err != nil || string(got) != "ncatd 1.2.3\n" || !strings.Contains(out, "next: ") {
			t.Errorf("%v: %q, %v\n%s", shell, got, err, out)
		}
		if left, err := filepath.Glob(filepath.Join(home, "ncatd-install.*")); err != nil || len(left) > 0 {
			t.Errorf("%v: left %v", shell, left)
		}
	}
}

// TestInstallScriptRefuses: a server that lies gets nothing installed, and the
// cause is told.
func TestInstallScriptRefuses(t *testing.T) {
	unixTools(t)
	name := fmt.Sprintf("ncatd_1.2.3_linux_%s.tar.gz", runtime.GOARCH)
	change := func(f string, to func([]byte) []byte) func(*shop) {
		return func(s *shop) { s.files[f] = to(bytes.Clone(s.files[f])) }
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	html := func([]byte) []byte { return []byte("<!DOCTYPE html><html>") }
	for what, tt := range map[string]struct {
		lie    func(*shop)
		newest string
		args   []string
		cause  string
	}{
		"a wrong byte":      {change(name, flip), "", nil, "wrong digest"},
		"half a file":       {change(name, func(b []byte) []byte { return b[:len(b)/2] }), "", nil, "wrong digest"},
		"an HTML page":      {change(name, html), "", nil, "HTML page"},
		"a page as list":    {change(signed.ManifestName, html), "", nil, "HTML page"},
		"another list":      {change(signed.ManifestName, func(b []byte) []byte { return bytes.Replace(b, []byte("1.2.3"), []byte("1.2.4"), 1) }), "", nil, "signature"},
		"another key":       {func(s *shop) { s.files[signed.KeyName] = newShopKey(t) }, "", nil, "signature"},
		"an older version":  {func(*shop) {}, "1.3.0", nil, "older"},
		"another version":   {func(*shop) {}, "", []string{"--version", "1.2.2"}, "not 1.2.2"},
		"nothing":           {func(s *shop) { s.files = nil }, "", nil, "cannot be reached"},
		"a version as path": {func(*shop) {}, "", []string{"--version", "../../x"}, "no version"},
	} {
		s := newShop(t, "1.2.3")
		tt.lie(s)
		home, out, err := installSh(t, []string{"sh"}, s, tt.newest, tt.args...)
		if err == nil || !strings.Contains(out, tt.cause) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if _, err := os.Lstat(filepath.Join(home, "bin")); err == nil {
			t.Errorf("%s: something was installed", what)
		}
	}
}

// tarOf is an archive of entries that each have a name, perhaps a link, and as many
// zeros as said.
func tarOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range entries {
		h.Mode = 0o755
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		for left := h.Size; left > 0; left -= min(left, 1<<20) {
			if _, err := w.Write(make([]byte, min(left, 1<<20))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// endless sends more than anybody wants.
func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

// TestInstallScriptBoundsServers: one that answers oddly, for ever or never gets
// nothing installed, in bounded time, and its fault is told.
func TestInstallScriptBoundsServers(t *testing.T) {
	unixTools(t)
	name := fmt.Sprintf("ncatd_1.2.3_linux_%s.tar.gz", runtime.GOARCH)
	loop := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
	hang := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	perShell := map[string]bool{"silence": true, "an endless archive": true, "a bomb": true} // where limits are the shell's
	for what, tt := range map[string]struct {
		lie   func(*shop)
		cause string
	}{
		"a redirect loop":       {func(s *shop) { s.odd[signed.ManifestName] = loop }, "cannot be reached"},
		"a loop at the archive": {func(s *shop) { s.odd[name] = loop }, "cannot be reached"},
		"an empty list":         {func(s *shop) { s.files[signed.ManifestName] = nil }, "empty file"},
		"an empty archive":      {func(s *shop) { s.files[name] = nil }, "empty file"},
		"silence":               {func(s *shop) { s.odd[signed.KeyName] = hang }, "cannot be reached"},
		"an endless list":       {func(s *shop) { s.odd[signed.ManifestName] = endless }, "more than 1048576 bytes"},
		"an endless archive":    {func(s *shop) { s.odd[name] = endless }, "more than"},
		"a length that is too great": {func(s *shop) {
			s.odd[name] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(s.files[name])+1))
				_, _ = w.Write(s.files[name]) // it ends too soon
			}
		}, "cannot be reached"},
		"a length that is too small": {func(s *shop) {
			s.odd[name] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(s.files[name])-1))
				_, _ = w.Write(s.files[name][:len(s.files[name])-1]) // no more is let through
			}
		}, "wrong digest"},
		"a part that was not asked for": {func(s *shop) {
			s.odd[name] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-9/%d", len(s.files[name])))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(s.files[name][:10]) // a client that goes away
			}
		}, "wrong digest"},
		"a page after blanks":      {func(s *shop) { s.files[name] = []byte("\r\n\n <html>") }, "HTML page"},
		"another version's digest": {func(s *shop) { b := s.files[name]; s.sell("1.2.3", []byte("another")); s.files[name] = b }, "wrong digest"},
		"paths that lead out": {func(s *shop) {
			s.sell("1.2.3", tarOf(t, tar.Header{Name: "../ncatd"}, tar.Header{Name: "../bin/ncatd"}))
		}, "no program in the archive"},
		"a link as program": {func(s *shop) {
			s.sell("1.2.3", tarOf(t, tar.Header{Name: "ncatd", Typeflag: tar.TypeSymlink, Linkname: "/bin/true"}))
		}, "no program in the archive"},
		"a bomb": {func(s *shop) { s.sell("1.2.3", tarOf(t, tar.Header{Name: "ncatd", Size: 300 << 20})) }, "far too large"},
	} {
		for _, shell := range [][]string{{"sh"}, {"bash", "--posix"}, {"busybox", "sh"}} {
			if _, err := exec.LookPath(shell[0]); err != nil || shell[0] != "sh" && !perShell[what] {
				continue
			}
			t.Run(what+" "+shell[0], func(t *testing.T) {
				t.Parallel()
				s := newShop(t, "1.2.3")
				tt.lie(s)
				home, out, err := installSh(t, shell, s, "")
				if err == nil || !strings.Contains(out, tt.cause) || !strings.Contains(out, "nothing was installed") {
					t.Errorf("%v\n%s", err, out)
				}
				left, err := filepath.Glob(filepath.Join(home, "*"))
				if err != nil || len(left) != 1 {
					t.Errorf("left %v, %v", left, err)
				}
			})
		}
	}
}

func newShopKey(t *testing.T) []byte {
	pub, _ := generate(t)
	return signed.KeyText(pub, 1)
}

func TestSectionOf(t *testing.T) {
	const log = "# Changelog\n\n## Unreleased\n\nnew\n\n## [1.2.3] - 2026-01-02\n\n- a\n- b\n\n## 1.2.2\n\nold\n"
	for version, want := range map[string]string{"1.2.3": "- a\n- b", "1.2.2": "old", "2.0.0": "new"} {
		if got := sectionOf(log, version); got != want {
			t.Errorf("%s: %q", version, got)
		}
	}
}

// Without a key, or with one that no root vouches for, nothing is made.
func TestNoKeyNoRelease(t *testing.T) {
	if _, err := signingKey(func(string) string { return "" }); err == nil {
		t.Error("no key was accepted")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "signing")
	if err := newKey(name); err != nil {
		t.Fatal(err)
	}
	getenv := func(k string) string { return map[string]string{"NCATD_SIGNING_KEY": name + ".key"}[k] }
	if _, err := signingKey(getenv); err == nil {
		t.Error("a key without a root's signature was accepted")
	}
	if err := newKey(filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	if err := certify([]string{"-serial", "2", "-root", filepath.Join(dir, "root.key"), name + ".pub"}); err != nil {
		t.Fatal(err)
	}
	if s, err := signingKey(getenv); err != nil || !bytes.Contains(s.text, []byte("signing key 2")) {
		t.Errorf("%v, %v", s, err)
	}
	if fi, err := os.Stat(name + ".key"); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
}
