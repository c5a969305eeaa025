// Command guard lets several accounts keep the same groups: each message is
// answered by one of them, whichever hears it first, so that nothing is said
// twice and nothing is left unsaid while one is offline. The accounts do not
// answer each other, and when one goes offline another tells the admins.
//
// Each account is an entry in ncatd.yaml, with a login of its own:
//
//	accounts:
//	  - name: main
//	  - name: spare
//	bot: {plugin_config: {guard: {tell: 10000}}}
//
//	go run ./examples/guard start
package main

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	b.AddPlugin(&guard{Tell: 10000, heard: map[string]bool{}})
	b.OnCommand("ping", ncat.Say("pong"))
	return b
}

// guard is the plugin; its exported fields are its configuration.
type guard struct {
	Tell onebot.UserID `json:"tell"` // who is told that an account is offline

	mu    sync.Mutex
	heard map[string]bool // messages that an account has
	order []string        // the same, oldest first
}

func (g *guard) ID() string      { return "guard" }
func (g *guard) Version() string { return "1.0.0" }

// Setup implements ncat.Plugin.
func (g *guard) Setup(_ context.Context, h *ncat.Host) error {
	if err := h.Config(g); err != nil {
		return err
	}
	h.OnGroup(g.once, ncat.Priority(1000)) // before everything else
	h.OnOffline(g.offline)
	return nil
}

// remembered is how many messages are known; an account that lags further behind
// than that is not waited for.
const remembered = 4096

// once stops what another account has, and what an account of ours wrote.
func (g *guard) once(_ context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
	for _, a := range b.Accounts() {
		if a.Self() == m.UserID {
			return ncat.ErrStop
		}
	}
	// QQ counts the messages of a group for all its members alike; what message_id
	// is to one account it is not to another.
	key := fmt.Sprintf("%d/%s", m.GroupID, m.RealSeq)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.heard[key] {
		return ncat.ErrStop
	}
	g.heard[key] = true
	if g.order = append(g.order, key); len(g.order) > remembered {
		delete(g.heard, g.order[0])
		g.order = g.order[1:]
	}
	return nil
}

func (g *guard) offline(ctx context.Context, b *ncat.Bot, why string) error {
	for _, a := range b.Accounts() {
		if a.Self() == b.Self() {
			continue
		}
		if _, err := a.SendPrivate(ctx, g.Tell, fmt.Sprintf("账号 %s（%d）离线：%s", b.Account(), b.Self(), why)); err == nil {
			return nil
		}
	}
	return nil // nobody is left to tell; the daemon's alerts go other ways
}
