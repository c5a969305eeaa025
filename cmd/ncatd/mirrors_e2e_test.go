//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// releases is a home without anything installed, and packages to bring there.
type releases struct {
	t      *testing.T
	home   string
	napcat string // packed simulator packages
	qq     string
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	dir := t.TempDir()
	r := &releases{t: t, home: filepath.Join(dir, "home")}
	r.napcat, r.qq = r.pack("one")
	t.Cleanup(func() { killLeft(t, dir) })
	return r
}

// pack packs a simulated pair and returns the paths of its packages.
func (r *releases) pack(name string, args ...string) (napcat, qq string) {
	r.t.Helper()
	dir := filepath.Join(filepath.Dir(r.home), "packed-"+name)
	if _, errs, code := r.run(append([]string{"sim", "pack", dir}, args...)...); code != 0 {
		r.t.Fatal(errs)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		r.t.Fatal(found, err)
	}
	return filepath.Join(dir, "NapCat.Shell.zip"), found[0]
}

func (r *releases) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "NCATD_HOME="+r.home, "NCATD_LANG=en", "HOME="+filepath.Dir(r.home))
	return cmd
}

// run runs the program to its end.
func (r *releases) run(args ...string) (out, errs string, code int) {
	r.t.Helper()
	cmd := r.command(r.t.Context(), args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		r.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// current is the versions of the pair that is installed, empty without one.
func (r *releases) current() (napcat, qq string) {
	r.t.Helper()
	out, errs, code := r.run("versions", "--json")
	var v struct {
		Current *struct {
			NapCat, QQ struct{ Version string }
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		r.t.Fatalf("versions: exit %d, %v\n%s%s", code, err, out, errs)
	}
	if v.Current == nil {
		return "", ""
	}
	return v.Current.NapCat.Version, v.Current.QQ.Version
}

// log is what the installs in this home wrote down.
func (r *releases) log() string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.home, "logs", "install.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// catalogue writes one whose packages lie at a publisher out of reach, with the
// digests of these.
func (r *releases) catalogue(napcat, qq []byte) string {
	r.t.Helper()
	return r.catalogueIn(filepath.Dir(r.home), napcat, qq)
}

func (r *releases) catalogueIn(dir string, napcat, qq []byte) string {
	r.t.Helper()
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	b, err := json.Marshal(map[string]any{
		"schema": 1, "updated": "2026-01-01", "napcat_url": publisher + "/v{version}/NapCat.Shell.zip",
		"napcat": []any{map[string]any{"version": "4.18.13", "qq": []string{"3.2.30-50969"}, "sha256": sum(napcat)}},
		"qq": []any{map[string]any{"version": "3.2.30-50969", "packages": []any{
			map[string]any{"arch": runtime.GOARCH, "format": "deb", "url": publisher + "/linuxqq.deb", "sha256": sum(qq)},
		}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(dir, "catalogue.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// publisher is an address that nothing listens on.
const publisher = "https://127.0.0.1:1"

// mirror serves what a mirror of publisher would, in its own manner.
func mirror(t *testing.T, files map[string][]byte, serve func(w http.ResponseWriter, r *http.Request, content []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/"+publisher)
		content, there := files[path]
		if !ok || !there {
			http.NotFound(w, r)
			return
		}
		serve(w, r, content)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func whole(w http.ResponseWriter, r *http.Request, content []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// after serves the whole file, each time after a pause.
func after(d time.Duration) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, content []byte) {
		select {
		case <-time.After(d):
			whole(w, r, content)
		case <-r.Context().Done():
		}
	}
}

// broken serves a file up to nine tenths of it. There it breaks off, or with
// stall sends nothing more. It has the end of the file for those who only look,
// unless all is true.
func broken(stall, all bool) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, content []byte) {
		from, to, cut := 0, len(content), len(content)*9/10
		if spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
			first, last, _ := strings.Cut(spec, "-")
			from, _ = strconv.Atoi(first)
			if n, err := strconv.Atoi(last); err == nil {
				to = min(n+1, to)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(to-from))
		if w.Header().Get("Content-Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		if from >= cut && !all || to <= cut {
			w.Write(content[from:to])
			return
		}
		w.Write(content[min(from, cut):cut])
		w.(http.Flusher).Flush()
		if stall {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
}

// wrongByte has one bit changed in the middle.
func wrongByte(w http.ResponseWriter, r *http.Request, content []byte) {
	bad := bytes.Clone(content)
	bad[len(bad)/2] ^= 4
	whole(w, r, bad)
}

func page(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!DOCTYPE html><html><body>this mirror has moved</body></html>")
}

func forbidden(w http.ResponseWriter, _ *http.Request, _ []byte) {
	http.Error(w, "go away", http.StatusForbidden)
}

func circle(w http.ResponseWriter, r *http.Request, _ []byte) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	http.Redirect(w, r, "http://"+r.Host+r.URL.Path+"?n="+strconv.Itoa(n+1), http.StatusFound)
}

// padded is a .deb made larger by a member that nobody looks at.
func padded(t *testing.T, deb string, size int) []byte {
	t.Helper()
	b, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	if len(b)%2 == 1 {
		b = append(b, '\n')
	}
	noise := make([]byte, size-len(b)-60)
	rand.NewChaCha8([32]byte{7}).Read(noise)
	return append(fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", "_noise", 0, 0, 0, "100644", len(noise)), noise...)
}

// faults are the ways in which a mirror goes wrong, and what each is called.
var faults = map[string]struct {
	serve func(http.ResponseWriter, *http.Request, []byte)
	cause string
}{
	"html":       {page, "html_page"},
	"truncating": {broken(false, false), "truncated"},
	"wrong byte": {wrongByte, "wrong_digest"},
	"stalling":   {broken(true, false), "stalled"},
	"forbidden":  {forbidden, "http_status"},
	"circle":     {circle, "redirect_loop"},
}

// TestMirrors installs from mirrors of which most are faulty in their own way:
// each is named with its fault, the fastest sound one is used. The QQ package is
// so large that a part of it would be worth going on from.
func TestMirrors(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	napcat, err := os.ReadFile(r.napcat)
	if err != nil {
		t.Fatal(err)
	}
	qq := padded(t, r.qq, 20<<20)
	files := map[string][]byte{"/v4.18.13/NapCat.Shell.zip": napcat, "/linuxqq.deb": qq}
	cat := r.catalogue(napcat, qq)

	t.Run("good ones among them", func(t *testing.T) {
		t.Parallel()
		good := mirror(t, files, after(150*time.Millisecond))
		slow := mirror(t, files, after(700*time.Millisecond))
		args := []string{"install", "--yes", "--catalogue", cat, "--mirror", slow, "--mirror", good}
		urls := map[string]string{}
		for name, f := range faults {
			urls[name] = mirror(t, files, f.serve)
			args = append(args, "--mirror", urls[name])
		}
		out, errs, code := r.run(args...)
		if code != 0 {
			t.Fatalf("exit %d\n%s%s", code, out, errs)
		}
		log := r.log()
		for name, f := range faults {
			for _, file := range []string{"linuxqq.deb", "NapCat.Shell-4.18.13.zip"} {
				if !logged(log, `"file":"`+file+`"`, `"source":"`+urls[name]+`"`, `"cause":"`+f.cause+`"`) {
					t.Errorf("the log does not name the %s mirror (%s) for %s", name, urls[name], file)
				}
			}
			if !strings.Contains(errs, urls[name]) {
				t.Errorf("stderr does not name the %s mirror", name)
			}
		}
		for _, file := range []string{"linuxqq.deb", "NapCat.Shell-4.18.13.zip"} {
			if !logged(log, "download complete", `"file":"`+file+`"`, `"source":"`+good+`"`) {
				t.Errorf("%s did not come from the good mirror", file)
			}
		}
		if n, q := r.current(); n != "4.18.13" || q != "3.2.30-50969" {
			t.Errorf("installed %s with %s", n, q)
		}
		got, err := os.ReadFile(filepath.Join(r.home, "downloads", "linuxqq.deb"))
		if err != nil || !bytes.Equal(got, qq) {
			t.Errorf("the package in the cache is another (%v)", err)
		}
		if t.Failed() {
			t.Log(log)
		}
	})

	t.Run("all bad", func(t *testing.T) {
		t.Parallel()
		r := &releases{t: t, home: filepath.Join(t.TempDir(), "home")}
		args := []string{"install", "--yes", "--catalogue", cat, "--set", "napcat.mirrors=direct"}
		urls := map[string]string{}
		for name, f := range faults {
			// Those two would make a whole file together.
			switch name {
			case "truncating":
				f.serve = broken(false, true)
			case "stalling":
				f.serve = broken(true, true)
			}
			urls[name] = mirror(t, files, f.serve)
			args = append(args, "--mirror", urls[name])
		}
		_, errs, code := r.run(args...)
		if code != 1 {
			t.Errorf("exit %d", code)
		}
		_, after, _ := strings.Cut(errs, "could not be fetched\n")
		for name, words := range map[string]string{
			"html": "serves a web page", "truncating": "ends too early", "wrong byte": "has other content",
			"stalling": "stands still", "forbidden": "HTTP 403", "circle": "redirects in a circle",
		} {
			if !logged(after, urls[name]+":", words) {
				t.Errorf("the error does not name the %s mirror", name)
			}
		}
		for _, want := range []string{"direct: cannot be reached", "--napcat-package FILE", "--qq-package FILE"} {
			if !strings.Contains(after, want) {
				t.Errorf("the error lacks %q", want)
			}
		}
		if n, _ := r.current(); n != "" {
			t.Errorf("installed %s", n)
		}
		if t.Failed() {
			t.Log(errs)
		}
	})
}

// logged reports whether one line holds all parts.
func logged(log string, parts ...string) bool {
next:
	for line := range strings.SplitSeq(log, "\n") {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue next
			}
		}
		return true
	}
	return false
}
