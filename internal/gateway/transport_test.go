package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

func TestHTTPAndStreams(t *testing.T) {
	s := newStage(t, nil)
	get := func(method, path, body string) string {
		req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer secret-secret-secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	s.up.reply = func(_ string, p []byte) (string, int) { return string(p), 0 }
	if got := get("GET", "/get_msg?message_id=5", ""); !strings.Contains(got, `"data":{"message_id":"5"}`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg?x=1", `{"message_id": 5, "x":2}`); !strings.Contains(got, `"x":"1"`) || !strings.Contains(got, `"message_id":5`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg", `{"big": 12345678901234567890}`); !strings.Contains(got, `12345678901234567890`) {
		t.Error(got)
	}
	if got := get("POST", "/get_msg", `{`); !strings.Contains(got, "Invalid JSON") {
		t.Error(got)
	}
	if got := get("POST", "/set_group_kick", `{}`); !strings.Contains(got, `"retcode":1460`) {
		t.Error(got)
	}
	if got := get("GET", "/test_download_stream", ""); strings.Count(got, "\r\n\r\n") != 4 || strings.Count(got, `"stream-action"`) != 4 {
		t.Error(got)
	}
	c := s.dial("/api")
	c.write(`{"action":"test_download_stream","echo":{"a":1}}`)
	for range 4 {
		if got := c.read(); !strings.Contains(got, `"echo":{"a":1},"stream":"stream-action"`) {
			t.Error(got)
		}
	}
}

func TestReverse(t *testing.T) {
	type conn struct {
		h  http.Header
		ws *websocket.Conn
	}
	came := make(chan conn, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		came <- conn{r.Header, ws}
		<-t.Context().Done()
	}))
	t.Cleanup(srv.CloseClientConnections)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Reverse = Reverse{URL: "ws" + srv.URL[4:] + "/ws", Interval: time.Second}
	})
	one := <-came
	if one.h.Get("X-Self-ID") != "10001" || one.h.Get("X-Client-Role") != "Universal" || one.h.Get("Authorization") != "Bearer secret-secret-secret" || one.h.Get("User-Agent") != "OneBot/11" {
		t.Errorf("%v", one.h)
	}
	c := &client{t, one.ws}
	one.ws.SetReadLimit(1 << 24)
	if b := c.read(); !strings.Contains(b, "lifecycle") {
		t.Error(b)
	}
	if raw := s.say(strings.Repeat("z", 70000)); c.event() != raw {
		t.Error("the event changed")
	}
	if got := c.call(`{"action":"get_status","echo":[1]}`); !strings.Contains(got, `"echo":[1]`) {
		t.Error(got)
	}
	c.reads(func(string) {})
	s.got()
	_ = one.ws.CloseNow()
	s.links(0)
	missed := s.say("missed")
	two := <-came
	c = &client{t, two.ws}
	if got := c.event(); got != marked2(missed) {
		t.Error(got)
	}
}

func TestWebhook(t *testing.T) {
	type post struct{ body, sum, self string }
	posts := make(chan post, 64)
	var fail sync.Map
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if tried, down := fail.Load("down"); down {
			tried.(chan bool) <- true
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		posts <- post{string(b), r.Header.Get("X-Signature"), r.Header.Get("X-Self-ID")}
		switch {
		case strings.Contains(string(b), "answer me"):
			_, _ = io.WriteString(w, `{"reply":"yes"}`)
		case strings.Contains(string(b), "approve me"):
			_, _ = io.WriteString(w, `{"approve":true}`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Webhook = Webhook{URL: srv.URL, Timeout: time.Second}
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	raw := s.say("answer me")
	p := <-posts
	if p.body != raw || p.self != "10001" || !strings.HasPrefix(p.sum, "sha1=") || len(p.sum) != 45 {
		t.Errorf("%+v", p)
	}
	await.True(t, 5*time.Second, "the quick operation", func() bool { return len(s.up.asked()) == 1 })
	if got := s.up.asked()[0] + s.up.params[0]; got != `.handle_quick_operation{"context":`+raw+`,"operation":{"reply":"yes"}}` {
		t.Error(got)
	}
	tried := make(chan bool, 64)
	fail.Store("down", tried)
	down := []string{s.say("one"), s.say("two approve me")}
	<-tried
	fail.Delete("down")
	for i, want := range down {
		p := <-posts
		if i == 0 { // it was tried before
			want = marked2(want)
		}
		if p.body != want {
			t.Errorf("%.80s, want %.80s", p.body, want)
		}
	}
	s.say("last")
	<-posts
	if calls := s.up.asked(); len(calls) != 1 { // it has no right to answer requests
		t.Errorf("%v", calls)
	}
}

// An event that an app does not answer in time is not posted for minutes: it would be
// done again and again, and the others would wait.
func TestWebhookGoesOnAfterAnEventThatHangs(t *testing.T) {
	posts, stop := make(chan string, 64), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts <- string(b)
		if strings.Contains(string(b), "think long") {
			<-stop
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(stop) })
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Webhook = Webhook{URL: srv.URL, Timeout: 100 * time.Millisecond}
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	long, next := s.say("think long"), s.say("next")
	for i := range maxLate {
		want := long
		if i > 0 {
			want = marked2(long)
		}
		if got := <-posts; got != want {
			t.Errorf("post %d: %.80s, want %.80s", i, got, want)
		}
	}
	if got := <-posts; got != next {
		t.Errorf("%.80s, want the next", got)
	}
}

// What an app fails at is given up after some tries; while it is not there, nothing is.
func TestPostsThatAreGivenUp(t *testing.T) {
	answered := func(code int) error { return &statusError{"http://app", code} }
	refused := fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")})
	for name, c := range map[string]struct {
		err  error
		want int // tries; 0: until it is too old
	}{
		"an exception": {answered(500), maxFailed}, "a bad request": {answered(400), maxFailed}, "no such content": {answered(422), maxFailed},
		"a proxy without an app": {answered(502), 0}, "one that starts": {answered(503), 0}, "another path": {answered(404), 0},
		"another secret": {answered(401), 0}, "too many": {answered(429), 0}, "moved": {answered(302), 0},
		"no answer": {fmt.Errorf("x: %w", os.ErrDeadlineExceeded), maxLate}, "nobody there": {refused, 0},
		"nobody there in time": {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, 0}, "cut off": {io.ErrUnexpectedEOF, 0},
	} {
		var tr tries
		got := 0
		for i := 1; i <= 100 && got == 0; i++ {
			if tr.enough(c.err) {
				got = i
			}
		}
		if got != c.want {
			t.Errorf("%s: given up after %d tries, want %d", name, got, c.want)
		}
	}
}

func TestSlowWebhookGetsEverything(t *testing.T) {
	gate, heard := make(chan struct{}), make(chan string, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-gate
		b, _ := io.ReadAll(r.Body)
		heard <- string(b)
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Replay.Events = 10
		c.Webhook = Webhook{URL: srv.URL, Timeout: time.Minute}
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	var want []string
	for i := range 500 {
		want = append(want, s.say(fmt.Sprint(i)))
	}
	close(gate)
	for _, w := range want {
		if got := <-heard; got != w {
			t.Fatalf("%.80s, want %.80s", got, w)
		}
	}
	await.True(t, 5*time.Second, "the record at its limit", func() bool {
		s.say("more")
		<-heard
		s.acc.mu.Lock()
		defer s.acc.mu.Unlock()
		return len(s.acc.record.entries) < 300
	})
}

func TestSSE(t *testing.T) {
	s := newStage(t, nil)
	open := func(last string) (*http.Response, func() string) {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.addr+"/_events?access_token=secret-secret-secret", nil)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		var buf []byte
		return resp, func() string {
			for {
				if i := strings.Index(string(buf), "\n\n"); i >= 0 {
					e := string(buf[:i])
					buf = buf[i+2:]
					return e
				}
				b := make([]byte, 4096)
				n, err := resp.Body.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				buf = append(buf, b[:n]...)
			}
		}
	}
	resp, next := open("")
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	raw := s.say("a")
	id, data, _ := strings.Cut(next(), "\ndata: ")
	if data != raw {
		t.Error(data)
	}
	_ = resp.Body.Close()
	b := s.say("b")
	_, next = open(strings.TrimPrefix(id, "id: "))
	if e := next(); !strings.Contains(e, marked2(b)) {
		t.Error(e)
	}
}

// How a link ended is told if nobody wanted it so.
func TestHowALinkEndedIsTold(t *testing.T) {
	s := newStage(t, nil)
	for _, code := range []websocket.StatusCode{websocket.StatusNormalClosure, websocket.StatusGoingAway} {
		c := s.dial("/")
		s.links(1)
		_ = c.ws.Close(code, "")
		s.links(0)
		if got := s.app.Stats().LastError; got != "" {
			t.Errorf("%v: %s", code, got)
		}
	}
	c := s.dial("/")
	s.links(1)
	_ = c.ws.CloseNow()
	s.links(0)
	if got := s.app.Stats().LastError; got != "the connection ended without a goodbye" {
		t.Error(got)
	}
	c = s.dial("/")
	s.links(1)
	_ = c.ws.Close(websocket.StatusInternalError, "out of cheese")
	s.links(0)
	if got := s.app.Stats().LastError; !strings.Contains(got, "out of cheese") {
		t.Error(got)
	}
}

func TestFilesArePlaced(t *testing.T) {
	dir, private := t.TempDir(), t.TempDir()
	for _, f := range []string{filepath.Join(dir, "a b.png"), filepath.Join(dir, "图 100%.png"), filepath.Join(private, "secrets.json")} {
		if err := os.WriteFile(f, []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(private, "secrets.json"), filepath.Join(dir, "link.png")); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, func(c *Config) { c.Folders = Folders{Own: []string{dir}, Private: []string{private}} })
	s.up.reply = func(action string, p []byte) (string, int) {
		if strings.Contains(string(p), "is_complete") {
			return `{"type":"response","status":"file_complete","file_path":"/napcat/temp/x.png","file_size":5}`, 0
		}
		return `{"type":"stream","status":"chunk_received","received_chunks":0,"total_chunks":1}`, 0
	}
	c := s.dial("/api")
	send := func(message string) (answer, params string) {
		answer = c.call(`{"action":"send_group_msg","params":{"group_id":12345678901234567,"message":` + message + `},"echo":1}`)
		s.up.mu.Lock()
		defer s.up.mu.Unlock()
		return answer, s.up.params[len(s.up.params)-1]
	}
	_, p := send(`[{"type":"image","data":{"file":"file://` + strings.ReplaceAll(dir, "/", "/") + `/a%20b.png"}}]`)
	if !strings.Contains(p, `"file":"/napcat/temp/x.png"`) || !strings.Contains(p, `"name":"a b.png"`) || !strings.Contains(p, "12345678901234567") {
		t.Error(p)
	}
	if _, p := send(`"hi [CQ:image,file=` + dir + `/a b.png,summary=x]"`); !strings.Contains(p, `hi [CQ:image,file=/napcat/temp/x.png,summary=x,name=a b.png]`) {
		t.Error(p)
	}
	if _, p := send(`[{"type":"image","data":{"file":"file:///elsewhere/c.png"}}]`); !strings.Contains(p, `file:///elsewhere/c.png`) {
		t.Error(p)
	}
	if _, p := send(`"plain /text with file: in it"`); !strings.Contains(p, `plain /text with file: in it`) {
		t.Error(p)
	}
	for _, name := range []string{"图 100%.png", "%E5%9B%BE%20100%25.png"} {
		if _, p := send(`[{"type":"file","data":{"file":"file://` + dir + "/" + name + `"}}]`); !strings.Contains(p, `"file":"/napcat/temp/x.png","name":"图 100%.png"`) {
			t.Errorf("%s: %s", name, p)
		}
	}
	if _, p := send(`"[CQ:file,name=b.png,file=` + dir + `/a b.png]"`); !strings.Contains(p, `[CQ:file,name=b.png,file=/napcat/temp/x.png]`) {
		t.Error(p)
	}
	said := `"[CQ:at,qq=1] my profile=` + dir + `/none.png [CQ:image,file=` + dir + `/a b.png]"`
	if a, p := send(said); !strings.Contains(a, `"retcode":0`) || !strings.Contains(p, `my profile=`+dir+`/none.png [CQ:image,file=/napcat/temp/x.png,name=a b.png]`) {
		t.Error(a, p)
	}
	before := len(s.up.asked())
	for _, none := range []string{dir + "/none.png", dir} { // no matter of rights
		if a, _ := send(`[{"type":"image","data":{"file":"file://` + none + `"}}]`); !strings.Contains(a, `"retcode":1200`) {
			t.Errorf("%s: %s", none, a)
		}
	}
	for _, bad := range []string{private + "/secrets.json", dir + "/link.png", dir + "/../" + filepath.Base(private) + "/secrets.json"} {
		if a, _ := send(`[{"type":"image","data":{"file":"file://` + bad + `"}}]`); !strings.Contains(a, `"retcode":1460`) {
			t.Errorf("%s: %s", bad, a)
		}
	}
	escaped := strings.NewReplacer(":", `\u003a`, "/", `\u002f`).Replace("file://" + private + "/secrets.json")
	for _, bad := range []string{
		escaped, strings.ReplaceAll(private, "/", `\/`) + `\/secrets.json`, "../../data/secrets.json", `..\\..\\secrets.json`, `\u002e./secrets.json`,
		"file://" + strings.ReplaceAll(private, "/", "%2F") + "/secrets.json", "file://" + private + "//./secrets.json",
	} {
		for _, message := range []string{`[{"type":"image","data":{"file":"` + bad + `"}}]`, `{"type":"video","data":{"url":"` + bad + `"}}`, `"[CQ:record,file=` + bad + `]"`} {
			if a, _ := send(message); !strings.Contains(a, `"retcode":1460`) {
				t.Errorf("%s: %s", message, a)
			}
		}
	}
	for _, fine := range []string{"base64://AA../BB==", "http://x.example/a/../b.png", "a..b.png", "ABCDEF0123456789.image"} {
		if a, _ := send(`[{"type":"image","data":{"file":"` + fine + `"}}]`); !strings.Contains(a, `"retcode":0`) {
			t.Errorf("%s: %s", fine, a)
		}
		before++
	}
	if len(s.up.asked()) != before {
		t.Error("NapCat was asked for a private file")
	}
}
