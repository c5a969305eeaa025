package ncat_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// What takes long does not hold up the rest of its chat.
func ExampleConcurrent() {
	b := ncat.New()
	thought := make(chan string)
	b.OnCommand("think", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, <-thought) // half a minute, if a model is asked
	}, ncat.Concurrent(4))
	b.OnCommand("ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		if err := b.Reply(ctx, m, "pong"); err != nil {
			return err
		}
		thought <- "42"
		return nil
	})
	performAtOnce(b, "/think", "/ping")
	// Output:
	// you: /think
	// you: /ping
	// bot: pong
	// bot: 42
}

// Each user has a cooldown of their own, and is told of it once.
func ExampleCooldown() {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("draw", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "a sword")
	}, ncat.Cooldown(time.Hour))
	perform(b, "/draw", "/draw")
	// Output:
	// you: /draw
	// bot: a sword
	// you: /draw
	// bot: too fast, try again in 1h0m0s
}

// Several limits count together.
func ExampleLimit() {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("ask", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "yes")
	}, ncat.Limit(2, 24*time.Hour), ncat.Limit(20, 30*24*time.Hour))
	perform(b, "/ask", "/ask", "/ask")
	// Output:
	// you: /ask
	// bot: yes
	// you: /ask
	// bot: yes
	// you: /ask
	// bot: too fast, try again in 24h0m0s
}

// Who lacks the role is told so.
func ExampleNeed() {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnCommand("restart", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "restarting")
	}, ncat.Need(ncat.RoleAdmin))
	perform(b, "/restart")
	// Output:
	// you: /restart
	// bot: you may not use this command
}

// A story that one message cannot take arrives as one card to open, a short one as
// it is.
func ExampleLong() {
	b := ncat.New()
	stories := map[string]string{"cat": "Once upon a time there was a cat."}
	b.OnCommand("story", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, ncat.Long(stories["cat"]))
	})
	perform(b, "/story")
	// Output:
	// you: /story
	// bot: Once upon a time there was a cat.
}

// Whoever looks after the bot is told when it is back.
func ExampleBot_OnOnline() {
	b := ncat.New(ncat.WithAdmins(10002))
	b.OnOnline(func(ctx context.Context, b *ncat.Bot) error {
		_, err := b.SendPrivate(ctx, 10002, "back again")
		return err
	})
}

// greeting is a plugin that says what can be set of it.
type greeting struct {
	config atomic.Pointer[greetingConfig]
}

type greetingConfig struct {
	Text  string        `yaml:"text"`
	Pause time.Duration `yaml:"pause"`
}

func (*greeting) ID() string      { return "greeting" }
func (*greeting) Version() string { return "1.0.0" }

// Defaults returns what counts for keys that nobody sets.
func (*greeting) Defaults() any { return &greetingConfig{Text: "welcome", Pause: time.Minute} }

func (g *greeting) Setup(ctx context.Context, h *ncat.Host) error {
	if err := g.Reload(ctx, h); err != nil {
		return err
	}
	ncat.On(h.Bot, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		_, err := b.SendGroup(ctx, e.GroupID, g.config.Load().Text)
		return err
	})
	return nil
}

// Reload takes a changed section while the bot runs: nothing is registered anew.
func (g *greeting) Reload(_ context.Context, h *ncat.Host) error {
	c := g.Defaults().(*greetingConfig)
	if err := h.Config(c); err != nil {
		return err
	}
	g.config.Store(c)
	return nil
}

// With Defaults, `ncatd config set bot.plugin_config.greeting.text hi` is checked
// and completed, and `ncatd config get` shows what counts.
func ExamplePluginConfigurer() {
	var p ncat.PluginConfigurer = new(greeting)
	fmt.Printf("%+v\n", p.Defaults())
	// Output: &{Text:welcome Pause:1m0s}
}

// A plugin with Reload keeps its handlers when its section changes; for one without
// it, Setup is called again.
func ExamplePluginReloader() {
	b := ncat.New()
	var p ncat.PluginReloader = new(greeting)
	b.AddPlugin(p)
}
