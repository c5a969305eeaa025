package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/rpc"
)

// An app that is called may refuse, redirect, hang up at once, or send what no app
// should. Its status says why, without its secrets, and once it behaves it has its
// link and what it missed.
func TestReverseOutlivesWhatItsServerDoes(t *testing.T) {
	const secret = "a-secret-of-the-address"
	refuse := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere?access_token="+secret)
			w.WriteHeader(code)
		}
	}
	accept := func(does func(ctx context.Context, ws *websocket.Conn)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer func() { _ = ws.CloseNow() }()
			does(r.Context(), ws)
		}
	}
	garbage := accept(func(ctx context.Context, ws *websocket.Conn) {
		for i := range 10 * maxGarbage {
			if ws.Write(ctx, websocket.MessageType(1+i%2), []byte{0xff, 0}) != nil {
				return
			}
		}
		<-ctx.Done()
	})
	giant := accept(func(ctx context.Context, ws *websocket.Conn) {
		_ = ws.Write(ctx, websocket.MessageText, make([]byte, rpc.MaxRequest+2))
		_, _, _ = ws.Read(ctx)
	})
	for name, c := range map[string]struct {
		does http.HandlerFunc
		says string
	}{
		"401": {refuse(401), "answered HTTP 401"}, "403": {refuse(403), "answered HTTP 403"}, "404": {refuse(404), "answered HTTP 404"},
		"500": {refuse(500), "answered HTTP 500"}, "302": {refuse(302), "answered HTTP 302"}, "200": {refuse(200), "answered HTTP 200"},
		"hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, "EOF"},
		"closes at once": {accept(func(_ context.Context, ws *websocket.Conn) { _ = ws.Close(4001, "not you") }), "not you"},
		"garbage":        {garbage, "speaks garbage"},
		"giant":          {giant, "read limited"},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int64
			var good atomic.Bool
			came := make(chan *client, 8)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tries.Add(1); !good.Load() {
					c.does(w, r)
					return
				}
				accept(func(ctx context.Context, ws *websocket.Conn) { came <- &client{t, ws}; <-t.Context().Done() })(w, r)
			}))
			t.Cleanup(srv.CloseClientConnections)
			s := newStage(t, func(c *Config) {
				c.Listen = ""
				c.Reverse = Reverse{URL: "ws" + srv.URL[4:] + "/ws?access_token=" + secret, Interval: 200 * time.Millisecond}
			})
			await.True(t, 20*time.Second, fmt.Sprintf("%q in the status", c.says), func() bool {
				return tries.Load() > 2 && strings.Contains(s.app.Stats().LastError, c.says)
			})
			if said := s.app.Stats().LastError; strings.Contains(said, secret) {
				t.Error(said)
			}
			good.Store(true)
			l := <-came
			for !strings.Contains(l.read(), `"lifecycle"`) {
			}
			if raw := s.say("after all"); l.event() != raw {
				t.Error("the event changed")
			}
			if got := l.call(`{"action":"get_status","echo":1}`); !strings.Contains(got, `"retcode":0`) {
				t.Error(got)
			}
		})
	}
}

// A server that pings as fast as it can is answered, and its app works all the same.
func TestReverseAnswersManyPings(t *testing.T) {
	came := make(chan *client, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		came <- &client{t, ws}
		<-t.Context().Done()
	}))
	t.Cleanup(srv.CloseClientConnections)
	s := newStage(t, func(c *Config) {
		c.Listen = ""
		c.Reverse = Reverse{URL: "ws" + srv.URL[4:], Interval: time.Second}
	})
	l := <-came
	events := make(chan string, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			_, b, err := l.ws.Read(context.WithoutCancel(t.Context()))
			if err != nil {
				return
			}
			events <- string(b)
		}
	}()
	<-events // the lifecycle
	for range 2000 {
		if err := l.ws.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	raw := s.say("through")
	if got := <-events; got != raw {
		t.Error(got)
	}
	l.write(`{"action":"get_status","echo":1}`)
	if got := <-events; !strings.Contains(got, `"retcode":0`) {
		t.Error(got)
	}
	_ = l.ws.CloseNow()
	<-done
}

// A server that takes the connection and never answers is given up and told of, try
// after try. The account's other apps do not notice, and a stop does not wait for it.
func TestReverseGivesUpAServerThatNeverAnswers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newStage(t, nil)
	log := slog.New(slog.DiscardHandler)
	mute, err := s.g.App(Config{
		Name: "mute", Accounts: []string{"main"}, Replay: Replay{Age: time.Minute, Events: 1000}, Heartbeat: time.Hour, Logger: log,
		Reverse: Reverse{URL: "ws://" + ln.Addr().String() + "/ws?access_token=a-secret", Interval: firstPause},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = mute.Run(ctx); close(ended) }()
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	other := s.dial("/")
	other.read() // its lifecycle: from here on it gets what comes
	for range 1000 {
		if raw := s.say("to the other"); other.event() != raw {
			t.Fatal("the event changed")
		}
	}
	if _, err := io.Copy(io.Discard, first); err != nil {
		t.Errorf("how it was given up: %v", err)
	}
	second, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := mute.Stats(); got.LastError != "ws://"+ln.Addr().String()+"/ws takes connections, but did not answer within 10s" || got.Links != 0 || got.Queue != 0 {
		t.Errorf("%+v", got)
	}
	stop()
	select {
	case <-ended:
	case <-time.After(dialTimeout / 2):
		t.Error("a stop waits for the server")
	}
}
