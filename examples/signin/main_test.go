package main

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

func TestSignIn(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		const day = 24 * time.Hour
		g := h.Group(100)
		alice, bob := g.From(1).Named("Alice"), g.From(2).Named("Bob")
		alice.Says("/签到")
		h.Want("[CQ:at,qq=1] 签到成功！连续 1 天，共 1 天")
		alice.Says("/sign")
		h.Want("今天已经签到过了，连续 1 天")
		h.Pass(day)
		alice.Says("/签到")
		h.Want("签到成功！连续 2 天，共 2 天")
		bob.Says("/签到")
		h.Want("签到成功！连续 1 天，共 1 天")
		bob.Says("/签到榜")
		h.Want("连续签到榜\n1. Alice 2 天\n2. Bob 1 天")

		h.Stop() // the store remembers
		h.Pass(2 * day)
		h.Start(newBot())
		alice.Says("/签到")
		h.Want("签到成功！连续 1 天，共 3 天")
	})
}

// TestMidnight signs in just before and just after midnight in China.
func TestMidnight(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		now := time.Now().In(china)
		midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, china)
		h.Pass(midnight.Sub(now) - time.Second)
		h.Friend(1).Says("/签到")
		h.Want("签到成功！连续 1 天，共 1 天")
		h.Pass(2 * time.Second)
		h.Friend(1).Says("/签到")
		h.Want("签到成功！连续 2 天，共 2 天")
	})
}
