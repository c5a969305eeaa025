package ncattest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestConfirmWords: what people say for yes and for no, in both languages.
func TestConfirmWords(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	b.OnText("sure", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		ok, err := b.Confirm(ctx, m, "sure?")
		return errors.Join(err, b.Reply(ctx, m, ok))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		u := h.Friend(1)
		for want, words := range map[string][]string{
			"true":  {"好", "好的", "确定", "确认", "ok", "OK", "yes", "Y", "是", " on ", "1"},
			"false": {"不", "不要", "no", "N", "否", "off", "0"},
		} {
			for _, w := range words {
				u.Says("sure")
				u.Says(w)
				h.Want("sure?", want)
			}
		}
		u.Says("sure")
		u.Says("好吗")
		u.Says("no")
		h.Want("sure?", "answer yes or no", "false")
	})
}

// TestFlagForms: the forms in which flags are written.
func TestFlagForms(t *testing.T) {
	type args struct {
		Loud  bool     `flag:"loud,l" default:"true"`
		Quick bool     `flag:"quick,q"`
		N     int      `flag:"n,n" default:"1"`
		Tags  []string `flag:"tag,t"`
		Rest  []string `arg:"rest,optional"`
	}
	b := ncat.New(ncat.WithLanguage("en"))
	ncat.Command(b, "x", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a args) error {
		return b.Reply(ctx, m, fmt.Sprintf("%v %v %d %q %q", a.Loud, a.Quick, a.N, a.Tags, a.Rest))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for text, want := range map[string]string{
			"":                       `true false 1 [] []`,
			"--no-loud":              `false false 1 [] []`,
			"--no-quick -q":          "flag -q is given twice",
			"--loud=no":              `false false 1 [] []`,
			"-ql":                    `true true 1 [] []`,
			"-qn5":                   `true true 5 [] []`,
			"-n 5 a":                 `true false 5 [] ["a"]`,
			"-n=5":                   `true false 5 [] []`,
			"--n=5 --tag=a -t b -tc": `true false 5 ["a" "b" "c"] []`,
			`--tag="a b" -t "c d"`:   `true false 1 ["a b" "c d"] []`,
			"a -- --n -q":            `true false 1 [] ["a" "--n" "-q"]`,
			"--no-n":                 "unknown flag --no-n",
			"--no-tag":               "unknown flag --no-tag",
			"--no-loud=yes":          "unknown flag --no-loud",
			"-qx":                    "unknown flag -qx",
			"--n":                    "flag --n needs a value",
			"-n 1 -n 2":              "flag -n is given twice",
			"-":                      `true false 1 [] ["-"]`,
		} {
			h.Friend(1).Says("/x " + text)
			got := h.One().Text()
			if line, _, _ := strings.Cut(got, "\n"); line != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		}
	})
}

// TestQuotedIsNoSubCommand: what stands in quotes is an argument, whatever it says.
func TestQuotedIsNoSubCommand(t *testing.T) {
	b := ncat.New(ncat.WithLanguage("en"))
	ncat.Command(b, "vote", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a struct {
		For string `arg:"for,optional"`
	}) error {
		return b.Reply(ctx, m, "for ", a.For)
	})
	b.OnCommand("vote start", ncat.Say("started"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for text, want := range map[string]string{"/vote start": "started", `/vote "start"`: "for start", "/vote stop": "for stop", "/vote": "for "} {
			h.Friend(1).Says(text)
			if got := h.One().Text(); strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
	})
}

// TestChatsAndUsersOfEvents: which chat and user an event belongs to.
func TestChatsAndUsersOfEvents(t *testing.T) {
	own := ncattest.PrivateMessage(1, "x")
	own.UserID, own.TargetID = ncattest.Self, 1
	odd := ncattest.PrivateMessage(1, "x")
	odd.TargetID = 7
	through := ncattest.PrivateMessage(1, "x")
	through.GroupID = 100
	for name, c := range map[string]struct {
		e    onebot.Event
		chat ncat.Chat
		user onebot.UserID
	}{
		"group":                {ncattest.GroupMessage(100, 1, "x"), ncat.Group(100), 1},
		"private":              {ncattest.PrivateMessage(1, "x"), ncat.Private(1), 1},
		"our own":              {own, ncat.Private(1), ncattest.Self},
		"somebody's":           {odd, ncat.Private(1), 1},
		"through a group":      {through, ncat.Chat{Group: 100, User: 1}, 1},
		"notice of a group":    {ncattest.Joined(100, 5), ncat.Group(100), 5},
		"notice of a friend":   {&onebot.FriendRecall{UserID: 5}, ncat.Private(5), 5},
		"neither":              {ncattest.Beat(true), ncat.Chat{}, 0},
		"nothing":              {(*onebot.FriendRecall)(nil), ncat.Chat{}, 0},
		"a poke from a friend": {&onebot.Poke{UserID: 5}, ncat.Private(5), 5},
		"a poke in a group":    {&onebot.Poke{GroupID: 100, UserID: 5}, ncat.Group(100), 5},
	} {
		if chat, user := ncat.ChatOf(c.e), ncat.UserOf(c.e); chat != c.chat || user != c.user || chat.IsGroup() != (c.chat.User == 0 && c.chat.Group != 0) {
			t.Errorf("%s: %+v, user %d", name, chat, user)
		}
	}
}

// TestOneWorker: with one worker one chat is served at a time, and none is left out.
func TestOneWorker(t *testing.T) {
	b := ncat.New(ncat.WithWorkers(1))
	var got []onebot.GroupID
	busy := false
	b.OnGroup(func(_ context.Context, _ *ncat.Bot, m *onebot.GroupMessage) error {
		if busy {
			t.Error("two handlers at once")
		}
		busy = true
		time.Sleep(time.Second)
		busy = false
		got = append(got, m.GroupID)
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for range 2 {
			for g := range onebot.GroupID(5) {
				h.Event(ncattest.GroupMessage(101+g, 1, "x"))
			}
		}
		h.Pass(time.Minute)
		seen := map[onebot.GroupID]int{}
		for _, g := range got {
			seen[g]++
		}
		if fmt.Sprint(seen) != "map[101:2 102:2 103:2 104:2 105:2]" {
			t.Errorf("handled %v", got)
		}
	})
}

// configured is a plugin that says what can be set of it.
type configured struct{ plugin }

type tea struct{ Kind string }

func (*configured) Defaults() any { return &tea{"green"} }

// TestPluginDefaults: what runs a bot learns what can be set of its plugins.
func TestPluginDefaults(t *testing.T) {
	b := ncat.New()
	b.AddPlugin(&configured{plugin{id: "tea"}}, &plugin{id: "plain"})
	if got := botlink.Of(b).PluginDefaults(); !reflect.DeepEqual(got, map[string]any{"tea": &tea{"green"}, "plain": nil}) {
		t.Errorf("got %v", got)
	}
}

// TestHTTPClientOfADownload: a download asks with the client that it is given.
func TestHTTPClientOfADownload(t *testing.T) {
	asked := ""
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", ContentLength: 3, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("abc")), Request: r}, nil
	})}
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		h.Web("GET example.com/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "from the test's web") })
		var got strings.Builder
		d, err := h.Bot().Download(h.Context(), &got, &onebot.FileSegment{URL: "http://example.com/f", File: "a.txt"}, ncat.HTTPClient(client))
		if err != nil || got.String() != "abc" || asked != "http://example.com/f" || d.Name != "a.txt" || d.Size != 3 {
			t.Errorf("%q by %q, %+v, %v", got.String(), asked, d, err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPortions: where an answer that comes in parts is cut.
func TestPortions(t *testing.T) {
	long := func(n int) string { return strings.Repeat("字", n) }
	var parts []string
	b := ncat.New()
	b.OnText("go", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		var seq iter.Seq2[string, error] = func(yield func(string, error) bool) {
			for _, p := range parts {
				if !yield(p, nil) {
					return
				}
			}
		}
		return b.ReplyParts(ctx, m, seq)
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		for name, c := range map[string]struct{ parts, want []string }{
			"short":                      {[]string{"你好。", "在吗？"}, []string{"你好。在吗？"}},
			"nothing":                    {[]string{" ", "\n"}, nil},
			"a sentence that is enough":  {[]string{long(59) + "。", "再见。"}, []string{long(59) + "。", "再见。"}},
			"one that is not":            {[]string{long(58) + "。", "再见。"}, []string{long(58) + "。再见。"}},
			"the end of a sentence":      {[]string{long(70) + "。然后", "再见。"}, []string{long(70) + "。", "然后再见。"}},
			"a line":                     {[]string{long(70) + "\n然后"}, []string{long(70), "然后"}},
			"no end in sight":            {[]string{long(1599), "字", "再见"}, []string{long(1600), "再见"}},
			"no end yet":                 {[]string{long(1598), "字"}, []string{long(1599)}},
			"no pause for what is large": {[]string{long(70) + "。", long(799) + "。", "再见。"}, []string{long(70) + "。", long(799) + "。", "再见。"}},
			"a pause for what is not":    {[]string{long(70) + "。", long(798) + "。", "好。"}, []string{long(70) + "。", long(798) + "。好。"}},
			"within code":                {[]string{long(70) + "。\n```\na = 1\nb = 2\n"}, []string{long(70) + "。", "```\na = 1\nb = 2"}},
		} {
			parts = c.parts
			h.Friend(1).Says("go")
			var got []string
			for _, s := range h.Sent() {
				got = append(got, s.Text())
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("%s: %d portions %.200q", name, len(got), got)
			}
		}
	})
}

// TestEmptyMessages: a message with nothing in it comes only to a bot that asks for it.
func TestEmptyMessages(t *testing.T) {
	for _, with := range []bool{false, true} {
		var opts []ncat.Option
		if with {
			opts = append(opts, ncat.WithEmptyMessages())
		}
		b := ncat.New(opts...)
		var got []string
		b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
			got = append(got, m.Msg().RawMessage)
			return nil
		})
		ncattest.Run(t, b, func(h *ncattest.Harness) {
			for _, raw := range []string{"", "raw"} {
				m := ncattest.GroupMessage(100, 1, "x")
				m.Message, m.RawMessage = nil, raw
				h.Event(m)
			}
			h.Group(100).From(1).Says("x")
			want := `["raw" "x"]`
			if with {
				want = `["" "raw" "x"]`
			}
			if fmt.Sprintf("%q", got) != want {
				t.Errorf("with empty messages %v: %q", with, got)
			}
		})
	}
}
