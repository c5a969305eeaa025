package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ncatd/ncatd/internal/script"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// The scripts that are measured: one does what the bot's own handler does, the
// other's filter passes nothing.
const (
	answering = `import { command, arg } from "ncat";
command("ping", { n: arg.int() }, (m, { n }) => m.reply("pong " + n));
`
	passedBy = `import { onGroup, textIs } from "ncat";
onGroup(textIs("something else"), () => {});
`
)

// scripted is a bot with a script, and with go also with the handler in Go.
func scripted(ctx context.Context, kind, url string) error {
	source := answering
	b := ncat.New(ncat.WithPrefixes(""))
	if kind != "script" {
		ncat.Command(b, "ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
			N int `arg:"n"`
		}) error {
			return b.Reply(ctx, m, fmt.Sprintf("pong %d", a.N))
		})
		source = passedBy
	}
	if kind != "go" {
		dir, err := os.MkdirTemp("", "bench-script")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.WriteFile(filepath.Join(dir, "ping.ts"), []byte(source), 0o600); err != nil {
			return err
		}
		m := script.New(dir, b, script.Environment{Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Grants: func(string) script.Grants { return script.Grants{} }, Section: func(string) map[string]any { return nil }})
		m.Load(ctx, nil)
	}
	err := b.Dial(ctx, url, os.Getenv("WS_TOKEN"))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// scripts compares, from a frame on the link to its answer there, a handler in Go
// with the same in a script, and with itself beside a script whose filter passes
// nothing.
func scripts(ctx context.Context, self string) error {
	bots := make([]*bot, 3)
	for i, kind := range []string{"go", "script", "both"} {
		bots[i] = &bot{name: kind, args: []string{self, "scripted", kind}}
	}
	return onStages(ctx, bots, func(ctx context.Context) error {
		for round := range *rounds + 1 {
			for i := range bots {
				b := bots[(i+round)%len(bots)]
				if err := b.turn(ctx, round == 0); err != nil {
					return fmt.Errorf("%s: %w", b.name, err)
				}
			}
		}
		base, js, both := bots[0], bots[1], bots[2]
		return errors.Join(table(bots),
			verdict(fmt.Sprintf("CPU per event of a script at %d/s, times the handler in Go", *rate), ratio(js.steady, base.steady, cpu), mostScript, ""),
			verdict("burst CPU per event of a script, times the handler in Go", ratio(js.burst, base.burst, cpu), mostScript, ""),
			verdict("CPU per event of a script whose filter does not match", apart(both.burst, base.burst, cpu), mostFilter, " us"))
	})
}
