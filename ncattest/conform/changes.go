package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// led expects something of an account that leads the group.
func led(f func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		if !v.leads {
			return &leftOut{"the account does not lead the group"}
		}
		return f(v)
	}
}

// changes are what the account can change and change back.
var changes = []Expectation{
	{Place: "results set_group_ban", Title: "a mute and its end", try: led(both(
		answers("set_group_ban", `{"group_id":$group,"user_id":$member,"duration":60}`, `none`),
		answers("set_group_ban", `{"group_id":$group,"user_id":$member,"duration":0}`, `none`)))},
	{Place: "results set_group_ban", Title: "a duration left out lifts it", try: led(both(
		answers("set_group_ban", `{"group_id":$group,"user_id":$member,"duration":60}`, `none`),
		answers("set_group_ban", `{"group_id":$group,"user_id":$member}`, `none`), notShut))},
	{Place: "results set_group_ban", Title: "nobody to mute", try: refuses("set_group_ban", `{"group_id":$group,"user_id":$nobody,"duration":60}`, 1200, "…")},
	{Place: "results set_group_whole_ban", Title: "all, and its end", try: led(both(
		answers("set_group_whole_ban", `{"group_id":$group,"enable":true}`, `none`),
		answers("set_group_whole_ban", `{"group_id":$group,"enable":false}`, `none`)))},
	{Place: "results set_group_kick", Title: "ok whoever is meant", try: answers("set_group_kick", `{"group_id":$group,"user_id":$nobody}`, `none`)},
	{Place: "results set_group_kick_members", Title: "unknown numbers are dropped", try: answers("set_group_kick_members", `{"group_id":$group,"user_id":["$nobody"]}`, `none`)},
	{Place: "results set_group_admin", Title: "ok even where the account may not", try: answers("set_group_admin", `{"group_id":$group,"user_id":$self,"enable":true}`, `none`)},
	{Place: "results set_essence_msg", Title: "raw", try: answers("set_essence_msg", `{"message_id":$msg}`, `any`)},
	{Place: "results set_group_sign", Title: "fire and forget", try: answers("set_group_sign", `{"group_id":"$group"}`, `none`)},
	{Place: "results send_group_sign", Title: "fire and forget", try: answers("send_group_sign", `{"group_id":"$group"}`, `none`)},
	{Place: "results group_poke", Title: "nothing comes back", try: answers("group_poke", `{"group_id":$group,"user_id":$self}`, `none`)},
	{Place: "results friend_poke", Title: "nothing comes back", try: answers("friend_poke", `{"user_id":$friend}`, `none`)},
	{Place: "results send_poke", Title: "nothing comes back", try: answers("send_poke", `{"user_id":$friend}`, `none`)},
	{Place: "results send_like", Title: "nothing comes back", try: answers("send_like", `{"user_id":$friend,"times":1}`, `none`)},
	{Place: "results set_input_status", Title: "raw", try: answers("set_input_status", `{"user_id":"$friend","event_type":1}`, `any`)},
	{Place: "results delete_friend", Title: "ok where there is no such friend", try: answers("delete_friend", `{"user_id":"$nobody"}`, `{valid:false, message:str}`)},
	{Place: "results set_friend_add_request", Title: "an unknown flag", try: refuses("set_friend_add_request", `{"flag":"1","approve":true}`, 1200, "…")},
	{Place: "results set_group_add_request", Title: "an unknown flag", try: refuses("set_group_add_request", `{"flag":"1","approve":true}`, 1200, "…")},
	{Place: "results set_online_status", Title: "online", try: answers("set_online_status", `{"status":10,"ext_status":0,"battery_status":0}`, `none`)},
	{Place: "results set_friend_remark", Title: "not a friend", try: refuses("set_friend_remark", `{"user_id":"$nobody","remark":"x"}`, 1200, "…")},
	{Place: "results set_group_add_option", Title: "approval", try: led(answers("set_group_add_option", `{"group_id":"$group","add_type":2}`, `none`))},
}

// notShut expects the member not to be muted.
func notShut(v *visit) error {
	var shut []struct {
		UIN json.Number `json:"uin"`
	}
	if err := v.ask("get_group_shut_list", `{"group_id":$group}`, &shut); err != nil {
		return err
	}
	for _, s := range shut {
		if s.UIN.String() == fmt.Sprint(v.member) {
			return errors.New("the member is muted")
		}
	}
	return nil
}

// files are those of a group.
var files = []Expectation{
	{Place: "results get_group_file_system_info", Title: "a constant limit", try: answers("get_group_file_system_info", `{"group_id":$group}`, `{file_count:int, limit_count:10000, used_space:int, total_space:int}`)},
	{Place: "results get_group_root_files", Title: "files and folders", try: answers("get_group_root_files", `{"group_id":$group}`, `{files:[File], folders:[Folder]}`)},
	{Place: "results upload_group_file", Title: "an id", try: uploaded("upload_group_file", `"group_id":$group`, `{!file_id:str/none}`)},
	{Place: "results upload_private_file", Title: "an id", try: uploaded("upload_private_file", `"user_id":$friend`, `{!file_id:str/none}`)},
	{Place: "results create_group_file_folder", Title: "QQ's answer", try: folder},
	{Place: "results get_group_root_files", Title: "what was uploaded is there", try: listed(func(v *visit, f listing) error { return nil })},
	{Place: "results get_group_root_files", Title: "ids are new in every listing", try: listed(func(v *visit, f listing) error {
		g, err := v.find(f.name)
		if err == nil && g.id == f.id {
			err = errors.New("it is the same id as before")
		}
		return err
	})},
	{Place: "results get_group_file_url", Title: "by an id of the list", try: listed(func(v *visit, f listing) error {
		return answers("get_group_file_url", fmt.Sprintf(`{"group_id":$group,"file_id":%q}`, f.id), `{!url:str}`)(v)
	})},
	{Place: "results delete_group_file", Title: "by an id of the list", try: listed(func(v *visit, f listing) error {
		return answers("delete_group_file", fmt.Sprintf(`{"group_id":$group,"file_id":%q}`, f.id), `any`)(v)
	})},
	{Place: "L.7", Title: "the id that an upload answers has no address", try: uploadedID},
}

// uploaded uploads a file by an action.
func uploaded(action, target, shape string) func(*visit) error {
	return func(v *visit) error {
		path, err := v.upload("conform.txt", "hello")
		if err != nil {
			return err
		}
		return answers(action, fmt.Sprintf(`{%s,"file":%q,"name":"conform.txt"}`, target, path), shape)(v)
	}
}

func uploadedID(v *visit) error {
	path, err := v.upload("conform.txt", "hello")
	if err != nil {
		return err
	}
	var up struct {
		FileID string `json:"file_id"`
	}
	if err := v.ask("upload_group_file", fmt.Sprintf(`{"group_id":$group,"file":%q,"name":"conform.txt"}`, path), &up); err != nil {
		return err
	}
	return refuses("get_group_file_url", fmt.Sprintf(`{"group_id":$group,"file_id":%q}`, up.FileID), 1200, "real fileUUID not found…")(v)
}

func folder(v *visit) error {
	params := fmt.Sprintf(`{"group_id":$group,"folder_name":"conform %d"}`, time.Now().UnixNano())
	return answers("create_group_file_folder", params, `{result:{retCode:int, retMsg:str, clientWording:str}, groupItem:object/[object]}`)(v)
}

// listing is a file in a group's list.
type listing struct{ id, name string }

// listed uploads a file, finds it in the group's list and tries something on it.
func listed(f func(*visit, listing) error) func(*visit) error {
	return func(v *visit) error {
		name := fmt.Sprintf("conform %d.txt", time.Now().UnixNano())
		path, err := v.upload("conform.txt", "hello")
		if err != nil {
			return err
		}
		if err := v.ask("upload_group_file", fmt.Sprintf(`{"group_id":$group,"file":%q,"name":%q}`, path, name), nil); err != nil {
			return err
		}
		l, err := v.find(name)
		if err != nil {
			return err
		}
		return f(v, l)
	}
}

// find looks for a file in the group's list.
func (v *visit) find(name string) (listing, error) {
	var root struct {
		Files []struct {
			FileID   string `json:"file_id"`
			FileName string `json:"file_name"`
		} `json:"files"`
	}
	if err := v.ask("get_group_root_files", `{"group_id":$group}`, &root); err != nil {
		return listing{}, err
	}
	for _, f := range root.Files {
		if f.FileName == name {
			return listing{f.FileID, name}, nil
		}
	}
	return listing{}, fmt.Errorf("%s is not in the list", name)
}
