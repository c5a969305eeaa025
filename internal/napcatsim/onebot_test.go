//go:build !windows

package napcatsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// bot is a client of the forward WebSocket.
type bot struct {
	t *testing.T
	c *websocket.Conn
}

func (r *rig) dial(port int) *bot {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/?access_token=sec", port), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp // the package closes its body
	c.SetReadLimit(64 << 20)
	r.t.Cleanup(func() { _ = c.CloseNow() }) // gone already in some tests
	b := &bot{r.t, c}
	b.next("lifecycle")
	return b
}

// next reads frames until one holds text.
func (b *bot) next(text string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		_, f, err := b.c.Read(ctx)
		if err != nil {
			b.t.Fatalf("waiting for %q: %v", text, err)
		}
		if strings.Contains(string(f), text) {
			return string(f)
		}
	}
}

func (b *bot) send(frame string) {
	b.t.Helper()
	if err := b.c.Write(b.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		b.t.Fatal(err)
	}
}

// closed waits for the end of the connection.
func (b *bot) closed() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := b.c.Read(ctx); err != nil {
			if ctx.Err() != nil {
				b.t.Fatal("the connection stays open")
			}
			return
		}
	}
}

func onebotJSON(port int) string {
	return fmt.Sprintf(`{network:{websocketServers:[{name:"ncatd",enable:true,host:"127.0.0.1",port:%d,token:"sec",heartInterval:100}]}}`, port)
}

func TestBotOverWebSocket(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	port := freePort(t)
	r.write("onebot11.json", onebotJSON(port))
	p := r.start("-q", "3889001001")
	p.expect(onebotReady, 1)
	p.expect("[OneBot] [WebSocket Server] Server Started", 1)
	began := time.Now().Unix()
	var notYet *NotYetError
	if _, err := r.control().Say(t.Context(), SayRequest{User: 3001000001, Text: "lost"}); !errors.As(err, &notYet) {
		t.Errorf("said to nobody: %v", err)
	}
	if _, err := r.control().Say(t.Context(), SayRequest{User: 3001000001, Text: "lost", Unheard: true}); err != nil {
		t.Errorf("said to nobody on purpose: %v", err)
	}
	if err := r.control().Scan(t.Context(), 0); !errors.As(err, &notYet) {
		t.Errorf("scanned nothing: %v", err)
	}
	b := r.dial(port)
	eventually(t, "the boot second is over", func() bool { return time.Now().Unix() > began })

	// Somebody writes, the bot answers.
	type said struct {
		SayResult
		err error
	}
	answers := make(chan said, 1)
	say := func(req SayRequest) {
		go func() {
			res, err := r.control().Say(t.Context(), req)
			answers <- said{res, err}
		}()
	}
	say(SayRequest{User: 3001000001, Text: "测试", Wait: Duration(patience), Quiet: 1})
	ev := b.next(`"raw_message":"测试"`)
	if !strings.Contains(ev, `"user_id":3001000001`) || !strings.Contains(ev, `"message_type":"private"`) {
		t.Errorf("event %s", ev)
	}
	b.send(`{"action":"send_private_msg","params":{"user_id":3001000001,"message":[{"type":"text","data":{"text":"喵[~]"}}]},"echo":"e1"}`)
	if got := b.next(`"echo":"e1"`); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("answer %s", got)
	}
	a := <-answers
	if a.err != nil || len(a.Answers) != 1 || a.Answers[0].Text != "喵&#91;~&#93;" || a.Answers[0].User != 3001000001 || a.MessageID == 0 {
		t.Errorf("%+v", a)
	}
	say(SayRequest{Group: 700000001, User: 3001000002, Text: "/ping [CQ:at,qq=3889001001]", Wait: Duration(patience), Quiet: 1})
	b.next(`"type":"at","data":{"qq":"3889001001"}`)
	b.send(`{"action":"send_group_msg","params":{"group_id":"700000001","message":"pong"},"echo":2}`)
	if a = <-answers; a.err != nil || len(a.Answers) != 1 || a.Answers[0].Group != 700000001 {
		t.Errorf("%+v", a)
	}
	sent, err := r.control().Sent(t.Context(), 0)
	if err != nil || len(sent) != 2 || sent[1].Seq != 2 || sent[1].Text != "pong" || string(sent[1].Message) != `[{"type":"text","data":{"text":"pong"}}]` {
		t.Errorf("%+v %v", sent, err)
	}
	if w, err := r.control().World(t.Context()); err != nil || !strings.Contains(string(w), "700000001") {
		t.Errorf("world %s %v", w, err)
	}

	// Rubbish and a giant.
	if err := r.control().Drop(t.Context(), DropRequest{Mode: "garbage", Count: 16}); err != nil {
		t.Fatal(err)
	}
	b.next("502 Bad Gateway")
	if err := r.control().Drop(t.Context(), DropRequest{Mode: "giant", Size: 5 << 20}); err != nil {
		t.Fatal(err)
	}
	if n := len(b.next("巨巨")); n < 4<<20 {
		t.Errorf("giant frame of %d bytes", n)
	}

	// Status 20 is seen in the heartbeat only.
	if err := r.control().SetOnline(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b.next(`"status":{"online":false,"good":true}`)
	if err := r.control().SetOnline(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.next(`"status":{"online":true,"good":true}`)

	// A reload moves the server; the old connection ends.
	other := freePort(t)
	u := r.login(r.port)
	quoted, err := json.Marshal(onebotJSON(other))
	if err != nil {
		t.Fatal(err)
	}
	if got := u.post("OB11Config/SetConfig", `{"config":`+string(quoted)+`}`); !strings.Contains(got, `"code":0`) {
		t.Fatal(got)
	}
	b.closed()
	b = r.dial(other)
	if got := u.post("Debug/call", `{"action":"get_login_info"}`); !strings.Contains(got, `"user_id":3889001001`) || !strings.Contains(got, `"retcode":0`) {
		t.Errorf("debug call %s", got)
	}
	if got := u.post("Debug/call", `{"action":"nope"}`); got != `{"code":-1,"message":"不支持的 API: nope"}` {
		t.Errorf("debug call %s", got)
	}

	// A kick is told, and the server stays.
	if err := r.control().Kick(t.Context(), "下线通知", "再见", true); err != nil {
		t.Fatal(err)
	}
	if ev := b.next("bot_offline"); !strings.Contains(ev, `"tag":"下线通知","message":"再见"`) {
		t.Errorf("notice %s", ev)
	}
	b.next(`"status":{"online":false,"good":true}`)

	// bot_exit is a hard restart with -q; the ticket was left.
	b.send(`{"action":"bot_exit"}`)
	b.closed()
	p.expect("Worker进程意外退出 (1/3)", 1)
	p.expect(onebotReady, 2)
	if strings.Contains(p.text(), "退出码") {
		t.Error("an exit with code 0 has no line of its own")
	}
	b = r.dial(other)
	sent, err = r.control().Sent(t.Context(), 1)
	if err != nil || len(sent) != 1 || sent[0].Text != "pong" {
		t.Errorf("what was sent before the restart: %+v %v", sent, err)
	}
	b.send(`{"action":"set_restart","echo":"r"}`)
	b.next(`"echo":"r"`)
	b.closed()
	p.expect("没有 -q 指令指定快速登录", 1)
}

func TestHangAndDeadLink(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	port := freePort(t)
	r.write("onebot11.json", strings.Replace(onebotJSON(port), "{network", "{timeout:{baseTimeout:50},network", 1))
	r.start().expect(onebotReady, 1)
	b := r.dial(port)
	if err := r.control().Drop(t.Context(), DropRequest{Mode: "dead"}); err != nil {
		t.Fatal(err)
	}
	b.send(`{"action":"send_private_msg","params":{"user_id":3001000001,"message":"x"},"echo":"dead"}`)
	if got := b.next(`"echo":"dead"`); !strings.Contains(got, `"retcode":1200`) {
		t.Errorf("send over a dead link: %s", got)
	}
	b.next(`"online":true`) // nothing looks wrong
	if err := r.control().Drop(t.Context(), DropRequest{Mode: "heal"}); err != nil {
		t.Fatal(err)
	}
	cfg := strings.Replace(onebotJSON(port), "{network", "{musicSignUrl:\"x\",network", 1)
	u := r.login(r.port)
	if err := r.control().Hang(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.send(`{"action":"get_status","echo":"hang"}`)
	hurry, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := u.tryFor(hurry, "POST", "/api/OB11Config/SetConfig", `{"config":`+strconv.Quote(cfg)+`}`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen worker answers SetConfig: %v", err)
	}
	frames := make(chan string, 64)
	go func() {
		for {
			_, f, err := b.c.Read(context.Background())
			if err != nil {
				close(frames)
				return
			}
			frames <- string(f)
		}
	}()
	quiet := time.After(400 * time.Millisecond) // several heartbeats
	for waiting := true; waiting; {
		select {
		case f := <-frames:
			if strings.Contains(f, "hang") {
				t.Fatalf("a hanging worker answered %s", f)
			}
		case <-quiet:
			waiting = false
		}
	}
	if len(frames) > 0 {
		t.Error("a hanging worker sends")
	}
	if err := r.control().Hang(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	limit := time.After(patience)
	for {
		select {
		case _, open := <-frames:
			// What was asked is answered, or the connection goes before: the config
			// that waited, though nobody waits for it, closes all of them.
			if !open {
				return
			}
		case <-limit:
			t.Fatal("the config that waited was not carried out after the thaw")
		}
	}
}

func TestBusyOnebotPort(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	port := freePort(t)
	r.write("onebot11.json", onebotJSON(port))
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // ours
	p := r.start()
	p.expect(onebotReady, 1)
	p.expect("[OneBot] [WebSocket Server] Server Error: listen EADDRINUSE", 1)
	eventually(t, "the account is online all the same", func() bool { return r.login(r.port).status().IsLogin })
}

func TestBrokenOnebotConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	r.write(accountFile("onebot11", DefaultUIN), "{network:")
	p := r.start()
	p.expect("[AdapterManager] OneBot11 适配器初始化失败:", 1)
	u := r.login(r.port)
	eventually(t, "it says that it is logged in", func() bool { return u.status().IsLogin })
	if got := u.post("QQLogin/GetQQLoginInfo", ""); got != `{"code":0,"data":{"uid":"","uin":"","nick":""},"message":"success"}` {
		t.Error(got)
	}
}

func TestWeakTokenIsToldToOneself(t *testing.T) {
	t.Parallel()
	r := newRig(t, PackOptions{})
	r.write("webui.json", `{"host":"127.0.0.1","port":`+strconv.Itoa(r.port)+`,"token":"napcat"}`)
	r.start().expect(onebotReady, 1)
	eventually(t, "the message", func() bool {
		sent, err := r.control().Sent(t.Context(), 0)
		return err == nil && len(sent) == 1 && sent[0].User == DefaultUIN
	})
	b, err := os.ReadFile(r.work + "/config/webui.json")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := r.control().Sent(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	token := sent[0].Text[strings.LastIndex(sent[0].Text, " ")+1:]
	if !strings.Contains(string(b), `"`+token+`"`) {
		t.Errorf("%s is not the token in %s", token, b)
	}
}
