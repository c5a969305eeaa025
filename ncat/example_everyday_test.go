package ncat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func ExampleBot_KeepRecent() {
	b := ncat.New()
	recent := b.KeepRecent(1000, ncat.Where(ncat.InGroup(700000001)))
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupRecall) error {
		m, ok := recent.Of(e)
		if !ok {
			return nil // it came before the bot
		}
		_, err := b.SendGroup(ctx, e.GroupID, m.Msg().Sender.Nickname, " took back: ", m.Msg().Message)
		return err
	})
}

func ExampleBot_Copy() {
	b := ncat.New()
	other := map[onebot.GroupID]onebot.GroupID{700000001: 700000002, 700000002: 700000001}
	copies := ncat.NewCopies(10000)
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		_, err := b.Copy(ctx, m, ncat.Group(other[m.GroupID]), copies, m.Sender.Nickname, ": ")
		return err
	}, ncat.Where(ncat.InGroup(700000001, 700000002), ncat.NotSelf()))
}

func ExampleBot_OnRepeat() {
	b := ncat.New()
	b.OnRepeat(3, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, m.Msg().Message) // the bot joins in
	})
}

func ExampleBot_AddGroupSwitches() {
	b := ncat.New()
	b.AddGroupSwitches("points", "quiz") // /disable points, by whoever runs the group
}

func ExampleBot_HTTP() {
	b := ncat.New()
	b.OnCommand("motd", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://bot.example/motd.txt", nil)
		if err != nil {
			return err
		}
		res, err := b.HTTP().Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		return b.Reply(ctx, m, ncat.Long(string(text)))
	})
}

func ExampleBot_Dir() {
	b := ncat.New()
	b.OnCommand("note", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		dir, err := b.Dir()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte(m.Msg().Text()), 0o600); err != nil {
			return err
		}
		return b.Reply(ctx, m, "noted")
	})
}

func ExampleWithTimeZone() {
	b := ncat.New(ncat.WithTimeZone(time.FixedZone("CST", 8*60*60)))
	b.OnCommand("time", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, time.Unix(0, 0).In(b.Location()).Format("15:04"))
	})
	perform(b, "/time")
	// Output:
	// you: /time
	// bot: 08:00
}
