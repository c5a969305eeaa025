package schema

import (
	"path"
	"strings"
)

// A Group is a kind of action for which a right is given.
type Group string

// The groups. Each action is in exactly one.
const (
	// GroupRead asks and changes nothing, and gets no secret.
	GroupRead Group = "read"
	// GroupSend speaks in chats: messages, recalls, pokes, likes, read marks.
	GroupSend Group = "send"
	// GroupManage changes groups, their members, friends, and answers requests.
	GroupManage Group = "manage"
	// GroupFiles reads and writes files, in QQ and on NapCat's machine.
	GroupFiles Group = "files"
	// GroupAccount changes the account itself, gets its secrets, or controls
	// NapCat.
	GroupAccount Group = "account"
)

// Groups returns all groups.
func Groups() []Group {
	return []Group{GroupRead, GroupSend, GroupManage, GroupFiles, GroupAccount}
}

// Match returns the names of the actions that a pattern matches, sorted; * in it
// stands for any letters. A name is a pattern of its own. A pattern that is not
// well formed matches nothing.
func Match(pattern string) []string {
	var out []string
	for _, name := range Names() {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			out = append(out, name)
		}
	}
	return out
}

// groupOf returns the group of every action.
func groupOf() map[string]Group {
	out := map[string]Group{}
	for group, names := range map[Group]string{
		GroupRead: `
.ocr_image ocr_image translate_en2zh check_url_safely
ArkShareGroup ArkSharePeer get_mini_app_ark get_share_link
_get_group_notice _get_model_show can_send_image can_send_record
fetch_custom_face fetch_custom_face_detail fetch_emoji_like fetch_ptt_text
get_ai_characters get_ai_record get_collection_list get_doubt_friends_add_request
get_emoji_likes get_essence_msg_list get_forward_msg get_friend_list
get_friend_msg_history get_friends_with_category get_group_album_media_list
get_group_at_all_remain get_group_detail_info get_group_honor_info
get_group_ignore_add_request get_group_ignored_notifies get_group_info
get_group_info_ex get_group_list get_group_member_info get_group_member_list
get_group_msg_history get_group_shut_list get_group_signed_list get_group_system_msg
get_guild_list get_guild_service_profile get_image get_login_info get_msg
get_online_clients get_profile_like get_qun_album_list get_recent_contact get_record
get_robot_uin_range get_status get_stranger_info get_unidirectional_friend_list
get_version_info nc_get_packet_status nc_get_user_status test_download_stream`,
		GroupSend: `
send_msg send_group_msg send_private_msg send_forward_msg send_group_forward_msg
send_private_forward_msg forward_friend_single_msg forward_group_single_msg delete_msg
send_ark_share send_group_ark_share send_flash_msg send_group_ai_record
send_poke friend_poke group_poke send_like set_msg_emoji_like
send_group_sign set_group_sign click_inline_keyboard_button set_input_status
mark_group_msg_as_read mark_msg_as_read mark_private_msg_as_read _mark_all_as_read
do_group_album_comment set_group_album_media_like cancel_group_album_media_like`,
		GroupManage: `
.handle_quick_operation
_del_group_notice _send_group_notice set_essence_msg delete_essence_msg
set_group_todo complete_group_todo cancel_group_todo
set_group_add_option set_group_add_request set_group_admin set_group_ban
set_group_card set_group_kick set_group_kick_members set_group_leave
set_group_member_invite_policy set_group_member_permissions set_group_name
set_group_new_member_history_visibility set_group_portrait set_group_remark
set_group_robot_add_option set_group_search set_group_special_title
set_group_whole_ban set_doubt_friends_add_request set_friend_add_request
set_friend_remark delete_friend`,
		GroupFiles: `
clean_stream_temp_file download_file download_file_image_stream
download_file_record_stream download_file_stream upload_file_stream get_file
create_group_file_folder delete_group_file delete_group_folder
get_group_file_system_info get_group_file_url get_group_files_by_folder
get_group_root_files move_group_file rename_group_file trans_group_file
upload_group_file upload_private_file get_private_file_url
create_flash_task download_fileset get_fileset_id get_fileset_info
get_flash_file_list get_flash_file_url
cancel_online_file get_online_file_msg receive_online_file refuse_online_file
send_online_file send_online_folder
upload_image_to_qun_album del_group_album_media`,
		GroupAccount: `
get_clientkey get_cookies get_credentials get_csrf_token get_rkey get_rkey_server
nc_get_rkey send_packet bot_exit set_restart clean_cache
_set_model_show set_diy_online_status set_online_status set_qq_avatar
set_qq_profile set_self_longnick add_custom_face delete_custom_face
set_custom_face_desc create_collection send_qzone_msg delete_qzone_msg`,
	} {
		for _, name := range strings.Fields(names) {
			if _, twice := out[name]; twice {
				panic("schema: " + name + " is in two groups")
			}
			out[name] = group
		}
	}
	return out
}
