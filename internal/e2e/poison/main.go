// Command poison is an ncatd whose bot ends the process at the message /poison:
// on a goroutine of its own, where nothing recovers the panic. Everything else it
// answers as the built-in bot does.
package main

import (
	"context"
	"log"
	"strings"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/internal/bot/demo"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() {
	b := demo.New()
	b.OnMessage(func(ctx context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
		if strings.TrimSpace(m.Msg().Text()) != "/poison" {
			return nil
		}
		go func() { panic("a poisoned handler") }()
		<-ctx.Done()
		return ctx.Err()
	}, ncat.Named("poison"))
	log.Fatal(ncatd.Main(b))
}
