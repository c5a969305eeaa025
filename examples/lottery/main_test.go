package main

import (
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// first lets the first who came win.
func first(int, func(i, j int)) {}

func TestLottery(t *testing.T) {
	ncattest.Run(t, newBot(first), func(h *ncattest.Harness) {
		g := h.Group(100)
		g.From(1).Says("参加")
		h.WantNothing()
		g.From(1).Says("/抽奖 5m 2 一本书")
		h.WantLike("没有权限")
		g.Admin(9).Says("/抽奖 5m 2 一本书")
		h.Want("抽 一本书，2 人中奖，5m0s 后开奖，发「参加」")
		g.Admin(9).Says("/抽奖 5m 2 两本书")
		h.Want("已经有一个抽奖了")
		for _, u := range []onebot.UserID{1, 2, 1, 3} {
			g.From(u).Says("参加")
		}
		h.Want("第 1 位", "第 2 位", "第 3 位")
		h.Pass(5 * time.Minute)
		h.Want("恭喜获得一本书：[CQ:at,qq=1] [CQ:at,qq=2]")
		g.From(4).Says("参加")
		h.WantNothing()
		g.Admin(9).Says("/抽奖 1m 1 空气")
		h.Sent()
		h.Pass(time.Minute)
		h.Want("开奖：空气 没有人参加")
	})
}

func TestTable(t *testing.T) {
	ncattest.Run(t, newBot(first), func(h *ncattest.Harness) {
		g := h.Group(100)
		g.From(1).Says("/添加 早 早上好")
		h.WantLike("没有权限")
		g.Admin(9).Says("/添加 早 早上好 啊")
		h.Want("记住了")
		g.From(1).Says(" 早 ")
		h.Want("早上好 啊")
		h.Group(200).From(1).Says("早")
		h.WantNothing()
		h.Stop()
		h.Start(newBot(first))
		g.From(1).Says("早")
		h.Want("早上好 啊")
		g.Admin(9).Says("/删除 早")
		h.Want("忘记了")
		g.From(1).Says("早")
		h.WantNothing()
	})
}
