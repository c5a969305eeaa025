package onebot_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// What the simulator answers has the form of what NapCat answers: no key that
// NapCat lacks, none left out, none of another kind, and no data where NapCat
// sends none. What QQ hands through is its own affair.
func TestSimulatorAnswersAsNapCatDoes(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	ctx := t.Context()
	const group, friend = 700000001, 3001000001
	const png = "base64://iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	said, err := client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: group, Message: onebot.Message{&onebot.ImageSegment{File: png}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendPrivateMsg(ctx, onebot.SendPrivateMsgParams{UserID: friend, Message: onebot.Message{onebot.Text("x")}}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetMsg(ctx, onebot.GetMsgParams{MessageID: said.MessageID})
	if err != nil {
		t.Fatal(err)
	}
	img, _ := onebot.First[*onebot.ImageSegment](got.Message)
	// Keys an action does not know it ignores, so one set does for all.
	params := map[string]any{
		"group_id": group, "user_id": friend, "message_id": said.MessageID, "message": "x", "emoji_id": "76", "emojiId": "76", "emojiType": "1",
		"file": img.File, "image": png, "url": png, "out_format": "", "words": []string{"hi"}, "domain": "qun.qq.com", "times": 1, "count": 5,
		"content": "x", "folder_name": "d", "name": "n", "longNick": "x", "nickname": "bot", "status": 10, "ext_status": 0, "battery_status": 0,
		"face_id": "1", "wording": "", "cmd": "a", "data": "00", "rawData": "x", "brief": "x", "category": "0", "event_type": 1,
		"character": "c", "text": "x", "chat_type": 1, "remark": "r", "title": "t", "desc": "d", "picUrl": "u", "jumpUrl": "j",
		"stream_id": "s", "total_chunks": 1, "file_size": 1, "filename": "a", "special_title": "t", "add_type": 1,
		"robot_member_switch": 0, "robot_member_examine": 0, "allow_member_upload_album": true, "policy": "no_approval", "visible": true, "enable": true,
		"fileset_id": "f", "share_code": "s", "album_id": "a", "batch_id": "b", "lloc": "l", "bot_appid": "1", "msg_id": "1", "element_id": "1",
	}
	skip := []string{
		"bot_exit", "set_restart", "set_group_leave", "delete_friend", "delete_msg", "clean_cache", "clean_stream_temp_file", // they end or empty it
		"get_doubt_friends_add_request", "send_online_file", "send_online_folder", // waits of many seconds
	}
	forms := map[string][]any{}
	for _, f := range resultFixtures(t) {
		var form any
		if len(f.Data) > 0 {
			form = anyOf(t, f.Data)
		}
		forms[f.Action] = append(forms[f.Action], form)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := 0
	for _, action := range onebot.Actions() {
		if slices.Contains(skip, action) || strings.HasSuffix(action, "_stream") && action != "upload_file_stream" {
			continue
		}
		wg.Go(func() {
			var raw json.RawMessage
			if err := client.Caller().Call(ctx, action, params, &raw); err != nil {
				if !onebot.IsRefused(err) {
					t.Errorf("%s: %v", action, err)
				}
				return
			}
			var data any
			if len(raw) > 0 {
				data = anyOf(t, raw)
			}
			if m, ok := data.(map[string]any); ok && m["result"] == json.Number("-1") {
				return // a refusal that says ok is short
			}
			mu.Lock()
			answered++
			mu.Unlock()
			for _, d := range differences(forms[action], data, "data") {
				t.Errorf("%s: %s", action, d)
			}
		})
	}
	wg.Wait()
	if answered < 120 {
		t.Errorf("only %d actions answered", answered)
	}
}

// qqOwn are the keys whose values QQ or the sender of a message makes, and
// those that QQ's records may have.
var qqOwn = []string{
	"message", "content", "summary", "msg", "extInfo", "groupExt", "detail_1", "request_time_line", "media_list", "desc", "upload_number", "owner",
	"groupFlagExt", "groupUin",
	"birthday_day", "birthday_month", "categoryId", "city", "province", "constellation", "isSpecialCareOpen", "musicInfo", "phoneNum", "regTime",
}

// differences tells where data has a form that none of forms has.
func differences(forms []any, data any, at string) []string {
	var same []any
	for _, f := range forms {
		if fmt.Sprintf("%T", f) == fmt.Sprintf("%T", data) {
			same = append(same, f)
		}
	}
	if len(same) == 0 {
		return []string{fmt.Sprintf("%s is a %T", at, data)}
	}
	var out []string
	switch d := data.(type) {
	case map[string]any:
		count := map[string]int{}
		values := map[string][]any{}
		for _, f := range same {
			for k, v := range f.(map[string]any) {
				count[k]++
				values[k] = append(values[k], v)
			}
		}
		for k, v := range d {
			if slices.Contains(qqOwn, k) {
				continue
			}
			if count[k] == 0 {
				out = append(out, at+"."+k+" is not NapCat's")
				continue
			}
			out = append(out, differences(values[k], v, at+"."+k)...)
		}
		for k, n := range count {
			if _, ok := d[k]; !ok && n == len(same) && !slices.Contains(qqOwn, k) {
				out = append(out, at+"."+k+" is missing")
			}
		}
	case []any:
		var items []any
		for _, f := range same {
			items = append(items, f.([]any)...)
		}
		for i, e := range d {
			if len(items) > 0 {
				out = append(out, differences(items, e, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	}
	return out
}
