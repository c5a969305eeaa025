package ncattest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// plugin is a plugin made of functions.
type plugin struct {
	id    string
	needs []string
	setup func(ctx context.Context, h *ncat.Host) error
	ended int
}

func (p *plugin) ID() string                                    { return p.id }
func (p *plugin) Version() string                               { return "1.0" }
func (p *plugin) DependsOn() []string                           { return p.needs }
func (p *plugin) Setup(ctx context.Context, h *ncat.Host) error { return p.setup(ctx, h) }
func (p *plugin) Close(context.Context) error                   { p.ended++; return nil }
func (p *plugin) status(b *ncat.Bot) (s ncat.PluginStatus) {
	for _, s = range b.Plugins() {
		if s.ID == p.id {
			break
		}
	}
	return s
}

func answers(word, answer string) func(ctx context.Context, h *ncat.Host) error {
	return func(_ context.Context, h *ncat.Host) error {
		h.OnCommand(word, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			return b.Reply(ctx, m, answer)
		})
		return nil
	}
}

func TestPlugins(t *testing.T) {
	var ticks int
	var gone []string
	good := &plugin{id: "good", setup: func(ctx context.Context, h *ncat.Host) error {
		var conf struct{ Word string }
		if err := h.Config(&conf); err != nil {
			return err
		}
		h.Go(func(ctx context.Context) {
			<-ctx.Done()
			gone = append(gone, context.Cause(ctx).Error())
		})
		if _, err := h.Schedule("tick", "every 10s", func(context.Context, *ncat.Bot) error { ticks++; return nil }); err != nil {
			return err
		}
		return answers("good", conf.Word)(ctx, h)
	}}
	panics := &plugin{id: "panics", setup: func(_ context.Context, h *ncat.Host) error {
		h.OnCommand("ghost", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return nil })
		panic("no luck")
	}}
	clash := &plugin{id: "clash", setup: answers("good", "x")}
	needy := &plugin{id: "needy", needs: []string{"good"}, setup: answers("needy", "here")}
	orphan := &plugin{id: "orphan", needs: []string{"panics"}, setup: answers("orphan", "x")}
	off := &plugin{id: "off", setup: answers("off", "x")}
	b := ncat.New(ncat.WithoutHelp(),
		ncat.WithPluginConfig(func(id string, into any) error {
			if c, ok := into.(*struct{ Word string }); ok && id == "good" {
				c.Word = "well"
			}
			return nil
		}))
	botlink.Of(b).ChoosePlugins(func(id string) bool { return id != "off" })
	b.AddPlugin(needy, good, panics, clash, orphan, off)
	stores := map[string]ncat.Store{}
	space := func(id string) ncat.Store {
		if stores[id] == nil {
			stores[id] = ncat.NewMemoryStore()
		}
		return stores[id]
	}
	botlink.Apply(b, ncat.WithStore(space))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors() // some plugins are to fail
		for p, want := range map[*plugin]string{good: "running", needy: "running", panics: "failed", clash: "failed", orphan: "failed", off: "disabled"} {
			if s := p.status(b); s.State != want {
				t.Errorf("%s is %s (%s), want %s", p.id, s.State, s.Error, want)
			}
		}
		if s := panics.status(b); !strings.Contains(s.Error, "no luck") || strings.Contains(s.Error, "\n") {
			t.Errorf("error %q", s.Error)
		}
		u := h.Friend(1)
		u.Says("/good")
		u.Says("/needy")
		u.Says("/ghost")
		u.Says("/off")
		h.Want("well", "here")
		h.Pass(25 * time.Second)
		if ticks != 2 {
			t.Errorf("%d ticks in 25 s", ticks)
		}
		if err := b.SetPlugin(h.Context(), "good", false); err != nil {
			t.Error(err)
		}
		u.Says("/good")
		u.Says("/needy")
		h.WantNothing()
		h.Pass(time.Minute)
		if ticks != 2 || good.ended != 1 || needy.ended != 1 || len(gone) != 1 || !strings.Contains(gone[0], "switched off") {
			t.Errorf("after switching off: %d ticks, closed %d and %d times, goroutine ended by %q", ticks, good.ended, needy.ended, gone)
		}
		if err := b.SetPlugin(h.Context(), "off", true); err != nil {
			t.Error(err)
		}
		u.Says("/off")
		h.Want("x")
		if err := b.SetPlugin(h.Context(), "nobody", true); !errors.Is(err, ncat.ErrNoPlugin) {
			t.Errorf("switching nobody on: %v", err)
		}
	})

	// Another run of the program on the same store.
	b = ncat.New(ncat.WithStore(space))
	botlink.Of(b).ChoosePlugins(func(id string) bool { return id != "off" })
	b.AddPlugin(good, off)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors() // some plugins are to fail
		if s := good.status(b); s.State != "disabled" || s.Enabled {
			t.Errorf("good is %+v after the restart", s)
		}
		if s := off.status(b); s.State != "running" || !s.Enabled {
			t.Errorf("off is %+v after the restart", s)
		}
		if err := b.SetPlugin(h.Context(), "good", true); err != nil {
			t.Error(err)
		}
		if s := good.status(b); s.State != "running" {
			t.Errorf("good is %+v", s)
		}
	})
}

// A plugin whose goroutine and handler take no notice of their context is named
// and left behind.
func TestPluginHangs(t *testing.T) {
	release := make(chan struct{})
	p := &plugin{id: "stuck", setup: func(_ context.Context, h *ncat.Host) error {
		h.OnCommand("hang", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { <-release; return nil })
		return nil
	}}
	b := ncat.New()
	b.AddPlugin(p)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		release = make(chan struct{})
		h.InGroup(100, 1).Says("/hang")
		err := b.SetPlugin(h.Context(), "stuck", false)
		if err == nil || !strings.Contains(err.Error(), "command hang does not end") {
			t.Errorf("SetPlugin: %v", err)
		}
		if s := p.status(b); s.State != "disabled" || s.Error == "" {
			t.Errorf("it is %+v", s)
		}
		close(release)
	})
}

func TestSchedulesSurviveRestarts(t *testing.T) {
	store, other := ncat.NewMemoryStore(), ncat.NewMemoryStore()
	space := func(id string) ncat.Store {
		if id == "ncat.schedules" {
			return store
		}
		return other
	}
	var mu sync.Mutex // guards runs
	var runs []string
	bot := func() *ncat.Bot {
		b := ncat.New(ncat.WithStore(space))
		for name, opts := range map[string][]ncat.ScheduleOption{"missed": {ncat.CatchUp()}, "skipped": nil} {
			if _, err := b.Schedule(name, "every 1h", func(context.Context, *ncat.Bot) error {
				mu.Lock()
				defer mu.Unlock()
				runs = append(runs, name)
				if len(runs) == 1 {
					panic("once")
				}
				return nil
			}, opts...); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	ncattest.Run(t, bot(), func(h *ncattest.Harness) { h.Pass(61 * time.Minute) })
	if len(runs) != 2 {
		t.Fatalf("runs: %v", runs)
	}
	// Virtual time began anew, so move the last runs into the past.
	for _, k := range []string{"|missed", "|skipped"} {
		if _, err := ncat.Update(t.Context(), store, k, func(v map[string]any, ok bool) (map[string]any, error) {
			if !ok {
				t.Errorf("nothing is remembered under %q", k)
			}
			v["at"] = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
			return v, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	runs = nil
	ncattest.Run(t, bot(), func(h *ncattest.Harness) {
		h.Pass(time.Minute)
		if len(runs) != 1 || runs[0] != "missed" {
			t.Errorf("runs: %v", runs)
		}
	})
}
