package main

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestGroupAdmin(t *testing.T) {
	ncattest.Run(t, newBot("广告"), func(h *ncattest.Harness) {
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

// sum is the answer to what the bot asked.
func sum(t *testing.T, question string) string {
	t.Helper()
	m := regexp.MustCompile(`(\d+)\+(\d+)=`).FindStringSubmatch(question)
	if m == nil {
		t.Fatalf("no sum in %q", question)
	}
	x, _ := strconv.Atoi(m[1]) // digits
	y, _ := strconv.Atoi(m[2])
	return strconv.Itoa(x + y)
}

func TestVerify(t *testing.T) {
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		g := h.Group(100)
		g.From(5).Joins()
		answer := sum(t, h.One().Text())
		g.From(6).Joins() // two at once
		h.One()
		g.From(5).Says("不会")
		g.From(7).Says(answer) // somebody else
		h.WantNothing()
		g.From(5).Says(answer)
		h.Want("[CQ:at,qq=5] 验证通过")
		h.Pass(sumTime)
		h.WantCall("set_group_kick", "group_id", 100, "user_id", 6)
		h.WantNoCall("set_group_kick")
		h.Event(ncattest.Joined(100, h.Self))
		h.WantNothing()
	})
}

func TestAntiRecall(t *testing.T) {
	ncattest.Run(t, newBot("广告"), func(h *ncattest.Harness) {
		p := h.Group(100).From(5)
		id := p.Says("说错了 ", onebot.Face(178))
		p.Recalls(id)
		h.Want("[CQ:at,qq=5] 撤回了：说错了 [CQ:face,id=178]")
		id = p.Says("旧话")
		h.Pass(kept + time.Minute)
		p.Recalls(id)
		h.WantNothing()
		id = p.Says("管理员撤回的")
		h.Event(ncattest.GroupRecall(100, 5, 9, id))
		h.WantNothing()
	})
}
