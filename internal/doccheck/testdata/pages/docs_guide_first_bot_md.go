package p

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestFirstBot(t *testing.T) {
	b := bot(t, block2)
	b.OnGroup(block3, ncat.Where(ncat.TextIs("go")))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("/ping")
		h.Want("pong")
		h.Group(100).From(1).Says("go")
		if sent := h.One(); sent.Chat.User != 1 || sent.Text() != "done" {
			t.Errorf("%+v", sent)
		}
	})
}
