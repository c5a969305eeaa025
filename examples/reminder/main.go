// Command reminder reminds: /remind in 10m 喝水 once, /remind daily 8:00 早安 every
// day, /remind list and /remind cancel. It keeps its promises across restarts; what
// became due while it did not run comes when it is back.
//
//	go run ./examples/reminder start --sim
//	go run ./examples/reminder sim say --user 3001000001 --wait 5s "/remind in 3s 喝水"
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

func main() { log.Fatal(ncatd.Main(newBot())) }

func newBot() *ncat.Bot {
	b := ncat.New()
	r := &reminders{armed: map[string]*ncat.Scheduled{}}
	ncat.Command(b, "remind in", r.in, ncat.Help("过一会儿提醒一次"))
	ncat.Command(b, "remind daily", r.daily, ncat.Help("每天提醒"))
	b.OnCommand("remind list", r.list, ncat.Help("我的提醒"))
	ncat.Command(b, "remind cancel", r.cancel, ncat.Help("取消提醒"))
	ncat.On(b, r.connected)
	return b
}

// reminder is one promise, as the store keeps it.
type reminder struct {
	Self onebot.UserID `json:"self"` // the account that made it
	User onebot.UserID `json:"user"`
	Chat ncat.Chat     `json:"chat"`
	When string        `json:"when"` // a schedule
	Once bool          `json:"once"`
	Text string        `json:"text"`
}

type reminders struct {
	mu    sync.Mutex // guards the field below
	armed map[string]*ncat.Scheduled
}

func (r *reminders) in(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	After time.Duration `arg:"after" help:"多久以后，如 10m 或 1h30m"`
	Text  string        `arg:"text,rest" help:"提醒什么"`
}) error {
	at := ncat.Once(time.Now().Add(a.After))
	return r.add(ctx, b, m, reminder{When: at.String(), Once: true, Text: a.Text})
}

func (r *reminders) daily(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	At   string `arg:"time" help:"几点，如 8:00"`
	Text string `arg:"text,rest" help:"提醒什么"`
}) error {
	return r.add(ctx, b, m, reminder{When: "daily " + a.At, Text: a.Text})
}

// add promises: first to the store, then to the clock, then to the user.
func (r *reminders) add(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, x reminder) error {
	if _, err := ncat.ParseSchedule(x.When, nil); err != nil {
		return b.Mention(ctx, m, "看不懂这个时间")
	}
	x.Self, x.User, x.Chat = b.Self(), m.Msg().UserID, ncat.ChatOf(m)
	key := fmt.Sprintf("%d/%d", x.User, m.Msg().MessageID)
	if err := ncat.Put(ctx, b.Store(), key, x); err != nil {
		return err
	}
	if err := r.arm(b, key, x); err != nil {
		return err
	}
	return b.Mention(ctx, m, "好的，到时提醒你")
}

// arm puts a reminder on the clock. The name makes the clock remember it, too, so
// that CatchUp knows what went by.
func (r *reminders) arm(b *ncat.Bot, key string, x reminder) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.armed[key] != nil {
		return nil
	}
	s, err := b.Schedule("remind "+key, x.When, func(ctx context.Context, b *ncat.Bot) error {
		if _, err := b.Send(ctx, x.Chat, mention(x), "⏰ "+x.Text); err != nil {
			return err
		}
		if x.Once {
			return r.forget(ctx, b, key)
		}
		return nil
	}, ncat.CatchUp())
	if err == nil {
		r.armed[key] = s
	}
	return err
}

func mention(x reminder) onebot.Message {
	if x.Chat.IsGroup() {
		return onebot.Message{onebot.At(x.User), onebot.Text(" ")}
	}
	return nil
}

// forget takes a reminder out of the store and off the clock.
func (r *reminders) forget(ctx context.Context, b *ncat.Bot, key string) error {
	r.mu.Lock()
	s := r.armed[key]
	delete(r.armed, key)
	r.mu.Unlock()
	if s != nil {
		if err := s.Stop(ctx); err != nil {
			return err
		}
	}
	return ncat.Delete(ctx, b.Store(), key)
}

// connected arms what the store remembers of an account as soon as it can send.
func (r *reminders) connected(ctx context.Context, b *ncat.Bot, _ *onebot.Lifecycle) error {
	all, err := ncat.Scan[reminder](ctx, b.Store(), "")
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Value.Self != b.Self() {
			continue
		}
		if err := r.arm(b, e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// mine returns the reminders of whoever wrote m, in the order of their keys.
func mine(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) ([]ncat.Entry[reminder], error) {
	return ncat.Scan[reminder](ctx, b.Store(), m.Msg().UserID.String()+"/")
}

func (r *reminders) list(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
	all, err := mine(ctx, b, m)
	if err != nil {
		return err
	}
	var s strings.Builder
	fmt.Fprintf(&s, "你有 %d 个提醒", len(all))
	for i, e := range all {
		fmt.Fprintf(&s, "\n%d. %s %s", i+1, e.Value.When, e.Value.Text)
	}
	return b.Mention(ctx, m, s.String())
}

func (r *reminders) cancel(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
	N int `arg:"n" help:"/remind list 里的序号"`
}) error {
	all, err := mine(ctx, b, m)
	if err != nil {
		return err
	}
	if a.N < 1 || a.N > len(all) {
		return b.Mention(ctx, m, "没有这个提醒")
	}
	if err := r.forget(ctx, b, all[a.N-1].Key); err != nil {
		return err
	}
	return b.Mention(ctx, m, "已取消")
}
