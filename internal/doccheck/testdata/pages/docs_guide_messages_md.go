package p

import (
	"context"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		block func(context.Context, *ncat.Bot, *onebot.GroupMessage) error
		want  func(h *ncattest.Harness)
	}{
		"answers": {block1, func(h *ncattest.Harness) {
			h.WantLike("plain", "quotes what was said", "mentions who said it")
		}},
		"sends": {block2, func(h *ncattest.Harness) {
			h.WantLike("good morning", "this disappears")
			h.WantCall("delete_msg")
		}},
		"reads": {block3, func(h *ncattest.Harness) { h.WantNothing() }},
		"long": {block4, func(h *ncattest.Harness) {
			sent := h.Sent()
			var all strings.Builder
			for _, m := range sent {
				all.WriteString(m.Message.CQ())
			}
			if len(sent) < 2 || !strings.Contains(all.String(), "a long story.") || !strings.Contains(sent[len(sent)-1].Text(), "word by word") {
				t.Errorf("%d messages", len(sent))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ncattest.Run(t, within(c.block), func(h *ncattest.Harness) {
				h.Friend(1) // who can be written to
				h.Group(700000001).From(1).Says("go")
				c.want(h)
			})
		})
	}
}
