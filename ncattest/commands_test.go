package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

type cmdArgs struct {
	Text string        `arg:"text" help:"what"`
	N    int           `arg:"n"`
	User onebot.UserID `arg:"user,optional"`
	Flag bool          `flag:"flag,f"`
	For  time.Duration `flag:"for,d" default:"1m"`
	Tags []string      `flag:"tag,t"`
}

func commandBot() *ncat.Bot {
	b := ncat.New(ncat.WithLanguage("en"), ncat.WithAdmins(99))
	ncat.Command(b, "cmd", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a cmdArgs) error {
		return b.Reply(ctx, m, fmt.Sprintf("%q %d %d %v %v %q", a.Text, a.N, a.User, a.Flag, a.For, a.Tags))
	}, ncat.Alias("c", "命令"), ncat.Help("the command"))
	ncat.Command(b, "say", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		How  string         `arg:"how" enum:"loud|low"`
		What onebot.Message `arg:"what,rest"`
	}) error {
		return b.Reply(ctx, m, fmt.Sprintf("%s %d %q", a.How, len(a.What), a.What.Text()))
	})
	word := func(s string) func(context.Context, *ncat.Bot, onebot.MessageEvent) error {
		return func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			return b.Reply(ctx, m, s)
		}
	}
	b.OnCommand("vote start", word("started"))
	b.OnCommand("vote stop", word("stopped"), ncat.Need(ncat.RoleGroupAdmin))
	b.OnCommand("slow", word("ok"), ncat.Cooldown(10*time.Second), ncat.Need("slowpoke"))
	b.OnCommand("boom", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { panic("boom") })
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "other: "+m.Msg().Text())
	})
	return b
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		say  []any
		want string // a part of the one answer
	}{
		{[]any{`/cmd "a b" 3 --flag `, onebot.At(7)}, `"a b" 3 7 true 1m0s []`},
		{[]any{`/CMD a\ 3`}, `"a\\" 3 0 false 1m0s []`},
		{[]any{`/c “a b” -5 -f -d10m --tag=x -t y`}, `"a b" -5 0 true 10m0s ["x" "y"]`},
		{[]any{`/命令 'it\'s' 3 --for 10分钟`}, `"it's" 3 0 false 10m0s []`},
		{[]any{`/cmd --tag="x y" -t='it\'s' --tag=“好 的” a 3`}, `"a" 3 0 false 1m0s ["x y" "it's" "好 的"]`},
		{[]any{`/cmd --tag="x y a 3`}, `a quote is not closed`},
		{[]any{`/cmd -- --tag="x 3`}, `"--tag=\"x" 3 0 false 1m0s []`},
		{[]any{`/cmd -ft x y 3`}, `"y" 3 0 true 1m0s ["x"]`},
		{[]any{`/cmd -- --x 3`}, `"--x" 3 0 false 1m0s []`},
		{[]any{`/cmd --for=00:15:30 --no-flag x 3 @7`}, `"x" 3 7 false 15m30s []`},
		{[]any{onebot.Reply(5), onebot.At(ncattest.Self), ` /cmd x 1`}, `"x" 1 0 false 1m0s []`},
		{[]any{`/cmd x three`}, "argument n: expected a whole number, got \"three\"\nusage: /cmd <text> <n> [user] [-f/--flag] [-d/--for <for>] [-t/--tag <tag>]\nthe command\n  text – what\n  --for (default 1m)\naliases: c, 命令"},
		{[]any{`/cmd x`}, "argument n is missing\nusage: /cmd"},
		{[]any{`/cmd x 3 4 5`}, `unexpected argument "5"`},
		{[]any{`/cmd x 3 --nope`}, `unknown flag --nope`},
		{[]any{`/cmd x 3 --for`}, `flag --for needs a value`},
		{[]any{`/cmd x 3 -f -f`}, `flag -f is given twice`},
		{[]any{`/cmd "x 3`}, `a quote is not closed`},
		{[]any{`/cmd x 3 `, &onebot.ImageSegment{File: "a.png"}}, `argument user: expected @user or a QQ number, got "[image]"`},
		{[]any{`/cmd x 99999999999999999999`}, `argument n`},
		{[]any{`/say loud  hi "there"  `, onebot.Face(1), "x"}, `loud 3 "hi \"there\"  x"`},
		{[]any{`/say what hi`}, `argument how: expected loud | low, got "what"`},
		{[]any{`/say loud`}, `argument what is missing`},
		{[]any{`/vote start`}, `started`},
		{[]any{`/vote stop`}, `you may not`},
		{[]any{`/vote`}, "commands:\n/vote start\n/help COMMAND explains"},
		{[]any{`/vote strat`}, "no command strat\ndid you mean: start"},
		{[]any{`/cmmd`}, "no command cmmd\ndid you mean: /cmd"},
		{[]any{`/help`}, "commands:\n/cmd <text> <n>"},
		{[]any{`/help cmd`}, "usage: /cmd"},
		{[]any{`/help /cmd`}, "usage: /cmd"},
		{[]any{`/help nope`}, "no command nope"},
		{[]any{`/entirely else`}, `other: /entirely else`},
		{[]any{`hello`}, `other: hello`},
		{[]any{`/`}, `other: /`},
	} {
		ncattest.Run(t, commandBot(), func(h *ncattest.Harness) {
			h.InGroup(100, 1).Says(c.say...)
			if got := h.One().Text(); !strings.Contains(got, c.want) {
				t.Errorf("%v: the bot sent\n%q, want\n%q", c.say, got, c.want)
			}
		})
	}
}

func TestCommandRolesAndCooldown(t *testing.T) {
	ncattest.Run(t, commandBot(), func(h *ncattest.Harness) {
		alice, boss := h.InGroup(100, 1), h.InGroup(100, 99)
		alice.Says("/slow")
		h.Want("you may not use this command")
		boss.Says("/slow")
		h.Want("ok")
		p := h.Bot().Permissions()
		if err := p.Grant(h.Context(), "slowpoke", ncat.Scope{Group: 100, User: 1}); err != nil {
			t.Fatal(err)
		}
		alice.Says("/slow")
		h.Want("ok")
		alice.Says("/slow")
		h.Want("too fast, try again in 10 s")
		alice.Says("/slow")
		h.WantNothing()
		h.Pass(10 * time.Second)
		alice.Says("/slow")
		h.Want("ok")
		h.InGroup(101, 1).Says("/slow")
		h.Want("you may not use this command")
		alice.Role = onebot.RoleAdmin
		alice.Says("/vote stop")
		h.Want("stopped")
		if err := p.DenyCommand(h.Context(), "vote", ncat.Scope{Group: 100}); err != nil {
			t.Fatal(err)
		}
		alice.Says("/vote stop")
		h.Want("other: /vote stop")
		boss.Says("/vote stop")
		h.Want("stopped")
		if err := errors.Join(p.AllowCommand(h.Context(), "vote", ncat.Scope{Group: 100}), p.Revoke(h.Context(), "slowpoke", ncat.Scope{Group: 100, User: 1})); err != nil {
			t.Fatal(err)
		}
		if rules := p.Rules(); len(rules) != 0 {
			t.Errorf("rules left: %v", rules)
		}
	})
}

func TestCommandPanicIsNamed(t *testing.T) {
	b := commandBot()
	var name string
	b.OnError(func(_ context.Context, _ *ncat.Bot, _ onebot.Event, err error) {
		var p *ncat.PanicError
		if errors.As(err, &p) {
			name = p.Handler
		}
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("/boom")
		if name != "command boom" {
			t.Errorf("the panic was of %q", name)
		}
		if errs := h.Errors(); len(errs) != 1 {
			t.Errorf("the test was told of %v", errs)
		}
		h.WantNothing()
	})
}

func TestCommandConflict(t *testing.T) {
	b := commandBot()
	defer func() {
		if v := fmt.Sprint(recover()); !strings.Contains(v, `taken by command "cmd"`) {
			t.Errorf("panic %q", v)
		}
	}()
	b.OnCommand("C", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return nil })
}

func TestHelpPages(t *testing.T) {
	b := ncat.New()
	for i := range 23 {
		b.OnCommand(fmt.Sprintf("c%02d", i), func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return nil })
	}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("/help 3")
		got := h.One().Text()
		if !strings.Contains(got, "/c20") || strings.Contains(got, "/c19") || !strings.Contains(got, "第 3/3 页") {
			t.Errorf("page 3: %q", got)
		}
	})
	for n, want := range map[int]string{9: "命令:\n/c00 – x\n/c01", 10: "/c09 – x\n/help 命令", 11: "第 1/2 页", 20: "第 1/2 页", 21: "第 1/3 页"} {
		b := ncat.New()
		for i := range n {
			b.OnCommand(fmt.Sprintf("c%02d", i), ncat.Say("x"), ncat.Help("x"))
		}
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			h.Friend(1).Says("/help")
			h.Friend(1).Says("/help 99") // the last
			sent := h.Sent()
			if !strings.Contains(sent[0].Text(), want) || !strings.Contains(sent[1].Text(), fmt.Sprintf("/c%02d", n-1)) {
				t.Errorf("%d commands: %q, %q", n, sent[0].Text(), sent[1].Text())
			}
		})
	}
}

func TestConversation(t *testing.T) {
	b := ncat.New()
	b.OnCommand("name", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		a, err := b.Ask(ctx, m, "who?", ncat.Within(time.Minute))
		switch {
		case errors.Is(err, ncat.ErrCancelled):
			return b.Reply(ctx, m, "bye")
		case errors.Is(err, ncat.ErrNoAnswer):
			return b.Reply(ctx, m, "late")
		case err != nil:
			return err
		}
		n, err := b.Choose(ctx, m, "tea?", []string{"green", "black"})
		if err != nil {
			return err
		}
		ok, err := b.Confirm(ctx, m, "sure?")
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, fmt.Sprint(a.Msg().Text(), n, ok))
	})
	b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "heard "+m.Msg().Text())
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice, bob := h.InGroup(100, 1), h.InGroup(100, 2)
		alice.Says("/name")
		h.Want("who?")
		bob.Says("me")
		h.Want("heard me") // the chat goes on
		alice.Says("/name")
		h.Want("tea?\n1. green\n2. black") // the answer is no command
		alice.Says("coffee")
		h.Want("请回复序号或选项")
		alice.Says("2")
		h.Want("sure?")
		alice.Says("是")
		h.Want("/name1 true")
		alice.Says("x")
		h.Want("heard x")

		alice.Says("/name")
		h.Want("who?")
		alice.Says("取消")
		h.Want("bye")
		alice.Says("/name")
		h.Want("who?")
		h.Pass(time.Minute)
		h.Want("late")
		alice.Says("/name")
		h.Want("who?") // the bot ends meanwhile
	})
}

func TestFilters(t *testing.T) {
	msg := func(content ...any) *onebot.GroupMessage { return ncattest.GroupMessage(100, 1, content...) }
	admin := msg("x")
	admin.Sender.Role = onebot.RoleAdmin
	own := msg("x")
	own.UserID = ncattest.Self
	b := ncat.New(ncat.WithAdmins(1))
	for i, c := range []struct {
		f    ncat.Filter
		e    onebot.Event
		want bool
	}{
		{ncat.InGroup(), msg("x"), true},
		{ncat.InGroup(101), msg("x"), false},
		{ncat.InGroup(100), ncattest.Joined(100, 1), true},
		{ncat.InPrivate(), msg("x"), false},
		{ncat.InPrivate(), ncattest.PrivateMessage(1, "x"), true},
		{ncat.FromUser(1), msg("x"), true},
		{ncat.FromUser(2), ncattest.Joined(100, 2), true},
		{ncat.MentionsMe(), msg(onebot.At(ncattest.Self), "x"), true},
		{ncat.MentionsMe(), msg(onebot.AtAll(), "x"), false},
		{ncat.ToMe(), ncattest.PrivateMessage(1, "x"), true},
		{ncat.HasPrefix("a", "he"), msg(" hello"), true},
		{ncat.HasSuffix("lo"), msg("hello "), true},
		{ncat.Keyword("ell"), msg("hello"), true},
		{ncat.Keyword("ell"), ncattest.Joined(1, 1), false},
		{ncat.TextIs("hello"), msg("hello "), true},
		{ncat.IsReply(), msg(onebot.Reply(5), "x"), true},
		{ncat.IsReply(6), msg(onebot.Reply(5), "x"), false},
		{ncat.HasSegment[*onebot.ImageSegment](), msg(&onebot.ImageSegment{File: "a"}), true},
		{ncat.ByGroupAdmin(), admin, true},
		{ncat.ByGroupOwner(), admin, false},
		{ncat.NotSelf(), own, false},
		{ncat.ByAdmin(), msg("x"), true},
		{ncat.InGroup().And(ncat.Keyword("x"), ncat.ByGroupAdmin().Not()), msg("x"), true},
		{ncat.InPrivate().Or(ncat.Keyword("x")), msg("x"), true},
		{ncat.During("00:00", "24:00", nil), msg("x"), true},
		{ncat.During("12:00", "12:00", nil), msg("x"), false},
	} {
		if got := c.f(b, c.e); got != c.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
}

func TestOnMatch(t *testing.T) {
	b := ncat.New()
	ncat.OnMatch(b, `^(\d+)d(\d+)$`, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, g []string) error {
		return b.Reply(ctx, m, strings.Join(g, ","))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("2d6")
		h.Want("2d6,2,6")
		h.Friend(1).Says("2d")
		h.WantNothing()
	})
}
