package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A message that is refused, or whose sender gave up waiting, gives its turn
// back: the next one goes when it would have without it.
func TestATurnThatIsNotTakenIsGivenBack(t *testing.T) {
	for name, opts := range map[string][]ncat.Option{
		"account, refused": {ncat.WithSendRate(1, 10*time.Second), ncat.WithSendPolicy(ncat.SendRefuse)},
		"chat, refused":    {ncat.WithChatSendRate(1, 10*time.Second), ncat.WithSendPolicy(ncat.SendRefuse)},
		"account, gave up": {ncat.WithSendRate(1, 10*time.Second)},
		"chat, gave up":    {ncat.WithChatSendRate(1, 10*time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := botlink.Of(ncat.New(opts...)).NewSession("", instant{}, botlink.Options{})
				send := func(patience time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					var r onebot.SendResult
					return s.Call(ctx, "send_group_msg", &onebot.SendGroupMsgParams{GroupID: 1, Message: onebot.Message{onebot.Text("x")}}, &r)
				}
				if err := send(time.Second); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					time.Sleep(time.Second)
					if err := send(100 * time.Millisecond); !errors.Is(err, onebot.ErrNotSent) {
						t.Fatalf("a message too soon: %v", err)
					}
				}
				time.Sleep(8 * time.Second)
				if err := send(100 * time.Millisecond); err != nil {
					t.Errorf("when its turn has come: %v", err)
				}
			})
		})
	}
}

// Sources of one account share its rate in turn: one that floods keeps neither
// another one nor the bot itself waiting for more than its own share, and fills no
// place of theirs.
func TestSourcesShareTheRateFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bot := ncat.New(ncat.WithSendRate(1, time.Second))
		s := botlink.Of(bot).NewSession("", instant{}, botlink.Options{Delivered: func(onebot.Event, bool) {}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		send := func(source string) error {
			var r onebot.SendResult
			params := &onebot.SendGroupMsgParams{GroupID: 1, Message: onebot.Message{onebot.Text("x")}}
			if source == "" {
				return s.Call(ctx, "send_group_msg", params, &r)
			}
			return s.CallFrom(ctx, source, "send_group_msg", params, &r)
		}
		var refused atomic.Int64
		for range 1500 { // more than may wait
			wg.Go(func() {
				if err := send("app/flood"); errors.Is(err, ncat.ErrTooFast) {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n < 400 {
			t.Errorf("%d of a flood were refused", n)
		}
		for _, source := range []string{"app/quiet", ""} {
			wg.Go(func() {
				for range 10 {
					began := time.Now()
					if err := send(source); err != nil {
						t.Errorf("%q: %v", source, err)
					}
					if took := time.Since(began); took > 4*time.Second {
						t.Errorf("%q waited for %v among three", source, took)
					}
				}
			})
		}
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
	})
}

// A quick operation that replies is a message, and costs one; one that answers a
// request costs nothing.
func TestQuickRepliesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bot := ncat.New(ncat.WithSendRate(1, time.Minute), ncat.WithSendPolicy(ncat.SendRefuse))
		s := botlink.Of(bot).NewSession("", instant{}, botlink.Options{Delivered: func(onebot.Event, bool) {}})
		quick := func(operation string) error {
			params := json.RawMessage(`{"context":{"group_id":1},"operation":` + operation + `}`)
			return s.CallFrom(t.Context(), "app/hook", ".handle_quick_operation", params, nil)
		}
		for i, c := range []struct {
			operation string
			refused   bool
		}{
			{`{"approve":true}`, false}, {`{"approve":true,"reply":null}`, false}, {`{"reply":""}`, false},
			{`{"reply":"one"}`, false}, {`{"reply":[{"type":"text","data":{"text":"two"}}]}`, true}, {`{"approve":true}`, false},
		} {
			if err := quick(c.operation); errors.Is(err, ncat.ErrTooFast) != c.refused {
				t.Errorf("%d: %s: %v", i, c.operation, err)
			}
		}
	})
}
