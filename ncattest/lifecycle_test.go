package ncattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// Hooks of start and stop run once, around everything else, whatever one of them
// does; errors and panics of handlers reach the error hook.
func TestHooks(t *testing.T) {
	var log []string
	say := func(s string) { log = append(log, s) }
	b := ncat.New()
	b.OnStart(func(context.Context, *ncat.Bot) error { say("start"); return errors.New("no matter") })
	b.OnStart(func(context.Context, *ncat.Bot) error { panic("nor this") })
	b.OnStop(func(context.Context, *ncat.Bot) error { say("stop"); return nil })
	b.AddPlugin(&plugin{id: "p", setup: func(_ context.Context, h *ncat.Host) error {
		say("setup")
		h.Go(func(ctx context.Context) { <-ctx.Done(); say("goroutine ended") })
		return nil
	}})
	broken := errors.New("broken")
	b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
		say("handler")
		if m.Msg().Text() == "panic" {
			panic(broken)
		}
		return fmt.Errorf("it is %w", broken)
	}, ncat.Named("breaker"))
	b.OnError(func(_ context.Context, _ *ncat.Bot, e onebot.Event, err error) {
		var p *ncat.PanicError
		if !errors.Is(err, broken) || ncat.ChatOf(e) != ncat.Private(1) || errors.As(err, &p) && p.Handler != "breaker" {
			t.Errorf("error hook: %T %v", e, err)
		}
		say(fmt.Sprintf("error, panic %v", p != nil))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("x")
		h.Friend(1).Says("panic")
		if errs := h.Errors(); len(errs) != 2 {
			t.Errorf("errors: %v", errs)
		}
	})
	want := []string{"start", "setup", "handler", "error, panic false", "handler", "error, panic true", "goroutine ended", "stop"}
	if !slices.Equal(log, want) {
		t.Errorf("got  %q\nwant %q", log, want)
	}
}

// Plugins start in the order that they need each other; what misses something,
// or is part of a circle, is left out and says why. Their middleware is theirs.
func TestPluginOrder(t *testing.T) {
	var order []string
	mk := func(id string, needs ...string) *plugin {
		return &plugin{id: id, needs: needs, setup: func(_ context.Context, h *ncat.Host) error {
			order = append(order, id)
			h.Use(func(next ncat.Handler) ncat.Handler {
				return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error {
					if err := b.Reply(ctx, e.(onebot.MessageEvent), "via "+id); err != nil {
						return err
					}
					return next(ctx, b, e)
				}
			})
			h.OnCommand(id, says(id))
			return nil
		}}
	}
	c, a, d := mk("c", "a", "d"), mk("a"), mk("d", "a")
	hen, egg := mk("hen", "egg"), mk("egg", "hen")
	self, lost, heir := mk("self", "self"), mk("lost", "nobody"), mk("heir", "lost")
	b := ncat.New()
	b.AddPlugin(c, hen, self, heir, a, egg, lost, d)
	b.OnCommand("bot", says("bot"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors() // some plugins are to fail
		if fmt.Sprint(order) != "[a d c]" {
			t.Errorf("they started in the order %v", order)
		}
		for p, why := range map[*plugin]string{
			hen: "needs plugin egg", egg: "needs plugin hen, which needs this one", self: "needs plugin self, which needs this one",
			lost: "needs plugin nobody, which is not linked in", heir: "needs plugin lost, which is failed",
		} {
			if s := p.status(b); s.State != ncat.PluginFailed || !strings.Contains(s.Error, why) || s.Version != "1.0" {
				t.Errorf("%s: %+v, want %q", p.id, s, why)
			}
		}
		u := h.Friend(1)
		u.Says("/a")
		u.Says("/c")
		u.Says("/hen")
		u.Says("/bot")
		h.Want("via a", "a", "via c", "c", "bot")
	})
	if c.ended != 1 || a.ended != 1 || hen.ended != 0 {
		t.Errorf("closed: c %d, a %d, hen %d times", c.ended, a.ended, hen.ended)
	}
}

// A plugin gets its section of the config into its struct, over its defaults; a
// section that does not fit leaves it out.
func TestPluginConfig(t *testing.T) {
	sections := map[string]string{"good": `{"word":"hi","every":"1m"}`, "typo": `{"wrod":"hi"}`, "wrong": `{"word":7}`}
	b := ncat.New(ncat.WithPluginConfig(func(id string, into any) error {
		raw, ok := sections[id]
		if !ok {
			return nil
		}
		dec := json.NewDecoder(strings.NewReader(raw))
		dec.DisallowUnknownFields()
		return dec.Decode(into)
	}))
	for _, id := range []string{"good", "typo", "wrong", "bare"} {
		b.AddPlugin(&plugin{id: id, setup: func(_ context.Context, h *ncat.Host) error {
			conf := struct {
				Word  string
				Every string
				Times int
			}{Word: "default", Times: 3}
			if err := h.Config(&conf); err != nil {
				return err
			}
			h.OnCommand(id, says(fmt.Sprint(conf)))
			return nil
		}})
	}
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Errors() // some plugins are to fail
		h.Friend(1).Says("/good")
		h.Friend(1).Says("/bare")
		h.Want("{hi 1m 3}", "{default  3}")
		for i, s := range b.Plugins() {
			failed := s.State == ncat.PluginFailed && strings.Contains(s.Error, "config of plugin "+s.ID)
			if failed != (i == 1 || i == 2) {
				t.Errorf("%+v", s)
			}
		}
	})
}

// A denied plugin sees nothing of the group, but all of the rest.
func TestPluginDeniedInAGroup(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(&plugin{id: "nosy", setup: func(_ context.Context, h *ncat.Host) error {
		h.OnMessage(says("heard"))
		ncat.On(h.Bot, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupIncrease) error {
			_, err := b.SendGroup(ctx, e.GroupID, "seen")
			return err
		})
		return nil
	}})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		if err := b.Permissions().DenyPlugin(h.Context(), "nosy", ncat.Scope{Group: 100}); err != nil {
			t.Fatal(err)
		}
		h.InGroup(100, 1).Says("x")
		h.Event(ncattest.Joined(100, 5))
		h.WantNothing()
		h.InGroup(101, 1).Says("x")
		h.Event(ncattest.Joined(101, 5))
		h.Want("heard", "seen")
		if err := b.Permissions().Grant(h.Context(), "two words", ncat.Scope{}); err == nil {
			t.Error("a role of two words was granted")
		}
	})
}

// Filters that look at the time, at patterns, and at what is no message.
func TestMoreFilters(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		b, x := h.Bot(), ncattest.GroupMessage(100, 1, "x")
		night, day := ncat.During("22:00", "06:30", time.UTC), ncat.During("06:30", "22:00", time.UTC)
		tokyo := ncat.During("09:00", "10:00", time.FixedZone("JST", 9*3600))
		for range 48 {
			now := time.Now().UTC().Format("15:04")
			if want := now >= "22:00" || now < "06:30"; night(b, x) != want || day(b, x) == want {
				t.Errorf("at %s: night %v, day %v", now, night(b, x), day(b, x))
			}
			if want := now < "01:00"; tokyo(b, x) != want {
				t.Errorf("at %s: between 9 and 10 in Tokyo %v", now, !want)
			}
			h.Pass(30 * time.Minute)
		}
		joined := ncattest.Joined(100, 5)
		for name, f := range map[string]ncat.Filter{
			"prefix": ncat.HasPrefix(""), "suffix": ncat.HasSuffix(""), "text": ncat.TextIs(""), "pattern": ncat.Matches(regexp.MustCompile("")),
			"reply": ncat.IsReply(), "segment": ncat.HasSegment[onebot.Segment](), "mention": ncat.MentionsMe(), "group admin": ncat.ByGroupAdmin(),
			"group owner": ncat.ByGroupOwner(), "private": ncat.InPrivate(), "admin": ncat.ByAdmin(), "none": ncat.AnyOf(),
		} {
			if f(b, joined) {
				t.Errorf("%s passes somebody who joined", name)
			}
		}
		if !ncat.AllOf()(b, joined) || !ncat.NotSelf()(b, joined) || ncat.NotSelf()(b, ncattest.Joined(100, ncattest.Self)) {
			t.Error("AllOf and NotSelf are wrong about somebody who joined")
		}
		if !ncat.Matches(regexp.MustCompile(`^\d+d\d+$`))(b, ncattest.GroupMessage(100, 1, "2d6")) {
			t.Error("2d6 does not match")
		}
	})
}

// A refusal is an error from which everything NapCat said can be reached.
func TestRefusalsAreReachable(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		raw := json.RawMessage(`{"status":"failed","retcode":1200,"data":null,"message":"禁言中","wording":"禁言中"}`)
		h.On("send_group_msg", func(json.RawMessage) (any, error) {
			return nil, &onebot.Error{Action: "send_group_msg", RetCode: 1200, Message: "禁言中", Wording: "禁言中", Raw: raw}
		})
		_, err := h.Bot().SendGroup(h.Context(), 100, "x")
		var refused *onebot.Error
		if !errors.As(fmt.Errorf("greeting: %w", err), &refused) || refused.RetCode != 1200 || refused.Wording != "禁言中" || string(refused.Raw) != string(raw) {
			t.Errorf("got %#v", err)
		}
	})
}

// What a bot does to people and messages, as NapCat is asked for it.
func TestActs(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		ctx, b := h.Context(), h.Bot()
		id := h.Group(100).From(5).Says("x")
		for _, err := range []error{
			b.React(ctx, id, "76", true), b.Recall(ctx, id),
			b.Ban(ctx, 100, 5, 10*time.Minute), b.Ban(ctx, 100, 5, 0), b.Kick(ctx, 100, 5, true),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		var got []string
		for _, c := range h.Calls() {
			got = append(got, c.Action+" "+string(c.Params))
		}
		want := []string{
			fmt.Sprintf(`set_msg_emoji_like {"message_id":%d,"emoji_id":"76","set":true}`, id),
			fmt.Sprintf(`delete_msg {"message_id":%d}`, id),
			`set_group_ban {"group_id":"100","user_id":"5","duration":600}`,
			`set_group_ban {"group_id":"100","user_id":"5","duration":0}`,
			`set_group_kick {"group_id":"100","user_id":"5","reject_add_request":true}`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if u := ncat.AvatarURL(10001, 640); u != "https://q1.qlogo.cn/g?b=qq&nk=10001&s=640" {
			t.Error(u)
		}
		if u := ncat.GroupAvatarURL(100, 100); u != "https://p.qlogo.cn/gh/100/100/100" {
			t.Error(u)
		}
	})
}
