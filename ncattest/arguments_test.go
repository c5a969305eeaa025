package ncattest_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// page is embedded by commands that turn pages.
type page struct {
	Page uint8 `flag:"page,p" default:"1"`
}

// argumentBot has one command for each kind of argument, which answers with what
// it got.
func argumentBot() *ncat.Bot {
	b := ncat.New(ncat.WithLanguage("en"))
	argument[struct {
		V int8 `arg:"v"`
	}](b, "int")
	argument[struct {
		V uint `arg:"v"`
	}](b, "uint")
	argument[struct {
		V float64 `arg:"v"`
	}](b, "float")
	argument[struct {
		V bool `arg:"v"`
	}](b, "bool")
	argument[struct {
		V time.Duration `arg:"v"`
	}](b, "duration")
	argument[struct {
		V string `arg:"v" enum:"small|Large" default:"small"`
	}](b, "enum")
	argument[struct {
		V []onebot.UserID `arg:"v"`
	}](b, "users")
	argument[struct {
		V onebot.GroupID `arg:"v"`
	}](b, "group")
	argument[struct {
		V netip.Addr `arg:"v"`
	}](b, "address")
	argument[struct {
		V string   `arg:"v" default:"none"`
		W []string `arg:"w,optional"`
	}](b, "words")
	argument[struct {
		V string `arg:"v,rest,optional"`
	}](b, "rest")
	argument[struct {
		V string `arg:"v"`
		page
	}](b, "list")
	ncat.Command(b, "time", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		V time.Time `arg:"v"`
	}) error {
		return b.Reply(ctx, m, a.V.UTC().Format(time.DateTime))
	})
	ncat.Command(b, "pictures", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		V []*onebot.ImageSegment `arg:"v"`
	}) error {
		var files []string
		for _, s := range a.V {
			files = append(files, s.File)
		}
		return b.Reply(ctx, m, strings.Join(files, " "))
	})
	ncat.Command(b, "segment", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		V onebot.Segment `arg:"v"`
	}) error {
		return b.Reply(ctx, m, a.V.SegmentType())
	})
	return b
}

func argument[A any](b *ncat.Bot, name string) {
	ncat.Command(b, name, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a A) error {
		return b.Reply(ctx, m, fmt.Sprintf("%+v", a))
	})
}

func TestArguments(t *testing.T) {
	ncattest.Run(t, argumentBot(), func(h *ncattest.Harness) { // virtual time begins at 2000-01-01 14:07:43 UTC
		u := h.InGroup(100, 1)
		for _, c := range []struct {
			say  []any
			want string // how the one answer begins
		}{
			{[]any{"/int -128"}, "{V:-128}"},
			{[]any{"/int 128"}, "argument v: expected a whole number"},
			{[]any{"/int 1.5"}, "argument v: expected a whole number"},
			{[]any{"/uint 7"}, "{V:7}"},
			{[]any{"/uint -7"}, "argument v: expected a whole number"},
			{[]any{"/float -2.5e1"}, "{V:-25}"},
			{[]any{"/float NaN"}, "argument v: expected a number"},
			{[]any{"/bool 开"}, "{V:true}"},
			{[]any{"/bool No"}, "{V:false}"},
			{[]any{"/bool maybe"}, "argument v: expected yes or no"},
			{[]any{"/duration 1d12h"}, "{V:36h0m0s}"},
			{[]any{"/duration 2小时30分"}, "{V:2h30m0s}"},
			{[]any{"/duration 00:15:30"}, "{V:15m30s}"},
			{[]any{"/duration -5m"}, "argument v: expected a duration"},
			{[]any{"/enum"}, "{V:small}"},
			{[]any{"/enum LARGE"}, "{V:Large}"},
			{[]any{"/enum medium"}, "argument v: expected small | Large, got \"medium\"\nusage: /enum [small|Large]"},
			{[]any{"/users ", onebot.At(7), " 8 @9"}, "{V:[7 8 9]}"},
			{[]any{"/users ", onebot.AtAll()}, "argument v: expected @user or a QQ number"},
			{[]any{"/users"}, "argument v is missing\nusage: /users <v…>"},
			{[]any{"/group 30003"}, "{V:30003}"},
			{[]any{"/group -1"}, "argument v: expected a group's number"},
			{[]any{"/address ::1"}, "{V:::1}"},
			{[]any{"/address nowhere"}, "argument v: expected text"},
			{[]any{"/words"}, "{V:none W:[]}"},
			{[]any{`/words a "b c" 「d e」 -f`}, "{V:a W:[b c d e -f]}"}, // a command without flags takes dashes as they are
			{[]any{`/rest  two  "words" `}, `{V:two  "words"}`},
			{[]any{"/rest"}, "{V:}"},
			{[]any{"/list a"}, "{V:a page:{Page:1}}"},
			{[]any{"/list -p3 a"}, "{V:a page:{Page:3}}"},
			{[]any{"/list a --page 256"}, "argument page: expected a whole number"},
			{[]any{`/time "2026-01-02 15:04"`}, "2026-01-02 15:04:00"},
			{[]any{"/time 2026-01-02T15:04:05+08:00"}, "2026-01-02 07:04:05"},
			{[]any{"/time 23:30"}, "2000-01-01 23:30:00"},
			{[]any{"/time 00:00"}, "2000-01-02 00:00:00"}, // the next one
			{[]any{"/time later"}, "argument v: expected a time"},
			{[]any{"/pictures ", &onebot.ImageSegment{File: "a"}, onebot.Text(" "), &onebot.ImageSegment{File: "b"}}, "a b"},
			{[]any{"/pictures", onebot.Face(1)}, "argument v: expected a picture, got \"[face]\""},
			{[]any{"/pictures a.png"}, "argument v: expected a picture, got \"a.png\""},
			{[]any{"/segment ", onebot.Face(1)}, "face"},
			{[]any{"/segment x"}, "argument v: expected a message segment"},
			// What the package does not know arrives all the same.
			{[]any{"/segment ", &onebot.UnknownSegment{Type: "hologram"}}, "hologram"},
		} {
			u.Says(c.say...)
			sent := h.Sent()
			if len(sent) != 1 || !strings.HasPrefix(sent[0].Text(), c.want) {
				t.Errorf("%v: the bot sent\n%v, want\n%q", c.say, sent, c.want)
			}
		}
	})
}

// A command that cannot work is found when it is registered.
func TestCommandsThatCannotWork(t *testing.T) {
	nothing := func(context.Context, *ncat.Bot, onebot.MessageEvent) error { return nil }
	for name, register := range map[string]func(b *ncat.Bot){
		"no name":           func(b *ncat.Bot) { b.OnCommand(" ", nothing) },
		"no handler":        func(b *ncat.Bot) { b.OnCommand("x", nil) },
		"taken":             func(b *ncat.Bot) { b.OnCommand("x", nothing); b.OnCommand("X", nothing) },
		"alias taken":       func(b *ncat.Bot) { b.OnCommand("x", nothing); b.OnCommand("y", nothing, ncat.Alias("x")) },
		"sub-command taken": func(b *ncat.Bot) { b.OnCommand("x y", nothing); b.OnCommand("x z", nothing, ncat.Alias("y")) },
		"no struct":         func(b *ncat.Bot) { argument[int](b, "x") },
		"no tag":            func(b *ncat.Bot) { argument[struct{ V int }](b, "x") },
		"bad type": func(b *ncat.Bot) {
			argument[struct {
				V chan int `arg:"v"`
			}](b, "x")
		},
		"bad default": func(b *ncat.Bot) {
			argument[struct {
				V int `arg:"v" default:"x"`
			}](b, "x")
		},
		"unknown option": func(b *ncat.Bot) {
			argument[struct {
				V int `arg:"v,greedy"`
			}](b, "x")
		},
		"flag twice": func(b *ncat.Bot) {
			argument[struct {
				V, W int `flag:"v"`
			}](b, "x")
		},
		"long short flag": func(b *ncat.Bot) {
			argument[struct {
				V int `flag:"v,vv"`
			}](b, "x")
		},
		"rest before another": func(b *ncat.Bot) {
			argument[struct {
				V string `arg:"v,rest"`
				W int    `arg:"w"`
			}](b, "x")
		},
		"required after optional": func(b *ncat.Bot) {
			argument[struct {
				V int `arg:"v,optional"`
				W int `arg:"w"`
			}](b, "x")
		},
		"option of commands": func(b *ncat.Bot) { b.OnMessage(nothing, ncat.Alias("x")) },
	} {
		func() {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.HasPrefix(v, "ncat: ") {
					t.Errorf("%s: no panic of ncat's, but %v", name, v)
				}
			}()
			register(ncat.New())
		}()
	}
}

// Options of a command: filters, PassOn, Hidden, a prefix that is a word or
// nothing at all, middleware.
func TestCommandOptions(t *testing.T) {
	b := ncat.New(ncat.WithPrefixes("/", "喵", ""), ncat.WithLanguage("en"))
	var wrapped []string
	wrap := func(name string) ncat.Middleware {
		return func(next ncat.Handler) ncat.Handler {
			return func(ctx context.Context, b *ncat.Bot, e onebot.Event) error {
				wrapped = append(wrapped, name)
				return next(ctx, b, e)
			}
		}
	}
	b.OnCommand("here", says("here"), ncat.Where(ncat.InGroup(100)), ncat.Wrap(wrap("own")))
	b.OnCommand("both", says("one"), ncat.PassOn())
	b.OnCommand("secret", says("psst"), ncat.Hidden())
	b.OnMessage(says("two"), ncat.Where(ncat.Keyword("both", "here")))
	b.Use(wrap("all"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		wrapped = nil
		h.InGroup(100, 1).Says("/here")
		h.Want("here")
		if got := strings.Join(wrapped, " "); got != "all own" {
			t.Errorf("middleware ran: %s", got)
		}
		h.InGroup(101, 1).Says("/here")
		h.Want("two") // no command there
		h.Friend(1).Says("喵both")
		h.Want("one", "two")
		h.Friend(1).Says("喵 both")
		h.Want("one", "two")
		h.Friend(1).Says("secret")
		h.Want("psst")
		h.Friend(1).Says("help")
		if got := h.One().Text(); strings.Contains(got, "secret") || !strings.Contains(got, "both") {
			t.Errorf("help: %q", got)
		}
		h.Friend(1).Says("help both")
		if got := h.One().Text(); got != "usage: both" {
			t.Errorf("help both: %q", got)
		}
		h.Friend(1).Says("hello friend")
		h.Friend(1).Says("help me")
		h.Friend(1).Says("help both of us") // the handler after the commands
		h.Want("two")
		botlink.Apply(b, ncat.WithPrefixes("!")) // as a reload of the config does
		h.Friend(1).Says("/both")
		h.Want("two")
		h.Friend(1).Says("!both")
		h.Want("one", "two")
	})
}
