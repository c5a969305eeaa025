package adapter

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaultConfig(t *testing.T) {
	const want = `{"network":{"httpServers":[],"httpSseServers":[],"httpClients":[],"websocketServers":[],"websocketClients":[],"plugins":[]},"musicSignUrl":"","enableLocalFile2Url":false,"parseMultMsg":false,"imageDownloadProxy":"","timeout":{"baseTimeout":10000,"uploadSpeedKBps":256,"downloadSpeedKBps":256,"maxTimeout":1800000}}`
	if got := DefaultConfig().JSON(); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
}

func TestParseConfig(t *testing.T) {
	c := mustParse(t, `{
		// a comment, as JSON5 has them
		network: {websocketServers: [{name: 'a', enable: "true", port: "3005", surplus: 1}], websocketClients: [{}], unknown: 1},
	}`)
	ws := c.Entries(WebSocketServers)[0]
	if ws.Name != "a" || !ws.Enable || ws.Port != 3005 || ws.Host != "127.0.0.1" || ws.HeartInterval != 30000 || ws.MessagePostFormat != "array" {
		t.Errorf("server %+v", ws)
	}
	if wc := c.Entries(WebSocketClients)[0]; wc.URL != "ws://localhost:8082" || wc.ReconnectInterval != 5000 || !wc.VerifyCertificate {
		t.Errorf("client %+v", wc)
	}
	if strings.Contains(c.JSON(), "surplus") || strings.Contains(c.JSON(), "unknown") {
		t.Errorf("unknown keys were kept: %s", c.JSON())
	}
	if strings.Contains(c.WithoutVerifyCertificate().JSON(), "verifyCertificate") || !strings.Contains(c.JSON(), `"verifyCertificate":true`) {
		t.Error("the WebUI's form of the document is wrong")
	}
	if c2 := mustParse(t, c.Pretty()); c2.JSON() != c.JSON() {
		t.Errorf("round trip %s", c2.JSON())
	}
	for _, bad := range []string{`{network:{websocketServers:[{port:"x"}]}}`, `{network:{websocketServers:[{port:null}]}}`, `{`, `[object Object]`} {
		if c, err := ParseConfig(bad); err == nil {
			t.Errorf("%s was read as %s", bad, c.JSON())
		}
	}
	if _, err := ParseConfig(`{network:{websocketServers:[{port:"x"}]}}`); err.Error() != "Expected number" {
		t.Errorf("error %v", err)
	}
}

func TestReload(t *testing.T) {
	a, b := freeAddr(t), freeAddr(t)
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	conf := func(addr, rest string) *Config {
		return mustParse(t, `{network:{websocketServers:[{name:"ws",enable:true,port:`+port(addr)+`,heartInterval:0,`+rest+`}]}}`)
	}
	r := newRig(t, "{}")
	r.n.Apply(conf(a, `token:"one"`))
	c := r.dial("ws", "/?access_token=one", nil)
	c.next()

	r.n.Apply(conf(a, `token:"two",messagePostFormat:"string"`)) // without disconnecting
	if _, err := r.w.Say(world.Say{User: 3001000001, Text: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := c.next(); !strings.Contains(got, `"message":"x"`) {
		t.Errorf("the old socket got %s", got)
	}
	if got := r.dial("ws", "/?access_token=one", nil).next(); !strings.Contains(got, "1403") {
		t.Errorf("the old token gives %s", got)
	}
	r.n.Apply(conf(a, `token:"two",heartInterval:50`)) // the timer starts
	if got := c.next(); !strings.Contains(got, `"heartbeat"`) || !strings.Contains(got, `"interval":50`) {
		t.Errorf("got %s", got)
	}
	r.n.Apply(conf(b, `token:"two"`)) // listens elsewhere
	for {
		if _, err := c.read(); err != nil {
			if got := websocket.CloseStatus(err); got != websocket.StatusNoStatusRcvd {
				t.Errorf("closed with %v", err)
			}
			break
		}
	}
	if _, err := net.Dial("tcp", a); err == nil {
		t.Error("the old port still answers")
	}
	if r.n.Addr("ws") != b {
		t.Errorf("listens on %s, want %s", r.n.Addr("ws"), b)
	}
	r.n.Apply(mustParse(t, `{}`)) // gone
	if len(r.n.Status()) != 0 {
		t.Errorf("status %+v", r.n.Status())
	}
	if _, err := net.Dial("tcp", b); err == nil {
		t.Error("the removed server still answers")
	}
}

// TestReloadLosesMovedName holds the hazard of moving a name to a kind that a
// reload handles earlier.
func TestReloadLosesMovedName(t *testing.T) {
	r := newRig(t, `{network:{websocketServers:[{name:"x",enable:true,port:0}]}}`)
	r.n.Apply(mustParse(t, `{network:{httpServers:[{name:"x",enable:true,port:0}]}}`))
	if s := r.n.Status(); len(s) != 0 {
		t.Errorf("status %+v, want nothing left", s)
	}
}

func TestDuplicateNames(t *testing.T) {
	a, b := freeAddr(t), freeAddr(t)
	_, pa, _ := net.SplitHostPort(a)
	_, pb, _ := net.SplitHostPort(b)
	r := newRig(t, `{network:{websocketServers:[{name:"x",enable:true,port:`+pa+`},{name:"x",enable:true,port:`+pb+`}]}}`)
	c, err := dial(a, "/", nil)
	if err != nil {
		t.Fatalf("the first server gave up its port: %v", err)
	}
	defer c.ws.CloseNow()
	if s, err := c.read(); err == nil {
		t.Errorf("the first server sent %s", s)
	}
	if got := timeless(r.dial("x", "/", nil).next()); got != lifecycle {
		t.Errorf("the second server sent %s", got)
	}
}

func TestPortBusy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := newRig(t, `{network:{websocketServers:[{name:"ws",enable:true,port:`+port+`}],httpServers:[{name:"h",enable:true,port:`+port+`}]}}`)
	for _, want := range []string{
		"info [OneBot] [WebSocket Server] Server Error: listen EADDRINUSE: address already in use 127.0.0.1:" + port,
		"info [OneBot] [WebSocket Server] Server Started undefined:undefined",
		"error [NapCat] [Error] Unhandled Exception: listen EADDRINUSE: address already in use 127.0.0.1:" + port,
	} {
		if !r.logged(want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	for _, s := range r.n.Status() {
		if !s.Enabled || s.Up || s.Error == "" {
			t.Errorf("status %+v, want enabled but not up", s)
		}
	}
}

func TestPortZeroIsOff(t *testing.T) {
	w := world.New(world.Options{})
	n := New(Options{World: w})
	defer n.Close()
	n.Start(SingleServer("127.0.0.1", 0, ""))
	if s := n.Status(); len(s) != 1 || s[0].Up {
		t.Errorf("status %+v", s)
	}
}

func TestCallOfDebugAdapter(t *testing.T) {
	r := newRig(t, "{}")
	o, ok := r.n.Call(t.Context(), "get_version_info", nil)
	if got, want := jsval.Stringify(o), `{"status":"ok","retcode":0,"data":{"app_name":"NapCat.Onebot","protocol_version":"v11","app_version":"4.18.19"},"message":"","wording":"","stream":"normal-action"}`; !ok || got != want {
		t.Errorf("got %s", got)
	}
	if _, ok := r.n.Call(t.Context(), "nope", nil); ok {
		t.Error("an unknown action was called")
	}
	o, _ = r.n.Call(t.Context(), "get_msg", jsval.Obj())
	if fmt.Sprint(o.Get("retcode")) != "400" {
		t.Errorf("got %s", jsval.Stringify(o))
	}
}
