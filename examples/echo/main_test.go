package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestEcho(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		u := h.InGroup(100, 1)
		u.Says(`/echo  a "b"  c`)
		h.Want(`a "b"  c`)
		u.Says("/复读 ", onebot.Face(14), "x")
		if m := h.One().Message; len(m) != 2 || m[0].SegmentType() != "face" || m.Text() != "x" {
			t.Errorf("repeated %v", m)
		}
		id := u.Says(onebot.At(ncattest.Self), " 你好 ")
		if m := h.One().Message; m.ReplyTo() != id || m.Text() != "你好" {
			t.Errorf("answered %v", m)
		}
		u.Says("你好")
		h.WantNothing()
		u.Says("/echo")
		h.Want("缺少参数 what\n用法: /echo <what…>\n复读\n  what – 任何内容\n别名: 复读")
	})
}
