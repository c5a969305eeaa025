package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/cli/text"
	"github.com/ncatd/ncatd/internal/control/api"
)

func open(t *testing.T, dir string) *Console {
	t.Helper()
	c, err := New(Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func enter(t *testing.T, c *Console, role api.Role) (string, api.ConsoleSession) {
	t.Helper()
	secret, _ := c.Link(role)
	cookie, s, err := c.Enter(secret, "127.0.0.1", "browser")
	if err != nil {
		t.Fatal(err)
	}
	return cookie, s
}

func TestLinkWorksOnceWithinTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, t.TempDir())
		secret, expires := c.Link(api.RoleViewer)
		if time.Until(expires) != LinkLifetime {
			t.Fatal(expires)
		}
		cookie, s, err := c.Enter(secret, "::1", "b")
		if err != nil || s.Role != api.RoleViewer {
			t.Fatalf("%+v, %v", s, err)
		}
		if got, ok := c.Session(cookie); !ok || got.ID != s.ID {
			t.Error("the session is not known")
		}
		if _, _, err := c.Enter(secret, "::1", "b"); !errors.Is(err, ErrBadSecret) {
			t.Errorf("a second time: %v", err)
		}
		late, _ := c.Link(api.RoleOwner)
		time.Sleep(LinkLifetime)
		if _, _, err := c.Enter(late, "::1", "b"); !errors.Is(err, ErrBadSecret) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, t.TempDir())
		used, _ := enter(t, c, api.RoleOwner)
		unused, _ := enter(t, c, api.RoleOwner)
		for range 30 {
			time.Sleep(24 * time.Hour)
			if _, ok := c.Session(used); !ok {
				t.Fatal("a session ended that is used every day")
			}
		}
		if _, ok := c.Session(unused); ok {
			t.Error("a session lasts that nobody used for 30 days")
		}
		if n := len(c.Sessions()); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestRevoke(t *testing.T) {
	c := open(t, t.TempDir())
	cookie, s := enter(t, c, api.RoleOwner)
	other, _ := enter(t, c, api.RoleOwner)
	pending, _ := c.Link(api.RoleOwner)
	ended := 0
	defer c.WhenRevoked(s.ID, func() { ended++ })()
	if err := c.Revoke(s.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Session(cookie); ok || ended != 1 {
		t.Errorf("still known, or its stream goes on (%d)", ended)
	}
	if _, ok := c.Session(other); !ok {
		t.Error("the other ended too")
	}
	if err := c.Revoke("nosuch"); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
	if err := c.Revoke("all"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Enter(pending, "", ""); !errors.Is(err, ErrBadSecret) {
		t.Errorf("a link outlived the revocation of all: %v", err)
	}
}

// Where nothing can be written, people are let in until ncatd ends.
func TestAFullDiskLetsIn(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	first, _ := enter(t, c, api.RoleOwner)
	// A folder in the file's place: nothing can be written there, by root neither.
	path := filepath.Join(dir, "sessions.json")
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	second, _ := enter(t, c, api.RoleViewer)
	for _, cookie := range []string{first, second} {
		if _, ok := c.Session(cookie); !ok {
			t.Error("a session is not known")
		}
	}
	if err := c.Revoke("all"); err == nil {
		t.Error("that a revocation is not written down is not told")
	}
}

// TestFileHoldsNoSecret restarts the console and looks at what it left.
func TestFileHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	cookie, s := enter(t, c, api.RoleViewer)
	secret, _ := c.Link(api.RoleOwner)
	const password = "correct horse battery"
	if err := c.SetPassword(password); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sessions.json")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{cookie, secret, password} {
		if strings.Contains(string(b), x) {
			t.Errorf("%q stands in the file", x)
		}
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v", fi.Mode())
	}
	again := open(t, dir)
	if got, ok := again.Session(cookie); !ok || got.ID != s.ID || got.Role != api.RoleViewer {
		t.Error("the session did not survive a restart")
	}
	if _, _, err := again.Enter(secret, "", ""); err != nil {
		t.Errorf("the link did not survive a restart: %v", err)
	}
	if _, _, err := again.EnterPassword(password, "", ""); err != nil {
		t.Error(err)
	}
}

func TestDamagedFileLetsNobodyIn(t *testing.T) {
	dir := t.TempDir()
	cookie, _ := enter(t, open(t, dir), api.RoleOwner)
	for _, damage := range []string{"", "{", "\x00\x00\x00", `{"sessions": 5}`, strings.Repeat("x", maxState+1)} {
		if err := os.WriteFile(filepath.Join(dir, "sessions.json"), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir)
		if _, ok := c.Session(cookie); ok {
			t.Errorf("%.10q: let in", damage)
		}
		if _, s := enter(t, c, api.RoleOwner); s.ID == "" {
			t.Errorf("%.10q: nobody can be let in any more", damage)
		}
	}
}

func TestPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, t.TempDir())
		if _, _, err := c.EnterPassword("", "a", ""); !errors.Is(err, ErrNoPassword) {
			t.Errorf("without one: %v", err)
		}
		if err := c.SetPassword("123456789"); !errors.Is(err, ErrShort) {
			t.Error(err)
		}
		if err := c.SetPassword(strings.Repeat("x", MaxPassword+1)); !errors.Is(err, ErrLong) {
			t.Error(err)
		}
		if err := c.SetPassword("密码要有十个字符才行啊"); err != nil || !c.HasPassword() {
			t.Fatal(err)
		}
		if !strings.HasPrefix(c.state.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Error(c.state.Password)
		}
		_, s, err := c.EnterPassword("密码要有十个字符才行啊", "b", "")
		if err != nil || s.Role != api.RoleOwner {
			t.Errorf("%+v, %v", s, err)
		}
		refused := 0
		for i := range 20 {
			switch _, _, err := c.EnterPassword(fmt.Sprint("wrong password ", i), "c", ""); {
			case errors.Is(err, ErrTooOften):
				refused++
			case !errors.Is(err, ErrBadPassword):
				t.Fatal(err)
			}
		}
		if refused != 20-triesEach {
			t.Errorf("%d of 20 tries were too many", refused)
		}
		if _, _, err := c.EnterPassword("密码要有十个字符才行啊", "d", ""); err != nil {
			t.Errorf("another address is locked out: %v", err)
		}
		time.Sleep(triesPeriod)
		if _, _, err := c.EnterPassword("密码要有十个字符才行啊", "c", ""); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		if err := c.SetPassword(""); err != nil || c.HasPassword() {
			t.Error("the password stays")
		}
	})
}

func TestVerifyRefusesNonsense(t *testing.T) {
	for _, kept := range []string{"", "$", "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA", "$argon2id$v=19$m=1,t=0,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1,p=1$!$AAAA"} {
		if verify(kept, "x") {
			t.Errorf("%q lets in", kept)
		}
	}
}

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	c, err := Certificate(dir, []string{"bot.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"localhost", "127.0.0.1", "bot.example.com"} {
		if err := c.Leaf.VerifyHostname(n); err != nil {
			t.Error(err)
		}
	}
	if fi, err := os.Stat(filepath.Join(dir, "tls.key")); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the key: %v", err)
	}
	again, err := Certificate(dir, []string{"bot.example.com"})
	if err != nil || Fingerprint(again) != Fingerprint(c) {
		t.Errorf("it is made anew each time: %v", err)
	}
	if len(Fingerprint(c)) != 32*3-1 {
		t.Error(Fingerprint(c))
	}
	other, err := Certificate(dir, []string{"other.example.com"})
	if err != nil || other.Leaf.VerifyHostname("other.example.com") != nil {
		t.Errorf("a new name is not in it: %v", err)
	}
	if fits(c.Leaf, nil, time.Now().Add(certLifetime-CertRenew)) {
		t.Error("it is used until it ends")
	}
}

// TestPages asks for every file as a browser does.
func TestPages(t *testing.T) {
	h := Pages()
	get := func(p, tag string) *http.Response {
		r := httptest.NewRequest("GET", p, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	for _, p := range []string{"/", "/console/app.js", "/console/style.css", "/console/texts.zh.json", "/console/vendor/uPlot.esm.js", "/console/icon.svg"} {
		a := get(p, "")
		csp := a.Header.Get("Content-Security-Policy")
		if a.StatusCode != 200 || a.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") ||
			a.Header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(a.Header.Get("Content-Type"), "octet") {
			t.Errorf("%s: %d %v", p, a.StatusCode, a.Header)
		}
		if b := get(p, a.Header.Get("ETag")); b.StatusCode != 304 {
			t.Errorf("%s is sent again: %d", p, b.StatusCode)
		}
	}
	for _, p := range []string{"/console/", "/console/../console.go", "/console/nosuch.js", "/console/static/app.js"} {
		if a := get(p, ""); a.StatusCode != 404 {
			t.Errorf("%s: %d", p, a.StatusCode)
		}
	}
}

// scripts returns the pages' own scripts.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := fs.Glob(files, "static/*.js")
	if err != nil || len(list) < 8 {
		t.Fatal(list, err)
	}
	for _, p := range list {
		b, err := files.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[path.Base(p)] = string(b)
	}
	return out
}

// TestPagesHaveTheirTexts holds that every text the pages ask for is in the
// catalogue, in both languages with the same arguments, and no other.
func TestPagesHaveTheirTexts(t *testing.T) {
	en, zh := text.Texts(text.English, "console."), text.Texts(text.Chinese, "console.")
	verbs := regexp.MustCompile(`%[a-z]`)
	code := regexp.MustCompile(`'(console\.[a-z_]+)'(\s*\+)?`)
	var words, heads []string
	for name, src := range scripts(t) {
		for _, m := range code.FindAllStringSubmatch(src, -1) {
			if m[2] != "" || strings.HasSuffix(m[1], "_") {
				heads = append(heads, m[1])
				continue
			}
			words = append(words, m[1])
			if _, ok := en[m[1]]; !ok {
				t.Errorf("%s: no text %s", name, m[1])
			}
		}
	}
	for c := range en {
		if !slices.Contains(words, c) && !slices.ContainsFunc(heads, func(h string) bool { return strings.HasPrefix(c, h) && h != "console." }) && !slices.Contains(plotted, c) {
			t.Errorf("no page uses %s", c)
		}
		if len(verbs.FindAllString(en[c], -1)) != len(verbs.FindAllString(zh[c], -1)) {
			t.Errorf("%s takes other arguments in Chinese", c)
		}
	}
}

// plotted are the texts that plots.js asks for by the name of a plot.
var plotted = []string{"console.memory", "console.cpu", "console.events", "console.calls", "console.latency", "console.restarts"}

// TestNothingBecomesMarkup forbids what could turn a text into markup or code,
// and whatever reaches for another origin.
func TestNothingBecomesMarkup(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|eval\(|new Function|DOMParser|createContextualFragment|srcdoc|https?://[a-z]`)
	for name, src := range scripts(t) {
		if m := bad.FindString(src); m != "" {
			t.Errorf("%s has %s", name, m)
		}
	}
	page, err := files.ReadFile("static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`<script>| on[a-z]+=| style=|https?://`).FindString(string(page)); m != "" {
		t.Errorf("index.html has %s", m)
	}
}

// TestVendored holds that the files of others are those that were published.
func TestVendored(t *testing.T) {
	b, err := os.ReadFile("vendored.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ File, Package, Path, Licence, SHA256, Integrity string }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, v := range list {
		sum := sha256.Sum256(embedded("static/vendor/" + v.File))
		if hex.EncodeToString(sum[:]) != v.SHA256 {
			t.Errorf("%s is not the one of %s", v.File, v.Package)
		}
		if d, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v.Integrity, "sha512-")); err != nil || len(d) != 64 {
			t.Errorf("%s: the digest of its package is %q", v.File, v.Integrity)
		}
		if v.Licence != "MIT" && v.Licence != "Apache-2.0" {
			t.Errorf("%s: licence %q", v.File, v.Licence)
		}
		named[v.File] = true
	}
	all, err := fs.ReadDir(files, "static/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if !named[e.Name()] {
			t.Errorf("nobody says where %s is from", e.Name())
		}
	}
}

// TestIdleCost has every file asked for and every browser let in, and looks at
// what stays: memory, and nothing that runs.
func TestIdleCost(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	c, h := open(t, t.TempDir()), Pages()
	for range maxSessions {
		enter(t, c, api.RoleOwner)
	}
	_ = fs.WalkDir(files, "static", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/console/"+strings.TrimPrefix(p, "static/"), nil))
		}
		return err
	}) // an embedded tree is read without errors
	after := heap()
	kept := int64(after) - int64(before)
	t.Logf("kept: %d KiB", kept>>10)
	if kept > 1<<20 {
		t.Errorf("%d bytes stay", kept)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines go on", n-goroutines)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(h)
}
