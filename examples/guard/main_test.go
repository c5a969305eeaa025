package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestGuard(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		spare := h.Account("spare", 10002)
		hear := func(accounts []*ncattest.Harness, m *onebot.GroupMessage) {
			for _, a := range accounts {
				copied := *m
				copied.SelfID = a.Self
				a.Event(&copied)
			}
		}
		both := []*ncattest.Harness{h, spare}

		hear(both, ncattest.GroupMessage(100, 1, "/ping"))
		h.Want("pong")
		spare.WantNothing()
		hear([]*ncattest.Harness{spare, h}, ncattest.GroupMessage(100, 1, "/ping"))
		spare.Want("pong")
		h.WantNothing()
		hear(both[1:], ncattest.GroupMessage(100, 1, "/ping")) // main does not hear it
		spare.Want("pong")

		hear(both[:1], ncattest.GroupMessage(100, spare.Self, "/ping")) // one of ours
		h.WantNothing()

		h.Event(ncattest.WentOffline("下线通知", "在别处登录"))
		spare.WantLike("账号 main（10001）离线")
		h.WantNothing()
	})
}
