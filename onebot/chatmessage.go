package onebot

import (
	"reflect"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// ChatMessage is a message as actions such as get_msg and the history actions
// return it, and as it stands in a received forward (contract G.2). Unlike the
// events it never has a target.
type ChatMessage struct {
	Received
	SelfID          UserID       `json:"self_id,omitempty"`
	UserID          UserID       `json:"user_id"` // the sender
	Time            int64        `json:"time"`    // Unix seconds
	MessageID       MessageID    `json:"message_id,omitempty"`
	MessageSeq      MessageID    `json:"message_seq,omitempty"` // the same as MessageID
	RealID          MessageID    `json:"real_id,omitempty"`     // the same as MessageID
	RealSeq         string       `json:"real_seq,omitempty"`
	MessageType     string       `json:"message_type"`
	Sender          Sender       `json:"sender"`
	RawMessage      string       `json:"raw_message"`
	Font            int          `json:"font"`
	SubType         string       `json:"sub_type,omitempty"`
	Message         Message      `json:"message"` // empty if it was recalled
	MessageFormat   string       `json:"message_format"`
	PostType        string       `json:"post_type,omitempty"`
	MessageSentType string       `json:"message_sent_type,omitempty"`
	GroupID         GroupID      `json:"group_id,omitempty"`
	GroupName       string       `json:"group_name,omitempty"`
	TempSource      int          `json:"temp_source,omitempty"`
	EmojiLikesList  []EmojiCount `json:"emoji_likes_list,omitempty"` // only from get_msg
}

// EmojiCount tells how often an emoji was put under a message.
type EmojiCount struct {
	Received
	EmojiID   string `json:"emoji_id"`
	EmojiType string `json:"emoji_type"`
	LikesCnt  int64  `json:"likes_cnt,string"`
}

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (m *ChatMessage) UnmarshalJSON(b []byte) error { return decodeObject(b, m) }

// MarshalJSON implements [encoding/json.Marshaler].
func (m *ChatMessage) MarshalJSON() ([]byte, error) { return encodeObject(nil, m), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (c *EmojiCount) UnmarshalJSON(b []byte) error { return decodeObject(b, c) }

// MarshalJSON implements [encoding/json.Marshaler].
func (c *EmojiCount) MarshalJSON() ([]byte, error) { return encodeObject(nil, c), nil }

// complete takes a message in the forms that other implementations have in a
// forward: a node segment, as OneBot 11 itself says, or with its content under
// that name, as go-cqhttp had it.
func (m *ChatMessage) complete(ms []jsonscan.Member, depth int) {
	if data := lastValue(ms, "data"); m.Message == nil && data[0] == '{' {
		ms, _ = jsonscan.Members(data, nil)
		decodeFields(ms, reflect.ValueOf(m).Elem(), depth)
	}
	take := func(into any, key string) {
		if v := reflect.ValueOf(into).Elem(); v.IsZero() {
			decodeValue(lastValue(ms, key), v, depth)
		}
	}
	take(&m.Message, "content")
	take(&m.Sender.UserID, "user_id")
	take(&m.Sender.UserID, "uin")
	take(&m.Sender.Nickname, "nickname")
	take(&m.Sender.Nickname, "name")
	if m.UserID == 0 {
		m.UserID = m.Sender.UserID
	}
}

// complete takes the messages under the name that OneBot 11 itself has for them.
func (r *GetForwardMsgResult) complete(ms []jsonscan.Member, depth int) {
	if r.Messages == nil {
		decodeValue(lastValue(ms, "message"), reflect.ValueOf(&r.Messages).Elem(), depth)
	}
}

// Text returns the message's plain text: all its text segments joined.
func (m *ChatMessage) Text() string { return m.Message.Text() }
