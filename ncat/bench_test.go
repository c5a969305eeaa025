package ncat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// instant answers every call at once.
type instant struct{}

func (instant) Call(_ context.Context, _ string, _, result any) error {
	return json.Unmarshal([]byte(`{"message_id":424242}`), result)
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
				_, err := bot.Reply(ctx, m, "pong")
				done <- struct{}{}
				return err
			})
			s := bot.NewSession("", instant{})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			frame := groupFrame(1, 1)
			b.ReportAllocs()
			for b.Loop() {
				s.Feed(append([]byte(nil), frame...))
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
					_, err := bot.Reply(ctx, m, "pong")
					done <- struct{}{}
					return err
				})
			}
			s := bot.NewSession("", instant{})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			frame := bytes.Replace(groupFrame(1, 1), []byte(`"ping 1"`), fmt.Appendf(nil, `"/ping%d"`, n-1), 1)
			b.ReportAllocs()
			for b.Loop() {
				s.Feed(append([]byte(nil), frame...))
				<-done
			}
			cancel()
			<-ended
		})
	}
}
