package onebot

import "encoding/json"

// The notices of contract G.3, and those of OneBot 11 and go-cqhttp that NapCat
// does not send.

// FriendAdd is sent when somebody became a friend of the account.
type FriendAdd struct {
	EventBase
	NoticeType string `json:"notice_type"`
	UserID     UserID `json:"user_id"` // the new friend
}

// FriendRecall is sent when a private message was recalled, also one of the
// account itself.
type FriendRecall struct {
	EventBase
	NoticeType string    `json:"notice_type"`
	UserID     UserID    `json:"user_id"` // who had sent it
	MessageID  MessageID `json:"message_id"`
}

// GroupRecall is sent when a group message was recalled.
type GroupRecall struct {
	EventBase
	NoticeType string    `json:"notice_type"`
	GroupID    GroupID   `json:"group_id"`
	UserID     UserID    `json:"user_id"`     // who had sent it
	OperatorID UserID    `json:"operator_id"` // who recalled it
	MessageID  MessageID `json:"message_id"`
}

// GroupIncrease is sent when somebody joined a group, the account itself
// included.
type GroupIncrease struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // approve or invite
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`     // who joined
	OperatorID UserID  `json:"operator_id"` // who let them in, 0 if unknown
}

// GroupDecrease is sent when somebody left a group or was removed from it.
type GroupDecrease struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // leave, kick, kick_me or disband
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`     // who is gone
	OperatorID UserID  `json:"operator_id"` // who removed them
}

// GroupAdmin is sent when a member became an administrator of a group or ceased
// to be one.
type GroupAdmin struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // set or unset
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`
}

// GroupBan is sent when a member, or a whole group, was muted or may speak
// again. For a whole group UserID is 0 and Duration is -1.
type GroupBan struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // ban or lift_ban
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"` // who was muted, 0 for everybody
	OperatorID UserID  `json:"operator_id"`
	Duration   int64   `json:"duration"` // seconds, -1 without end, 0 when lifted
}

// GroupUpload is sent when a file was put into a group. NapCat reports the same
// file as a message with a file segment, too.
type GroupUpload struct {
	EventBase
	NoticeType string       `json:"notice_type"`
	GroupID    GroupID      `json:"group_id"`
	UserID     UserID       `json:"user_id"`
	File       UploadedFile `json:"file"`
}

// GroupCard is sent when a member is seen with a new card; NapCat notices it
// only when that member speaks.
type GroupCard struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`
	CardNew    string  `json:"card_new"`
	CardOld    string  `json:"card_old"`
}

// Essence is sent when a message was made an essence message. NapCat does not
// report the opposite.
type Essence struct {
	EventBase
	NoticeType string    `json:"notice_type"`
	SubType    string    `json:"sub_type"` // add
	GroupID    GroupID   `json:"group_id"`
	UserID     UserID    `json:"user_id"` // the same as SenderID
	MessageID  MessageID `json:"message_id"`
	SenderID   UserID    `json:"sender_id"`   // who had written the message
	OperatorID UserID    `json:"operator_id"` // 0 if unknown
}

// GroupMsgEmojiLike is sent when somebody put an emoji under a group message or
// took it away.
type GroupMsgEmojiLike struct {
	EventBase
	NoticeType string      `json:"notice_type"`
	GroupID    GroupID     `json:"group_id"`
	UserID     UserID      `json:"user_id"` // who did it
	MessageID  MessageID   `json:"message_id"`
	Likes      []EmojiLike `json:"likes"`
	IsAdd      bool        `json:"is_add"`
}

// Poke is sent when somebody poked somebody, in a group or, with GroupID 0, in
// a private chat. Use Poker to learn who did it: in a private chat UserID is
// the other side of the chat, whoever poked.
type Poke struct {
	EventBase
	NoticeType string          `json:"notice_type"`
	SubType    string          `json:"sub_type"`            // poke
	TargetID   UserID          `json:"target_id"`           // who was poked
	UserID     UserID          `json:"user_id"`             // who poked; in a private chat the peer
	GroupID    GroupID         `json:"group_id,omitempty"`  // 0 in a private chat
	RawInfo    json.RawMessage `json:"raw_info,omitempty"`  // QQ's own description of the gesture
	SenderID   UserID          `json:"sender_id,omitempty"` // who poked, only in private chats
}

// InputStatus is sent again and again while a friend types.
type InputStatus struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // input_status
	StatusText string  `json:"status_text"`
	EventType  int     `json:"event_type"`
	UserID     UserID  `json:"user_id"`
	GroupID    GroupID `json:"group_id"` // always 0
}

// GroupTitle is sent when a member was given a special title.
type GroupTitle struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // title
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`
	Title      string  `json:"title"`
}

// GroupName is sent when a group got a new name.
type GroupName struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // group_name
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"` // who renamed it
	NameNew    string  `json:"name_new"`
}

// ProfileLike is sent when somebody liked the account's profile card.
type ProfileLike struct {
	EventBase
	NoticeType   string `json:"notice_type"`
	SubType      string `json:"sub_type"`    // profile_like
	OperatorID   UserID `json:"operator_id"` // who liked it
	OperatorNick string `json:"operator_nick"`
	Times        int    `json:"times"`
}

// GrayTip is sent when a grey notice line of a kind NapCat does not know
// appeared in a group. Members can forge such lines.
type GrayTip struct {
	EventBase
	NoticeType string          `json:"notice_type"`
	SubType    string          `json:"sub_type"` // gray_tip
	GroupID    GroupID         `json:"group_id"`
	UserID     UserID          `json:"user_id"` // its real sender
	MessageID  MessageID       `json:"message_id"`
	BusiID     string          `json:"busi_id"`
	Content    string          `json:"content"`
	RawInfo    json.RawMessage `json:"raw_info,omitempty"`
}

// BotOffline is sent when QQ ended the account's session, for instance because
// it logged in elsewhere.
type BotOffline struct {
	EventBase
	NoticeType string `json:"notice_type"`
	UserID     UserID `json:"user_id"` // the account
	Tag        string `json:"tag"`
	Message    string `json:"message"` // QQ's explanation
}

// OnlineFileSend is sent when the other side took or refused a file offered
// with send_online_file.
type OnlineFileSend struct {
	EventBase
	NoticeType string `json:"notice_type"`
	SubType    string `json:"sub_type"` // receive or refuse
	PeerID     UserID `json:"peer_id"`
}

// OnlineFileReceive is sent when the other side withdrew a file it had offered.
type OnlineFileReceive struct {
	EventBase
	NoticeType string `json:"notice_type"`
	SubType    string `json:"sub_type"` // cancel
	PeerID     UserID `json:"peer_id"`
}

// LuckyKing is sent when the shares of a red packet are known. OneBot 11 has
// it, NapCat does not send it.
type LuckyKing struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // lucky_king
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`   // who sent the packet
	TargetID   UserID  `json:"target_id"` // who was luckiest
}

// Honor is sent when a member earned one of a group's honours. OneBot 11 has
// it, NapCat does not send it.
type Honor struct {
	EventBase
	NoticeType string  `json:"notice_type"`
	SubType    string  `json:"sub_type"` // honor
	GroupID    GroupID `json:"group_id"`
	UserID     UserID  `json:"user_id"`
	HonorType  string  `json:"honor_type"` // talkative, performer or emotion
}

// OfflineFile is sent when a friend sent a file. go-cqhttp has it, NapCat does
// not send it.
type OfflineFile struct {
	EventBase
	NoticeType string          `json:"notice_type"`
	UserID     UserID          `json:"user_id"`
	File       OfflineFileData `json:"file"`
}

// ClientStatus is sent when another client of the account went on or off line.
// go-cqhttp has it, NapCat does not send it.
type ClientStatus struct {
	EventBase
	NoticeType string       `json:"notice_type"`
	Client     ClientDevice `json:"client"`
	Online     bool         `json:"online"`
}

// Poker returns who poked, in a group and in a private chat alike.
func (e *Poke) Poker() UserID {
	if e.SenderID != 0 {
		return e.SenderID
	}
	return e.UserID
}

// WholeGroup reports whether everybody in the group was muted or unmuted.
func (e *GroupBan) WholeGroup() bool { return e.UserID == 0 }

// UploadedFile is a file that was put into a group.
type UploadedFile struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Size  int64  `json:"size"` // bytes
	BusID int64  `json:"busid"`
}

// EmojiLike counts one emoji under a message.
type EmojiLike struct {
	EmojiID string `json:"emoji_id"`
	Count   int    `json:"count"` // always 1 in NapCat
}

// OfflineFileData is a file sent in a private chat.
type OfflineFileData struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	URL  string `json:"url"`
}

// ClientDevice is another client that the account is logged in on.
type ClientDevice struct {
	AppID      int64  `json:"app_id"`
	DeviceName string `json:"device_name"`
	DeviceKind string `json:"device_kind"`
}
