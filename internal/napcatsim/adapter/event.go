package adapter

import (
	"strconv"
	"sync"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// event is an event on its way to the adapters. It is encoded once for every
// form in which an adapter may want it.
type event struct {
	world.Event
	self  int64
	parse bool // give merged forwards their content

	mu    sync.Mutex
	forms map[[2]bool][]byte // by string format and debug
}

// wanted reports whether the adapter with entry c gets the event at all.
func (e *event) wanted(c Entry) bool {
	return e.Message == nil || !e.Message.Self || c.ReportSelfMessage
}

// encode returns the event as an adapter with entry c sends it.
func (e *event) encode(c Entry) []byte {
	key := [2]bool{c.MessagePostFormat == "string", c.Debug}
	if e.Message == nil {
		key = [2]bool{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if b, ok := e.forms[key]; ok {
		return b
	}
	b := e.frame(key[0], c.Debug)
	if e.forms == nil {
		e.forms = make(map[[2]bool][]byte)
	}
	e.forms[key] = b
	return b
}

// Frame returns an event of the account self as a connection carries it that
// wants messages as arrays and merged forwards without their content.
func Frame(self int64, e world.Event) []byte {
	ev := &event{Event: e, self: self}
	return ev.frame(false, false)
}

func (e *event) frame(text, debug bool) []byte {
	if e.Message != nil {
		o := action.MessageObject(e.Message, action.MessageForm{Self: e.self, String: text, Forwards: e.parse, Event: true})
		if debug {
			o.Set("raw", rawMessage(e.Message))
		}
		return jsval.Append(nil, o)
	}
	o := jsval.Obj("time", e.Time, "self_id", e.self, "post_type", e.PostType)
	return jsval.Append(nil, o.With(members(e.Body)...))
}

func members(o *jsval.Object) []any {
	var kv []any
	for _, m := range o.Members {
		kv = append(kv, m.Key, m.Value)
	}
	return kv
}

// rawMessage is the internal object that an adapter in debug mode adds.
func rawMessage(m *world.Message) *jsval.Object {
	peerUID, peerUIN := strconv.FormatInt(m.Chat.Peer, 10), strconv.FormatInt(m.Chat.Peer, 10)
	if m.Chat.Type != world.InGroup {
		peerUID = world.UID(m.Chat.Peer)
	}
	elements := []any{}
	for i, s := range m.Segments {
		el := jsval.Obj("elementType", 1, "elementId", strconv.Itoa(1000000000+i), "textElement", nil)
		if s.Type == "text" {
			el.Set("textElement", jsval.Obj("content", s.Data.String("text"), "atType", 0, "atUid", "0", "atTinyId", "0", "atNtUid", ""))
		} else {
			el.Set("elementType", 0)
		}
		elements = append(elements, el)
	}
	return jsval.Obj("msgId", m.MsgID, "msgRandom", strconv.FormatUint(uint64(m.Random), 10), "msgSeq", strconv.FormatInt(m.Seq, 10),
		"cntSeq", "0", "chatType", int(m.Chat.Type), "msgType", 2, "subMsgType", 1, "sendType", 0,
		"senderUid", world.UID(m.Sender), "peerUid", peerUID, "msgTime", strconv.FormatInt(m.Time, 10), "msgMeta", &jsval.Object{},
		"sendStatus", 2, "sendMemberName", m.Card, "sendNickName", m.Nickname, "peerName", m.GroupName,
		"elements", elements, "senderUin", strconv.FormatInt(m.Sender, 10), "peerUin", peerUIN, "id", m.ID)
}

// heartbeat and lifecycle are the meta events of a connection.

func (n *Network) heartbeat(interval float64) []byte {
	return jsval.Append(nil, jsval.Obj("time", n.o.Now().Unix(), "self_id", n.o.Host.SelfID(), "post_type", "meta_event",
		"meta_event_type", "heartbeat", "status", jsval.Obj("online", n.o.World.Online(), "good", true), "interval", interval))
}

func (n *Network) lifecycle() []byte {
	return jsval.Append(nil, jsval.Obj("time", n.o.Now().Unix(), "self_id", n.o.Host.SelfID(), "post_type", "meta_event",
		"meta_event_type", "lifecycle", "sub_type", "connect"))
}
