// Command app is a bot on ZeroBot, as ncatd runs it: it finds its account in the
// environment, and answers /zerobot. With WAITS it waits for a reverse WebSocket
// there. What it heard goes into the file that HEARD names, and what of that came with
// the mark into one beside it.
package main

import (
	"fmt"
	"os"
	"sync"

	zero "github.com/wdvxdr1123/ZeroBot"
	"github.com/wdvxdr1123/ZeroBot/driver"
)

func main() {
	var mu sync.Mutex
	heard, err := os.OpenFile(os.Getenv("HEARD"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	var again *os.File
	if err == nil {
		again, err = os.OpenFile(heard.Name()+".replayed", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	}
	if err == nil {
		zero.OnMessage().SetBlock(false).Handle(func(ctx *zero.Ctx) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(heard, ctx.Event.RawMessage)
			if ctx.Event.RawEvent.Get("replayed").Bool() {
				fmt.Fprintln(again, ctx.Event.RawMessage)
			}
		})
	}
	zero.OnCommand("zerobot").Handle(func(ctx *zero.Ctx) {
		args, _ := ctx.State["args"].(string)
		ctx.Send("zerobot: " + args)
	})
	var link zero.Driver = driver.NewWebSocketClient(os.Getenv("ONEBOT_URL"), os.Getenv("ONEBOT_TOKEN"))
	if addr := os.Getenv("WAITS"); addr != "" {
		link = driver.NewWebSocketServer(16, "ws://127.0.0.1:"+addr, os.Getenv("ONEBOT_TOKEN"))
	}
	zero.RunAndBlock(&zero.Config{CommandPrefix: "/", Driver: []zero.Driver{link}}, nil)
}
