package action

import (
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

var profileActions = map[string]handler{
	"set_qq_profile":           setProfile,
	"set_qq_avatar":            setAvatar,
	"set_self_longnick":        setLongNick,
	"set_online_status":        setOnlineStatus,
	"set_diy_online_status":    func(*call) (any, error) { return "", nil },
	"set_input_status":         agreed,
	"nc_get_user_status":       userStatus,
	"get_profile_like":         profileLike,
	"fetch_custom_face":        customFaces,
	"fetch_custom_face_detail": customFaceDetail,
	"add_custom_face":          addFace,
	"delete_custom_face":       deleteFace,
	"set_custom_face_desc":     agreed,
}

func setProfile(c *call) (any, error) {
	err := c.h.w.UpdateUser(c.h.self, func(u *world.User) {
		u.Nickname = c.str("nickname")
		if c.p.Has("personal_note") {
			u.LongNick = c.str("personal_note")
		}
		// The number 0 counts as not given, the text "0" does not.
		if v := c.p.Get("sex"); jsval.Truthy(v) {
			switch jsval.Int(v) {
			case 1:
				u.Sex = "male"
			case 2:
				u.Sex = "female"
			default:
				u.Sex = "unknown"
			}
		}
	})
	return verdict(err)
}

func setAvatar(c *call) (any, error) {
	return c.later(func() (any, error) {
		if _, err := c.h.open(c.ctx, "image", c.str("file"), ""); err != nil {
			return nil, failf("头像%s设置失败,file字段可能格式不正确", c.str("file"))
		}
		return nil, nil
	})
}

func setLongNick(c *call) (any, error) {
	return verdict(c.h.w.UpdateUser(c.h.self, func(u *world.User) { u.LongNick = c.str("longNick") }))
}

func setOnlineStatus(c *call) (any, error) {
	c.h.w.SetPresence(world.Status{Status: c.int("status"), ExtStatus: c.int("ext_status"), Battery: c.int("battery_status")})
	return nil, nil
}

func userStatus(c *call) (any, error) {
	uin := c.int("user_id")
	if _, ok := c.h.w.User(uin); !ok {
		return nil, Failed("无法获取用户状态")
	}
	if uin == c.h.self {
		p := c.h.w.Presence()
		return jsval.Obj("status", p.Status, "ext_status", p.ExtStatus), nil
	}
	return jsval.Obj("status", 10, "ext_status", 0), nil
}

func profileLike(c *call) (any, error) {
	uin := c.h.self
	if s := c.str("user_id"); s != "" {
		uin = jsval.Int(s)
	}
	if _, ok := c.h.w.User(uin); !ok {
		return nil, Failed("获取点赞信息失败")
	}
	votes, total, last, today := []any{}, int64(0), int64(0), int64(0)
	if uin == c.h.self {
		list := c.h.w.ProfileLikes()
		day := time.Now().Unix() / 86400
		for _, v := range list {
			total += v.Count
			last = max(last, v.Time)
			if v.Time/86400 == day {
				today += v.Count
			}
		}
		from := min(max(0, int(c.int("start"))), len(list))
		for _, v := range list[from:min(len(list), from+max(0, int(c.int("count"))))] {
			u, _ := c.h.w.User(v.User)
			votes = append(votes, jsval.Obj("uid", u.UID, "src", 1, "latestTime", v.Time, "count", v.Count, "giftCount", 0, "customId", 0,
				"lastCharged", 0, "bAvailableCnt", 10, "bTodayVotedCnt", v.Count, "nick", u.Nickname, "gender", 255, "age", u.Age,
				"isFriend", u.Friend, "isvip", false, "isSvip", false, "uin", v.User))
		}
	}
	return jsval.Obj("uid", world.UID(uin), "time", strconv.FormatInt(time.Now().Unix(), 10),
		"favoriteInfo", jsval.Obj("total_count", total, "last_time", last, "today_count", today, "userInfos", votes),
		"voteInfo", jsval.Obj("total_count", total, "new_count", 0, "new_nearby_count", 0, "last_visit_time", last, "userInfos", votes)), nil
}

func customFaces(c *call) (any, error) {
	faces := c.h.w.Faces()
	out := []any{}
	for _, f := range faces[:min(len(faces), max(0, int(c.int("count"))))] {
		out = append(out, f)
	}
	return out, nil
}

func faceID(url string) string { return md5hex([]byte(url)) }

func customFaceDetail(c *call) (any, error) {
	faces := c.h.w.Faces()
	out := []any{}
	for i, f := range faces[:min(len(faces), max(0, int(c.int("count"))))] {
		out = append(out, jsval.Obj("uin", strconv.FormatInt(c.h.self, 10), "emoId", i+1, "emoPath", "", "isExist", true, "resId", faceID(f),
			"url", f, "md5", faceID(f), "emoOriginalPath", "", "thumbPath", "", "RomaingType", "0", "isAPNG", false, "isMarkFace", false,
			"eId", "", "epId", "", "ocrWord", "", "modifyWord", "", "exposeNum", 0, "clickNum", 0, "desc", ""))
	}
	return out, nil
}

func addFace(c *call) (any, error) {
	f, err := c.h.local("image", c.str("file"), "") // a path on this machine and nothing else
	if err != nil {
		return nil, err
	}
	c.h.w.SetFaces(append([]string{"https://p.qpic.cn/qq_expression/" + strconv.FormatInt(c.h.self, 10) + "/" + md5hex([]byte(f.Path)) + "/0"}, c.h.w.Faces()...))
	return gcr(0, ""), nil
}

func deleteFace(c *call) (any, error) {
	ids := map[string]bool{}
	for _, k := range []string{"ids", "res_id", "id"} {
		switch v := c.p.Get(k).(type) {
		case []any:
			for _, e := range v {
				ids[jsval.ToString(e)] = true
			}
		case string:
			ids[v] = true
		}
		if len(ids) > 0 {
			break
		}
	}
	if len(ids) == 0 {
		return nil, Failed("缺少参数 res_id")
	}
	var keep []string
	for _, f := range c.h.w.Faces() {
		if !ids[faceID(f)] {
			keep = append(keep, f)
		}
	}
	c.h.w.SetFaces(keep)
	return gcr(0, ""), nil
}
