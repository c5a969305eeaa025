package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
)

// browser is one that was let in.
func (r *running) browser(t *testing.T, role api.Role) (cookie *http.Cookie, id string) {
	t.Helper()
	l, err := r.client.ConsoleLink(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(l.URL)
	if err != nil || !strings.HasPrefix(u.Fragment, "k=") || u.RawQuery != "" {
		t.Fatalf("the link is %s (%v)", l.URL, err)
	}
	req, err := http.NewRequest("POST", r.tcp+"/v0/console/login", strings.NewReader(fmt.Sprintf(`{"secret":%q}`, u.Fragment[2:])))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", r.tcp)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		t.Fatalf("%d without a cookie", resp.StatusCode)
	}
	list := r.console.Sessions()
	return resp.Cookies()[0], list[len(list)-1].ID
}

func TestCookieIsForItsOriginOnly(t *testing.T) {
	r := serve(t, true)
	c, _ := r.browser(t, api.RoleOwner)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
		t.Errorf("the cookie is %s", c)
	}
}

// A browser in use keeps its cookie: it would end 30 days after the login.
func TestCookieLastsAsLongAsItsSession(t *testing.T) {
	r := serve(t, true)
	owner, _ := r.browser(t, api.RoleOwner)
	me := func(c *http.Cookie) []*http.Cookie {
		q, err := http.NewRequest("GET", r.tcp+"/v0/console/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.AddCookie(c)
		resp, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.Cookies()
	}
	got := me(owner)
	if len(got) != 1 || got[0].Value != owner.Value || got[0].MaxAge != owner.MaxAge || !got[0].HttpOnly || got[0].SameSite != http.SameSiteStrictMode {
		t.Errorf("a page that begins keeps the cookie %v", got)
	}
	if got := me(&http.Cookie{Name: owner.Name, Value: "x"}); len(got) != 0 {
		t.Errorf("a stranger gets %v", got)
	}
}

// attack is a request that must not be served, and by which answer it is
// refused.
type attack struct {
	name   string
	edit   func(q *http.Request)
	status []int
}

// TestAttacks tries each attack on every route of the API. None may reach the
// daemon.
func TestAttacks(t *testing.T) {
	r := serve(t, true)
	owner, _ := r.browser(t, api.RoleOwner)
	stolen, id := r.browser(t, api.RoleOwner)
	if err := r.console.Revoke(id); err != nil {
		t.Fatal(err)
	}
	as := func(c *http.Cookie, set ...string) func(*http.Request) {
		return func(q *http.Request) {
			q.Header.Del("Authorization")
			q.AddCookie(c)
			for i := 0; i < len(set); i += 2 {
				q.Header.Set(set[i], set[i+1])
			}
		}
	}
	port := r.tcp[strings.LastIndex(r.tcp, ":"):]
	attacks := []attack{
		{"nobody", func(q *http.Request) { q.Header.Del("Authorization") }, []int{401}},
		{"a made-up cookie", as(&http.Cookie{Name: owner.Name, Value: "x"}), []int{401}},
		{"the cookie by another name", as(&http.Cookie{Name: "session", Value: owner.Value}), []int{401}},
		{"the cookie as a token", func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+owner.Value) }, []int{401}},
		{"a stolen cookie after revocation", as(stolen), []int{401}},
		{"a page of another site", as(owner, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), []int{403}},
		{"an old browser on another site", as(owner, "Origin", "https://evil.example"), []int{403}},
		{"a form of another site", as(owner, "Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded"), []int{403}},
		{"a sandboxed frame", as(owner, "Origin", "null"), []int{403}},
		{"another port of this host", as(owner, "Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"), []int{403}},
		{"a picture on another port", as(owner, "Sec-Fetch-Site", "same-site"), []int{401, 403}},
		{"rebinding", func(q *http.Request) { as(owner)(q); q.Host = "evil.example" + port }, []int{403}},
		{"rebinding as its own origin", func(q *http.Request) {
			as(owner, "Origin", "http://evil.example"+port, "Sec-Fetch-Site", "same-origin")(q)
			q.Host = "evil.example" + port
		}, []int{403}},
		{"a forged proxy", as(&http.Cookie{Name: owner.Name, Value: "x"}, "X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "127.0.0.1"), []int{401}},
	}
	for _, rt := range every() {
		if openPath(rt.Path) {
			continue // one word for an orchestrator
		}
		for _, a := range attacks {
			asked := len(r.backend.asked)
			status, _, body := r.get(t, rt.Method, pathOf(rt), `{}`, a.edit)
			ok := false
			for _, want := range a.status {
				// Whoever has no secret and no password gets no further at the door itself.
				ok = ok || status == want || rt.access == forOpen && (status == 401 || status == 403 || status == 429)
			}
			if !ok || strings.Contains(body, "10001") || len(r.backend.asked) != asked {
				t.Errorf("%s on %s %s: %d %.80s", a.name, rt.Method, rt.Path, status, body)
			}
		}
	}
	if _, ok := r.console.Session(owner.Value); !ok {
		t.Error("an attack ended the session")
	}
}

// every are all routes that a server has, those that another host answers too.
func every() []route {
	all := handlers()
	for path := range (&Server{}).handedOn() {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			all = append(all, route{Method: method, Path: path, access: forOwner})
		}
	}
	return all
}

func pathOf(rt route) string {
	return strings.NewReplacer("{name}", "main", "{id}", "demo", "{host}", "other", "{rest...}", "v0/stop").Replace(rt.Path)
}

// TestEveryRouteIsAttacked: what the server registers is what the tests of attacks
// go through.
func TestEveryRouteIsAttacked(t *testing.T) {
	r := serve(t, true)
	s, err := New(Options{Backend: r.backend, Hub: r.hub, Log: slog.New(slog.DiscardHandler), Socket: r.socket, Console: r.console, Listen: "x", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"/": true} // that there is no such path
	for _, rt := range every() {
		known[rt.Path], known[rt.Method+" "+rt.Path] = true, true
	}
	n := 0
	s.register(func(pattern string, _ func(http.ResponseWriter, *http.Request)) {
		n++
		if !known[pattern] {
			t.Errorf("%s is attacked by no test", pattern)
		}
	})
	if n < len(handlers()) {
		t.Errorf("only %d patterns are registered", n)
	}
}

// TestViewers tries every route with a viewer's cookie: none may change
// anything or show a secret.
func TestViewers(t *testing.T) {
	r := serve(t, true)
	viewer, _ := r.browser(t, api.RoleViewer)
	edit := func(q *http.Request) { q.Header.Del("Authorization"); q.AddCookie(viewer) }
	open := map[string]bool{"POST /v0/console/login": true, "POST /v0/console/logout": true}
	for _, rt := range every() {
		if rt.stream || openPath(rt.Path) || open[rt.Method+" "+rt.Path] {
			continue
		}
		status, _, body := r.get(t, rt.Method, pathOf(rt), `{}`, edit)
		want := 200
		if rt.Method != "GET" || rt.access == forOwner {
			want = 403
		}
		if status != want {
			t.Errorf("%s %s: %d, want %d", rt.Method, rt.Path, status, want)
		}
		if strings.Contains(body, "txz.qq.com") || strings.Contains(body, "token: secret") {
			t.Errorf("%s %s shows a secret: %.200s", rt.Method, rt.Path, body)
		}
	}
	for _, must := range []string{"/v0/config", "/v0/console/sessions", "/v0/accounts/{name}/login/qr.png", "/v0/doctor"} {
		if rt := handlerOf(must, "GET"); rt.access != forOwner {
			t.Errorf("%s is for everybody", must)
		}
	}
	line := r.firstLine(t, "/v0/watch", viewer)
	if strings.Contains(line, "txz.qq.com") || !strings.Contains(line, `"seq":1`) {
		t.Errorf("the stream begins %s", line)
	}
	owner, _ := r.browser(t, api.RoleOwner)
	if line := r.firstLine(t, "/v0/watch", owner); !strings.Contains(line, "txz.qq.com") {
		t.Errorf("an owner does not see the code: %s", line)
	}
}

// TestViewersSeeNoCodeInLogs: NapCat prints the code of a login, and whoever reads
// it logs in.
func TestViewersSeeNoCodeInLogs(t *testing.T) {
	r := serve(t, true)
	const code = "二维码解码URL: https://txz.qq.com/p?k=abc"
	dir := filepath.Dir(filepath.Dir(r.socket))
	for path, line := range map[string]string{
		"accounts/main/napcat.log": "11-28 18:20:27 [info] login\n" + code + "\n",
		"logs/ncatd.log":           `time=2026-11-28T18:20:27Z level=INFO msg=started` + "\n",
	} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(line), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for role, sees := range map[api.Role]bool{api.RoleOwner: true, api.RoleViewer: false} {
		cookie, _ := r.browser(t, role)
		for _, path := range []string{"/v0/logs", "/v0/logs?account=main&level=debug&lines=0"} {
			_, _, body := r.get(t, "GET", path, "", func(q *http.Request) { q.Header.Del("Authorization"); q.AddCookie(cookie) })
			if strings.Contains(body, "txz.qq.com") != sees {
				t.Errorf("%s, %s: %s", role, path, body)
			}
			if path == "/v0/logs" && !strings.Contains(body, "started") {
				t.Errorf("%s sees nothing of ncatd: %s", role, body)
			}
		}
	}
}

func (r *running) firstLine(t *testing.T, path string, c *http.Cookie) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp := r.stream(t, ctx, path, c)
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (r *running) stream(t *testing.T, ctx context.Context, path string, c *http.Cookie) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", r.tcp+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(c)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestRevocationEndsStreams: what a stolen cookie had opened does not go on.
func TestRevocationEndsStreams(t *testing.T) {
	r := serve(t, true)
	c, id := r.browser(t, api.RoleOwner)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp := r.stream(t, ctx, "/v0/watch", c)
	defer resp.Body.Close()
	rest := bufio.NewReader(resp.Body)
	if _, err := rest.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := r.client.ConsoleRevoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(rest); err != nil || ctx.Err() != nil {
		t.Errorf("the stream goes on: %v", err)
	}
}

func TestOldLinks(t *testing.T) {
	r := serve(t, true)
	l, err := r.client.ConsoleLink(t.Context(), api.RoleOwner)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(l.URL, "#k=")
	anonymous := func(q *http.Request) { q.Header.Del("Authorization") }
	for _, want := range []int{200, 401, 401} {
		if status, _, body := r.get(t, "POST", "/v0/console/login", fmt.Sprintf(`{"secret":%q}`, secret), anonymous); status != want {
			t.Errorf("%d %s, want %d", status, body, want)
		}
	}
	for range 20 {
		r.get(t, "POST", "/v0/console/login", `{"secret":"x"}`, anonymous)
	}
	if status, code, _ := r.get(t, "POST", "/v0/console/login", `{"secret":"x"}`, anonymous); status != 429 || code != CodeTooMany {
		t.Errorf("guessing goes on: %d", status)
	}
}

// TestPagesNeedNoToken: the pages hold nothing, and nothing else is open.
func TestPagesNeedNoToken(t *testing.T) {
	r := serve(t, true)
	for p, want := range map[string]int{"/": 200, "/console/app.js": 200, "/console/": 404, "/console/nosuch": 404, "/nosuch": 401, "/v0": 401, "/v0/": 401, "/console/../v0/status": 404, "//v0/status": 401} {
		if status, _, body := r.get(t, "GET", p, "", func(q *http.Request) { q.Header.Del("Authorization") }); status != want {
			t.Errorf("%s: %d %.60s, want %d", p, status, body, want)
		}
	}
}

// TestWhereBrowsersAreServed: a cookie crosses no network in the clear.
func TestWhereBrowsersAreServed(t *testing.T) {
	r := serve(t, true)
	s, err := New(Options{Backend: r.backend, Hub: r.hub, Socket: r.socket, Console: r.console, Listen: "x", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		e       entrance
		proxies string
		want    bool
	}{
		{entrance{host: "127.0.0.1"}, "", true},
		{entrance{host: "::1"}, "", true},
		{entrance{host: "0.0.0.0", wide: true}, "", false},
		{entrance{host: "192.0.2.1"}, "", false},
		{entrance{host: "192.0.2.1", tls: true}, "", true},
		{entrance{host: "192.0.2.1"}, "192.0.2.7/32", true},
	} {
		s.o.Proxies = nil
		if tt.proxies != "" {
			s.o.Proxies = []netip.Prefix{netip.MustParsePrefix(tt.proxies)}
		}
		if got := s.browsers(tt.e); got != tt.want {
			t.Errorf("%+v behind %q: %v", tt.e, tt.proxies, got)
		}
	}
}

// TestProxies: only the named ones are believed.
func TestProxies(t *testing.T) {
	s := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}}}
	for _, tt := range []struct {
		peer, forwarded, proto string
		from                   string
		secure, trusted        bool
	}{
		{"192.0.2.7:1", "203.0.113.9", "https", "203.0.113.9", true, true},
		{"192.0.2.7:1", "127.0.0.1, 203.0.113.9", "https", "203.0.113.9", true, true},
		{"192.0.2.7:1", "203.0.113.9, 192.0.2.3", "http", "203.0.113.9", false, true},
		{"192.0.2.7:1", "nonsense", "", "192.0.2.7", false, true},
		{"203.0.113.9:1", "192.0.2.7", "https", "203.0.113.9", false, false},
		{"127.0.0.1:1", "", "", "127.0.0.1", false, true},
		{"127.0.0.1:1", "192.0.2.7", "https", "127.0.0.1", false, false},
	} {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = tt.peer
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		who, trusted := s.origin(r, entrance{})
		if trusted != tt.trusted || trusted && (who.from != tt.from || who.secure != tt.secure) {
			t.Errorf("%+v: %+v, %v", tt, who, trusted)
		}
	}
}

// TestConsoleOpensByItself: without an address in the config a link opens a
// loopback port, and the next run opens it again for who was let in.
func TestConsoleOpensByItself(t *testing.T) {
	r := serve(t, false)
	l, err := r.client.ConsoleLink(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !l.Loopback || l.Role != api.RoleOwner {
		t.Errorf("%+v", l)
	}
	base, secret, _ := strings.Cut(l.URL, "/#k=")
	r.tcp = base
	if status, _, body := r.get(t, "POST", "/v0/console/login", fmt.Sprintf(`{"secret":%q}`, secret), func(q *http.Request) { q.Header.Del("Authorization") }); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := "http://" + r.console.Listen(); got != base {
		t.Errorf("remembered is %s, not %s", got, base)
	}
	if status, _, _ := r.get(t, "GET", "/v0/status", "", func(q *http.Request) { q.Header.Set("Authorization", "Bearer ") }); status != 401 {
		t.Errorf("an empty token answers %d", status)
	}
}
