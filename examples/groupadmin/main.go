// Command groupadmin looks after groups: who joins has to solve a sum, and is
// removed if he does not; messages with banned words are recalled; what members
// recall is told again; and members vote on removing somebody, which an
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
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot("广告", "刷单"))) }

// votes is how many must agree, and voteTime how long they have; sumTime is how
// long somebody new has, and kept how long a recalled message can be told again.
const (
	votes    = 3
	voteTime = 2 * time.Minute
	sumTime  = 2 * time.Minute
	kept     = 10 * time.Minute
)

func newBot(banned ...string) *ncat.Bot {
	b := ncat.New()
	ncat.On(b, verify, ncat.Where(ncat.NotSelf()), ncat.Concurrent(100))
	b.OnGroup(keep, ncat.Where(ncat.NotSelf()), ncat.Priority(300))
	ncat.On(b, tellAgain)
	b.OnGroup(ban, ncat.Where(ncat.Keyword(banned...), ncat.ByGroupAdmin().Not(), ncat.NotSelf()), ncat.Priority(200))
	ncat.Command(b, "votekick", voteKick, ncat.Help("投票移出成员"), ncat.Where(ncat.InGroup()), ncat.Need(ncat.RoleGroupAdmin))
	return b
}

// verify asks who joined for a sum: programs that join groups to advertise seldom
// can.
func verify(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
	x, y := 1+rand.IntN(20), 1+rand.IntN(20)
	question := fmt.Sprintf("欢迎！请在两分钟内回答 %d+%d=?", x, y)
	_, err := b.AskUser(ctx, ncat.Group(e.GroupID), e.UserID, question, ncat.Within(sumTime), ncat.AnswerWhere(ncat.TextIs(strconv.Itoa(x+y))), ncat.CancelOn())
	switch {
	case errors.Is(err, ncat.ErrNoAnswer):
		return b.Kick(ctx, e.GroupID, e.UserID, false)
	case err != nil:
		return err
	}
	_, err = b.SendGroup(ctx, e.GroupID, onebot.At(e.UserID), " 验证通过")
	return err
}

func keptKey(id onebot.MessageID) string { return "kept/" + id.String() }

func keep(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	return ncat.PutFor(ctx, b.Store(), keptKey(m.MessageID), m.Message.CQ(), kept)
}

// tellAgain tells what a member recalled; what an administrator took back stays
// away.
func tellAgain(ctx context.Context, b *ncat.Bot, e *onebot.GroupRecall) error {
	text, ok, err := ncat.Get[string](ctx, b.Store(), keptKey(e.MessageID))
	if err != nil || !ok || e.OperatorID != e.UserID {
		return err
	}
	_, err = b.SendGroup(ctx, e.GroupID, onebot.At(e.UserID), " 撤回了：", onebot.ParseCQ(text))
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
