package action

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// recallTimeout is how long the host waits for QQ to confirm a recall.
const recallTimeout = time.Second

// maxForwardDepth is how deep made nodes may be nested.
const maxForwardDepth = 3

var chatActions = map[string]handler{
	"send_msg":         sendMsg,
	"send_group_msg":   sendMsg,
	"send_private_msg": sendMsg,
}

var forwardActions = map[string]handler{
	"send_forward_msg":         sendMsg,
	"send_group_forward_msg":   sendMsg,
	"send_private_forward_msg": sendMsg,
}

// mode says which targets a send action takes.
func (c *call) mode() string {
	switch {
	case strings.Contains(c.name, "group"):
		return "group"
	case strings.Contains(c.name, "private"):
		return "private"
	}
	switch c.p.Get("message_type") {
	case "group":
		return "group"
	case "private":
		return "private"
	}
	return ""
}

// normalize returns the list that a message stands for: an array, one segment,
// or CQ text.
func normalize(message any, escape any) []any {
	switch m := message.(type) {
	case []any:
		return m
	case string:
		if escape == true || escape == "true" || (!isText(escape) && jsval.Truthy(escape)) {
			return cqcode.Array([]world.Segment{world.Text(m)})
		}
		return cqcode.Array(cqcode.Parse(m))
	}
	return []any{message}
}

func isText(v any) bool { _, ok := v.(string); return ok }

func typeOf(seg any) any {
	if o, ok := seg.(*jsval.Object); ok {
		return o.Get("type")
	}
	return undefined
}

func sendMsg(c *call) (any, error) {
	message := c.p.Get("message")
	if strings.Contains(c.name, "forward") && jsval.Truthy(c.p.Get("messages")) {
		message = c.p.Get("messages")
	}
	list := normalize(message, c.p.Get("auto_escape"))
	nodes := 0
	for _, s := range list {
		if s == nil || jsval.IsUndefined(s) {
			return nil, &silent{text: "Cannot read properties of " + jsval.ToString(s) + " (reading 'type')"}
		}
		if typeOf(s) == "node" {
			nodes++
		}
	}
	if nodes > 0 && nodes != len(list) {
		return nil, &Failure{Check: true, Text: "转发消息不能和普通消息混在一起发送,转发需要保证message只有type为node的元素"}
	}
	chat, via, err := c.target()
	if err != nil {
		return nil, err
	}
	run := func() (any, error) {
		if nodes > 0 {
			return c.sendForward(chat, via, list)
		}
		b := &builder{h: c.h, chat: chat}
		if err := b.all(list); err != nil {
			return nil, err
		}
		if len(b.segs) == 0 && b.nodes == nil {
			return nil, Failed("消息体无法解析, 请检查是否发送了不支持的消息类型")
		}
		return c.deliver(chat, via, b.segs, b.nodes, b.bytes, func(m world.Message) any { return jsval.Obj("message_id", m.ID) })
	}
	if needsNetwork(list) {
		return c.later(func() (any, error) { return settle(run()) })
	}
	return run()
}

// settle runs what a handler put off, for one that already runs beside others.
func settle(data any, err error) (any, error) {
	var p *pending
	if errors.As(err, &p) {
		return p.run()
	}
	return data, err
}

// needsNetwork reports whether a message has media to fetch from elsewhere.
func needsNetwork(list []any) bool {
	return strings.Contains(jsval.Stringify(list), `"http`)
}

// target returns the chat that a send action means (contract F.2).
func (c *call) target() (world.Chat, int64, error) {
	mode := c.mode()
	group, user := c.p.Get("group_id"), c.p.Get("user_id")
	if mode == "group" {
		user = undefined
	}
	if mode != "private" && jsval.Truthy(group) {
		return world.Chat{Type: world.InGroup, Peer: jsval.Int(group)}, 0, nil
	}
	if jsval.Truthy(user) {
		uin := jsval.Int(user)
		u, ok := c.h.w.User(uin)
		if !ok {
			return world.Chat{}, 0, Failed("无法获取用户信息")
		}
		if !u.Friend && uin != c.h.self && jsval.Truthy(group) {
			return world.Chat{Type: world.Temporary, Peer: uin}, jsval.Int(group), nil
		}
		if !u.Friend && uin != c.h.self {
			if h := c.h.w.History(world.Chat{Type: world.Temporary, Peer: uin}, "", 1, false); len(h) > 0 {
				return world.Chat{Type: world.Temporary, Peer: uin}, h[0].Via, nil
			}
		}
		return world.Chat{Type: world.Private, Peer: uin}, 0, nil
	}
	if mode == "private" && jsval.Truthy(group) {
		return world.Chat{}, 0, Failed("当前私聊发送,请指定 user_id 而不是 group_id")
	}
	return world.Chat{}, 0, Failed("请指定正确的 group_id 或 user_id")
}

// timeout returns how long a send of so many bytes waits to be confirmed.
func (c *call) timeout(bytes int64) time.Duration {
	l := c.h.limit()
	ms := l.Base + float64(bytes)/1024/math.Max(l.UploadKBps, 1)*1000
	if t, ok := c.p.Get("timeout").(float64); ok && t > 0 {
		ms = t
	}
	return time.Duration(math.Min(ms, l.Max) * float64(time.Millisecond))
}

// deliver sends a message and answers with what result makes of it. Where QQ
// does not confirm, the answer is an error after the time-out.
func (c *call) deliver(chat world.Chat, via int64, segs []world.Segment, nodes []*world.Message, bytes int64, result func(world.Message) any) (any, error) {
	var refused *world.Refusal
	m, err := c.h.w.Send(chat, via, segs, nodes)
	switch {
	case err == nil:
		return result(m), nil
	case errors.Is(err, world.ErrUnreachable):
		return c.later(func() (any, error) {
			if err := c.wait(c.timeout(bytes)); err != nil {
				return nil, err
			}
			return nil, Failed("Timeout: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n" + eventRet(0, ""))
		})
	case errors.As(err, &refused):
		return nil, eventChecker(refused.Code, refused.Text)
	case errors.Is(err, world.ErrMuted):
		return nil, eventChecker(120, "你已被禁言")
	default:
		return nil, eventChecker(110, "你不在该群中")
	}
}

// eventChecker is a refusal by QQ of a send.
func eventChecker(code int, text string) error {
	return eventRefused("NodeIKernelMsgService/sendMsg", "NodeIKernelMsgListener/onMsgInfoListUpdate", code, text)
}

// eventRefused is a refusal by QQ of any request whose answer comes as an event.
func eventRefused(method, listener string, code int, text string) error {
	return failf("EventChecker Failed: NTEvent serviceAndMethod:%s ListenerName:%s EventRet:\n%s", method, listener, eventRet(code, text))
}

// eventRet is what QQ returned at once, as the host prints it.
func eventRet(code int, text string) string {
	return fmt.Sprintf("{\n    \"result\": %d,\n    \"errMsg\": %s\n}", code, jsval.Stringify(text))
}

// sendForward sends a merged forward made of nodes.
func (c *call) sendForward(chat world.Chat, via int64, list []any) (any, error) {
	nodes, err := c.h.nodes(chat, list, 1)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, Failed("消息体无法解析, 请检查是否发送了不支持的消息类型")
	}
	return c.deliver(chat, via, nil, nodes, 0, func(m world.Message) any {
		o := jsval.Obj("message_id", m.ID)
		if c.h.o.PacketError == "" {
			o.Set("res_id", m.ResID).Set("forward_id", m.ResID)
		}
		return o
	})
}

// nodes turns node segments into the messages of a merged forward: existing
// messages by their id, made ones with the sender that the node names.
func (h *Host) nodes(chat world.Chat, list []any, depth int) ([]*world.Message, error) {
	if depth > maxForwardDepth {
		return nil, Failed("转发消息嵌套层数过多")
	}
	var out []*world.Message
	for _, e := range list {
		data, _ := e.(*jsval.Object).Get("data").(*jsval.Object)
		if id := data.Get("id"); jsval.Truthy(id) {
			m, ok := h.lookup(jsval.ToString(id))
			if !ok {
				h.o.Log("error", "[OneBot] 转发消息失败: 消息不存在 "+jsval.ToString(id))
				continue
			}
			m.Self = m.Sender == h.self
			out = append(out, &m)
			continue
		}
		m, err := h.madeNode(chat, data, depth)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

func (h *Host) madeNode(chat world.Chat, data *jsval.Object, depth int) (*world.Message, error) {
	user, name := data.Get("user_id"), data.Get("nickname")
	if !jsval.Truthy(user) {
		user = data.Get("uin")
	}
	if !jsval.Truthy(name) {
		name = data.Get("name")
	}
	uin := jsval.Int(user)
	if uin == 0 || h.o.PacketError != "" {
		uin = h.self // another sender needs the packet layer
	}
	m := &world.Message{Chat: chat, Sender: uin, Self: uin == h.self, Time: jsval.Int(data.Get("time"))}
	if jsval.Truthy(name) {
		m.Nickname = jsval.ToString(name)
	} else {
		m.Nickname = h.nick(uin)
	}
	list := normalize(data.Get("content"), undefined)
	inner := 0
	for _, s := range list {
		if typeOf(s) == "node" {
			inner++
		}
	}
	if inner > 0 && inner == len(list) {
		nodes, err := h.nodes(chat, list, depth+1)
		if err != nil || len(nodes) == 0 {
			return nil, err
		}
		h.w.Complete(m, nodes)
		return m, nil
	}
	b := &builder{h: h, chat: chat}
	if err := b.all(list); err != nil {
		return nil, err
	}
	if len(b.segs) == 0 {
		return nil, nil
	}
	m.Segments = b.segs
	h.w.Complete(m, b.nodes)
	return m, nil
}
