package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// commands is a bot with n commands, of which "ping N" is one, and another,
// "slow", that waits.
func commands(ctx context.Context, n int, url string) error {
	b := ncat.New(ncat.WithPrefixes(""))
	for n := range n - 1 {
		b.OnCommand(fmt.Sprintf("command%d", n), func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			return b.Reply(ctx, m, "done")
		})
	}
	type args struct {
		N int `arg:"n"`
	}
	ncat.Command(b, "ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a args) error {
		return b.Reply(ctx, m, fmt.Sprintf("pong %d", a.N))
	})
	b.OnCommand("slow", func(ctx context.Context, _ *ncat.Bot, _ onebot.MessageEvent) error {
		t := time.NewTimer(slowFor)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		return nil
	})
	err := b.Dial(ctx, url, os.Getenv("WS_TOKEN"))
	if ctx.Err() != nil {
		return nil
	}
	return err
}
