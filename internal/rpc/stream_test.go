package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
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
	more := make(chan struct{}, 1)
	url := endpoint(t, func(ctx context.Context, p *peer) {
		q, _ := p.next(ctx)
		for range more {
			p.write(ctx, packet(q.Echo, `{"type":"stream"}`))
		}
		p.next(ctx)
	})
	const limit = 200 * time.Millisecond
	c, _ := dial(t, url, rpc.Options{CallTimeout: limit})
	start := time.Now()
	more <- struct{}{}
	err := c.Stream(t.Context(), "x", nil, func(json.RawMessage) error {
		if time.Since(start) < 2*limit {
			go func() {
				timer := time.NewTimer(limit / 2)
				<-timer.C
				more <- struct{}{}
			}()
		} else {
			close(more)
		}
		return nil
	}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) < 2*limit {
		t.Errorf("ended after %v with %v", time.Since(start), err)
	}
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
