package p

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestActions(t *testing.T) {
	ncattest.Run(t, within(block1), func(h *ncattest.Harness) {
		g := h.Group(700000001)
		g.Owner(h.Self) // who may mute it
		g.From(1).Says("go")
		h.WantCall("get_group_member_info", "group_id", 700000001, "user_id", 1)
		h.WantCall("set_group_whole_ban", "group_id", 700000001, "enable", true)
	})
	ncattest.Run(t, within(block2), func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Says("go")
		h.WantCall("get_group_honor_info", "group_id", 700000001, "type", "talkative")
	})
}

// TestWhatAnErrorSays: the block ends well whatever the send ends with, and the
// table under it is true of each.
func TestWhatAnErrorSays(t *testing.T) {
	for name, c := range map[string]struct {
		answer                                            ncattest.Answer
		refused, unsupported, badParams, notSent, mayBeIn bool
	}{
		"refused":     {answer: ncattest.Refuse(1200, "no"), refused: true},
		"unsupported": {answer: ncattest.Refuse(1404, "不支持的Api send_private_msg"), refused: true, unsupported: true},
		"bad":         {answer: ncattest.Refuse(1400, "wrong"), refused: true, badParams: true},
		"not sent":    {answer: ncattest.NotSent(), notSent: true},
		"silence":     {answer: ncattest.Silence(), mayBeIn: true},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			b := within(block3)
			b.OnGroup(func(ctx context.Context, b *ncat.Bot, _ *onebot.GroupMessage) error {
				_, err = b.SendPrivate(ctx, 10001, "hi")
				return nil
			}, ncat.Where(ncat.Keyword("ask")))
			ncattest.Run(t, b, func(h *ncattest.Harness) {
				h.On("send_private_msg", c.answer)
				g := h.Group(700000001)
				g.From(1).Says("go")
				g.From(1).Says("ask")
				h.Pass(time.Minute) // no call lasts longer
				h.WantCall("send_private_msg", "user_id", 10001)
			})
			for what, v := range map[string][2]bool{
				"refused": {onebot.IsRefused(err), c.refused}, "unsupported": {onebot.IsUnsupported(err), c.unsupported},
				"bad params": {onebot.IsBadParams(err), c.badParams}, "bad token": {onebot.IsBadToken(err), false},
				"not sent": {errors.Is(err, onebot.ErrNotSent), c.notSent}, "maybe done": {onebot.MaybeDone(err), c.mayBeIn},
			} {
				if v[0] != v[1] {
					t.Errorf("%s: %v; %v", what, v[0], err)
				}
			}
		})
	}
}

func TestApology(t *testing.T) {
	b := bot(t, block4)
	fail := errors.New("no")
	b.OnGroup(func(context.Context, *ncat.Bot, *onebot.GroupMessage) error { return fail })
	b.OnPrivate(func(context.Context, *ncat.Bot, *onebot.PrivateMessage) error { panic(fail) })
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Group(700000001).From(1).Says("go")
		h.WantLike("that did not work, sorry")
		h.Friend(1).Says("go")
		h.WantLike("that did not work, sorry")
		if n := len(h.Errors()); n != 2 {
			t.Errorf("%d errors", n)
		}
		fail = onebot.ErrNotSent
		h.Group(700000001).From(1).Says("go")
		h.WantNothing()
		if n := len(h.Errors()); n != 1 {
			t.Errorf("%d errors", n)
		}
	})
}
