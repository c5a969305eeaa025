package ncattest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func botDown(h *ncattest.Harness) {
	botlink.Of(h.Bot()).Session().Down(errors.New("link lost"))
	h.Settle()
}

// TestLongText: what one message does not take goes in several, a voice beside text
// by itself, and Long as one forward.
func TestLongText(t *testing.T) {
	para := strings.Repeat("一句话。", 300) + "\n\n" // 1202 characters
	text := strings.Repeat(para, 8)
	b := ncat.New()
	b.OnText("long", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, text) })
	b.OnText("card", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, ncat.Long(text))
	})
	b.OnText("short", ncat.Say(ncat.Long("ok")))
	b.OnText("voice", ncat.Say("listen", ncat.Voice(ncat.Bytes([]byte("#!AMR"))), "and?"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("long")
		var all string
		for _, s := range h.Sent() {
			if n := utf8.RuneCountInString(s.Text()); n > onebot.MaxText || !strings.HasSuffix(strings.TrimSpace(s.Text()), "。") {
				t.Errorf("a message of %d characters that ends with %q", n, s.Text()[len(s.Text())-3:])
			}
			all += s.Text()
		}
		if all != strings.ReplaceAll(text, "\n\n", "") && strings.ReplaceAll(all, "\n\n", "") != strings.ReplaceAll(text, "\n\n", "") {
			t.Error("text was lost")
		}
		h.Friend(1).Says("card")
		card := h.One()
		if len(card.Message) != 3 || card.Message[0].SegmentType() != "node" {
			t.Errorf("sent %d segments", len(card.Message))
		}
		h.Friend(1).Says("short")
		h.Want("ok")
		h.Friend(1).Says("voice")
		sent := h.Sent()
		if len(sent) != 3 || sent[0].Text() != "listen" || sent[1].Message[0].SegmentType() != "record" || sent[2].Text() != "and?" {
			t.Errorf("sent %v", sent)
		}
		// The test's NapCat refuses what the real one does.
		_, err := h.Bot().API().SendPrivateMsg(h.Context(), onebot.SendPrivateMsgParams{UserID: 1, Message: onebot.Message{onebot.Text(text)}})
		if !onebot.IsRefused(err) {
			t.Errorf("too long a message: %v", err)
		}
	})
}

// TestReplyParts: a stream comes in portions with sentences as their ends.
func TestReplyParts(t *testing.T) {
	sentence := strings.Repeat("字", 39) + "。"
	b := ncat.New()
	b.OnText("stream", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		ch := make(chan string)
		b.Go(func(ctx context.Context) {
			defer close(ch)
			for range 10 {
				for _, r := range sentence {
					select {
					case ch <- string(r):
					case <-ctx.Done():
						return
					}
				}
				time.Sleep(time.Second)
			}
		})
		return b.ReplyParts(ctx, m, ncat.FromChan(ctx, ch))
	})
	b.OnText("reader", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		r := io.MultiReader(iotest.OneByteReader(strings.NewReader("你好，")), iotest.ErrReader(errors.New("cut off")))
		return b.ReplyParts(ctx, m, ncat.FromReader(r))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("stream")
		h.Pass(time.Minute)
		sent, n := h.Sent(), 0
		for _, s := range sent {
			n += strings.Count(s.Text(), "。")
			if !strings.HasSuffix(s.Text(), "。") {
				t.Errorf("a portion ends with %q", s.Text())
			}
		}
		if n != 10 || len(sent) < 3 || len(sent) > 5 {
			t.Errorf("%d sentences in %d portions", n, len(sent))
		}
		h.Friend(1).Says("reader")
		h.Want("你好，")
		if errs := h.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "cut off") {
			t.Errorf("errors %v", errs)
		}
	})
}

// TestForm asks field by field.
func TestForm(t *testing.T) {
	type order struct {
		Drink string `ask:"What?" enum:"tea|coffee"`
		Cups  int    `ask:"How many?" default:"1"`
		Note  string `ask:"Note?" default:"none"`
		Left  int
	}
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnText("order", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		o, err := ncat.AskStruct[order](ctx, b, m)
		if err != nil {
			return b.Reply(ctx, m, err)
		}
		return b.Reply(ctx, m, o.Cups, " ", o.Drink, " ", o.Note)
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice, bob := h.Group(100).From(1), h.Group(100).From(2)
		alice.Says("order")
		h.Want("What? (tea / coffee)")
		bob.Says("order") // another asker in the same chat
		h.Want("What? (tea / coffee)")
		alice.Says("milk")
		h.WantLike("tea | coffee")
		alice.Says("tea")
		h.WantLike("How many?")
		bob.Says("coffee")
		h.WantLike("How many?")
		alice.Says("-")
		h.WantLike("Note?")
		alice.Says("with milk, please")
		h.Want("1 tea with milk, please")
		bob.Says("取消")
		h.WantLike("cancelled")
	})
}

// TestAskUser asks somebody who has said nothing yet; the words that cancel count
// though they are no answer.
func TestAskUser(t *testing.T) {
	b := ncat.New()
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		digits := func(_ *ncat.Bot, e onebot.Event) bool { return e.(onebot.MessageEvent).Msg().Text() == "12" }
		_, err := b.AskUser(ctx, ncat.Group(e.GroupID), e.UserID, "5+7=?", ncat.AnswerWhere(digits), ncat.Within(time.Minute))
		switch {
		case errors.Is(err, ncat.ErrNoAnswer):
			return b.Kick(ctx, e.GroupID, e.UserID, false)
		case errors.Is(err, ncat.ErrCancelled):
			_, err = b.SendGroup(ctx, e.GroupID, "bye")
			return err
		case err != nil:
			return err
		}
		_, err = b.SendGroup(ctx, e.GroupID, "welcome")
		return err
	}, ncat.Concurrent(10))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for user, says := range map[onebot.UserID]string{1: "12", 2: "取消", 3: "11"} {
			p := h.Group(100).From(user)
			p.Joins()
			h.Want("[CQ:at,qq=" + user.String() + "] 5+7=?")
			p.Says(says)
			switch user {
			case 1:
				h.Want("welcome")
			case 2:
				h.Want("bye")
			default:
				h.WantNothing()
				h.Pass(time.Minute)
				h.WantCall("set_group_kick", "group_id", 100, "user_id", 3)
			}
		}
	})
}
