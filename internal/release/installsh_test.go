package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
	root  string // public key in base64
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	sum := sha256.Sum256(b)
	name := fmt.Sprintf("ncatd_%s_linux_%s.tar.gz", version, runtime.GOARCH)
	man := signed.Manifest{Version: version, Channel: "stable", Date: "2026-11-28", Files: []signed.File{
		{Name: name, Platform: "linux/" + runtime.GOARCH, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))},
	}}.Text()
	text := signed.KeyText(pub, 1)
	return &shop{root: rootPub.String(), files: map[string][]byte{
		name: b, signed.ManifestName: man, signed.ManifestName + signed.Suffix: minisign.Sign(key, man),
		signed.KeyName: text, signed.KeyName + signed.Suffix: minisign.Sign(root, text),
	}}
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
