package action

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func TestMembers(t *testing.T) {
	r := newRig(t)
	check := func(name, params, want, event string) {
		t.Helper()
		before := r.last()
		r.want(name, params, want)
		got := r.last()
		if event == "" && got != before {
			t.Errorf("%s: event %s, want none", name, got)
		} else if event != "" && got != event {
			t.Errorf("%s:\n got %s\nwant %s", name, got, event)
		}
	}
	const g = `group_id:"700000001"`
	check("set_group_ban", `{`+g+`,user_id:3001000003,duration:60}`, "null", `{"group_id":700000001,"user_id":3001000003,"notice_type":"group_ban","operator_id":3889001001,"duration":60,"sub_type":"ban"}`)
	check("set_group_ban", `{`+g+`,user_id:3001000003}`, "null", `{"group_id":700000001,"user_id":3001000003,"notice_type":"group_ban","operator_id":3889001001,"duration":0,"sub_type":"lift_ban"}`)
	check("set_group_ban", `{`+g+`,user_id:3001000001,duration:60}`, "error: ShutUpMember Error: 权限不足", "")
	check("set_group_ban", `{group_id:700000002,user_id:3001000002,duration:60}`, "error: 权限不足", "")
	check("set_group_whole_ban", `{`+g+`,enable:"0"}`, "null", `{"group_id":700000001,"user_id":0,"notice_type":"group_ban","operator_id":3889001001,"duration":-1,"sub_type":"ban"}`)
	check("set_group_whole_ban", `{`+g+`,enable:0}`, "null", `{"group_id":700000001,"user_id":0,"notice_type":"group_ban","operator_id":3889001001,"duration":0,"sub_type":"lift_ban"}`)
	check("set_group_admin", `{`+g+`,user_id:3001000003,enable:true}`, "null", "") // only the owner can, and nobody says so
	check("set_group_kick", `{group_id:700000002,user_id:3001000002}`, "null", "")
	check("set_group_kick", `{`+g+`,user_id:3002000001}`, "null", `{"group_id":700000001,"user_id":3002000001,"notice_type":"group_decrease","sub_type":"kick","operator_id":3889001001}`)
	check("group_poke", `{`+g+`,user_id:3001000001}`, "none", r.pokeEvent(group, alice))
	check("set_group_name", `{`+g+`,group_name:"N"}`, "null", `{"group_id":700000001,"user_id":3889001001,"notice_type":"notify","sub_type":"group_name","name_new":"N"}`)
	check("set_group_kick_members", `{`+g+`,user_id:3001000003}`, "null", `{"group_id":700000001,"user_id":3001000003,"notice_type":"group_decrease","sub_type":"kick","operator_id":3889001001}`)

	r.w.UpdateGroup(group, func(g *world.Group) { g.Members[alice].Role, g.Members[self].Role = world.Admin, world.Owner })
	check("set_group_admin", `{`+g+`,user_id:3001000001}`, "null", `{"group_id":700000001,"user_id":3001000001,"notice_type":"group_admin","sub_type":"unset"}`)
	check("set_group_admin", `{`+g+`,user_id:3001000001,enable:1}`, "null", `{"group_id":700000001,"user_id":3001000001,"notice_type":"group_admin","sub_type":"set"}`)
	check("set_group_special_title", `{`+g+`,user_id:3001000001,special_title:"T"}`, "none", `{"group_id":700000001,"user_id":3001000001,"notice_type":"notify","sub_type":"title","title":"T"}`)
	check("set_group_card", `{`+g+`,user_id:3001000001,card:"C"}`, "null", "")
	want := `"card":"C","sex":"female","age":21,"area":"","level":"2","qq_level":48,`
	if got := r.data("get_group_member_info", `{`+g+`,user_id:3001000001}`); !strings.Contains(got, want) || !strings.Contains(got, `"role":"admin","title":"T"}`) {
		t.Errorf("member %s", got)
	}
	check("set_group_leave", `{`+g+`}`, "null", `{"group_id":700000001,"user_id":3889001001,"notice_type":"group_decrease","sub_type":"leave","operator_id":0}`)
	if got := r.data("send_group_msg", `{`+g+`,message:"x"}`); !strings.HasPrefix(got, "error: EventChecker Failed") {
		t.Errorf("send after leaving: %s", got)
	}
}

func (r *rig) pokeEvent(group, to int64) string {
	var got string
	w := world.New(world.Options{})
	w.Subscribe(func(e world.Event) { got = jsval.Stringify(e.Body) })
	if err := w.Poke(group, self, to); err != nil {
		r.t.Fatal(err)
	}
	return got
}

func TestRequestsAndFriends(t *testing.T) {
	r := newRig(t)
	ask := func(q world.Request) string {
		t.Helper()
		got, err := r.w.Ask(q)
		if err != nil {
			t.Fatal(err)
		}
		return got.Flag
	}
	flag := ask(world.Request{Kind: world.FriendRequest, User: 3009000001, Comment: "hi"})
	r.want("set_friend_add_request", `{flag:"`+flag+`",approve:0,remark:"R"}`, "none") // the number 0 approves
	if r.last() != `{"notice_type":"friend_add","user_id":3009000001}` {
		t.Errorf("event %s", r.last())
	}
	r.want("set_friend_add_request", `{flag:"none"}`, "error: 没有找到该请求")
	join := ask(world.Request{Kind: world.JoinRequest, User: 3009000002, Group: group, Comment: "let me"})
	invite := ask(world.Request{Kind: world.InviteRequest, User: 3001000001, Group: 700000009})
	o := r.object("get_group_system_msg", `{}`)
	if got := jsval.Stringify(o.Get("join_requests")); got != `[{"request_id":`+join+`,"invitor_uin":3009000002,"invitor_nick":"用户2","group_id":700000001,"message":"let me","group_name":"ncatd 测试群","checked":false,"actor":0,"requester_nick":"用户2"}]` {
		t.Errorf("join_requests %s", got)
	}
	r.want("set_group_add_request", `{flag:"`+join+`",approve:false,reason:null}`, "null")
	if g, _ := r.w.Group(group); g.Members[3009000002] != nil {
		t.Error("a refused applicant is in the group")
	}
	r.want("set_group_add_request", `{flag:"`+invite+`"}`, "null")
	if r.last() != `{"group_id":700000009,"user_id":3889001001,"notice_type":"group_increase","operator_id":3001000001,"sub_type":"approve"}` {
		t.Errorf("event %s", r.last())
	}
	r.want("delete_friend", `{user_id:3009000001}`, `{"result":0,"errMsg":""}`)
	r.want("delete_friend", `{user_id:3009000001}`, `{"valid":false,"message":"不是好友"}`)
	r.want("set_friend_remark", `{user_id:3009000001,remark:"x"}`, "error: 用户 3009000001 不是好友")
	if got := r.data("get_friend_list", `{no_cache:true}`); !strings.HasPrefix(got, `[{"birthday_year":0,"birthday_month":0,"birthday_day":0,"user_id":3001000001,"age":21,"phone_num":"","email":"","category_id":0,"nickname":"Alice","remark":"爱丽丝","sex":"female","level":48}`) {
		t.Errorf("friends %s", got)
	}
	r.want("send_like", `{user_id:3001000001,times:"10"}`, "none")
	r.want("send_like", `{user_id:3001000001,times:11}`, "error: 点赞失败 今日同一好友点赞数已达上限")
	if got := r.data("send_private_msg", `{user_id:3002000001,group_id:700000001,message:"psst"}`); strings.HasPrefix(got, "error") || r.newest().Chat.Type != world.Temporary {
		t.Errorf("temporary session: %s, %+v", got, r.newest().Chat)
	}
}

func TestGroupFiles(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := r.object("upload_group_file", jsval.Obj("group_id", "700000001", "file", path, "name", "b.txt")).String("file_id")
	root := r.object("get_group_root_files", `{group_id:700000001}`)
	file := root.Get("files").([]any)[0].(*jsval.Object)
	listed := file.String("file_id")
	if file.String("file_name") != "b.txt" || file.Get("size") != int64(5) || len(listed) != 32 || listed == id {
		t.Errorf("file %s", jsval.Stringify(file))
	}
	if again := r.object("get_group_root_files", `{group_id:700000001}`).Get("files").([]any)[0].(*jsval.Object); again.String("file_id") == listed {
		t.Error("a listing repeats its ids")
	}
	if got := r.data("delete_group_file", `{group_id:700000001,file_id:"`+id+`"}`); !strings.HasPrefix(got, "error") {
		t.Errorf("an id that is from no listing deletes: %s", got)
	}
	dir := r.object("create_group_file_folder", `{group_id:700000001,folder_name:"D"}`).Get("groupItem").(*jsval.Object).Get("folderInfo").(*jsval.Object).String("folderId")
	r.want("move_group_file", `{group_id:700000001,file_id:"`+listed+`",current_parent_directory:"/",target_parent_directory:"`+dir+`"}`, `{"ok":true}`)
	r.want("rename_group_file", `{group_id:700000001,file_id:"`+id+`",current_parent_directory:"`+dir+`",new_name:"c.txt"}`, `{"ok":true}`)
	in := r.object("get_group_files_by_folder", `{group_id:700000001,folder_id:"`+dir+`"}`)
	if got := jsval.Stringify(in); !strings.Contains(got, `"file_name":"c.txt"`) || !strings.HasSuffix(got, `"folders":[]}`) {
		t.Errorf("folder %s", got)
	}
	r.want("get_group_file_system_info", `{group_id:700000001}`, `{"file_count":1,"limit_count":10000,"used_space":5,"total_space":10737418240}`)
	if got := r.data("delete_group_file", `{group_id:700000001,file_id:"`+listed+`"}`); !strings.HasPrefix(got, `{"result":0,"errMsg":"","transGroupFileResult":{"result":{"retCode":0`) {
		t.Errorf("delete %s", got)
	}
	r.want("delete_group_folder", `{group_id:700000001,folder_id:"`+dir+`"}`, `{"retCode":0,"retMsg":"ok","clientWording":""}`)
	r.want("delete_group_folder", `{group_id:700000001,folder_id:"`+dir+`"}`, `{"retCode":-1,"retMsg":"folder not exist","clientWording":""}`)
}
