package onebot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// dialSimulator returns a client on a real socket to a simulated NapCat, and the
// events that come from it.
func dialSimulator(t *testing.T) (*onebot.Client, *world.World, <-chan onebot.Event) {
	t.Helper()
	w := world.New(world.Options{UIN: 10001, Nickname: "bot"})
	log := func(string, string) {}
	h := action.New(action.Options{World: w, Log: log, TempDir: t.TempDir()})
	n := adapter.New(adapter.Options{World: w, Host: h, Log: log, Ephemeral: true})
	conf, err := adapter.ParseConfig(`{network:{websocketServers:[{name:"ws",enable:true,port:0,token:"sec",heartInterval:0}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(conf)
	t.Cleanup(func() { n.Close(); h.Close() })
	events := make(chan onebot.Event, 1000)
	conn, err := rpc.Dial(t.Context(), "ws://"+n.Addr("ws")+"/", rpc.Options{Token: "sec", CallTimeout: 20 * time.Second, Event: func(b []byte) bool {
		e, err := onebot.Decode(b)
		if err != nil {
			t.Errorf("%s: %v", b, err)
			return false
		}
		if _, unknown := e.(*onebot.UnknownEvent); unknown {
			t.Errorf("unknown: %s", b)
		}
		events <- e
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = conn.Run(ctx) }() // its end is the test's
	t.Cleanup(func() { cancel(); <-done })
	return onebot.NewClient(conn), w, events
}

// Every method reaches an action the other side knows, with params it accepts,
// and its answer, if it is no refusal, decodes.
func TestEveryMethodAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	doc, _ := loadFacts(t)
	actions := doc["actions"].(map[string]any)
	rnd := rand.New(rand.NewPCG(3, 3))
	skip := map[string]bool{"BotExit": true, "SetRestart": true} // they end it
	v := reflect.ValueOf(client)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	done := 0
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		method := v.Method(i)
		if skip[name] || !isAction(method.Type()) {
			continue
		}
		args := []reflect.Value{reflect.ValueOf(ctx)}
		for j := 1; j < method.Type().NumIn(); j++ {
			in := reflect.New(method.Type().In(j)).Elem()
			if in.Kind() == reflect.Struct {
				fill(rnd, in, enumsOf(actions[actionOf(actions, name)].(map[string]any)["params"]))
			}
			args = append(args, in)
		}
		done++
		wg.Go(func() {
			out := method.Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			if err != nil && (!onebot.IsRefused(err) || onebot.IsUnsupported(err) || onebot.IsBadParams(err)) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
	if done < 173 {
		t.Errorf("only %d methods", done)
	}
}

// actionOf returns the action a method is named for.
func actionOf(actions map[string]any, method string) string {
	for a := range actions {
		if strings.EqualFold(strings.NewReplacer("_", "", ".", "").Replace(a), method) {
			return a
		}
	}
	return ".ocr_image" // the one method with a name of its own
}

func TestTransfersOverASocket(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	ctx := t.Context()
	data := random(700_001)
	sum := sha256.Sum256(data)
	up, err := client.Upload(ctx, bytes.NewReader(data), onebot.Upload{Name: "报告 1.bin", ChunkSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if up.FileSize != int64(len(data)) || up.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%+v", up)
	}
	sent, err := client.UploadPrivateFile(ctx, onebot.UploadPrivateFileParams{UserID: 10001, File: up.FilePath, Name: "报告 1.bin"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d, err := client.Download(ctx, &out, onebot.DownloadFileStreamParams{FileID: &sent.FileID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) || d.SHA256 != up.SHA256 {
		t.Errorf("%d bytes of %d came back: %+v", out.Len(), len(data), d)
	}
	n := 0
	last, err := client.TestDownloadStream(ctx, onebot.TestDownloadStreamParams{}, func(p *onebot.StreamPacket) error {
		n++
		if p.DataType != "data_chunk" || p.Data == "" {
			t.Errorf("%s", p.Raw())
		}
		return nil
	})
	if err != nil || n != 10 || last.DataType != "data_complete" {
		t.Errorf("%d packets, %+v, %v", n, last, err)
	}
	if _, err := client.TestDownloadStream(ctx, onebot.TestDownloadStreamParams{Error: new(true)}, nil); !onebot.IsRefused(err) {
		t.Errorf("got %v", err)
	}
}

// What happens in the simulated world comes as the right events, in order.
func TestEventsFromTheSimulator(t *testing.T) {
	t.Parallel()
	_, w, events := dialSimulator(t)
	const group, alice, carol, dave, self = 700000001, 3001000001, 3001000003, 3002000001, 10001
	next := func(want onebot.Event) onebot.Event {
		t.Helper()
		select {
		case e := <-events:
			if m, ok := e.(onebot.MessageEvent); ok && len(m.Msg().Message) == 0 { // a grey tip
				e = <-events
			}
			if reflect.TypeOf(e) != reflect.TypeOf(want) {
				t.Fatalf("got %T, want %T: %s", e, want, e.Base().Raw())
			}
			return e
		case <-time.After(20 * time.Second):
			t.Fatalf("no %T came", want)
			return nil
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	next(&onebot.Lifecycle{})
	said, err := w.Say(world.Say{User: alice, Group: group, Text: "测试"})
	must(err)
	if e := next(&onebot.GroupMessage{}).(*onebot.GroupMessage); e.Text() != "测试" || e.GroupID != group || e.Sender.Role != onebot.RoleOwner || e.FromSelf() {
		t.Errorf("%s", e.Raw())
	}
	_, err = w.Say(world.Say{User: alice, Text: "hi"})
	must(err)
	if e := next(&onebot.PrivateMessage{}).(*onebot.PrivateMessage); e.UserID != alice || e.SubType != "friend" || e.TargetID == 0 {
		t.Errorf("%s", e.Raw())
	}
	must(w.React(said.ID, carol, "76", true))
	if e := next(&onebot.GroupMsgEmojiLike{}).(*onebot.GroupMsgEmojiLike); !e.IsAdd || len(e.Likes) != 1 || e.Likes[0].EmojiID != "76" {
		t.Errorf("%s", e.Raw())
	}
	must(w.Recall(said.ID, alice))
	if e := next(&onebot.GroupRecall{}).(*onebot.GroupRecall); int32(e.MessageID) != said.ID || e.OperatorID != alice {
		t.Errorf("%s", e.Raw())
	}
	must(w.Ban(group, dave, alice, 600))
	if e := next(&onebot.GroupBan{}).(*onebot.GroupBan); e.Duration != 600 || e.WholeGroup() || e.SubType != "ban" {
		t.Errorf("%s", e.Raw())
	}
	must(w.BanAll(group, alice, true))
	if e := next(&onebot.GroupBan{}).(*onebot.GroupBan); e.Duration != -1 || !e.WholeGroup() {
		t.Errorf("%s", e.Raw())
	}
	must(w.SetAdmin(group, carol, alice, true))
	if e := next(&onebot.GroupAdmin{}).(*onebot.GroupAdmin); e.SubType != "set" || e.UserID != carol {
		t.Errorf("%s", e.Raw())
	}
	must(w.SetTitle(group, dave, alice, "大佬"))
	if e := next(&onebot.GroupTitle{}).(*onebot.GroupTitle); e.Title != "大佬" {
		t.Errorf("%s", e.Raw())
	}
	must(w.Rename(group, alice, "新群名"))
	if e := next(&onebot.GroupName{}).(*onebot.GroupName); e.NameNew != "新群名" {
		t.Errorf("%s", e.Raw())
	}
	must(w.Poke(group, alice, self))
	if e := next(&onebot.Poke{}).(*onebot.Poke); e.Poker() != alice || e.TargetID != self || e.GroupID != group {
		t.Errorf("%s", e.Raw())
	}
	must(w.Poke(0, alice, self))
	if e := next(&onebot.Poke{}).(*onebot.Poke); e.Poker() != alice || e.GroupID != 0 {
		t.Errorf("%s", e.Raw())
	}
	must(w.Leave(group, dave, dave))
	if e := next(&onebot.GroupDecrease{}).(*onebot.GroupDecrease); e.SubType != "leave" || e.UserID != dave {
		t.Errorf("%s", e.Raw())
	}
	must(w.Join(group, dave, alice, true))
	if e := next(&onebot.GroupIncrease{}).(*onebot.GroupIncrease); e.SubType != "invite" || e.UserID != dave {
		t.Errorf("%s", e.Raw())
	}
	w.Typing(alice, 1, "对方正在输入...")
	next(&onebot.InputStatus{})
	must(w.LikeProfile(alice, 10))
	if e := next(&onebot.ProfileLike{}).(*onebot.ProfileLike); e.Times != 10 || e.OperatorNick != "Alice" {
		t.Errorf("%s", e.Raw())
	}
	asked, err := w.Ask(world.Request{Kind: world.FriendRequest, User: 3009000001, Comment: "我是"})
	must(err)
	if e := next(&onebot.FriendRequest{}).(*onebot.FriendRequest); e.Flag != asked.Flag || e.Comment != "我是" {
		t.Errorf("%s", e.Raw())
	}
	asked, err = w.Ask(world.Request{Kind: world.InviteRequest, User: alice, Group: 700000009})
	must(err)
	if e := next(&onebot.GroupRequest{}).(*onebot.GroupRequest); e.Flag != asked.Flag || !e.Invite() {
		t.Errorf("%s", e.Raw())
	}
	w.OnlineFile("online_file_send", "refuse", alice)
	next(&onebot.OnlineFileSend{})
	w.OnlineFile("online_file_receive", "cancel", alice)
	next(&onebot.OnlineFileReceive{})
}

// Segments arrive as they were sent, as far as QQ shows them to their sender.
func TestSegmentsThroughTheSimulator(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	ctx := t.Context()
	send := func(m onebot.Message) onebot.Message {
		t.Helper()
		if err := m.Validate(onebot.ChatGroup); err != nil {
			t.Errorf("%v: %v", m, err)
		}
		r, err := client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 700000001, Message: m})
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		got, err := client.GetMsg(ctx, onebot.GetMsgParams{MessageID: r.MessageID})
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		return got.Message
	}
	first := onebot.Message{onebot.At(3001000001), onebot.Text(" a[b]&,c\n"), onebot.Face(14), onebot.AtAll()}
	if got := send(first); got.CQ() == "" || got.Text() != first.Text() || !got.Mentions(3001000001) || !got.MentionsAll() {
		t.Errorf("got %v", got)
	}
	if got := send(onebot.Message{&onebot.ImageSegment{File: onebot.Base64([]byte("\x89PNG\r\n\x1a\n"))}}); len(onebot.All[*onebot.ImageSegment](got)) != 1 {
		t.Errorf("got %v", got)
	}
	if got := send(onebot.Message{onebot.Dice()}); len(onebot.All[*onebot.DiceSegment](got)) != 1 {
		t.Errorf("got %v", got)
	}
	if got := send(onebot.Message{onebot.JSON(`{"app":"com.example"}`)}); len(onebot.All[*onebot.JSONSegment](got)) != 1 {
		t.Errorf("got %v", got)
	}
	forward, err := client.SendGroupForwardMsg(ctx, onebot.SendGroupForwardMsgParams{GroupID: 700000001, Message: onebot.Message{
		onebot.Node(10001, "bot", onebot.Text("one")),
		onebot.Node(10001, "bot", onebot.Node(10001, "bot", onebot.Text("two"))),
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetMsg(ctx, onebot.GetMsgParams{MessageID: forward.MessageID})
	if err != nil {
		t.Fatal(err)
	}
	seg, ok := onebot.First[*onebot.ForwardSegment](got.Message)
	if !ok {
		t.Fatalf("got %v", got.Message)
	}
	in, err := client.GetForwardMsg(ctx, onebot.GetForwardMsgParams{ID: &seg.ID})
	if err != nil || len(in.Messages) != 2 || in.Messages[0].Text() != "one" {
		t.Fatalf("%+v, %v", in, err)
	}
	if nested, ok := onebot.First[*onebot.ForwardSegment](in.Messages[1].Message); !ok || len(nested.Content) != 1 || nested.Content[0].Text() != "two" {
		t.Errorf("got %s", in.Raw())
	}
	if _, err := client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 700000001, Message: onebot.Message{onebot.NodeOf(1), onebot.Text("x")}}); !onebot.IsBadParams(err) {
		t.Errorf("got %v", err)
	}
	if _, err := client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 700000001}); !onebot.IsRefused(err) {
		t.Errorf("a send without a message: got %v", err)
	}
}
