package main

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
)

func TestOnce(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		alice := h.Group(100).From(1)
		alice.Says("/remind in 10m 喝水")
		h.Want("好的，到时提醒你")
		h.Pass(9 * time.Minute)
		h.WantNothing()
		h.Pass(time.Minute)
		h.Want("[CQ:at,qq=1] ⏰ 喝水")
		h.Pass(24 * time.Hour)
		h.WantNothing()
		alice.Says("/remind list")
		h.Want("你有 0 个提醒")
		alice.Says("/remind in 喝水")
		h.WantLike("用法: /remind in <after> <text…>")
	})
}

func TestDaily(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		bob := h.Friend(2)
		bob.Says("/remind daily 8:00 早安")
		h.Want("好的，到时提醒你")
		h.PassUntil("08:00")
		h.Want("⏰ 早安")
		h.PassUntil("08:00")
		h.Want("⏰ 早安")
		bob.Says("/remind daily 25:00 早安")
		h.Want("看不懂这个时间")
		bob.Says("/remind list")
		h.WantLike("1. daily 8:00 早安")
		h.Friend(3).Says("/remind cancel 1") // not hers
		h.Want("没有这个提醒")
		bob.Says("/remind cancel 1")
		h.Want("已取消")
		h.Pass(48 * time.Hour)
		h.WantNothing()
	})
}

// TestRestart lets one reminder become due while the bot does not run and another
// one after it is back.
func TestRestart(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Friend(1).Says("/remind in 10m 喝水")
		h.Friend(1).Says("/remind in 3h 睡觉")
		h.Want("好的，到时提醒你", "好的，到时提醒你")
		h.Stop()
		h.Pass(time.Hour)
		h.Start(newBot())
		h.Want("⏰ 喝水")
		h.Pass(2 * time.Hour)
		h.Want("⏰ 睡觉")
		h.Stop()
		h.Start(newBot())
		h.Pass(24 * time.Hour)
		h.WantNothing()
	})
}
