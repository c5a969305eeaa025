package p

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// flood answers "go" with ten messages at once, of which the first may go out.
func flood(b *ncat.Bot) *ncat.Bot {
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		for range 10 {
			b.Go(func(ctx context.Context) { _ = b.Reply(ctx, m, "line") })
		}
		return nil
	}, ncat.Where(ncat.Keyword("go")))
	return b
}

func TestPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy         ncat.SendPolicy
		soon, messages int
		lines          int
	}{
		"wait":   {ncat.SendWait, 5, 10, 10},
		"refuse": {ncat.SendRefuse, 5, 5, 5},
		"merge":  {ncat.SendMerge, 5, 6, 10},
	} {
		t.Run(name, func(t *testing.T) {
			b := flood(ncat.New(ncat.WithSendRate(20, 10*time.Second), ncat.WithChatSendRate(5, 10*time.Second), ncat.WithSendPolicy(c.policy)))
			ncattest.Run(t, b, func(h *ncattest.Harness) {
				h.Group(700000001).From(1).Says("go")
				h.Pass(time.Second)
				if n := len(h.Recorder.Calls("send_group_msg")); n != c.soon {
					t.Errorf("%d messages at once", n)
				}
				h.Pass(time.Minute)
				n := 0
				all := h.Sent()
				for _, m := range all {
					n += strings.Count(m.Text(), "line")
				}
				if len(all) != c.messages || n != c.lines {
					t.Errorf("%d lines in %d messages", n, len(all))
				}
			})
		})
	}
}

func TestTooFast(t *testing.T) {
	b := ncat.New(ncat.WithChatSendRate(1, time.Minute), ncat.WithSendPolicy(ncat.SendRefuse))
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
		if err := b.Reply(ctx, m, "one"); err != nil {
			return err
		}
		err := b.Reply(ctx, m, "two")
		if !errors.Is(err, ncat.ErrTooFast) || !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("%v", err)
		}
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("go")
		h.Want("one")
	})
}

func TestMissed(t *testing.T) {
	ncattest.Run(t, bot(t, block2), func(h *ncattest.Harness) {
		g := h.Group(700000001)
		g.From(1).Mentions(h.Self, "are you there")
		h.WantLike("yes?")
		g.From(1).Says("/clock")
		if _, err := time.Parse(time.TimeOnly, h.One().Text()); err != nil {
			t.Error(err)
		}
		same := h.Bot()
		h.Stop()
		g.From(1).Mentions(h.Self, "hello?")
		g.From(1).Says("/clock")
		h.Start(same)
		h.WantLike("sorry, I was away")
	})
}
