// Command traced is a worker that does what examples/worker does, and writes down when
// it begins with a message and when it has ended: a line `begin|end PID CHAT WHAT
// NANOSECONDS` in the file that its second argument names, for all workers the same. It
// is for tests.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncat/natsbot"
	"github.com/ncatd/ncatd/onebot"
)

// handling is how long a message is handled at least, so that two workers that handle a
// chat at a time are seen.
const handling = 5 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer f.Close()
	note := func(how string, m onebot.MessageEvent, what string) {
		// One write each, so that lines of several processes do not mix.
		if _, err := fmt.Fprintf(f, "%s %d %d/%d %s %d\n", how, os.Getpid(), m.Base().SelfID, ncat.ChatOf(m).Group, what, time.Now().UnixNano()); err != nil {
			panic(err)
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	b := ncat.New(ncat.WithLogger(log))
	ncat.Command(b, "take", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		What string `arg:"what"`
	}) error {
		note("begin", m, a.What)
		defer note("end", m, a.What)
		t := time.NewTimer(handling)
		defer t.Stop()
		n, err := ncat.Update(ctx, b.Store(), "taken/"+a.What, func(n int, _ bool) (int, error) { return n + 1, nil })
		if err == nil {
			err = b.Reply(ctx, m, fmt.Sprintf("%s：第 %d 份", a.What, n))
		}
		<-t.C
		return err
	})
	err = natsbot.Join(ctx, b, natsbot.Options{URL: os.Args[1], Group: "shop", Logger: log})
	if ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}
