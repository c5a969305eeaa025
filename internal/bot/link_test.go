package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/bot"
	"github.com/ncatd/ncatd/internal/bot/demo"
	"github.com/ncatd/ncatd/onebot"
)

// host is a OneBot endpoint on a real socket whose answers the test gives.
type host struct {
	url   string
	token string
	links chan *websocket.Conn
	calls chan call
}

type call struct {
	Action string
	Params json.RawMessage
	Echo   json.RawMessage
	ws     *websocket.Conn
}

func (c call) answer(t *testing.T, retcode int, data, message string) {
	t.Helper()
	status := "ok"
	if retcode != 0 {
		status = "failed"
	}
	frame := fmt.Sprintf(`{"status":%q,"retcode":%d,"data":%s,"message":%q,"wording":%[4]q,"echo":%s,"stream":"normal-action"}`, status, retcode, data, message, c.Echo)
	if err := c.ws.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Error(err)
	}
}

func newHost(t *testing.T, token string) *host {
	h := &host{token: token, links: make(chan *websocket.Conn, 8), calls: make(chan call, 64)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ctx := context.WithoutCancel(r.Context())
		if r.Header.Get("Authorization") != "Bearer "+h.token {
			ws.Write(ctx, websocket.MessageText, []byte(`{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"token验证失败","echo":null,"stream":"normal-action"}`))
			return
		}
		ws.Write(ctx, websocket.MessageText, []byte(`{"time":1,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`))
		h.links <- ws
		for {
			_, b, err := ws.Read(ctx)
			if err != nil {
				return
			}
			c := call{ws: ws}
			if err := json.Unmarshal(b, &c); err != nil {
				t.Errorf("got %q", b)
			}
			h.calls <- c
		}
	}))
	t.Cleanup(srv.CloseClientConnections)
	h.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	return h
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// start runs a link to h with the demo bot and returns its facts and the types
// of its events.
func start(t *testing.T, h *host) (l *bot.Link, facts chan bot.Fact, events chan string) {
	facts, events = make(chan bot.Fact, 100), make(chan string, 100)
	l = bot.New(bot.Options{
		Account: "main", Bot: demo.New(), Logger: slog.New(slog.DiscardHandler), CallTimeout: 200 * time.Millisecond,
		Facts: func(f bot.Fact) { facts <- f },
		Event: func(typ string, _ json.RawMessage) { events <- typ },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	wg.Go(func() { l.Connect(ctx, h.url, "secret") })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l, facts, events
}

// until returns the next fact of a kind and fails if one of another kind than
// Beat comes before it.
func until(t *testing.T, facts chan bot.Fact, kind bot.FactKind) bot.Fact {
	t.Helper()
	for {
		f := next(t, facts)
		if f.Kind == kind {
			return f
		}
		if f.Kind != bot.Beat {
			t.Errorf("fact %+v while waiting for %s", f, kind)
		}
	}
}

func TestFacts(t *testing.T) {
	h := newHost(t, "secret")
	l, facts, events := start(t, h)
	until(t, facts, bot.Up)
	if f := until(t, facts, bot.Ready); f.SelfID != 10001 || !l.Ready() {
		t.Errorf("%+v, ready %v", f, l.Ready())
	}
	ws := next(t, h.links)
	say := func(frame string) {
		t.Helper()
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
			t.Error(err)
		}
	}
	say(`{"time":2,"self_id":10001,"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":false,"good":true},"interval":1500}`)
	if f := next(t, facts); f.Kind != bot.Beat || f.Online || f.Interval != 1500*time.Millisecond || f.Time.IsZero() {
		t.Errorf("%+v", f)
	}
	say(`{"time":3,"self_id":10001,"post_type":"notice","notice_type":"bot_offline","user_id":10001,"tag":"下线通知","message":"你的账号在另一地点登录"}`)
	if f := until(t, facts, bot.Offline); f.Message != "你的账号在另一地点登录" {
		t.Errorf("%+v", f)
	}
	say(`{"time":4,"self_id":10001,"post_type":"notice","notice_type":"notify","sub_type":"poke","user_id":1,"target_id":2}`)
	for _, want := range []string{"meta_event.lifecycle", "meta_event.heartbeat", "notice.bot_offline", "notice.poke"} {
		if got := next(t, events); !strings.HasPrefix(got, strings.Split(want, ".")[0]) || !strings.HasSuffix(got, strings.Split(want, ".")[1]) {
			t.Errorf("event %s, want %s", got, want)
		}
	}

	// A lost link is told once, and another one follows by itself.
	ws.CloseNow()
	if f := until(t, facts, bot.Down); f.Err == nil {
		t.Errorf("%+v", f)
	}
	until(t, facts, bot.Up)
	until(t, facts, bot.Ready)
	next(t, h.links)
	l.Drop()
	until(t, facts, bot.Down)
	until(t, facts, bot.Up)
	until(t, facts, bot.Ready)
}

func TestSendsWithoutConfirmation(t *testing.T) {
	h := newHost(t, "secret")
	l, facts, _ := start(t, h)
	until(t, facts, bot.Up)
	until(t, facts, bot.Ready)
	send := func(retcode int, message string) error {
		ended := make(chan error, 1)
		go func() {
			_, err := l.Bot().SendGroup(t.Context(), 1, "x")
			ended <- err
		}()
		c := next(t, h.calls)
		if message != "" || retcode == 0 {
			c.answer(t, retcode, "null", message)
		}
		return next(t, ended)
	}
	// A group that does not exist says nothing about the account.
	if err := send(1200, "群不存在"); !onebot.IsRefused(err) {
		t.Errorf("got %v", err)
	}
	// Nor does a muted one: three answers to /ping there must not restart NapCat.
	for range 3 {
		if err := send(1200, `EventChecker Failed: NTEvent EventRet:\n{"result":120,"errMsg":"muted"}`); !onebot.IsMuted(err) {
			t.Errorf("got %v", err)
		}
	}
	if err := send(1200, "Timeout: NTEvent"); !onebot.MaybeDone(err) {
		t.Errorf("got %v", err)
	}
	if f := until(t, facts, bot.Sends); f.InRow != 1 {
		t.Errorf("%+v", f)
	}
	if err := send(1, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if f := until(t, facts, bot.Sends); f.InRow != 2 {
		t.Errorf("%+v", f)
	}
	if err := send(0, ""); err != nil {
		t.Errorf("got %v", err)
	}
	if f := until(t, facts, bot.Sends); f.InRow != 0 {
		t.Errorf("%+v", f)
	}
	if s := l.Stats(); s.Calls != 7 || s.CallsFailed != 6 || s.SendsFailed != 6 {
		t.Errorf("stats %+v", s)
	}
}

func TestBadTokenEndsConnect(t *testing.T) {
	h := newHost(t, "other")
	l, facts, _ := start(t, h)
	until(t, facts, bot.Up)
	until(t, facts, bot.Down)
	if f := until(t, facts, bot.BadToken); !onebot.IsBadToken(f.Err) {
		t.Errorf("%+v", f)
	}
	if err := l.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("got %v", err)
	}
	// Connect can be called again, with the right token.
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Connect(ctx, h.url, "other") }()
	until(t, facts, bot.Up)
	until(t, facts, bot.Ready)
	why := errors.New("no longer wanted")
	cancel(why)
	if err := next(t, ended); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestDemoBot(t *testing.T) {
	h := newHost(t, "secret")
	_, facts, _ := start(t, h)
	until(t, facts, bot.Up)
	until(t, facts, bot.Ready)
	ws := next(t, h.links)
	// asked is the next call that is no look at what was missed.
	asked := func() call {
		t.Helper()
		for {
			c := next(t, h.calls)
			if !strings.HasSuffix(c.Action, "_history") && c.Action != "get_recent_contact" {
				return c
			}
			c.answer(t, 1404, "null", "no such action")
		}
	}
	id := 0
	say := func(text string, self bool) {
		t.Helper()
		id++
		user := 2
		if self {
			user = 10001
		}
		frame := fmt.Sprintf(`{"self_id":10001,"user_id":%d,"time":1,"message_id":%d,"message_type":"private","sender":{"user_id":2},"sub_type":"friend","message":[{"type":"text","data":{"text":%q}}],"post_type":"message"}`, user, id, text)
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
			t.Error(err)
		}
	}
	say("测试", true) // its own words are nobody's command
	say("你好", false)
	for _, tc := range []struct{ in, out string }{
		{"测试", "NcatBot 测试成功喵~"}, {"/ping", "pong"}, {"/echo a b", "a b"}, {"/help", "/status"},
	} {
		say(tc.in, false)
		c := asked()
		if !strings.Contains(string(c.Params), tc.out) || !strings.Contains(string(c.Params), `"user_id":"2"`) {
			t.Errorf("%s: %s %s", tc.in, c.Action, c.Params)
		}
		c.answer(t, 0, `{"message_id":1}`, "")
	}
	say("/status", false)
	asked().answer(t, 0, `{"app_name":"NapCat.Onebot","protocol_version":"v11","app_version":"4.18.19"}`, "")
	c := asked()
	for _, want := range []string{"10001", "NapCat.Onebot 4.18.19", "MiB"} {
		if !strings.Contains(string(c.Params), want) {
			t.Errorf("status without %s: %s", want, c.Params)
		}
	}
	c.answer(t, 0, `{"message_id":1}`, "")
}
