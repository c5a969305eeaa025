package action

import (
	"strconv"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
)

// collected is an entry of the bot's favourites.
type collected struct {
	id, raw, brief string
	time           int64
}

var miscActions = map[string]handler{
	"create_collection":    createCollection,
	"get_collection_list":  collectionList,
	"ArkShareGroup":        arkGroup,
	"send_group_ark_share": arkGroup,
	"ArkSharePeer":         arkPeer,
	"send_ark_share":       arkPeer,
	"get_mini_app_ark":     miniApp,
	"send_qzone_msg":       sendQzone,
	"delete_qzone_msg":     deleteQzone,
}

func createCollection(c *call) (any, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.counter++
	c.h.notes = append(c.h.notes, collected{id: strconv.Itoa(c.h.counter), raw: c.str("rawData"), brief: c.str("brief"), time: time.Now().UnixMilli()})
	return gcr(0, ""), nil
}

func collectionList(c *call) (any, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	out := []any{}
	for _, n := range c.h.notes[:min(len(c.h.notes), max(0, int(c.int("count"))))] {
		ms := strconv.FormatInt(n.time, 10)
		out = append(out, jsval.Obj("cid", n.id, "type", 1, "status", 1, "author", jsval.Obj("type", 1, "numId", strconv.FormatInt(c.h.self, 10),
			"strId", "", "groupId", "0", "groupName", "", "uid", ""), "bid", 1, "category", 1, "createTime", ms, "collectTime", ms,
			"modifyTime", ms, "sequence", ms, "shareUrl", "", "customGroupId", 0, "securityBeat", false,
			"summary", jsval.Obj("textSummary", jsval.Obj("text", n.brief), "linkSummary", nil, "gallerySummary", nil, "audioSummary", nil,
				"videoSummary", nil, "fileSummary", nil, "locationSummary", nil, "richMediaSummary", nil)))
	}
	return gcr(0, "", "collectionSearchList", jsval.Obj("collectionItemList", out, "hasMore", false, "bottomTimeStamp", "0")), nil
}

func arkGroup(c *call) (any, error) {
	if _, err := c.group(); err != nil {
		return ignore(undefined, err) // QQ gives no card
	}
	return contactCard("group", c.str("group_id")), nil
}

func arkPeer(c *call) (any, error) {
	if id := c.str("group_id"); id != "" {
		return gcr(0, "", "arkJson", contactCard("group", id)), nil
	}
	if id := c.str("user_id"); id != "" {
		return gcr(0, "", "arkMsg", contactCard("contact", id)), nil
	}
	return nil, Failed("请指定 group_id 或 user_id")
}

func miniApp(c *call) (any, error) {
	id, kind := "1109937557", 0
	switch t := c.str("type"); t {
	case "bili", "":
	case "weibo":
		id = "1109224783"
	default:
		return nil, failf("未知的小程序类型: %s", t)
	}
	if v := c.str("appId"); v != "" {
		id = v
	}
	title, desc := c.str("title"), c.str("desc")
	detail := jsval.Obj("appid", id, "appType", kind, "title", title, "desc", desc, "icon", c.str("iconUrl"), "preview", c.str("picUrl"),
		"url", c.str("jumpUrl"), "scene", 1036, "host", jsval.Obj("uin", c.h.self, "nick", c.h.nick(c.h.self)), "shareTemplateId", "8C8E89B49BE609866298ADDFF2DBABA4",
		"shareTemplateData", &jsval.Object{}, "showLittleTail", "", "gamePoints", "", "gamePointsUrl", "", "shareOrigin", 0)
	prompt := "[QQ小程序]" + title
	config := jsval.Obj("type", "normal", "width", 0, "height", 0, "forward", 1, "autoSize", 0, "ctime", time.Now().Unix(), "token", c.h.secret("ark"))
	meta := jsval.Obj("detail_1", detail)
	if c.yes("rawArkData") {
		return jsval.Obj("data", jsval.Obj("appName", "com.tencent.miniapp_01", "appView", "view_"+c.h.secret("view")[:32], "ver", "1.0.0.19",
			"desc", desc, "prompt", prompt, "metaData", meta, "config", config)), nil
	}
	return jsval.Obj("data", jsval.Obj("ver", "1.0.0.19", "prompt", prompt, "config", config, "app", "com.tencent.miniapp_01",
		"view", "view_"+c.h.secret("view")[:32], "meta", meta, "miniappShareOrigin", 3, "miniappOpenRefer", "10002")), nil
}

func sendQzone(c *call) (any, error) {
	if c.str("content") == "" {
		return nil, Failed("发布说说失败: 内容为空")
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.counter++
	id := md5hex([]byte("qzone" + strconv.Itoa(c.h.counter) + c.h.start.String()))[:24]
	c.h.qzone[id] = c.str("content")
	return jsval.Obj("tid", id), nil
}

func deleteQzone(c *call) (any, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if _, ok := c.h.qzone[c.str("tid")]; !ok {
		return nil, Failed("删除说说失败: 说说不存在")
	}
	delete(c.h.qzone, c.str("tid"))
	return undefined, nil
}
