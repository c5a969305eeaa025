package p

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestEveryday(t *testing.T) {
	ncattest.Run(t, bot(t, block1, block4), func(h *ncattest.Harness) {
		g := h.Group(700000001)
		g.From(1).Recalls(g.From(1).Named("Ann").Says("oh no"))
		h.Want("Ann took back: oh no")
		h.PassUntil("15:04")
		g.From(1).Says("/time")
		h.Want("15:04")
	})
}

func TestCopies(t *testing.T) {
	ncattest.Run(t, bot(t, block2), func(h *ncattest.Harness) {
		h.Group(700000002) // the bot is in both
		h.Group(700000001).From(1).Named("Ann").Says("hello")
		sent := h.One()
		if sent.Chat != ncat.Group(700000002) || sent.Text() != "Ann: hello" {
			t.Errorf("%+v", sent)
		}
		h.Group(700000002).From(2).Named("Bob").Quotes(sent.ID, "yes")
		if back := h.One(); back.Chat != ncat.Group(700000001) || back.Message.ReplyTo() == 0 {
			t.Errorf("%+v", back)
		}
	})
}

func TestRepeats(t *testing.T) {
	ncattest.Run(t, bot(t, block3), func(h *ncattest.Harness) {
		for user := range onebot.UserID(3) {
			h.WantNothing()
			h.Group(100).From(user + 1).Says("+1")
		}
		h.Want("+1")
	})
}
