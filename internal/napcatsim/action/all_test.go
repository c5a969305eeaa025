package action

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/typebox"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// params draws parameters that fit s more often than not.
func params(s *typebox.Schema) *rapid.Generator[any] {
	odd := rapid.SampledFrom([]any{nil, true, 0.0, -1.0, 5.0, "", "x", "0", "1", []any{}, &jsval.Object{}, jsval.Undefined})
	ids := rapid.SampledFrom([]any{700000001.0, "700000001", "700000002", 3001000001.0, "3001000002", 3889001001.0, "3002000001", "77"})
	switch s.Kind {
	case typebox.String:
		return rapid.OneOf(ids, ids, rapid.SampledFrom([]any{"", "text", "/", "base64://aGVsbG8=", "bG8="}), odd)
	case typebox.Number:
		return rapid.OneOf(rapid.Map(rapid.IntRange(-3, 100), func(i int) any { return float64(i) }), ids, odd)
	case typebox.Boolean:
		return rapid.Map(rapid.Bool(), func(b bool) any { return b })
	case typebox.Literal:
		return rapid.Just[any](s.Const)
	case typebox.Array:
		return rapid.OneOf(rapid.Map(rapid.SliceOfN(params(s.Items), 0, 3), func(a []any) any { return a }), odd)
	case typebox.Union:
		var of []*rapid.Generator[any]
		for _, sub := range s.Of {
			of = append(of, params(sub))
		}
		return rapid.OneOf(of...)
	case typebox.Object:
		return rapid.Custom(func(t *rapid.T) any {
			o := &jsval.Object{}
			if rapid.Bool().Draw(t, "surplus") { // also because rapid wants a draw for every object
				o.Set("surplus", 1.0)
			}
			for _, p := range s.Props {
				if p.Required || rapid.Bool().Draw(t, "give "+p.Name) {
					o.Set(p.Name, params(p.Schema).Draw(t, p.Name))
				}
			}
			return o
		})
	}
	return odd
}

// TestEveryActionStands holds that no parameters, however odd, bring an action
// down or make it answer with what cannot be written.
func TestEveryActionStands(t *testing.T) {
	names := Names()
	slices.Sort(names)
	for _, name := range names {
		gen := params(schemas()[name])
		t.Run(name, func(t *testing.T) {
			n := 0
			rapid.Check(t, func(t *rapid.T) {
				if n++; n > 25 { // enough of each of so many
					return
				}
				r := newBareRig(t)
				defer r.h.Close()
				p := gen.Draw(t, "params")
				ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				defer cancel()
				done := make(chan Result, 1)
				r.h.Do(ctx, Call{Name: name, Params: p, Format: "array"}, func(f func()) { go f() }, func(res Result) {
					jsval.Append(nil, res.Data)
					if !res.More {
						done <- res
					}
				})
				if name == "bot_exit" {
					return
				}
				res := <-done
				if res.Err != nil && res.Err.Text == "" {
					t.Fatalf("a failure without words")
				}
			})
		})
	}
}

func newBareRig(t *rapid.T) *rig {
	w := world.New(world.Options{})
	dir, err := os.MkdirTemp("", "ncatd-sim-test-")
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{World: w, TempDir: dir})
	h.ownTemp = true // Close removes it
	return &rig{w: w, h: h}
}

// TestResultsFitTheSchema checks, for the actions whose result the schema gets
// right, that a successful answer fits it.
func TestResultsFitTheSchema(t *testing.T) {
	b, err := os.ReadFile("../../../onebot/schema/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsval.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	doc := v.(*jsval.Object)
	types := doc.Get("types").(*jsval.Object)
	r := newRig(t)
	m, err := r.w.Say(world.Say{Group: group, User: bob, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	id := jsval.ToString(int64(m.ID))
	r.do("set_msg_emoji_like", `{message_id:`+id+`,emoji_id:"76"}`)
	r.do("set_essence_msg", `{message_id:`+id+`}`)
	r.do("_send_group_notice", `{group_id:700000001,content:"board"}`)
	r.do("send_group_sign", `{group_id:700000001}`)
	r.object("send_private_msg", jsval.Obj("user_id", 3001000001.0, "message", []any{
		jsval.Obj("type", "file", "data", jsval.Obj("file", "base64://aGVsbG8=", "name", "p.txt"))}))
	private := r.newest().Segments[0].Data.String("file_id")
	r.object("upload_group_file", `{group_id:700000001,file:"base64://aGVsbG8=",name:"h.txt"}`)
	file := r.object("get_group_root_files", `{group_id:700000001}`).Get("files").([]any)[0].(*jsval.Object).String("file_id")
	const g = `group_id:700000001`
	for name, p := range map[string]string{
		"can_send_image": ``, "can_send_record": ``, "get_login_info": ``, "get_status": ``, "get_version_info": ``, "get_csrf_token": ``,
		"get_clientkey": ``, "get_rkey": ``, "get_cookies": `domain:"qun.qq.com"`, "get_credentials": `domain:"x"`, "fetch_custom_face": ``,
		"get_friend_list": ``, "get_group_list": ``, "get_group_info": g, "get_group_member_info": g + `,user_id:3001000001`,
		"get_group_at_all_remain": g, "get_group_signed_list": g, "get_group_system_msg": ``, "get_ai_characters": g, "_get_group_notice": g,
		"get_ai_record": g + `,character:"c",text:"t"`, "fetch_emoji_like": `message_id:` + id + `,emojiId:"76",emojiType:"1"`,
		"get_emoji_likes": g + `,message_id:"` + id + `",emoji_id:"76"`, "get_group_file_system_info": g, "nc_get_user_status": `user_id:3001000001`,
		"translate_en2zh": `words:["cat","xyz"]`, "move_group_file": g + `,file_id:"` + file + `",current_parent_directory:"/",target_parent_directory:"/"`,
		"rename_group_file": g + `,file_id:"` + file + `",current_parent_directory:"/",new_name:"n"`, "trans_group_file": g + `,file_id:"` + file + `"`,
		"get_group_file_url": g + `,file_id:"` + file + `"`, "get_private_file_url": `file_id:"` + private + `"`,
		"get_unidirectional_friend_list": ``, "get_stranger_info": `user_id:3001000001`, "_get_model_show": ``, "check_url_safely": `url:"x"`,
		"get_friends_with_category": ``, "get_msg": `message_id:` + id, "get_group_msg_history": g, "set_group_portrait": g + `,file:"base64://aGVsbG8="`,
		"get_group_member_list": g, "get_online_clients": ``, "get_essence_msg_list": g, "get_group_honor_info": g, "get_file": `file_id:"` + private + `"`,
		"get_rkey_server": ``, "get_recent_contact": ``, "download_file": `base64:"aGVsbG8="`, "get_mini_app_ark": `type:"bili",title:"t",desc:"d",picUrl:"p",jumpUrl:"j"`,
	} {
		schema, err := typebox.Load(doc.Get("actions").(*jsval.Object).Get(name).(*jsval.Object).Get("result"), types)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := r.do(name, `{`+p+`}`)
		last := out[len(out)-1]
		if last.Err != nil {
			t.Errorf("%s: %v", name, last.Err)
			continue
		}
		text := jsval.Stringify(last.Data)
		data, err := jsval.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if text == "[]" || strings.Contains(name, "unidirectional") {
			continue
		}
		if _, err := schema.Parse(data); err != nil {
			t.Errorf("%s: %v in %s", name, err, text)
			continue
		}
		// Nothing may need converting: ids are numbers where the schema says so.
		if loose, err := schema.Parse(data); err == nil && !kept(loose, data) {
			t.Errorf("%s: %s was converted to %s", name, text, jsval.Stringify(loose))
		}
	}
}

// kept reports whether every value of parsed is in data as it is.
func kept(parsed, data any) bool {
	switch p := parsed.(type) {
	case *jsval.Object:
		d, ok := data.(*jsval.Object)
		if !ok {
			return false
		}
		for _, m := range p.Members {
			if !kept(m.Value, d.Get(m.Key)) {
				return false
			}
		}
		return true
	case []any:
		d, ok := data.([]any)
		if !ok || len(d) != len(p) {
			return false
		}
		for i := range p {
			if !kept(p[i], d[i]) {
				return false
			}
		}
		return true
	}
	return jsval.Stringify(parsed) == jsval.Stringify(data)
}
