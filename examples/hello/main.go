// Command hello is a bot in five lines, and a whole ncatd: `hello start --sim`
// tries it without QQ. Write 测试 to it in private.
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
	b.OnPrivate(hello, ncat.Where(ncat.TextIs("测试"), ncat.NotSelf()))
	return b
}

// hello answers twice: from the handler itself and from another goroutine. Both
// ways are alike; only what is not waited for needs a context that outlives the
// handler, and its errors are its own to tell.
func hello(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
	go func() {
		if _, err := b.Reply(ctx, m, "NcatBot 测试成功喵~ (goroutine)"); err != nil {
			b.Logger().Error("second answer", "error", err)
		}
	}()
	_, err := b.Reply(ctx, m, "NcatBot 测试成功喵~")
	return err
}
