package main

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
)

func TestPoints(t *testing.T) {
	die := 6
	b := ncat.New()
	b.AddPlugin(&points{roll: func() int { return die }})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice, bob := h.InGroup(100, 1), h.Friend(2)
		alice.Name, bob.Name = "Alice", "Bob"
		alice.Says("/签到")
		h.Want(" 签到成功，积分 10")
		alice.Says("/sign")
		h.Want(" 今天已经签到过了")
		h.Pass(24 * time.Hour)
		alice.Says("/sign")
		h.Want(" 签到成功，积分 20")
		alice.Says("/roll 5")
		h.Want(" 掷出 6，+5，积分 25")
		h.Pass(3 * time.Second)
		die = 1
		alice.Says("/roll 20")
		h.Want(" 掷出 1，-20，积分 5")
		h.Pass(3 * time.Second)
		alice.Says("/roll 6")
		h.Want(" 积分不够")
		bob.Says("/sign")
		h.Want("签到成功，积分 10")
		bob.Says("/top")
		h.Want("排行榜\n1. Bob 10\n2. Alice 5")
	})
}
