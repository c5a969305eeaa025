//go:build linux

package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/control/api"
	"github.com/ncatd/ncatd/internal/e2e/await"
	"github.com/ncatd/ncatd/internal/napcatsim"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// What QQ refuses says nothing about the account: members of a group in which the
// bot is muted cannot have its NapCat started again.
func TestAccountMutedBotIsNotRestarted(t *testing.T) {
	t.Parallel()
	const group, pings = 700000001, 5
	r := newRig(t, "main", quickSim())
	r.bot.OnCommand("ping", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, "pong")
	})
	r.start()
	a, mark := r.online(), r.mark()
	if err := r.sim.Mute(t.Context(), napcatsim.MuteRequest{Group: group, Seconds: 60}); err != nil {
		t.Fatal(err)
	}
	for range pings {
		if _, err := r.sim.Say(t.Context(), napcatsim.SayRequest{Group: group, Text: "/ping"}); err != nil {
			t.Fatal(err)
		}
	}
	await.True(t, 20*time.Second, "all answers were refused", func() bool { return r.acc.Snapshot().SendsFailed >= pings })
	if err := r.acc.Ping(t.Context()); err != nil { // it has drawn its conclusions
		t.Fatal(err)
	}
	if now := r.acc.Snapshot(); now.State != api.StateOnline || now.PIDs.NapCat != a.PIDs.NapCat || r.mark() != mark {
		t.Errorf("%s (%s), pid %d, was %d", now.State, now.Reason, now.PIDs.NapCat, a.PIDs.NapCat)
	}
}

// A worker that is frozen for a while carries out what it was asked meanwhile when
// it thaws: it must not have been asked to set up its OneBot server anew, and that
// stays where it is.
func TestAccountFrozenWorkerIsAskedForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "main", quickSim())
	r.c.Supervisor.Health.HeartbeatMisses = 1
	r.start()
	a := r.online()
	if err := r.sim.Freeze(t.Context(), napcatsim.FreezeRequest{}); err != nil {
		t.Fatal(err)
	}
	r.await("the link is given up", func(a api.Account) bool { return a.State != api.StateOnline })
	began := time.Now()
	// Long enough for two attempts at a repair, short enough that it is not ended.
	await.True(t, 20*time.Second, "attempts to repair", func() bool {
		return r.acc.Facts().Link.RepairAt.After(began) || r.acc.Snapshot().PIDs.NapCat != a.PIDs.NapCat
	})
	if err := r.sim.Freeze(t.Context(), napcatsim.FreezeRequest{Off: true}); err != nil {
		t.Fatal(err)
	}
	now := r.online()
	if now.OneBotURL != a.OneBotURL {
		t.Errorf("the server was moved from %s to %s", a.OneBotURL, now.OneBotURL)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.logs {
		if l.at.After(began) && now.PIDs.NapCat == a.PIDs.NapCat && strings.Contains(l.r.Message, "配置变更前") {
			t.Errorf("NapCat was asked to set up its servers anew: %s", l.r.Message)
		}
	}
}
