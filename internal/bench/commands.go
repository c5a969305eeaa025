package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// commands is a bot with 200 commands, of which "ping N" is one.
func commands(ctx context.Context, url string) {
	b := ncat.New(ncat.WithPrefixes(""))
	for n := range 199 {
		b.OnCommand(fmt.Sprintf("command%d", n), func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			_, err := b.Reply(ctx, m, "done")
			return err
		})
	}
	type args struct {
		N int `arg:"n"`
	}
	ncat.Command(b, "ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a args) error {
		_, err := b.Reply(ctx, m, fmt.Sprintf("pong %d", a.N))
		return err
	})
	if err := b.Dial(ctx, url, os.Getenv("WS_TOKEN")); ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
