package adapter

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

// rig is a network under test with the lines it printed.
type rig struct {
	t *testing.T
	w *world.World
	h *action.Host
	n *Network

	mu   sync.Mutex
	logs []string
}

// newRig starts a network with the given configuration. The account is 10001
// and called bot, as in the recordings that the tables are made of.
func newRig(t *testing.T, config string) *rig {
	t.Helper()
	r := &rig{t: t, w: world.New(world.Options{UIN: 10001, Nickname: "bot"})}
	log := func(level, message string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.logs = append(r.logs, level+" "+message)
	}
	r.h = action.New(action.Options{World: r.w, Log: log, TempDir: t.TempDir()})
	r.n = New(Options{World: r.w, Host: r.h, Log: log, Ephemeral: true})
	t.Cleanup(func() {
		r.n.Close()
		r.h.Close()
	})
	c, err := ParseConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r.n.Start(c)
	return r
}

const oneServer = `{network:{websocketServers:[{name:"ws",enable:true,port:0,token:"sec",heartInterval:0}]}}`

func (r *rig) logged(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.logs, "\n"), part)
}

// client is a WebSocket client under test.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func (r *rig) dial(name, path string, header http.Header) *client {
	r.t.Helper()
	c, err := dial(r.n.Addr(name), path, header)
	if err != nil {
		r.t.Fatal(err)
	}
	c.t = r.t
	r.t.Cleanup(func() { c.ws.CloseNow() })
	return c
}

func dial(addr, path string, header http.Header) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+path, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	return &client{ws: ws}, nil
}

func (c *client) read() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	return string(b), err
}

// next returns the next frame with its time blanked out.
func (c *client) next() string {
	c.t.Helper()
	s, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return s
}

// timeless replaces the value of the key time by 0.
func timeless(s string) string {
	v, err := jsval.Parse(s)
	if err != nil {
		return s
	}
	if o, ok := v.(*jsval.Object); ok && o.Has("time") {
		o.Set("time", 0)
	}
	return jsval.Stringify(v)
}

func (c *client) send(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// call sends an action and returns the data of its answer; other frames that
// come before it are dropped.
func (c *client) call(name, params string) *jsval.Object {
	c.t.Helper()
	c.send(`{"action":"` + name + `","params":` + params + `,"echo":"call-` + name + `"}`)
	for {
		v, err := jsval.Parse(c.next())
		if err != nil {
			c.t.Fatal(err)
		}
		if o, ok := v.(*jsval.Object); ok && o.Get("echo") == "call-"+name {
			return o
		}
	}
}

const lifecycle = `{"time":0,"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`

// freeAddr returns a loopback address on which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAuthentication(t *testing.T) {
	r := newRig(t, oneServer)
	const denied = `{"status":"failed","retcode":1403,"data":null,"message":"token验证失败","wording":"token验证失败","echo":null,"stream":"normal-action"}`
	auth := func(v string) http.Header { return http.Header{"Authorization": {v}} }
	for _, tt := range []struct {
		name, path string
		header     http.Header
		want       string
	}{
		{"no token", "/", nil, denied},
		{"wrong query beats right header", "/?access_token=bad", auth("Bearer sec"), denied},
		{"empty query leaves it to the header", "/?access_token=", auth("Bearer sec"), lifecycle},
		{"query", "/?access_token=sec", nil, lifecycle},
		{"query beats wrong header", "/?access_token=sec", auth("Bearer bad"), lifecycle},
		{"bearer", "/", auth("Bearer sec"), lifecycle},
		{"bare header", "/", auth("sec"), lifecycle},
		{"last bearer", "/", auth("Bearer x Bearer sec"), lifecycle},
		{"lower case bearer", "/", auth("bearer sec"), denied},
		{"any path", "/foo/bar", auth("Bearer sec"), lifecycle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := r.dial("ws", tt.path, tt.header)
			if got := timeless(c.next()); got != tt.want {
				t.Errorf("first frame %s, want %s", got, tt.want)
			}
			if tt.want != denied {
				return
			}
			if _, err := c.read(); websocket.CloseStatus(err) != websocket.StatusNoStatusRcvd {
				t.Errorf("closed with %v, want no status", err)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.dial("ws", "/?access_token=sec", nil)
	if got := timeless(c.next()); got != lifecycle {
		t.Fatalf("first frame %s", got)
	}
	const status = `{"status":"ok","retcode":0,"data":{"online":true,"good":true,"stat":{}},"message":"","wording":"","echo":%,"stream":"normal-action"}`
	ok := func(echo string) string { return strings.Replace(status, "%", echo, 1) }
	refusal := func(code, text, echo string) string {
		return `{"status":"failed","retcode":` + code + `,"data":null,"message":"` + text + `","wording":"` + text + `","echo":` + echo + `,"stream":"normal-action"}`
	}
	for _, tt := range []struct{ in, want string }{
		{`{"action":"get_status","echo":{"b":1,"a":[2]}}`, ok(`{"b":1,"a":[2]}`)},
		{`{"action":"get_status"}`, ok(`""`)},
		{`{"action":"get_status","echo":null}`, ok(`""`)},
		{`{"action":"get_status","echo":5}`, ok(`5`)},
		{`{"action":"get_status","echo":0}`, ok(`0`)},
		{`{"action":"get_status","echo":false}`, ok(`false`)},
		{`{action:'get_status',params:null,/*json5*/}`, ok(`""`)},
		{`{"action":"get_status_async","echo":"as"}`, ok(`"as"`)},
		{`{"action":"get_status_rate_limited","echo":"rl"}`, ok(`"rl"`)},
		{`nonsense`, refusal("1400", "json解析失败,请检查数据格式", "null")},
		{`null`, refusal("1400", "json解析失败,请检查数据格式", "null")},
		{`[]`, refusal("1404", "不支持的API undefined", "null")},
		{`{"action":"nope","echo":"x"}`, refusal("1404", "不支持的API nope", `"x"`)},
		{`{"echo":"noaction"}`, refusal("1404", "不支持的API undefined", `"noaction"`)},
		{`{"action":"set_group_ban","params":{},"echo":"val"}`, refusal("1400", "Schema compilation error: Expected required property", `"val"`)},
		{`{"action":"set_group_ban","params":{"group_id":1,"user_id":null},"echo":"n"}`, refusal("1400", "Schema compilation error: Expected string", `"n"`)},
		{`{"action":"get_status","params":[],"echo":"arr"}`, refusal("1400", "Schema compilation error: Expected object", `"arr"`)},
		{`{"action":"get_login_info","echo":"li"}`, `{"status":"ok","retcode":0,"data":{"user_id":10001,"nickname":"bot"},"message":"","wording":"","echo":"li","stream":"normal-action"}`},
		{`{"action":"get_version_info","params":"x","echo":"vi"}`, `{"status":"ok","retcode":0,"data":{"app_name":"NapCat.Onebot","protocol_version":"v11","app_version":"4.18.19"},"message":"","wording":"","echo":"vi","stream":"normal-action"}`},
		{`{"action":"can_send_image","echo":"csi"}`, `{"status":"ok","retcode":0,"data":{"yes":true},"message":"","wording":"","echo":"csi","stream":"normal-action"}`},
		{`{"action":"send_msg","params":{"message":"x"},"echo":"notarget"}`, refusal("1200", "请指定正确的 group_id 或 user_id", `"notarget"`)},
		{`{"action":"send_group_msg","params":{"user_id":3001000001,"message":"x"},"echo":"wrongtarget"}`, refusal("1200", "请指定正确的 group_id 或 user_id", `"wrongtarget"`)},
		{`{"action":"send_private_msg","params":{"group_id":1,"message":"x"},"echo":"w2"}`, refusal("1200", "当前私聊发送,请指定 user_id 而不是 group_id", `"w2"`)},
		{`{"action":"send_group_msg","params":{"group_id":700000001,"message":[]},"echo":"e"}`, refusal("1200", "消息体无法解析, 请检查是否发送了不支持的消息类型", `"e"`)},
		{`{"action":"send_group_msg","params":{"group_id":700000001,"message":[{"type":"xml","data":{"data":"x"}}]},"echo":"e"}`, refusal("1200", "消息体无法解析, 请检查是否发送了不支持的消息类型", `"e"`)},
		{`{"action":"send_group_msg","params":{"group_id":700000001,"message":[{"type":"hologram","data":{}}]},"echo":"e"}`, refusal("1200", "未知的消息类型：hologram", `"e"`)},
		{`{"action":"send_msg","params":{"group_id":1,"message":[{"type":"node","data":{}},{"type":"text","data":{"text":"a"}}]},"echo":"mix"}`,
			refusal("1400", "转发消息不能和普通消息混在一起发送,转发需要保证message只有type为node的元素", `"mix"`)},
		{`{"action":"send_private_msg","params":{"user_id":42,"message":"x"},"echo":"u"}`, refusal("1200", "无法获取用户信息", `"u"`)},
		{`{"action":"get_msg","params":{"message_id":1},"echo":"getmsg"}`, refusal("1200", "消息不存在", `"getmsg"`)},
		{`{"action":"delete_msg","params":{"message_id":1},"echo":"d"}`, refusal("1200", "Recall failed", `"d"`)},
		{`{"action":"set_restart","echo":"rst"}`, refusal("1200", "重启功能未初始化", `"rst"`)},
		{`{"action":"_mark_all_as_read","echo":"m"}`, `{"status":"ok","retcode":0,"data":null,"message":"","wording":"","echo":"m","stream":"normal-action"}`},
		{`{"action":"get_guild_list","echo":"g"}`, `{"status":"ok","retcode":0,"message":"","wording":"","echo":"g","stream":"normal-action"}`},
	} {
		c.send(tt.in)
		if got := c.next(); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestNoReply(t *testing.T) {
	r := newRig(t, oneServer)
	c := r.dial("ws", "/api?access_token=sec", nil) // no lifecycle here
	for _, in := range []string{
		`"str"`, `5`, `true`,
		`{"action":"send_msg","params":{"group_id":700000001},"echo":1}`,
		`{"action":"send_group_msg","params":{"group_id":700000001,"message":null},"echo":2}`,
		`{"action":"send_private_msg","params":{},"echo":3}`,
		`{"action":"bot_exit","echo":4}`,
	} {
		c.send(in)
	}
	c.send(`{"action":"get_status","echo":"after"}`)
	if got := c.next(); !strings.Contains(got, `"echo":"after"`) {
		t.Errorf("got %s, want only the answer to the last request", got)
	}
	if !r.logged("error TypeError: Cannot create property 'params' on string 'str'") {
		t.Error("the refused string is not in the log")
	}
}
