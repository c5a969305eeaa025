package p

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestAccounts(t *testing.T) {
	b := bot(t, block1, block3)
	b.OnGroup(block2, ncat.Where(ncat.TextIs("tell")))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		second := h.Account("second", 10002)
		second.Group(700000002)
		h.Group(100).From(1).Says("who are you")
		h.Want("main, 10001")
		second.Group(100)
		h.Group(100).From(1).Says("ping")
		h.Want("pong")
		second.WantNothing()
		h.Group(300).From(1).Says("tell")
		second.Want("heard in another group: tell")
	})
}
