package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// echoServer answers every call with its own params as data.
func echoServer(ctx context.Context, p *peer) {
	for {
		q, ok := p.next(ctx)
		if !ok {
			return
		}
		p.write(ctx, okFrame(q.Echo, string(q.Params)))
	}
}

type numbered struct {
	N int `json:"n"`
}

func TestShuffledAnswersReachTheirCalls(t *testing.T) {
	const calls = 10_000
	url := endpoint(t, func(ctx context.Context, p *peer) {
		var all []request
		for len(all) < calls {
			q, ok := p.next(ctx)
			if !ok {
				return
			}
			all = append(all, q)
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, q := range all {
			if i%100 == 0 { // events in between must disturb nothing
				p.write(ctx, `{"post_type":"meta_event","echo":"1"}`)
			}
			p.write(ctx, okFrame(q.Echo, string(q.Params)))
		}
		p.next(ctx)
	})
	var events atomic.Int64
	c, _ := dial(t, url, rpc.Options{Event: func([]byte) bool { events.Add(1); return true }})
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			var got numbered
			if err := c.Call(t.Context(), "get", numbered{i}, &got); err != nil || got.N != i {
				t.Errorf("call %d: got %d, %v", i, got.N, err)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Answers != calls || s.Unmatched != 0 || s.Pending != 0 || events.Load() != calls/100 {
		t.Errorf("stats %+v, %d events", s, events.Load())
	}
}

func TestEchoOfAnyType(t *testing.T) {
	for _, form := range []string{`%s`, `"%s"`, `%s.0`, `[%s]`, ` "%s" `} {
		t.Run(form, func(t *testing.T) {
			url := endpoint(t, func(ctx context.Context, p *peer) {
				q, _ := p.next(ctx)
				digits := strings.Trim(string(q.Echo), `"`)
				p.write(ctx, okFrame(json.RawMessage(fmt.Sprintf(form, digits)), `{"n":7}`))
				p.next(ctx)
			})
			c, _ := dial(t, url, rpc.Options{})
			var got numbered
			if err := c.Call(t.Context(), "get", nil, &got); err != nil || got.N != 7 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestRefusalKeepsEverything(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		p.write(ctx, fmt.Sprintf(`{"status":"failed","retcode":1200,"data":null,"message":"消息\"不存在","wording":"消息\"不存在","echo":%s,"stream":"normal-action","more":1}`, q.Echo))
		p.next(ctx)
	})
	c, _ := dial(t, url, rpc.Options{})
	err := c.Call(t.Context(), "get_msg", nil, nil)
	var refused *onebot.Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if refused.Action != "get_msg" || refused.RetCode != 1200 || refused.Message != `消息"不存在` || refused.Wording != refused.Message || !strings.Contains(string(refused.Raw), `"more":1`) {
		t.Errorf("got %+v", refused)
	}
}

func TestDataMissingOrNullLeavesTheResult(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		p.write(ctx, fmt.Sprintf(`{"status":"ok","retcode":0,"echo":%s}`, q.Echo))
		q, _ = p.next(ctx)
		p.write(ctx, okFrame(q.Echo, "null"))
		p.next(ctx)
	})
	c, _ := dial(t, url, rpc.Options{})
	got := numbered{3}
	for range 2 {
		if err := c.Call(t.Context(), "x", nil, &got); err != nil || got.N != 3 {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestBadToken(t *testing.T) {
	const frame = `{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"token验证失败","echo":null,"stream":"normal-action"}`
	left := make(chan bool, 1)
	url := endpoint(t, func(ctx context.Context, p *peer) {
		p.write(ctx, frame)
		_, more := p.next(ctx) // the connection is ended
		left <- !more && ctx.Err() == nil
	})
	_, wait := dial(t, url, rpc.Options{Token: "wrong-Secret"})
	err := wait()
	if !<-left {
		t.Error("a connection with a bad token goes on")
	}
	var refused *onebot.Error
	if !errors.Is(err, rpc.ErrBadToken) || !errors.As(err, &refused) || refused.RetCode != 1403 {
		t.Errorf("Run returned %v", err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer srv.Close()
	if _, err := rpc.Dial(t.Context(), srv.URL, rpc.Options{}); !errors.Is(err, rpc.ErrBadToken) {
		t.Errorf("Dial returned %v", err)
	}
}

// A refusal of the token is one by an echo that names no call; with another echo it
// is the late answer to some call.
func TestRefusalsOfTheTokenByEcho(t *testing.T) {
	for echo, refused := range map[string]bool{`,"echo":null`: true, `,"echo":""`: true, ``: true, `,"echo":"9"`: false, `,"echo":{}`: false} {
		url := endpoint(t, func(ctx context.Context, p *peer) {
			p.write(ctx, `{"status":"failed","retcode":1403`+echo+`}`)
			p.ws.Close(websocket.StatusNormalClosure, "")
		})
		_, wait := dial(t, url, rpc.Options{})
		if err := wait(); err == nil || errors.Is(err, rpc.ErrBadToken) != refused {
			t.Errorf("%s: %v", echo, err)
		}
	}
}

func TestTokenTravelsInTheHeaderAndNotInErrors(t *testing.T) {
	headers := make(chan string, 4)
	url := endpoint(t, func(ctx context.Context, p *peer) {
		headers <- p.req.Header.Get("Authorization") + " " + p.req.URL.RawQuery
		p.next(ctx)
	})
	for _, tc := range []struct{ query, token, want string }{
		{"", "abc", "Bearer abc "},
		{"?access_token=def&x=1", "", "Bearer def x=1"},
		{"?access_token=wrong", "right", "Bearer right "},
	} {
		dial(t, url+tc.query, rpc.Options{Token: tc.token})
		if got := <-headers; got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	if _, err := rpc.Dial(t.Context(), url, rpc.Options{Token: "密码"}); !errors.Is(err, rpc.ErrBadAddress) || strings.Contains(err.Error(), "密码") {
		t.Errorf("a token that no header carries: %v", err)
	}
	for token, ok := range map[string]bool{"!~aZ09-_.": true, "a b": false, "a\tb": false, "a\x7fb": false, "é": false} {
		c, err := rpc.Dial(t.Context(), url, rpc.Options{Token: token})
		if (err == nil) != ok || !ok && !errors.Is(err, rpc.ErrBadAddress) {
			t.Errorf("token %q: %v", token, err)
		}
		if c != nil {
			<-headers
			c.Close()
		}
	}
	if _, err := rpc.Dial(t.Context(), "ws://127.0.0.1:1/x", rpc.Options{}); err == nil || strings.Count(err.Error(), "127.0.0.1:1/x") != 1 || !strings.HasPrefix(err.Error(), "dial ws://127.0.0.1:1/x: dial tcp") {
		t.Errorf("nobody listens: %v", err)
	}
	for _, u := range []string{"ws://127.0.0.1:1/?access_token=hunter2", "ws://[::1/?access_token=hunter2"} {
		if _, err := rpc.Dial(t.Context(), u, rpc.Options{Token: "hunter2"}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
	}
}

func TestGarbageIsCountedAndSurvived(t *testing.T) {
	junk := []string{``, `null`, `"x"`, `[1]`, `{`, `{"a":1}`, `{"echo":`, "\xff\xfe", `{"status":"ok"}`, `{}{}`, strings.Repeat("[", 100_000)}
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for _, f := range junk {
			p.write(ctx, f)
		}
		p.ws.Write(ctx, websocket.MessageBinary, []byte{0, 1, 2})
		p.write(ctx, okFrame(json.RawMessage(`{"a":1}`), "null"))
		p.write(ctx, okFrame(json.RawMessage(`"77"`), "null"))
		p.write(ctx, `{"post_type":"message"}`)
		echoServer(ctx, p)
	})
	var events atomic.Int64
	c, _ := dial(t, url, rpc.Options{Event: func([]byte) bool { events.Add(1); return true }})
	var got numbered
	if err := c.Call(t.Context(), "x", numbered{5}, &got); err != nil || got.N != 5 {
		t.Errorf("got %v, %v", got, err)
	}
	if s := c.Stats(); s.Garbage != uint64(len(junk)+1) || s.Unmatched != 2 || events.Load() != 1 {
		t.Errorf("stats %+v, %d events", s, events.Load())
	}
}

func TestEventsKeepTheirOrder(t *testing.T) {
	const n = 5000
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for i := range n {
			p.write(ctx, fmt.Sprintf(`{"time":%d,"post_type":"meta_event"}`, i))
		}
		p.next(ctx)
	})
	var frames [][]byte
	full := make(chan struct{})
	dial(t, url, rpc.Options{Event: func(f []byte) bool {
		if frames = append(frames, bytes.Clone(f)); len(frames) == n {
			close(full)
		}
		return false
	}})
	<-full
	for i, f := range frames {
		var e struct{ Time int }
		if json.Unmarshal(f, &e) != nil || e.Time != i {
			t.Fatalf("frame %d is %q", i, f)
		}
	}
}

func TestDeadlines(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for {
			if _, ok := p.next(ctx); !ok {
				return
			}
		}
	})
	c, _ := dial(t, url, rpc.Options{CallTimeout: 30 * time.Millisecond})
	err := c.Call(t.Context(), "send_msg", nil, nil)
	if !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("default deadline: %v", err)
	}
	why := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		eventually(t, "a pending call", func() bool { return c.Stats().Pending == 1 })
		cancel(why)
	}()
	long, stop := context.WithTimeout(ctx, time.Minute) // a deadline of its own switches the default off
	defer stop()
	if err := c.Call(long, "x", nil, nil); !errors.Is(err, onebot.ErrUnknownOutcome) || !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
	if err := c.Call(long, "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) || !errors.Is(err, why) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestLargeFrames(t *testing.T) {
	unit, limit := 1<<20, 0 // NapCat's limits are in MiB; 0: the default of 64 MiB
	if testing.Short() {
		unit, limit = 100<<10, 64*100<<10
	}
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx) // an answer of 50 MiB
		p.write(ctx, okFrame(q.Echo, `"`+strings.Repeat("x", 50*unit)+`"`))
		q, _ = p.next(ctx) // one over the limit
		p.write(ctx, okFrame(q.Echo, `"`+strings.Repeat("x", 65*unit)+`"`))
		echoServer(ctx, p)
	})
	c, _ := dial(t, url, rpc.Options{MaxFrame: limit})
	var big string
	if err := c.Call(t.Context(), "x", nil, &big); err != nil || len(big) != 50*unit {
		t.Errorf("50 MiB: %d bytes, %v", len(big), err)
	}
	if err := c.Call(t.Context(), "x", nil, &big); !errors.Is(err, rpc.ErrTooLarge) || !errors.Is(err, onebot.ErrUnknownOutcome) {
		t.Errorf("65 MiB: %v", err)
	}
	var back map[string]string
	if err := c.Call(t.Context(), "x", map[string]string{"s": big[:40*unit]}, &back); err != nil || len(back["s"]) != 40*unit {
		t.Errorf("request of 40 MiB: %d bytes, %v", len(back["s"]), err)
	}
	err := c.Call(t.Context(), "x", filler(rpc.MaxRequest), nil)
	if !errors.Is(err, rpc.ErrTooLarge) || !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("request of 50 MiB: %v", err)
	}
	if s := c.Stats(); s.TooLarge != 1 {
		t.Errorf("stats %+v", s)
	}
}

// A request of exactly MaxRequest bytes is sent.
func TestTheLargestRequest(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) { <-ctx.Done() })
	const around = `{"action":"x","params":"","echo":"1"}`
	for n, sent := range map[int]bool{rpc.MaxRequest - len(around): true, rpc.MaxRequest - len(around) + 1: false} {
		c, _ := dial(t, url, rpc.Options{})
		go func() {
			eventually(t, "the call", func() bool { return c.Stats().Pending == 1 })
			c.Close()
		}()
		if err := c.Call(t.Context(), "x", filler(n), nil); !rpc.Lost(err) || errors.Is(err, rpc.ErrTooLarge) == sent {
			t.Errorf("a request of %d bytes: %v", n+len(around), err)
		}
	}
}

// filler encodes to a string of that many bytes, at no cost to speak of.
type filler int

func (n filler) AppendJSON(dst []byte) []byte {
	return append(append(append(dst, '"'), make([]byte, n)...), '"')
}

func TestBadParams(t *testing.T) {
	c, _ := dial(t, endpoint(t, echoServer), rpc.Options{})
	if err := c.Call(t.Context(), "x", json.RawMessage(`{"a":`), nil); err == nil || rpc.Lost(err) {
		t.Errorf("got %v", err)
	}
	if err := c.Call(t.Context(), "x", map[string]any{"f": func() {}}, nil); err == nil || rpc.Lost(err) {
		t.Errorf("got %v", err)
	}
	var got map[string]int
	if err := c.Call(t.Context(), `a"b`, json.RawMessage("{\"n\": \n 1}"), &got); err != nil || got["n"] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}
