package ncat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// The whole of a bot that connects to a NapCat which is already there.
func Example() {
	b := ncat.New()
	b.OnPrivate(func(ctx context.Context, b *ncat.Bot, m *onebot.PrivateMessage) error {
		if m.Text() != "测试" {
			return nil
		}
		return b.Reply(ctx, m, "NcatBot 测试成功喵~")
	})
	log.Fatal(b.Dial(context.Background(), "ws://127.0.0.1:3001", os.Getenv("WS_TOKEN")))
}

// Handlers can be registered for any event; filters and priorities decide which
// of them run and when.
func ExampleOn() {
	b := ncat.New()
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
		_, err := b.SendGroup(ctx, e.GroupID, onebot.At(e.UserID), " 欢迎！")
		return err
	})
	fromOwner := func(b *ncat.Bot, e onebot.Event) bool {
		m, ok := e.(*onebot.GroupMessage)
		return ok && m.Sender.Role == onebot.RoleOwner
	}
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.Text() != "安静" {
			return nil
		}
		if err := b.API().SetGroupWholeBan(ctx, onebot.SetGroupWholeBanParams{GroupID: m.GroupID, Enable: new(true)}); err != nil {
			return err
		}
		return ncat.ErrStop // nobody else shall answer it
	}, ncat.Where(fromOwner), ncat.Priority(10), ncat.Named("quiet"))
}

// A send that failed may or may not have been delivered; the error says which.
func ExampleBot_Send() {
	send := func(ctx context.Context, b *ncat.Bot) error {
		_, err := b.Send(ctx, ncat.Group(700000001), "早上好")
		switch {
		case err == nil:
			return nil
		case errors.Is(err, onebot.ErrNotSent):
			return fmt.Errorf("nothing was sent, try again later: %w", err)
		case onebot.MaybeDone(err):
			return fmt.Errorf("it may have arrived, better not repeat it: %w", err)
		}
		return fmt.Errorf("QQ does not want it: %w", err)
	}
	_ = send
}
