package action

import (
	"strconv"
	"strings"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// MessageForm says how a message is written.
type MessageForm struct {
	Self     int64 // the bot's account
	String   bool  // message as CQ text
	Forwards bool  // merged forwards carry their content
	Event    bool  // with target_id, which only events have
	NoID     bool  // without the ids, as in lists of recent contacts
}

// MessageObject returns m as contract G.2 writes it.
func MessageObject(m *world.Message, f MessageForm) *jsval.Object {
	segs := m.Segments
	if f.Forwards && len(m.Nodes) > 0 {
		segs = []world.Segment{{Type: "forward", Data: jsval.Obj("id", m.MsgID, "content", contents(m, f.Self))}}
	}
	raw := strings.TrimSpace(cqcode.Format(m.Segments))
	sender := jsval.Obj("user_id", m.Sender, "nickname", m.Nickname, "card", m.Card)
	group := m.Chat.Type == world.InGroup
	kind, sub := "private", "friend"
	switch {
	case group:
		kind, sub = "group", "normal"
		if m.Role != "" {
			sender.Set("role", string(m.Role))
		}
	case m.Chat.Type == world.Temporary:
		sub = "group"
	}
	o := jsval.Obj("self_id", f.Self, "user_id", m.Sender, "time", m.Time)
	if !f.NoID {
		o.Set("message_id", m.ID).Set("message_seq", m.ID).Set("real_id", m.ID)
	}
	o.Set("real_seq", strconv.FormatInt(m.Seq, 10)).Set("message_type", kind).Set("sender", sender)
	o.Set("raw_message", raw).Set("font", 14).Set("sub_type", sub)
	if f.String {
		o.Set("message", cqcode.Format(segs)).Set("message_format", "string")
	} else {
		o.Set("message", cqcode.Array(segs)).Set("message_format", "array")
	}
	post := "message"
	if m.Self {
		post = "message_sent"
	}
	o.Set("post_type", post)
	if m.Self {
		o.Set("message_sent_type", "self")
	}
	if group {
		o.Set("group_id", m.Chat.Peer).Set("group_name", m.GroupName)
	} else if m.Chat.Type == world.Temporary {
		via := m.Via
		if via == 0 {
			via = 284840486 // what the host tells when it does not know
		}
		o.Set("group_id", via).Set("temp_source", 0)
	}
	if f.Event && (m.Self || !group) {
		o.Set("target_id", m.Chat.Peer)
	}
	return o
}

// contents returns the messages inside a merged forward, always as arrays.
func contents(m *world.Message, self int64) []any {
	out := make([]any, len(m.Nodes))
	for i, n := range m.Nodes {
		out[i] = MessageObject(n, MessageForm{Self: self, Forwards: true})
	}
	return out
}

// object returns a message as an action answers with it.
func (c *call) object(m *world.Message) *jsval.Object {
	return MessageObject(m, MessageForm{Self: c.h.self, String: c.format == "string", Forwards: c.h.limit().ParseForwards})
}

// lookup finds a message by NapCat's id or QQ's 19-digit id.
func (h *Host) lookup(id string) (world.Message, bool) {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && n < 1<<31 {
		return h.w.Lookup(int32(n))
	}
	return h.w.LookupMsgID(id)
}

// lookupShort finds a message by NapCat's id only.
func (h *Host) lookupShort(id int64) (world.Message, bool) {
	if id <= 0 || id >= 1<<31 {
		return world.Message{}, false
	}
	return h.w.Lookup(int32(id))
}

var messageActions = map[string]handler{
	"get_msg":                   getMsg,
	"delete_msg":                deleteMsg,
	"get_group_msg_history":     history,
	"get_friend_msg_history":    history,
	"get_forward_msg":           getForwardMsg,
	"set_msg_emoji_like":        setEmojiLike,
	"get_emoji_likes":           getEmojiLikes,
	"fetch_emoji_like":          fetchEmojiLike,
	"set_essence_msg":           setEssence,
	"delete_essence_msg":        deleteEssence,
	"get_essence_msg_list":      essenceList,
	"get_recent_contact":        recentContact,
	"mark_msg_as_read":          markRead,
	"mark_group_msg_as_read":    markRead,
	"mark_private_msg_as_read":  markRead,
	"_mark_all_as_read":         func(*call) (any, error) { return nil, nil },
	"forward_friend_single_msg": forwardSingle,
	"forward_group_single_msg":  forwardSingle,
	"fetch_ptt_text":            fetchPttText,
	"set_group_todo":            groupTodo,
	"complete_group_todo":       groupTodo,
	"cancel_group_todo":         groupTodo,
}

func getMsg(c *call) (any, error) {
	m, ok := c.h.lookup(c.str("message_id"))
	if !ok {
		return nil, Failed("消息不存在")
	}
	likes := []any{}
	for _, l := range m.Likes {
		likes = append(likes, jsval.Obj("emoji_id", l.EmojiID, "emoji_type", emojiType(l.EmojiID), "likes_cnt", strconv.Itoa(len(l.Users))))
	}
	return c.object(&m).Set("emoji_likes_list", likes), nil
}

// emojiType is 1 for QQ's own faces, whose ids are short, and 2 for Unicode's.
func emojiType(id string) string {
	if len(id) > 3 {
		return "2"
	}
	return "1"
}

func deleteMsg(c *call) (any, error) {
	id := c.int("message_id")
	if _, ok := c.h.lookupShort(id); !ok {
		return nil, Failed("Recall failed")
	}
	if c.h.w.Link() != world.LinkUp || !c.h.w.Online() {
		return c.later(func() (any, error) {
			if err := c.wait(recallTimeout); err != nil {
				return nil, err
			}
			return nil, Failed("Recall failed")
		})
	}
	if err := c.h.w.Recall(int32(id), c.h.self); err != nil {
		return nil, Failed("Recall failed")
	}
	return nil, nil
}

func history(c *call) (any, error) {
	chat := world.Chat{Type: world.Private, Peer: c.int("user_id")}
	if c.name == "get_group_msg_history" {
		chat = world.Chat{Type: world.InGroup, Peer: c.int("group_id")}
	} else if _, ok := c.h.w.User(chat.Peer); !ok {
		return nil, failf("记录%s不存在", c.str("user_id"))
	}
	from := ""
	if id := c.str("message_seq"); id != "" && id != "0" {
		m, ok := c.h.lookup(id)
		if !ok {
			return nil, failf("消息%s不存在", id)
		}
		from = m.MsgID
	}
	later := from != "" && (c.p.Get("reverse_order") == true || c.p.Get("reverseOrder") == true)
	msgs := c.h.w.History(chat, from, max(0, int(c.int("count"))), later)
	if len(msgs) == 0 {
		return nil, failf("消息%s不存在", c.str("message_seq"))
	}
	out := make([]any, len(msgs))
	for i := range msgs {
		out[i] = MessageObject(&msgs[i], MessageForm{Self: c.h.self, String: c.format == "string", Forwards: c.p.Get("parse_mult_msg") == true})
	}
	return jsval.Obj("messages", out), nil
}

func getForwardMsg(c *call) (any, error) {
	id := c.first("message_id", "id")
	if id == "" {
		return nil, Failed("message_id is required")
	}
	m, ok := c.h.lookup(id)
	if !ok {
		m, ok = c.h.w.LookupForward(id)
	}
	if !ok || len(m.Nodes) == 0 {
		return nil, Failed("消息已过期或者为内层消息，无法获取转发消息")
	}
	return jsval.Obj("messages", contents(&m, c.h.self)), nil
}

func setEmojiLike(c *call) (any, error) {
	m, ok := c.h.lookupShort(c.int("message_id"))
	if !ok {
		return nil, Failed("msg not found")
	}
	if !jsval.Truthy(c.p.Get("emoji_id")) { // the number 0 is refused, "0" is not
		return nil, Failed("emojiId not found")
	}
	add := true
	if v := c.p.Get("set"); !jsval.IsUndefined(v) {
		add = v == true || v == "true"
	}
	return verdict(c.h.w.React(m.ID, c.h.self, c.str("emoji_id"), add))
}

func getEmojiLikes(c *call) (any, error) {
	m, ok := c.h.lookup(c.str("message_id"))
	if !ok {
		return nil, Failed("消息不存在")
	}
	count := int(c.int("count"))
	if count <= 0 || count > 3000 {
		count = 3000
	}
	out := []any{}
	for _, l := range m.Likes {
		if l.EmojiID != c.str("emoji_id") {
			continue
		}
		for _, u := range l.Users[:min(count, len(l.Users))] {
			out = append(out, jsval.Obj("user_id", strconv.FormatInt(u, 10), "nick_name", c.h.nick(u)))
		}
	}
	return jsval.Obj("emoji_like_list", out), nil
}

func fetchEmojiLike(c *call) (any, error) {
	m, ok := c.h.lookupShort(c.int("message_id"))
	if !ok {
		return nil, Failed("消息不存在")
	}
	out := []any{}
	for _, l := range m.Likes {
		if l.EmojiID != c.str("emojiId") {
			continue
		}
		for _, u := range l.Users[:min(max(0, int(c.int("count"))), len(l.Users))] {
			out = append(out, jsval.Obj("tinyId", strconv.FormatInt(u, 10), "nickName", c.h.nick(u), "headUrl", avatar(u)))
		}
	}
	return gcr(0, "", "emojiLikesList", out, "cookie", "", "isLastPage", true, "isFirstPage", true), nil
}

func (h *Host) nick(uin int64) string {
	u, _ := h.w.User(uin)
	return u.Nickname
}

func avatar(uin int64) string {
	return "https://q1.qlogo.cn/g?b=qq&nk=" + strconv.FormatInt(uin, 10) + "&s=640"
}

// essenceReply is QQ's answer about essences, which is status ok either way.
func essenceReply(err error) *jsval.Object {
	code, words := 0, ""
	if err != nil {
		code, words = 11007, "没有权限"
	}
	return jsval.Obj("errCode", 0, "errMsg", "success",
		"result", jsval.Obj("wording", words, "digestUin", "0", "digestTime", 0, "msg", jsval.Obj("groupCode", "0", "msgSeq", 0, "msgRandom", 0, "msgContent", []any{}, "textSize", "0", "picSize", "0", "videoSize", "0", "senderUin", "0", "senderTime", 0, "addDigestUin", "0", "addDigestTime", 0, "startTime", 0, "latestMsgSeq", 0, "opType", 0), "errorCode", code))
}

func setEssence(c *call) (any, error) {
	m, ok := c.h.lookupShort(c.int("message_id"))
	if !ok {
		return nil, Failed("msg not found")
	}
	return essenceReply(c.h.w.SetEssence(m.ID, c.h.self, true)), nil
}

func deleteEssence(c *call) (any, error) {
	if g, seq, rnd := c.str("group_id"), c.str("msg_seq"), c.str("msg_random"); g != "" && seq != "" && rnd != "" {
		m, ok := c.h.w.BySeq(world.Chat{Type: world.InGroup, Peer: c.int("group_id")}, c.int("msg_seq"))
		if !ok || strconv.FormatUint(uint64(m.Random), 10) != rnd {
			return essenceReply(world.ErrNoMessage), nil
		}
		c.h.w.LookupMsgID(m.MsgID)
		return essenceReply(c.h.w.SetEssence(m.ID, c.h.self, false)), nil
	}
	m, ok := c.h.lookupShort(c.int("message_id"))
	if !ok {
		return nil, Failed("msg not found")
	}
	return essenceReply(c.h.w.SetEssence(m.ID, c.h.self, false)), nil
}

func essenceList(c *call) (any, error) {
	g, _ := c.h.w.Group(c.int("group_id"))
	out := []any{}
	for _, e := range g.Essences {
		m, ok := c.h.w.Lookup(e.MessageID)
		if !ok {
			continue
		}
		out = append(out, jsval.Obj("msg_seq", m.Seq, "msg_random", m.Random, "sender_id", m.Sender, "sender_nick", m.Nickname,
			"operator_id", e.Operator, "operator_nick", c.h.nick(e.Operator), "message_id", m.ID, "operator_time", e.Time,
			"content", cqcode.Array(m.Segments)))
	}
	return out, nil
}

func recentContact(c *call) (any, error) {
	out := []any{}
	for _, m := range c.h.w.Recent(max(0, int(c.int("count")))) {
		last := MessageObject(&m, MessageForm{Self: c.h.self, String: c.format == "string", NoID: true})
		name, remark := m.GroupName, ""
		if m.Chat.Type != world.InGroup {
			u, _ := c.h.w.User(m.Chat.Peer)
			name, remark = u.Nickname, u.Remark
		}
		out = append(out, jsval.Obj("lastestMsg", last, "peerUin", strconv.FormatInt(m.Chat.Peer, 10), "remark", remark,
			"msgTime", strconv.FormatInt(m.Time, 10), "chatType", int(m.Chat.Type), "msgId", m.MsgID, "sendNickName", m.Nickname,
			"sendMemberName", m.Card, "peerName", name))
	}
	return out, nil
}

func markRead(c *call) (any, error) {
	switch {
	case c.str("message_id") != "":
		if _, ok := c.h.lookup(c.str("message_id")); !ok {
			return nil, Failed("msg not found")
		}
	case c.str("user_id") != "":
		if _, ok := c.h.w.User(c.int("user_id")); !ok {
			return nil, failf("私聊 %s 不存在", c.str("user_id"))
		}
	case c.str("group_id") == "":
		return nil, Failed("缺少参数 group_id 或 user_id")
	}
	return nil, nil
}

func forwardSingle(c *call) (any, error) {
	m, ok := c.h.lookupShort(c.int("message_id"))
	if !ok {
		return nil, failf("无法找到消息%s", c.str("message_id"))
	}
	chat := world.Chat{Type: world.InGroup, Peer: c.int("group_id")}
	if c.str("user_id") != "" {
		chat = world.Chat{Type: world.Private, Peer: c.int("user_id")}
		if _, ok := c.h.w.User(chat.Peer); !ok {
			return nil, failf("无法找到私聊对象%s", c.str("user_id"))
		}
	} else if c.str("group_id") == "" {
		return nil, Failed("请指定正确的 group_id 或 user_id")
	}
	return c.deliver(chat, 0, m.Segments, m.Nodes, 0, func(world.Message) any { return nil })
}

func fetchPttText(c *call) (any, error) {
	m, ok := c.h.lookup(c.str("message_id"))
	if !ok {
		return nil, Failed("消息不存在")
	}
	for _, s := range m.Segments {
		if s.Type == "record" {
			return jsval.Obj("text", "模拟的语音文字"), nil
		}
	}
	return nil, Failed("消息中没有语音")
}

func groupTodo(c *call) (any, error) {
	if c.str("message_seq") != "" {
		return undefined, nil
	}
	if c.str("message_id") == "" {
		return nil, Failed("缺少参数 message_id 或 message_seq")
	}
	if _, ok := c.h.lookup(c.str("message_id")); !ok {
		return nil, Failed("msg not found")
	}
	return undefined, nil
}
