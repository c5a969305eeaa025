package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// wordedFrame is a message of a host whose ids are no numbers.
const wordedFrame = `{"time":1700000000,"self_id":"BOT-7","post_type":"message","message_type":"group","sub_type":"normal","group_id":"7B5C0D","user_id":"1E5","message_id":"abc-1","message":[{"type":"reply","data":{"id":"old-1"}},{"type":"at","data":{"qq":"BOT-7"}},{"type":"text","data":{"text":" /all"}}],"sender":{"user_id":"1E5","nickname":"n"}}`

// wordedAnswer answers the calls of the test below as such a host does.
func wordedAnswer(action string, _ json.RawMessage) string {
	switch action {
	case "send_group_msg", "send_private_msg":
		return `{"message_id":"sent-1"}`
	case "get_msg":
		return `{"message_id":"old-1","group_id":"7B5C0D","user_id":"other-2","sender":{"user_id":"other-2"},"message":"x"}`
	case "get_group_list":
		return `[{"group_id":"quiet-3","group_name":"q"}]`
	}
	return "null"
}

var wordedCalls = []string{
	`get_msg {"message_id":"old-1"}`,
	`send_group_msg {"group_id":"7B5C0D","message":[{"type":"reply","data":{"id":"abc-1"}},{"type":"at","data":{"qq":"1E5"}},{"type":"text","data":{"text":"yes"}}]}`,
	`delete_msg {"message_id":"abc-1"}`,
	`send_private_msg {"user_id":"other-2","message":[{"type":"text","data":{"text":"quoted"}}]}`,
	`delete_msg {"message_id":"sent-1"}`,
	`get_group_list {}`,
	`send_group_msg {"group_id":"quiet-3","message":[{"type":"text","data":{"text":"news"}}]}`,
	`set_group_ban {"group_id":"7B5C0D","user_id":"1E5","duration":60}`,
	`custom {"list":["1E5",5],"text":"7B5C0D"}`,
}

// wordedBot makes wordedCalls for each wordedFrame.
func wordedBot() (*ncat.Bot, chan error) {
	b, result := ncat.New(ncat.WithLogger(nil)), make(chan error, 10)
	b.OnCommand("all", func(ctx context.Context, b *ncat.Bot, msg onebot.MessageEvent) error {
		m, ok := msg.(*onebot.GroupMessage)
		if !ok {
			return nil
		}
		old, err := b.API().GetMsg(ctx, onebot.GetMsgParams{MessageID: m.Message.ReplyTo()})
		if err != nil {
			result <- err
			return nil
		}
		err = b.Reply(ctx, m, onebot.Quote(m), onebot.At(m.UserID), "yes")
		err = errors.Join(err, b.API().DeleteMsg(ctx, onebot.DeleteMsgParams{MessageID: m.MessageID}))
		id, e := b.SendPrivate(ctx, old.UserID, "quoted")
		err = errors.Join(err, e, b.API().DeleteMsg(ctx, onebot.DeleteMsgParams{MessageID: id}))
		groups, e := b.API().GetGroupList(ctx, onebot.GetGroupListParams{})
		err = errors.Join(err, e)
		for _, g := range groups {
			_, e = b.SendGroup(ctx, g.GroupID, "news")
			err = errors.Join(err, e)
		}
		err = errors.Join(err, b.Call(ctx, "set_group_ban", map[string]any{"group_id": m.GroupID, "user_id": m.UserID, "duration": 60}, nil))
		err = errors.Join(err, b.Call(ctx, "custom", map[string]any{"list": []onebot.UserID{m.UserID, 5}, "text": m.GroupID.String()}, nil))
		if !m.Message.Mentions(m.SelfID) || m.UserID == 0 || m.GroupID == 0 || m.Sender.UserID != m.UserID {
			err = errors.Join(err, fmt.Errorf("the message is %+v", m))
		}
		result <- err
		return nil
	})
	return b, result
}

// same reports whether two calls have the same action and params.
func same(t *testing.T, got, want []string) {
	t.Helper()
	canonical := func(list []string) (out []string) {
		for _, s := range list {
			var action string
			var params any
			i := slices.Index([]byte(s), ' ')
			action = s[:i]
			if err := json.Unmarshal([]byte(s[i:]), &params); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			b, err := json.Marshal(params)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, action+" "+string(b))
		}
		return out
	}
	g, w := canonical(got), canonical(want)
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("calls:\n%q\nwant\n%q", g[min(i, len(g)):], w[min(i, len(w)):])
		}
	}
}

func TestIDsThatAreNoNumbersDialled(t *testing.T) {
	calls := make(chan string, 100)
	h := newHost(t)
	h.answer = func(action string, params json.RawMessage) string {
		calls <- action + " " + string(params)
		return wordedAnswer(action, params)
	}
	b, result := wordedBot()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Dial(ctx, h.url, "") }()
	say(t, next(t, h.links), []byte(wordedFrame))
	if err := next(t, result); err != nil {
		t.Error(err)
	}
	cancel()
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial returned %v", err)
	}
	close(calls)
	var got []string
	for c := range calls {
		got = append(got, c)
	}
	same(t, got, wordedCalls)
}

// Two accounts whose own ids are no numbers, each with two connections, are two.
func TestIDsThatAreNoNumbersServed(t *testing.T) {
	b, result := wordedBot()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, ln, "") }()
	connect := func(self, role string) *websocket.Conn {
		ws, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{HTTPHeader: http.Header{"X-Self-Id": {self}, "X-Client-Role": {role}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ws.CloseNow() })
		return ws
	}
	calls := map[string]chan string{"BOT-7": make(chan string, 100), "BOT-8": make(chan string, 100)}
	for self, c := range calls {
		api := connect(self, "API")
		go func() {
			defer close(c)
			for {
				_, frame, err := api.Read(ctx)
				if err != nil {
					return
				}
				var q struct {
					Action string
					Params json.RawMessage
					Echo   json.RawMessage
				}
				if json.Unmarshal(frame, &q) == nil {
					if q.Action != "probe" {
						c <- q.Action + " " + string(q.Params)
					}
					_ = api.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"status":"ok","retcode":0,"data":%s,"echo":%s}`, wordedAnswer(q.Action, q.Params), q.Echo))
				}
			}
		}()
	}
	connect("BOT-8", "Event")
	events := connect("BOT-7", "Event")
	eventually(t, "the accounts", func() bool { return len(b.Accounts()) == 2 })
	eventually(t, "the connections for calls", func() bool {
		return !slices.ContainsFunc(b.Accounts(), func(a *ncat.Bot) bool { return a.Call(ctx, "probe", nil, nil) != nil })
	})
	say(t, events, []byte(wordedFrame))
	if err := next(t, result); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve returned %v", err)
	}
	for self, want := range map[string][]string{"BOT-7": wordedCalls, "BOT-8": nil} {
		var got []string
		for c := range calls[self] {
			got = append(got, c)
		}
		same(t, got, want)
	}
}
