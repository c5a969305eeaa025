package ncattest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// client is a bot in another language, as far as the wire is concerned.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, url, token string) *client {
	t.Helper()
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	ws, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: h}) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t, ws}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next frame.
func (c *client) next() map[string]any {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		c.t.Fatalf("%s: %v", b, err)
	}
	return m
}

// TestServerWire plays a client in another language: what E.1 to E.3 of the
// contract say comes over the socket.
func TestServerWire(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret", Heartbeat: 20 * time.Millisecond})
	bad := dial(t, s.URL(), "wrong")
	if f := bad.next(); f["retcode"] != 1403.0 || f["message"] != "token验证失败" || f["echo"] != nil {
		t.Errorf("bad token: %v", f)
	}
	if _, _, err := bad.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNoStatusRcvd {
		t.Errorf("bad token: the socket ended with %v", err)
	}

	c := dial(t, s.URL()+"/any/path?access_token=secret", "")
	if f := c.next(); f["meta_event_type"] != "lifecycle" || f["sub_type"] != "connect" || f["self_id"] != 10001.0 {
		t.Errorf("first frame %v", f)
	}
	if f := c.next(); f["meta_event_type"] != "heartbeat" || f["interval"] != 20.0 {
		t.Errorf("heartbeat %v", f)
	}

	api := dial(t, s.URL()+"/api", "secret") // no events
	for _, x := range []struct {
		send    string
		retcode float64
		message string
		echo    any
	}{
		{`{"action":"get_status","echo":{"a":[1]}}`, 0, "", map[string]any{"a": []any{1.0}}},
		{`{action:'get_status_async',/*json5*/}`, 0, "", ""},
		{`{"action":"fly","echo":"x"}`, 1404, "不支持的API fly", "x"},
		{`nonsense`, 1400, "json解析失败,请检查数据格式", nil},
		{`{"action":"set_group_ban","params":{},"echo":1}`, 1400, "Schema compilation error: Expected required property", 1.0},
		{`{"action":"get_msg","params":{"message_id":1},"echo":2}`, 1200, "消息不存在", 2.0},
		{`{"action":"send_group_msg","params":{"group_id":"100","message":"hi"},"echo":3}`, 0, "", 3.0},
	} {
		api.send(x.send)
		f := api.next()
		if f["retcode"] != x.retcode || f["message"] != x.message || fmt.Sprint(f["echo"]) != fmt.Sprint(x.echo) || f["stream"] != "normal-action" {
			t.Errorf("%s was answered with %v", x.send, f)
		}
	}
	s.Want("hi")
	api.send(`{"action":"test_download_stream","echo":"st"}`)
	if f := api.next(); f["stream"] != "stream-action" || f["echo"] != "st" {
		t.Errorf("packet %v", f)
	}
}

// TestServerBot runs a bot by Dial: what people do has its effects, and so have
// the bot's calls.
func TestServerBot(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Quote(ctx, m, m.Text())
	}, ncat.Where(ncat.NotSelf(), ncat.Not(ncat.HasPrefix("/"))))
	ncat.Command(b, "kick", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		Who onebot.UserID `arg:"who"`
	}) error {
		return b.API().SetGroupKick(ctx, onebot.SetGroupKickParams{GroupID: ncat.ChatOf(m).Group, UserID: a.Who})
	}, ncat.Need(ncat.RoleGroupAdmin))
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupDecrease) error {
		_, err := b.SendGroup(ctx, e.GroupID, "bye ", e.UserID.String(), " ", e.SubType)
		return err
	})
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		_, err := b.SendGroup(ctx, e.GroupID, "welcome ", e.UserID.String())
		return err
	})
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, r *onebot.FriendRequest) error { return b.Approve(ctx, r) })
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, r *onebot.FriendAdd) error {
		_, err := b.SendPrivate(ctx, r.UserID, "hello friend")
		return err
	})
	s.Run(b)

	id := s.Friend(1).Says("你好")
	if m := s.One(); m.Message.ReplyTo() != id || m.Text() != "你好" || m.Chat != ncat.Private(1) {
		t.Errorf("answered %v", m)
	}
	g := s.Group(100)
	g.From(2).Joins()
	s.Want("welcome 2")
	g.From(2).Named("Bob").Says(onebot.Face(14), "hi")
	s.WantLike("hi")
	g.From(3).Says("/kick 2")
	s.WantLike("权限")
	s.WantNoCall("set_group_kick")
	g.Admin(3).Says("/kick 2")
	s.WantCall("set_group_kick", "user_id", 2)
	s.Want("bye 2 kick")
	s.Friend(9).Asks("let me in")
	s.WantCall("set_friend_add_request", "approve", true)
	s.Want("hello friend")
	s.WantNothing(20 * time.Millisecond)

	// A file travels both ways.
	content := make([]byte, 200_000)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SendPrivate(t.Context(), 1, ncat.File(ncat.Bytes(content), "a.bin")); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := b.Download(t.Context(), &got, s.One().Message[0]); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes came back, %v", got.Len(), err)
	}
}

// TestServerFaults cuts, delays and refuses.
func TestServerFaults(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{})
	b := ncat.New()
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
		return b.Reply(ctx, m, "re: "+m.Text())
	})
	s.Run(b)
	s.Friend(1).Says("one")
	s.Want("re: one")
	if n := s.Drop(); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	s.Friend(1).Says("two") // waits for the bot to be back
	s.Want("re: two")

	s.On("send_private_msg", ncattest.Times(1, ncattest.Refuse(1200, "发送失败")))
	_, err := b.SendPrivate(t.Context(), 1, "x")
	var e *onebot.Error
	if !errors.As(err, &e) || e.RetCode != 1200 || e.Message != "发送失败" {
		t.Errorf("refused with %v", err)
	}
	if _, err := b.SendPrivate(t.Context(), 1, "y"); err != nil {
		t.Error(err)
	}
	s.Want("y")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.On("get_status", func(p json.RawMessage) (any, error) {
		cancel()
		return ncattest.Silence()(p)
	})
	if _, err := b.API().GetStatus(ctx); !errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Errorf("silence: %v", err)
	}
	s.On("get_status", ncattest.Result(map[string]any{"online": false, "good": true}))
	if st, err := b.API().GetStatus(t.Context()); err != nil || st.Online {
		t.Errorf("canned: %v, %v", st, err)
	}
	s.Disturb(ncattest.Faults{Shuffle: true, Delay: 5 * time.Millisecond})
	s.SendFrame("garbage")
	s.Event(ncattest.Muted(100, 0, 5, 60))
	s.Friend(1).Says("three")
	s.Want("re: three")
}

// TestServerHTTP is contract E.5 and E.6.
func TestServerHTTP(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret"})
	post := func(path, body string) string {
		t.Helper()
		resp, err := http.Post(s.HTTP()+path, "application/json", strings.NewReader(body)) //nolint:noctx // the server ends with the test
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", string(b))
	}
	if got := post("/get_status", "{}"); got != `403 {"message":"token verify failed!"}` {
		t.Errorf("without a token: %s", got)
	}
	if got := post("/fly?access_token=secret&echo=e", "{}"); !strings.Contains(got, `"retcode":200`) || !strings.Contains(got, "不支持的Api fly") {
		t.Errorf("unknown action: %s", got)
	}
	if got := post("/send_group_msg?access_token=secret", `{"group_id":100,"message":"hi [CQ:face,id=14]"}`); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("send: %s", got)
	}
	s.Want("hi [CQ:face,id=14]")

	b := ncat.New()
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		return b.Reply(ctx, m, "re: "+m.Text())
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.DialHTTP(ctx, s.HTTP(), "secret") }()
	s.Group(100).From(1).Says("x")
	s.Want("re: x")
	cancel()
	<-ended
}

// TestServerConnects is contract E.4 and E.7: the host comes to the bot.
func TestServerConnects(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding a loopback port does not wait
	if err != nil {
		t.Fatal(err)
	}
	b := ncat.New()
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		return b.Reply(ctx, m, "re: "+m.Text())
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "secret") }()
	s := ncattest.NewServer(t, ncattest.ServerOptions{Token: "secret", Connect: []string{"ws://" + ln.Addr().String() + "/bot"}})
	s.Group(100).From(1).Says("x")
	s.Want("re: x")
	cancel()
	<-ended

	bodies := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- r.Header.Get("X-Self-Id") + " " + string(body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer hook.Close()
	s = ncattest.NewServer(t, ncattest.ServerOptions{Self: 42, TextMessages: true, Post: []string{hook.URL}})
	s.Friend(1).Says("y", onebot.Face(14))
	if got := <-bodies; !strings.HasPrefix(got, "42 ") || !strings.Contains(got, `"message_format":"string"`) || !strings.Contains(got, `"message":"y[CQ:face,id=14`) {
		t.Errorf("posted %s", got)
	}
}

// TestRunReturnsWithALink lets a second bot act as soon as Run returns; the first
// one's connection is not taken for its own.
func TestRunReturnsWithALink(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{})
	for range 20 {
		b := ncat.New()
		s.Run(b)
		if _, err := b.For(ncattest.Self).SendGroup(t.Context(), 100, "up"); err != nil {
			t.Fatal(err)
		}
	}
	s.Want(slices.Repeat([]string{"up"}, 20)...)
}
