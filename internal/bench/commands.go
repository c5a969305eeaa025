package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// blockEnv tells how long the command "block" blocks its chat.
const blockEnv = "NCATD_BENCH_BLOCK"

// commands is a bot with 200 commands, of which "ping N" is one and "block"
// another.
func commands(ctx context.Context, url string) {
	blockFor, err := time.ParseDuration(os.Getenv(blockEnv))
	if err != nil {
		blockFor = *block
	}
	b := ncat.New(ncat.WithPrefixes(""))
	for n := range 198 {
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
	b.OnCommand("block", func(ctx context.Context, _ *ncat.Bot, _ onebot.MessageEvent) error {
		t := time.NewTimer(blockFor)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		return nil
	})
	if err := b.Dial(ctx, url, os.Getenv("WS_TOKEN")); ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
