package ncat_test

import (
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
