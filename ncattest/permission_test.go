package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func says(text string) func(context.Context, *ncat.Bot, onebot.MessageEvent) error {
	return func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, text)
	}
}

// permissionBot has a command for editors, one of a plugin for nobody in
// particular, and one for all.
func permissionBot(space func(string) ncat.Store, opts ...ncat.Option) *ncat.Bot {
	b := ncat.New(append([]ncat.Option{ncat.WithLanguage("en"), ncat.WithAdmins(99), ncat.WithStore(space)}, opts...)...)
	b.OnCommand("edit page", says("edited"), ncat.Need("editor"), ncat.Alias("seite"))
	b.OnCommand("roll", says("rolled"), ncat.Alias("r"))
	b.AddPlugin(&plugin{id: "points", setup: func(_ context.Context, h *ncat.Host) error {
		h.OnCommand("points", says("pointed"), ncat.Need("banker"))
		return nil
	}})
	return b
}

func spaces() func(string) ncat.Store {
	stores := map[string]ncat.Store{}
	return func(id string) ncat.Store {
		if stores[id] == nil {
			stores[id] = ncat.NewMemoryStore()
		}
		return stores[id]
	}
}

// Admins change who may do what in the chat; it holds at once and after a
// restart.
func TestPermissionCommands(t *testing.T) {
	const denied = "you may not use this command"
	space := spaces()
	type line struct {
		who  string // boss, alice (100), else (101), bosses (private)
		say  string
		want string // part of the one answer; empty: none
	}
	at := func(h *ncattest.Harness, l line) {
		t.Helper()
		u := map[string]*ncattest.Person{"boss": h.InGroup(100, 99), "alice": h.InGroup(100, 1), "else": h.InGroup(101, 1), "alone": h.Friend(99)}[l.who]
		var content []any
		for i, part := range strings.Split(l.say, "@1") {
			if i > 0 {
				content = append(content, onebot.At(1))
			}
			content = append(content, part)
		}
		u.Says(content...)
		var got []string
		for _, s := range h.Sent() {
			got = append(got, s.Text())
		}
		if l.want == "" && len(got) == 0 || l.want != "" && len(got) == 1 && strings.Contains(got[0], l.want) {
			return
		}
		t.Errorf("%s says %s: the bot sent %q, want %q", l.who, l.say, got, l.want)
	}
	ncattest.Run(t, permissionBot(space), func(h *ncattest.Harness) {
		for _, l := range []line{
			{"alice", "/edit page", denied},
			{"boss", "/perm roles", "banker: /points\neditor: /edit page"},
			{"boss", "/perm list", "nothing is granted or denied"},
			{"boss", "/perm grant editor @1", "granted: role editor, user 1, group 100"},
			{"alice", "/edit page", "edited"},
			{"else", "/edit page", denied},
			{"boss", "/perm grant editor @1", "it is so already"},
			{"boss", "/perm grant editor", "say whom, or --all"},
			{"boss", "/perm grant editor --all -g 101", "granted: role editor, everybody, group 101"},
			{"else", "/edit page", "edited"},
			{"boss", "/perm grant jester @1", "no command asks for this role"},
			{"boss", "/perm grant bot.admin @1", "is not granted"},
			{"boss", "/perm list", "grant: role editor, user 1, group 100\ngrant: role jester"},
			{"boss", "/perm list -g 101", "grant: role editor, everybody, group 101"},
			{"alone", "/perm list", "group 100\ngrant: role editor, everybody, group 101"},
			{"boss", "/perm revoke editor @1", "revoked: role editor, user 1"},
			{"alice", "/edit page", denied},
			{"boss", "/perm revoke editor @1", "there was no such thing"},

			{"boss", "/权限 授予 /points 1", "granted: command /points, user 1, group 100"},
			{"alice", "/points", "pointed"},
			{"boss", "/权限 收回 command:points @1", "revoked: command /points"},
			{"alice", "/points", denied},
			{"alone", "/perm grant plugin:points 1", "granted: plugin points, user 1, everywhere"},
			{"else", "/points", "pointed"},
			{"boss", "/perm grant plugin:nope @1", "no plugin nope"},
			{"boss", "/perm grant /nope @1", "no command nope"},
			{"boss", `/perm grant "/edit seite" @1`, "granted: command /edit page, user 1"},
			{"alice", "/edit page", "edited"},

			{"boss", "/perm deny r", "denied: command /roll, everybody, group 100"},
			{"alice", "/roll", ""},
			{"alice", "/r", ""},
			{"else", "/roll", "rolled"},
			{"boss", "/roll", "rolled"},
			{"boss", "/perm allow /roll", "allowed again: command /roll"},
			{"alice", "/roll", "rolled"},
			{"boss", "/perm deny edit -e", "denied: command /edit, everybody, everywhere"}, // its sub-commands, too
			{"else", "/edit page", ""},
			{"boss", "/perm deny points", "denied: command /points"},
			{"boss", "/perm deny plugin:points", "denied: plugin points, everybody, group 100"},
			{"boss", "/points", ""},
			{"else", "/points", "pointed"},
			{"boss", "/perm deny thing", "no command or plugin is called thing"},
			{"boss", "/perm allow thing", "there was no such thing"},
			{"boss", "/perm", "commands:\n/perm list"},
			{"boss", "/perm deny", "argument what is missing\nusage: /perm deny <what> [user] [-a/--all]"},
			{"boss", "/权限", "/perm allow <what>"},
			{"boss", "/help", "/perm grant <what>"},

			// To others it is not there.
			{"alice", "/perm list", ""},
			{"alice", "/perm", ""},
			{"alice", "/prem", ""},
			{"alice", "/help perm", "no command perm"},
		} {
			at(h, l)
		}
	})
	ncattest.Run(t, permissionBot(space), func(h *ncattest.Harness) {
		at(h, line{"else", "/points", "pointed"})
		at(h, line{"boss", "/points", ""})
		at(h, line{"else", "/edit page", ""})
		at(h, line{"boss", "/perm list", "deny: command /edit, everybody, everywhere"})
	})
}

func TestPermissionCommandsAreOptional(t *testing.T) {
	own := permissionBot(spaces())
	own.OnCommand("perm", says("mine"))
	for _, x := range []struct {
		name string
		b    *ncat.Bot
		want string // first lines after /perm of an admin and /help of another
	}{
		{"without admins", permissionBot(spaces(), ncat.WithAdmins()), "[commands:]"},
		{"switched off", permissionBot(spaces(), ncat.WithoutPermissionCommands(), ncat.WithAdmins(99)), "[commands:]"},
		{"no other commands", ncat.New(ncat.WithAdmins(99)), "[命令:]"},
		{"another perm", own, "[mine commands:]"},
	} {
		ncattest.Run(t, x.b, func(h *ncattest.Harness) {
			h.Friend(99).Says("/perm")
			h.Friend(1).Says("/help")
			var got []string
			for _, s := range h.Sent() {
				line, _, _ := strings.Cut(s.Text(), "\n")
				got = append(got, line)
			}
			if fmt.Sprint(got) != x.want {
				t.Errorf("%s: the bot sent %q, want %s", x.name, got, x.want)
			}
		})
	}
	// A handler without commands sees everything, /help included.
	b := ncat.New(ncat.WithAdmins(99))
	b.OnMessage(says("heard"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("/help")
		h.Want("heard")
		h.Friend(1).Says("/perm list")
		h.Want("heard")
		h.Friend(99).Says("/perm list")
		h.Want("没有任何授权或禁用")
		botlink.Apply(b, ncat.WithAdmins()) // as a reload of the config does
		h.Friend(99).Says("/perm list")
		h.Want("heard")
	})
}

// blind is a store that cannot be read until it is mended.
type blind struct {
	ncat.Store
	mended *atomic.Bool
}

func (s blind) View(ctx context.Context, fn func(ncat.Tx) error) error {
	if !s.mended.Load() {
		return errors.New("the disk is gone")
	}
	return s.Store.View(ctx, fn)
}

// Without the rules nobody but admins may do what needs a permission, also what
// needs none of the rules; that is told, and taken back when they can be read.
func TestPermissionsThatCannotBeRead(t *testing.T) {
	var mended atomic.Bool
	var told []string
	from := spaces()
	b := ncat.New(ncat.WithLogger(nil), ncat.WithLanguage("en"), ncat.WithAdmins(99), ncat.WithTrouble(func(part string, err error) {
		if part == ncat.PartPermissions {
			told = append(told, fmt.Sprint(err))
		}
	}), ncat.WithStore(func(id string) ncat.Store { return blind{from(id), &mended} }))
	b.OnCommand("close", says("closed"), ncat.Need(ncat.RoleGroupAdmin))
	b.OnCommand("roll", says("rolled"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		say := func(who *ncattest.Person, text, want string) {
			t.Helper()
			who.Says(text)
			if got := h.Sent(); len(got) != 1 || !strings.Contains(got[0].Text(), want) {
				t.Errorf("%s: sent %+v, want %s", text, got, want)
			}
		}
		owner := h.InGroup(100, 1).As(onebot.RoleOwner)
		say(owner, "/close", "may not")
		say(owner, "/roll", "rolled")
		say(h.InGroup(100, 99), "/close", "closed")
		if len(told) != 1 || !strings.Contains(told[0], "the disk is gone") {
			t.Errorf("told %q", told)
		}
		mended.Store(true)
		h.Pass(3 * time.Second)
		say(owner, "/close", "closed")
		if len(told) != 2 || told[1] != "<nil>" {
			t.Errorf("told %q", told)
		}
	})
}
