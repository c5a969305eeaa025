// Command remote runs a bot on a NapCat that is there already, on this machine or
// another one, over its forward WebSocket. It is a bot and nothing more: without
// ncatd's commands, and without a home.
//
//	ncatd sim onebot --port 3001 --token secret      # or a real NapCat
//	ONEBOT_TOKEN=secret go run ./examples/remote ws://127.0.0.1:3001
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ONEBOT_TOKEN=TOKEN remote URL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := newBot(ncat.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	// Dial connects again whenever the link is lost. It ends with ctx, or with a
	// token that is refused, because that will not mend by itself.
	err := b.Dial(ctx, os.Args[1], os.Getenv("ONEBOT_TOKEN"))
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, ncat.ErrBadToken) {
		err = errors.New("the token in ONEBOT_TOKEN is wrong")
	}
	fmt.Fprintln(os.Stderr, "remote:", err)
	os.Exit(1)
}

func newBot(opts ...ncat.Option) *ncat.Bot {
	b := ncat.New(opts...)
	b.OnCommand("where", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		v, err := b.API().GetVersionInfo(ctx)
		if err != nil {
			return err
		}
		return b.Quote(ctx, m, fmt.Sprintf("%d 在 %s %s", b.Self(), v.AppName, v.AppVersion))
	}, ncat.Alias("在哪"), ncat.Help("机器人在哪台主机上"))
	return b
}
