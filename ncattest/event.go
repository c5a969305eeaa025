package ncattest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// Self is the account that the bot of a [Harness] has.
const Self onebot.UserID = 10001

var messageIDs atomic.Int64

// nextMessageID returns an id as NapCat's are: 31 bits and not in order.
func nextMessageID() onebot.MessageID { return messageID(messageIDs.Add(1)) }

// messageID is the id of message number n.
func messageID(n int64) onebot.MessageID {
	return onebot.MessageID(n*7919%1_000_000_007 + 1_000_000)
}

// nextSeq numbers messages of all worlds, as fill does those that tests make, so
// that they grow in each chat: a store may outlive its world.
func nextSeq() int64 { return messageIDs.Add(1) }

// Content returns the message made of strings, segments and messages.
func Content(content ...any) onebot.Message {
	var m onebot.Message
	for _, c := range content {
		switch c := c.(type) {
		case string:
			m = append(m, onebot.Text(c))
		case *ncat.Media:
			panic("ncattest: ncat.Image and its kin are what a bot sends; what a person sends is a segment such as &onebot.ImageSegment{File: onebot.Base64(b)}")
		case onebot.Segment:
			m = append(m, c)
		case onebot.Message:
			m = append(m, c...)
		default:
			panic(fmt.Sprintf("ncattest: a %T is no message content", c))
		}
	}
	return m
}

// GroupMessage returns a message that a member wrote in a group. content is any
// mix of strings, [onebot.Segment] and [onebot.Message].
func GroupMessage(group onebot.GroupID, user onebot.UserID, content ...any) *onebot.GroupMessage {
	m := &onebot.GroupMessage{GroupID: group, GroupName: "group " + group.String()}
	fill(&m.MessageBase, "group", "normal", user, Content(content...))
	m.Sender.Role = onebot.RoleMember
	return m
}

// PrivateMessage returns a message that a friend wrote.
func PrivateMessage(user onebot.UserID, content ...any) *onebot.PrivateMessage {
	m := &onebot.PrivateMessage{TargetID: user}
	fill(&m.MessageBase, "private", "friend", user, Content(content...))
	return m
}

func fill(m *onebot.MessageBase, kind, sub string, user onebot.UserID, content onebot.Message) {
	m.EventBase = Base(onebot.PostMessage)
	m.MessageType, m.SubType, m.UserID = kind, sub, user
	n := messageIDs.Add(1)
	m.MessageID, m.RealSeq = messageID(n), strconv.FormatInt(n, 10)
	m.Sender = onebot.Sender{UserID: user, Nickname: "user " + user.String()}
	m.Message, m.MessageFormat = content, "array"
	m.RawMessage = strings.TrimSpace(content.CQ())
}

// Base returns the fields that every event has, for events made by hand:
//
//	&onebot.GroupIncrease{EventBase: ncattest.Base(onebot.PostNotice), NoticeType: "group_increase", GroupID: 100, UserID: 1}
func Base(postType string) onebot.EventBase {
	return onebot.EventBase{Time: time.Now().Unix(), SelfID: Self, PostType: postType}
}

// TempMessage returns a message that a stranger wrote in private, through a group
// that is common to both.
func TempMessage(group onebot.GroupID, user onebot.UserID, content ...any) *onebot.PrivateMessage {
	m := PrivateMessage(user, content...)
	m.SubType, m.GroupID = "group", group
	return m
}

// SentElsewhere returns a message as one that the account itself wrote on another
// of its devices.
func SentElsewhere[M onebot.MessageEvent](m M) M {
	b := m.Msg()
	b.PostType, b.UserID, b.Sender.UserID = onebot.PostMessageSent, b.SelfID, b.SelfID
	return m
}

// Frame returns the JSON of an event as an endpoint sends it.
func Frame(e onebot.Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("ncattest: encoding a %T: %v", e, err))
	}
	m, ok := e.(onebot.MessageEvent)
	if !ok || m.Msg().Raw() != nil {
		return b
	}
	// What NapCat says of messages and package onebot does not repeat.
	id := m.Msg().MessageID
	b = fmt.Appendf(b[:len(b)-1], `,"message_seq":%d,"real_id":%d,"font":14`, id, id)
	if m.Msg().PostType == onebot.PostMessageSent {
		b = append(b, `,"message_sent_type":"self"`...)
	}
	return append(b, '}')
}
