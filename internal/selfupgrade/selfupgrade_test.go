package selfupgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aead.dev/minisign"

	"github.com/ncatd/ncatd/internal/selfupgrade/signed"
)

// shop serves releases at their paths, and signs them.
type shop struct {
	t         *testing.T
	root, key minisign.PrivateKey
	rootPub   minisign.PublicKey
	pub       minisign.PublicKey
	files     map[string][]byte // by path
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, files: map[string][]byte{}}
	var err error
	if s.rootPub, s.root, err = minisign.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	if s.pub, s.key, err = minisign.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) sign(path, name string, text []byte) {
	key := signed.KeyText(s.pub, 1)
	s.files[path+"/"+signed.KeyName], s.files[path+"/"+signed.KeyName+signed.Suffix] = key, minisign.Sign(s.root, key)
	s.files[path+"/"+name], s.files[path+"/"+name+signed.Suffix] = text, minisign.Sign(s.key, text)
}

// entry is what an archive has: a text, or as many zeros.
type entry struct {
	name, text, link string
	zeros            int64
}

// release puts a release under some paths.
func (s *shop) release(version, program string, paths ...string) {
	s.t.Helper()
	s.archive(version, []entry{{name: "ncatd", text: program}}, paths...)
}

// archive puts a release of an archive under some paths.
func (s *shop) archive(version string, entries []entry, paths ...string) {
	s.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: 0o755, Size: int64(len(e.text)) + e.zeros}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			s.t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			s.t.Fatal(err)
		}
		for left := e.zeros; left > 0; left -= 1 << 20 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	name := fmt.Sprintf("ncatd_%s_linux_%s.tar.gz", version, runtime.GOARCH)
	m := signed.Manifest{Version: version, Channel: "stable", Date: "2026-11-28", Files: []signed.File{
		{Name: name, Platform: "linux/" + runtime.GOARCH, SHA256: hex.EncodeToString(sum[:]), Size: int64(b.Len())}}}
	for _, p := range paths {
		s.sign(p, signed.ManifestName, m.Text())
	}
	s.files["download/v"+version+"/"+name] = b.Bytes()
}

// serve returns the address of a server of the shop as it is now.
func (s *shop) serve() string {
	files := map[string][]byte{}
	for k, v := range s.files {
		files[k] = v
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, b := range files {
			if strings.HasSuffix(r.URL.Path, "/"+path) {
				http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(b))
				return
			}
		}
		http.NotFound(w, r)
	}))
	s.t.Cleanup(srv.Close)
	return srv.URL
}

func (s *shop) publisher(base string, mirrors ...string) *Publisher {
	return &Publisher{Base: base, Mirrors: mirrors, Roots: []minisign.PublicKey{s.rootPub}, Log: slog.New(slog.DiscardHandler)}
}

// TestFindTakesTheNewest: a mirror that was not refreshed, one that lies and one
// that is not there do no harm.
func TestFindTakesTheNewest(t *testing.T) {
	s := newShop(t)
	s.release("1.1.0", "old", "latest/download")
	stale := s.serve()
	s.release("1.2.0", "new", "latest/download", "download/v1.2.0")
	fresh := s.serve()
	s.files["latest/download/"+signed.ManifestName] = bytes.Replace(s.files["latest/download/"+signed.ManifestName], []byte("1.2.0"), []byte("9.9.9"), 1)
	liar := s.serve()
	p := s.publisher("http://127.0.0.1:1/releases", stale, liar, fresh)
	r, err := p.Find(t.Context(), Wish{Channel: Stable, Than: "1.0.0"})
	if err != nil || r.Version != "1.2.0" || r.Via != fresh {
		t.Fatalf("found %s at %s, %v", r.Version, r.Via, err)
	}
	if runtime.GOOS == "linux" {
		path, err := p.Program(t.Context(), r, t.TempDir(), nil)
		if b, err2 := os.ReadFile(path); err != nil || err2 != nil || string(b) != "new" {
			t.Errorf("program %q, %v, %v", b, err, err2)
		}
	}
	if r, err := p.Find(t.Context(), Wish{Version: "1.2.0", Than: "2.0.0"}); err != nil || r.Version != "1.2.0" {
		t.Errorf("an older one that was asked for: %s, %v", r.Version, err)
	}
	_, err = s.publisher("http://127.0.0.1:1/releases", stale, liar).Find(t.Context(), Wish{Channel: Stable, Than: "1.1.5"})
	var older *OlderError
	if !errors.As(err, &older) || !errors.Is(err, signed.ErrSignature) || !strings.Contains(err.Error(), "direct") {
		t.Errorf("only an older one, a lie and nobody: %v", err)
	}
}

// TestOddServers: a place that answers oddly, for ever or never is named with its
// cause, in bounded time, and stands in no other's way.
func TestOddServers(t *testing.T) {
	s := newShop(t)
	s.release("1.2.0", "new", "latest/download", "download/v1.2.0")
	good := s.serve()
	manifest := s.files["latest/download/"+signed.ManifestName]
	for what, tt := range map[string]struct {
		odd   http.HandlerFunc
		cause string
	}{
		"a redirect loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirects"},
		"an empty file":   {func(http.ResponseWriter, *http.Request) {}, "is empty"},
		"a page":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\r\n <html>") }, "HTML page"},
		"silence":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		"an endless file": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "too large"},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 64 {
				_, _ = z.Write(make([]byte, 1<<20)) // the client goes away
			}
			_ = z.Close()
		}, "too large"},
		"a length that is too great": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(manifest)+1))
			_, _ = w.Write(manifest)
		}, "unexpected EOF"},
		"a length that is too small": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(manifest)-1))
			_, _ = w.Write(manifest[:len(manifest)-1])
		}, "signature"},
		"a part that was not asked for": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(manifest)
		}, "206"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
				if name == signed.ManifestName {
					tt.odd(w, r)
					return
				}
				_, _ = w.Write(s.files["latest/download/"+name])
			}))
			t.Cleanup(srv.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := s.publisher(srv.URL).Find(ctx, Wish{Channel: Stable, Than: "1.0.0"})
			if err == nil || !strings.Contains(err.Error(), tt.cause) || !strings.HasPrefix(err.Error(), "direct: ") {
				t.Errorf("alone: %v", err)
			}
			if r, err := s.publisher(srv.URL, good).Find(t.Context(), Wish{Channel: Stable, Than: "1.0.0"}); err != nil || r.Via != good {
				t.Errorf("beside a good one: %+v, %v", r, err)
			}
		})
	}
}

// TestSilenceEnds: without any answer it is over after the limit.
func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Publisher{Base: "http://silent.invalid", Mirrors: []string{"http://too.invalid"}, Client: &http.Client{Transport: silent{}}}
		began := time.Now()
		if _, err := p.Find(t.Context(), Wish{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != placeTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// TestOddArchives: only a file that is called ncatd is the program, of a sensible
// size; nothing else of an archive is unpacked.
func TestOddArchives(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the archive is Linux's")
	}
	for what, tt := range map[string]struct {
		entries []entry
		cause   string // empty: taken
	}{
		"paths that lead out":    {[]entry{{name: "../ncatd", text: "x"}, {name: "/ncatd", text: "x"}, {name: "../../evil", text: "x"}}, "no program"},
		"others beside it":       {[]entry{{name: "../evil", text: "x"}, {name: "ncatd", text: "good"}}, ""},
		"a link as program":      {[]entry{{name: "ncatd", link: "/bin/sh"}}, "no program"},
		"a bomb as program":      {[]entry{{name: "ncatd", zeros: maxProgram + 1<<20}}, "too large"},
		"a bomb before it":       {[]entry{{name: "README", zeros: 2*maxProgram + 1<<20}, {name: "ncatd", text: "x"}}, "unexpected EOF"},
		"nothing":                {nil, "no program"},
		"another version's list": {[]entry{{name: "ncatd", text: "x"}}, "wrong_digest"},
	} {
		t.Run(what, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(what, "a bomb") {
				t.Skip("hundreds of megabytes")
			}
			t.Parallel()
			s := newShop(t)
			s.archive("1.2.0", tt.entries, "latest/download", "download/v1.2.0")
			if tt.cause == "wrong_digest" {
				other := newShop(t)
				other.release("1.2.0", "y", "latest/download", "download/v1.2.0")
				for name, b := range other.files {
					if strings.HasSuffix(name, ".tar.gz") {
						s.files[name] = b
					}
				}
			}
			p := s.publisher(s.serve())
			r, err := p.Find(t.Context(), Wish{Channel: Stable, Than: "1.0.0"})
			if err != nil {
				t.Fatal(err)
			}
			work := t.TempDir()
			dir := filepath.Join(work, "a", "b")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path, err := p.Program(t.Context(), r, dir, nil)
			if b, e := os.ReadFile(path); tt.cause == "" && (err != nil || e != nil || string(b) != "good") {
				t.Errorf("%q, %v, %v", b, err, e)
			}
			if tt.cause != "" && (err == nil || !strings.Contains(err.Error(), tt.cause)) {
				t.Errorf("%v", err)
			}
			if left, err := filepath.Glob(filepath.Join(work, "*")); err != nil || len(left) != 1 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// TestCatalogueIsTheNewestSignedOne does so for the catalogue.
func TestCatalogueIsTheNewestSignedOne(t *testing.T) {
	s := newShop(t)
	at := "download/catalogue"
	s.sign(at, signed.CatalogueName, []byte(`{"updated":"2026-01-01"}`))
	stale := s.serve()
	s.sign(at, signed.CatalogueName, []byte(`{"updated":"2026-02-02"}`))
	fresh := s.serve()
	s.files[at+"/"+signed.CatalogueName] = []byte(`{"updated":"2999-01-01"}`)
	liar := s.serve()
	b, via, err := s.publisher("http://127.0.0.1:1/releases", stale, liar, fresh).Catalogue(t.Context())
	if err != nil || via != fresh || !strings.Contains(string(b), "2026-02-02") {
		t.Errorf("%s from %s, %v", b, via, err)
	}
	if _, _, err := s.publisher(liar).Catalogue(t.Context()); !errors.Is(err, signed.ErrSignature) {
		t.Errorf("a lie: %v", err)
	}
}

// TestSwapAndBack: there and back again, and a note of why.
func TestSwapAndBack(t *testing.T) {
	dir := t.TempDir()
	exe := filepath.Join(dir, "ncatd")
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	is := func(want string) {
		t.Helper()
		b, err := os.ReadFile(exe)
		fi, err2 := os.Stat(exe)
		if err != nil || err2 != nil || string(b) != want || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o755 {
			t.Fatalf("%q %v, %v, %v, want %s", b, fi.Mode(), err, err2, want)
		}
	}
	write("ncatd", "one")
	staged, err := Stage(write("new", "two"), exe)
	if err != nil {
		t.Fatal(err)
	}
	is("one")
	if err := Swap(staged, exe); err != nil {
		t.Fatal(err)
	}
	is("two")
	for _, want := range []string{"one", "two"} {
		if staged, err = Stage(Previous(exe), exe); err != nil {
			t.Fatal(err)
		}
		if err := Swap(staged, exe); err != nil {
			t.Fatal(err)
		}
		is(want)
	}
}

// TestLock: one command replaces a program at a time, and none while a version is on
// trial, also when who began with that is gone.
func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no locks of folders")
	}
	exe := filepath.Join(t.TempDir(), "ncatd")
	if err := os.WriteFile(exe, []byte("one"), 0o755); err != nil {
		t.Fatal(err)
	}
	release, err := Lock(exe)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(exe); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	staged, err := Stage(exe, exe)
	if err != nil {
		t.Fatal(err)
	}
	judged, err := Try(staged, exe, "2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := Lock(exe); !errors.Is(err, ErrTrial) {
		t.Errorf("during a trial: %v", err)
	}
	if err := judged(); err != nil {
		t.Fatal(err)
	}
	if release, err = Lock(exe); err != nil {
		t.Fatalf("after it: %v", err)
	}
	release()
}

// TestTrial: a version that is tried lies beside the program until it is swapped or
// left.
func TestTrial(t *testing.T) {
	exe, program := filepath.Join(t.TempDir(), "ncatd"), filepath.Join(t.TempDir(), "new")
	if err := errors.Join(os.WriteFile(exe, []byte("one"), 0o755), os.WriteFile(program, []byte("two"), 0o755)); err != nil {
		t.Fatal(err)
	}
	begin := func() (staged string, release func() error) {
		t.Helper()
		staged, err := Stage(program, exe)
		if err != nil {
			t.Fatal(err)
		}
		if release, err = Try(staged, exe, "2.0.0"); err != nil {
			t.Fatal(err)
		}
		if got := HomeOf(staged); got != exe {
			t.Errorf("%s belongs to %s", staged, got)
		}
		return staged, release
	}
	staged, release := begin()
	tr, ok := ReadTrial(exe)
	if !ok || tr.Version != "2.0.0" || tr.At(exe) != staged || !tr.On(exe) {
		t.Errorf("trial %+v %v", tr, ok)
	}
	if _, err := Try(staged, exe, "3.0.0"); !errors.Is(err, ErrTrial) {
		t.Errorf("a second trial: %v", err)
	}
	if err := Leave(staged, exe, Note{Version: "2.0.0", Reason: "it crashed", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if n, ok := ReadNote(exe); !ok || n.Version != "2.0.0" || n.Reason != "it crashed" {
		t.Errorf("note %+v %v", n, ok)
	}
	if _, ok := ReadTrial(exe); ok {
		t.Error("the trial goes on")
	}

	staged, release = begin()
	if _, ok := ReadNote(exe); ok {
		t.Error("the note outlived the next trial")
	}
	if err := release(); err != nil { // as if it had been killed
		t.Fatal(err)
	}
	if tr, ok := ReadTrial(exe); !ok || tr.On(exe) {
		t.Errorf("a trial without a judge: %+v %v", tr, ok)
	}

	again, release := begin()
	if err := Swap(again, exe); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if _, ok := ReadTrial(exe); err != nil || string(b) != "two" || ok {
		t.Errorf("after the swap: %q, %v, %v", b, err, ok)
	}
	for path, want := range map[string]string{"/a/ncatd": "/a/ncatd", "/a/.ncatd.new-12 (deleted)": "/a/ncatd", "/a/.ncatd.new-x": "/a/.ncatd.new-x"} {
		if got := HomeOf(filepath.FromSlash(path)); got != filepath.FromSlash(want) {
			t.Errorf("%s belongs to %s", path, got)
		}
	}
	if _, err := os.Stat(staged); err != nil {
		t.Errorf("the one without a judge may still run: %v", err)
	}
}
