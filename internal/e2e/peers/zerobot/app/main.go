// Command app is a bot on ZeroBot, as ncatd runs it: it finds its account in the
// environment, and answers /zerobot.
package main

import (
	"os"

	zero "github.com/wdvxdr1123/ZeroBot"
	"github.com/wdvxdr1123/ZeroBot/driver"
)

func main() {
	zero.OnCommand("zerobot").Handle(func(ctx *zero.Ctx) {
		args, _ := ctx.State["args"].(string)
		ctx.Send("zerobot: " + args)
	})
	zero.RunAndBlock(&zero.Config{
		CommandPrefix: "/",
		Driver:        []zero.Driver{driver.NewWebSocketClient(os.Getenv("ONEBOT_URL"), os.Getenv("ONEBOT_TOKEN"))},
	}, nil)
}
