// Package demo is the bot that the ncatd command has built in, so that a fresh
// installation answers something. It is written against the public SDK alone
// and is an example of it: 测试 gets the answer by which one knows that
// everything works, /ping a pong, /echo its text, /status how the bot fares. It
// leaves to the other plugins what one of them handles. It is a plugin, so that
// `ncatd plugin disable demo` and bot.plugins in the config silence it.
package demo

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

const help = `ncatd 内置示例机器人 / built-in demo bot
测试 – 检查一切正常 / see that everything works
/ping – 回复 pong / answers pong
/echo 文本 – 复读 / repeats the text
/status – 运行状态 / how the bot fares
/help – 本帮助 / this help`

// New returns the demo bot.
func New(opts ...ncat.Option) *ncat.Bot {
	b := ncat.New(opts...)
	b.AddPlugin(&demo{started: time.Now()})
	return b
}

type demo struct{ started time.Time }

var _ ncat.Plugin = (*demo)(nil)

// ID implements [ncat.Plugin].
func (d *demo) ID() string { return "demo" }

// Version implements [ncat.Plugin].
func (d *demo) Version() string { return "1" }

// Setup implements [ncat.Plugin].
func (d *demo) Setup(_ context.Context, h *ncat.Host) error {
	h.OnMessage(d.message, ncat.Named("demo"), ncat.Fallback())
	return nil
}

func (d *demo) message(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	if m.Msg().FromSelf() {
		return nil // two bots, or this one, must not talk to themselves for ever
	}
	text := strings.TrimSpace(m.Msg().Text())
	word, rest, _ := strings.Cut(text, " ")
	var answer string
	switch word {
	case "测试":
		if rest != "" {
			return nil
		}
		answer = "NcatBot 测试成功喵~"
	case "/ping":
		answer = "pong"
	case "/echo":
		if answer = strings.TrimSpace(rest); answer == "" {
			answer = "用法 / usage: /echo 文本"
		}
	case "/help":
		answer = help
	case "/status":
		answer = d.status(ctx, b)
	default:
		return nil
	}
	return b.Reply(ctx, m, answer)
}

// status says how the bot fares. A host that does not tell its version is no
// reason to say nothing.
func (d *demo) status(ctx context.Context, b *ncat.Bot) string {
	version := "?"
	if v, err := b.API().GetVersionInfo(ctx); err == nil {
		version = v.AppName + " " + v.AppVersion
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return fmt.Sprintf("账号 / account: %d\n运行 / uptime: %v\n后端 / host: %s\n内存 / memory: %.1f MiB",
		b.Self(), time.Since(d.started).Round(time.Second), version, float64(mem.Sys-mem.HeapReleased)/(1<<20))
}
