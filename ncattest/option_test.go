package ncattest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestOptionsOnAnyHandler: what commands can be told, matches, texts and plain
// handlers can be, too.
func TestOptionsOnAnyHandler(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"), ncat.WithPrefixes(""), ncat.WithAdmins(99))
	b.OnText("sign", ncat.Say("signed"), ncat.Cooldown(time.Hour), ncat.Help("sign in"))
	b.OnText("quiet", ncat.Say("shh"), ncat.Cooldown(time.Hour))
	b.OnText("mute all", ncat.Say("muted"), ncat.Need(ncat.RoleGroupAdmin), ncat.Help("for admins"))
	ncat.OnMatch(b, `^\d+d\d+$`, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, _ []string) error {
		return b.Reply(ctx, m, 4)
	}, ncat.Limit(2, time.Minute), ncat.Limit(3, time.Hour), ncat.Help("dice"), ncat.Named("XdY"))
	b.OnText("secret", ncat.Say("psst"), ncat.Help("unseen"), ncat.Hidden())
	b.OnCommand("ping", ncat.Say("pong"), ncat.Help("answers"))
	b.OnMessage(ncat.Say("first"), ncat.Where(ncat.Keyword("order")), ncat.Priority(10))
	b.OnMessage(ncat.Say("second"), ncat.Where(ncat.Keyword("order")))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice, boss := h.Group(100).From(1), h.Group(100).Admin(2)
		say := func(p *ncattest.Person, text string, want ...string) {
			t.Helper()
			p.Says(text)
			h.Want(want...)
		}
		say(alice, "sign", "signed")
		say(alice, "sign", "too fast, try again in 1h0m0s")
		say(alice, "sign")
		say(boss, "sign", "signed")
		say(alice, "quiet", "shh")
		say(alice, "quiet")
		say(alice, "mute all", "you may not use this command")
		say(boss, "mute all", "muted")
		h.Group(100).From(99)
		say(alice, "1d6", "4")
		say(alice, "2d6", "4")
		say(alice, "3d6", "too fast, try again in 1m0s")
		h.Pass(time.Minute)
		say(alice, "4d6", "4")
		say(alice, "5d6", "too fast, try again in 59m0s")
		say(alice, "order", "first", "second")
		say(alice, "ping", "pong")
		say(alice, "help", "commands:\nping – answers\nsign – sign in\nXdY – dice\nhelp COMMAND explains")
		say(boss, "help", "commands:\nping – answers\nsign – sign in\nmute all – for admins\nXdY – dice\nhelp COMMAND explains")
	})
}

// TestConcurrent: a slow answer holds up neither its chat nor others of its kind, up
// to as many as it is told.
func TestConcurrent(t *testing.T) {
	b := ncat.New(ncat.WithHandlerDeadline(time.Minute))
	ncat.Command(b, "ai", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		Text string `arg:"text"`
	}) error {
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return b.Reply(ctx, m, "re "+a.Text)
	}, ncat.Concurrent(2))
	b.OnCommand("ping", ncat.Say("pong"))
	b.OnText("hang", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, ncat.Concurrent(1))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		alice := h.Group(100).From(1)
		alice.Says("/ai a")
		alice.Says("/ping")
		h.Want("pong")
		h.Pass(10 * time.Second)
		alice.Says("/ai b")
		alice.Says("/ping")
		h.Want("pong")
		alice.Says("/ai c") // two run: the chat waits for one of them
		alice.Says("/ping")
		h.WantNothing()
		h.Group(200).From(1).Says("/ai d") // another chat has two of its own
		h.Group(200).From(1).Says("/ping")
		h.Want("pong")
		h.Pass(20 * time.Second)
		h.Want("re a", "pong")
		h.Pass(time.Minute)
		if got := h.Sent(); len(got) != 3 {
			t.Errorf("sent %v, want the answers to b, c and d", got)
		}
		alice.Says("hang")
		alice.Says("/ping")
		h.Want("pong")
		h.Pass(2 * time.Minute)
		if errs := h.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "deadline") {
			t.Errorf("errors %v, want the deadline's", errs)
		}
	})
}

// TestMisuse: what cannot work says what, where and what to write instead.
func TestMisuse(t *testing.T) {
	say := ncat.Say("x")
	for name, tt := range map[string]struct {
		do   func(b *ncat.Bot)
		want []string
	}{
		"alias":       {func(b *ncat.Bot) { b.OnText("x", say, ncat.Alias("y")) }, []string{"Alias", "OnCommand"}},
		"pass on":     {func(b *ncat.Bot) { b.OnMessage(say, ncat.Named("mine"), ncat.PassOn()) }, []string{"PassOn", "mine"}},
		"nil option":  {func(b *ncat.Bot) { b.OnText("x", say, nil) }, []string{"an option", "is nil"}},
		"nil filter":  {func(b *ncat.Bot) { b.OnMessage(say, ncat.Where(nil)) }, []string{"filter 1"}},
		"nil wrap":    {func(b *ncat.Bot) { b.OnMessage(say, ncat.Wrap(nil)) }, []string{"middleware 1"}},
		"nil command": {func(b *ncat.Bot) { b.OnCommand("x", nil) }, []string{`"x"`, "nil"}},
		"nil handler": {func(b *ncat.Bot) { b.OnMessage(nil) }, []string{"nil"}},
		"nil match":   {func(b *ncat.Bot) { ncat.OnMatch(b, "x", nil) }, []string{"nil"}},
		"bad pattern": {func(b *ncat.Bot) {
			ncat.OnMatch(b, "(", func(context.Context, *ncat.Bot, onebot.MessageEvent, []string) error { return nil })
		}, []string{"missing closing )"}},
		"nil plugin":    {func(b *ncat.Bot) { b.AddPlugin(nil) }, []string{"plugin 1 is nil"}},
		"typed nil":     {func(b *ncat.Bot) { b.AddPlugin((*plugin)(nil)) }, []string{"plugin 1 is nil"}},
		"nil start":     {func(b *ncat.Bot) { b.OnStart(nil) }, []string{"OnStart"}},
		"nil online":    {func(b *ncat.Bot) { b.OnOnline(nil) }, []string{"OnOnline"}},
		"nil go":        {func(b *ncat.Bot) { b.Go(nil) }, []string{"Go"}},
		"nil hook":      {func(b *ncat.Bot) { b.OnError(nil) }, []string{"OnError"}},
		"no limit":      {func(*ncat.Bot) { ncat.Limit(0, time.Minute) }, []string{"Limit", "how many"}},
		"no concurrent": {func(*ncat.Bot) { ncat.Concurrent(0) }, []string{"Concurrent"}},
		"taken": {func(b *ncat.Bot) {
			b.OnCommand("a", say)
			b.OnCommand("b", say, ncat.Alias("a"))
		}, []string{`"b"`, "taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				got, _ := recover().(string)
				for _, w := range append(tt.want, "option_test.go:") {
					if !strings.Contains(got, w) {
						t.Errorf("panicked with %q, want %q", got, w)
					}
				}
			}()
			tt.do(ncat.New())
		})
	}
	b := ncat.New()
	if _, err := b.Schedule("x", "every 1m", nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("a schedule of nothing: %v", err)
	}
}

// TestOnline follows an account on and off.
func TestOnline(t *testing.T) {
	b := ncat.New()
	var got []string
	b.OnOnline(func(_ context.Context, b *ncat.Bot) error {
		got = append(got, "on "+b.Self().String())
		return nil
	})
	b.OnOffline(func(_ context.Context, b *ncat.Bot, why string) error {
		got = append(got, "off "+why)
		return nil
	})
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e onebot.Event) error {
		if !strings.HasPrefix(fmt.Sprintf("%T", e), "*onebot.") {
			t.Errorf("a handler of all events got a %T", e)
		}
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		var told []string
		tell := func(e onebot.Event) { told = append(told, fmt.Sprintf("%T", e)) }
		ctx, cancel := context.WithCancel(h.Context())
		s := botlink.Of(b).NewSession("other", h.Caller, botlink.Options{Settled: tell, Delivered: func(e onebot.Event, _ bool) { tell(e) }})
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		h.Settle()
		s.Deliver(ncattest.Beat(true))
		h.Settle()
		cancel()
		<-ended
		if g := strings.Join(told, " "); g != "*onebot.Heartbeat *onebot.Heartbeat" {
			t.Errorf("a runtime was told of %s", g)
		}
		got = nil
		h.Event(ncattest.Beat(false))
		h.Event(ncattest.Beat(true))
		h.Event(ncattest.WentOffline("KickedOffLine", "kicked"))
		h.Event(ncattest.Beat(false))
		h.Event(ncattest.Beat(true))
		botDown(h)
	})
	if s := strings.Join(got, ", "); s != "off , on 10001, off kicked, on 10001, off link lost" {
		t.Errorf("saw %s", s)
	}
}
