package action

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// The people and groups of the default world.
const (
	self   = world.SelfUIN
	alice  = 3001000001
	bob    = 3001000002
	carol  = 3001000003
	dave   = 3002000001
	erin   = 3002000002
	group  = 700000001 // the bot is an administrator
	group2 = 700000002 // the bot is a plain member
)

type rig struct {
	t  *testing.T
	w  *world.World
	h  *Host
	wg sync.WaitGroup

	mu     sync.Mutex
	events []string
}

func newRig(t *testing.T) *rig {
	w := world.New(world.Options{})
	r := &rig{t: t, w: w, h: New(Options{World: w, TempDir: t.TempDir()})}
	w.Subscribe(func(e world.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		s := jsval.Stringify(e.Body)
		if e.Message != nil {
			s = jsval.Stringify(MessageObject(e.Message, MessageForm{Self: self, Event: true}))
		}
		r.events = append(r.events, s)
	})
	t.Cleanup(func() {
		r.wg.Wait()
		r.h.Close()
	})
	return r
}

// last returns the newest event.
func (r *rig) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return ""
	}
	return r.events[len(r.events)-1]
}

// do carries out an action and returns its packets, the answer last.
func (r *rig) do(name string, params any) []Result {
	r.t.Helper()
	if s, ok := params.(string); ok {
		v, err := jsval.Parse(s)
		if err != nil {
			r.t.Fatal(err)
		}
		params = v
	}
	var mu sync.Mutex
	var out []Result
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	r.h.Do(ctx, Call{Name: name, Params: params, Format: "array"}, func(f func()) { r.wg.Go(f) }, func(res Result) {
		mu.Lock()
		out = append(out, res)
		mu.Unlock()
		if !res.More {
			close(done)
		}
	})
	<-done
	return out
}

// data returns what an action answered, its failure as "error: …".
func (r *rig) data(name string, params any) string {
	r.t.Helper()
	out := r.do(name, params)
	last := out[len(out)-1]
	if last.Err != nil {
		return "error: " + last.Err.Text
	}
	if jsval.IsUndefined(last.Data) {
		return "none"
	}
	return jsval.Stringify(last.Data)
}

func (r *rig) object(name string, params any) *jsval.Object {
	r.t.Helper()
	out := r.do(name, params)
	last := out[len(out)-1]
	if last.Err != nil {
		r.t.Fatalf("%s: %v", name, last.Err)
	}
	return last.Data.(*jsval.Object)
}

func (r *rig) want(name string, params any, want string) {
	r.t.Helper()
	if got := r.data(name, params); got != want {
		r.t.Errorf("%s %v\n got %s\nwant %s", name, params, got, want)
	}
}

func TestParametersAreTheSchema(t *testing.T) {
	b, err := os.ReadFile("../../../onebot/schema/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsval.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	doc := v.(*jsval.Object)
	actions := &jsval.Object{}
	for _, m := range doc.Get("actions").(*jsval.Object).Members {
		actions.Set(m.Key, m.Value.(*jsval.Object).Get("params"))
		if !Known(m.Key) || !Known(m.Key+"_async") || !Known(m.Key+"_rate_limited") {
			t.Errorf("%s is not known", m.Key)
		}
	}
	want := jsval.Stringify(jsval.Obj("actions", actions, "types", doc.Get("types"))) + "\n"
	if want != paramsJSON {
		t.Error("params.json does not hold the parameters of onebot/schema/actions.json")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile("params.json", []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := Names()
	if len(names) != 175 || len(schemas) != 175 {
		t.Errorf("%d handlers, %d schemas, want 175", len(names), len(schemas))
	}
	for _, n := range names {
		if schemas[n] == nil {
			t.Errorf("%s has a handler, but is in no schema", n)
		}
	}
}

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

func (r *rig) newest() world.Message {
	s := r.w.Sent(r.w.SentCount() - 1)
	return s[0].Message
}

func arrayOf(segs []world.Segment) []any {
	var out []any
	for _, s := range segs {
		out = append(out, jsval.Obj("type", s.Type, "data", s.Data))
	}
	return out
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

func TestConstantsAndNothing(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"can_send_record": `{"yes":true}`, "get_guild_list": "none", "_set_model_show": "none", "nc_get_packet_status": "none",
		"_get_model_show": `[{"variants":{"model_show":"napcat","need_pay":false}}]`, "get_online_clients": "[]",
		"get_status": `{"online":true,"good":true,"stat":{}}`, "get_unidirectional_friend_list": "[]",
		"get_group_ignore_add_request": "[]",
	} {
		r.want(name, `{}`, want)
	}
	r.want("check_url_safely", `{url:"http://x"}`, `{"level":1}`)
	r.want("send_group_ai_record", `{group_id:700000001,character:"c",text:"t"}`, `{"message_id":0}`)
	r.want("get_group_shut_list", `{group_id:1}`, "[]")
	r.want("get_flash_file_url", `{fileset_id:"x"}`, `{"result":-1,"errMsg":"未找到文件","transferUrl":""}`)
	if got := r.data("ocr_image", `{image:"x"}`); !strings.HasPrefix(got, "error") {
		t.Errorf("ocr_image %s", got)
	}
}

func TestPacketLayerDown(t *testing.T) {
	w := world.New(world.Options{})
	r := &rig{t: t, w: w, h: New(Options{World: w, PacketError: "packetBackend不可用"})}
	for _, name := range []string{"nc_get_packet_status", "get_rkey"} {
		out := r.do(name, `{}`)
		if out[0].Err == nil || !out[0].Err.Check || out[0].Err.Text != "packetBackend不可用" {
			t.Errorf("%s: %+v", name, out[0].Err)
		}
	}
	o := r.object("send_group_forward_msg", `{group_id:700000001,messages:[{type:"node",data:{user_id:1,nickname:"n",content:"x"}}]}`)
	if o.Has("res_id") || r.newest().Nodes[0].Sender != self {
		t.Errorf("forward without the packet layer: %s", jsval.Stringify(o))
	}
}

func TestQuickOperation(t *testing.T) {
	r := newRig(t)
	m, err := r.w.Say(world.Say{User: alice, Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	event := jsval.Stringify(MessageObject(&m, MessageForm{Self: self, Event: true}).Set("message", &jsval.Object{}))
	r.want(".handle_quick_operation", `{context:`+event+`,operation:{reply:"yo",delete:true}}`, "none")
	if got := r.newest(); got.PlainText() != "yo" || got.Chat.Peer != alice {
		t.Errorf("sent %+v", got)
	}
	// Requests cannot be answered this way: their keys are not in the schema.
	q, err := r.w.Ask(world.Request{Kind: world.FriendRequest, User: 3009000001})
	if err != nil {
		t.Fatal(err)
	}
	r.want(".handle_quick_operation", `{context:{time:1,self_id:2,post_type:"request",request_type:"friend",user_id:3009000001,flag:"`+q.Flag+`"},operation:{approve:true}}`, "none")
	if r.w.Requests(world.FriendRequest)[0].Answered {
		t.Error("a request was answered")
	}
}

func TestUploadStream(t *testing.T) {
	r := newRig(t)
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	r.want("upload_file_stream", `{stream_id:"s",total_chunks:2,file_size:5,filename:"h.txt",expected_sha256:"`+sum+`"}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":0,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",chunk_data:"bG8=",chunk_index:1}`, `{"type":"stream","stream_id":"s","status":"chunk_received","received_chunks":1,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",chunk_data:"bG8=",chunk_index:1}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":1,"total_chunks":2}`)
	r.want("upload_file_stream", `{stream_id:"s",verify_only:true}`, `{"type":"stream","stream_id":"s","status":"file_created","received_chunks":1,"total_chunks":2}`)
	if got := r.data("upload_file_stream", `{stream_id:"s",is_complete:true}`); !strings.HasPrefix(got, "error: Incomplete") {
		t.Errorf("incomplete: %s", got)
	}
	r.want("upload_file_stream", `{stream_id:"x",verify_only:true}`, "error: Stream not found")
	r.want("upload_file_stream", `{stream_id:"x",reset:true}`, "error: Stream reset completed")
	r.data("upload_file_stream", `{stream_id:"t",total_chunks:2,file_size:5,filename:"h.txt",expected_sha256:"`+sum+`"}`)
	r.data("upload_file_stream", `{stream_id:"t",chunk_data:"bG8=",chunk_index:1}`)
	r.data("upload_file_stream", `{stream_id:"t",chunk_data:"aGVs",chunk_index:0}`)
	o := r.object("upload_file_stream", `{stream_id:"t"}`) // any call without data completes what is whole
	path := o.String("file_path")
	if b, err := os.ReadFile(path); err != nil || string(b) != "hello" {
		t.Fatalf("%s: %q, %v", jsval.Stringify(o), b, err)
	}
	if got, want := jsval.Stringify(o), `{"type":"response","stream_id":"t","status":"file_complete","received_chunks":2,"total_chunks":2,"file_path":"`+path+`","file_size":5,"sha256":"`+sum+`"}`; got != want {
		t.Errorf("got %s", got)
	}
	r.data("upload_file_stream", `{stream_id:"u",total_chunks:1,file_size:1,expected_sha256:"00"}`)
	r.data("upload_file_stream", `{stream_id:"u",chunk_data:"YQ==",chunk_index:0}`)
	if got := r.data("upload_file_stream", `{stream_id:"u",is_complete:true}`); !strings.HasPrefix(got, "error: SHA256 mismatch") {
		t.Errorf("wrong digest: %s", got)
	}
	r.data("upload_file_stream", `{stream_id:"v",total_chunks:1,file_size:1,filename:"../../escape"}`)
	r.data("upload_file_stream", `{stream_id:"v",chunk_data:"YQ==",chunk_index:0}`)
	if got := r.data("upload_file_stream", `{stream_id:"v",is_complete:true}`); !strings.HasPrefix(got, "error: ENOENT") {
		t.Errorf("a name that leads out of the folder: %s", got)
	}
	// What was uploaded is a file like any other, and comes back in pieces.
	r.object("send_private_msg", jsval.Obj("user_id", 3001000001.0, "message", []any{jsval.Obj("type", "file", "data", jsval.Obj("file", path))}))
	id := r.newest().Segments[0].Data.String("file_id")
	out := r.do("download_file_stream", jsval.Obj("file_id", id, "chunk_size", 2.0))
	var packets []string
	for _, p := range out {
		packets = append(packets, jsval.Stringify(p.Data))
	}
	if want := []string{
		`{"type":"stream","data_type":"file_info","file_name":"h.txt","file_size":5,"chunk_size":2}`,
		`{"type":"stream","data_type":"file_chunk","index":0,"data":"aGU=","size":2,"progress":40,"base64_size":4}`,
		`{"type":"stream","data_type":"file_chunk","index":1,"data":"bGw=","size":2,"progress":80,"base64_size":4}`,
		`{"type":"stream","data_type":"file_chunk","index":2,"data":"bw==","size":1,"progress":100,"base64_size":4}`,
		`{"type":"response","data_type":"file_complete","total_chunks":3,"total_bytes":5,"message":"Download completed: 3 chunks"}`,
	}; !slices.Equal(packets, want) {
		t.Errorf("packets\n%s", strings.Join(packets, "\n"))
	}
	out = r.do("test_download_stream", `{error:true}`)
	if last := out[len(out)-1]; len(out) != 11 || last.Err == nil || last.Err.Text != "This is a test error" || !last.Stream {
		t.Errorf("%d packets, last %+v", len(out), last)
	}
}
