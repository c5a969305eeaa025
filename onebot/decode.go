package onebot

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// ErrNotEvent says that a frame is no event: an answer to a call, or anything
// else without a post_type.
var ErrNotEvent = errors.New("not an event")

// bom is the byte order mark, which JSON does not allow and some writers put
// before it all the same.
const bom = "\ufeff"

var notices = map[string]func() Event{
	"friend_add":           func() Event { return new(FriendAdd) },
	"friend_recall":        func() Event { return new(FriendRecall) },
	"group_recall":         func() Event { return new(GroupRecall) },
	"group_increase":       func() Event { return new(GroupIncrease) },
	"group_decrease":       func() Event { return new(GroupDecrease) },
	"group_admin":          func() Event { return new(GroupAdmin) },
	"group_ban":            func() Event { return new(GroupBan) },
	"group_upload":         func() Event { return new(GroupUpload) },
	"group_card":           func() Event { return new(GroupCard) },
	"essence":              func() Event { return new(Essence) },
	"group_msg_emoji_like": func() Event { return new(GroupMsgEmojiLike) },
	"bot_offline":          func() Event { return new(BotOffline) },
	"online_file_send":     func() Event { return new(OnlineFileSend) },
	"online_file_receive":  func() Event { return new(OnlineFileReceive) },
	"offline_file":         func() Event { return new(OfflineFile) },
	"client_status":        func() Event { return new(ClientStatus) },
}

// notifies are the notices of type notify, by sub_type.
var notifies = map[string]func() Event{
	"poke":         func() Event { return new(Poke) },
	"input_status": func() Event { return new(InputStatus) },
	"title":        func() Event { return new(GroupTitle) },
	"group_name":   func() Event { return new(GroupName) },
	"profile_like": func() Event { return new(ProfileLike) },
	"gray_tip":     func() Event { return new(GrayTip) },
	"lucky_king":   func() Event { return new(LuckyKing) },
	"honor":        func() Event { return new(Honor) },
}

// Decode returns the event in one frame. An event, notice or request this
// package does not know becomes an [*UnknownEvent]; a segment it does not know
// an [*UnknownSegment] in the message; a field it does not know stays in Raw. A
// field whose value does not fit its type is left zero and stays in Raw, too. A
// byte order mark is passed over.
//
// The error is [ErrNotEvent] if data is JSON but no event, else it says what is
// wrong with the JSON. Decode keeps nothing of data.
func Decode(data []byte) (Event, error) { return DecodeText(string(data)) }

// DecodeText is [Decode] for a frame that is text already: the event and all that
// it holds share s.
func DecodeText(s string) (Event, error) {
	var buf [32]jsonscan.Member
	s = strings.TrimPrefix(s, bom)
	ms, ok := jsonscan.Members(s, buf[:0])
	if !ok {
		if !jsonscan.Valid(s) {
			return nil, fmt.Errorf("decode event: %w", syntaxError([]byte(s)))
		}
		return nil, ErrNotEvent
	}
	var post, kind, sub string
	for i := range ms {
		switch ms[i].Key {
		case "post_type":
			post = looseText(ms[i].Val)
		case "message_type", "notice_type", "request_type", "meta_event_type":
			kind = looseText(ms[i].Val)
		case "sub_type":
			sub = looseText(ms[i].Val)
		}
	}
	if post == "" || post == "null" {
		return nil, ErrNotEvent
	}
	if post == PostMessage || post == PostMessageSent {
		switch kind {
		case "group":
			e := new(GroupMessage)
			e.decode(ms)
			e.raw = s
			return e, nil
		case "private":
			e := new(PrivateMessage)
			e.decode(ms)
			e.raw = s
			return e, nil
		}
	}
	e := newEvent(post, kind, sub)
	decodeMembers(ms, reflect.ValueOf(e).Elem(), 0)
	e.Base().raw = s
	return e, nil
}

// newEvent returns an empty event of the type that the three words name.
func newEvent(post, kind, sub string) Event {
	switch post {
	case PostNotice:
		if kind == "notify" {
			if f, ok := notifies[sub]; ok {
				return f()
			}
		} else if f, ok := notices[kind]; ok {
			return f()
		}
	case PostRequest:
		switch kind {
		case "friend":
			return new(FriendRequest)
		case "group":
			return new(GroupRequest)
		}
	case PostMeta:
		switch kind {
		case "lifecycle":
			return new(Lifecycle)
		case "heartbeat":
			return new(Heartbeat)
		}
	}
	return new(UnknownEvent)
}

func (m *GroupMessage) decode(ms []jsonscan.Member) {
	for i := range ms {
		switch v := ms[i].Val; ms[i].Key {
		case "group_id":
			m.GroupID = GroupID(fastID(v))
		case "group_name":
			m.GroupName = fastText(v)
		case "target_id":
			m.TargetID = UserID(fastID(v))
		default:
			m.member(ms[i].Key, v)
		}
	}
}

func (m *PrivateMessage) decode(ms []jsonscan.Member) {
	for i := range ms {
		switch v := ms[i].Val; ms[i].Key {
		case "group_id":
			m.GroupID = GroupID(fastID(v))
		case "temp_source":
			m.TempSource = int(fastInt(v))
		case "target_id":
			m.TargetID = UserID(fastID(v))
		default:
			m.member(ms[i].Key, v)
		}
	}
	m.complete(ms, 0)
}

// complete finds the group of a temporary session, for which every
// implementation has another place: group_id, sender.group_id as go-cqhttp had
// it, or temp_source where that is no small number that names a kind of source.
func (m *PrivateMessage) complete([]jsonscan.Member, int) {
	const kinds = 100
	switch {
	case m.GroupID != 0 || m.SubType != "group":
	case m.Sender.GroupID != 0:
		m.GroupID = m.Sender.GroupID
	case m.TempSource > kinds:
		m.GroupID = GroupID(m.TempSource)
	}
}

func (m *MessageBase) member(key, v string) {
	switch key {
	case "self_id":
		m.SelfID = UserID(fastID(v))
	case "user_id":
		m.UserID = UserID(fastID(v))
	case "time":
		m.Time = fastInt(v)
	case "message_id":
		m.MessageID = MessageID(fastID(v))
	case "real_seq":
		m.RealSeq = fastText(v)
	case "message_type":
		m.MessageType = fastText(v)
	case "sub_type":
		m.SubType = fastText(v)
	case "sender":
		m.Sender.decode(v)
	case "message":
		m.Message = decodeMessage(v, 1)
	case "raw_message":
		m.RawMessage = fastText(v)
	case "message_format":
		m.MessageFormat = fastText(v)
	case "post_type":
		m.PostType = fastText(v)
	}
}

func (s *Sender) decode(v string) {
	var buf [12]jsonscan.Member
	ms, _ := jsonscan.Members(v, buf[:0])
	for i := range ms {
		switch v := ms[i].Val; ms[i].Key {
		case "user_id":
			s.UserID = UserID(fastID(v))
		case "nickname":
			s.Nickname = fastText(v)
		case "card":
			s.Card = fastText(v)
		case "group_id":
			s.GroupID = GroupID(fastID(v))
		case "role":
			s.Role = Role(fastText(v))
		case "title":
			s.Title = fastText(v)
		}
	}
}

// digits returns the number that s consists of, if it is one of up to 18 digits.
func digits(s string) (n int64, ok bool) {
	if len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// fastInt is wholeInt with the common case first.
func fastInt(s string) int64 {
	n, ok := digits(s)
	if !ok {
		n, _ = wholeInt(s)
	}
	return n
}

// fastID is idOf with the common case first.
func fastID(s string) int64 {
	n, ok := digits(s)
	if !ok {
		n, _ = idOf(s)
	}
	return n
}

// fastText is looseText, but null is empty.
func fastText(s string) string {
	if s == "null" {
		return ""
	}
	return looseText(s)
}
