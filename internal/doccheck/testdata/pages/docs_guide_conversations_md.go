package p

import (
	"context"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestConversations(t *testing.T) {
	b := bot(t, block1, block4)
	b.OnCommand("choose", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return block2(ctx, b, m.(*onebot.GroupMessage))
	})
	b.OnCommand("order", takeOrder)
	b.OnCommand("poke", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return block5(ctx, b, m.(*onebot.GroupMessage))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		g := h.Group(100)
		p := g.From(1)
		p.Says("/register")
		h.WantLike("What is your name?")
		g.From(2).Says("not I")
		h.WantNothing()
		p.Says("Ann")
		h.WantLike("welcome, Ann")
		p.Says("/register")
		h.Sent()
		h.Pass(31 * time.Second)
		h.WantLike("too late")
		p.Says("/register")
		h.Sent()
		p.Says("取消")
		h.WantLike("all right")

		p.Says("/choose")
		h.WantLike("Which one?")
		p.Says("2")
		h.WantLike("Really?")
		p.Says("yes")
		h.WantLike("number 2 it is")

		p.Says("/order")
		h.WantLike("What shall it be?")
		p.Says("tea")
		h.WantLike("How many cups?")
		p.Says("3")
		h.WantLike("3 tea")

		p.Says("/poke")
		g.From(2).Pokes(ncattest.Self)
		h.Want("poked by 2")

		g.From(7).Joins()
		h.WantLike("5+7=?")
		g.From(8).Joins() // while the first thinks
		h.WantLike("5+7=?")
		g.From(7).Says("12")
		h.Pass(3 * time.Minute)
		h.WantCall("set_group_kick", "user_id", 8)
		h.WantNoCall("set_group_kick")
	})
}
