// Command lottery draws prizes and answers from a table. An administrator begins
// with /抽奖 5m 2 一本书, who writes 参加 takes part, and when the time is over the
// winners are drawn. /添加 词 回答 teaches an answer, /删除 词 forgets it; what is
// taught needs no prefix.
//
//	go run ./examples/lottery start --sim
//	go run ./examples/lottery sim say --group 700000001 --user 3001000001 "/抽奖 1m 1 一本书"
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot(rand.Shuffle))) }

func newBot(shuffle func(n int, swap func(i, j int))) *ncat.Bot {
	b, l := ncat.New(), &lottery{shuffle: shuffle, draws: map[onebot.GroupID][]onebot.UserID{}}
	ncat.Command(b, "draw", l.draw, ncat.Alias("抽奖"), ncat.Help("抽奖"), ncat.Where(ncat.InGroup()), ncat.Need(ncat.RoleGroupAdmin))
	b.OnText("参加", l.join, ncat.Where(ncat.InGroup()))
	ncat.Command(b, "teach", teach, ncat.Alias("添加"), ncat.Help("添加自动回复"), ncat.Need(ncat.RoleGroupAdmin))
	ncat.Command(b, "unteach", unteach, ncat.Alias("删除"), ncat.Help("删除自动回复"), ncat.Need(ncat.RoleGroupAdmin))
	b.OnMessage(answer, ncat.Where(ncat.NotSelf()), ncat.Priority(-1))
	return b
}

type lottery struct {
	shuffle func(n int, swap func(i, j int))

	mu    sync.Mutex
	draws map[onebot.GroupID][]onebot.UserID // who takes part where a draw goes on
}

func (l *lottery) draw(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	For   time.Duration `arg:"for" help:"多久，如 5m"`
	N     int           `arg:"n" help:"几个人中奖"`
	Prize string        `arg:"prize,rest" help:"奖品"`
}) error {
	group := ncat.ChatOf(m).Group
	l.mu.Lock()
	_, on := l.draws[group]
	if !on {
		l.draws[group] = []onebot.UserID{}
	}
	l.mu.Unlock()
	if on {
		return b.Quote(ctx, m, "已经有一个抽奖了")
	}
	b.Go(func(ctx context.Context) { l.end(ctx, b, group, a.For, a.N, a.Prize) })
	return b.Reply(ctx, m, fmt.Sprintf("抽 %s，%d 人中奖，%v 后开奖，发「参加」", a.Prize, a.N, a.For))
}

func (l *lottery) join(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	l.mu.Lock()
	users, on := l.draws[ncat.ChatOf(m).Group]
	for _, u := range users {
		on = on && u != m.Msg().UserID
	}
	if on {
		l.draws[ncat.ChatOf(m).Group] = append(users, m.Msg().UserID)
	}
	l.mu.Unlock()
	if !on {
		return nil // nothing goes on, or he takes part already
	}
	return b.Quote(ctx, m, fmt.Sprintf("第 %d 位", len(users)+1))
}

func (l *lottery) end(ctx context.Context, b *ncat.Bot, group onebot.GroupID, d time.Duration, n int, prize string) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return
	}
	l.mu.Lock()
	users := l.draws[group]
	delete(l.draws, group)
	l.mu.Unlock()
	l.shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	content := []any{"开奖：", prize, " 没有人参加"}
	if len(users) > 0 {
		content = []any{"恭喜获得", prize, "："}
	}
	for _, u := range users[:min(n, len(users))] {
		content = append(content, onebot.At(u), " ")
	}
	if _, err := b.SendGroup(ctx, group, content...); err != nil {
		b.Logger().Error("winners not told", "group_id", group, "error", err)
	}
}

func word(m onebot.MessageEvent, w string) string {
	return fmt.Sprintf("%d/%s", ncat.ChatOf(m).Group, strings.TrimSpace(w))
}

func teach(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	Word   string `arg:"word" help:"听到什么"`
	Answer string `arg:"answer,rest" help:"回答什么"`
}) error {
	if err := ncat.Put(ctx, b.Store(), word(m, a.Word), a.Answer); err != nil {
		return err
	}
	return b.Quote(ctx, m, "记住了")
}

func unteach(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	Word string `arg:"word,rest" help:"忘记什么"`
}) error {
	if err := ncat.Delete(ctx, b.Store(), word(m, a.Word)); err != nil {
		return err
	}
	return b.Quote(ctx, m, "忘记了")
}

func answer(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	text, ok, err := ncat.Get[string](ctx, b.Store(), word(m, m.Msg().Text()))
	if err != nil || !ok {
		return err
	}
	return b.Reply(ctx, m, text)
}
