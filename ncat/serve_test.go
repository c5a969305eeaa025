package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A host may use two connections, one for events and one for calls.
func TestServeEventAndAPIApart(t *testing.T) {
	b, result := ponger()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "secret") }()
	connect := func(role string) *websocket.Conn {
		ws, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{HTTPHeader: http.Header{
			"Authorization": {"token secret"}, "X-Self-Id": {"10001"}, "X-Client-Role": {role},
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ws.CloseNow() })
		return ws
	}
	events := connect("Event")
	eventually(t, "the account", func() bool { return b.For(10001) != nil })
	say(t, events, groupFrame(1, 0))
	if err := next(t, result); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("without a connection for calls: %v", err)
	}
	api := connect("API")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			_, frame, err := api.Read(ctx)
			if err != nil {
				return
			}
			var q struct{ Echo json.RawMessage }
			_ = json.Unmarshal(frame, &q)
			_ = api.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":{"message_id":424242},"echo":%s}`, q.Echo))
		}
	}()
	eventually(t, "a call", func() bool { return b.For(10001).Call(ctx, "get_status", nil, nil) == nil })
	say(t, events, groupFrame(1, 1))
	if err := next(t, result); err != nil {
		t.Error(err)
	}
	if n := len(b.Accounts()); n != 1 {
		t.Errorf("%d accounts", n)
	}
	cancel()
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve returned %v", err)
	}
	<-answered
}

// What comes over two connections of one account is handled once: messages, and
// notices that have a key.
func TestServeDoublesOfTwoConnections(t *testing.T) {
	heard := make(chan string, 400)
	b := ncat.New(ncat.WithLogger(nil), ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillAsk}))
	b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
		heard <- m.Msg().Text()
		return nil
	})
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e *onebot.GroupRecall) error {
		heard <- fmt.Sprint("recall ", e.MessageID)
		return nil
	})
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e *onebot.GroupIncrease) error {
		heard <- fmt.Sprint("welcome ", e.UserID)
		return nil
	})
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e *onebot.GroupBan) error {
		heard <- fmt.Sprint(e.SubType, " ", e.UserID)
		return nil
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "secret") }()
	var links []*websocket.Conn
	for range 2 {
		ws, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{HTTPHeader: http.Header{
			"Authorization": {"Bearer secret"}, "X-Self-Id": {"10001"}, "X-Client-Role": {"Event"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		links = append(links, ws)
	}
	want := map[string]int{}
	for i := range 20 {
		text := fmt.Sprint("message ", i)
		message := fmt.Sprintf(`{"time":%d,"self_id":10001,"post_type":"message","message_type":"group","sub_type":"normal","group_id":100,"user_id":1,"message_id":%d,"real_seq":"%d","message":[{"type":"text","data":{"text":%q}}],"raw_message":%q}`, 1000+i, 7000+i, i+1, text, text)
		recall := fmt.Sprintf(`{"time":%d,"self_id":10001,"post_type":"notice","notice_type":"group_recall","group_id":100,"user_id":1,"operator_id":1,"message_id":%d}`, 1000+i, 7000+i)
		joined := fmt.Sprintf(`{"time":%d,"self_id":10001,"post_type":"notice","notice_type":"group_increase","sub_type":"approve","group_id":100,"user_id":%d,"operator_id":1}`, 1000+i/4, 3000+i)
		muted := fmt.Sprintf(`{"time":%d,"self_id":10001,"post_type":"notice","notice_type":"group_ban","sub_type":"ban","group_id":100,"user_id":%d,"operator_id":1,"duration":60}`, 1000+i/4, 3000+i)
		for _, ws := range links {
			for _, frame := range []string{message, recall, joined, muted} {
				say(t, ws, []byte(frame))
			}
		}
		want[text], want[fmt.Sprint("recall ", 7000+i)] = 1, 1
		want[fmt.Sprint("welcome ", 3000+i)], want[fmt.Sprint("ban ", 3000+i)] = 1, 1
	}
	got := map[string]int{}
	for range want {
		got[next(t, heard)]++
	}
	cancel()
	if err := next(t, ended); !errors.Is(err, context.Canceled) { // all handlers have returned
		t.Errorf("Serve returned %v", err)
	}
	for len(heard) > 0 {
		got[<-heard]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("handled %v", got)
	}
}

// The log says that the bot is connected when the token was right, not before.
func TestConnectedIsSaidWhenTheTokenWasRight(t *testing.T) {
	var mu sync.Mutex
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	text := func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var right bool
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		if !right {
			_ = ws.Write(r.Context(), websocket.MessageText, []byte(`{"status":"failed","retcode":1403,"data":null,"message":"","wording":"","echo":null}`))
			return
		}
		_ = ws.Write(r.Context(), websocket.MessageText, []byte(`{"time":1,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`))
		_, _, _ = ws.Read(r.Context())
	})}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	url := "ws://" + ln.Addr().String()
	err = ncat.New(ncat.WithLogger(logger)).Dial(t.Context(), url, "guess")
	if !errors.Is(err, ncat.ErrBadToken) || strings.Contains(err.Error(), ": :") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(text(), "msg=connected") {
		t.Errorf("the log says connected:\n%s", text())
	}
	right = true
	dial(t, ncat.New(ncat.WithLogger(logger)), url)
	eventually(t, "the log to say so", func() bool { return strings.Contains(text(), "msg=connected url=ws://127.0.0.1") })
}

func TestWrongUseIsNamed(t *testing.T) {
	b := ncat.New()
	named := func(what string, f func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "ncat: "+what) {
				t.Errorf("%s: %q", what, text)
			}
		}()
		f()
	}
	named("AddPlugin", func() { b.AddPlugin(nil) })
	named("OnStart", func() { b.OnStart(nil) })
	named("OnStop", func() { b.OnStop(nil) })
	if _, err := b.Schedule("daily", "@daily", nil); err == nil || !strings.Contains(err.Error(), "schedule daily: the function") {
		t.Errorf("a schedule without a function: %v", err)
	}
	if err := b.Serve(t.Context(), nil, ""); err == nil || !strings.Contains(err.Error(), "net.Listen") {
		t.Errorf("Serve without a listener: %v", err)
	}
	for _, url := range []string{"", "127.0.0.1:3001", "ftp://x"} {
		if err := b.Dial(t.Context(), url, ""); !errors.Is(err, ncat.ErrBadAddress) || !strings.Contains(err.Error(), "ws://") {
			t.Errorf("Dial %q: %v", url, err)
		}
		if err := b.DialHTTP(t.Context(), url, ""); !errors.Is(err, ncat.ErrBadAddress) || !strings.Contains(err.Error(), "http://") {
			t.Errorf("DialHTTP %q: %v", url, err)
		}
	}
	called := make(chan error, 1)
	b.OnStart(func(ctx context.Context, b *ncat.Bot) error {
		called <- b.Call(ctx, "get_status", nil, nil)
		return nil
	})
	s := botlink.Of(b).NewSession("", instant{}, botlink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if err := next(t, called); !errors.Is(err, ncat.ErrNoAccount) || !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("a call in OnStart: %v", err)
	}
	cancel()
	next(t, ended)
}
