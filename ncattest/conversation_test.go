package ncattest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// asker is a bot whose command ask asks once, with the options, and says what
// came of it.
func asker(opts ...ncat.AskOption) *ncat.Bot {
	b := ncat.New()
	b.OnCommand("ask", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		a, err := b.Ask(ctx, m, "?", opts...)
		text := ""
		switch {
		case errors.Is(err, ncat.ErrCancelled):
			text = "cancelled"
		case errors.Is(err, ncat.ErrNoAnswer):
			text = "no answer"
		case err != nil:
			return err
		default:
			text = "answer: " + a.Msg().Text()
		}
		return b.Reply(ctx, m, text)
	})
	b.OnCommand("ping", says("pong"))
	b.OnMessage(says("heard"))
	return b
}

func TestAskOptions(t *testing.T) {
	ncattest.Run(t, asker(ncat.CommandsGoOn()), func(h *ncattest.Harness) {
		u := h.InGroup(100, 1)
		u.Says("/ask")
		u.Says("/ping")
		u.Says("well")
		h.Want("?", "pong", "answer: well")
	})
	ncattest.Run(t, asker(), func(h *ncattest.Harness) {
		u, private, other := h.InGroup(100, 1), h.Friend(1), h.InGroup(101, 1)
		u.Says("/ask")
		u.Says("/ping") // the answer and no command
		h.Want("?", "answer: /ping")
		u.Says("/ask")
		private.Says("me") // the same user in other chats
		other.Says("me")
		h.Want("?", "heard", "heard")
		private.Says("/ask") // two conversations of one user
		private.Says("a")
		u.Says("b")
		h.Want("?", "answer: a", "answer: b")
		u.Says("/ask")
		h.Pass(59 * time.Second)
		h.Want("?")
		h.Pass(time.Second)
		h.Want("no answer")
		u.Says("late")
		h.Want("heard")
		u.Says("/ask")
		u.Says(" Cancel ")
		h.Want("?", "cancelled")
	})
	ncattest.Run(t, asker(ncat.FromAnyone(), ncat.Within(5*time.Second), ncat.CancelOn("stop"), ncat.AnswerWhere(ncat.Keyword("x", "stop"))), func(h *ncattest.Harness) {
		u, bob := h.InGroup(100, 1), h.InGroup(100, 2)
		u.Says("/ask")
		bob.Says("y") // no answer: handled as usual
		bob.Says("x")
		h.Want("?", "heard", "answer: x")
		u.Says("/ask")
		u.Says("cancel")
		bob.Says("stop")
		h.Want("?", "heard", "cancelled")
		u.Says("/ask")
		h.Pass(5 * time.Second)
		h.Want("?", "no answer")
	})
}

// Choose and Confirm give up after some answers that they do not understand.
func TestChooseGivesUp(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("tea", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		_, err := b.Choose(ctx, m, "tea?", []string{"green", "black"}, ncat.Tries(2))
		if errors.Is(err, ncat.ErrNoAnswer) {
			err = b.Reply(ctx, m, "none then")
		}
		return err
	})
	b.OnCommand("sure", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		ok, err := b.Confirm(ctx, m, "sure?")
		if err == nil && !ok {
			err = b.Reply(ctx, m, "not sure")
		}
		return err
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		u := h.Friend(1)
		u.Says("/tea")
		u.Says("coffee")
		u.Says("3")
		h.Want("tea?\n1. green\n2. black", "answer with a number or one of the words", "none then")
		u.Says("/sure")
		u.Says("perhaps")
		u.Says("不要")
		h.Want("sure?", "answer yes or no", "not sure")
	})
}

// A conversation ends with its context, and with the plugin that leads it.
func TestConversationEnds(t *testing.T) {
	b := ncat.New()
	var causes []error
	b.AddPlugin(&plugin{id: "talk", setup: func(_ context.Context, h *ncat.Host) error {
		h.OnCommand("ask", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			_, err := b.Ask(ctx, m, nil)
			causes = append(causes, err)
			return nil
		})
		return nil
	}})
	b.OnMessage(says("heard"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		u := h.Friend(1)
		u.Says("/ask")
		if err := b.SetPlugin(h.Context(), "talk", false); err != nil {
			t.Error(err)
		}
		if len(causes) != 1 || causes[0] == nil || errors.Is(causes[0], ncat.ErrNoAnswer) {
			t.Errorf("it ended with %v", causes)
		}
		u.Says("well")
		h.Want("heard")
		// From anywhere, not only in a handler.
		ctx, cancel := context.WithTimeout(h.Context(), 3*time.Second)
		defer cancel()
		if _, err := h.Bot().Ask(ctx, ncattest.PrivateMessage(1, "x"), "still there?"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("asking in vain: %v", err)
		}
		h.Want("still there?")
	})
}

// WaitFor takes the next event of any kind that passes, once.
func TestWaitFor(t *testing.T) {
	b := ncat.New()
	b.OnCommand("welcome", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		e, err := b.WaitFor(ctx, time.Minute, func(_ *ncat.Bot, e onebot.Event) bool {
			_, ok := e.(*onebot.GroupIncrease)
			if !ok {
				panic("a filter that panics wants nothing")
			}
			return ok
		})
		if errors.Is(err, ncat.ErrNoAnswer) {
			return b.Reply(ctx, m, "nobody came")
		}
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, "welcome, ", onebot.At(ncat.UserOf(e)))
	})
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		_, err := b.SendGroup(ctx, e.GroupID, "handled")
		return err
	})
	b.OnMessage(says("heard"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.InGroup(100, 1).Says("/welcome")
		h.InGroup(101, 1).Says("x")
		h.Event(ncattest.Joined(102, 5))
		h.Event(ncattest.Joined(102, 6))
		h.Want("heard", "welcome, ", "handled")
		h.InGroup(100, 1).Says("/welcome")
		h.Pass(time.Minute)
		h.Want("nobody came")
	})
}
