package ncat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// stage plays NapCat for the examples: it prints what the bot sends.
type stage struct{ sent chan struct{} }

func (s stage) Call(_ context.Context, action string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	var p struct{ Message onebot.Message }
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if strings.HasPrefix(action, "send_") {
		fmt.Println("bot: " + strings.ReplaceAll(p.Message.CQ(), "\n", "\n     "))
		s.sent <- struct{}{}
	} else {
		fmt.Println("bot calls " + action)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal([]byte(`{"message_id":1}`), result)
}

// perform runs the bot while a friend writes the lines to it, each once the one
// before is answered.
func perform(b *ncat.Bot, lines ...string) { run(b, true, lines) }

// performAtOnce is perform without waiting for answers, of which there is one for
// each line.
func performAtOnce(b *ncat.Bot, lines ...string) { run(b, false, lines) }

func run(b *ncat.Bot, inTurn bool, lines []string) {
	st := stage{make(chan struct{}, 1)}
	s := botlink.Of(b).NewSession("", st, botlink.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = s.Run(ctx); close(ended) }()
	for i, line := range lines {
		fmt.Println("you: " + line)
		text, _ := json.Marshal(line)
		s.Feed(fmt.Appendf(nil, `{"time":1,"self_id":10001,"post_type":"message","message_type":"private","sub_type":"friend","user_id":20002,`+
			`"message_id":%d,"sender":{"user_id":20002,"nickname":"阿明"},"message":[{"type":"text","data":{"text":%s}}]}`, i+1, text))
		if inTurn {
			<-st.sent
		}
	}
	for range lines {
		if !inTurn {
			<-st.sent
		}
	}
	cancel()
	<-ended
}

// Arguments are bound to a struct. A mistake is answered with the usage.
func ExampleCommand() {
	type rollArgs struct {
		Sides int    `arg:"sides" default:"6" help:"how many sides"`
		Times int    `flag:"times,n" default:"1" help:"how often"`
		Note  string `arg:"note,rest,optional"`
	}
	b := ncat.New(ncat.WithLanguage("en"))
	ncat.Command(b, "roll", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a rollArgs) error {
		return b.Reply(ctx, m, fmt.Sprintf("%d dice of %d sides, %q", a.Times, a.Sides, a.Note))
	}, ncat.Alias("r"), ncat.Help("roll dice"))
	perform(b, "/roll", `/r 20 -n3 for "luck"`, "/roll many", "/rol")
	// Output:
	// you: /roll
	// bot: 1 dice of 6 sides, ""
	// you: /r 20 -n3 for "luck"
	// bot: 3 dice of 20 sides, "for \"luck\""
	// you: /roll many
	// bot: argument sides: expected a whole number, got "many"
	//      usage: /roll &#91;sides&#93; &#91;note…&#93; &#91;-n/--times <times>&#93;
	//      roll dice
	//        sides – how many sides (default 6)
	//        --times – how often (default 1)
	//      aliases: r
	// you: /rol
	// bot: no command rol
	//      did you mean: /roll
}

// Help is made from the commands there are.
func ExampleHelp() {
	b := ncat.New(ncat.WithLanguage("en"))
	answer := func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "done")
	}
	b.OnCommand("vote start", answer, ncat.Help("begin a vote"))
	b.OnCommand("vote stop", answer, ncat.Help("end it"), ncat.Need(ncat.RoleGroupAdmin)) // not in private
	b.OnCommand("sign", answer, ncat.Help("sign in"))
	perform(b, "/help")
	// Output:
	// you: /help
	// bot: commands:
	//      /vote start – begin a vote
	//      /sign – sign in
	//      /help COMMAND explains
}

// A handler can ask and wait for the answer while the chat goes on.
func ExampleBot_Ask() {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("order", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		who, err := b.Ask(ctx, m, "What is your name?", ncat.Within(time.Minute))
		if err != nil {
			return err // ncat.ErrNoAnswer, ncat.ErrCancelled
		}
		drinks := []string{"tea", "coffee"}
		n, err := b.Choose(ctx, m, "What shall it be?", drinks)
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, drinks[n], " for ", who.Msg().Text())
	})
	perform(b, "/order", "阿明", "2")
	// Output:
	// you: /order
	// bot: What is your name?
	// you: 阿明
	// bot: What shall it be?
	//      1. tea
	//      2. coffee
	// you: 2
	// bot: coffee for 阿明
}

// Filters combine. The pattern's groups are handed over.
func ExampleOnMatch() {
	b := ncat.New()
	busy := ncat.InGroup().And(ncat.MentionsMe().Not())
	ncat.OnMatch(b, `^(\d+)\s*([+*])\s*(\d+)$`, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, g []string) error {
		return b.Reply(ctx, m, fmt.Sprintf("%s and %s, by %s", g[1], g[3], g[2]))
	}, ncat.Where(busy.Not(), ncat.NotSelf()))
	perform(b, "2 * 21")
	// Output:
	// you: 2 * 21
	// bot: 2 and 21, by *
}

// Middleware stands around handlers: around all, a plugin's, or a single one.
func ExampleBot_Use() {
	b := ncat.New()
	b.Use(func(next ncat.Handler) ncat.Handler {
		return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error {
			if m, ok := e.(onebot.MessageEvent); ok && m.Msg().UserID == 20002 {
				return b.Reply(ctx, m, "not you again")
			}
			return next(ctx, b, e)
		}
	})
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "hello")
	})
	perform(b, "hi")
	// Output:
	// you: hi
	// bot: not you again
}

// Errors and panics of handlers end up in one place and disturb nobody else.
func ExampleBot_OnError() {
	b := ncat.New()
	b.OnError(func(ctx context.Context, b *ncat.Bot, e onebot.Event, err error) {
		var p *ncat.PanicError
		if m, ok := e.(onebot.MessageEvent); ok {
			_ = b.Reply(ctx, m, fmt.Sprintf("sorry: %v (a panic: %v)", err, errors.As(err, &p)))
		}
	})
	b.OnMessage(func(context.Context, *ncat.Bot, onebot.MessageEvent) error { panic("no tea left") }, ncat.Named("tea"))
	perform(b, "tea please")
	// Output:
	// you: tea please
	// bot: sorry: handler tea panicked: no tea left (a panic: true)
}

// counter is a plugin that counts messages, with its config and its store.
type counter struct{}

func (counter) ID() string      { return "counter" }
func (counter) Version() string { return "1.0.0" }

func (counter) Setup(ctx context.Context, h *ncat.Host) error {
	conf := struct {
		Word string `json:"word"`
	}{Word: "messages"}
	if err := h.Config(&conf); err != nil {
		return err
	}
	if _, err := h.Schedule("reset", "每天 0:00", func(ctx context.Context, b *ncat.Bot) error {
		return ncat.Delete(ctx, h.Store(), "count")
	}); err != nil {
		return err
	}
	h.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		n, err := ncat.Update(ctx, h.Store(), "count", func(n int, _ bool) (int, error) { return n + 1, nil })
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, fmt.Sprintf("%d %s", n, conf.Word))
	})
	return nil
}

// A plugin registers what it does on its Host. It can be switched off while the
// bot runs.
func ExamplePlugin() {
	b := ncat.New()
	b.AddPlugin(counter{})
	perform(b, "one", "two")
	// Output:
	// you: one
	// bot: 1 messages
	// you: two
	// bot: 2 messages
}

// Schedules are written as people write them.
func ExampleParseSchedule() {
	now := time.Date(2026, 3, 4, 9, 10, 0, 0, time.UTC)
	for _, spec := range []string{"2h30m", "00:15:30", "每天 8:00", "at 2026-05-01 00:00", "*/15 8-18 * * mon-fri"} {
		s, err := ncat.ParseSchedule(spec, time.UTC)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(s.Next(now).Format("Jan _2 15:04:05"))
	}
	// Output:
	// Mar  4 11:40:00
	// Mar  4 09:25:30
	// Mar  5 08:00:00
	// May  1 00:00:00
	// Mar  4 09:15:00
}

// What is sent can come from a file, from memory, from a reader or from the web,
// wherever NapCat runs.
func ExampleImage() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "look: ", ncat.Image(ncat.Bytes([]byte("a picture"))))
	})
	perform(b, "show me")
	// Output:
	// you: show me
	// bot: look: [CQ:image,file=base64://YSBwaWN0dXJl]
}

// Pictures that come in are kept, within limits.
func ExampleBot_DownloadFile() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		img, ok := onebot.First[*onebot.ImageSegment](m.Msg().Message)
		if !ok {
			return nil
		}
		name := fmt.Sprintf("picture-%d", m.Msg().MessageID) // not a name that somebody else chose
		d, err := b.DownloadFile(ctx, name, img, ncat.MaxSize(5<<20), ncat.OnlyTypes("image/"))
		if errors.Is(err, ncat.ErrTooLarge) {
			return b.Quote(ctx, m, "5 MiB at most, please")
		}
		if err != nil {
			return err
		}
		return b.Quote(ctx, m, fmt.Sprintf("kept %d bytes of %s", d.Size, d.Type))
	})
}

// Three messages arrive as one merged forward.
func ExampleBot_Forward() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		_, err := b.Forward(ctx, ncat.ChatOf(m), 101, 102, 103)
		return err
	})
	perform(b, "what did I miss?")
	// Output:
	// you: what did I miss?
	// bot: [CQ:node,id=101][CQ:node,id=102][CQ:node,id=103]
}

// Roles are granted in code or, by the bot's admins, in the chat.
func ExampleBot_Permissions() {
	b := ncat.New(ncat.WithLanguage("en"), ncat.WithAdmins(20002))
	b.OnCommand("publish", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "published")
	}, ncat.Need("editor"))
	if err := b.Permissions().Grant(context.Background(), "editor", ncat.Scope{Group: 700000001, User: 20003}); err != nil {
		fmt.Println(err)
	}
	perform(b, "/perm grant editor 20004 -g 700000001", "/perm deny /publish -g 700000002", "/perm list")
	// Output:
	// you: /perm grant editor 20004 -g 700000001
	// bot: granted: role editor, user 20004, group 700000001
	// you: /perm deny /publish -g 700000002
	// bot: denied: command /publish, everybody, group 700000002
	// you: /perm list
	// bot: deny: command /publish, everybody, group 700000002
	//      grant: role editor, user 20003, group 700000001
	//      grant: role editor, user 20004, group 700000001
}

// A WaitFor can wait for anything, here for somebody to join.
func ExampleBot_WaitFor() {
	wait := func(ctx context.Context, b *ncat.Bot, group onebot.GroupID) error {
		e, err := b.WaitFor(ctx, time.Hour, ncat.InGroup(group).And(func(_ *ncat.Bot, e onebot.Event) bool {
			_, ok := e.(*onebot.GroupIncrease)
			return ok
		}))
		if err != nil {
			return err
		}
		_, err = b.SendGroup(ctx, group, "welcome, ", onebot.At(ncat.UserOf(e)))
		return err
	}
	_ = wait
}

// A form asks for each field in turn.
func ExampleAskStruct() {
	type order struct {
		Drink string `ask:"What shall it be?" enum:"tea|coffee"`
		Cups  int    `ask:"How many cups?"`
	}
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("order", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		o, err := ncat.AskStruct[order](ctx, b, m)
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, o.Cups, " ", o.Drink)
	})
	perform(b, "/order", "tea", "2")
	// Output:
	// you: /order
	// bot: What shall it be? (tea / coffee)
	// you: tea
	// bot: How many cups?
	// you: 2
	// bot: 2 tea
}

// Update changes a value in one transaction: two messages at once lose none.
func ExampleUpdate() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		n, err := ncat.Update(ctx, b.Store(), "points/"+m.Msg().UserID.String(), func(n int, _ bool) (int, error) { return n + 10, nil })
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, n)
	})
	perform(b, "me", "again")
	// Output:
	// you: me
	// bot: 10
	// you: again
	// bot: 20
}

// What a model says word by word is sent in portions that can be read.
func ExampleBot_ReplyParts() {
	b := ncat.New()
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.ReplyParts(ctx, m, ncat.FromReader(strings.NewReader("I think, therefore I am.")))
	})
	perform(b, "speak")
	// Output:
	// you: speak
	// bot: I think, therefore I am.
}

// A schedule runs once for all accounts.
func ExampleBot_Schedule() {
	b := ncat.New()
	_, err := b.Schedule("tea", "daily 16:00", func(ctx context.Context, b *ncat.Bot) error {
		_, err := b.SendGroup(ctx, 700000001, "tea!")
		return err
	})
	fmt.Println(err)
	_, err = b.Schedule("cake", "daily 25:00", func(context.Context, *ncat.Bot) error { return nil })
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}
