// Command signin keeps a daily sign-in: /签到 once a day, counted as a streak that
// breaks when a day is left out, and /签到榜 for who has the longest. What it
// knows is in the bot's store, on disk.
//
//	go run ./examples/signin start --sim
//	go run ./examples/signin sim say --group 700000001 /签到
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("sign", sign, ncat.Alias("签到"), ncat.Help("每日签到"))
	b.OnCommand("streaks", streaks, ncat.Alias("签到榜"), ncat.Help("连续签到榜"), ncat.Where(ncat.InGroup()))
	return b
}

// record is what is known of one user in one chat.
type record struct {
	Name   string    `json:"name"`
	Last   time.Time `json:"last"`
	Streak int       `json:"streak"` // days in a row
	Total  int       `json:"total"`
}

// china is where a day begins.
var china = time.FixedZone("UTC+8", 8*60*60)

func day(t time.Time) string { return t.In(china).Format(time.DateOnly) }

func prefix(m onebot.MessageEvent) string { return fmt.Sprintf("%d/", ncat.ChatOf(m).Group) }

func sign(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	again, now := false, time.Now()
	r, err := ncat.Update(ctx, b.Store(), prefix(m)+m.Msg().UserID.String(), func(r record, _ bool) (record, error) {
		switch day(r.Last) {
		case day(now):
			again = true
			return r, nil
		case day(now.AddDate(0, 0, -1)):
			r.Streak++
		default:
			r.Streak = 1
		}
		r.Name, r.Last, r.Total = m.Msg().Sender.Nickname, now, r.Total+1
		return r, nil
	})
	if err != nil {
		return err
	}
	if again {
		return b.Mention(ctx, m, fmt.Sprintf("今天已经签到过了，连续 %d 天", r.Streak))
	}
	return b.Mention(ctx, m, fmt.Sprintf("签到成功！连续 %d 天，共 %d 天", r.Streak, r.Total))
}

func streaks(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	all, err := ncat.Scan[record](ctx, b.Store(), prefix(m))
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b ncat.Entry[record]) int { return cmp.Compare(b.Value.Streak, a.Value.Streak) })
	var s strings.Builder
	s.WriteString("连续签到榜")
	for i, e := range all[:min(len(all), 10)] {
		fmt.Fprintf(&s, "\n%d. %s %d 天", i+1, e.Value.Name, e.Value.Streak)
	}
	return b.Reply(ctx, m, s.String())
}
