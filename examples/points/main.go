// Command points is a plugin with a store: /sign once a day for points, /roll to
// bet them on a die, /top for who has most.
//
//	go run ./examples/points start --sim
//	go run ./examples/points sim say --user 3001000001 /签到
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() {
	b := ncat.New()
	b.AddPlugin(&points{roll: func() int { return rand.IntN(6) + 1 }})
	log.Fatal(ncatd.Main(b))
}

// account is what one user has.
type account struct {
	Name   string `json:"name"`
	Points int    `json:"points"`
	Signed string `json:"signed"` // the day of the last sign-in
}

// points is the plugin. Reward can be set under bot.plugin_config.points.
type points struct {
	Reward int `json:"reward"`

	roll  func() int
	store ncat.Store
}

func (p *points) ID() string      { return "points" }
func (p *points) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (p *points) Setup(_ context.Context, h *ncat.Host) error {
	p.Reward = 10
	if err := h.Config(p); err != nil {
		return err
	}
	p.store = h.Store()
	h.OnCommand("sign", p.sign, ncat.Alias("签到"), ncat.Help("每日签到"))
	ncat.Command(h.Bot, "roll", p.bet, ncat.Help("掷骰子：4 点以上翻倍"), ncat.Cooldown(3*time.Second))
	h.OnCommand("top", p.top, ncat.Help("排行榜"))
	return nil
}

func key(id onebot.UserID) string { return "user/" + id.String() }

var errSigned = errors.New("signed in already")

func (p *points) sign(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	day := time.Now().Format(time.DateOnly)
	a, err := ncat.Update(ctx, p.store, key(m.Msg().UserID), func(a account, _ bool) (account, error) {
		if a.Signed == day {
			return a, errSigned
		}
		return account{m.Msg().Sender.Nickname, a.Points + p.Reward, day}, nil
	})
	switch {
	case errors.Is(err, errSigned):
		return b.Mention(ctx, m, "今天已经签到过了")
	case err != nil:
		return err
	}
	return b.Mention(ctx, m, fmt.Sprintf("签到成功，积分 %d", a.Points))
}

var errPoor = errors.New("not enough points")

func (p *points) bet(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, args struct {
	Stake uint16 `arg:"stake" default:"1" help:"赌注"`
}) error {
	n, stake := p.roll(), int(args.Stake)
	a, err := ncat.Update(ctx, p.store, key(m.Msg().UserID), func(a account, _ bool) (account, error) {
		if a.Points < stake {
			return a, errPoor
		}
		if n < 4 {
			stake = -stake
		}
		a.Name, a.Points = m.Msg().Sender.Nickname, a.Points+stake
		return a, nil
	})
	switch {
	case errors.Is(err, errPoor):
		return b.Mention(ctx, m, "积分不够")
	case err != nil:
		return err
	}
	return b.Mention(ctx, m, fmt.Sprintf("掷出 %d，%+d，积分 %d", n, stake, a.Points))
}

func (p *points) top(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	all, err := ncat.Scan[account](ctx, p.store, "user/")
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b ncat.Entry[account]) int { return cmp.Compare(b.Value.Points, a.Value.Points) })
	var s strings.Builder
	s.WriteString("排行榜")
	for i, e := range all[:min(len(all), 10)] {
		fmt.Fprintf(&s, "\n%d. %s %d", i+1, e.Value.Name, e.Value.Points)
	}
	return b.Reply(ctx, m, s.String())
}
