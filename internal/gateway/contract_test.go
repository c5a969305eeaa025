package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/ncatd/ncatd/internal/e2e/await"
)

// What NapCat answers to a frame on its WebSocket (contract E.2), for forms that a
// client may well send.
func TestFramesAreReadAsNapCatReadsThem(t *testing.T) {
	s := newStage(t, nil)
	s.up.reply = func(_ string, p []byte) (string, int) { return string(p), 0 }
	c := s.dial("/api")
	for _, tt := range []struct{ frame, want string }{
		{`{action:'get_status',params:{n:0x10,},echo:'é<',}`, `"data":{"n":16},"message":"","wording":"","echo":"é<",`},
		{"// by hand\n{\"action\":\"get_status\",\"params\":{\"group_id\":+12345678901234567},\"echo\":[1,]}", `"data":{"group_id":12345678901234567},"message":"","wording":"","echo":[1],`},
		{"\ufeff" + `{"action":"get_status","echo":1}`, `"data":{},"message":"","wording":"","echo":1,`},
		{"\ufeff" + `{"action":"get_status","echo":2` + strings.Repeat(" ", maxLoose) + `}`, `"data":{},"message":"","wording":"","echo":2,`},
		{`{"action":"` + strings.Repeat("长", 1<<20) + `","echo":3}`, `长…, which ncatd does not know","echo":3,`},
		{`{"action":"get_status","params":null,"echo":{"a":[1, 2.50]}}`, `"data":{},"message":"","wording":"","echo":{"a":[1, 2.50]},`},
		{`{"action":"send_group_msg_async","params":{"group_id":1},"echo":8}`, `"retcode":1200,"data":null,"message":"send_group_msg_async has no message`},
		{`{"action":"get_status","echo":0}`, `"data":{},"message":"","wording":"","echo":0,`},
		{`{"action":"get_status","echo":null}`, `"data":{},"message":"","wording":"","echo":"",`},
		{`{"action":"send_msg","echo":8}`, `"retcode":1200,`},
		{`{"action":"send_msg","params":{"message":null,"user_id":1},"echo":8}`, `"retcode":0,`},
		{`{"params":{},"echo":7}`, `"retcode":1404,"data":null,"message":"不支持的API undefined","wording":"不支持的API undefined","echo":7,`},
		{`[]`, `"retcode":1404,"data":null,"message":"不支持的API undefined","wording":"不支持的API undefined","echo":null,`},
		{`{]`, `"retcode":1400,"data":null,"message":"json解析失败,请检查数据格式","wording":"json解析失败,请检查数据格式","echo":null,`},
		{`null`, `"retcode":1400,`},
		{strings.Repeat("[", maxLoose-1) + "'", `"retcode":1400,`},
		{`{` + strings.Repeat(" ", maxLoose) + `a:1}`, `"retcode":1400,`},
	} {
		if got := c.call(tt.frame); !strings.Contains(got, tt.want) {
			t.Errorf("%.80q: %s", tt.frame, got)
		}
	}
	for _, unheard := range []string{`5`, `"str"`, `'str'`, `0x10`} {
		c.write(unheard)
	}
	if got := c.call(`{"action":"get_status","echo":"next"}`); !strings.Contains(got, `"echo":"next"`) {
		t.Errorf("a text or a number is answered: %s", got)
	}
	if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte(`{"action":"get_status","echo":"binary"}`)); err != nil {
		t.Fatal(err)
	}
	if got := c.read(); !strings.Contains(got, `"retcode":0`) || !strings.Contains(got, `"echo":"binary"`) {
		t.Error(got)
	}
	w, err := c.ws.Writer(t.Context(), websocket.MessageText) // in fragments
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{`{"action":"get_`, ``, `status","echo":"pieces"}`} {
		if _, err := io.WriteString(w, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := c.read(); !strings.Contains(got, `"echo":"pieces"`) {
		t.Error(got)
	}
}

// All paths but /api take calls and give events (contract E.1).
func TestEveryPathTakesCalls(t *testing.T) {
	s := newStage(t, nil)
	for _, path := range []string{"/", "", "/event", "/event/", "/foo", "/onebot/v11/ws", "/main", "/main/", "/main/event"} {
		c := s.dial(path)
		if b := c.read(); !strings.Contains(b, `"lifecycle"`) {
			t.Errorf("%s: %s", path, b)
		}
		if got := c.call(`{"action":"get_status","echo":1}`); !strings.Contains(got, `"retcode":0`) {
			t.Errorf("%s: %s", path, got)
		}
	}
	for _, path := range []string{"/api", "/api/", "/main/api", "/main/api/"} {
		c := s.dial(path)
		if got := c.call(`{"action":"get_status","echo":1}`); !strings.Contains(got, `"retcode":0`) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// A path of an account that the app does not have is no path to the one that it has.
func TestPathsOfOtherAccountsAreRefused(t *testing.T) {
	s := newStage(t, nil)
	for _, name := range []string{"second", "event"} {
		s.g.Account(name)
	}
	for path, want := range map[string]int{"/second": 404, "/second/get_status": 404, "/secondly/get_status": 200, "/event/get_status": 200, "/main/get_status": 200} {
		if resp, body := (caller{t, s.addr}).do("GET", path, nil, ""); resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if c, err := s.try("/second/", http.Header{"Authorization": {"Bearer secret-secret-secret"}}); err == nil {
		t.Errorf("a link to another account: %s", c.read())
	}
	if got := s.app.Stats().LastError; !strings.Contains(got, "/main") {
		t.Errorf("%q", got)
	}
}

// caller makes calls over HTTP.
type caller struct {
	t    *testing.T
	addr string
}

func (c caller) do(method, path string, h http.Header, body string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.addr+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = h.Clone()
	if h == nil {
		req.Header = http.Header{"Authorization": {"Bearer secret-secret-secret"}}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(b)
}

// What NapCat answers over HTTP (contract E.5).
func TestHTTPIsAnsweredAsNapCatDoes(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Rights = NewRights([]string{"*"}) })
	s.up.reply = func(action string, p []byte) (string, int) {
		switch action {
		case "get_msg":
			return "null", 1400
		case "send_msg":
			return "null", 1200
		case "get_new_thing":
			return "null", 1404
		}
		return string(p), 0
	}
	h := func(typ string) http.Header {
		return http.Header{"Authorization": {"token secret-secret-secret"}, "Content-Type": {typ}}
	}
	for _, tt := range []struct {
		name, method, path string
		h                  http.Header
		body               string
		status             int
		typ, want          string
	}{
		{"query", "GET", "/get_group_info?group_id=5&access_token=secret-secret-secret", http.Header{}, "", 200, "application/json", `"data":{"group_id":"5"},`},
		{"path with a slash", "GET", "/get_group_info/?group_id=5", nil, "", 200, "application/json", `"data":{"group_id":"5"},`},
		{"JSON", "POST", "/get_group_info", h("application/json"), `{"group_id":5}`, 200, "application/json", `"data":{"group_id":5},`},
		{"wrong type", "POST", "/get_group_info", h("text/plain"), `{"group_id":5}`, 200, "application/json", `"data":{"group_id":5},`},
		{"no type", "PUT", "/get_group_info", nil, `{"group_id":5}`, 200, "application/json", `"data":{"group_id":5},`},
		{"JSON5", "POST", "/get_group_info", h("application/json"), `{group_id:5,}`, 200, "application/json", `"data":{"group_id":5},`},
		{"BOM", "POST", "/get_group_info", h("application/json"), "\ufeff{" + strings.Repeat(" ", maxLoose) + `"group_id":5}`, 200, "application/json", `"group_id":5},`},
		{"no object", "POST", "/get_group_info?a=1", h("application/json"), `[1]`, 200, "application/json", `"data":{"a":"1"},`},
		{"no message", "POST", "/send_group_msg?echo=x", h("application/json"), `{"group_id":5}`, 200, "application/json", `"retcode":200,"data":null,"message":"send_group_msg has no message`},
		{"form", "POST", "/get_group_info", h("application/x-www-form-urlencoded"), "group_id=5&x=%E4%BD%A0+1", 200, "application/json", `"data":{"group_id":"5","x":"你 1"},`},
		{"JSON that is said to be a form", "POST", "/get_group_info", h("application/x-www-form-urlencoded"), `{"group_id":5}`, 200, "application/json", `"data":{"group_id":5},`},
		{"echo", "POST", "/get_group_info", h("application/json"), `{"echo":{"a": [1]}}`, 200, "application/json", `"echo":{"a": [1]},`},
		{"echo in the query", "GET", "/get_group_info?echo=x", nil, "", 200, "application/json", `"echo":"x",`},
		{"bad JSON", "POST", "/get_group_info", h("application/json"), `{`, 400, "text/html", `=Invalid JSON`},
		{"wrong token", "GET", "/get_group_info?access_token=x", http.Header{}, "", 403, "text/html", `={"message":"token verify failed!"}`},
		{"no action", "GET", "/", nil, "", 200, "application/json", `"status":"ok","retcode":0,"data":{}`},
		{"bad params", "POST", "/get_msg?echo=x", nil, "", 200, "application/json", `"retcode":400,"data":null,"message":"no","wording":"no","echo":null,`},
		{"failed", "POST", "/send_msg?echo=x&message=y", nil, "", 200, "application/json", `"retcode":200,"data":null,"message":"no","wording":"no","echo":"x",`},
		{"unknown", "POST", "/get_new_thing?echo=x", nil, "", 200, "application/json", `"retcode":200,"data":null,"message":"不支持的Api get_new_thing","wording":"不支持的Api get_new_thing","echo":"x",`},
		{"alias", "POST", "/get_group_info_async", nil, "", 200, "application/json", `"retcode":0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, got := caller{t, s.addr}.do(tt.method, tt.path, tt.h, tt.body)
			if resp.StatusCode != tt.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), tt.typ) || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("HTTP %d, %v", resp.StatusCode, resp.Header)
			}
			if whole, ok := strings.CutPrefix(tt.want, "="); ok && got != whole || !ok && !strings.Contains(got, tt.want) {
				t.Error(got)
			}
		})
	}
	one, two := "", ""
	for _, into := range []*string{&one, &two} {
		_, got := caller{t, s.addr}.do("GET", "/get_status", nil, "")
		*into = got
	}
	if one == two || !strings.Contains(one, `"echo":"`) || strings.Contains(one, `"echo":""`) {
		t.Errorf("a call without an echo has %s, then %s", one, two)
	}
}

// A page of another origin asks before it calls with a token in the header.
func TestPagesOfOtherOriginsMayCall(t *testing.T) {
	s := newStage(t, nil)
	resp, _ := caller{t, s.addr}.do("OPTIONS", "/get_status", http.Header{"Origin": {"http://x.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,content-type"}}, "")
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Headers") != "authorization,content-type" || !strings.Contains(resp.Header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("HTTP %d, %v", resp.StatusCode, resp.Header)
	}
	if calls := s.up.asked(); len(calls) > 0 {
		t.Errorf("NapCat got %v", calls)
	}
}

// A client that floods with pings and reads nothing has its answers queued in memory
// of ours only up to the bound.
func TestPingsThatNobodyReadsAnswersOfAreBounded(t *testing.T) {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	o := newOutbox(near, near, false)
	pong := bytes.Repeat([]byte("x"), 127)
	for n := 0; o.why() == nil; n += len(pong) {
		_, _ = o.Write(pong)
		if n > 2*maxQueued {
			t.Fatalf("%d bytes wait", o.waiting())
		}
	}
	if err := o.why(); err != errSlow {
		t.Error(err)
	}
	_ = o.Close()
}

// A stream of events is a link like others in the app's status.
func TestStreamsOfEventsAreSeen(t *testing.T) {
	s := newStage(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.addr+"/_events/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret-secret-secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if typ := resp.Header.Get("Content-Type"); typ != "text/event-stream" {
		t.Error(typ)
	}
	await.True(t, 5*time.Second, "the link", func() bool { st := s.app.Stats(); return st.Links == 1 && !st.Since.IsZero() })
	since := s.app.Stats().Since
	cancel()
	await.True(t, 5*time.Second, "its end", func() bool { st := s.app.Stats(); return st.Links == 0 && st.Since.After(since) })
}

// hooks is an app that takes webhooks and answers each with what it is told.
type hooks struct {
	mu     sync.Mutex
	answer string
	text   string // of the events
	came   chan string
}

func newHooks(t *testing.T, change func(*Config)) (*hooks, *stage) {
	h := &hooks{came: make(chan string, 64)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		_, _ = io.WriteString(w, h.answer)
		h.came <- string(b)
	}))
	t.Cleanup(srv.Close)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Webhook = Webhook{URL: srv.URL, Timeout: 5 * time.Second}
		change(c)
	})
	await.True(t, 5*time.Second, "the reader", func() bool { s.acc.mu.Lock(); defer s.acc.mu.Unlock(); return len(s.acc.readers) == 1 })
	return h, s
}

// say makes an event, to which the app answers so.
func (h *hooks) say(s *stage, answer string) {
	h.mu.Lock()
	h.answer = answer
	h.mu.Unlock()
	s.say(h.text)
	<-h.came
}

// What an answer to a webhook asks for is carried out as NapCat would: it reads
// JSON5 and takes an empty reply for none (contract E.7).
func TestAnswersToWebhooks(t *testing.T) {
	h, s := newHooks(t, func(*Config) {})
	for answer, want := range map[string]bool{
		"": false, "{}": false, "OK": false, "null": false, `{"reply":null}`: false, `{"reply":""}`: false, `{"reply":"hi"}`: true,
		`{reply:'hi',}`: true, `{"reply":null,"approve":null}`: false, `{"reply":"hi","approve":true}`: false, `[1]`: false,
		`{"reply":[{"type":"text","data":{"text":"hi"}}],"at_sender":true}`: true,
	} {
		before := len(s.up.asked())
		h.say(s, answer)
		h.say(s, `{"reply":"the end"}`)
		await.True(t, 5*time.Second, "the last reply", func() bool {
			s.up.mu.Lock()
			defer s.up.mu.Unlock()
			n := len(s.up.params)
			return n > 0 && strings.Contains(s.up.params[n-1], "the end")
		})
		if got := len(s.up.asked()) - before; got != 1+map[bool]int{true: 1}[want] {
			t.Errorf("%q: %d calls", answer, got-1)
		}
		s.up.mu.Lock()
		for _, p := range s.up.params {
			if !json.Valid([]byte(p)) {
				t.Errorf("%q: %s", answer, p)
			}
		}
		s.up.params[len(s.up.params)-1] = ""
		s.up.params = s.up.params[:0]
		s.up.calls = s.up.calls[:0]
		s.up.mu.Unlock()
	}
}

// An answer to a request, by an app that may answer requests.
func TestApprovalsByWebhook(t *testing.T) {
	for allow, want := range map[string]int{"manage": 0, "read": RetNotAllowed} {
		codes := make(chan int, 8)
		h, s := newHooks(t, func(c *Config) {
			c.Rights = NewRights([]string{allow})
			c.Called = func(_, _ string, code int, _ time.Duration, _ []byte) { codes <- code }
		})
		h.say(s, `{"approve":false,"reason":"no"}`)
		if code := <-codes; code != want {
			t.Errorf("%s: retcode %d, want %d", allow, code, want)
		}
	}
}

// An answer to a request is given by the action for it: of a quick operation's request
// NapCat drops the flag (results: .handle_quick_operation).
func TestApprovalsAreCalls(t *testing.T) {
	const friend, group = `"post_type":"request","request_type":"friend","flag":"f1"`, `"post_type":"request","request_type":"group","sub_type":"add","flag":"g1"`
	for _, tt := range []struct{ context, operation, action, params string }{
		{friend, `{"approve":true,"remark":"bob"}`, "set_friend_add_request", `{"flag":"f1","approve":true}`},
		{friend, `{"approve":0}`, "set_friend_add_request", `{"flag":"f1","approve":false}`},
		{group, `{"approve":false,"reason":"no"}`, "set_group_add_request", `{"flag":"g1","approve":false,"reason":"no"}`},
		{group, `{"approve":true}`, "set_group_add_request", `{"flag":"g1","approve":true,"reason":""}`},
		{group, `{"reply":"hi"}`, ".handle_quick_operation", ""},
		{`"post_type":"message","flag":"g1"`, `{"approve":true}`, ".handle_quick_operation", ""},
		{`"post_type":"request","request_type":"group"`, `{"approve":true}`, ".handle_quick_operation", ""},
		{`"post_type":"request","request_type":"other","flag":"g1"`, `{"approve":true}`, ".handle_quick_operation", ""},
	} {
		s := newStage(t, func(c *Config) { c.Rights = NewRights([]string{"*"}) })
		got := s.dial("/").call(`{"action":".handle_quick_operation","params":{"context":{"user_id":5,` + tt.context + `},"operation":` + tt.operation + `},"echo":1}`)
		if !strings.Contains(got, `"echo":1`) {
			t.Errorf("%s, %s: %s", tt.context, tt.operation, got)
		}
		s.up.mu.Lock()
		if !slices.Equal(s.up.calls, []string{tt.action}) || tt.params != "" && s.up.params[0] != tt.params {
			t.Errorf("%s, %s: %s %s", tt.context, tt.operation, s.up.calls, s.up.params)
		}
		s.up.mu.Unlock()
	}
}

// A reply by webhook is held to the app's send rate, and its files are placed.
func TestRepliesByWebhookAreMessages(t *testing.T) {
	dir, private := t.TempDir(), t.TempDir()
	for _, f := range []string{filepath.Join(dir, "a.png"), filepath.Join(private, "secrets.json")} {
		if err := os.WriteFile(f, []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	codes := make(chan int, 64)
	h, s := newHooks(t, func(c *Config) {
		c.Folders = Folders{Own: []string{dir}, Private: []string{private}}
		c.Rate = rate.NewLimiter(rate.Every(time.Hour), 2)
		c.Called = func(_, _ string, code int, _ time.Duration, _ []byte) { codes <- code }
	})
	s.up.reply = func(_ string, p []byte) (string, int) {
		return `{"type":"response","status":"file_complete","file_path":"/napcat/temp/x.png","file_size":5}`, 0
	}
	h.text = "[CQ:record,file=file://" + private + "/secrets.json]" // it may name what it likes
	h.say(s, fmt.Sprintf(`{"reply":"[CQ:image,file=file://%s/a.png]"}`, dir))
	if code := <-codes; code != 0 {
		t.Errorf("retcode %d", code)
	}
	s.up.mu.Lock()
	if p := s.up.params[len(s.up.params)-1]; !strings.Contains(p, `"reply":"[CQ:image,file=/napcat/temp/x.png,name=a.png]"`) || !strings.Contains(p, `"context":{"`) {
		t.Error(p)
	}
	s.up.mu.Unlock()
	h.say(s, fmt.Sprintf(`{"reply":[{"type":"image","data":{"file":"file://%s/secrets.json"}}]}`, private))
	if code := <-codes; code != RetNotAllowed {
		t.Errorf("a file of ncatd: retcode %d", code)
	}
	r := s.app.c.Rate
	if n := r.Tokens(); n > 0.5 {
		t.Errorf("two replies cost %v of 2", 2-n)
	}
}

// What NapCat tells an app of, the app may send as it stands, though the folder is
// among ncatd's own.
func TestFilesThatNapCatTellsOfMayBeSent(t *testing.T) {
	home := t.TempDir()
	qq := filepath.Join(home, "accounts", "main", "home", ".config", "QQ")
	for _, f := range []string{"NapCat/temp/up.png", "nt_qq_12/nt_data/Ptt/x.amr", "nt_qq_12/nt_db/x.db"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(qq, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(qq, f), []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStage(t, func(c *Config) {
		c.Folders = Folders{Private: []string{home}, Open: []string{filepath.Join(qq, "NapCat", "temp"), filepath.Join(qq, "nt_qq*", "nt_data")}}
	})
	c := s.dial("/api")
	for f, want := range map[string]string{
		"NapCat/temp/up.png": `"retcode":0`, "nt_qq_12/nt_data/Ptt/x.amr": `"retcode":0`, "nt_qq_12/nt_db/x.db": `"retcode":1460`,
		"NapCat/temp/../../nt_qq_12/nt_db/x.db": `"retcode":1460`,
	} {
		if got := c.call(fmt.Sprintf(`{"action":"send_msg","params":{"message":[{"type":"record","data":{"file":%q}}]},"echo":1}`, "file://"+qq+"/"+f)); !strings.Contains(got, want) {
			t.Errorf("%s: %s", f, got)
		}
	}
}
