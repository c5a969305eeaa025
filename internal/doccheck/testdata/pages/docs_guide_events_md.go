package p

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
)

func TestEvents(t *testing.T) {
	ncattest.Run(t, bot(t, block1, block2, block3, block4, block5, block6), func(h *ncattest.Harness) {
		g := h.Group(700000001)
		g.From(7).Joins()
		h.WantLike("welcome")
		h.Friend(8).Asks("please")
		h.WantCall("set_friend_add_request", "approve", true)
		h.Friend(9).Asks("now")
		h.WantCall("set_friend_add_request", "approve", false)

		g.From(1).Says("night") // by day
		h.WantNothing()
		h.PassUntil("23:00")
		g.From(1).Says("night, all")
		h.WantLike("good night")
		g.From(1).Mentions(ncattest.Self, "hm")
		h.WantLike("good night")
		h.Group(700000003).From(1).Says("night")
		h.WantNothing()

		id := g.From(1).Says("spam and night")
		h.WantNothing() // the handler of the higher priority stopped it
		h.WantCall("delete_msg", "message_id", id)
	})
}
