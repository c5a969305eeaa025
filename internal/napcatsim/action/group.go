package action

import (
	"errors"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var groupActions = map[string]handler{
	"get_group_list":                          groupList,
	"get_group_info":                          groupInfo,
	"get_group_detail_info":                   groupDetail,
	"get_group_info_ex":                       groupInfoEx,
	"set_group_name":                          setGroupName,
	"set_group_whole_ban":                     setWholeBan,
	"set_group_leave":                         setGroupLeave,
	"set_group_remark":                        setGroupRemark,
	"set_group_portrait":                      setGroupPortrait,
	"get_group_at_all_remain":                 atAllRemain,
	"get_group_honor_info":                    honorInfo,
	"get_group_shut_list":                     shutList,
	"get_group_signed_list":                   signedList,
	"send_group_sign":                         groupSign,
	"set_group_sign":                          groupSign,
	"_send_group_notice":                      sendBoard,
	"_get_group_notice":                       getBoards,
	"_del_group_notice":                       deleteBoard,
	"set_group_add_option":                    groupOption("add_type"),
	"set_group_search":                        groupOption("no_code_finger_open", "no_finger_open"),
	"set_group_robot_add_option":              groupOption("robot_member_switch", "robot_member_examine"),
	"set_group_member_invite_policy":          groupOption(),
	"set_group_member_permissions":            memberPermissions,
	"set_group_new_member_history_visibility": groupOption("visible"),
}

// group returns the group that the call names, if the bot is in it.
func (c *call) group() (world.Group, error) {
	g, ok := c.h.w.Group(c.int("group_id"))
	if !ok || g.Members[c.h.self] == nil {
		return world.Group{}, failf("群%s不存在", c.str("group_id"))
	}
	return g, nil
}

// admin returns the group if the bot may manage it, or QQ's refusal.
func (c *call) admin() (world.Group, error) {
	g, err := c.group()
	if err != nil {
		return g, err
	}
	if g.Members[c.h.self].Role == world.Plain {
		return g, Failed("权限不足")
	}
	return g, nil
}

func groupObject(g *world.Group) *jsval.Object {
	shut := 0
	if g.WholeBan {
		shut = -1
	}
	return jsval.Obj("group_all_shut", shut, "group_remark", g.Remark, "group_id", g.ID, "group_name", g.Name,
		"member_count", len(g.Members), "max_member_count", g.MaxMembers)
}

func groupList(c *call) (any, error) {
	out := []any{}
	for _, g := range c.h.w.Groups() {
		out = append(out, groupObject(&g))
	}
	return out, nil
}

func groupInfo(c *call) (any, error) {
	if g, err := c.group(); err == nil {
		return groupObject(&g), nil
	}
	return groupDetail(c)
}

func groupDetail(c *call) (any, error) {
	g, ok := c.h.w.Group(c.int("group_id"))
	if !ok {
		return nil, eventRefused("NodeIKernelGroupService/getGroupDetailInfo", "NodeIKernelGroupListener/onGroupDetailInfoChange", 5, "群不存在")
	}
	owner := int64(0)
	for _, m := range g.Members {
		if m.Role == world.Owner {
			owner = m.UIN
		}
	}
	shut := 0
	if g.WholeBan {
		shut = -1
	}
	mine := int64(0)
	if m := g.Members[c.h.self]; m != nil {
		mine = m.ShutUntil
	}
	return jsval.Obj("groupCode", strconv.FormatInt(g.ID, 10), "groupUin", strconv.FormatInt(g.ID, 10), "ownerUid", world.UID(owner),
		"ownerUin", strconv.FormatInt(owner, 10), "groupFlag", 17826817, "groupFlagExt", 0, "groupName", g.Name, "memberNum", len(g.Members),
		"maxMemberNum", g.MaxMembers, "activeMemberNum", len(g.Members), "groupCreateTime", g.Created, "groupMemo", "", "fingerMemo", "",
		"groupQuestion", "", "remarkName", g.Remark, "shutUpAllTimestamp", int64(map[bool]uint32{true: math.MaxUint32}[g.WholeBan]),
		"shutUpMeTimestamp", mine, "privilegeFlag", 67633344, "groupGeoInfo", &jsval.Object{}, "groupHeadPortrait", &jsval.Object{},
		"groupExt", jsval.Obj("inviteRobotMemberSwitch", 0, "inviteRobotMemberExamine", 0),
		"group_id", g.ID, "group_name", g.Name, "member_count", len(g.Members), "max_member_count", g.MaxMembers,
		"group_all_shut", shut, "group_remark", ""), nil
}

func groupInfoEx(c *call) (any, error) {
	g, ok := c.h.w.Group(c.int("group_id"))
	if !ok {
		return undefined, nil
	}
	owner := int64(0)
	for _, m := range g.Members {
		if m.Role == world.Owner {
			owner = m.UIN
		}
	}
	ext := &jsval.Object{}
	for _, k := range []string{"groupInfoExtSeq", "reserve", "lightCharNum", "starId", "essentialMsgSwitch", "todoSeq",
		"blacklistExpireTime", "isLimitGroupRtc", "companyId", "hasGroupCustomPortrait"} {
		ext.Set(k, 0)
	}
	ext.Set("luckyWordId", "").Set("luckyWord", "").Set("bindGuildId", "0").Set("msgEventSeq", "0").Set("viewedMsgDisappearTime", "0")
	ext.Set("groupOwnerId", jsval.Obj("memberUin", strconv.FormatInt(owner, 10), "memberUid", world.UID(owner), "memberQid", ""))
	ext.Set("groupBindGuildIds", jsval.Obj("guildIds", []any{})).Set("groupExcludeGuildIds", jsval.Obj("guildIds", []any{}))
	ext.Set("groupExtFlameData", jsval.Obj("switchState", 0, "state", 0, "dayNums", []any{}, "version", 0, "updateTime", "0", "isDisplayDayNum", false))
	return jsval.Obj("groupCode", strconv.FormatInt(g.ID, 10), "resultCode", 0, "extInfo", ext), nil
}

// refusal turns an error of the world into the text of a refused action.
func refusal(err error) error {
	switch {
	case errors.Is(err, world.ErrForbidden):
		return Failed("权限不足")
	case errors.Is(err, world.ErrNoMember):
		return Failed("群成员不存在")
	case errors.Is(err, world.ErrNoGroup):
		return Failed("群不存在")
	}
	return err
}

func setGroupName(c *call) (any, error) {
	if err := c.h.w.Rename(c.int("group_id"), c.h.self, c.str("group_name")); err != nil {
		return nil, failf("设置群名称失败 %v", refusal(err))
	}
	return nil, nil
}

func setWholeBan(c *call) (any, error) {
	if err := c.h.w.BanAll(c.int("group_id"), c.h.self, c.notNo("enable")); err != nil {
		return nil, failf("设置全员禁言失败 %v", refusal(err))
	}
	return nil, nil
}

func setGroupLeave(c *call) (any, error) {
	return ignore(nil, c.h.w.Leave(c.int("group_id"), c.h.self, 0))
}

func setGroupRemark(c *call) (any, error) {
	if _, err := c.group(); err != nil {
		return nil, failf("设置群备注失败, %v", err)
	}
	return nil, c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) { g.Remark = c.str("remark") })
}

func setGroupPortrait(c *call) (any, error) {
	return c.later(func() (any, error) {
		if _, err := c.admin(); err != nil {
			return nil, failf("头像设置失败: %v", err)
		}
		if _, err := c.h.open(c.ctx, "image", c.str("file"), ""); err != nil {
			return nil, failf("头像%s设置失败,file字段可能格式不正确", c.str("file"))
		}
		return gcr(0, "success"), nil
	})
}

func atAllRemain(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	can, n := g.Members[c.h.self].Role != world.Plain, 0
	if can {
		n = 20
	}
	return jsval.Obj("can_at_all", can, "remain_at_all_count_for_group", n, "remain_at_all_count_for_uin", n/2), nil
}

func honorInfo(c *call) (any, error) {
	if c.str("group_id") == "" {
		return nil, Failed("缺少参数group_id")
	}
	g, _ := c.h.w.Group(c.int("group_id"))
	kind := c.str("type")
	if kind == "" {
		kind = "all"
	}
	out := jsval.Obj("group_id", c.int("group_id"), "current_talkative", &jsval.Object{}, "talkative_list", []any{},
		"performer_list", []any{}, "legend_list", []any{}, "emotion_list", []any{}, "strong_newbie_list", []any{})
	members := g.Sorted()
	sort.SliceStable(members, func(i, j int) bool { return members[i].LastSent > members[j].LastSent })
	var list []any
	for _, m := range members[:min(3, len(members))] {
		if m.LastSent > 0 {
			list = append(list, jsval.Obj("user_id", m.UIN, "nickname", c.h.nick(m.UIN), "avatar", avatar(m.UIN), "description", "连续活跃1天"))
		}
	}
	if len(list) > 0 && (kind == "all" || kind == "talkative") {
		out.Set("current_talkative", list[0]).Set("talkative_list", list)
	}
	if len(list) > 0 && (kind == "all" || kind == "performer") {
		out.Set("performer_list", list)
	}
	return out, nil
}

func shutList(c *call) (any, error) {
	g, ok := c.h.w.Group(c.int("group_id"))
	out := []any{}
	if !ok {
		return out, nil
	}
	for _, m := range g.Sorted() {
		if m.ShutUntil <= time.Now().Unix() {
			continue
		}
		u, _ := c.h.w.User(m.UIN)
		out = append(out, jsval.Obj("uid", u.UID, "qid", u.QID, "uin", strconv.FormatInt(m.UIN, 10), "nick", u.Nickname, "remark", u.Remark,
			"cardType", 0, "cardName", m.Card, "role", map[world.Role]int{world.Plain: 2, world.Admin: 3, world.Owner: 4}[m.Role],
			"avatarPath", "", "shutUpTime", m.ShutUntil, "isDelete", false, "isSpecialConcerned", false, "isRobot", m.Robot,
			"memberRealLevel", m.Level, "memberSpecialTitle", m.Title, "joinTime", m.Joined, "lastSpeakTime", m.LastSent))
	}
	return out, nil
}

func signedList(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i, s := range g.Signed[:min(100, len(g.Signed))] {
		out = append(out, jsval.Obj("user_id", s.UIN, "nick", c.h.nick(s.UIN), "time", s.Time, "rank", i+1))
	}
	return out, nil
}

func groupSign(c *call) (any, error) {
	return ignore(undefined, c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) {
		if !slices.ContainsFunc(g.Signed, func(s world.Signed) bool { return s.UIN == c.h.self }) {
			g.Signed = append(g.Signed, world.Signed{UIN: c.h.self, Time: time.Now().Unix()})
		}
	}))
}

func sendBoard(c *call) (any, error) {
	if _, err := c.admin(); err != nil {
		return nil, failf("设置公告失败, 错误信息: %v", err)
	}
	c.h.mu.Lock()
	c.h.counter++
	id := md5hex([]byte("board" + strconv.Itoa(c.h.counter) + c.h.start.String()))
	c.h.mu.Unlock()
	b := world.Board{ID: id, Sender: c.h.self, Time: time.Now().Unix(), Text: c.str("content"), Image: c.str("image")}
	return undefined, c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) { g.Boards = append([]world.Board{b}, g.Boards...) })
}

func getBoards(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, Failed("获取公告失败")
	}
	out := []any{}
	for _, b := range g.Boards[:min(20, len(g.Boards))] {
		images := []any{}
		if b.Image != "" {
			images = append(images, jsval.Obj("id", md5hex([]byte(b.Image)), "height", "100", "width", "100"))
		}
		out = append(out, jsval.Obj("notice_id", b.ID, "sender_id", b.Sender, "publish_time", b.Time,
			"message", jsval.Obj("text", b.Text, "image", images, "images", images),
			"settings", jsval.Obj("is_show_edit_card", 0, "remind_ts", 0, "tip_window_type", 0, "confirm_required", 1), "read_num", 0))
	}
	return out, nil
}

func deleteBoard(c *call) (any, error) {
	if _, err := c.admin(); err != nil {
		return verdict(err)
	}
	found := false
	err := c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) {
		n := len(g.Boards)
		g.Boards = slices.DeleteFunc(g.Boards, func(b world.Board) bool { return b.ID == c.str("notice_id") })
		found = len(g.Boards) < n
	})
	if err == nil && !found {
		err = errors.New("公告不存在")
	}
	return verdict(err)
}

// groupOption handles an action that sets numbers of a group; 0 counts as not
// given.
func groupOption(keys ...string) handler {
	return func(c *call) (any, error) {
		if _, err := c.admin(); err != nil {
			return nil, err
		}
		return nil, c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) {
			for _, k := range keys {
				if v := c.p.Get(k); jsval.Truthy(v) {
					g.Options[k] = jsval.Int(v)
				}
			}
		})
	}
}

func memberPermissions(c *call) (any, error) {
	keys := []string{"allow_member_upload_album", "allow_member_temporary_session", "allow_member_create_group"}
	if !slices.ContainsFunc(keys, c.p.Has) {
		return nil, Failed("至少需要指定一项权限")
	}
	if _, err := c.admin(); err != nil {
		return nil, err
	}
	return nil, c.h.w.UpdateGroup(c.int("group_id"), func(g *world.Group) {
		for _, k := range keys {
			if c.p.Has(k) {
				g.Options[k] = jsval.Int(c.p.Get(k))
			}
		}
	})
}
