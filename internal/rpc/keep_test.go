package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// A Redialer is its present link: calls, streams and counters are that one's, and
// without one a call is not sent. A link that is dropped is made anew.
func TestRedialerIsItsPresentLink(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for {
			q, ok := p.next(ctx)
			if !ok {
				return
			}
			p.write(ctx, packet(q.Echo, `{"type":"stream"}`))
			p.write(ctx, packet(q.Echo, `{"type":"response","n":7}`))
		}
	})
	up, down := make(chan struct{}, 10), make(chan error, 10)
	r := &rpc.Redialer{URL: url, Up: func() { up <- struct{}{} }, Down: func(err error) { down <- err }}
	unsent := func(what string) {
		t.Helper()
		none := func(json.RawMessage) error { t.Error("a packet came"); return nil }
		if err := r.Call(t.Context(), "x", nil, nil); !errors.Is(err, onebot.ErrNotSent) || err.Error() != "x: "+onebot.ErrNotSent.Error()+": link is down" {
			t.Errorf("%s: call: %v", what, err)
		}
		if err := r.Stream(t.Context(), "x", nil, none, nil); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("%s: stream: %v", what, err)
		}
		if s := r.Stats(); s != (rpc.Stats{}) {
			t.Errorf("%s: %+v", what, s)
		}
		r.Drop() // there is nothing to drop
	}
	unsent("before Run")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for range 2 {
		<-up
		packets := 0
		var last numbered
		err := r.Stream(t.Context(), "get", nil, func(json.RawMessage) error { packets++; return nil }, &last)
		if err != nil || packets != 1 || last.N != 7 {
			t.Errorf("%d packets, %v, %v", packets, last, err)
		}
		if s := r.Stats(); s.Answers != 2 || s.Unmatched != 0 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		r.Drop()
		if err := <-down; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("lost with %v", err)
		}
	}
	<-up
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	unsent("after Run")
}
