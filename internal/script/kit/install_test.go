package kit

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/script"
)

const (
	greetTS   = "import { onPrivate, textIs } from \"ncat\";\nonPrivate(textIs(\"hi\"), (m) => m.reply(\"hello\"));\n"
	greetYAML = "id: greet\nversion: 1.2.0\npermissions:\n  fetch: [api.example.com, \"example.net:8443\"]\n  files: true\n"
)

type file struct{ name, text string }

func zipped(t *testing.T, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = io.WriteString(w, f.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.text))})
		if err == nil {
			_, err = io.WriteString(w, f.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestInstall brings a plugin from everything that it may come from: the digest,
// what it asks for and the lock file are right, and nothing else is left in the
// folder.
func TestInstall(t *testing.T) {
	plugin := []file{{"greet/plugin.yaml", greetYAML}, {"greet/main.ts", greetTS}, {"greet/lib/word.ts", "export const word = 1;\n"}}
	flat := []file{{"plugin.yaml", greetYAML}, {"main.ts", greetTS}}
	asked := script.Permissions{Fetch: []string{"api.example.com", "example.net:8443"}, Files: true}
	for _, c := range []struct {
		name, file string
		content    []byte
		want       string // the path below the folder of plugins
		asks       script.Permissions
	}{
		{"one file", "hello.ts", []byte(greetTS), "hello.ts", script.Permissions{}},
		{"zip with a folder", "greet-1.2.zip", zipped(t, plugin...), "greet/main.ts", asked},
		{"zip without a folder", "x.zip", zipped(t, flat...), "greet/main.ts", asked},
		{"zip of macOS", "greet.zip", zipped(t, append(plugin, file{"__MACOSX/greet/._main.ts", "x"}, file{"greet/.DS_Store", "x"})...), "greet/main.ts", asked},
		{"tar.gz", "greet.tar.gz", tarred(t, plugin...), "greet/lib/word.ts", asked},
		{"tgz", "greet.tgz", tarred(t, flat...), "greet/main.ts", asked},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(from, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			installed(t, from, from, digest(c.content), c.want, c.asks)
			srv := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(from))))
			defer srv.Close()
			installed(t, srv.URL+"/"+c.file, srv.URL+"/"+c.file, digest(c.content), c.want, c.asks)
		})
	}
	t.Run("folder", func(t *testing.T) {
		from := filepath.Join(t.TempDir(), "somewhere")
		for _, f := range append(flat, file{".git/config", "x"}) {
			at := filepath.Join(from, f.name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(f.text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		first := installed(t, from, from, "", "greet/main.ts", asked)
		if err := os.WriteFile(filepath.Join(from, "main.ts"), []byte(greetTS+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if second := installed(t, from, from, "", "greet/main.ts", asked); first == second || len(first) != 64 {
			t.Errorf("digests %s and %s of two versions", first, second)
		}
	})
}

// installed installs source into an empty folder and returns the digest.
func installed(t *testing.T, source, locked, sum, want string, asks script.Permissions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "plugins")
	p, err := Open(t.Context(), dir, source)
	if err != nil {
		t.Fatal(err)
	}
	if sum == "" {
		sum = p.SHA256
	}
	if p.SHA256 != sum || len(p.Problems) > 0 || !reflect.DeepEqual(p.Manifest.Permissions, asks) {
		t.Errorf("%s: digest %s, want %s; problems %v; asks for %+v", source, p.SHA256, sum, p.Problems, p.Manifest.Permissions)
	}
	if _, known, err := p.Before(); known || err != nil {
		t.Errorf("known before: %v, %v", known, err)
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 5, time.UTC)
	if _, err := p.Install(now); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(want))); err != nil {
		t.Error(err)
	}
	lock, err := script.ReadLock(dir)
	l := lock[p.Manifest.ID]
	if err != nil || l.Source != locked || l.SHA256 != sum || l.Version != p.Manifest.Version || !reflect.DeepEqual(l.Granted, asks) || !l.Installed.Equal(now.Truncate(time.Second)) {
		t.Errorf("lock %+v, %v", l, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	return p.SHA256
}

// TestInstallAgain replaces what was installed, and nothing else.
func TestInstallAgain(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "greet", "main.ts")
	if err := errors.Join(os.Mkdir(filepath.Dir(own), 0o755), os.WriteFile(own, []byte("// mine\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	archive := func(version string) string {
		from := filepath.Join(t.TempDir(), "greet.zip")
		text := zipped(t, file{"plugin.yaml", strings.Replace(greetYAML, "1.2.0", version, 1)}, file{"main.ts", greetTS})
		if err := os.WriteFile(from, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return from
	}
	install := func(version string) error {
		p, err := Open(t.Context(), dir, archive(version))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Install(time.Now())
		return errors.Join(err, p.Close())
	}
	if err := install("1.0.0"); !errors.Is(err, ErrExists) {
		t.Errorf("over one's own: %v", err)
	}
	if b, err := os.ReadFile(own); err != nil || string(b) != "// mine\n" {
		t.Errorf("one's own became %q, %v", b, err)
	}
	if err := os.RemoveAll(filepath.Dir(own)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"1.0.0", "1.1.0"} {
		if err := install(v); err != nil {
			t.Fatal(err)
		}
		if lock, err := script.ReadLock(dir); err != nil || lock["greet"].Version != v {
			t.Errorf("lock %+v, %v", lock, err)
		}
	}
}

// A plugin that was one file and becomes a folder, or the other way round, is
// replaced; what lies there with its id and was not installed stays.
func TestInstallInAnotherForm(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(from, "greet.ts"), greetTS)
	put(filepath.Join(from, "new", "plugin.yaml"), greetYAML)
	put(filepath.Join(from, "new", "main.ts"), greetTS)
	install := func(name string) error {
		p, err := Open(t.Context(), dir, filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Install(time.Now())
		return errors.Join(err, p.Close())
	}
	for _, c := range []struct{ name, is string }{{"greet.ts", "greet.ts"}, {"new", "greet"}, {"greet.ts", "greet.ts"}} {
		if err := install(c.name); err != nil {
			t.Fatal(err)
		}
		if at, err := script.Find(dir, "greet"); err != nil || !slices.Equal(at, []string{filepath.Join(dir, c.is)}) {
			t.Errorf("%s: it lies at %v, %v", c.name, at, err)
		}
	}
	if err := errors.Join(os.Remove(script.LockPath(dir)), os.Remove(filepath.Join(dir, "greet.ts"))); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(dir, "mine", "plugin.yaml"), greetYAML)
	put(filepath.Join(dir, "mine", "main.ts"), greetTS)
	if err := install("new"); !errors.Is(err, ErrExists) {
		t.Errorf("one of the user's own is in the way: %v", err)
	}
}

// A version that cannot be put in its place leaves the one before it where it was.
func TestInstallThatFailsKeepsWhatWasBefore(t *testing.T) {
	dir := t.TempDir()
	before := []string{filepath.Join(dir, "a.ts"), filepath.Join(dir, "b.ts")}
	for _, f := range before {
		if err := os.WriteFile(f, []byte(filepath.Base(f)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &Package{tmp: t.TempDir(), path: filepath.Join(dir, "nothing")}
	if err := p.replace(before, before[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there was installed: %v", err)
	}
	for _, f := range before {
		if b, err := os.ReadFile(f); string(b) != filepath.Base(f) {
			t.Errorf("%s is %q, %v", f, b, err)
		}
	}
}

// A password in an address is told to nobody, and what a file is called does not count if
// its content is clear, or the address leads to another.
func TestInstallFromOddAddresses(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/latest", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(tarred(t, file{"x/plugin.yaml", greetYAML}, file{"x/main.ts", greetTS})) // it shows
	})
	mux.HandleFunc("/raw", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/greet.ts", http.StatusFound) })
	mux.HandleFunc("/greet.ts", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, greetTS) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	at := strings.Replace(srv.URL, "http://", "http://me:secret@", 1)
	for name, want := range map[string]string{"latest": "greet", "raw": "greet.ts"} {
		dir := t.TempDir()
		p, err := Open(t.Context(), dir, at+"/"+name)
		if err != nil {
			t.Error(err)
			continue
		}
		to, err := p.Install(time.Now())
		if err := errors.Join(err, p.Close()); err != nil || to != filepath.Join(dir, want) {
			t.Errorf("%s is installed in %s, %v", name, to, err)
		}
		if b, err := os.ReadFile(script.LockPath(dir)); err != nil || bytes.Contains(b, []byte("secret")) || !bytes.Contains(b, []byte("/"+name)) {
			t.Errorf("lock file: %v\n%s", err, b)
		}
	}
	if _, err := Open(t.Context(), t.TempDir(), at+"/nothing.zip"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// TestInstallRefuses names what is no plugin and leaves nothing behind.
func TestInstallRefuses(t *testing.T) {
	for _, c := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"out of the archive", "a.zip", zipped(t, file{"../evil.ts", "x"}), "leads out of the archive"},
		{"absolute", "a.tgz", tarred(t, file{"/etc/evil.ts", "x"}), "leads out of the archive"},
		{"too many files", "a.zip", zipped(t, slices.Repeat([]file{{"x.ts", ""}}, maxFiles+1)...), "more than 2000 files"},
		{"too large", "a.tgz", tarred(t, file{"main.ts", strings.Repeat(" ", maxPackage+1)}), "a.tgz is too large for a plugin: at most 16 MiB"},
		{"no archive", "a.zip", []byte("PK"), "zip"},
		{"empty", "a.zip", zipped(t), "no plugin is there"},
		{"the lock file", "a.zip", zipped(t, file{"plugin.yaml", "id: Plugins.lock\n"}, file{"main.ts", greetTS}), "\"Plugins.lock\" means something else"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, dir := filepath.Join(t.TempDir(), c.file), t.TempDir()
			if err := os.WriteFile(from, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), dir, from); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
	if _, err := Open(t.Context(), t.TempDir(), os.DevNull); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
		t.Errorf("a device: %v", err)
	}
	if _, err := Open(t.Context(), t.TempDir(), httptest.NewServer(http.NotFoundHandler()).URL+"/x.ts"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("missing on the server: %v", err)
	}
}
