// Command groupadmin looks after groups: it welcomes who joins, recalls messages
// with banned words, and lets members vote on removing somebody, which an
// administrator begins with /votekick @WHO.
//
//	go run ./examples/groupadmin start --sim
//	go run ./examples/groupadmin sim say --group 700000001 --user 3001000003 看广告吗
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot("广告", "刷单"))) }

// votes is how many must agree, and voteTime how long they have.
const (
	votes    = 3
	voteTime = 2 * time.Minute
)

func newBot(banned ...string) *ncat.Bot {
	b := ncat.New()
	ncat.On(b, welcome, ncat.Where(ncat.NotSelf()))
	b.OnGroup(ban, ncat.Where(ncat.Keyword(banned...), ncat.ByGroupAdmin().Not(), ncat.NotSelf()), ncat.Priority(200))
	ncat.Command(b, "votekick", voteKick, ncat.Help("投票移出成员"), ncat.Where(ncat.InGroup()), ncat.Need(ncat.RoleGroupAdmin))
	return b
}

func welcome(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
	_, err := b.SendGroup(ctx, e.GroupID, onebot.At(e.UserID), " 欢迎入群！")
	return err
}

// ban takes the message back; what it says reaches no other handler.
func ban(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	if err := b.API().DeleteMsg(ctx, onebot.DeleteMsgParams{MessageID: m.MessageID}); err != nil {
		return err
	}
	if err := b.Mention(ctx, m, "请勿发送违禁内容"); err != nil {
		return err
	}
	return ncat.ErrStop
}

func voteKick(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	Who onebot.UserID `arg:"who" help:"要移出的成员"`
}) error {
	group := ncat.ChatOf(m).Group
	agreed := map[onebot.UserID]bool{}
	question := any(onebot.Message{onebot.Text("移出 "), onebot.At(a.Who), onebot.Textf("？同意请发 同意（%d 票）", votes)})
	end := time.Now().Add(voteTime)
	for len(agreed) < votes {
		answer, err := b.Ask(ctx, m, question, ncat.FromAnyone(), ncat.Within(time.Until(end)),
			ncat.AnswerWhere(ncat.TextIs("同意"), ncat.Not(ncat.FromUser(a.Who))))
		if errors.Is(err, ncat.ErrNoAnswer) {
			_, err = b.SendGroup(ctx, group, fmt.Sprintf("投票结束，%d/%d 票，未通过", len(agreed), votes))
			return err
		}
		if err != nil {
			return err
		}
		agreed[answer.Msg().UserID] = true
		question = nil
	}
	if err := b.API().SetGroupKick(ctx, onebot.SetGroupKickParams{GroupID: group, UserID: a.Who}); err != nil {
		return err
	}
	_, err := b.SendGroup(ctx, group, "投票通过，已移出")
	return err
}
