package main

import (
	"slices"
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestDigest(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		g := h.Group(100)
		first, second := g.From(1).Says("好句"), g.From(2).Says("更好的句")
		id := g.From(3).Quotes(first, "/收藏")
		h.Want("[CQ:reply,id=" + id.String() + "]已收藏，今天共 1 条")
		g.From(3).Quotes(second, "/收藏")
		g.From(4).Quotes(second, "/收藏") // once is enough
		h.WantLike("共 2 条", "共 2 条")
		g.From(3).Says("/收藏")
		h.WantLike("请引用")

		g.From(1).Says("/精华")
		wantForward(t, h.One(), "1 好句", "2 更好的句")
		h.Group(200).From(1).Says("/精华")
		h.WantLike("今天还没有收藏")

		h.On("send_group_forward_msg", ncattest.Times(1, ncattest.Refuse(1200, "发送失败")))
		h.PassUntil("21:00")
		h.WantNothing() // it failed, and is kept
		h.PassUntil("21:00")
		wantForward(t, h.One(), "1 好句", "2 更好的句")
		h.PassUntil("21:00")
		h.WantNothing()
	})
}

// wantForward wants one merged forward of these messages, each with its author.
func wantForward(t *testing.T, m ncattest.Sent, messages ...string) {
	t.Helper()
	var got []string
	for _, n := range onebot.All[*onebot.NodeSegment](m.Message) {
		got = append(got, n.UserID.String()+" "+n.Content.Text())
	}
	if !slices.Equal(got, messages) || len(m.Message) != len(messages) {
		t.Errorf("forwarded %q, want %q", got, messages)
	}
}
