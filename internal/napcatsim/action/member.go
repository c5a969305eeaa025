package action

import (
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var memberActions = map[string]handler{
	"get_group_member_info":   memberInfo,
	"get_group_member_list":   memberList,
	"set_group_kick":          kick,
	"set_group_kick_members":  kickMembers,
	"set_group_ban":           ban,
	"set_group_admin":         setAdmin,
	"set_group_card":          setCard,
	"set_group_special_title": setTitle,
	"group_poke":              poke,
	"friend_poke":             poke,
	"send_poke":               poke,
}

func (h *Host) memberObject(g *world.Group, m *world.Member) *jsval.Object {
	u, _ := h.w.User(m.UIN)
	return jsval.Obj("group_id", g.ID, "user_id", m.UIN, "nickname", u.Nickname, "card", m.Card, "sex", u.Sex, "age", u.Age, "area", "",
		"level", strconv.Itoa(m.Level), "qq_level", u.Level, "join_time", m.Joined, "last_sent_time", m.LastSent, "title_expire_time", 0,
		"unfriendly", false, "card_changeable", true, "is_robot", m.Robot, "shut_up_timestamp", m.ShutUntil, "role", string(m.Role), "title", m.Title)
}

func memberInfo(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	m := g.Members[c.int("user_id")]
	if m == nil {
		return nil, failf("群(%d)成员%d不存在", g.ID, c.int("user_id"))
	}
	return c.h.memberObject(&g, m), nil
}

func memberList(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, m := range g.Sorted() {
		out = append(out, c.h.memberObject(&g, &m))
	}
	return out, nil
}

func kick(c *call) (any, error) {
	// QQ's verdict is not looked at: ok also where the bot is no administrator.
	if c.int("user_id") == c.h.self {
		return nil, nil
	}
	if _, err := c.admin(); err != nil {
		return ignore(nil, err)
	}
	return ignore(nil, c.h.w.Leave(c.int("group_id"), c.int("user_id"), c.h.self))
}

func kickMembers(c *call) (any, error) {
	g, err := c.admin()
	if err != nil {
		return ignore(nil, err)
	}
	list, _ := c.p.Get("user_id").([]any)
	for _, v := range list {
		if uin := jsval.Int(v); uin != c.h.self {
			_ = c.h.w.Leave(g.ID, uin, c.h.self) // unknown numbers and higher roles are passed over
		}
	}
	return nil, nil
}

func ban(c *call) (any, error) {
	g, err := c.admin()
	if err != nil {
		return nil, err
	}
	uin := c.int("user_id")
	m := g.Members[uin]
	if m == nil {
		return nil, Failed("uid error")
	}
	if err := c.h.w.Ban(g.ID, uin, c.h.self, c.int("duration")); err != nil {
		return nil, failf("ShutUpMember Error: %v", refusal(err))
	}
	return nil, nil
}

func setAdmin(c *call) (any, error) {
	if g, err := c.group(); err == nil && g.Members[c.int("user_id")] == nil {
		return nil, Failed("get Uid Error")
	}
	// Left out, enable means false.
	return ignore(nil, c.h.w.SetAdmin(c.int("group_id"), c.int("user_id"), c.h.self, c.yes("enable")))
}

func setCard(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return c.later(func() (any, error) {
		err := c.h.w.SetCard(g.ID, c.int("user_id"), c.h.self, c.str("card"))
		// The host reads the card back until it has changed.
		if err := c.wait(time.Second); err != nil {
			return nil, err
		}
		if err != nil {
			return nil, failf("设置群名片失败: %v", refusal(err))
		}
		return nil, nil
	})
}

func setTitle(c *call) (any, error) {
	if g, err := c.group(); err == nil && g.Members[c.int("user_id")] == nil {
		return nil, Failed("User not found")
	}
	return ignore(undefined, c.h.w.SetTitle(c.int("group_id"), c.int("user_id"), c.h.self, c.str("special_title")))
}

func poke(c *call) (any, error) {
	to := c.int("user_id")
	if v := c.str("target_id"); v != "" {
		to = c.int("target_id")
	}
	return ignore(undefined, c.h.w.Poke(c.int("group_id"), c.h.self, to))
}
