package action

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var friendActions = map[string]handler{
	"get_friend_list":                friendList,
	"get_friends_with_category":      friendsByCategory,
	"get_unidirectional_friend_list": func(*call) (any, error) { return []any{}, nil },
	"get_stranger_info":              strangerInfo,
	"set_friend_remark":              setFriendRemark,
	"delete_friend":                  deleteFriend,
	"send_like":                      sendLike,
}

var requestActions = map[string]handler{
	"set_friend_add_request":        friendRequest,
	"set_group_add_request":         groupRequest,
	"get_group_system_msg":          systemMessages,
	"get_group_ignored_notifies":    systemMessages,
	"get_group_ignore_add_request":  func(*call) (any, error) { return []any{}, nil },
	"get_doubt_friends_add_request": doubtRequests,
	"set_doubt_friends_add_request": answerDoubt,
}

func userObject(u *world.User, level int) *jsval.Object {
	remark := u.Remark
	return jsval.Obj("birthday_year", 0, "birthday_month", 0, "birthday_day", 0, "user_id", u.UIN, "age", u.Age, "phone_num", "", "email", "",
		"category_id", 0, "nickname", u.Nickname, "remark", remark, "sex", u.Sex, "level", level)
}

func friendList(c *call) (any, error) {
	out := []any{}
	for _, u := range c.h.w.Friends() {
		out = append(out, userObject(&u, u.Level))
	}
	return out, nil
}

func friendsByCategory(c *call) (any, error) {
	list := []any{}
	for _, u := range c.h.w.Friends() {
		list = append(list, userObject(&u, 0))
	}
	return []any{jsval.Obj("categoryId", 0, "categorySortId", 0, "categoryName", "我的好友", "categoryMbCount", len(list),
		"onlineCount", len(list), "buddyList", list)}, nil
}

func strangerInfo(c *call) (any, error) {
	u, ok := c.h.w.User(c.int("user_id"))
	if !ok {
		return nil, Failed("Cannot read properties of undefined (reading 'uid')")
	}
	return jsval.Obj("uid", u.UID, "uin", strconv.FormatInt(u.UIN, 10), "nick", u.Nickname, "remark", u.Remark, "longNick", u.LongNick,
		"birthday_year", 0, "birthday_month", 0, "birthday_day", 0, "phoneNum", "", "eMail", "", "country", "", "province", "", "city", "",
		"constellation", 0, "categoryId", 0, "isBlock", false, "isSpecialCareOpen", false, "labels", []any{},
		"user_id", u.UIN, "nickname", u.Nickname, "age", u.Age, "qid", u.QID, "qqLevel", u.Level, "sex", u.Sex, "long_nick", u.LongNick,
		"reg_time", u.RegTime, "is_vip", false, "is_years_vip", false, "vip_level", 0, "status", 10, "login_days", 0), nil
}

func setFriendRemark(c *call) (any, error) {
	u, ok := c.h.w.User(c.int("user_id"))
	if !ok || !u.Friend {
		return nil, failf("用户 %s 不是好友", c.str("user_id"))
	}
	return undefined, c.h.w.UpdateUser(u.UIN, func(u *world.User) { u.Remark = c.str("remark") })
}

func deleteFriend(c *call) (any, error) {
	id := c.first("friend_id", "user_id")
	uin := jsval.Int(id)
	if _, ok := c.h.w.User(uin); !ok {
		return jsval.Obj("valid", false, "message", "用户不存在"), nil
	}
	if !c.h.w.Unfriend(uin) {
		return jsval.Obj("valid", false, "message", "不是好友"), nil
	}
	return gcr(0, ""), nil
}

// likesPerDay is how often QQ lets one like somebody's profile on one day.
const likesPerDay = 20

func sendLike(c *call) (any, error) {
	uin, n := c.int("user_id"), int(c.int("times"))
	u, ok := c.h.w.User(uin)
	if !ok {
		return nil, Failed("点赞失败 用户不存在")
	}
	if u.Likes+n > likesPerDay {
		return nil, Failed("点赞失败 今日同一好友点赞数已达上限")
	}
	return undefined, c.h.w.UpdateUser(uin, func(u *world.User) { u.Likes += n })
}

func friendRequest(c *call) (any, error) {
	approve := c.notNo("approve") // the number 0 has become the text "0" and approves
	if err := c.h.w.Answer(c.str("flag"), approve, c.str("remark"), world.FriendRequest); err != nil {
		return nil, Failed("没有找到该请求")
	}
	return undefined, nil
}

func groupRequest(c *call) (any, error) {
	text := ""
	if s, ok := c.p.Get("reason").(string); ok {
		text = s
	}
	if err := c.h.w.Answer(c.str("flag"), c.notNo("approve"), text, world.JoinRequest, world.InviteRequest); err != nil {
		return nil, Failed("没有找到该通知")
	}
	return nil, nil
}

func (h *Host) notice(r *world.Request) *jsval.Object {
	g, _ := h.w.Group(r.Group)
	nick := h.nick(r.User)
	id, _ := strconv.ParseInt(r.Flag, 10, 64)
	return jsval.Obj("request_id", id, "invitor_uin", r.User, "invitor_nick", nick, "group_id", r.Group, "message", r.Comment,
		"group_name", g.Name, "checked", r.Answered, "actor", r.Actor, "requester_nick", nick)
}

func systemMessages(c *call) (any, error) {
	count := 50
	if c.p.Has("count") {
		count = max(0, int(c.int("count")))
	}
	invited, joins := []any{}, []any{}
	for _, r := range c.h.w.Requests(world.JoinRequest, world.InviteRequest) {
		if len(invited)+len(joins) >= count {
			break
		}
		if r.Kind == world.InviteRequest {
			invited = append(invited, c.h.notice(&r))
		} else {
			joins = append(joins, c.h.notice(&r))
		}
	}
	return jsval.Obj("invited_requests", invited, "InvitedRequest", invited, "join_requests", joins), nil
}

func doubtRequests(c *call) (any, error) {
	reqs := c.h.w.Requests(world.DoubtRequest)
	if len(reqs) == 0 {
		return c.later(func() (any, error) { // QQ sends no list, and the host waits for one
			if err := c.wait(5 * time.Second); err != nil {
				return nil, err
			}
			return nil, Failed("Timeout: NTEvent serviceAndMethod:NodeIKernelBuddyService/getDoubtBuddyReq EventRet:\n{}\n")
		})
	}
	out := []any{}
	for _, r := range reqs[:min(len(reqs), max(0, int(c.int("count"))))] {
		out = append(out, jsval.Obj("flag", r.Flag, "uin", strconv.FormatInt(r.User, 10), "nick", c.h.nick(r.User), "source", "QQ号查找",
			"reason", "", "msg", r.Comment, "group_code", "0", "time", fmt.Sprint(r.Time), "type", "doubt"))
	}
	return out, nil
}

func answerDoubt(c *call) (any, error) {
	return ignore(undefined, c.h.w.Answer(c.str("flag"), true, "", world.DoubtRequest))
}
