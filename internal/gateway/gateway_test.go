package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
	"github.com/ncatd/ncatd/onebot/schema"
)

const self = 10001

// upstream plays the account: it notes each call and answers it.
type upstream struct {
	mu     sync.Mutex
	calls  []string
	params []string
	hold   chan struct{} // calls wait for it; nil: they do not
	reply  func(action string, params []byte) (data string, retcode int)
}

func (u *upstream) For(string) onebot.Streamer { return u }

func (u *upstream) Call(ctx context.Context, action string, params, result any) error {
	p := string(params.(onebot.Appender).AppendJSON(nil))
	u.mu.Lock()
	u.calls, u.params = append(u.calls, action), append(u.params, p)
	u.mu.Unlock()
	if s, ok := params.(rpc.Sender); ok {
		s.Sent()
	}
	if u.hold != nil {
		select {
		case <-u.hold:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", action, onebot.ErrUnknownOutcome)
		}
	}
	data, code := `{"message_id":7}`, 0
	if u.reply != nil {
		data, code = u.reply(action, []byte(p))
	}
	// rpc makes its answers itself: one connection of it is asked.
	return answerOf(result, fmt.Sprintf(`{"status":"ok","retcode":%d,"data":%s,"message":%[3]q,"wording":%[3]q,"echo":"1","stream":"normal-action"}`, code, data, map[bool]string{true: "no"}[code != 0]))
}

func (u *upstream) Stream(_ context.Context, _ string, _ any, packet func(json.RawMessage) error, result any) error {
	for i := range 3 {
		if err := packet(fmt.Appendf(nil, `{"type":"stream","index":%d}`, i)); err != nil {
			return err
		}
	}
	return json.Unmarshal([]byte(`{"type":"response"}`), result)
}

func (u *upstream) asked() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.calls...)
}

// answerOf fills a result as a link does.
func answerOf(result any, frame string) error {
	a, ok := result.(*rpc.Answer)
	if !ok {
		var r struct{ Data json.RawMessage }
		if err := json.Unmarshal([]byte(frame), &r); err != nil || result == nil {
			return err
		}
		return json.Unmarshal(r.Data, result)
	}
	*a = rpc.NewAnswer([]byte(frame))
	return nil
}

// stage is a gateway with one account, and one app that is waited for.
type stage struct {
	t    *testing.T
	g    *Gateway
	acc  *Account
	app  *App
	up   *upstream
	addr string
	seq  int64
}

func newStage(t *testing.T, change func(*Config)) *stage {
	t.Helper()
	return stageIn(t, t.TempDir(), change)
}

func stageIn(t *testing.T, dir string, change func(*Config)) *stage {
	t.Helper()
	s := &stage{t: t, up: &upstream{}}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s.g = New(Options{Dir: dir, Logger: log})
	s.acc = s.g.Account("main")
	s.acc.SetUpstream(s.up)
	ctx, cancel := context.WithCancel(context.Background())
	s.acc.Linked(ctx, self)
	listening := make(chan string, 1)
	c := Config{
		Name: "one", Accounts: []string{"main"}, Token: "secret-secret-secret", Rights: NewRights([]string{"read", "send"}),
		Replay: Replay{Age: time.Minute, Events: 1000}, Heartbeat: time.Hour, Logger: log,
		Listen: "127.0.0.1:0", WebSocket: true, HTTP: true, SSE: true, Listening: func(a string) { listening <- a },
	}
	if change != nil {
		change(&c)
	}
	var err error
	if s.app, err = s.g.App(c); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = s.app.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := s.g.Close(); err != nil {
			t.Error(err)
		}
	})
	if c.Listen != "" {
		s.addr = <-listening
	}
	return s
}

func groupMessage(n int64, group int64, text string) string {
	return fmt.Sprintf(`{"self_id":10001,"user_id":30001,"time":%d,"message_id":%d,"message_seq":%[2]d,"real_id":%[2]d,"real_seq":"%[2]d","message_type":"group","sender":{"user_id":30001,"nickname":"A","card":""},"raw_message":%q,"font":14,"sub_type":"normal","message":[{"type":"text","data":{"text":%[3]q}}],"message_format":"array","post_type":"message","group_id":%d,"group_name":"G"}`, time.Now().Unix(), n, text, group)
}

func (s *stage) feed(typ, raw string) {
	s.t.Helper()
	e, err := onebot.Decode([]byte(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	s.g.Feed(s.acc, &Event{Type: typ, Event: e, Raw: []byte(raw)})
	s.acc.Flush()
}

func (s *stage) say(text string) string {
	s.seq++
	raw := groupMessage(s.seq, 1, text)
	s.feed("message.group", raw)
	return raw
}

func (s *stage) dial(path string) *client {
	s.t.Helper()
	c, err := s.try(path, http.Header{"Authorization": {"Bearer secret-secret-secret"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stage) try(path string, h http.Header) (*client, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+s.addr+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(64 << 20)
	s.t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{s.t, ws}, nil
}

// client is an app's WebSocket.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func (c *client) read() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// event reads the next frame that is no meta event.
func (c *client) event() string {
	c.t.Helper()
	for {
		if b := c.read(); !strings.Contains(b, `"meta_event"`) {
			return b
		}
	}
}

func (c *client) write(text string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// call writes a request and returns the next answer.
func (c *client) call(text string) string {
	c.t.Helper()
	c.write(text)
	for {
		if b := c.read(); strings.Contains(b, `"retcode"`) {
			return b
		}
	}
}

func TestEventsGoOutAsTheyCame(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/")
	if b := c.read(); !strings.Contains(b, `"self_id":10001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}`) {
		t.Fatal(b)
	}
	for _, text := range []string{"a", strings.Repeat("long ", 30000), "c"} {
		if raw := s.say(text); c.event() != raw {
			t.Errorf("%.20s changed", text)
		}
	}
}

func TestEchoComesBackAsItWas(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("/api")
	for _, echo := range []string{`"x"`, `1`, `1.50`, `{"b":[1, 2],"a":null}`, `[ ]`, `true`, `"\u00e9\/"`, `12345678901234567890123`} {
		got := c.call(`{"echo":` + echo + `,"action":"get_status","params":{"a": 1.0}}`)
		if want := `{"status":"ok","retcode":0,"data":{"message_id":7},"message":"","wording":"","echo":` + echo + `,"stream":"normal-action"}`; got != want {
			t.Errorf("%s\n%s", got, want)
		}
	}
	if got := c.call(`{"action":"get_status"}`); !strings.Contains(got, `"echo":"",`) {
		t.Error(got)
	}
	if p := s.up.params[0]; p != `{"a": 1.0}` {
		t.Errorf("params became %s", p)
	}
}

func TestRightsHoldForEveryAction(t *testing.T) {
	for _, group := range schema.Groups() {
		rights := []string{}
		for _, g := range schema.Groups() {
			if g != group {
				rights = append(rights, string(g))
			}
		}
		s := newStage(t, func(c *Config) { c.Rights = NewRights(rights) })
		c := s.dial("/")
		for _, name := range schema.Names() {
			action, _ := schema.Lookup(name)
			if action.Group != group {
				continue
			}
			for _, alias := range []string{"", "_async", "_rate_limited"} {
				if got := c.call(fmt.Sprintf(`{"action":%q,"echo":1}`, name+alias)); !strings.Contains(got, `"retcode":1460,"data":null`) || !strings.Contains(got, `"echo":1,`) {
					t.Errorf("%s: %s", name+alias, got)
				}
			}
		}
		if calls := s.up.asked(); len(calls) > 0 {
			t.Errorf("NapCat got %v", calls)
		}
	}
}

func TestUnknownActionsNeedAPattern(t *testing.T) {
	for allow, want := range map[string]bool{"account": false, "get_*": false, "*": true, "set_n*": true} {
		if got := NewRights([]string{allow}).Allow("set_new_thing"); got != want {
			t.Errorf("%s: %v", allow, got)
		}
	}
}

func TestAwayIsToldAtOnce(t *testing.T) {
	s := newStage(t, nil)
	s.up.hold = make(chan struct{})
	c := s.dial("/")
	c.read()
	c.write(`{"action":"get_status","echo":"flying"}`)
	await.True(t, 20*time.Second, "the call", func() bool { return len(s.up.asked()) > 0 })
	began := time.Now()
	s.acc.Away()
	var beat, lost bool
	for !beat || !lost {
		b := c.read()
		beat = beat || strings.Contains(b, `"heartbeat","status":{"online":false,"good":true}`)
		lost = lost || strings.Contains(b, `"retcode":1463`) && strings.Contains(b, `"echo":"flying"`)
	}
	if got := c.call(`{"action":"get_status","echo":"gap"}`); !strings.Contains(got, `"retcode":1461`) || !strings.Contains(got, `"echo":"gap"`) {
		t.Error(got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	s.acc.Linked(t.Context(), self)
	if b := c.read(); !strings.Contains(b, `"lifecycle"`) {
		t.Error(b)
	}
}

func TestSplitRoles(t *testing.T) {
	s := newStage(t, nil)
	api, event := s.dial("/api/"), s.dial("/event")
	event.read()
	raw := s.say("hello")
	if got := event.event(); got != raw {
		t.Error(got)
	}
	if got := api.call(`{"action":"get_status","echo":1}`); !strings.Contains(got, `"retcode":0`) {
		t.Error(got)
	}
}

func TestTokens(t *testing.T) {
	s := newStage(t, nil)
	const token = "secret-secret-secret"
	for _, h := range []http.Header{
		{"Authorization": {"Bearer " + token}}, {"Authorization": {"bearer " + token}}, {"Authorization": {"Token " + token}},
		{"Authorization": {"token " + token}}, {"Authorization": {token}},
	} {
		if c, err := s.try("/", h); err != nil || !strings.Contains(c.read(), "lifecycle") {
			t.Errorf("%v: %v", h, err)
		}
	}
	if c, err := s.try("/event?access_token="+token, nil); err != nil || !strings.Contains(c.read(), "lifecycle") {
		t.Error(err)
	}
	c, err := s.try("/", http.Header{"Authorization": {"Bearer wrong"}})
	if err != nil {
		t.Fatal(err)
	}
	if b := c.read(); !strings.Contains(b, `"retcode":1403`) {
		t.Error(b)
	}
	refused := 0
	for range 10000 / 100 { // most of which cost a connection each
		resp, err := http.Get("http://" + s.addr + "/get_status?access_token=x")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 70 {
		t.Errorf("%d of 100 were put off", refused)
	}
	if c, err := s.try("/", http.Header{"Authorization": {"Bearer " + token}}); err != nil || !strings.Contains(c.read(), "lifecycle") {
		t.Errorf("the right token is kept out: %v", err)
	}
}

func TestFilters(t *testing.T) {
	s := newStage(t, nil)
	for name, c := range map[string]struct {
		f    Filter
		want string
	}{
		"all":     {Filter{}, "acdef"},
		"types":   {Filter{Types: []string{"notice.group_ban", "message_sent"}}, "bd"},
		"groups":  {Filter{Groups: []int64{2}}, "cef"},
		"users":   {Filter{Users: []int64{30002}}, "de"},
		"prefix":  {Filter{Prefixes: []string{"/"}}, "cdf"},
		"message": {Filter{Types: []string{"message"}, Groups: []int64{1}}, "a"},
	} {
		got := ""
		for _, e := range []struct{ id, typ, raw string }{
			{"a", "message.group", groupMessage(1, 1, "hello")},
			{"b", "message_sent.group", strings.Replace(groupMessage(2, 1, "own"), `"message"`, `"message_sent"`, 1)},
			{"c", "message.group", groupMessage(3, 2, "/cmd")},
			{"d", "notice.group_ban", `{"time":1,"self_id":10001,"post_type":"notice","notice_type":"group_ban","sub_type":"ban","group_id":1,"user_id":30002,"operator_id":1,"duration":60}`},
			{"e", "message.group", strings.Replace(groupMessage(4, 2, "x"), `"user_id":30001,"time"`, `"user_id":30002,"time"`, 1)},
			{"f", "notice.friend_add", `{"time":1,"self_id":10001,"post_type":"notice","notice_type":"friend_add","user_id":30001}`},
		} {
			ev, err := onebot.Decode([]byte(e.raw))
			if err != nil {
				t.Fatal(err)
			}
			if c.f.Wants(&Event{Type: e.typ, Event: ev, Raw: []byte(e.raw)}) {
				got += e.id
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	_ = s
}
