package script

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// answered counts the messages that a bot sent, on a caller that answers at once.
type answered struct{ wg sync.WaitGroup }

func (a *answered) Call(_ context.Context, action string, _, result any) error {
	if r, ok := result.(*onebot.SendResult); ok && strings.HasPrefix(action, "send_") {
		r.MessageID = 1
		a.wg.Done()
	}
	return nil
}

// play feeds b.N messages and waits for their answers.
func play(b *testing.B, bot *ncat.Bot) {
	a := &answered{}
	s := botlink.Of(bot).NewSession("", a, botlink.Options{})
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	defer func() { cancel(); wg.Wait() }()
	s.Feed(ncattest.Frame(ncattest.Connected()))
	frames := make([][]byte, b.N)
	for i := range frames {
		m := ncattest.PrivateMessage(onebot.UserID(1000+i%50), "/ping "+strconv.Itoa(i))
		m.SelfID, m.MessageID = ncattest.Self, onebot.MessageID(i+1)
		frames[i] = ncattest.Frame(m)
	}
	const most = 256 // that wait at a time
	b.ResetTimer()
	for i, f := range frames {
		if i%most == 0 {
			a.wg.Wait()
		}
		a.wg.Add(1)
		s.Feed(f)
	}
	a.wg.Wait()
}

func pingBot() *ncat.Bot {
	bot := ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff}))
	ncat.Command(bot, "ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, args struct {
		N int `arg:"n"`
	}) error {
		return b.Reply(ctx, m, "pong "+strconv.Itoa(args.N))
	})
	return bot
}

func BenchmarkPingGo(b *testing.B) { play(b, pingBot()) }

func scripted(b *testing.B, bot *ncat.Bot, source string) *ncat.Bot {
	st := newBench(b)
	st.write("ping.ts", source)
	bot.AddPlugin(st.plugin("ping.ts"))
	return bot
}

func BenchmarkPingScript(b *testing.B) {
	play(b, scripted(b, ncat.New(ncat.WithBackfill(ncat.Backfill{Mode: ncat.BackfillOff})),
		`import { command, arg } from "ncat"; command("ping", { n: arg.int() }, (m, { n }) => m.reply("pong " + n));`))
}

// BenchmarkPingGoBesideScript is BenchmarkPingGo with a script whose filter passes
// nothing: the difference is what that costs.
func BenchmarkPingGoBesideScript(b *testing.B) {
	play(b, scripted(b, pingBot(), `import { onMessage, textIs } from "ncat"; onMessage(textIs("else"), () => {});`))
}
