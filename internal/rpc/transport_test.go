package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// answers is what the endpoint of every transport does with an action.
func answers(action string, params json.RawMessage) (packets []string, last string, drop bool) {
	ok := func(data string) string {
		return `{"status":"ok","retcode":0,"data":` + data + `,"message":"","wording":"","echo":ECHO,"stream":"normal-action"}`
	}
	switch action {
	case "get":
		return nil, ok(string(params)), false
	case "refuse":
		return nil, `{"status":"failed","retcode":1200,"data":null,"message":"消息不存在","wording":"消息不存在","echo":ECHO,"stream":"normal-action"}`, false
	case "stream":
		for i := range 10 {
			packets = append(packets, fmt.Sprintf(`{"status":"ok","retcode":0,"data":{"type":"stream","n":%d},"message":"","wording":"","echo":ECHO,"stream":"stream-action"}`, i))
		}
		return packets, `{"status":"ok","retcode":0,"data":{"type":"response","n":10},"message":"","wording":"","echo":ECHO,"stream":"stream-action"}`, false
	case "large":
		return nil, ok(`{"s":"` + strings.Repeat("x", 5<<20) + `"}`), false
	case "drop":
		return nil, "", true
	}
	return nil, "", false // no answer at all
}

func servePeer(ctx context.Context, p *peer) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		q, ok := p.next(ctx)
		if !ok {
			return
		}
		packets, last, drop := answers(q.Action, q.Params)
		if drop {
			p.ws.CloseNow()
			return
		}
		wg.Go(func() {
			if q.Action == "get" {
				t := time.NewTimer(rand.N(3 * time.Millisecond)) // so that answers overtake each other
				<-t.C
			}
			mu.Lock()
			defer mu.Unlock()
			for _, f := range append(packets, last) {
				if f != "" {
					p.write(ctx, strings.Replace(f, "ECHO", string(q.Echo), 1))
				}
			}
		})
	}
}

func httpPeer(t *testing.T) string {
	silent := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"message":"token verify failed!"}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if !json.Valid(body) {
			http.Error(w, "Invalid JSON", http.StatusBadRequest)
			return
		}
		packets, last, drop := answers(strings.TrimPrefix(r.URL.Path, "/"), body)
		if drop {
			panic(http.ErrAbortHandler)
		}
		if last == "" {
			select {
			case <-r.Context().Done():
			case <-silent:
			}
			return
		}
		for _, f := range packets {
			io.WriteString(w, strings.Replace(f, "ECHO", `"x"`, 1)+"\r\n\r\n")
		}
		io.WriteString(w, strings.Replace(last, "ECHO", "null", 1))
		if len(packets) > 0 {
			io.WriteString(w, "\r\n\r\n")
		}
	}))
	t.Cleanup(func() { close(silent); srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

// reverse returns the connection that a host which dials us makes.
func reverse(t *testing.T) onebot.Streamer {
	conns := make(chan *rpc.Conn, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := rpc.Accept(w, r, rpc.Options{Token: "secret", CallTimeout: 300 * time.Millisecond})
		if err != nil {
			t.Error(err)
			return
		}
		if id := rpc.SelfID(r); id != 10001 {
			t.Errorf("self id %d", id)
		}
		conns <- c
		c.Run(t.Context())
	}))
	ws, _, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{HTTPHeader: http.Header{
		"Authorization": {"Bearer secret"}, "X-Self-ID": {"10001"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	ended := make(chan struct{})
	go func() { defer close(ended); servePeer(context.WithoutCancel(t.Context()), &peer{t: t, ws: ws}) }()
	t.Cleanup(func() { ws.CloseNow(); <-ended; srv.Close() })
	return <-conns
}

// TestTransports runs the same calls over every transport.
func TestTransports(t *testing.T) {
	transports := map[string]func(t *testing.T) onebot.Streamer{
		"forward": func(t *testing.T) onebot.Streamer {
			c, _ := dial(t, endpoint(t, servePeer), rpc.Options{CallTimeout: 300 * time.Millisecond})
			return c
		},
		"reverse": reverse,
		"http": func(t *testing.T) onebot.Streamer {
			return &rpc.HTTP{URL: httpPeer(t), Token: "secret", CallTimeout: 300 * time.Millisecond}
		},
	}
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					var got numbered
					if err := c.Call(ctx, "get", numbered{i}, &got); err != nil || got.N != i {
						t.Errorf("call %d: %v, %v", i, got, err)
					}
				})
			}
			wg.Wait()
			var refused *onebot.Error
			if err := c.Call(ctx, "refuse", nil, nil); !errors.As(err, &refused) || refused.Message != "消息不存在" || refused.Action != "refuse" || len(refused.Raw) == 0 {
				t.Errorf("refusal: %v", err)
			}
			n, last := 0, numbered{}
			err := c.Stream(ctx, "stream", nil, func(data json.RawMessage) error {
				var got numbered
				if json.Unmarshal(data, &got) != nil || got.N != n {
					t.Errorf("packet %d: %s", n, data)
				}
				n++
				return nil
			}, &last)
			if err != nil || n != 10 || last.N != 10 {
				t.Errorf("stream: %d packets, %v, %v", n, last, err)
			}
			var large struct{ S string }
			if err := c.Call(ctx, "large", nil, &large); err != nil || len(large.S) != 5<<20 {
				t.Errorf("large: %d bytes, %v", len(large.S), err)
			}
			if err := c.Call(t.Context(), "silent", nil, nil); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("silent: %v", err)
			}
			ended, end := context.WithCancel(ctx)
			end()
			if err := c.Call(ended, "get", numbered{1}, nil); !errors.Is(err, context.Canceled) || !rpc.Lost(err) {
				t.Errorf("cancelled: %v", err)
			}
			if err := c.Call(ctx, "drop", nil, nil); !errors.Is(err, onebot.ErrUnknownOutcome) || errors.Is(err, onebot.ErrNotSent) {
				t.Errorf("drop: %v", err)
			}
		})
	}
}

func TestHTTPErrors(t *testing.T) {
	url := httpPeer(t)
	bad := &rpc.HTTP{URL: url, Token: "hunter2"}
	if err := bad.Call(t.Context(), "get", nil, nil); !errors.Is(err, rpc.ErrBadToken) || !onebot.IsBadToken(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("bad token: %v", err)
	}
	if err := bad.Events(t.Context(), nil, nil); !errors.Is(err, rpc.ErrBadToken) {
		t.Errorf("bad token, events: %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	down := &rpc.HTTP{URL: gone.URL, Token: "密"}
	if err := down.Call(t.Context(), "get", nil, nil); !errors.Is(err, onebot.ErrNotSent) || strings.Contains(err.Error(), "access_token") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestSSE(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_events" || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: {\"time\":1,\"post_type\":\"notice\"}\n\n: comment\n\ndata:{\"status\":\"ok\",\"echo\":1}\n\ndata: {\"time\":2,\ndata: \"post_type\":\"message\"}\r\n\r\n")
	}))
	defer srv.Close()
	h := &rpc.HTTP{URL: srv.URL, Token: "secret"}
	var got []string
	ups, downs := 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := h.KeepEvents(ctx, func() { ups++ }, func(error) { downs++ }, func(f []byte) {
		if got = append(got, string(f)); len(got) == 4 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(got) != 4 || got[0] != `{"time":1,"post_type":"notice"}` || got[1] != "{\"time\":2,\n\"post_type\":\"message\"}" || ups != 2 || downs != 1 {
		t.Errorf("got %q, %d up, %d down", got, ups, downs)
	}
}

func TestWebhook(t *testing.T) {
	var got []string
	srv := httptest.NewServer(&rpc.Webhook{Secret: "secret", MaxFrame: 1000, Event: func(self onebot.UserID, f []byte) { got = append(got, fmt.Sprint(self, " ", string(f))) }})
	defer srv.Close()
	event := fmt.Sprintf(`{"time":%d,"self_id":10001,"post_type":"notice"}`, time.Now().Unix())
	for _, tc := range []struct {
		body, signature string
		want            int
	}{
		{event, signature("secret", event), 204},
		{event, "", 401},
		{event, signature("other", event), 403},
		{event, "sha1=zz", 403},
		{`{"a":1}`, signature("secret", `{"a":1}`), 400},
		{strings.Repeat("x", 2000), "", 401},
		{strings.Repeat("x", 2000), signature("secret", "x"), 413},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Self-ID", "10001")
		if tc.signature != "" {
			req.Header.Set("X-Signature", tc.signature)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.want {
			t.Errorf("%.20s %s: %d, want %d", tc.body, tc.signature, resp.StatusCode, tc.want)
		}
	}
	if len(got) != 1 || got[0] != "10001 "+event {
		t.Errorf("got %q", got)
	}
}

func TestReverseRefusesABadToken(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := rpc.Accept(w, r, rpc.Options{Token: "secret"}); !errors.Is(err, rpc.ErrBadToken) {
			t.Errorf("got %v", err)
		}
	}))
	defer srv.Close()
	_, resp, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer "}}})
	if err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}
