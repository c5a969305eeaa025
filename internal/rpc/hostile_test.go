package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// An endpoint that redirects gets one request, and where it leads to gets none.
func TestNoRedirectGetsTheToken(t *testing.T) {
	var there atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { there.Add(1) }))
	defer elsewhere.Close()
	for _, to := range []string{elsewhere.URL + "/x?access_token=hunter2", strings.Replace(elsewhere.URL, "http", "ws", 1), "/loop", "//" + strings.TrimPrefix(elsewhere.URL, "http://")} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var asked atomic.Int64
			here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.URL.RawQuery != "" {
					t.Errorf("query %q", r.URL.RawQuery)
				}
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}))
			h := &rpc.HTTP{URL: here.URL, Token: "secret"}
			for what, try := range map[string]func() error{
				"dial": func() error {
					_, err := rpc.Dial(t.Context(), here.URL, rpc.Options{Token: "secret"})
					return err
				},
				"call":   func() error { return h.Call(t.Context(), "x", nil, nil) },
				"events": func() error { return h.Events(t.Context(), nil, nil) },
				"own client": func() error {
					own := &rpc.HTTP{URL: here.URL, Token: "secret", Client: &http.Client{}}
					return own.Call(t.Context(), "x", nil, nil)
				},
			} {
				asked.Store(0)
				err := try()
				if err == nil || !strings.Contains(err.Error(), "redirects") || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s, %d to %s: %v", what, status, to, err)
				}
				if n := asked.Load(); n != 1 {
					t.Errorf("%s, %d to %s: %d requests", what, status, to, n)
				}
			}
			here.Close()
		}
	}
	if n := there.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestAddressesThatCannotWork(t *testing.T) {
	for raw, right := range map[string]string{
		"":                      "ws://127.0.0.1:3001",
		"127.0.0.1:3001":        "ws://127.0.0.1:3001",
		"localhost:3001":        "ws://localhost:3001",
		"ftp://10.0.0.2:3001/x": "ws://10.0.0.2:3001/x\n",
		"ftp://10.0.0.2":        "ws://10.0.0.2\n",
		"ftp://10.0.0.2:1":      "ws://10.0.0.2:1\n",
		"ftp://10.0.0.2:65535":  "ws://10.0.0.2:65535\n",
		"ftp://10.0.0.2:65536":  "ws://10.0.0.2:3001\n",
		"ftp://me:access_token@10.0.0.2/?access_token=k": "ws://10.0.0.2/\n",
		"ftp://10.0.0.2 :3001":                           "ws://127.0.0.1:3001\n",
		`ftp://10.0.0.2\x`:                               "ws://127.0.0.1:3001\n",
		"ws://":                                          "ws://127.0.0.1:3001",
		"ws:127.0.0.1":                                   "ws://",
		"ws://127.0.0.1:0":                               "ws://127.0.0.1:3001",
		"ws://127.0.0.1:99999":                           "ws://127.0.0.1:3001",
		"ws://127.0.0.1:":                                "ws://127.0.0.1:3001",
		"ws://:3001":                                     "ws://127.0.0.1:3001",
		"ws：//127.0.0.1:3001":                            "ws://",
		"ws://[::1?access_token=k":                       "ws://127.0.0.1:3001",
	} {
		r := &rpc.Redialer{URL: raw, Options: rpc.Options{Token: "k1"}}
		err := r.Run(t.Context()) // it does not go on trying
		if !errors.Is(err, rpc.ErrBadAddress) || !strings.Contains(err.Error()+"\n", right) || strings.Contains(err.Error(), "access_token") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	for raw, why := range map[string]string{
		" ": "it is empty", "ws://": "it names no host", "ws:///x": "it names no host", "ws://:3001": "it names no host", "127.0.0.1:3001": "no URL", "localhost:3001": "no URL",
		"ws:127.0.0.1": "no URL", "/x://y": "no URL", "ws:/x": "no URL", "//127.0.0.1": `the scheme "" is none of ws`, "ws://x:": "a colon without a port", "ws://x:70000": "70000 is no port",
	} {
		if _, err := rpc.Dial(t.Context(), raw, rpc.Options{}); !errors.Is(err, rpc.ErrBadAddress) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", raw, err, why)
		}
	}
	h := &rpc.HTTP{URL: "ws://127.0.0.1:3000"}
	if err := h.Call(t.Context(), "x", nil, nil); !errors.Is(err, rpc.ErrBadAddress) || !errors.Is(err, onebot.ErrNotSent) || !strings.Contains(err.Error(), "http://127.0.0.1:3000") {
		t.Errorf("call: %v", err)
	}
	if err := h.KeepEvents(t.Context(), nil, nil, nil); !errors.Is(err, rpc.ErrBadAddress) {
		t.Errorf("events: %v", err)
	}
}

func TestStatusOrRetcodeOfAWrongType(t *testing.T) {
	frames := []string{
		`{"status":1,"retcode":0,"data":{"n":1},"echo":%s}`,
		`{"status":null,"retcode":0,"data":{"n":1},"echo":%s}`,
		`{"status":{"a":"ok"},"retcode":0,"echo":%s}`,
		`{"status":"ok","retcode":null,"data":{"n":1},"echo":%s}`,
		`{"status":"ok","retcode":"zero","data":{"n":1},"echo":%s}`,
		`{"status":"ok","retcode":{},"echo":%s}`,
		`{"status":"ok","retcode":true,"echo":%s}`,
		`{"status":"ok","retcode":0.5,"echo":%s}`,
		`{"status":["ok"],"retcode":[0],"echo":%s}`,
	}
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for _, f := range frames {
			q, ok := p.next(ctx)
			if !ok {
				return
			}
			p.write(ctx, fmt.Sprintf(f, q.Echo))
		}
		p.next(ctx)
	})
	c, _ := dial(t, url, rpc.Options{})
	for _, f := range frames {
		var raw json.RawMessage
		if err := c.Call(t.Context(), "x", nil, &raw); !errors.Is(err, onebot.ErrUnknownOutcome) || onebot.IsRefused(err) || raw != nil {
			t.Errorf("%s: %s, %v", f, raw, err)
		}
	}
}

func TestAnEventStreamsLinesAreBoundedInSum(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "data: "+strings.Repeat("x", 1000)+"\n"); err != nil {
				return
			}
		}
	}))
	defer srv.Close()
	h := &rpc.HTTP{URL: srv.URL, MaxFrame: 100_000}
	if err := h.Events(t.Context(), nil, func([]byte) { t.Error("an event came") }); !errors.Is(err, rpc.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestAcceptTakesATokenInAnyOfItsForms(t *testing.T) {
	token := "right"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := rpc.Accept(w, r, rpc.Options{Token: token}); err == nil {
			c.Close()
		}
	}))
	defer srv.Close()
	try := func(query string, header http.Header) bool {
		ws, _, err := websocket.Dial(t.Context(), srv.URL+query, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			ws.CloseNow()
		}
		return err == nil
	}
	for _, a := range []string{"Bearer right", "bearer right", "BEARER  right", "Token right", "token right", "right"} {
		if !try("", http.Header{"Authorization": {a}}) {
			t.Errorf("%q is refused", a)
		}
	}
	if !try("?access_token=right", nil) {
		t.Error("the token in the query is refused")
	}
	for _, a := range []string{"", "Bearer wrong", "Basic right", "Bearer", "Bearer right x"} {
		if try("", http.Header{"Authorization": {a}}) {
			t.Errorf("%q is accepted", a)
		}
	}
	if try("?access_token=wrong", http.Header{"Authorization": {"Bearer right"}}) {
		t.Error("a wrong token in the query is accepted")
	}
	token = "" // pages of other origins are kept out
	if try("", http.Header{"Origin": {"https://example.org"}}) {
		t.Error("a foreign origin is accepted where there is no token")
	}
	if !try("", nil) || !try("", http.Header{"Origin": {srv.URL}}) {
		t.Error("no origin, or ours, is refused")
	}
}

// signed posts an event as NapCat does.
func signed(h http.Handler, body string, secret string) int {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Signature", signature(secret, body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestWebhookReplays(t *testing.T) {
	events := 0
	h := &rpc.Webhook{Secret: "s", Event: func(onebot.UserID, []byte) { events++ }}
	event := func(id int, age time.Duration) string {
		return fmt.Sprintf(`{"time":%d,"post_type":"message","message_id":%d}`, time.Now().Add(-age).Unix(), id)
	}
	first := event(1, 0)
	for i := range 3 {
		if code := signed(h, first, "s"); code != http.StatusNoContent || events != 1 {
			t.Errorf("post %d: %d, %d events", i, code, events)
		}
	}
	if code := signed(h, event(2, 0), "s"); code != http.StatusNoContent || events != 2 {
		t.Errorf("another event: %d, %d events", code, events)
	}
	for _, age := range []time.Duration{time.Hour, -time.Hour} {
		if code := signed(h, event(3, age), "s"); code != http.StatusForbidden || events != 2 {
			t.Errorf("%v old: %d, %d events", age, code, events)
		}
	}
	if code := signed(h, event(4, 0), "other"); code != http.StatusForbidden || events != 2 {
		t.Errorf("signed with another secret: %d, %d events", code, events)
	}
}

// endless is a body that never ends, and tells how much of it was read.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n.Add(int64(len(p)))
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

func TestWebhookReadsNothingWithoutASignature(t *testing.T) {
	h := &rpc.Webhook{Secret: "s", MaxFrame: 8 << 20, Event: func(onebot.UserID, []byte) { t.Error("an event came") }}
	for sig, want := range map[string]struct {
		code int
		most int64
	}{
		"":                                {http.StatusUnauthorized, 0},
		"sha1=zz":                         {http.StatusForbidden, 0},
		"sha1=00":                         {http.StatusForbidden, 0},
		"sha1=" + strings.Repeat("0", 40): {http.StatusRequestEntityTooLarge, 9 << 20},
	} {
		body := &endless{}
		r := httptest.NewRequest(http.MethodPost, "/", body)
		if sig != "" {
			r.Header.Set("X-Signature", sig)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want.code || body.n.Load() > want.most {
			t.Errorf("%q: %d after %d bytes", sig, w.Code, body.n.Load())
		}
	}
}

// Posts of strangers that do not end are bounded in number, and large ones more so.
func TestWebhookBoundsUncheckedPosts(t *testing.T) {
	h := &rpc.Webhook{Secret: "s", Event: func(onebot.UserID, []byte) {}}
	post := func(body io.Reader) int {
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header.Set("X-Signature", "sha1="+strings.Repeat("0", 40))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	hang, done := make(chan struct{}), make(chan int, 100)
	begun := make(chan struct{}, 100)
	slow := func(size int) io.Reader {
		return io.MultiReader(strings.NewReader(strings.Repeat("x", size)), readerFunc(func([]byte) (int, error) {
			begun <- struct{}{}
			<-hang
			return 0, io.EOF
		}))
	}
	go func() { done <- post(slow(2 << 20)) }()
	<-begun
	if code := post(strings.NewReader(strings.Repeat("x", 2<<20))); code != http.StatusServiceUnavailable {
		t.Errorf("a second large post: %d", code)
	}
	for range 31 {
		go func() { done <- post(slow(10)) }()
		<-begun
	}
	for range 40 {
		if code := post(strings.NewReader("x")); code != http.StatusServiceUnavailable {
			t.Errorf("one post too many: %d", code)
		}
	}
	close(hang)
	for range 32 {
		if code := <-done; code != http.StatusForbidden {
			t.Errorf("got %d", code)
		}
	}
	for _, size := range []int{1, 2 << 20, 2 << 20} { // a refused one leaves nothing behind
		if code := post(strings.NewReader(strings.Repeat("x", size))); code != http.StatusForbidden {
			t.Errorf("afterwards, %d bytes: %d", size, code)
		}
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
