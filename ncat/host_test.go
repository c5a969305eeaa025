package ncat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// host is a OneBot endpoint on a real socket. It answers every call, after
// answer (nil: at once, ok) has seen it.
type host struct {
	url    string
	links  chan *websocket.Conn // each link, once it is up
	answer func(action string, params json.RawMessage) string
	calls  atomic.Int64
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx := context.WithoutCancel(r.Context())
	ws.Write(ctx, websocket.MessageText, []byte(`{"time":1,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`))
	h.links <- ws
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return
		}
		var q struct {
			Action string
			Params json.RawMessage
			Echo   json.RawMessage
		}
		if json.Unmarshal(b, &q) != nil {
			continue
		}
		wg.Go(func() {
			data := `{"message_id":424242}`
			if h.answer != nil {
				data = h.answer(q.Action, q.Params)
			}
			h.calls.Add(1)
			if data == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":%s,"echo":%s}`, data, q.Echo))
		})
	}
}

func newHost(t *testing.T) *host {
	h := &host{links: make(chan *websocket.Conn, 16)}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.CloseClientConnections)
	h.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	return h
}

func groupFrame(group, n int) []byte {
	return fmt.Appendf(nil, `{"self_id":10001,"user_id":2,"time":1,"message_id":%d,"message_type":"group","sender":{"user_id":2},"sub_type":"normal","message":[{"type":"text","data":{"text":"ping %d"}}],"message_format":"array","post_type":"message","group_id":%d}`, n+1, n, group)
}

func say(t *testing.T, ws *websocket.Conn, frame []byte) {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, frame); err != nil {
		t.Error(err)
	}
}

// dial runs the bot until the test ends or stop is called, which returns the
// error of Dial.
func dial(t *testing.T, b *ncat.Bot, url string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ctx, url, "") }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			buf := make([]byte, 1<<20)
			t.Errorf("Dial did not end\n%s", buf[:runtime.Stack(buf, true)])
			return nil
		}
	})
	t.Cleanup(func() { stop() })
	return stop
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("waited in vain\n%s", buf[:runtime.Stack(buf, true)])
		panic("unreachable")
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	await.True(t, 10*time.Second, what, cond)
}

type noCalls struct{}

func (noCalls) Call(context.Context, string, any, any) error { return onebot.ErrNotSent }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type recorder struct{ calls []string }

func (r *recorder) Call(_ context.Context, action string, params, _ any) error {
	b, err := json.Marshal(params)
	r.calls = append(r.calls, action+" "+string(b))
	return err
}
