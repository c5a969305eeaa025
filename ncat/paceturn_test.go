package ncat_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// A message that is refused, or whose sender gave up waiting, gives its turn
// back: the next one goes when it would have without it.
func TestATurnThatIsNotTakenIsGivenBack(t *testing.T) {
	for name, opts := range map[string][]ncat.Option{
		"account, refused": {ncat.WithSendRate(1, 10*time.Second), ncat.WithSendPolicy(ncat.SendRefuse)},
		"chat, refused":    {ncat.WithChatSendRate(1, 10*time.Second), ncat.WithSendPolicy(ncat.SendRefuse)},
		"account, gave up": {ncat.WithSendRate(1, 10*time.Second)},
		"chat, gave up":    {ncat.WithChatSendRate(1, 10*time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := botlink.Of(ncat.New(opts...)).NewSession("", instant{}, botlink.Options{})
				send := func(patience time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					var r onebot.SendResult
					return s.Call(ctx, "send_group_msg", &onebot.SendGroupMsgParams{GroupID: 1, Message: onebot.Message{onebot.Text("x")}}, &r)
				}
				if err := send(time.Second); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					time.Sleep(time.Second)
					if err := send(100 * time.Millisecond); !errors.Is(err, onebot.ErrNotSent) {
						t.Fatalf("a message too soon: %v", err)
					}
				}
				time.Sleep(8 * time.Second)
				if err := send(100 * time.Millisecond); err != nil {
					t.Errorf("when its turn has come: %v", err)
				}
			})
		})
	}
}
