package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const appToken = "secret-secret-secret"

// accepted is a link that a framework's server took.
type accepted struct {
	*client
	header http.Header
	path   string
}

// framework is a server as frameworks run one for reverse links: refuse says with
// which status a request is refused, 0 for none.
func framework(t *testing.T, refuse func(r *http.Request) int) (url string, came <-chan accepted) {
	t.Helper()
	links := make(chan accepted, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := refuse(r); code != 0 {
			http.Error(w, "refused", code)
			return
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		links <- accepted{&client{t, ws}, r.Header, r.URL.Path}
		<-t.Context().Done()
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return "ws" + strings.TrimPrefix(srv.URL, "http"), links
}

// The adapter of NoneBot for OneBot 11 knows a bot by X-Self-ID, refuses a second
// link with the same before it accepts it, and calls with an echo that is an object.
func TestNoneBotReverse(t *testing.T) {
	var connected atomic.Bool
	url, came := framework(t, func(r *http.Request) int {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if r.URL.Path != "/onebot/v11/ws" || r.Header.Get("X-Self-ID") == "" || !strings.EqualFold(scheme, "Bearer") || token != appToken {
			return http.StatusForbidden
		}
		if !connected.CompareAndSwap(false, true) {
			return http.StatusForbidden // "Duplicate X-Self-ID"
		}
		return 0
	})
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Reverse = Reverse{URL: url + "/onebot/v11/ws", Interval: time.Second}
	})
	l := <-came
	if b := l.read(); !strings.Contains(b, `"lifecycle","sub_type":"connect"`) {
		t.Error(b)
	}
	if raw := s.say("/help"); l.event() != raw {
		t.Error("the event changed")
	}
	if got := l.call(`{"action": "get_group_list", "params": {}, "echo": {"seq": 1}}`); !strings.Contains(got, `"echo":{"seq": 1}`) {
		t.Error(got)
	}
	// The link is lost, and the framework notices late.
	_ = l.ws.CloseNow()
	raw := s.say("meanwhile")
	s.links(0)
	connected.Store(false)
	l = <-came
	if got := l.event(); got != raw && got != marked2(raw) {
		t.Error(got)
	}
}

// NoneBot's forward link takes nothing for its bot's before the lifecycle.
func TestNoneBotForward(t *testing.T) {
	s := newStage(t, nil)
	c, err := s.try("/", http.Header{"Authorization": {"Bearer " + appToken}})
	if err != nil {
		t.Fatal(err)
	}
	if b := c.read(); !strings.Contains(b, `"meta_event_type":"lifecycle","sub_type":"connect"`) {
		t.Errorf("the first frame is %s", b)
	}
}

// The server of aiocqhttp, which AstrBot uses, tells links by X-Client-Role, and
// wants its token behind "Bearer " or "Token ".
func TestAiocqhttp(t *testing.T) {
	for role, config := range map[string]func(url string) Reverse{
		"universal": func(url string) Reverse { return Reverse{URL: url + "/ws/"} },
		"split":     func(url string) Reverse { return Reverse{APIURL: url + "/ws/api/", EventURL: url + "/ws/event/"} },
	} {
		t.Run(role, func(t *testing.T) {
			url, came := framework(t, func(r *http.Request) int {
				a := r.Header.Get("Authorization")
				if !strings.HasPrefix(a, "Token ") && !strings.HasPrefix(a, "Bearer ") {
					return http.StatusUnauthorized
				}
				if a[strings.IndexByte(a, ' ')+1:] != appToken {
					return http.StatusForbidden
				}
				return 0
			})
			s := newStage(t, func(c *Config) { c.Listen = ""; c.Reverse = config(url) })
			roles := map[string]accepted{}
			for range len(s.app.c.Reverse.links()) {
				l := <-came
				if id := l.header.Get("X-Self-ID"); id != "10001" {
					t.Errorf("X-Self-ID is %q", id)
				}
				roles[strings.ToLower(l.header.Get("X-Client-Role"))] = l
			}
			api, event := roles["universal"], roles["universal"]
			if role == "split" {
				api, event = roles["api"], roles["event"]
			}
			if b := event.read(); !strings.Contains(b, `"lifecycle"`) {
				t.Error(b)
			}
			if raw := s.say("hi"); event.event() != raw {
				t.Error("the event changed")
			}
			if got := api.call(`{"action": "get_login_info", "params": {}, "echo": {"seq": "a1"}}`); !strings.Contains(got, `"echo":{"seq": "a1"}`) {
				t.Error(got)
			}
		})
	}
}

// The handlers of aiocqhttp may return a reply, which it sends as a quick operation:
// it needs the right to send, as the answer to a post does.
func TestQuickOperationsByRight(t *testing.T) {
	for _, tt := range []struct {
		allow, operation string
		want             bool
	}{
		{"send", `{"reply":"hi","auto_escape":false}`, true},
		{"send", `{"reply":"hi","approve":true}`, false},
		{"send", `{"approve":true}`, false},
		{"send", `{"reply":""}`, false},
		{"send", `{"delete":true}`, false},
		{"read", `{"reply":"hi"}`, false},
		{"manage", `{"approve":true}`, true},
		{"manage", `{"reply":"hi"}`, true}, // it may make any
	} {
		s := newStage(t, func(c *Config) { c.Rights = NewRights([]string{tt.allow}) })
		got := s.dial("/").call(`{"action":".handle_quick_operation_async","params":{"context":{"post_type":"message"},"operation":` + tt.operation + `},"echo":1}`)
		if refused := strings.Contains(got, `"retcode":1460`); refused == tt.want || len(s.up.asked()) > 0 != tt.want {
			t.Errorf("%s, %s: %s", tt.allow, tt.operation, got)
		}
	}
}

// A framework that begins may have its place for events before the one for calls: it
// hears nothing before it can answer.
func TestCallsComeBeforeEvents(t *testing.T) {
	var refused atomic.Int32
	url, came := framework(t, func(r *http.Request) int {
		if r.URL.Path == "/api" && refused.Add(1) <= 3 {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	newStage(t, func(c *Config) { c.Listen = ""; c.Reverse = Reverse{APIURL: url + "/api", EventURL: url + "/event"} })
	if first, second := <-came, <-came; first.path != "/api" || second.path != "/event" {
		t.Errorf("%s came before %s", first.path, second.path)
	}
	// One whose link for calls never comes still gets its events.
	url, came = framework(t, func(r *http.Request) int {
		if r.URL.Path == "/api" {
			return http.StatusNotFound
		}
		return 0
	})
	newStage(t, func(c *Config) { c.Listen = ""; c.Reverse = Reverse{APIURL: url + "/api", EventURL: url + "/event"} })
	if l := <-came; l.path != "/event" {
		t.Error(l.path)
	}
}

// NcatBot 3 opens a link of its own on /api for each call, and takes the first frame
// that comes for the answer; its events come on /event. Both have a Content-Type.
func TestNcatBot3(t *testing.T) {
	s := newStage(t, nil)
	h := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + appToken}}
	events, err := s.try("/event", h)
	if err != nil {
		t.Fatal(err)
	}
	events.read()
	for range 50 {
		c, err := s.try("/api", h)
		if err != nil {
			t.Fatal(err)
		}
		raw := s.say("in between")
		c.write(`{"action": "get_login_info", "params": {"a": 1}, "echo": 1700000000}`)
		if got := c.read(); !strings.Contains(got, `"retcode":0`) || !strings.Contains(got, `"echo":1700000000`) {
			t.Fatalf("the first frame is %s", got)
		}
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
		if events.event() != raw {
			t.Fatal("the event changed")
		}
	}
}

// NcatBot 4 and others write the token into the query, escaped as it needs to be.
func TestTokensInTheQuery(t *testing.T) {
	const token = "a+b c/d=&é密码%"
	s := newStage(t, func(c *Config) { c.Token = token })
	for query, want := range map[string]bool{
		"access_token=a%2Bb%20c%2Fd%3D%26%C3%A9%E5%AF%86%E7%A0%81%25":      true,
		"x=1&access_token=a%2Bb+c/d%3D%26é密码%25&y":                         true,
		"access_token=a%2bb%20c%2fd%3d%26%c3%a9%e5%af%86%e7%a0%81%25#frag": true,
		"access_token=a+b c": false,
		"Access_Token=a%2Bb%20c%2Fd%3D%26%C3%A9%E5%AF%86%E7%A0%81%25": false,
	} {
		c, err := s.try("/?"+strings.ReplaceAll(query, " ", "%20"), nil)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := c.read(); strings.Contains(got, `"lifecycle"`) != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}

// The adapter of MaiBot sends pings of its own, and takes whatever has an echo for
// an answer. It calls at once, before it has heard anything.
func TestMaiBot(t *testing.T) {
	s := newStage(t, nil)
	c, err := s.try("/", http.Header{"Authorization": {"Bearer " + appToken}})
	if err != nil {
		t.Fatal(err)
	}
	c.write(`{"action": "get_login_info", "params": {}, "echo": "0123456789abcdef0123456789abcdef"}`)
	answers, events := 0, 0
	for answers == 0 || events == 0 {
		b := c.read()
		if strings.Contains(b, `"echo":"0123456789abcdef0123456789abcdef"`) {
			answers++
		} else if strings.Contains(b, `"echo"`) {
			t.Fatalf("no answer, and has an echo: %s", b)
		} else {
			events++
		}
	}
	go func() { _, _, _ = c.ws.Read(context.Background()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.ws.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// A client that offers subprotocols gets the first, as from NapCat: a browser ends a
// link that has none of those it offered.
func TestSubprotocols(t *testing.T) {
	s := newStage(t, nil)
	for _, offered := range [][]string{nil, {"onebot"}, {"v11.onebot", "json"}} {
		ws, resp, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/?access_token="+appToken, &websocket.DialOptions{Subprotocols: offered})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if len(offered) > 0 {
			want = offered[0]
		}
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("%v: %q", offered, got)
		}
		_ = ws.CloseNow()
	}
}
