// Command pingpong answers every group message "ping N" with "pong N". It
// connects to the endpoint in its first argument, else in $WS_URL, with the
// token in $WS_TOKEN. `make bench` measures it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// pong is the whole bot.
func pong(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	n, ok := strings.CutPrefix(m.Text(), "ping ")
	if !ok {
		return nil
	}
	return b.Reply(ctx, m, "pong "+n)
}

func main() {
	url := os.Getenv("WS_URL")
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	if url == "" {
		fmt.Fprintln(os.Stderr, "usage: pingpong URL (or WS_URL=URL pingpong)")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := ncat.New(ncat.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	b.OnGroup(pong)
	if err := b.Dial(ctx, url, os.Getenv("WS_TOKEN")); !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "pingpong:", err)
		os.Exit(1)
	}
}
