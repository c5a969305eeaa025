// Command hello is the first bot: it answers 测试, written to it in private,
// twice. Try it without QQ and without a network:
//
//	go run ./examples/hello start --sim
//	go run ./examples/hello sim say --user 3001000001 测试
//
// With a real account it is `go run ./examples/hello start`; every command of
// ncatd is there, see `go run ./examples/hello help`.
package main

import (
	"context"
	"log"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
		if m.Text() != "测试" {
			return nil
		}
		go again(ctx, b, m)
		_, err := b.Reply(ctx, m, "NcatBot 测试成功喵~")
		return err
	})
	return b
}

// again answers from a goroutine of its own, where everything works as it does in
// a handler; only its errors it has to deal with itself.
func again(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) {
	if _, err := b.Reply(ctx, m, "NcatBot 测试成功喵~ (goroutine)"); err != nil {
		b.Logger().Error("second answer", "error", err)
	}
}
