package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// bare is a plugin without Close.
type bare struct {
	id    string
	setup func(ctx context.Context, h *ncat.Host) error
}

func (p bare) ID() string                                    { return p.id }
func (p bare) Version() string                               { return "1.0" }
func (p bare) Setup(ctx context.Context, h *ncat.Host) error { return p.setup(ctx, h) }

// TestBotInPluginIsThePlugins: in handlers, commands, matches, filters,
// conversations, hooks, schedules and the Bots of other accounts b has the plugin's
// store, and what is started through it ends with the plugin.
func TestBotInPluginIsThePlugins(t *testing.T) {
	stores := map[string]int{}
	see := func(where string, b *ncat.Bot) {
		n, err := ncat.Update(context.Background(), b.Store(), where, func(n int, _ bool) (int, error) { return n + 1, nil })
		if err != nil {
			t.Error(err)
		}
		stores[where] = n
	}
	var left *ncat.Bot
	p := bare{"p", func(_ context.Context, h *ncat.Host) error {
		h.OnCommand("cmd", func(_ context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			see("command", b)
			left = b
			b.Go(func(ctx context.Context) { <-ctx.Done(); see("go ended", b) })
			if _, err := b.Schedule("later", "every 1m", func(_ context.Context, b *ncat.Bot) error { see("schedule", b); return nil }); err != nil {
				return err
			}
			b.OnText("late", func(_ context.Context, b *ncat.Bot, _ onebot.MessageEvent) error { see("late", b); return nil })
			see("other account", b.For(20002))
			for _, a := range b.Accounts() {
				see("accounts", a)
			}
			return nil
		})
		ncat.OnMatch(h.Bot, "^match$", func(_ context.Context, b *ncat.Bot, _ onebot.MessageEvent, _ []string) error {
			see("match", b)
			return nil
		})
		h.OnText("fails", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return errors.New("on purpose") })
		h.OnMessage(func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return nil },
			ncat.Where(func(b *ncat.Bot, _ onebot.Event) bool { see("filter", b); return false }))
		h.OnText("talk", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			_, err := b.Ask(ctx, m, nil, ncat.AnswerWhere(func(b *ncat.Bot, _ onebot.Event) bool { see("answer", b); return true }))
			see("after ask", b)
			return err
		})
		h.OnError(func(_ context.Context, b *ncat.Bot, _ onebot.Event, _ error) { see("error hook", b) })
		h.OnStart(func(_ context.Context, b *ncat.Bot) error { see("start", b); return nil })
		h.OnStop(func(_ context.Context, b *ncat.Bot) error { see("stop", b); return nil })
		h.OnOnline(func(_ context.Context, b *ncat.Bot) error { see("online", b); return nil })
		return nil
	}}
	b := ncat.New()
	b.AddPlugin(p)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Account("second", 20002)
		h.Friend(1).Says("/cmd")
		for _, text := range []string{"match", "late", "fails", "talk", "answer"} {
			h.Friend(1).Says(text)
		}
		h.Errors()
		h.Pass(90 * time.Second)
		if err := b.SetPlugin(h.Context(), "p", false); err != nil {
			t.Error(err)
		}
		for _, where := range []string{"command", "match", "filter", "answer", "after ask", "error hook", "start", "stop", "online", "schedule", "late", "other account", "accounts", "go ended"} {
			if stores[where] == 0 {
				t.Errorf("%s: not the plugin's", where)
			}
			if _, ok, _ := ncat.Get[int](h.Context(), b.Store(), where); ok {
				t.Errorf("%s is in the bot's store", where)
			}
		}
		was := fmt.Sprint(stores)
		h.Friend(1).Says("late")
		h.Friend(1).Says("fails")
		h.Pass(10 * time.Minute)
		if now := fmt.Sprint(stores); now != was {
			t.Errorf("a plugin that is off did something: %s, before %s", now, was)
		}
		// A timer that the plugin forgot acts no more.
		if _, err := left.SendPrivate(h.Context(), 1, "boo"); !errors.Is(err, onebot.ErrNotSent) || !strings.Contains(err.Error(), "plugin p has ended") {
			t.Errorf("a call by what a plugin left behind: %v", err)
		}
		h.WantNothing()
	})
}

// TestPluginReload: Setup runs again beside the old one, which stays when the new
// one fails; a hook takes the configuration itself; one with Close is closed first.
func TestPluginReload(t *testing.T) {
	word := "one"
	config := func(_ string, into any) error {
		c, ok := into.(*struct{ Word string })
		if !ok || word == "bad" {
			return errors.New("bad word")
		}
		c.Word = word
		return nil
	}
	var mu sync.Mutex // schedules of several plugins run at the same time
	beats := map[string]int{}
	var starts []string
	setup := func(id string) func(context.Context, *ncat.Host) error {
		return func(_ context.Context, h *ncat.Host) error {
			var c struct{ Word string }
			if err := h.Config(&c); err != nil {
				return err
			}
			h.OnStart(func(context.Context, *ncat.Bot) error {
				starts = append(starts, id+" "+c.Word)
				return nil
			})
			h.OnCommand(id, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, c.Word) })
			_, err := h.Schedule("beat", "every 1m", func(context.Context, *ncat.Bot) error {
				mu.Lock()
				defer mu.Unlock()
				beats[id+" "+c.Word]++
				return nil
			})
			return err
		}
	}
	closer := &plugin{id: "closer", setup: setup("closer")}
	hook := &reloader{bare: bare{"hook", setup("hook")}}
	b := ncat.New(ncat.WithPluginConfig(config))
	b.AddPlugin(bare{"plain", setup("plain")}, closer, hook)
	reload := func(id, now string) error {
		was := word
		return botlink.Of(b).ReloadPlugin(id, func() { word = now }, func() { word = was })
	}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Pass(150 * time.Second)
		for _, id := range []string{"plain", "closer", "hook"} {
			began := time.Now()
			if err := reload(id, "two"); err != nil || time.Since(began) != 0 {
				t.Errorf("%s: %v, after %v", id, err, time.Since(began))
			}
			want := "two"
			if id == "hook" {
				want = "one" // it took the word itself
			}
			h.Friend(1).Says("/" + id)
			h.Want(want)
			if err := reload(id, "bad"); err == nil {
				t.Errorf("%s: a bad section was taken", id)
			}
			h.Friend(1).Says("/" + id)
			h.Want(want)
			word = "one"
		}
		if closer.ended != 2 {
			t.Errorf("closed %d times, want 2", closer.ended)
		}
		if hook.words != "two" {
			t.Errorf("the hook was given %q", hook.words)
		}
		mu.Lock()
		clear(beats)
		mu.Unlock()
		h.Pass(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(beats); got != "map[closer two:10 hook one:10 plain two:10]" {
			t.Errorf("schedules ran %s", got)
		}
		for _, s := range b.Plugins() {
			if s.State != ncat.PluginRunning || s.Error == "" {
				t.Errorf("%s: %s %q, want running and why its configuration was not taken", s.ID, s.State, s.Error)
			}
		}
		if got := strings.Join(starts, ", "); got != "plain one, closer one, hook one, plain two, closer two, closer two" {
			t.Errorf("started %s", got)
		}
		// What is switched off is the new one, and a new configuration does not switch it on.
		for _, id := range []string{"plain", "closer", "hook"} {
			if err := b.SetPlugin(h.Context(), id, false); err != nil {
				t.Error(err)
			}
			for _, id := range []string{id, "nobody"} {
				word = "one"
				if err := reload(id, "three"); err != nil || word != "three" {
					t.Errorf("%s: %v, %s", id, err, word)
				}
			}
			h.Friend(1).Says("/" + id)
		}
		for _, s := range h.Sent() {
			if !strings.HasPrefix(s.Text(), "没有命令") {
				t.Errorf("a plugin that is off says %q", s.Text())
			}
		}
	})
}

type reloader struct {
	bare
	words string
}

func (r *reloader) Reload(_ context.Context, h *ncat.Host) error {
	var c struct{ Word string }
	if err := h.Config(&c); err != nil {
		return err
	}
	r.words += c.Word
	return nil
}
