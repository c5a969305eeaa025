package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func TestLossAndReconnect(t *testing.T) {
	h := newHost(t)
	h.answer = func(string, json.RawMessage) string { return "" }
	b := ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff})) // whose calls would count
	result := make(chan error, 1)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		err := b.Reply(ctx, m, "x")
		result <- err
		return nil
	})
	dial(t, b, h.url)
	for i := range 3 {
		ws := next(t, h.links)
		say(t, ws, groupFrame(1, i))
		eventually(t, "the call", func() bool { return h.calls.Load() == int64(i+1) })
		ws.CloseNow()
		if err := next(t, result); !errors.Is(err, onebot.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
	}
}

func TestBackAfterTheEndpointReturns(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	b := ncat.New()
	ready := make(chan struct{}, 1)
	ncat.On(b, func(context.Context, *ncat.Bot, *onebot.Lifecycle) error { ready <- struct{}{}; return nil })
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) || !errors.Is(err, ncat.ErrNoAccount) {
		t.Errorf("call of a bot that does not run: %v", err)
	}
	dial(t, b, "ws://"+addr)
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) {
		t.Errorf("call without a link: %v", err)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Skipf("the port is gone: %v", err)
	}
	h := &host{links: make(chan *websocket.Conn, 1)}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	defer srv.Close()
	next(t, ready)
	if b.Self() != 10001 {
		t.Errorf("self is %d", b.Self())
	}
}

func TestBadTokenEndsDial(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		ws.Write(r.Context(), websocket.MessageText, []byte(`{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"token验证失败","echo":null,"stream":"normal-action"}`))
		ws.CloseNow()
	}))
	defer srv.Close()
	err := ncat.New().Dial(t.Context(), srv.URL, "wrong")
	if !errors.Is(err, ncat.ErrBadToken) || !onebot.IsBadToken(err) {
		t.Errorf("got %v", err)
	}
}

func TestSeveralAccounts(t *testing.T) {
	b := ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff})) // whose calls would count
	hosts := []*host{newHost(t), newHost(t)}
	got := make(chan string, 2)
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		return b.Reply(ctx, m, "pong")
	})
	for i, h := range hosts {
		h.answer = func(string, json.RawMessage) string { got <- fmt.Sprint(i); return "null" }
		dial(t, b, h.url)
	}
	links := []*websocket.Conn{next(t, hosts[0].links), next(t, hosts[1].links)}
	for i := range hosts {
		say(t, links[i], groupFrame(1, i))
		if g := next(t, got); g != fmt.Sprint(i) {
			t.Errorf("account %d was answered through %s", i, g)
		}
	}
	if n := len(b.Accounts()); n != 2 {
		t.Errorf("%d accounts", n)
	}
	if err := b.Call(t.Context(), "x", nil, nil); !errors.Is(err, ncat.ErrNoAccount) {
		t.Errorf("call for nobody in particular: %v", err)
	}
}
