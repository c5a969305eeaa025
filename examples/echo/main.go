// Command echo repeats what is said to it: /echo TEXT, pictures and faces
// included, and whatever mentions it in a group.
//
//	go run ./examples/echo start --sim
//	go run ./examples/echo sim say --group 700000001 "/echo 你好[CQ:face,id=14]"
package main

import (
	"context"
	"log"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

type echoArgs struct {
	What onebot.Message `arg:"what,rest" help:"任何内容"`
}

func newBot() *ncat.Bot {
	b := ncat.New()
	ncat.Command(b, "echo", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a echoArgs) error {
		return b.Reply(ctx, m, a.What)
	}, ncat.Alias("复读"), ncat.Help("复读"))
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		said := m.Message.Without("at", "reply").Trim()
		if len(said) == 0 {
			return nil
		}
		return b.Quote(ctx, m, said)
	}, ncat.Where(ncat.MentionsMe(), ncat.NotSelf()))
	return b
}
