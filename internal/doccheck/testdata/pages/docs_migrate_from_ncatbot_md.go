package p

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestSignIn(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(&signIn{group: 700000001})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		g := h.Group(700000001)
		g.From(1).Says("/sign")
		h.WantLike("第 1 次签到")
		g.From(1).Says("/签到")
		h.WantLike("第 2 次签到")
		g.From(2).Says("/签到")
		h.WantLike("第 1 次签到")
		h.PassUntil("07:59")
		h.WantNothing()
		h.Pass(time.Minute)
		h.Want("早上好")
	})
}
