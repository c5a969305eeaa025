package adapter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// bot is a server to which reverse WebSockets connect.
type bot struct {
	*httptest.Server
	conns chan *client
	heads chan http.Header
}

func newBot(t *testing.T) *bot {
	b := &bot{conns: make(chan *client, 8), heads: make(chan http.Header, 8)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		ws.SetReadLimit(-1)
		b.heads <- r.Header.Clone()
		b.conns <- &client{t: t, ws: ws}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bot) url(path string) string { return "ws" + strings.TrimPrefix(b.URL, "http") + path }

func (b *bot) accept(t *testing.T) *client {
	t.Helper()
	select {
	case c := <-b.conns:
		t.Cleanup(func() { c.ws.CloseNow() })
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no reverse WebSocket came")
		return nil
	}
}

func reverseConfig(url string) string {
	return `{network:{websocketClients:[{name:"c",enable:true,url:"` + url + `",token:"tk",heartInterval:0,reconnectInterval:50}]}}`
}

func TestReverse(t *testing.T) {
	b := newBot(t)
	r := newRig(t, reverseConfig(b.url("/onebot")))
	c := b.accept(t)
	h := <-b.heads
	for k, want := range map[string]string{"X-Self-Id": "10001", "Authorization": "Bearer tk", "X-Client-Role": "Universal", "User-Agent": "OneBot/11"} {
		if got := h.Get(k); got != want {
			t.Errorf("header %s = %q, want %q", k, got, want)
		}
	}
	if got := timeless(c.next()); got != lifecycle {
		t.Errorf("first frame %s", got)
	}
	c.send(`{"action":"nope","echo":"r2"}`)
	if got, want := c.next(), `{"status":"failed","retcode":1404,"data":null,"message":"不支持的Api nope","wording":"不支持的Api nope","echo":"r2","stream":"normal-action"}`; got != want {
		t.Errorf("got %s", got)
	}
	c.ws.CloseNow()
	c = b.accept(t) // comes back by itself
	if got := timeless(c.next()); got != lifecycle {
		t.Errorf("first frame after reconnecting %s", got)
	}
	if !r.logged("连接意外关闭") || !r.logged("在 0.05 秒后尝试重新连接") {
		t.Error("the lost connection is not in the log")
	}
}

func TestReverseWithoutToken(t *testing.T) {
	b := newBot(t)
	newRig(t, `{network:{websocketClients:[{name:"c",enable:true,url:"`+b.url("/")+`"}]}}`)
	b.accept(t)
	// The header is sent with nothing behind the word; HTTP trims the blank.
	if got := (<-b.heads).Get("Authorization"); got != "Bearer" && got != "Bearer " {
		t.Errorf("Authorization = %q", got)
	}
}

// TestReverseURLChange holds the hazard of changing the url while connected: two
// live connections, of which the second answers for both in the end.
func TestReverseURLChange(t *testing.T) {
	b := newBot(t)
	r := newRig(t, reverseConfig(b.url("/one")))
	old := b.accept(t)
	old.next()
	c, err := ParseConfig(reverseConfig(b.url("/two")))
	if err != nil {
		t.Fatal(err)
	}
	r.n.Apply(c)
	first := b.accept(t)
	first.next() // lifecycle
	if _, err := old.read(); err == nil {
		t.Error("the old connection still lives")
	}
	second := b.accept(t)
	if got := timeless(second.next()); got != lifecycle {
		t.Errorf("first frame of the second connection %s", got)
	}
	first.send(`{"action":"get_status","echo":"asked on the first"}`)
	if got := second.next(); !strings.Contains(got, "asked on the first") {
		t.Errorf("the second connection got %s", got)
	}
	if _, err := r.w.Say(world.Say{User: 3001000001, Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	if got := second.next(); !strings.Contains(got, `"raw_message":"hi"`) {
		t.Errorf("the second connection got %s", got)
	}
	// Nothing reaches the first any more, though it is alive: a ping is answered.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	first.ws.CloseRead(ctx)
	if err := first.ws.Ping(ctx); err != nil {
		t.Errorf("the first connection is dead: %v", err)
	}
}
