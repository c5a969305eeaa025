package main

import (
	"testing"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestGroupAdmin(t *testing.T) {
	ncattest.Run(t, newBot("广告"), func(h *ncattest.Harness) {
		h.Event(ncattest.Joined(100, 5))
		h.Want(" 欢迎入群！")
		h.Event(ncattest.Joined(100, ncattest.Self))
		h.WantNothing()

		id := h.InGroup(100, 6).Says("看广告吗")
		h.Want(" 请勿发送违禁内容")
		if calls := h.Calls("delete_msg"); len(calls) != 1 {
			t.Errorf("%d messages recalled", len(calls))
		} else {
			var p struct {
				MessageID onebot.MessageID `json:"message_id"`
			}
			if err := calls[0].Decode(&p); err != nil || p.MessageID != id {
				t.Errorf("recalled %d, %v", p.MessageID, err)
			}
		}

		boss := h.InGroup(100, 9)
		boss.Role = onebot.RoleAdmin
		boss.Says("广告")
		h.WantNothing()
		boss.Says("/votekick ", onebot.At(6))
		h.Want("移出 ？同意请发 同意（3 票）")
		for _, u := range []onebot.UserID{1, 1, 6, 2} { // one twice, and who it is about
			h.InGroup(100, u).Says("同意")
		}
		if n := len(h.Calls("set_group_kick")); n != 0 {
			t.Fatalf("removed after two votes")
		}
		h.InGroup(100, 3).Says("同意")
		h.Want("投票通过，已移出")
		if n := len(h.Calls("set_group_kick")); n != 1 {
			t.Errorf("removed %d times", n)
		}
		boss.Says("/votekick 6")
		h.Sent()
		h.Pass(voteTime)
		h.Want("投票结束，0/3 票，未通过")
	})
}
