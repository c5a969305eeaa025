package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestAccounts(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Admins(1)
		second := h.Account("second", 20002)
		h.Friend(1).Says("/账号")
		h.Want("main 10001（我）\nsecond 20002")
		second.Friend(1).Says("/账号")
		second.Want("main 10001\nsecond 20002（我）")

		h.Friend(1).Says("/转告 second 5 你好 呀")
		h.Want("已转告")
		if m := second.One(); m.Chat != ncat.Private(5) || m.Text() != "你好 呀" {
			t.Errorf("told %v", m)
		}
		h.Friend(1).Says("/tell third 5 你好")
		h.Want("没有这个账号")
		h.Friend(2).Says("/tell second 5 你好") // no admin
		h.WantLike("权限")
		second.WantNothing()
	})
}
