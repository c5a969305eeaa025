package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// An answer over the limit ends its call at once, however far over it is: its
// echo is the last that comes. The link goes on.
func TestAnAnswerFarOverTheLimit(t *testing.T) {
	const limit = 512 << 10
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for _, size := range []int{limit, 4 << 20, 12<<20 + 7} {
			q, ok := p.next(ctx)
			if !ok {
				return
			}
			p.write(ctx, fmt.Sprintf(`{"status":"ok","retcode":0,"data":"%s","echo":%s}`, strings.Repeat("x", size), q.Echo))
		}
		q, _ := p.next(ctx)
		p.write(ctx, okFrame(q.Echo, `{"n":7}`))
		p.next(ctx)
	})
	c, _ := dial(t, url, rpc.Options{MaxFrame: limit, CallTimeout: time.Hour})
	for range 3 {
		err := c.Call(t.Context(), "get", nil, nil)
		if !errors.Is(err, rpc.ErrTooLarge) || !errors.Is(err, onebot.ErrUnknownOutcome) {
			t.Fatalf("%v", err)
		}
	}
	var got numbered
	if err := c.Call(t.Context(), "get", nil, &got); err != nil || got.N != 7 {
		t.Errorf("afterwards: %d, %v", got.N, err)
	}
	if s := c.Stats(); s.TooLarge != 3 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
}

// Every call has its own deadline, whatever became of those before it.
func TestOneDeadlineAfterAnother(t *testing.T) {
	url := endpoint(t, func(ctx context.Context, p *peer) {
		for {
			if _, ok := p.next(ctx); !ok {
				return
			}
		}
	})
	c, _ := dial(t, url, rpc.Options{CallTimeout: 100 * time.Millisecond})
	for range 3 {
		began := time.Now()
		err := c.Call(t.Context(), "get", nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, onebot.ErrUnknownOutcome) || !rpc.Lost(err) {
			t.Fatalf("%v", err)
		}
		if took := time.Since(began); took < 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	}
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d calls are pending", n)
	}
}
