package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestGrantsAndDenials: each way to grant or deny holds where its scope says, and
// its counterpart takes exactly that back.
func TestGrantsAndDenials(t *testing.T) {
	space := spaces()
	newBot := func() *ncat.Bot {
		b := ncat.New(ncat.WithoutHelp(), ncat.WithAdmins(99), ncat.WithStore(space))
		b.AddPlugin(&plugin{id: "points", setup: func(_ context.Context, h *ncat.Host) error {
			h.OnCommand("pay all", says("paid"), ncat.Need("banker"))
			h.OnCommand("look", says("seen"))
			return nil
		}})
		return b
	}
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		ctx, b := h.Context(), h.Bot()
		p := b.Permissions()
		// what user 1 in groups 100 and 101, user 2 in group 100, and the admin in 100 may
		may := func(text string) (got string) {
			t.Helper()
			for _, who := range []*ncattest.Person{h.Group(100).From(1), h.Group(101).From(1), h.Group(100).From(2), h.Group(100).From(99)} {
				who.Says(text)
				yes := "-"
				for _, s := range h.Sent() {
					if s.Text() == "paid" || s.Text() == "seen" {
						yes = "+"
					}
				}
				got += yes
			}
			return got
		}
		type change func(context.Context, string, ncat.Scope) error
		for _, c := range []struct {
			name       string
			on, off    change
			what, says string
			before     string
			after      map[ncat.Scope]string
		}{
			{"role", p.Grant, p.Revoke, "banker", "/pay all", "---+", map[ncat.Scope]string{{}: "++++", {Group: 100}: "+-++", {User: 1}: "++-+", {Group: 100, User: 1}: "+--+", {Group: 7}: "---+"}},
			{"command", p.GrantCommand, p.RevokeCommand, "pay  all", "/pay all", "---+", map[ncat.Scope]string{{}: "++++", {Group: 101}: "-+-+", {Group: 100, User: 2}: "--++"}},
			{"command above", p.GrantCommand, p.RevokeCommand, "pay", "/pay all", "---+", map[ncat.Scope]string{{}: "++++"}},
			{"plugin", p.GrantPlugin, p.RevokePlugin, "points", "/pay all", "---+", map[ncat.Scope]string{{}: "++++", {User: 2}: "--++"}},
			{"denied command", p.DenyCommand, p.AllowCommand, "look", "/look", "++++", map[ncat.Scope]string{{}: "---+", {Group: 100}: "-+-+", {User: 2}: "++-+", {User: 99}: "++++"}},
			{"denied plugin", p.DenyPlugin, p.AllowPlugin, "points", "/look", "++++", map[ncat.Scope]string{{}: "----", {Group: 100}: "-+--", {User: 99}: "+++-"}},
		} {
			for scope, want := range c.after {
				if got := may(c.says); got != c.before {
					t.Errorf("%s: before it %s, want %s", c.name, got, c.before)
				}
				for range 2 { // the second changes nothing
					if err := c.on(ctx, c.what, scope); err != nil {
						t.Error(err)
					}
				}
				if got := may(c.says); got != want {
					t.Errorf("%s in %+v: %s, want %s", c.name, scope, got, want)
				}
				if err := c.off(ctx, c.what, scope); err != nil {
					t.Error(err)
				}
			}
			if err := c.off(ctx, c.what, ncat.Scope{}); err != nil || len(p.Rules()) != 0 {
				t.Errorf("%s: %v, %v", c.name, err, p.Rules())
			}
		}

		for _, role := range []string{ncat.RoleAdmin, ncat.RoleGroupAdmin, ncat.RoleGroupOwner, "", "two words"} {
			if err := p.Grant(ctx, role, ncat.Scope{}); err == nil {
				t.Errorf("role %q was granted", role)
			}
		}
		for _, err := range []error{
			p.Grant(ctx, "editor", ncat.Scope{Group: 100, User: 1}), p.Grant(ctx, "banker", ncat.Scope{User: 2}),
			p.DenyPlugin(ctx, "x", ncat.Scope{}), p.Grant(ctx, "editor", ncat.Scope{Group: 100}),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		for _, c := range []struct {
			role  string
			group onebot.GroupID
			user  onebot.UserID
			has   bool
		}{{"editor", 100, 1, true}, {"editor", 100, 3, true}, {"editor", 0, 1, false}, {"editor", 101, 1, false}, {"banker", 0, 2, true}, {"banker", 5, 2, true}, {"banker", 5, 1, false}, {"any", 0, 99, true}, {"any", 0, 0, false}} {
			if got := p.Has(c.role, c.group, c.user); got != c.has {
				t.Errorf("%+v: %v", c, got)
			}
		}
	})
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) { // another run of the program
		want := []ncat.Rule{
			{Kind: "deny", Target: "plugin x"}, {Kind: "grant", Target: "banker", Scope: ncat.Scope{User: 2}},
			{Kind: "grant", Target: "editor", Scope: ncat.Scope{Group: 100}}, {Kind: "grant", Target: "editor", Scope: ncat.Scope{Group: 100, User: 1}},
		}
		if got := h.Bot().Permissions().Rules(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		gone, cancel := context.WithCancelCause(h.Context())
		why := errors.New("no more")
		cancel(why)
		for _, err := range []error{h.Bot().Permissions().Grant(gone, "r", ncat.Scope{}), h.Bot().Permissions().Revoke(gone, "banker", ncat.Scope{User: 2})} {
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
		}
		if got := h.Bot().Permissions().Rules(); !reflect.DeepEqual(got, want) {
			t.Errorf("what was not written holds: %+v", got)
		}
	})
}

// TestFiltersKeepTheirWords: a filter is of what it was given, whatever becomes of
// the list afterwards, and passes just that.
func TestFiltersKeepTheirWords(t *testing.T) {
	text := func(s string) onebot.Event { return ncattest.GroupMessage(100, 1, s) }
	words := func(f func(...string) ncat.Filter) ncat.Filter {
		list := []string{"one", "two"}
		defer clear(list)
		return f(list...)
	}
	groups, users, ids := []onebot.GroupID{100, 200}, []onebot.UserID{1, 2}, []onebot.MessageID{7, 8}
	in, from, reply := ncat.InGroup(groups...), ncat.FromUser(users...), ncat.IsReply(ids...)
	clear(groups)
	clear(users)
	clear(ids)
	quote := func(id onebot.MessageID) onebot.Event { return ncattest.GroupMessage(100, 1, onebot.Reply(id), "x") }
	for name, c := range map[string]struct {
		f        ncat.Filter
		yes, not []onebot.Event
	}{
		"text":     {words(ncat.TextIs), []onebot.Event{text("one"), text(" two ")}, []onebot.Event{text("three"), text("one two")}},
		"prefix":   {words(ncat.HasPrefix), []onebot.Event{text("one."), text("  twofold")}, []onebot.Event{text("a one"), text("tw")}},
		"suffix":   {words(ncat.HasSuffix), []onebot.Event{text("a one"), text("two ")}, []onebot.Event{text("one."), text("wo")}},
		"keyword":  {words(ncat.Keyword), []onebot.Event{text("a one."), text("two")}, []onebot.Event{text("on e")}},
		"group":    {in, []onebot.Event{text("x"), ncattest.Joined(200, 5)}, []onebot.Event{ncattest.GroupMessage(300, 1, "x"), ncattest.PrivateMessage(100, "x")}},
		"any":      {ncat.InGroup(), []onebot.Event{text("x")}, []onebot.Event{ncattest.PrivateMessage(100, "x")}},
		"private":  {ncat.InPrivate(), []onebot.Event{ncattest.PrivateMessage(100, "x")}, []onebot.Event{text("x")}},
		"user":     {from, []onebot.Event{text("x"), ncattest.Joined(200, 2)}, []onebot.Event{ncattest.GroupMessage(100, 3, "x"), ncattest.Beat(true)}},
		"reply":    {reply, []onebot.Event{quote(7), quote(8)}, []onebot.Event{quote(9), text("x")}},
		"a reply":  {ncat.IsReply(), []onebot.Event{quote(9)}, []onebot.Event{text("x")}},
		"and":      {words(ncat.Keyword).And(from, in), []onebot.Event{text("one")}, []onebot.Event{text("x"), ncattest.GroupMessage(300, 1, "one"), ncattest.GroupMessage(100, 3, "one")}},
		"or":       {words(ncat.Keyword).Or(from), []onebot.Event{text("x"), ncattest.GroupMessage(100, 3, "one")}, []onebot.Event{ncattest.GroupMessage(100, 3, "x")}},
		"not":      {words(ncat.Keyword).Not(), []onebot.Event{text("x")}, []onebot.Event{text("one")}},
		"to me":    {ncat.ToMe(), []onebot.Event{ncattest.PrivateMessage(1, "x"), ncattest.GroupMessage(100, 1, onebot.At(ncattest.Self), "x")}, []onebot.Event{text("x"), ncattest.GroupMessage(100, 1, onebot.At(5), "x")}},
		"not self": {ncat.NotSelf(), []onebot.Event{text("x"), ncattest.Beat(true)}, []onebot.Event{ncattest.Joined(100, ncattest.Self)}},
	} {
		for i, list := range [][]onebot.Event{c.yes, c.not} {
			for j, e := range list {
				if c.f(nil, e) != (i == 0) {
					t.Errorf("%s: %s %d", name, []string{"does not pass", "passes"}[i], j)
				}
			}
		}
	}
	if never, always := ncat.During("08:00", "08:00", nil), ncat.During("00:00", "24:00", nil); never(ncat.New(), text("x")) || !always(ncat.New(), text("x")) {
		t.Error("a time that is none, or all day, is wrong")
	}
	for _, bad := range []string{"25:00", "8", ""} {
		func() {
			defer func() {
				if v := recover(); v == nil || fmt.Sprint(v) == "" {
					t.Errorf("During(%q) is taken", bad)
				}
			}()
			ncat.During(bad, "09:00", nil)
		}()
	}
}

// TestPluginsBeforeTheBotRuns: what the configuration does not enable is not enabled.
func TestPluginsBeforeTheBotRuns(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(&plugin{id: "on"}, &plugin{id: "off"})
	botlink.Of(b).ChoosePlugins(func(id string) bool { return id == "on" })
	for _, s := range b.Plugins() {
		if s.Enabled != (s.ID == "on") || s.State != ncat.PluginStopped {
			t.Errorf("%+v", s)
		}
	}
}

// TestMarkedMessages: the filters for messages that came late or come again.
func TestMarkedMessages(t *testing.T) {
	late, again, plain := ncattest.GroupMessage(100, 1, "x"), ncattest.GroupMessage(100, 1, "x"), ncattest.GroupMessage(100, 1, "x")
	late.Backfilled, again.Redelivered = true, true
	for e, want := range map[onebot.Event]string{late: "true false", again: "false true", plain: "false false", ncattest.Joined(100, 5): "false false"} {
		if got := fmt.Sprint(ncat.Backfilled(nil, e), ncat.Redelivered(nil, e)); got != want {
			t.Errorf("%+v: %s, want %s", e, got, want)
		}
	}
}

// TestAdminsWhileTheBotRuns: the first admin brings the command, the last takes it away.
func TestAdminsWhileTheBotRuns(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnMessage(says("heard"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for _, admins := range [][]onebot.UserID{nil, {99}, {98, 99}, {98}, {99}, nil} {
			botlink.Apply(b, ncat.WithAdmins(admins...))
			want := "heard"
			if slices.Contains(admins, 99) {
				want = "nothing is granted or denied"
			}
			h.Friend(99).Says("/perm list")
			h.Want(want)
		}
	})
}

// TestPluginIDs: what can be the id of a plugin, and how plugins stand before the
// bot runs.
func TestPluginIDs(t *testing.T) {
	for id, ok := range map[string]bool{
		"a": true, "z": true, "A": true, "Z": true, "0": true, "9": true, "a.b-c_D9": true,
		"": false, "a b": false, "a/b": false, "日": false, "a:b": false, "a`b": false, "a{": false, "@": false, "[": false,
	} {
		func() {
			b := ncat.New()
			defer func() {
				if got := recover() == nil; got != ok || ok && len(b.Plugins()) != 1 || !ok && len(b.Plugins()) != 0 {
					t.Errorf("%q: %v, %+v", id, got, b.Plugins())
				}
			}()
			b.AddPlugin(&plugin{id: id})
			if s := b.Plugins()[0]; s != (ncat.PluginStatus{ID: id, Version: "1.0", Enabled: true, State: ncat.PluginStopped}) {
				t.Errorf("%+v", s)
			}
		}()
	}
}
