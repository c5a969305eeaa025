package p

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

func TestCommands(t *testing.T) {
	b := bot(t, block1, block4)
	addMute(b)
	addVote(b)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		g := h.Group(100)
		g.From(1).Says("/ping")
		h.Want("pong")
		g.From(1).Says("/hello")
		h.Want("pong")
		g.From(6).Says("x")
		g.From(1).Says("/mute 6")
		h.WantNoCall("set_group_ban")
		h.Sent()
		g.Admin(2).Says("/mute 6 5m too loud")
		h.WantCall("set_group_ban", "user_id", 6, "duration", 300)
		h.WantLike("muted for 5m0s too loud")
		g.Admin(2).Says("/mute 6 -q")
		h.WantCall("set_group_ban", "user_id", 6, "duration", 600)
		h.WantNothing()
		g.From(1).Says("/vote start tea or coffee")
		h.Want("vote on: tea or coffee")
		g.From(1).Says("/vote end")
		h.Want("it is over")
		g.From(1).Says("sign in")
		h.Want("signed in")
		g.From(1).Says("sign in")
		h.Sent()
		h.Pass(24 * time.Hour)
		g.From(1).Says("sign in")
		h.Want("signed in")
		g.From(1).Says("2d6")
		h.Want("2 dice of 6 sides")
		g.From(1).Says("/help")
		h.WantLike("XdY")
	})
}
