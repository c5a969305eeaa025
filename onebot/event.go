package onebot

import (
	"encoding/json"
	"time"
)

// Event is anything that a OneBot implementation reports by itself. The
// concrete type is always a pointer to one of the event structs of this
// package, [*UnknownEvent] for what it does not know.
//
// An event encodes to the JSON it was decoded from, with the fields that were
// changed since written anew; one made by hand encodes to its fields.
type Event interface {
	// Base returns the fields that every event has.
	Base() *EventBase
}

// The values of EventBase.PostType.
const (
	PostMessage     = "message"
	PostMessageSent = "message_sent"
	PostNotice      = "notice"
	PostRequest     = "request"
	PostMeta        = "meta_event"
)

// EventBase holds the fields that every event has. It is embedded in all event
// structs.
type EventBase struct {
	Time     int64  `json:"time"` // Unix seconds, server time
	SelfID   UserID `json:"self_id"`
	PostType string `json:"post_type"` // message, message_sent, notice, request, meta_event
	raw      string
}

// Base implements [Event].
func (e *EventBase) Base() *EventBase { return e }

// When returns the time of the event.
func (e *EventBase) When() time.Time { return time.Unix(e.Time, 0) }

// Raw returns the event as it came, with every field this package does not
// know. It is a copy.
func (e *EventBase) Raw() json.RawMessage { return rawBytes(e.raw) }

// RawText is Raw without a copy.
func (e *EventBase) RawText() string { return e.raw }

func (e *EventBase) keepRaw(s string) { e.raw = s }
func (e *EventBase) rawText() string  { return e.raw }

// Sender tells who wrote a message. Role is empty in private chats and when the
// member is not cached.
type Sender struct {
	UserID   UserID `json:"user_id"`
	Nickname string `json:"nickname"`
	Card     string `json:"card"`
	Role     Role   `json:"role,omitempty"`
	Title    string `json:"title,omitempty"` // not sent by NapCat
	// GroupID is the group of a temporary session, not sent by NapCat, see
	// [PrivateMessage].
	GroupID GroupID `json:"group_id,omitempty"`
}

// Role is a member's standing in a group.
type Role string

// The roles of group members.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// MessageBase holds the fields that private and group messages share
// (contract G.2).
type MessageBase struct {
	EventBase
	MessageType   string    `json:"message_type"` // private or group
	SubType       string    `json:"sub_type"`     // friend, group (temporary session) or normal
	MessageID     MessageID `json:"message_id"`   // NapCat repeats it as message_seq and real_id
	RealSeq       string    `json:"real_seq"`     // QQ's sequence number in this chat
	UserID        UserID    `json:"user_id"`      // the sender, also of own messages
	Sender        Sender    `json:"sender"`
	Message       Message   `json:"message"` // may be empty when nothing in it could be parsed
	RawMessage    string    `json:"raw_message"`
	MessageFormat string    `json:"message_format"` // array or string

	// Backfilled says that the message did not come as an event but was fetched
	// from the chat's history, since it had been written while there was no
	// link. It is no part of the JSON.
	Backfilled bool `json:"-"`
	// Redelivered says that handlers had begun with the message when the process
	// ended, and perhaps had answered it: it is given to them a second and last
	// time. It is no part of the JSON.
	Redelivered bool `json:"-"`
}

// MessageEvent is a message in any kind of chat: [*PrivateMessage] or
// [*GroupMessage].
type MessageEvent interface {
	Event
	// Msg returns the fields that all messages have.
	Msg() *MessageBase
	// Text returns the message's plain text.
	Text() string
}

// Msg implements [MessageEvent].
func (m *MessageBase) Msg() *MessageBase { return m }

// FromSelf reports whether the account itself wrote the message, on this or
// another of its devices.
func (m *MessageBase) FromSelf() bool {
	return m.PostType == PostMessageSent || m.UserID == m.SelfID && m.SelfID != 0
}

// Text returns the message's plain text: all its text segments joined.
func (m *MessageBase) Text() string { return m.Message.Text() }

// PrivateMessage is sent when a friend, or a group member in a temporary
// session, writes to the bot, and for the bot's own private messages if the
// endpoint reports them (PostType message_sent).
type PrivateMessage struct {
	MessageBase
	TargetID   UserID  `json:"target_id"`
	GroupID    GroupID `json:"group_id,omitempty"` // source group of a temporary session, wherever the frame has it
	TempSource int     `json:"temp_source,omitempty"`
}

// GroupMessage is sent when somebody writes in a group, and for the bot's own
// group messages if the endpoint reports them (PostType message_sent).
type GroupMessage struct {
	MessageBase
	GroupID   GroupID `json:"group_id"`
	GroupName string  `json:"group_name"`
	TargetID  UserID  `json:"target_id,omitempty"`
}

// UnknownEvent is sent when an event's type is not known to this package. Raw
// has everything.
type UnknownEvent struct {
	EventBase
}
