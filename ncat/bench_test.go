package ncat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// instant answers every call at once.
type instant struct{}

func (instant) Call(_ context.Context, _ string, _, result any) error {
	return json.Unmarshal([]byte(`{"message_id":424242}`), result)
}

// numbered returns what makes copies of a frame with message numbers of their own:
// a message that comes again is not handled again.
func numbered(frame []byte) func(n int) []byte {
	before, after, _ := bytes.Cut(frame, []byte(`"message_id":2,`))
	return func(n int) []byte {
		b := append(make([]byte, 0, len(frame)+16), before...)
		b = append(b, `"message_id":`...)
		b = strconv.AppendInt(b, int64(n)+1, 10)
		return append(append(b, ','), after...)
	}
}

// BenchmarkEvent is one group message from its frame to the handler's reply,
// without a link, so that what it allocates is the bot's own. Handlers that do
// not want the event stand beside the one that does.
func BenchmarkEvent(b *testing.B) {
	for _, others := range []int{0, 200} {
		b.Run(fmt.Sprintf("handlers=%d", others+1), func(b *testing.B) {
			bot := ncat.New()
			for range others {
				bot.OnPrivate(func(context.Context, *ncat.Bot, *onebot.PrivateMessage) error { return nil })
			}
			done := make(chan struct{}, 1)
			bot.OnGroup(func(ctx context.Context, bot *ncat.Bot, m *onebot.GroupMessage) error {
				err := bot.Reply(ctx, m, "pong")
				done <- struct{}{}
				return err
			})
			s := botlink.Of(bot).NewSession("", instant{}, botlink.Options{})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			frame := numbered(groupFrame(1, 1))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				s.Feed(frame(n))
				<-done
			}
			cancel()
			<-ended
		})
	}
}

// BenchmarkCommand is one message that is a command, from its frame to the
// reply, with few and with many commands registered.
func BenchmarkCommand(b *testing.B) {
	for _, n := range []int{1, 200, 2000} {
		b.Run(fmt.Sprintf("commands=%d", n), func(b *testing.B) {
			bot := ncat.New()
			done := make(chan struct{}, 1)
			for i := range n {
				bot.OnCommand(fmt.Sprintf("ping%d", i), func(ctx context.Context, bot *ncat.Bot, m onebot.MessageEvent) error {
					err := bot.Reply(ctx, m, "pong")
					done <- struct{}{}
					return err
				})
			}
			s := botlink.Of(bot).NewSession("", instant{}, botlink.Options{})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			frame := numbered(bytes.Replace(groupFrame(1, 1), []byte(`"ping 1"`), fmt.Appendf(nil, `"/ping%d"`, n-1), 1))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				s.Feed(frame(n))
				<-done
			}
			cancel()
			<-ended
		})
	}
}
