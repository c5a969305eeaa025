package conform

import (
	"encoding/json"
	"fmt"
)

// messages are what can be done with messages that are there.
var messages = []Expectation{
	{Place: "results get_msg", Title: "a message of the account", try: answers("get_msg", `{"message_id":$msg}`, `{message_type:"group", post_type:"message_sent", message_sent_type:"self", group_id:int, group_name:str, emoji_likes_list:list}`)},
	{Place: "G.2", Title: "what a message has", try: answers("get_msg", `{"message_id":$msg}`, `Msg`)},
	{Place: "E.9", Title: "message_id, message_seq and real_id are one", try: oneID},
	{Place: "results get_msg", Title: "no target_id and no raw", try: func(v *visit) error {
		a, err := v.call("get_msg", `{"message_id":$msg}`)
		if err != nil {
			return err
		}
		var o map[string]json.RawMessage
		if err := json.Unmarshal(a.Data, &o); err != nil {
			return err
		}
		for _, k := range []string{"target_id", "raw"} {
			if _, ok := o[k]; ok {
				return fmt.Errorf("there is a %s", k)
			}
		}
		return nil
	}},
	{Place: "results get_msg", Title: "by an id as a text", try: answers("get_msg", `{"message_id":"$msg"}`, `Msg`)},
	{Place: "F.2", Title: "get_msg of what is not there", try: refuses("get_msg", `{"message_id":123}`, 1200, "消息不存在")},
	{Place: "results get_msg", Title: "without an id", try: refuses("get_msg", `{}`, 1400, "Schema compilation error: …")},
	{Place: "results delete_msg", Title: "a recall", try: answers("delete_msg", `{"message_id":$msg}`, `none`)},
	{Place: "F.2", Title: "a recall of what is not there", try: refuses("delete_msg", `{"message_id":123}`, 1200, "Recall failed")},
	{Place: "K.4", Title: "what was recalled is a message without content", try: recalled},
	{Place: "results get_group_msg_history", Title: "messages, old to new", try: history},
	{Place: "results get_group_msg_history", Title: "no more than were asked for", try: func(v *visit) error {
		if _, err := v.message(); err != nil {
			return err
		}
		return both(sized("get_group_msg_history", `{"group_id":$group,"count":1}`, 1))(v)
	}},
	{Place: "L.3", Title: "own messages are in the history", try: ownInHistory},
	{Place: "results get_group_msg_history", Title: "from a message on", try: func(v *visit) error {
		id, err := v.message()
		if err != nil {
			return err
		}
		return answers("get_group_msg_history", fmt.Sprintf(`{"group_id":$group,"message_seq":%d,"count":5}`, id), `{messages:[Msg]}`)(v)
	}},
	{Place: "results get_friend_msg_history", Title: "messages of a friend", try: both(
		answers("send_private_msg", `{"user_id":$friend,"message":`+hello+`}`, sentOne),
		answers("get_friend_msg_history", `{"user_id":$friend,"count":5}`, `{messages:[Msg]}`))},
	{Place: "results get_recent_contact", Title: "the chats", try: answers("get_recent_contact", `{"count":5}`, `[{lastestMsg?:LastMsg, peerUin:digits, remark:str, msgTime:digits, chatType:int, msgId:digits, sendNickName:str, sendMemberName:str, peerName:str}]`)},
	{Place: "results set_msg_emoji_like", Title: "an emoji", try: answers("set_msg_emoji_like", `{"message_id":$msg,"emoji_id":"76"}`, `any`)},
	{Place: "results 3.20", Title: "an emoji that is the number 0 is refused", try: refuses("set_msg_emoji_like", `{"message_id":$msg,"emoji_id":0}`, 1200, "…")},
	{Place: "results get_msg", Title: "an emoji shows", try: emojiShows},
	{Place: "results mark_msg_as_read", Title: "a group", try: answers("mark_msg_as_read", `{"group_id":$group}`, `none`)},
	{Place: "results mark_group_msg_as_read", Title: "a group", try: answers("mark_group_msg_as_read", `{"group_id":$group}`, `none`)},
	{Place: "results mark_private_msg_as_read", Title: "a friend", try: answers("mark_private_msg_as_read", `{"user_id":$friend}`, `none`)},
	{Place: "results _mark_all_as_read", Title: "all", try: answers("_mark_all_as_read", `{}`, `none`)},
	{Place: "results forward_group_single_msg", Title: "a message into a group", try: answers("forward_group_single_msg", `{"group_id":$group,"message_id":$msg}`, `none`)},
	{Place: "results forward_friend_single_msg", Title: "a message to a friend", try: answers("forward_friend_single_msg", `{"user_id":$friend,"message_id":$msg}`, `none`)},
	{Place: "results .handle_quick_operation", Title: "it is done at once", try: answers(".handle_quick_operation", `{"context":{"time":1,"self_id":$self,"post_type":"message","message_type":"group","group_id":$group,"user_id":$friend,"message_id":$msg},"operation":{"reply":"quick"}}`, `none`)},
	{Place: "results get_essence_msg_list", Title: "a list", try: answers("get_essence_msg_list", `{"group_id":$group}`, `[{msg_seq:int, msg_random:int, sender_id:int, sender_nick:str, operator_id:int, operator_nick:str, message_id:int, operator_time:int, content:list}]`)},
}

func oneID(v *visit) error {
	a, err := v.call("get_msg", `{"message_id":$msg}`)
	if err != nil {
		return err
	}
	var m struct {
		MessageID  int64 `json:"message_id"`
		MessageSeq int64 `json:"message_seq"`
		RealID     int64 `json:"real_id"`
	}
	if err := json.Unmarshal(a.Data, &m); err != nil {
		return err
	}
	if m.MessageID == 0 || m.MessageID != m.MessageSeq || m.MessageID != m.RealID {
		return fmt.Errorf("%+v", m)
	}
	return nil
}

func recalled(v *visit) error {
	id, err := v.message()
	if err != nil {
		return err
	}
	params := fmt.Sprintf(`{"message_id":%d}`, id)
	if err := v.ask("delete_msg", params, nil); err != nil {
		return err
	}
	if err := answers("get_msg", params, `{message_id:int, message:list}`)(v); err != nil {
		return err
	}
	var m struct {
		Message []json.RawMessage `json:"message"`
	}
	if err := v.ask("get_msg", params, &m); err != nil {
		return err
	}
	if len(m.Message) > 0 {
		return fmt.Errorf("it still has %d segments", len(m.Message))
	}
	return nil
}

// doubtful takes the list, or the end of the wait for one that QQ does not send.
func doubtful(v *visit) error {
	a, err := v.call("get_doubt_friends_add_request", `{}`)
	if err != nil {
		return err
	}
	if a.Status == "failed" {
		return v.refusal(a, 1200, "Timeout…")
	}
	return matches(a.Data, `[{flag:str, uin:digits, nick:str, source:str, reason:str, msg:str, group_code:digits, time:digits, type:"doubt"}]`)
}

// list returns the messages of a history.
func (v *visit) list(action, params string) ([]struct {
	MessageID int64 `json:"message_id"`
	UserID    int64 `json:"user_id"`
	RealSeq   int64 `json:"real_seq,string"`
}, error) {
	var h struct {
		Messages []struct {
			MessageID int64 `json:"message_id"`
			UserID    int64 `json:"user_id"`
			RealSeq   int64 `json:"real_seq,string"`
		} `json:"messages"`
	}
	err := v.ask(action, params, &h)
	return h.Messages, err
}

func sized(action, params string, n int) func(*visit) error {
	return func(v *visit) error {
		l, err := v.list(action, params)
		if err == nil && len(l) != n {
			err = fmt.Errorf("%d messages, want %d", len(l), n)
		}
		return err
	}
}

func history(v *visit) error {
	for range 3 {
		if _, err := v.message(); err != nil {
			return err
		}
	}
	l, err := v.list("get_group_msg_history", `{"group_id":$group,"count":3}`)
	if err != nil {
		return err
	}
	for i := range l[:len(l)-1] {
		if l[i].RealSeq >= l[i+1].RealSeq {
			return fmt.Errorf("the sequences are not in order: %v", l)
		}
	}
	return nil
}

func ownInHistory(v *visit) error {
	id, err := v.message()
	if err != nil {
		return err
	}
	l, err := v.list("get_group_msg_history", `{"group_id":$group,"count":5}`)
	if err != nil {
		return err
	}
	for _, m := range l {
		if m.MessageID == id && m.UserID == v.self {
			return nil
		}
	}
	return fmt.Errorf("%d is not in it", id)
}

func emojiShows(v *visit) error {
	id, err := v.message()
	if err != nil {
		return err
	}
	if err := v.ask("set_msg_emoji_like", fmt.Sprintf(`{"message_id":%d,"emoji_id":"76"}`, id), nil); err != nil {
		return err
	}
	return both(
		answers("get_msg", fmt.Sprintf(`{"message_id":%d}`, id), `{emoji_likes_list:[{emoji_id:"76", emoji_type:"1", likes_cnt:digits}]}`),
		answers("fetch_emoji_like", fmt.Sprintf(`{"message_id":%d,"emojiId":"76","emojiType":"1"}`, id), `{result:int, errMsg:str, emojiLikesList?:[{tinyId:digits, nickName:str, headUrl:str}], cookie:str, isLastPage:bool, isFirstPage:bool}`),
	)(v)
}

// reads are what can be asked without anything happening.
var reads = []Expectation{
	{Place: "F.2", Title: "get_login_info", try: answers("get_login_info", `{}`, `{!user_id:int, nickname:str}`)},
	{Place: "F.2", Title: "get_status", try: answers("get_status", `{}`, `{!online:true, good:true, stat:{!}}`)},
	{Place: "F.2", Title: "get_version_info", try: answers("get_version_info", `{}`, `{!app_name:"NapCat.Onebot", protocol_version:"v11", app_version:str}`)},
	{Place: "F.2", Title: "can_send_image", try: answers("can_send_image", `{}`, `{!yes:true}`)},
	{Place: "F.2", Title: "can_send_record", try: answers("can_send_record", `{}`, `{!yes:true}`)},
	{Place: "F.4", Title: "get_friend_list", try: answers("get_friend_list", `{}`, `[User]`)},
	{Place: "F.4", Title: "get_group_list", try: answers("get_group_list", `{}`, `[Group]`)},
	{Place: "F.4", Title: "get_group_info", try: answers("get_group_info", `{"group_id":$group}`, `Group`)},
	{Place: "L.1", Title: "get_group_info of an unknown group is a certain no", try: refuses("get_group_info", `{"group_id":$nowhere}`, 1200, "…")},
	{Place: "F.4", Title: "get_group_member_list", try: answers("get_group_member_list", `{"group_id":$group}`, `[Member]`)},
	{Place: "F.4", Title: "get_group_member_info", try: answers("get_group_member_info", `{"group_id":$group,"user_id":$self}`, `Member`)},
	{Place: "results get_group_member_info", Title: "of somebody who is not there", try: refuses("get_group_member_info", `{"group_id":$group,"user_id":$nobody}`, 1200, "…")},
	{Place: "results get_group_member_info", Title: "without a user", try: refuses("get_group_member_info", `{"group_id":$group}`, 1400, "Schema compilation error: …")},
	{Place: "results get_stranger_info", Title: "a friend", try: answers("get_stranger_info", `{"user_id":$friend}`, `{user_id:int, uid:str, nickname:str, sex:"male"/"female"/"unknown", qqLevel:int, status:int, login_days:0}`)},
	{Place: "results get_friends_with_category", Title: "categories", try: answers("get_friends_with_category", `{}`, `[{categoryId:int, categorySortId:int, categoryName:str, categoryMbCount:int, onlineCount:int, buddyList:[User]}]`)},
	{Place: "results get_group_detail_info", Title: "a group", try: answers("get_group_detail_info", `{"group_id":$group}`, `{group_id:int, group_name:str, member_count:int, max_member_count:int, group_all_shut:-1/0, group_remark:""}`)},
	{Place: "results get_group_info_ex", Title: "a group", try: answers("get_group_info_ex", `{"group_id":$group}`, `{groupCode:digits, resultCode:int, extInfo:object}`)},
	{Place: "results get_group_honor_info", Title: "all honours", try: answers("get_group_honor_info", `{"group_id":$group,"type":"all"}`, `{group_id:int, current_talkative:object, talkative_list:[Honor], performer_list:[Honor], legend_list:[Honor], emotion_list:[Honor], strong_newbie_list:list}`)},
	{Place: "results get_group_at_all_remain", Title: "a group", try: answers("get_group_at_all_remain", `{"group_id":$group}`, `{!can_at_all:bool, remain_at_all_count_for_group:int, remain_at_all_count_for_uin:int}`)},
	{Place: "results get_group_shut_list", Title: "QQ's own keys", try: answers("get_group_shut_list", `{"group_id":$group}`, `[{uin:digits, nick:str, role:int, shutUpTime:int}]`)},
	{Place: "results get_group_system_msg", Title: "three lists", try: answers("get_group_system_msg", `{}`, `{invited_requests:[Notice], InvitedRequest:[Notice], join_requests:[Notice]}`)},
	{Place: "results get_group_ignored_notifies", Title: "three lists", try: answers("get_group_ignored_notifies", `{}`, `{invited_requests:[Notice], InvitedRequest:[Notice], join_requests:[Notice]}`)},
	{Place: "results get_group_ignore_add_request", Title: "a list", try: answers("get_group_ignore_add_request", `{}`, `[Notice]`)},
	{Place: "results get_doubt_friends_add_request", Title: "a list", try: doubtful},
	{Place: "results _get_group_notice", Title: "a list", try: answers("_get_group_notice", `{"group_id":$group}`, `[{notice_id:str, sender_id:int, publish_time:int, message:{text:str, image:list, images:list}}]`)},
	{Place: "results get_group_signed_list", Title: "a list", try: answers("get_group_signed_list", `{"group_id":$group}`, `[{user_id:int, nick:str, time:int, rank:num}]`)},
	{Place: "results get_cookies", Title: "cookies", try: answers("get_cookies", `{"domain":"qun.qq.com"}`, `{!cookies:str, bkn:str}`)},
	{Place: "results get_csrf_token", Title: "a token", try: answers("get_csrf_token", `{}`, `{!token:int}`)},
	{Place: "results get_credentials", Title: "both", try: answers("get_credentials", `{"domain":"qun.qq.com"}`, `{!cookies:str, token:int}`)},
	{Place: "results get_clientkey", Title: "a key", try: answers("get_clientkey", `{}`, `{clientkey?:str}`)},
	{Place: "results get_online_clients", Title: "always empty", try: answers("get_online_clients", `{}`, `list`)},
	{Place: "results get_guild_list", Title: "nothing", try: answers("get_guild_list", `{}`, `none`)},
	{Place: "results get_guild_service_profile", Title: "nothing", try: answers("get_guild_service_profile", `{}`, `none`)},
	{Place: "results _get_model_show", Title: "constant", try: answers("_get_model_show", `{"model":"x"}`, `[{!variants:{!model_show:"napcat", need_pay:false}}]`)},
	{Place: "results _set_model_show", Title: "does nothing", try: answers("_set_model_show", `{"model":"x","model_show":"y"}`, `none`)},
	{Place: "results check_url_safely", Title: "constant", try: answers("check_url_safely", `{"url":"https://example.com"}`, `{!level:1}`)},
	{Place: "results translate_en2zh", Title: "words", try: answers("translate_en2zh", `{"words":["hello"]}`, `{!words:[str]}`)},
	{Place: "results 3.8", Title: "a single word in place of a list", try: answers("translate_en2zh", `{"words":"hello"}`, `{!words:[str]}`)},
	{Place: "results fetch_custom_face", Title: "addresses", try: answers("fetch_custom_face", `{"count":5}`, `[str]`)},
	{Place: "results get_robot_uin_range", Title: "ranges", try: answers("get_robot_uin_range", `{}`, `[{minUin:digits, maxUin:digits}]`)},
	{Place: "results get_profile_like", Title: "one object", try: answers("get_profile_like", `{}`, `{uid:str, time:digits, favoriteInfo:object, voteInfo:object}`)},
	{Place: "results get_unidirectional_friend_list", Title: "a list", try: answers("get_unidirectional_friend_list", `{}`, `[{uin:int, uid:str, nick_name:str, age:int, source:str}]`)},
	{Place: "results get_rkey", Title: "keys", try: answers("get_rkey", `{}`, `[{type:"private"/"group", rkey:str, created_at:int, ttl:int}]`)},
	{Place: "results nc_get_rkey", Title: "a life that is a text", try: answers("nc_get_rkey", `{}`, `[{rkey:str, ttl:digits, time:int, type:int}]`)},
	{Place: "results nc_get_packet_status", Title: "nothing", try: answers("nc_get_packet_status", `{}`, `none`)},
	{Place: "results nc_get_user_status", Title: "a status", try: answers("nc_get_user_status", `{"user_id":$friend}`, `{!status:int, ext_status:int}`)},
	{Place: "results ArkShareGroup", Title: "a card as text", try: answers("ArkShareGroup", `{"group_id":"$group"}`, `str`)},
	{Place: "results get_ai_characters", Title: "characters", try: answers("get_ai_characters", `{"group_id":$group}`, `[{type:str, characters:[{character_id:str, character_name:str, preview_url:str}]}]`)},
	{Place: "results get_collection_list", Title: "a list inside", try: answers("get_collection_list", `{"category":"0","count":"5"}`, `{collectionSearchList:{collectionItemList:list, hasMore:bool}}`)},
}
