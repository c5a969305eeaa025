// Package journal remembers which messages an account's chats have had and what
// became of them, and fetches from the chats' histories what came while no bot
// listened. [Book] is its memory, shared by the links of all accounts and kept on
// disk; a [Filler] stands in the way of the events of one link: it lets each
// message through once, in order, and holds back what is newer while it looks for
// what is older. What of a page of a history is missing is decided by a pure
// function, [missed].
//
// It knows no handlers and makes no calls: it is handed a [Host] to ask and a
// function to deliver to.
package journal

import (
	"strconv"

	"github.com/ncatd/ncatd/onebot"
)

// Space is the name of the store that a journal is kept in.
const Space = "ncat.journal"

// Chat is a group if User is 0, else a private chat with User, which is a
// temporary session if Group says where it came from.
type Chat struct {
	Group onebot.GroupID
	User  onebot.UserID
}

// IsGroup reports whether c is a group.
func (c Chat) IsGroup() bool { return c.User == 0 && c.Group != 0 }

// Mark is what is remembered of a message; a zero field is not known.
type Mark struct {
	ID, Seq, Time int64 // Time in Unix seconds
}

// MarkOf returns the mark of a message.
func MarkOf(m *onebot.MessageBase) Mark {
	var seq int64
	if m.RealSeq != "" { // most other hosts have none, and an error costs
		if n, err := strconv.ParseInt(m.RealSeq, 10, 64); err == nil {
			seq = n
		}
	}
	return Mark{ID: int64(m.MessageID), Seq: seq, Time: seconds(m.Time)}
}

// markOf returns the mark of an event; ok is false if it is no message.
func markOf(e onebot.Event) (m Mark, ok bool) {
	if e, ok := e.(onebot.MessageEvent); ok {
		return MarkOf(e.Msg()), true
	}
	return Mark{}, false
}

// seconds mends the milliseconds that NapCat gives for a message to which QQ gave
// no time.
func seconds(t int64) int64 {
	if t > 1e11 {
		return t / 1000
	}
	return t
}

// Same reports whether a and b are one message of one chat. An id alone is not
// enough, as it is a hash of 31 bits in NapCat (contract E.9) and need not stay
// what it was in other hosts when they start anew; nor is a sequence number,
// which need not either.
func (a Mark) Same(b Mark) bool {
	byID := a.ID != 0 && a.ID == b.ID
	if a.Seq != 0 && b.Seq != 0 {
		return a.Seq == b.Seq && (byID || a.Time == b.Time)
	}
	return byID && a.Time == b.Time
}

// After reports whether a was certainly written after b.
func (a Mark) After(b Mark) bool {
	if a.Time != b.Time {
		return a.Time > b.Time
	}
	return a.Seq != 0 && b.Seq != 0 && a.Seq > b.Seq
}

// noticeKey returns what a notice or request has in common with its double, and
// with no other; ok is false if there is no such thing: two pokes in one second
// look alike. What changes how things are, such as who is in a group, cannot happen
// twice in a second with one result.
func noticeKey(e onebot.Event) (k key, ok bool) {
	k.time = e.Base().Time
	switch n := e.(type) {
	case *onebot.GroupRecall:
		k.kind, k.chat, k.id = "group_recall", Chat{Group: n.GroupID}, int64(n.MessageID)
	case *onebot.FriendRecall:
		k.kind, k.chat, k.id = "friend_recall", Chat{User: n.UserID}, int64(n.MessageID)
	case *onebot.Essence:
		k.kind, k.chat, k.id, k.text = "essence", Chat{Group: n.GroupID}, int64(n.MessageID), n.SubType
	case *onebot.GroupMsgEmojiLike:
		k.kind, k.chat, k.id = "emoji_like", Chat{Group: n.GroupID, User: n.UserID}, int64(n.MessageID)
		if n.IsAdd {
			k.text = "+"
		}
		for _, l := range n.Likes {
			k.text += l.EmojiID + ","
		}
	case *onebot.GrayTip:
		k.kind, k.chat, k.id = "gray_tip", Chat{Group: n.GroupID, User: n.UserID}, int64(n.MessageID)
	case *onebot.GroupUpload:
		k.kind, k.chat, k.text = "group_upload", Chat{Group: n.GroupID, User: n.UserID}, n.File.ID
	case *onebot.FriendRequest:
		k.kind, k.chat, k.text = "friend", Chat{User: n.UserID}, n.Flag
	case *onebot.GroupRequest:
		k.kind, k.chat, k.text = "group", Chat{Group: n.GroupID, User: n.UserID}, n.SubType+n.Flag
	default:
		if k.kind, k.chat, k.text = changeOf(e); k.kind == "" {
			return key{}, false
		}
	}
	return k, k.id != 0 || k.text != ""
}

// changeOf returns what a notice of a change says: its kind, "" if it is none, whom
// it is about, and the result.
func changeOf(e onebot.Event) (kind string, about Chat, result string) {
	switch n := e.(type) {
	case *onebot.FriendAdd:
		return "friend_add", Chat{User: n.UserID}, "+"
	case *onebot.GroupIncrease:
		return "member", Chat{Group: n.GroupID, User: n.UserID}, "+"
	case *onebot.GroupDecrease:
		return "member", Chat{Group: n.GroupID, User: n.UserID}, "-" + n.SubType
	case *onebot.GroupAdmin:
		return "admin", Chat{Group: n.GroupID, User: n.UserID}, n.SubType
	case *onebot.GroupBan:
		return "ban", Chat{Group: n.GroupID, User: n.UserID}, n.SubType + strconv.FormatInt(n.Duration, 10)
	case *onebot.GroupCard:
		return "card", Chat{Group: n.GroupID, User: n.UserID}, "=" + n.CardNew
	case *onebot.GroupTitle:
		return "title", Chat{Group: n.GroupID, User: n.UserID}, "=" + n.Title
	case *onebot.GroupName:
		return "name", Chat{Group: n.GroupID}, "=" + n.NameNew
	}
	return "", Chat{}, ""
}

type key struct {
	kind, text string
	chat       Chat
	id, time   int64
}
