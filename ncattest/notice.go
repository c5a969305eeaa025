package ncattest

import (
	"encoding/json"

	"github.com/ncatd/ncatd/onebot"
)

func notice() onebot.EventBase { return Base(onebot.PostNotice) }

const notify = "notify" // the notice_type of everything that is told apart by its sub_type

// FriendAdded returns the notice that a user is a friend now.
func FriendAdded(user onebot.UserID) *onebot.FriendAdd {
	return &onebot.FriendAdd{EventBase: notice(), NoticeType: "friend_add", UserID: user}
}

// FriendRecall returns the notice that a friend took a message back.
func FriendRecall(user onebot.UserID, id onebot.MessageID) *onebot.FriendRecall {
	return &onebot.FriendRecall{EventBase: notice(), NoticeType: "friend_recall", UserID: user, MessageID: id}
}

// GroupRecall returns the notice that operator took a message of user back.
func GroupRecall(group onebot.GroupID, user, operator onebot.UserID, id onebot.MessageID) *onebot.GroupRecall {
	return &onebot.GroupRecall{EventBase: notice(), NoticeType: "group_recall", GroupID: group, UserID: user, OperatorID: operator, MessageID: id}
}

// Joined returns the notice that a user joined a group.
func Joined(group onebot.GroupID, user onebot.UserID) *onebot.GroupIncrease {
	return &onebot.GroupIncrease{EventBase: notice(), NoticeType: "group_increase", SubType: "approve", GroupID: group, UserID: user}
}

// Left returns the notice that a user left a group.
func Left(group onebot.GroupID, user onebot.UserID) *onebot.GroupDecrease {
	return &onebot.GroupDecrease{EventBase: notice(), NoticeType: "group_decrease", SubType: "leave", GroupID: group, UserID: user}
}

// Kicked returns the notice that operator removed a user from a group; the user
// may be the bot itself.
func Kicked(group onebot.GroupID, user, operator onebot.UserID) *onebot.GroupDecrease {
	e := &onebot.GroupDecrease{EventBase: notice(), NoticeType: "group_decrease", SubType: "kick", GroupID: group, UserID: user, OperatorID: operator}
	if user == Self {
		e.SubType = "kick_me"
	}
	return e
}

// AdminSet returns the notice that a member became an administrator, or ceased to
// be one.
func AdminSet(group onebot.GroupID, user onebot.UserID, on bool) *onebot.GroupAdmin {
	e := &onebot.GroupAdmin{EventBase: notice(), NoticeType: "group_admin", SubType: "set", GroupID: group, UserID: user}
	if !on {
		e.SubType = "unset"
	}
	return e
}

// Muted returns the notice that operator muted a member for so many seconds; 0
// seconds lift it. User 0 is the whole group, for which NapCat tells -1 seconds.
func Muted(group onebot.GroupID, user, operator onebot.UserID, seconds int64) *onebot.GroupBan {
	e := &onebot.GroupBan{EventBase: notice(), NoticeType: "group_ban", SubType: "ban", GroupID: group, UserID: user, OperatorID: operator, Duration: seconds}
	switch {
	case seconds == 0:
		e.SubType = "lift_ban"
	case user == 0:
		e.Duration = -1
	}
	return e
}

// Uploaded returns the notice that a member put a file of so many bytes into a
// group.
func Uploaded(group onebot.GroupID, user onebot.UserID, name string, size int64) *onebot.GroupUpload {
	return &onebot.GroupUpload{EventBase: notice(), NoticeType: "group_upload", GroupID: group, UserID: user,
		File: onebot.UploadedFile{ID: "/" + name, Name: name, Size: size, BusID: 102}}
}

// CardChanged returns the notice that a member has a new card.
func CardChanged(group onebot.GroupID, user onebot.UserID, before, now string) *onebot.GroupCard {
	return &onebot.GroupCard{EventBase: notice(), NoticeType: "group_card", GroupID: group, UserID: user, CardOld: before, CardNew: now}
}

// EssenceAdded returns the notice that operator made a message of sender an
// essence message.
func EssenceAdded(group onebot.GroupID, sender, operator onebot.UserID, id onebot.MessageID) *onebot.Essence {
	return &onebot.Essence{EventBase: notice(), NoticeType: "essence", SubType: "add", GroupID: group, UserID: sender, SenderID: sender, OperatorID: operator, MessageID: id}
}

// Reaction returns the notice that a member put an emoji under a message, or took
// it away.
func Reaction(group onebot.GroupID, user onebot.UserID, id onebot.MessageID, emoji string, on bool) *onebot.GroupMsgEmojiLike {
	return &onebot.GroupMsgEmojiLike{EventBase: notice(), NoticeType: "group_msg_emoji_like", GroupID: group, UserID: user, MessageID: id,
		Likes: []onebot.EmojiLike{{EmojiID: emoji, Count: 1}}, IsAdd: on}
}

// GroupPoke returns the notice that a member poked another one.
func GroupPoke(group onebot.GroupID, user, target onebot.UserID) *onebot.Poke {
	return &onebot.Poke{EventBase: notice(), NoticeType: notify, SubType: "poke", GroupID: group, UserID: user, TargetID: target, RawInfo: json.RawMessage("[]")}
}

// FriendPoke returns the notice that a friend poked the bot.
func FriendPoke(user onebot.UserID) *onebot.Poke {
	return &onebot.Poke{EventBase: notice(), NoticeType: notify, SubType: "poke", UserID: user, SenderID: user, TargetID: Self, RawInfo: json.RawMessage("[]")}
}

// Typing returns the notice that a friend is typing.
func Typing(user onebot.UserID) *onebot.InputStatus {
	return &onebot.InputStatus{EventBase: notice(), NoticeType: notify, SubType: "input_status", StatusText: "对方正在输入...", EventType: 1, UserID: user}
}

// TitleGiven returns the notice that a member has a special title now.
func TitleGiven(group onebot.GroupID, user onebot.UserID, title string) *onebot.GroupTitle {
	return &onebot.GroupTitle{EventBase: notice(), NoticeType: notify, SubType: "title", GroupID: group, UserID: user, Title: title}
}

// GroupRenamed returns the notice that a group has a new name.
func GroupRenamed(group onebot.GroupID, operator onebot.UserID, name string) *onebot.GroupName {
	return &onebot.GroupName{EventBase: notice(), NoticeType: notify, SubType: "group_name", GroupID: group, UserID: operator, NameNew: name}
}

// ProfileLiked returns the notice that somebody liked the bot's profile so many
// times.
func ProfileLiked(user onebot.UserID, times int) *onebot.ProfileLike {
	return &onebot.ProfileLike{EventBase: notice(), NoticeType: notify, SubType: "profile_like", OperatorID: user, OperatorNick: "user " + user.String(), Times: times}
}

// GrayTip returns the notice of a grey line that NapCat does not know.
func GrayTip(group onebot.GroupID, user onebot.UserID, content string) *onebot.GrayTip {
	return &onebot.GrayTip{EventBase: notice(), NoticeType: notify, SubType: "gray_tip", GroupID: group, UserID: user, MessageID: nextMessageID(), BusiID: "0", Content: content}
}

// WentOffline returns the notice that QQ ended the account's session.
func WentOffline(tag, message string) *onebot.BotOffline {
	return &onebot.BotOffline{EventBase: notice(), NoticeType: "bot_offline", UserID: Self, Tag: tag, Message: message}
}

// OnlineFileSent returns the notice that the other side took an online file, or
// refused it.
func OnlineFileSent(peer onebot.UserID, taken bool) *onebot.OnlineFileSend {
	e := &onebot.OnlineFileSend{EventBase: notice(), NoticeType: "online_file_send", SubType: "receive", PeerID: peer}
	if !taken {
		e.SubType = "refuse"
	}
	return e
}

// OnlineFileWithdrawn returns the notice that the other side withdrew an online
// file it had offered.
func OnlineFileWithdrawn(peer onebot.UserID) *onebot.OnlineFileReceive {
	return &onebot.OnlineFileReceive{EventBase: notice(), NoticeType: "online_file_receive", SubType: "cancel", PeerID: peer}
}

// LuckyKing returns the notice who was luckiest with a red packet. NapCat does
// not send it.
func LuckyKing(group onebot.GroupID, user, luckiest onebot.UserID) *onebot.LuckyKing {
	return &onebot.LuckyKing{EventBase: notice(), NoticeType: notify, SubType: "lucky_king", GroupID: group, UserID: user, TargetID: luckiest}
}

// Honored returns the notice that a member earned an honour: talkative, performer
// or emotion. NapCat does not send it.
func Honored(group onebot.GroupID, user onebot.UserID, honor string) *onebot.Honor {
	return &onebot.Honor{EventBase: notice(), NoticeType: notify, SubType: "honor", GroupID: group, UserID: user, HonorType: honor}
}

// OfflineFile returns the notice that a friend sent a file. NapCat does not send
// it.
func OfflineFile(user onebot.UserID, name string, size int64) *onebot.OfflineFile {
	return &onebot.OfflineFile{EventBase: notice(), NoticeType: "offline_file", UserID: user, File: onebot.OfflineFileData{Name: name, Size: size}}
}

// ClientSeen returns the notice that another client of the account went on or off
// line. NapCat does not send it.
func ClientSeen(device string, online bool) *onebot.ClientStatus {
	return &onebot.ClientStatus{EventBase: notice(), NoticeType: "client_status", Client: onebot.ClientDevice{DeviceName: device}, Online: online}
}

// WantsFriend returns the request of a user to become a friend.
func WantsFriend(user onebot.UserID, comment string) *onebot.FriendRequest {
	return &onebot.FriendRequest{EventBase: Base(onebot.PostRequest), RequestType: "friend", UserID: user, Comment: comment, Flag: "friend-" + user.String()}
}

// WantsIn returns the request of a user to join a group.
func WantsIn(group onebot.GroupID, user onebot.UserID, comment string) *onebot.GroupRequest {
	return &onebot.GroupRequest{EventBase: Base(onebot.PostRequest), RequestType: "group", SubType: "add", GroupID: group, UserID: user, Comment: comment, Flag: "group-" + user.String()}
}

// Invited returns the request of a user that the bot join a group.
func Invited(group onebot.GroupID, user onebot.UserID) *onebot.GroupRequest {
	return &onebot.GroupRequest{EventBase: Base(onebot.PostRequest), RequestType: "group", SubType: "invite", GroupID: group, UserID: user, Flag: "invite-" + group.String()}
}

// Connected returns the event that a connection begins with.
func Connected() *onebot.Lifecycle {
	return &onebot.Lifecycle{EventBase: Base(onebot.PostMeta), MetaEventType: "lifecycle", SubType: "connect"}
}

// Beat returns a heartbeat.
func Beat(online bool) *onebot.Heartbeat {
	return &onebot.Heartbeat{EventBase: Base(onebot.PostMeta), MetaEventType: "heartbeat", Status: onebot.HeartbeatStatus{Online: online, Good: true}, Interval: 30000}
}
