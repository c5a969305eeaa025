package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// states returns how the plugins of a bot stand, such as "a running, b failed".
func states(b *ncat.Bot) string {
	var all []string
	for _, s := range b.Plugins() {
		all = append(all, s.ID+" "+s.State)
	}
	return strings.Join(all, ", ")
}

// TestPluginsThatComeAndGo: a bot that runs takes plugins in, starts them anew and
// takes them out, with those that need them.
func TestPluginsThatComeAndGo(t *testing.T) {
	broken := errors.New("broken")
	fails := false
	b := ncat.New(ncat.WithoutHelp(), ncat.WithLogger(nil))
	botlink.Of(b).ChoosePlugins(func(id string) bool { return id != "off" })
	first := &plugin{id: "first", setup: answers("first", "1")}
	b.AddPlugin(first)
	early := &plugin{id: "early", setup: answers("early", "e")}
	if err := b.InsertPlugin(t.Context(), early); err != nil || states(b) != "first stopped, early stopped" {
		t.Errorf("before the bot runs: %v, %s", err, states(b))
	}
	if err := b.RestartPlugin(t.Context(), "early"); err != nil || states(b) != "first stopped, early stopped" {
		t.Errorf("before the bot runs: %v, %s", err, states(b))
	}
	second := &plugin{id: "second", setup: func(ctx context.Context, h *ncat.Host) error {
		if fails {
			return broken
		}
		return answers("second", "2")(ctx, h)
	}}
	needy := &plugin{id: "needy", needs: []string{"second"}, setup: answers("needy", "n")}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors() // some plugins are to fail
		ctx, u := h.Context(), h.Friend(1)
		says := func(want string) {
			t.Helper()
			for _, w := range []string{"first", "early", "second", "needy", "off"} {
				u.Says("/" + w)
			}
			var got string
			for _, s := range h.Sent() {
				got += s.Text()
			}
			if got != want {
				t.Errorf("the bot says %q, want %q; %s", got, want, states(b))
			}
		}
		says("1e")
		for _, p := range []ncat.Plugin{second, needy, &plugin{id: "off", setup: answers("off", "o")}} {
			if err := b.InsertPlugin(ctx, p); err != nil {
				t.Error(err)
			}
		}
		says("1e2n")
		if s := states(b); s != "first running, early running, second running, needy running, off disabled" {
			t.Error(s)
		}
		for _, p := range []*plugin{{id: "second"}, {id: ""}, {id: "a b"}} {
			if err := b.InsertPlugin(ctx, p); err == nil || errors.Is(err, ncat.ErrPluginTaken) != (p.id == "second") {
				t.Errorf("%q: %v", p.id, err)
			}
		}
		for _, err := range []error{b.RestartPlugin(ctx, "nobody"), b.RemovePlugin("nobody")} {
			if !errors.Is(err, ncat.ErrNoPlugin) {
				t.Error(err)
			}
		}
		if err := b.RestartPlugin(ctx, "off"); err != nil {
			t.Errorf("one that is off: %v", err)
		}
		says("1e2n")
		if err := b.RestartPlugin(ctx, "second"); err != nil || second.ended != 1 || first.ended+early.ended != 0 {
			t.Errorf("%v, ended %d times", err, second.ended)
		}
		says("1e2n")
		fails = true
		if err := b.RestartPlugin(ctx, "second"); err == nil || !strings.Contains(err.Error(), "second: broken") || second.ended != 2 {
			t.Errorf("%v, ended %d times", err, second.ended)
		}
		if s := second.status(b); s.State != ncat.PluginFailed || s.Error != "broken" {
			t.Errorf("%+v", s)
		}
		says("1en")
		fails = false
		if err := b.RestartPlugin(ctx, "second"); err != nil {
			t.Error(err)
		}
		says("1e2n")
		gone, cancel := context.WithCancelCause(ctx)
		cancel(broken)
		if err := b.RestartPlugin(gone, "first"); !errors.Is(err, broken) {
			t.Errorf("a restart that is given up: %v", err)
		}
		says("e2n")
		if err := b.RestartPlugin(ctx, "first"); err != nil {
			t.Error(err)
		}
		if err := b.InsertPlugin(ctx, &plugin{id: "bad", setup: func(context.Context, *ncat.Host) error { return broken }}); err == nil || !strings.Contains(err.Error(), "bad: broken") {
			t.Errorf("one whose Setup fails: %v", err)
		}
		if err := b.RemovePlugin("second"); err != nil || second.ended != 3 || needy.ended != 1 {
			t.Errorf("%v, ended %d and %d times", err, second.ended, needy.ended)
		}
		says("1e")
		if s := states(b); s != "first running, early running, needy failed, off disabled, bad failed" {
			t.Error(s)
		}
		if err := b.SetPlugin(ctx, "off", true); err != nil {
			t.Error(err)
		}
		if err := b.RemovePlugin("off"); err != nil {
			t.Error(err)
		}
		if err := b.InsertPlugin(ctx, &plugin{id: "off", setup: answers("off", "o")}); err != nil { // the switch is remembered
			t.Error(err)
		}
		says("1eo")
		if err := b.RemovePlugin("first"); err != nil || first.ended != 2 {
			t.Errorf("%v, ended %d times", err, first.ended)
		}
		says("eo")
	})
}

// TestReplace: a new version of a plugin takes the place of the old one at one
// moment, or not at all.
func TestReplace(t *testing.T) {
	var host *ncat.Host
	ticks := map[string]int{}
	version := func(v string, err error, more ...string) func(h *ncat.Host) error {
		return func(h *ncat.Host) error {
			for _, name := range append([]string{"v"}, more...) {
				h.OnCommand(name, says(v))
			}
			h.OnText("plain", says("plain "+v))
			if _, err := h.Schedule("tick", "every 10s", func(context.Context, *ncat.Bot) error { ticks[v]++; return nil }); err != nil {
				return err
			}
			return err
		}
	}
	b := ncat.New(ncat.WithoutHelp())
	b.AddPlugin(&plugin{id: "p", setup: func(_ context.Context, h *ncat.Host) error {
		host = h
		h.OnCommand("old", says("old"))
		return version("1", nil)(h)
	}})
	b.OnCommand("bots", says("bot"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		u := h.Friend(1)
		says := func(want ...string) {
			t.Helper()
			for _, s := range []string{"/old", "/v", "/new", "plain", "/bots"} {
				u.Says(s)
			}
			h.Want(want...)
		}
		says("old", "1", "plain 1", "bot")
		h.Pass(15 * time.Second)
		for what, c := range map[string]struct {
			register func(*ncat.Host) error
			want     string
		}{
			"an error":              {version("x", errors.New("no luck"), "new"), "no luck"},
			"the bot's command":     {version("x", nil, "bots"), `"bots"`},
			"one command two times": {version("x", nil, "new", "NEW"), `"NEW"`},
		} {
			if err := host.Replace(c.register); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		says("old", "1", "plain 1", "bot")
		h.Pass(10 * time.Second)
		if fmt.Sprint(ticks) != "map[1:2]" {
			t.Errorf("ticks %v", ticks)
		}
		if err := host.Replace(version("2", nil, "new")); err != nil {
			t.Fatal(err)
		}
		says("2", "2", "plain 2", "bot")
		h.Pass(20 * time.Second)
		if fmt.Sprint(ticks) != "map[1:2 2:2]" {
			t.Errorf("ticks %v", ticks)
		}
		if err := host.Replace(func(*ncat.Host) error { return nil }); err != nil {
			t.Fatal(err)
		}
		says("bot")
		if err := host.Replace(version("3", nil)); err != nil {
			t.Fatal(err)
		}
		says("3", "plain 3", "bot")
		if err := b.SetPlugin(h.Context(), "p", false); err != nil {
			t.Error(err)
		}
		if err := host.Replace(version("4", nil)); err == nil || !strings.Contains(err.Error(), "switched off") {
			t.Errorf("a plugin that is off: %v", err)
		}
		says("bot")
		h.Pass(time.Minute)
		if fmt.Sprint(ticks) != "map[1:2 2:2]" {
			t.Errorf("ticks %v", ticks)
		}
	})
}

// TestFail: a plugin that fails while it runs ends, says why, and starts again when
// it is switched on.
func TestFail(t *testing.T) {
	var host *ncat.Host
	p := &plugin{id: "p", setup: func(ctx context.Context, h *ncat.Host) error {
		host = h
		return answers("p", "here")(ctx, h)
	}}
	other := &plugin{id: "other", setup: answers("other", "other")}
	b := ncat.New(ncat.WithoutHelp(), ncat.WithLogger(nil))
	b.AddPlugin(other, p)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors()
		u := h.Friend(1)
		host.Fail(errors.New("out of memory"))
		h.Settle()
		u.Says("/p")
		u.Says("/other")
		h.Want("other")
		if s := p.status(b); s.State != ncat.PluginFailed || s.Error != "out of memory" || !s.Enabled || p.ended != 1 || other.ended != 0 {
			t.Errorf("%+v, ended %d and %d times", s, p.ended, other.ended)
		}
		if err := b.SetPlugin(h.Context(), "p", true); err != nil {
			t.Error(err)
		}
		u.Says("/p")
		h.Want("here")
	})
}

// TestCommandOf: a command whose arguments have a type that is made at run time.
func TestCommandOf(t *testing.T) {
	args := reflect.StructOf([]reflect.StructField{{Name: "N", Type: reflect.TypeFor[int](), Tag: `arg:"n"`}})
	wrong := reflect.StructOf([]reflect.StructField{{Name: "N", Type: reflect.TypeFor[chan int](), Tag: `arg:"n"`}})
	if err := ncat.CheckArgs(args); err != nil {
		t.Error(err)
	}
	if err := ncat.CheckArgs(wrong); err == nil || !strings.Contains(err.Error(), "field N") {
		t.Errorf("got %v", err)
	}
	double := func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, args reflect.Value) error {
		return b.Reply(ctx, m, 2*args.Field(0).Int())
	}
	b := ncat.New()
	ncat.CommandOf(b, "double", args, double, ncat.Alias("twice"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("/double 21")
		h.Friend(1).Says("/twice 4")
		h.Want("42", "8")
	})
	for what, do := range map[string]func(){
		"no handler":   func() { ncat.CommandOf(b, "x", args, nil) },
		"a wrong type": func() { ncat.CommandOf(b, "x", wrong, double) },
		"no struct":    func() { ncat.CommandOf(b, "x", reflect.TypeFor[int](), double) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.Contains(v, `"x"`) {
					t.Errorf("%s: panicked with %v", what, v)
				}
			}()
			do()
		}()
	}
}

// closer is a plugin that says when it is closed.
type closer struct {
	plugin
	closed func(id string)
}

func (c *closer) Close(context.Context) error { c.closed(c.id); return nil }

// TestPluginsEndInOrder: those end first that need others, in whatever order they were
// added; one that failed holds nobody up.
func TestPluginsEndInOrder(t *testing.T) {
	for _, order := range []string{"abcdx", "xdcba", "cadxb"} {
		needs := map[string][]string{"b": {"a"}, "c": {"b", "a"}, "x": {"a"}}
		var closed string
		b := ncat.New(ncat.WithLogger(nil))
		for _, id := range strings.Split(order, "") {
			setup := answers(id, id)
			if id == "x" {
				setup = func(context.Context, *ncat.Host) error { return errors.New("no luck") }
			}
			b.AddPlugin(&closer{plugin{id: id, needs: needs[id], setup: setup}, func(id string) { closed += id }})
		}
		ncattest.Run(t, b, func(h *ncattest.Harness) { h.Errors() })
		if len(closed) != 4 || strings.Contains(closed, "x") || strings.Index(closed, "c") > strings.Index(closed, "b") || strings.Index(closed, "b") > strings.Index(closed, "a") {
			t.Errorf("added as %s, closed as %s", order, closed)
		}
		for _, s := range b.Plugins() {
			if s.State != ncat.PluginStopped {
				t.Errorf("%+v", s)
			}
		}
	}
}
