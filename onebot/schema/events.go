package schema

import "strings"

// EventTypes returns the types of the events that NapCat sends and a filter can
// name, sorted: the post_type, a dot, and the message_type, request_type or
// notice_type. Of a notice of the type notify it is the sub_type.
func EventTypes() []string {
	return strings.Fields(`
message.group message.private
message_sent.group message_sent.private
notice.bot_offline notice.client_status notice.essence
notice.friend_add notice.friend_recall
notice.gray_tip notice.group_admin notice.group_ban notice.group_card
notice.group_decrease notice.group_increase notice.group_msg_emoji_like
notice.group_name notice.group_recall notice.group_upload
notice.honor notice.input_status notice.lucky_king
notice.offline_file notice.online_file_receive notice.online_file_send
notice.poke notice.profile_like notice.title
request.friend request.group`)
}
