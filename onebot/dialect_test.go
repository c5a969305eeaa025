package onebot_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// The group of a temporary session is known wherever the frame has it.
func TestTemporarySessions(t *testing.T) {
	b, err := os.ReadFile("testdata/temp-session.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want := []onebot.GroupID{700000001, 700000002, 0}
	for i, frame := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		e, err := onebot.Decode([]byte(frame))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := e.(*onebot.PrivateMessage)
		if !ok || m.GroupID != want[i] {
			t.Errorf("%s: %+v", frame, e)
		}
		var again onebot.PrivateMessage
		if err := json.Unmarshal([]byte(frame), &again); err != nil || again.GroupID != want[i] {
			t.Errorf("unmarshalled: %+v, %v", again, err)
		}
		if out, err := json.Marshal(m); err != nil || string(out) != frame {
			t.Errorf("%s is written as %s, %v", frame, out, err)
		}
	}
	// temp_source alone names the group only where it can be one.
	for source, want := range map[string]onebot.GroupID{"0": 0, "9": 0, "700000003": 700000003, `"700000003"`: 700000003} {
		e, err := onebot.Decode([]byte(`{"post_type":"message","message_type":"private","sub_type":"group","user_id":1,"temp_source":` + source + `}`))
		if m := e.(*onebot.PrivateMessage); err != nil || m.GroupID != want {
			t.Errorf("temp_source %s: group %d, %v", source, m.GroupID, err)
		}
	}
}

func TestForwardsOfOtherImplementations(t *testing.T) {
	b, err := os.ReadFile("testdata/forward-onebot11.json")
	if err != nil {
		t.Fatal(err)
	}
	var frame struct{ Data json.RawMessage }
	if err := json.Unmarshal(b, &frame); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"OneBot 11": string(frame.Data),
		"go-cqhttp": `{"messages":[{"content":"一","sender":{"nickname":"甲","user_id":3001000001},"time":1},{"content":[{"type":"face","data":{"id":"1"}},{"type":"text","data":{"text":"二"}}],"sender":{"nickname":"乙","user_id":3001000002},"time":2}]}`,
		"nodes":     `{"messages":[{"type":"node","data":{"uin":"3001000001","name":"甲","content":[{"type":"text","data":{"text":"一"}}]}},{"type":"node","data":{"user_id":3001000002,"nickname":"乙","content":"[CQ:face,id=1]二"}}]}`,
		"NapCat":    `{"messages":[{"user_id":3001000001,"sender":{"user_id":3001000001,"nickname":"甲"},"message":[{"type":"text","data":{"text":"一"}}]},{"user_id":3001000002,"sender":{"user_id":3001000002,"nickname":"乙"},"message":"[CQ:face,id=1]二"}]}`,
	} {
		c := onebot.NewClient(&recorder{data: json.RawMessage(data)})
		id := "x"
		r, err := c.GetForwardMsg(t.Context(), onebot.GetForwardMsgParams{ID: &id})
		if err != nil || len(r.Messages) != 2 {
			t.Errorf("%s: %+v, %v", name, r, err)
			continue
		}
		a, z := r.Messages[0], r.Messages[1]
		if a.UserID != 3001000001 || a.Sender.Nickname != "甲" || a.Text() != "一" {
			t.Errorf("%s: first %+v", name, a)
		}
		if z.UserID != 3001000002 || z.Sender.Nickname != "乙" || z.Text() != "二" || len(z.Message) != 2 {
			t.Errorf("%s: second %+v", name, z)
		}
	}
}

// What other implementations of OneBot 11 send, by their documentation.
func TestDialects(t *testing.T) {
	for _, tc := range []struct {
		name, frame string
		check       func(e onebot.Event) bool
	}{
		{"go-cqhttp, text with codes and a negative id", `{"post_type":"message","message_type":"group","time":1,"self_id":10,"sub_type":"normal","anonymous":null,"font":0,"group_id":7,"message":"[CQ:reply,id=-1187465321][CQ:at,qq=10] hi&#91;","message_id":-42,"message_seq":9,"raw_message":"x","sender":{"age":0,"area":"","card":"c","level":"","nickname":"n","role":"member","sex":"unknown","title":"t","user_id":5},"user_id":5}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.GroupMessage)
				return ok && m.MessageID == -42 && m.Message.ReplyTo() == -1187465321 && m.Message.Mentions(10) && m.Text() == " hi[" && m.Sender.Title == "t"
			}},
		{"go-cqhttp, temporary session", `{"post_type":"message","message_type":"private","time":1,"self_id":10,"sub_type":"group","temp_source":0,"message":"hi","message_id":3,"user_id":5,"target_id":10,"sender":{"group_id":7,"nickname":"n","user_id":5}}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.PrivateMessage)
				return ok && m.GroupID == 7 && m.UserID == 5 && m.Text() == "hi"
			}},
		{"go-cqhttp, own message", `{"post_type":"message_sent","message_type":"group","time":1,"self_id":10,"user_id":10,"group_id":7,"message_id":3,"message":"x","sender":{"user_id":10}}`,
			func(e onebot.Event) bool { m, ok := e.(*onebot.GroupMessage); return ok && m.FromSelf() }},
		{"go-cqhttp, file in private", `{"post_type":"notice","notice_type":"offline_file","time":1,"self_id":10,"user_id":5,"file":{"name":"a.txt","size":3,"url":"http://h/a"}}`,
			func(e onebot.Event) bool { _, ok := e.(*onebot.OfflineFile); return ok }},
		{"go-cqhttp, poke", `{"post_type":"notice","notice_type":"notify","sub_type":"poke","time":1,"self_id":10,"group_id":7,"user_id":5,"target_id":10}`,
			func(e onebot.Event) bool { p, ok := e.(*onebot.Poke); return ok && p.TargetID == 10 }},
		{"Lagrange, mention with its name", `{"message_type":"group","sub_type":"normal","message_id":1893463,"group_id":7,"user_id":5,"anonymous":null,"message":[{"type":"at","data":{"qq":"10","name":"bot"}},{"type":"text","data":{"text":" /ping"}}],"raw_message":"x","font":0,"sender":{"user_id":5,"nickname":"n","card":"","sex":"unknown","age":0,"area":"","level":"1","role":"owner","title":""},"message_style":{"bubble_id":0},"time":1,"self_id":10,"post_type":"message"}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.GroupMessage)
				return ok && m.Message.Mentions(10) && m.Text() == " /ping" && m.Sender.Role == onebot.RoleOwner
			}},
		{"a time with a fraction", `{"post_type":"message","message_type":"private","sub_type":"friend","user_id":5,"message_id":1,"message":"x","time":1700000000.75,"self_id":10}`,
			func(e onebot.Event) bool { return e.Base().Time == 1700000000 }},
		{"a notice's time with a fraction, as text", `{"post_type":"notice","notice_type":"group_card","group_id":1,"user_id":2,"card_new":"a","card_old":"b","time":"1700000000.75","self_id":10}`,
			func(e onebot.Event) bool { return e.Base().Time == 1700000000 }},
		{"Lagrange, reaction", `{"group_id":7,"message_id":1,"operator_id":5,"sub_type":"add","code":"76","count":2,"notice_type":"reaction","time":1,"self_id":10,"post_type":"notice"}`,
			func(e onebot.Event) bool {
				u, ok := e.(*onebot.UnknownEvent)
				return ok && strings.Contains(string(u.Raw()), `"code":"76"`)
			}},
		{"LLOneBot, group message", `{"self_id":10,"user_id":5,"time":1,"message_id":77,"message_seq":8,"message_type":"group","sender":{"user_id":5,"nickname":"n","card":"c","role":"admin","title":"","level":"3"},"raw_message":"[CQ:image,file=A.png,file_size=12,url=https://h/a?b=c&amp;d]","font":14,"sub_type":"normal","message":[{"type":"image","data":{"file":"A.png","subType":0,"url":"https://h/a?b=c&d","file_size":"12"}}],"message_format":"array","post_type":"message","group_id":7,"raw_pb":""}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.GroupMessage)
				img, found := onebot.First[*onebot.ImageSegment](m.Message)
				return ok && found && img.FileSize == 12 && img.URL == "https://h/a?b=c&d" && m.MessageID == 77
			}},
		{"LLOneBot, emoji", `{"time":1,"self_id":10,"post_type":"notice","notice_type":"group_msg_emoji_like","group_id":7,"user_id":5,"message_id":77,"likes":[{"emoji_id":"76","count":1}],"is_add":true}`,
			func(e onebot.Event) bool { l, ok := e.(*onebot.GroupMsgEmojiLike); return ok && l.MessageID == 77 }},
		{"Gensokyo, numbers that stand for openids", `{"post_type":"message","message_type":"group","time":1,"self_id":102,"sub_type":"normal","font":0,"group_id":670278889,"message":"/ping","message_id":12,"message_seq":1,"raw_message":"/ping","real_message_type":"group","real_user_id":"A3F0","real_group_id":"9C1D","sender":{"nickname":"","role":"owner","user_id":0,"tiny_id":"","card":""},"user_id":1433140553,"avatar":""}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.GroupMessage)
				return ok && m.GroupID == 670278889 && m.Text() == "/ping" && strings.Contains(string(m.Raw()), `"real_group_id":"9C1D"`)
			}},
		{"Gensokyo, keys with dashes and dots", `{"post_type":"message","message_type":"private","sub_type":"friend","time":1,"self_id":102,"user_id":5,"message_id":"12","message":"[CQ:markdown-v2,x-y.z=base64://QQ==]","sender":{}}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.PrivateMessage)
				return ok && m.MessageID == 12 && len(m.Message) == 1 && m.Message[0].SegmentType() == "markdown-v2" && m.Message.CQ() == "[CQ:markdown-v2,x-y.z=base64://QQ==]"
			}},
		{"Gensokyo, openids as they are", `{"post_type":"message","message_type":"group","time":1,"self_id":"102E7","sub_type":"normal","group_id":"9C1D","message":"[CQ:at,qq=102E7][CQ:reply,id=m-1] /ping","message_id":"m-2","sender":{"user_id":"A3F0","role":"owner"},"user_id":"A3F0"}`,
			func(e onebot.Event) bool {
				m, ok := e.(*onebot.GroupMessage)
				ids := map[int64]bool{int64(m.SelfID): true, int64(m.GroupID): true, int64(m.UserID): true, int64(m.MessageID): true, int64(m.Message.ReplyTo()): true, 0: true}
				return ok && len(ids) == 6 && m.Sender.UserID == m.UserID && m.Message.Mentions(m.SelfID) && !m.Message.Mentions(m.UserID)
			}},
		{"ids that are no numbers, a recall", `{"post_type":"notice","notice_type":"group_recall","time":1,"self_id":10,"group_id":"g-1","user_id":"u-1","operator_id":"u-1","message_id":"0001"}`,
			func(e onebot.Event) bool {
				r, ok := e.(*onebot.GroupRecall)
				return ok && r.GroupID != 0 && r.UserID != 0 && r.OperatorID == r.UserID && r.MessageID != 0 && r.MessageID != 1
			}},
	} {
		e, err := onebot.Decode([]byte(tc.frame))
		if err != nil || !tc.check(e) {
			t.Errorf("%s: %+v, %v", tc.name, e, err)
			continue
		}
		if out, err := e.(json.Marshaler).MarshalJSON(); err != nil || string(out) != tc.frame {
			t.Errorf("%s: written as %s, %v", tc.name, out, err)
		}
	}
}

// Ids that are no numbers go out as they came in.
func TestIdsThatAreNoNumbers(t *testing.T) {
	const list = `[{"type":"reply","data":{"id":"uuid-1a"}},{"type":"at","data":{"qq":"9C1D-x"}},{"type":"node","data":{"id":"m-7"}},{"type":"node","data":{"user_id":"A3F0","nickname":"n","content":"x"}}]`
	var m onebot.Message
	if err := json.Unmarshal([]byte(list), &m); err != nil {
		t.Fatal(err)
	}
	out := string(m.Without("text").Plus(onebot.Text("t")).AppendJSON(nil))
	for _, id := range []string{`"uuid-1a"`, `"9C1D-x"`, `"m-7"`, `"A3F0"`} {
		if !strings.Contains(out, id) {
			t.Errorf("%s is lost: %s", id, out)
		}
	}
	codes := "[CQ:reply,id=uuid-1a][CQ:at,qq=9C1D-x]x"
	if got := onebot.ParseCQ(codes).CQ(); got != codes {
		t.Errorf("codes become %s", got)
	}
	for quoted, want := range map[string]string{`"m-9"`: `{"type":"reply","data":{"id":"m-9"}}`, `9`: `{"type":"reply","data":{"id":"9"}}`, `-9`: `{"type":"reply","data":{"id":"-9"}}`} {
		e, err := onebot.Decode([]byte(`{"post_type":"message","message_type":"group","group_id":1,"message_id":` + quoted + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(onebot.Quote(e.(onebot.MessageEvent)).AppendJSON(nil)); got != want {
			t.Errorf("a quotation of %s is %s", quoted, got)
		}
	}
}

func TestCodesOfOneBot(t *testing.T) {
	for text, want := range map[string][]string{
		"[CQ:a-b.c,k-1.x=v]":        {"a-b.c"},
		"[CQ:face,id=1,]x":          {"face", "text"},
		"[CQ:x,a==b]":               {"x"},
		"[CQ:x,键=v]":                {"text"},
		"[CQ:,a=b]":                 {"text"},
		"[CQ:x,,a=b]":               {"text"},
		"[CQ:image,file=a b c.png]": {"image"},
	} {
		var got []string
		for _, s := range onebot.ParseCQ(text) {
			got = append(got, s.SegmentType())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
