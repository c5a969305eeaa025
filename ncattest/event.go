package ncattest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// Self is the account that the bot of a [Harness] has.
const Self onebot.UserID = 10001

var messageIDs atomic.Int64

// nextMessageID returns an id as NapCat's are: 31 bits and not in order.
func nextMessageID() onebot.MessageID {
	return onebot.MessageID(messageIDs.Add(1)*7919%1_000_000_007 + 1_000_000)
}

// Content returns the message made of strings, segments and messages.
func Content(content ...any) onebot.Message {
	var m onebot.Message
	for _, c := range content {
		switch c := c.(type) {
		case string:
			m = append(m, onebot.Text(c))
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
	m := &onebot.PrivateMessage{TargetID: Self}
	fill(&m.MessageBase, "private", "friend", user, Content(content...))
	return m
}

func fill(m *onebot.MessageBase, kind, sub string, user onebot.UserID, content onebot.Message) {
	m.EventBase = Base(onebot.PostMessage)
	m.MessageType, m.SubType, m.UserID = kind, sub, user
	m.MessageID = nextMessageID()
	m.RealSeq = strconv.FormatInt(messageIDs.Load(), 10)
	m.Sender = onebot.Sender{UserID: user, Nickname: "user " + user.String()}
	m.Message, m.MessageFormat = content, "array"
	m.RawMessage = content.Text()
}

// Base returns the fields that every event has, for events made by hand:
//
//	&onebot.GroupIncrease{EventBase: ncattest.Base(onebot.PostNotice), NoticeType: "group_increase", GroupID: 100, UserID: 1}
func Base(postType string) onebot.EventBase {
	return onebot.EventBase{Time: time.Now().Unix(), SelfID: Self, PostType: postType}
}

// Joined returns the notice that a user joined a group.
func Joined(group onebot.GroupID, user onebot.UserID) *onebot.GroupIncrease {
	return &onebot.GroupIncrease{EventBase: Base(onebot.PostNotice), NoticeType: "group_increase", SubType: "approve", GroupID: group, UserID: user}
}

// Left returns the notice that a user left a group.
func Left(group onebot.GroupID, user onebot.UserID) *onebot.GroupDecrease {
	return &onebot.GroupDecrease{EventBase: Base(onebot.PostNotice), NoticeType: "group_decrease", SubType: "leave", GroupID: group, UserID: user}
}

// WantsFriend returns the request of a user to become a friend.
func WantsFriend(user onebot.UserID, comment string) *onebot.FriendRequest {
	return &onebot.FriendRequest{EventBase: Base(onebot.PostRequest), RequestType: "friend", UserID: user, Comment: comment, Flag: "friend-" + user.String()}
}

// WantsIn returns the request of a user to join a group.
func WantsIn(group onebot.GroupID, user onebot.UserID, comment string) *onebot.GroupRequest {
	return &onebot.GroupRequest{EventBase: Base(onebot.PostRequest), RequestType: "group", SubType: "add", GroupID: group, UserID: user, Comment: comment, Flag: "group-" + user.String()}
}

// Frame returns the JSON of an event as an endpoint sends it.
func Frame(e onebot.Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("ncattest: encoding a %T: %v", e, err))
	}
	return b
}
