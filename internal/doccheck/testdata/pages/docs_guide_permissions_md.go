package p

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestPermissions(t *testing.T) {
	b := bot(t, block1, block3)
	b.OnGroup(block2, ncat.Where(ncat.TextIs("go")))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		g := h.Group(100)
		may := func(p *ncattest.Person, command string, want bool) {
			t.Helper()
			p.Says(command)
			sent := h.Sent()
			if done := len(sent) == 1 && sent[0].Text() == "done"; done != want {
				t.Errorf("%s: %s is answered with %v", p, command, sent)
			}
		}
		may(g.From(10003), "/publish", false)
		g.From(10003).Says("go")
		h.WantLike("grant editor")
		may(g.From(10003), "/publish", true)
		may(g.From(10004), "/publish", true)
		may(h.Group(200).From(10004), "/publish", false)
		may(g.From(1), "/mute", false)
		may(g.Admin(2), "/mute", true)
		may(g.Admin(2), "/shutdown", false)
		h.Admins(9)
		may(g.From(9), "/shutdown", true)

		id := g.From(1).Says("bad")
		g.From(1).Quotes(id, "recall")
		h.WantNoCall("delete_msg")
		g.Admin(2).Quotes(id, "recall")
		h.WantCall("delete_msg", "message_id", id)
	})
}
