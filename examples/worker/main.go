// Command worker answers for a whole fleet: run it as often as there is work for,
// on any machine. It knows the way to NATS and nothing of NapCat.
//
//	go run ./examples/worker nats://127.0.0.1:4222
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncat/natsbot"
	"github.com/ncatd/ncatd/onebot"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: worker URL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	b := newBot(ncat.WithLogger(log))
	err := natsbot.Join(ctx, b, natsbot.Options{URL: os.Args[1], Creds: os.Getenv("NATS_CREDS"), Group: "shop", Logger: log})
	if ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

type takeArgs struct {
	What string `arg:"what" help:"要领的东西"`
}

// newBot counts what was taken. The count is the group's: all workers share it.
func newBot(opts ...ncat.Option) *ncat.Bot {
	b := ncat.New(opts...)
	ncat.Command(b, "take", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a takeArgs) error {
		n, err := ncat.Update(ctx, b.Store(), "taken/"+a.What, func(n int, _ bool) (int, error) { return n + 1, nil })
		if err != nil {
			return err
		}
		return b.Reply(ctx, m, fmt.Sprintf("%s：第 %d 份", a.What, n))
	}, ncat.Alias("领"), ncat.Help("领一份东西"))
	b.OnCommand("die", func(context.Context, *ncat.Bot, onebot.MessageEvent) error {
		if os.Getenv("WORKER_MAY_DIE") == "" {
			return nil
		}
		os.Exit(9)
		return nil
	}, ncat.Hidden())
	return b
}
