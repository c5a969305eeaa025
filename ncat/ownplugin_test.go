package ncat_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// own is a plugin that counts under a key which others have too, and has a timer
// and a schedule of names which others have too.
type own struct{ id string }

func (o own) ID() string      { return o.id }
func (o own) Version() string { return "1.0.0" }

func (o own) Setup(_ context.Context, h *ncat.Host) error {
	h.OnText(o.id, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		n, err := ncat.Update(ctx, b.Store(), "count", func(n int, _ bool) (int, error) { return n + 1, nil })
		if err != nil {
			return err
		}
		b.Go(func(ctx context.Context) {
			select {
			case <-time.After(time.Minute):
				_ = b.Reply(ctx, m, "timer of "+o.id) // a failed one is missed by the test
			case <-ctx.Done():
			}
		})
		return b.Reply(ctx, m, fmt.Sprintf("%s %d", o.id, n))
	})
	_, err := h.Schedule("tick", "daily 20:00", func(ctx context.Context, b *ncat.Bot) error {
		_, err := b.SendGroup(ctx, 100, "schedule of "+o.id)
		return err
	})
	return err
}

// TestWhatAPluginHasIsItsOwn: keys, goroutines and schedules which a plugin made
// through the b of its handlers are the plugin's, and end with it.
func TestWhatAPluginHasIsItsOwn(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(own{"a"}, own{"z"})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p := h.Group(100).From(1)
		for i, text := range []string{"a", "a", "z"} {
			p.Says(text)
			h.Want([]string{"a 1", "a 2", "z 1"}[i])
		}
		if _, there, err := ncat.Get[int](h.Context(), h.Bot().Store(), "count"); there || err != nil {
			t.Errorf("the bot's own store has the key of a plugin (%v)", err)
		}
		h.Pass(2 * time.Second)
		if err := b.SetPlugin(h.Context(), "a", false); err != nil {
			t.Fatal(err)
		}
		p.Says("a")
		h.WantNothing()
		h.Pass(2 * time.Minute)
		h.Want("timer of z")
		h.PassUntil("20:01")
		h.Want("schedule of z")

		if err := b.SetPlugin(h.Context(), "a", true); err != nil {
			t.Fatal(err)
		}
		p.Says("a")
		h.Want("a 3") // what it kept is there again
	})
}
