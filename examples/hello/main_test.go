package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
)

func TestHello(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Friend(1).Says("测试")
		h.Want("NcatBot 测试成功喵~")
		h.InGroup(100, 1).Says(" 测试 ")
		h.Want("NcatBot 测试成功喵~")
		h.Friend(1).Says("测试一下")
		h.WantNothing()
	})
}
