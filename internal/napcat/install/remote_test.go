package install

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcat/install/catalogue"
	"github.com/ncatd/ncatd/internal/napcat/install/fetch"
)

// quick are limits that let a test with dead hosts end soon.
var quick = fetch.Limits{
	Connect: time.Second, Header: time.Second, Try: time.Second, Grace: 200 * time.Millisecond, Stall: time.Second, TryBytes: 1 << 10,
}

// world is a publisher with its API, over TLS, and a mirror, over plain HTTP.
type world struct {
	publisher, mirror *httptest.Server
	transport         *http.Transport
	cat               *catalogue.Catalogue

	mu       sync.Mutex
	files    map[string][]byte // path -> content, of the publisher
	mirrored map[string][]byte // the same, of the mirror
	digests  map[string]string // version -> what the API says
	asked    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{files: map[string][]byte{}, mirrored: map[string][]byte{}, digests: map[string]string{}}
	w.publisher = httptest.NewTLSServer(http.HandlerFunc(w.serve))
	w.mirror = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, "mirror")
		rest, ok := strings.CutPrefix(r.URL.Path, "/"+w.publisher.URL)
		b, there := w.mirrored[rest]
		if !ok || !there {
			http.Error(rw, "blocked", http.StatusForbidden)
			return
		}
		http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(string(b)))
	}))
	t.Cleanup(w.publisher.Close)
	t.Cleanup(w.mirror.Close)
	w.transport = http.DefaultTransport.(*http.Transport).Clone()
	w.transport.TLSClientConfig = &tls.Config{RootCAs: w.publisher.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	t.Cleanup(w.transport.CloseIdleConnections)
	u := w.publisher.URL
	w.cat = &catalogue.Catalogue{
		Schema: 1, NapCatURL: u + "/v{version}/NapCat.Shell.zip", NapCatAPI: u + "/api/v{version}", NapCatLatest: u + "/api/latest",
		NapCatAsset: "NapCat.Shell.zip", Mirrors: []string{w.mirror.URL}, MirroredHosts: []string{"127.0.0.1"},
		NapCat: []catalogue.NapCat{{Version: "4.18.19", QQ: []string{"3.2.30-50969"}}, {Version: "4.18.13", QQ: []string{"3.2.30-50969"}}},
		QQ:     []catalogue.QQ{{Version: "3.2.30-50969", Packages: []catalogue.Package{{Arch: Arch(), Format: "deb", URL: u + "/qq.deb"}}}},
	}
	dir := t.TempDir()
	for _, v := range []string{"4.18.13", "4.18.19"} {
		w.files["/v"+v+"/NapCat.Shell.zip"] = read(t, packNapCat(t, dir, v))
	}
	w.files["/qq.deb"] = read(t, packQQ(t, dir, "3.2.30-50969"))
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL.Path)
	if v, ok := strings.CutPrefix(r.URL.Path, "/api/v"); ok {
		d, ok := w.digests[v]
		if !ok {
			http.Error(rw, "rate limit", http.StatusForbidden)
			return
		}
		fmt.Fprintf(rw, `{"tag_name":"v%s","assets":[{"name":"other.zip","digest":"sha256:00"},{"name":"NapCat.Shell.zip","size":%d,"digest":"sha256:%s"}]}`,
			v, len(w.files["/v"+v+"/NapCat.Shell.zip"]), d)
		return
	}
	b, ok := w.files[r.URL.Path]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(string(b)))
}

// mirrorEverything puts the publisher's files onto the mirror, and takes them
// from the publisher if only is true.
func (w *world) mirrorEverything(only bool) {
	for path, b := range w.files {
		w.mirrored[path] = b
		if only {
			delete(w.files, path)
		}
	}
}

func (w *world) request() Request {
	return Request{Log: slog.New(slog.DiscardHandler), Catalogue: w.cat, Transport: w.transport, Limits: quick}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestInstallFromPublisher(t *testing.T) {
	w := newWorld(t)
	s := openTemp(t)
	var events []Event
	p, err := s.Install(t.Context(), w.request(), func(e Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	if p.NapCat.Version != "4.18.19" || p.QQ.Version != "3.2.30-50969" {
		t.Fatalf("installed %+v", p)
	}
	seen := map[EventKind]int{}
	for _, e := range events {
		seen[e.Kind]++
		if e.Time.IsZero() {
			t.Errorf("event without a time: %+v", e)
		}
	}
	for _, k := range []EventKind{EventPlan, EventMirror, EventDownload, EventVerified, EventUnpack, EventReleased, EventSwitched} {
		if seen[k] == 0 {
			t.Errorf("no event %s", k)
		}
	}
	// The digests that nobody else knew are pinned now.
	var l digestLock
	if err := json.Unmarshal(read(t, s.digestLockPath()), &l); err != nil {
		t.Fatal(err)
	}
	if got := l.Packages["qq/qq.deb"].SHA256; got != sha(w.files["/qq.deb"]) {
		t.Errorf("locked %q", got)
	}
	// A second install of the same asks for nothing.
	w.asked = nil
	again, err := s.Install(t.Context(), w.request(), nil)
	if err != nil || !again.Same(p) {
		t.Errorf("again %+v, %v", again, err)
	}
	if len(w.asked) > 0 {
		t.Errorf("asked again for %v", w.asked)
	}
	// Removed and installed again, it comes out of the download folder.
	if err := os.RemoveAll(p.QQ.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Current(); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Current of a broken install: %v", err)
	}
	if again, err = s.Install(t.Context(), w.request(), nil); err != nil || len(w.asked) > 0 {
		t.Errorf("mended by asking %v: %+v %v", w.asked, again, err)
	}
}

func TestDigestOrder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(*world, *Request, *Store)
		want  string // part of the error, empty: installed
	}{
		{"mirror without any digest", func(w *world, _ *Request, _ *Store) { w.mirrorEverything(true) }, "no_digest"},
		{"mirror, insecure", func(w *world, r *Request, _ *Store) { w.mirrorEverything(true); r.Insecure = true }, ""},
		{"mirror with the request's digest", func(w *world, r *Request, _ *Store) {
			r.NapCat.SHA256 = strings.ToUpper(sha(w.files["/v4.18.19/NapCat.Shell.zip"]))
			w.mirrored["/v4.18.19/NapCat.Shell.zip"] = w.files["/v4.18.19/NapCat.Shell.zip"]
			delete(w.files, "/v4.18.19/NapCat.Shell.zip")
		}, ""},
		{"mirror with the catalogue's digest", func(w *world, _ *Request, _ *Store) {
			w.cat.NapCat[0].SHA256 = sha(w.files["/v4.18.19/NapCat.Shell.zip"])
			w.mirrored["/v4.18.19/NapCat.Shell.zip"] = w.files["/v4.18.19/NapCat.Shell.zip"]
			delete(w.files, "/v4.18.19/NapCat.Shell.zip")
		}, ""},
		{"mirror with GitHub's digest", func(w *world, _ *Request, _ *Store) {
			w.digests["4.18.19"] = sha(w.files["/v4.18.19/NapCat.Shell.zip"])
			w.mirrored["/v4.18.19/NapCat.Shell.zip"] = w.files["/v4.18.19/NapCat.Shell.zip"]
		}, ""},
		{"the request's digest is wrong", func(w *world, r *Request, _ *Store) { r.NapCat.SHA256 = strings.Repeat("0", 64) }, "wrong_digest"},
		{"the request's digest is none", func(w *world, r *Request, _ *Store) { r.NapCat.SHA256 = "abc" }, "no SHA-256"},
		{"the catalogue's digest is wrong", func(w *world, _ *Request, _ *Store) { w.cat.QQ[0].Packages[0].SHA256 = strings.Repeat("1", 64) }, "the catalogue says"},
		{"GitHub's digest is another", func(w *world, _ *Request, _ *Store) { w.digests["4.18.19"] = strings.Repeat("2", 64) }, "GitHub says"},
		{"the locked digest is another", func(w *world, _ *Request, s *Store) {
			if err := s.makeHome(); err != nil {
				t.Fatal(err)
			}
			writeTemp(t, s.digestLockPath(), []byte(`{"schema":1,"packages":{"qq/qq.deb":{"sha256":"`+strings.Repeat("3", 64)+`"}}}`))
		}, "ncatd.lock says"},
		{"the request's digest comes before the lock's", func(w *world, r *Request, s *Store) {
			if err := s.makeHome(); err != nil {
				t.Fatal(err)
			}
			writeTemp(t, s.digestLockPath(), []byte(`{"schema":1,"packages":{"qq/qq.deb":{"sha256":"`+strings.Repeat("3", 64)+`"}}}`))
			r.QQ.SHA256 = sha(w.files["/qq.deb"])
		}, ""},
		{"a source of the user's own over http", func(w *world, r *Request, _ *Store) {
			w.mirrorEverything(false)
			r.QQ.Source = w.mirror.URL + "/" + w.publisher.URL + "/qq.deb"
		}, "no_digest"},
		{"a source of the user's own over https", func(w *world, r *Request, _ *Store) {
			w.files["/my/3.2.30-50969/qq.deb"] = w.files["/qq.deb"]
			r.QQ.Version, r.QQ.Source = "3.2.30-50969", w.publisher.URL+"/my/{version}/qq.deb"
		}, ""},
		{"a dead link", func(w *world, _ *Request, _ *Store) { delete(w.files, "/qq.deb") }, "404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := openTemp(t)
			r := w.request()
			tt.setup(w, &r, s)
			p, err := s.Install(t.Context(), r, nil)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "" && p.QQExe == "":
				t.Errorf("installed %+v", p)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
			if tt.want != "" {
				if _, err := s.Current(); !errors.Is(err, ErrNotInstalled) {
					t.Errorf("something is current after a failed install: %v", err)
				}
				if left, _ := filepath.Glob(filepath.Join(s.releases(), stagingPrefix+"*")); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			}
		})
	}
}

// An insecure digest is not remembered as a good one.
func TestInsecureIsNotLocked(t *testing.T) {
	w := newWorld(t)
	s := openTemp(t)
	w.mirrorEverything(true)
	r := w.request()
	r.Insecure = true
	if _, err := s.Install(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	if l, err := s.readDigestLock(); err != nil || len(l.Packages) > 0 {
		t.Errorf("locked %+v, %v", l, err)
	}
}

func TestPlan(t *testing.T) {
	w := newWorld(t)
	s := openTemp(t)
	p, err := s.Plan(t.Context(), w.request())
	if err != nil {
		t.Fatal(err)
	}
	if p.NapCat.Version != "4.18.19" || p.NapCat.Size != int64(len(w.files["/v4.18.19/NapCat.Shell.zip"])) || p.NapCat.Present || p.QQ.Size == 0 {
		t.Errorf("plan %+v", p)
	}
	if _, err := s.Install(t.Context(), w.request(), nil); err != nil {
		t.Fatal(err)
	}
	if p, err = s.Plan(t.Context(), w.request()); err != nil || !p.NapCat.Present || !p.QQ.Present {
		t.Errorf("plan after the install %+v, %v", p, err)
	}
}

func TestRefreshCatalogue(t *testing.T) {
	s := openTemp(t)
	own, err := s.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	newer := *own
	newer.Updated = "2999-01-01"
	newer.NapCat = append([]catalogue.NapCat{{Version: "9.0.0", QQ: []string{"3.2.30-50969"}}}, own.NapCat...)
	b, err := json.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }))
	defer srv.Close()
	plain := httptest.NewServer(srv.Config.Handler)
	defer plain.Close()
	if _, err := s.RefreshCatalogue(t.Context(), plain.URL, nil); err == nil {
		t.Error("a catalogue was taken over plain http")
	}
	if _, err := s.RefreshCatalogue(t.Context(), srv.URL, srv.Client().Transport); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Catalogue(); err != nil || c.NapCat[0].Version != "9.0.0" {
		t.Errorf("catalogue after the refresh: %v", err)
	}
}

// TestTakeCatalogue: a catalogue that travels is never replaced by an older one.
func TestTakeCatalogue(t *testing.T) {
	s := openTemp(t)
	own, err := s.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	take := func(updated string) bool {
		t.Helper()
		c := *own
		c.Updated = updated
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		_, took, err := s.TakeCatalogue(b)
		if err != nil {
			t.Fatal(err)
		}
		return took
	}
	if _, copied := s.CatalogueFrom(); copied || take("2000-01-01") {
		t.Error("one older than the built-in one was taken")
	}
	if !take("2999-02-01") || take("2999-01-01") || !take("2999-02-01") {
		t.Error("an older one was taken, or a newer one was not")
	}
	if path, copied := s.CatalogueFrom(); !copied || path == "" {
		t.Error("it does not say that the copy is in use")
	}
	if _, _, err := s.TakeCatalogue([]byte("<html>")); err == nil {
		t.Error("a page was taken")
	}
}
