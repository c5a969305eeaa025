package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestChoose: a choice is made by its word, in any case, or by its number.
func TestChoose(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnText("tea", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		n, err := b.Choose(ctx, m, "tea?", []string{"green", "black", "1 more"}, ncat.Tries(1))
		if errors.Is(err, ncat.ErrNoAnswer) {
			return b.Reply(ctx, m, "none")
		}
		return errors.Join(err, b.Reply(ctx, m, n))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for answer, want := range map[string]string{
			"green": "0", "BLACK": "1", " black ": "1", "1": "0", "2": "1", "3": "2", "1 More": "2",
			"0": "none", "4": "none", "-1": "none", "gree": "none", "1.": "none",
		} {
			h.Friend(1).Says("tea")
			h.Friend(1).Says(answer)
			h.Want("tea?\n1. green\n2. black\n3. 1 more", want)
		}
	})
}

// TestQuotes: what the kinds of quotes keep, and which of them know a backslash.
func TestQuotes(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	ncat.Command(b, "x", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		Words []string `arg:"words,optional"`
	}) error {
		return b.Reply(ctx, m, fmt.Sprintf("%q", a.Words))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for text, want := range map[string]string{
			`"a b" c`:      `["a b" "c"]`,
			`'it\'s' b`:    `["it's" "b"]`,
			`"a \"b\" \\"`: `["a \"b\" \\"]`,
			`“a \ b” c`:    `["a \\ b" "c"]`,
			`「a\」 b`:       `["a\\" "b"]`,
			`‘a b’`:        `["a b"]`,
			`""`:           `[""]`,
			`"a'b"`:        `["a'b"]`,
			`a"b c"`:       `["a\"b" "c\""]`,
			`a\b`:          `["a\\b"]`,
			`"a b`:         `a quote is not closed: "a b`,
			`'a\'`:         `a quote is not closed: 'a\'`,
			"a\n\tb  c":    `["a" "b" "c"]`,
		} {
			h.Friend(1).Says("/x " + text)
			if got, _, _ := strings.Cut(h.One().Text(), "\n"); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		}
	})
}

// TestPluginThatNoConfigurationFits: a plugin that wants neither the new section nor
// the old one has failed, and starts again with one that it wants.
func TestPluginThatNoConfigurationFits(t *testing.T) {
	bad := false
	p := &plugin{id: "p", setup: func(ctx context.Context, h *ncat.Host) error {
		if bad {
			return errors.New("no luck\nat all")
		}
		return answers("p", "here")(ctx, h)
	}}
	b := ncat.New(ncat.WithoutHelp(), ncat.WithLogger(nil))
	b.AddPlugin(p)
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors()
		reload := func(to bool) error {
			return botlink.Of(b).ReloadPlugin("p", func() { bad = to }, func() {})
		}
		if err := reload(true); err == nil || !strings.Contains(err.Error(), "no luck") {
			t.Errorf("got %v", err)
		}
		if s := p.status(b); s.State != ncat.PluginFailed || !strings.Contains(s.Error, "no luck") || strings.Contains(s.Error, "all") {
			t.Errorf("%+v", s)
		}
		h.Friend(1).Says("/p")
		h.WantNothing()
		if err := reload(false); err != nil {
			t.Error(err)
		}
		h.Friend(1).Says("/p")
		h.Want("here")
		if s := p.status(b); s.State != ncat.PluginRunning || s.Error != "" {
			t.Errorf("%+v", s)
		}
		defer func() {
			if v, _ := recover().(string); !strings.Contains(v, "while the bot runs") || len(b.Plugins()) != 1 {
				t.Errorf("added while the bot runs: %q, %+v", v, b.Plugins())
			}
		}()
		b.AddPlugin(&plugin{id: "late"})
	})
}

// TestHints: a misspelled command is met with those that it may mean, three at most.
func TestHints(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	for _, name := range []string{"settings", "ping", "pang", "pong", "pung", "x"} {
		b.OnCommand(name, says(name))
	}
	b.OnCommand("secret", says("secret"), ncat.Hidden())
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for text, want := range map[string]string{
			"/settigns": "settings", "/sttings": "settings", "/SETTINS": "settings", "/stetigns": "settings", "/settxxxs": "", "/set": "",
			"/pnig": "ping", "/pxxg": "", "/pin": "ping", "/y": "", "/secrt": "", "/" + strings.Repeat("settings", 5): "",
		} {
			h.Friend(1).Says(text)
			got := ""
			for _, s := range h.Sent() {
				got += s.Text()
			}
			if (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
		h.Friend(1).Says("/pnng")
		if got := h.One().Text(); strings.Count(got, "/p") != 3 {
			t.Errorf("four that it may mean: %q", got)
		}
	})
}

// TestRolesThatAreNone: what cannot be the name of a role is not granted in the chat.
func TestRolesThatAreNone(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"), ncat.WithAdmins(99))
	b.OnCommand("edit", says("edited"), ncat.Need("editor"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		boss := h.Group(100).From(99)
		h.Group(100).From(1)
		for what, want := range map[string]string{`"two words"`: "a role's name has no white space", `""`: "a role's name has no white space", "role:": "a role's name has no white space", "bot.admin": "is not granted", "角色：editor": "granted: role editor"} {
			boss.Says("/perm grant " + what + " 1")
			if got := h.One().Text(); !strings.Contains(got, want) {
				t.Errorf("%s: %q", what, got)
			}
		}
		if n := len(h.Bot().Permissions().Rules()); n != 1 {
			t.Errorf("%d rules", n)
		}
	})
}
