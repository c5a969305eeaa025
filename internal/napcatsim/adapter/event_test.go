package adapter

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/cqcode"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func segments(s []world.Segment) []any { return cqcode.Array(s) }

// waitSent returns the message that the bot sends after number after.
func (r *rig) waitSent(after int) world.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := r.w.WaitSent(ctx, after, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Message
}

// TestEvents holds the exact form of everything that the world can report.
func TestEvents(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.dial("ws", "/?access_token=sec", nil)
	c.next()
	const alice, bob, carol, dave, group = 3001000001, 3001000002, 3001000003, 3002000001, 700000001
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	notice := func(body string) {
		t.Helper()
		want := `{"time":0,"self_id":10001,"post_type":"notice",` + body + `}`
		if got := timeless(c.next()); got != want {
			t.Errorf(" got %s\nwant %s", got, want)
		}
	}
	gray := func() { // a gray line is a message without content as well
		t.Helper()
		if got := c.next(); !strings.Contains(got, `"raw_message":"","font":14`) || !strings.Contains(got, `"message":[]`) {
			t.Errorf("got %s", got)
		}
	}
	raw := func(from, to int64) string { // the picture of a poke
		return fmt.Sprintf(`[{"col":"1","nm":"","type":"qq","uid":"%s"},{"jp":"https://zb.vip.qq.com/v2/pages/nudgeMall?_wv=2&actionId=0","src":"http://tianquan.gtimg.cn/nudgeaction/item/0/expression.jpg","type":"img"},{"txt":"戳了戳","type":"nor"},{"col":"1","nm":"","tp":"0","type":"qq","uid":"%s"},{"txt":"","type":"nor"}]`, world.UID(from), world.UID(to))
	}

	m, err := r.w.Say(world.Say{Group: group, User: bob, Text: "a[b]&c"})
	check(err)
	if got, want := c.next(), fmt.Sprintf(`{"self_id":10001,"user_id":3001000002,"time":%d,"message_id":%d,"message_seq":%d,"real_id":%d,"real_seq":"1001","message_type":"group","sender":{"user_id":3001000002,"nickname":"Bob","card":"","role":"admin"},"raw_message":"a&#91;b&#93;&amp;c","font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":"a[b]&c"}}],"message_format":"array","post_type":"message","group_id":700000001,"group_name":"ncatd 测试群"}`, m.Time, m.ID, m.ID, m.ID); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	p, err := r.w.Say(world.Say{User: alice, Text: "hi"})
	check(err)
	if got, want := c.next(), fmt.Sprintf(`{"self_id":10001,"user_id":3001000001,"time":%d,"message_id":%d,"message_seq":%d,"real_id":%d,"real_seq":"1001","message_type":"private","sender":{"user_id":3001000001,"nickname":"Alice","card":""},"raw_message":"hi","font":14,"sub_type":"friend","message":[{"type":"text","data":{"text":"hi"}}],"message_format":"array","post_type":"message","target_id":3001000001}`, p.Time, p.ID, p.ID, p.ID); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	tmp, err := r.w.Say(world.Say{User: dave, Text: "hi"})
	check(err)
	if got, want := c.next(), `"sub_type":"group","message":[{"type":"text","data":{"text":"hi"}}],"message_format":"array","post_type":"message","group_id":700000001,"temp_source":0,"target_id":3002000001}`; !strings.HasSuffix(got, want) || tmp.Chat.Type != world.Temporary {
		t.Errorf(" got %s\nwant suffix %s", got, want)
	}

	check(r.w.Recall(p.ID, alice))
	notice(fmt.Sprintf(`"notice_type":"friend_recall","user_id":3001000001,"message_id":%d`, p.ID))
	check(r.w.React(m.ID, alice, "76", true))
	notice(fmt.Sprintf(`"group_id":700000001,"user_id":3001000001,"notice_type":"group_msg_emoji_like","message_id":%d,"likes":[{"emoji_id":"76","count":1}],"is_add":true`, m.ID))
	check(r.w.SetEssence(m.ID, alice, true))
	notice(fmt.Sprintf(`"group_id":700000001,"user_id":3001000002,"notice_type":"essence","message_id":%d,"sender_id":3001000002,"operator_id":3001000001,"sub_type":"add"`, m.ID))
	check(r.w.Recall(m.ID, alice))
	notice(fmt.Sprintf(`"group_id":700000001,"user_id":3001000002,"notice_type":"group_recall","operator_id":3001000001,"message_id":%d`, m.ID))
	check(r.w.Poke(group, bob, 10001))
	gray()
	notice(`"notice_type":"notify","sub_type":"poke","target_id":10001,"user_id":3001000002,"group_id":700000001,"raw_info":` + raw(bob, 10001))
	check(r.w.Poke(0, alice, 10001))
	gray()
	notice(`"notice_type":"notify","sub_type":"poke","target_id":10001,"user_id":3001000001,"raw_info":` + raw(alice, 10001) + `,"sender_id":3001000001`)
	check(r.w.Join(group, 3009000009, bob, true))
	notice(`"group_id":700000001,"user_id":3009000009,"notice_type":"group_increase","operator_id":3001000002,"sub_type":"invite"`)
	check(r.w.Leave(group, 3009000009, 0))
	notice(`"group_id":700000001,"user_id":3009000009,"notice_type":"group_decrease","sub_type":"leave","operator_id":0`)
	check(r.w.Leave(group, dave, bob))
	notice(`"group_id":700000001,"user_id":3002000001,"notice_type":"group_decrease","sub_type":"kick","operator_id":3001000002`)
	check(r.w.SetAdmin(group, carol, alice, true))
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"group_admin","sub_type":"set"`)
	check(r.w.SetAdmin(group, carol, alice, false))
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"group_admin","sub_type":"unset"`)
	check(r.w.Ban(group, carol, bob, 60))
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"group_ban","operator_id":3001000002,"duration":60,"sub_type":"ban"`)
	check(r.w.Ban(group, carol, bob, 0))
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"group_ban","operator_id":3001000002,"duration":0,"sub_type":"lift_ban"`)
	check(r.w.BanAll(group, alice, true))
	notice(`"group_id":700000001,"user_id":0,"notice_type":"group_ban","operator_id":3001000001,"duration":-1,"sub_type":"ban"`)
	check(r.w.BanAll(group, alice, false))
	notice(`"group_id":700000001,"user_id":0,"notice_type":"group_ban","operator_id":3001000001,"duration":0,"sub_type":"lift_ban"`)
	check(r.w.SetTitle(group, carol, alice, "T"))
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"notify","sub_type":"title","title":"T"`)
	check(r.w.Rename(group, alice, "新名"))
	notice(`"group_id":700000001,"user_id":3001000001,"notice_type":"notify","sub_type":"group_name","name_new":"新名"`)
	check(r.w.SetCard(group, carol, carol, "K"))
	_, err = r.w.Say(world.Say{Group: group, User: carol, Text: "x"})
	check(err)
	notice(`"group_id":700000001,"user_id":3001000003,"notice_type":"group_card","card_new":"K","card_old":""`)
	if got := c.next(); !strings.Contains(got, `"sender":{"user_id":3001000003,"nickname":"Carol","card":"K","role":"member"}`) {
		t.Errorf("got %s", got)
	}
	r.w.Befriend(3009000009)
	notice(`"notice_type":"friend_add","user_id":3009000009`)
	check(r.w.LikeProfile(bob, 3))
	notice(`"notice_type":"notify","sub_type":"profile_like","operator_id":3001000002,"operator_nick":"Bob","times":3`)
	r.w.OnlineFile("online_file_send", "receive", alice)
	notice(`"notice_type":"online_file_send","sub_type":"receive","peer_id":3001000001`)
	f, err := r.w.Upload(group, bob, world.File{Name: "a.txt", Size: 7})
	check(err)
	if got, want := c.next(), `"message":[{"type":"file","data":{"file":"a.txt","file_id":"`+f.ID+`","file_size":"7"}}]`; !strings.Contains(got, want) {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	notice(`"group_id":700000001,"user_id":3001000002,"notice_type":"group_upload","file":{"id":"` + f.ID + `","name":"a.txt","size":7,"busid":102}`)

	req, err := r.w.Ask(world.Request{Kind: world.JoinRequest, User: 3009000001, Group: group, Comment: "让我进"})
	check(err)
	if got, want := timeless(c.next()), `{"time":0,"self_id":10001,"post_type":"request","request_type":"group","group_id":700000001,"user_id":3009000001,"comment":"让我进","flag":"`+req.Flag+`","sub_type":"add"}`; got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	req, err = r.w.Ask(world.Request{Kind: world.FriendRequest, User: 3009000002, Comment: "hi"})
	check(err)
	if got, want := timeless(c.next()), `{"time":0,"self_id":10001,"post_type":"request","request_type":"friend","user_id":3009000002,"comment":"hi","flag":"`+req.Flag+`"}`; got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	check(r.w.Leave(700000002, 10001, 3001000001))
	notice(`"group_id":700000002,"user_id":10001,"notice_type":"group_decrease","sub_type":"kick_me","operator_id":3001000001`)
	check(r.w.Disband(group))
	notice(`"group_id":700000001,"user_id":10001,"notice_type":"group_decrease","sub_type":"disband","operator_id":3001000001`)
	r.w.KickOffline("下线通知", "你的账号在另一地点登录")
	notice(`"notice_type":"bot_offline","user_id":10001,"tag":"下线通知","message":"你的账号在另一地点登录"`)
}

// TestSelfAndFormats holds what depends on the adapter: text form, own messages,
// the raw object, and that requests on /api get no events.
func TestSelfAndFormats(t *testing.T) {
	r := newRig(t, `{network:{websocketServers:[
		{name:"plain",enable:true,port:0,heartInterval:0},
		{name:"all",enable:true,port:0,heartInterval:0,messagePostFormat:"string",reportSelfMessage:true,debug:true}]}}`)
	plain, all := r.dial("plain", "/", nil), r.dial("all", "/", nil)
	plain.next()
	all.next()
	all.call("send_group_msg", `{"group_id":"700000001","message":[{"type":"at","data":{"qq":"3001000001"}},{"type":"text","data":{"text":" a,[b]"}}]}`)
	if _, err := r.w.Say(world.Say{User: 3001000001, Text: "marker"}); err != nil {
		t.Fatal(err)
	}
	if got := plain.next(); !strings.Contains(got, `"raw_message":"marker"`) {
		t.Errorf("the adapter that does not report own messages got %s", got)
	}
	if got := all.next(); !strings.Contains(got, `"message":"marker","message_format":"string"`) || !strings.Contains(got, `"raw":{"msgId":"`) {
		t.Errorf("got %s", got)
	}
}

func TestMessageSent(t *testing.T) {
	r := newRig(t, `{network:{websocketServers:[{name:"all",enable:true,port:0,heartInterval:0,messagePostFormat:"string",reportSelfMessage:true}]}}`)
	c := r.dial("all", "/", nil)
	c.next()
	c.send(`{"action":"send_group_msg","params":{"group_id":"700000001","message":[{"type":"at","data":{"qq":3001000001}},{"type":"text","data":{"text":" a,[b]"}}]},"echo":1}`)
	event, answer := c.next(), c.next()
	v, _ := jsval.Parse(answer)
	id := v.(*jsval.Object).Get("data").(*jsval.Object).Get("message_id")
	want := fmt.Sprintf(`"message_id":%s,`, jsval.ToString(id))
	if !strings.Contains(event, want) || !strings.HasSuffix(event, `"raw_message":"[CQ:at,qq=3001000001] a,&#91;b&#93;","font":14,"sub_type":"normal","message":"[CQ:at,qq=3001000001] a,&#91;b&#93;","message_format":"string","post_type":"message_sent","message_sent_type":"self","group_id":700000001,"group_name":"ncatd 测试群","target_id":700000001}`) {
		t.Errorf("event %s, id %v", event, id)
	}
}

// TestNobodyListens holds that messages are dropped while no adapter is active.
func TestNobodyListens(t *testing.T) {
	r := newRig(t, oneServer)
	m, err := r.w.Say(world.Say{User: 3001000001, Text: "lost"})
	if err != nil {
		t.Fatal(err)
	}
	c := r.dial("ws", "/?access_token=sec", nil)
	c.next()
	if _, err := r.w.Say(world.Say{User: 3001000001, Text: "seen"}); err != nil {
		t.Fatal(err)
	}
	if got := c.next(); !strings.Contains(got, `"raw_message":"seen"`) {
		t.Errorf("got %s", got)
	}
	o := c.call("get_friend_msg_history", `{"user_id":3001000001}`)
	if got := jsval.Stringify(o); !strings.Contains(got, fmt.Sprintf(`"message_id":%d`, m.ID)) || !strings.Contains(got, "seen") {
		t.Errorf("history %s", got)
	}
}

func TestHeartbeatIsShared(t *testing.T) {
	r := newRig(t, `{network:{websocketServers:[{name:"ws",enable:true,port:0,heartInterval:100}]}}`)
	a := r.dial("ws", "/", nil)
	a.next()
	const beat = `{"time":0,"self_id":10001,"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":true,"good":true},"interval":100}`
	if got := timeless(a.next()); got != beat {
		t.Errorf("got %s", got)
	}
	b := r.dial("ws", "/", nil)
	b.next()
	r.w.SetOnline(false)
	start := time.Now()
	var off string
	for off = timeless(b.next()); strings.Contains(off, `"online":true`); off = timeless(b.next()) {
	}
	if want := strings.Replace(beat, `"online":true`, `"online":false`, 1); off != want {
		t.Errorf("got %s after %v", off, time.Since(start))
	}
}

// TestBootSecond keeps back people's messages of the second in which the OneBot
// part was made, but not from the history.
func TestBootSecond(t *testing.T) {
	w := world.New(world.Options{UIN: 10001})
	began := time.Unix(1_700_000_000, 400_000_000)
	n := New(Options{World: w, Ephemeral: true, Began: began})
	c, err := ParseConfig(oneServer)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(c)
	defer n.Close()
	r := &rig{t: t, w: w, n: n}
	ws := r.dial("ws", "/?access_token=sec", nil)
	ws.next()
	const group, bob = 700000001, 3001000002
	for _, d := range []time.Duration{0, time.Second} {
		if _, err := w.Say(world.Say{Group: group, User: bob, Text: "after " + d.String(), Time: began.Add(d)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := ws.next(); !strings.Contains(got, "after 1s") {
		t.Errorf("got %s", got)
	}
	if h := w.History(world.Chat{Type: world.InGroup, Peer: group}, "", 10, false); len(h) != 2 {
		t.Errorf("%d messages in the history", len(h))
	}
}
