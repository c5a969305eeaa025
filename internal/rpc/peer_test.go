package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/rpc"
)

// peer is the other end of one connection, on a real socket.
type peer struct {
	t   *testing.T
	ws  *websocket.Conn
	req *http.Request
}

// request is one call as the peer sees it.
type request struct {
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
	Echo   json.RawMessage `json:"echo"`
}

// endpoint serves each connection with serve, which ends the connection by
// returning, and returns the URL.
func endpoint(t *testing.T, serve func(ctx context.Context, p *peer)) string {
	t.Helper()
	var open sync.WaitGroup
	open.Add(1) // until no more connections come
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		ws.SetReadLimit(-1)
		open.Add(1)
		defer open.Done()
		defer ws.CloseNow()
		serve(ctx, &peer{t: t, ws: ws, req: r})
	}))
	t.Cleanup(func() { cancel(); srv.Close(); open.Done(); open.Wait() })
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func (p *peer) write(ctx context.Context, frame string) error {
	return p.ws.Write(ctx, websocket.MessageText, []byte(frame))
}

// next reads one call; ok is false when the link has ended.
func (p *peer) next(ctx context.Context) (q request, ok bool) {
	_, b, err := p.ws.Read(ctx)
	if err != nil {
		return q, false
	}
	if err := json.Unmarshal(b, &q); err != nil {
		p.t.Errorf("peer got %q: %v", b, err)
		return q, false
	}
	return q, true
}

func okFrame(echo json.RawMessage, data string) string {
	return fmt.Sprintf(`{"status":"ok","retcode":0,"data":%s,"message":"","wording":"","echo":%s,"stream":"normal-action"}`, data, echo)
}

// patience is how long what must happen may take: a machine may be busy.
const patience = time.Minute

// dial connects and runs the connection; wait returns Run's error.
func dial(t *testing.T, url string, o rpc.Options) (c *rpc.Conn, wait func() error) {
	t.Helper()
	if o.PingInterval == 0 {
		o.PingInterval = -1 // a machine that is busy with other tests is no dead peer
	}
	c, err := rpc.Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- c.Run(ctx) }()
	var once sync.Once
	var result error
	wait = func() error {
		once.Do(func() {
			select {
			case result = <-ended:
			case <-time.After(patience):
				t.Error("Run did not end")
			}
		})
		return result
	}
	t.Cleanup(func() {
		cancel()
		wait()
		if n := c.Stats().Pending; n != 0 {
			t.Errorf("%d calls pending after Run", n)
		}
	})
	return c, wait
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	await.True(t, patience, what, cond)
}
