package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

func packet(echo json.RawMessage, data string) string {
	return fmt.Sprintf(`{"status":"ok","retcode":0,"data":%s,"message":"","wording":"","echo":%s,"stream":"stream-action"}`, data, echo)
}

func TestStream(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		for i := range 1000 {
			p.write(ctx, packet(q.Echo, fmt.Sprintf(`{"type":"stream","n":%d}`, i)))
		}
		p.write(ctx, packet(q.Echo, `{"type":"response","n":1000}`))
		q, _ = p.next(ctx)
		p.write(ctx, packet(q.Echo, `{"type":"stream","n":0}`))
		p.write(ctx, fmt.Sprintf(`{"status":"failed","retcode":1200,"data":{"type":"error","data_type":"error"},"message":"boom","wording":"boom","echo":%s,"stream":"stream-action"}`, q.Echo))
		q, _ = p.next(ctx)
		for {
			if p.write(ctx, packet(q.Echo, `{"type":"stream","n":0}`)) != nil {
				return
			}
		}
	})
	c, wait := dial(t, url, rpc.Options{})
	n := 0
	var last numbered
	err := c.Stream(t.Context(), "test_download_stream", nil, func(data json.RawMessage) error {
		var got numbered
		if err := json.Unmarshal(data, &got); err != nil || got.N != n {
			t.Errorf("packet %d is %s", n, data)
		}
		n++
		return nil
	}, &last)
	if err != nil || n != 1000 || last.N != 1000 {
		t.Errorf("%d packets, last %v, %v", n, last, err)
	}
	n = 0
	err = c.Stream(t.Context(), "x", nil, func(json.RawMessage) error { n++; return nil }, nil)
	var refused *onebot.Error
	if !errors.As(err, &refused) || refused.Message != "boom" || n != 1 {
		t.Errorf("%d packets, %v", n, err)
	}
	enough := errors.New("enough")
	if err = c.Stream(t.Context(), "x", nil, func(json.RawMessage) error { return enough }, nil); err != enough {
		t.Errorf("got %v", err)
	}
	c.Close()
	wait()
}

func TestStreamLost(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		p.write(ctx, packet(q.Echo, `{"type":"stream","n":0}`))
	})
	c, _ := dial(t, url, rpc.Options{})
	n := 0
	err := c.Stream(t.Context(), "x", nil, func(json.RawMessage) error { n++; return nil }, nil)
	if !errors.Is(err, onebot.ErrUnknownOutcome) || n != 1 {
		t.Errorf("%d packets, %v", n, err)
	}
}

func TestStreamDeadlineCountsFromTheLastPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const packets, limit = 5, 200 * time.Millisecond
		c, ws, _ := bubbled(t, rpc.Options{CallTimeout: limit})
		go func() {
			p := &peer{t: t, ws: ws}
			q, _ := p.next(t.Context())
			for range packets {
				p.write(t.Context(), packet(q.Echo, `{"type":"stream"}`))
				time.Sleep(limit / 2)
			}
			p.next(t.Context())
		}()
		start, got := time.Now(), 0
		err := c.Stream(t.Context(), "x", nil, func(json.RawMessage) error { got++; return nil }, nil)
		const least = (packets-1)*limit/2 + limit
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || got != packets || took < least || took > least+limit/4 {
			t.Errorf("ended after %v and %d packets with %v", took, got, err)
		}
	})
}

// A reader of packets that itself calls on the connection must not stop it,
// however much waits in its queue.
func TestStreamReaderMayCall(t *testing.T) {
	chunk := strings.Repeat("x", 1<<20)
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		go func() {
			for range 40 {
				p.write(ctx, packet(q.Echo, `{"type":"stream","data":"`+chunk+`"}`))
			}
			p.write(ctx, packet(q.Echo, `{"type":"response"}`))
		}()
		echoServer(ctx, p)
	})
	c, _ := dial(t, url, rpc.Options{})
	n := 0
	err := c.Stream(t.Context(), "x", nil, func(data json.RawMessage) error {
		n++
		var got numbered
		return c.Call(t.Context(), "get", numbered{n}, &got)
	}, nil)
	if err != nil || n != 40 {
		t.Errorf("%d packets, %v", n, err)
	}
}
