// Command digest collects messages of a group and sends them as one merged
// forward: quote a message and write /收藏; /精华 shows today's collection, and
// at 21:00 it is sent and begun anew.
//
//	go run ./examples/digest start --sim
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("collect", collect, ncat.Alias("收藏"), ncat.Help("收藏引用的消息"), ncat.Where(ncat.InGroup()))
	b.OnCommand("digest", show, ncat.Alias("精华"), ncat.Help("今天的收藏"), ncat.Where(ncat.InGroup()))
	if _, err := b.Schedule("evening", "daily 21:00", evening); err != nil {
		panic(err) // it can be wrong only in the line above
	}
	return b
}

// collection is what was collected in a group for one account. NapCat finds
// messages by their ids as long as they are among the last few thousand, which is
// why a collection is kept for one day only.
type collection struct {
	IDs []onebot.MessageID `json:"ids"`
}

func prefix(b *ncat.Bot) string { return b.Self().String() + "/" }

func collect(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	id := m.Msg().Message.ReplyTo()
	if id == 0 {
		return b.Quote(ctx, m, "请引用要收藏的消息")
	}
	c, err := ncat.Update(ctx, b.Store(), prefix(b)+ncat.ChatOf(m).Group.String(), func(c collection, _ bool) (collection, error) {
		if !slices.Contains(c.IDs, id) {
			c.IDs = append(c.IDs, id)
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	return b.Quote(ctx, m, fmt.Sprintf("已收藏，今天共 %d 条", len(c.IDs)))
}

func show(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	chat := ncat.ChatOf(m)
	c, _, err := ncat.Get[collection](ctx, b.Store(), prefix(b)+chat.Group.String())
	if err != nil {
		return err
	}
	if len(c.IDs) == 0 {
		return b.Quote(ctx, m, "今天还没有收藏")
	}
	_, err = b.Forward(ctx, chat, c.IDs...)
	return err
}

// evening sends every collection of every account and empties those it sent.
func evening(ctx context.Context, b *ncat.Bot) error {
	for _, b := range b.Accounts() {
		all, err := ncat.Scan[collection](ctx, b.Store(), prefix(b))
		if err != nil {
			return err
		}
		for _, e := range all {
			group, err := onebot.ParseGroupID(strings.TrimPrefix(e.Key, prefix(b)))
			if err != nil {
				return err
			}
			if _, err := b.Forward(ctx, ncat.Group(group), e.Value.IDs...); err != nil {
				b.Logger().Warn("digest not sent", "group_id", group, "error", err)
				continue
			}
			if err := ncat.Delete(ctx, b.Store(), e.Key); err != nil {
				return err
			}
		}
	}
	return nil
}
