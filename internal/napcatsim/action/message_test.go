package action

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func TestSegments(t *testing.T) {
	r := newRig(t)
	m, err := r.w.Say(world.Say{Group: group, User: bob, Text: "quoted"})
	if err != nil {
		t.Fatal(err)
	}
	id := jsval.ToString(int64(m.ID))
	for _, tt := range []struct{ in, want string }{
		{`"a[CQ:at,qq=3001000001]b&#91;"`, `[{"type":"text","data":{"text":"a"}},{"type":"at","data":{"qq":"3001000001"}},{"type":"text","data":{"text":"b["}}]`},
		{`{type:"text",data:{text:"one"}}`, `[{"type":"text","data":{"text":"one"}}]`},
		{`[{type:"at",data:{qq:"all"}}]`, `[{"type":"at","data":{"qq":"all"}}]`},
		{`[{type:"at",data:{qq:"42"}}]`, `error: Get Uid Error`},
		{`[{type:"reply",data:{id:` + id + `}},{type:"text",data:{text:"x"}}]`, `[{"type":"reply","data":{"id":"` + id + `"}},{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"reply",data:{seq:1001,id:"77"}},{type:"text",data:{text:"x"}}]`, `[{"type":"reply","data":{"id":"` + id + `"}},{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"reply",data:{id:"77"}},{type:"text",data:{text:"x"}}]`, `[{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"face",data:{id:"9999"}},{type:"text",data:{text:"x"}}]`, `[{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"json",data:{data:{a:1}}}]`, `[{"type":"json","data":{"data":"{\"a\":1}"}}]`},
		{`[{type:"markdown",data:{content:"# x"}}]`, `[{"type":"markdown","data":{"content":"# x"}}]`},
		{`[{type:"poke",data:{}},{type:"text",data:{text:"x"}}]`, `[{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"music",data:{type:"custom"}},{type:"text",data:{text:"x"}}]`, `[{"type":"text","data":{"text":"x"}}]`},
		{`[{type:"xml",data:{data:"x"}},{type:"miniapp",data:{data:"x"}}]`, `error: 消息体无法解析, 请检查是否发送了不支持的消息类型`},
		{`[{type:"wat",data:{}}]`, `error: 未知的消息类型：wat`},
		{`[{type:"image",data:{}}]`, `error: 文件消息缺少参数`},
		{`[{type:"image",data:{file:"no such thing"}}]`, `error: 文件处理失败: 识别URL失败, uri= no such thing`},
		{`[{type:"image",data:{file:"file:///no/such/file.png"}}]`, `error: 文件处理失败: ENOENT: no such file or directory, open '/no/such/file.png'`},
		{`5`, `error: 未知的消息类型：undefined`},
	} {
		before := r.w.SentCount()
		got := r.data("send_group_msg", `{group_id:700000001,message:`+tt.in+`}`)
		if !strings.HasPrefix(got, "error") {
			got = jsval.Stringify(arrayOf(r.w.Sent(before)[0].Message.Segments))
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	// Mentions are left out in private, and text can be told to be no CQ code.
	r.data("send_private_msg", `{user_id:"3001000001",message:"[CQ:at,qq=3001000001]x"}`)
	if got := jsval.Stringify(arrayOf(r.newest().Segments)); got != `[{"type":"text","data":{"text":"x"}}]` {
		t.Errorf("private: %s", got)
	}
	r.data("send_private_msg", `{user_id:"3001000001",message:"[CQ:face,id=1]",auto_escape:"true"}`)
	if m := r.newest(); m.PlainText() != "[CQ:face,id=1]" {
		t.Errorf("escaped: %q", m.PlainText())
	}
}

const png = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAEElEQVR4nGNkYGD4DwWMKAwAHzQBAaGIsEgAAAAASUVORK5CYII="

func TestMedia(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "pic.png")
	raw, err := decodeBase64(png)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{"base64://" + png, path, "file://" + path, "data:image/png;base64," + png} {
		r.object("send_group_msg", jsval.Obj("group_id", 700000001.0, "message", []any{
			jsval.Obj("type", "image", "data", jsval.Obj("file", src, "summary", "S", "sub_type", 1.0))}))
		d := r.newest().Segments[0].Data
		var keys []string
		for _, m := range d.Members {
			keys = append(keys, m.Key)
		}
		if got := strings.Join(keys, ","); got != "summary,file,sub_type,url,file_size" {
			t.Errorf("%.30s: keys %s", src, got)
		}
		if d.Get("file_size") != jsval.ToString(int64(len(raw))) || d.Get("summary") != "S" || d.Get("sub_type") != 1 {
			t.Errorf("%.30s: %s", src, jsval.Stringify(d))
		}
		// The name of what was received fetches it again, and sends it again.
		name := d.String("file")
		got := r.object("get_image", jsval.Obj("file", name))
		if b, err := os.ReadFile(got.String("file")); err != nil || string(b) != string(raw) {
			t.Errorf("%.30s: get_image %s: %v", src, jsval.Stringify(got), err)
		}
		r.object("send_private_msg", jsval.Obj("user_id", 3001000001.0, "message", []any{
			jsval.Obj("type", "image", "data", jsval.Obj("file", name))}))
	}
	if out := r.do("download_file_image_stream", jsval.Obj("file", filepath.Base(path))); out[0].Data.(*jsval.Object).Get("width") != 2 {
		t.Errorf("file_info %s", jsval.Stringify(out[0].Data))
	}
}

func TestReceive(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	segs, err := r.h.Receive(alice, []world.Segment{
		world.Text("x"), {Type: "file", Data: jsval.Obj("file", path)}, {Type: "image", Data: jsval.Obj("file", "n", "url", "u", "file_size", "1")}})
	if err != nil {
		t.Fatal(err)
	}
	d := segs[1].Data
	f, ok := r.w.File(d.String("file_id"))
	if !ok || f.Owner != alice || d.String("file") != "a.txt" || d.String("file_size") != "5" || d.String("url") == "" {
		t.Errorf("%s, %+v", jsval.Stringify(d), f)
	}
	if got := jsval.Stringify(segs[2].Data); got != `{"file":"n","url":"u","file_size":"1"}` {
		t.Errorf("what is in received form became %s", got)
	}
	if _, err := r.h.Receive(alice, []world.Segment{{Type: "image", Data: jsval.Obj("file", "/none")}}); err == nil {
		t.Error("a file that is not there was received")
	}
}

func TestForward(t *testing.T) {
	r := newRig(t)
	var ids []string
	for _, s := range []string{"one", "two", "three"} {
		m, err := r.w.Say(world.Say{Group: group, User: bob, Text: s})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, jsval.ToString(int64(m.ID)))
	}
	o := r.object("send_group_forward_msg", `{group_id:"700000001",messages:[
		{type:"node",data:{id:"`+ids[0]+`"}},{type:"node",data:{id:`+ids[1]+`}},{type:"node",data:{id:"`+ids[2]+`"}},
		{type:"node",data:{user_id:3002000001,nickname:"Made",content:[{type:"text",data:{text:"up"}}]}},
		{type:"node",data:{uin:"3002000001",name:"Nest",content:[
			{type:"node",data:{user_id:"3001000001",nickname:"In",content:"inner [CQ:face,id=1]"}}]}}]}`)
	if o.String("res_id") == "" || o.String("res_id") != o.String("forward_id") {
		t.Errorf("answer %s", jsval.Stringify(o))
	}
	if !strings.Contains(r.last(), `"message":[{"type":"forward","data":{"id":"`) {
		t.Errorf("event %s", r.last())
	}
	for _, key := range []string{jsval.ToString(o.Get("message_id")), r.newest().MsgID, o.String("res_id")} {
		got := r.object("get_forward_msg", jsval.Obj("id", key)).Get("messages").([]any)
		if len(got) != 5 {
			t.Fatalf("%s: %d messages", key, len(got))
		}
		for i, want := range []string{"one", "two", "three", "up"} {
			if m := got[i].(*jsval.Object); m.String("raw_message") != want {
				t.Errorf("message %d is %s", i, jsval.Stringify(m))
			}
		}
		if made := got[3].(*jsval.Object).Get("sender").(*jsval.Object); made.String("nickname") != "Made" || made.Get("user_id") != int64(dave) {
			t.Errorf("sender %s", jsval.Stringify(made))
		}
		nested := got[4].(*jsval.Object).Get("message").([]any)[0].(*jsval.Object)
		inner := nested.Get("data").(*jsval.Object).Get("content").([]any)[0].(*jsval.Object)
		if nested.String("type") != "forward" || !strings.HasPrefix(inner.String("raw_message"), "inner [CQ:face,id=1") {
			t.Errorf("nested %s", jsval.Stringify(nested))
		}
	}
	r.want("get_forward_msg", `{id:"nothing"}`, "error: 消息已过期或者为内层消息，无法获取转发消息")
	r.want("get_forward_msg", `{}`, "error: message_id is required")
	if got := r.data("send_group_forward_msg", `{group_id:1,messages:[{type:"node",data:{content:[{type:"node",data:{content:[{type:"node",data:{content:[{type:"node",data:{content:"deep"}}]}}]}}]}}]}`); !strings.HasPrefix(got, "error") {
		t.Errorf("four levels: %s", got)
	}
	// A received forward is sent on by its id.
	r.object("send_private_msg", `{user_id:3001000001,message:[{type:"forward",data:{id:"`+o.String("res_id")+`"}}]}`)
	if len(r.newest().Nodes) != 5 {
		t.Errorf("sent on: %d messages", len(r.newest().Nodes))
	}
}

func TestHistory(t *testing.T) {
	r := newRig(t)
	var all []world.Message
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCD" {
		m, err := r.w.Say(world.Say{Group: group, User: bob, Text: string(c)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	texts := func(params string) string {
		var s string
		for _, m := range r.object("get_group_msg_history", params).Get("messages").([]any) {
			s += m.(*jsval.Object).String("raw_message")
		}
		return s
	}
	id := jsval.ToString(int64(all[10].ID))
	for _, tt := range []struct{ params, want string }{
		{`{group_id:700000001,count:3}`, "BCD"},
		{`{group_id:"700000001",count:3,message_seq:"0"}`, "BCD"},
		{`{group_id:700000001,count:3,message_seq:` + id + `}`, "ijk"},
		{`{group_id:700000001,count:3,message_seq:` + id + `,reverse_order:true}`, "klm"},
		{`{group_id:700000001,count:3,message_seq:"` + all[10].MsgID + `",reverseOrder:1}`, "klm"},
	} {
		if got := texts(tt.params); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.params, got, tt.want)
		}
	}
	if got := texts(`{group_id:700000001}`); got != "klmnopqrstuvwxyzABCD" {
		t.Errorf("default count: %q", got)
	}
	if got := r.data("get_friend_msg_history", `{user_id:3001000002}`); !strings.HasPrefix(got, "error") {
		t.Errorf("an empty chat gives %s", got)
	}
	// Ids that the host forgot come back with the history.
	r.w.ForgetIDs()
	r.want("get_msg", `{message_id:`+id+`}`, "error: 消息不存在")
	texts(`{group_id:700000001,count:30}`)
	if got := r.object("get_msg", `{message_id:`+id+`}`).String("raw_message"); got != "k" {
		t.Errorf("get_msg %q", got)
	}
}

func TestGetMsg(t *testing.T) {
	r := newRig(t)
	id := jsval.ToString(r.object("send_group_msg", `{group_id:700000001,message:"mine"}`).Get("message_id"))
	r.want("set_msg_emoji_like", `{message_id:`+id+`,emoji_id:0}`, "error: emojiId not found")
	r.want("set_msg_emoji_like", `{message_id:`+id+`,emoji_id:"76"}`, `{"result":0,"errMsg":""}`)
	got := jsval.Stringify(r.object("get_msg", `{message_id:"`+id+`"}`))
	if !strings.HasSuffix(got, `"post_type":"message_sent","message_sent_type":"self","group_id":700000001,"group_name":"ncatd 测试群","emoji_likes_list":[{"emoji_id":"76","emoji_type":"1","likes_cnt":"1"}]}`) {
		t.Errorf("get_msg %s", got)
	}
	r.want("get_emoji_likes", `{group_id:700000001,message_id:"`+id+`",emoji_id:"76"}`, `{"emoji_like_list":[{"user_id":"3889001001","nick_name":"ncatd 模拟号"}]}`)
	r.want("delete_msg", `{message_id:`+id+`}`, "null")
	if want := `{"group_id":700000001,"user_id":3889001001,"notice_type":"group_recall","operator_id":3889001001,"message_id":` + id + `}`; r.last() != want {
		t.Errorf("event %s", r.last())
	}
	if got := jsval.Stringify(r.object("get_msg", `{message_id:`+id+`}`).Get("message")); got != "[]" {
		t.Errorf("recalled message %s", got)
	}
	r.want("delete_msg", `{message_id:`+id+`}`, "error: Recall failed")
	// Only the last 5000 ids are known.
	for range 5000 {
		if _, err := r.w.Say(world.Say{Group: group, User: bob, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	r.want("get_msg", `{message_id:`+id+`}`, "error: 消息不存在")
}

func TestMessageID(t *testing.T) {
	// Worked out with md5sum.
	for _, tt := range []struct {
		id   string
		chat world.ChatType
		peer string
		want int32
	}{
		{"7000000000000000001", world.InGroup, "700000001", 1535901405},
		{"7000000000000000003", world.Private, "u_abc", 902633682},
		{"7000000000000000002", world.Temporary, "u_x", 1361788374},
	} {
		if got := world.MessageID(tt.id, tt.chat, tt.peer); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.id, got, tt.want)
		}
	}
}
