package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// ponger answers group messages and tells what came of it.
func ponger() (*ncat.Bot, chan error) {
	b := ncat.New()
	result := make(chan error, 8)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		id, err := b.Send(ctx, ncat.ChatOf(m), "pong")
		if err == nil && id != 424242 {
			err = fmt.Errorf("message id %d", id)
		}
		result <- err
		return nil
	})
	return b, result
}

func TestServeReverse(t *testing.T) {
	b, result := ponger()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "secret") }()
	url := "ws://" + ln.Addr().String() + "/onebot"
	if _, _, err := websocket.Dial(ctx, url, nil); err == nil {
		t.Error("connected without a token")
	}
	for i := range 2 { // two accounts
		ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: http.Header{
			"Authorization": {"Bearer secret"}, "X-Self-ID": {fmt.Sprint(10001 + i)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		eventually(t, "the account", func() bool { return b.For(onebot.UserID(10001+i)) != nil })
		say(t, ws, groupFrame(1, i))
		_, frame, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var q struct{ Echo json.RawMessage }
		json.Unmarshal(frame, &q)
		say(t, ws, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":{"message_id":424242},"echo":%s}`, q.Echo))
		if err := next(t, result); err != nil {
			t.Error(err)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Serve did not end")
	}
}

func TestDialHTTPAndWebhook(t *testing.T) {
	events := make(chan string)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_events" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			for {
				select {
				case e := <-events:
					fmt.Fprintf(w, "data: %s\n\n", e)
					w.(http.Flusher).Flush()
				case <-r.Context().Done():
					return
				}
			}
		}
		io.WriteString(w, `{"status":"ok","retcode":0,"data":{"message_id":424242},"echo":"x"}`)
	}))
	defer srv.Close()
	b, result := ponger()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- b.DialHTTP(ctx, srv.URL, "") }()
	events <- string(groupFrame(1, 0))
	if err := next(t, result); err != nil {
		t.Error(err)
	}
	handler, run := b.Webhook("", srv.URL, "")
	go func() { ended <- run(ctx) }()
	hook := httptest.NewServer(handler)
	defer hook.Close()
	resp, err := http.Post(hook.URL, "application/json", strings.NewReader(string(groupFrame(2, 0))))
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	if err := next(t, result); err != nil {
		t.Error(err)
	}
	cancel()
	for range 2 {
		if err := next(t, ended); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
