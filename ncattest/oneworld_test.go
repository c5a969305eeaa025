package ncattest_test

import (
	"bytes"
	"context"
	"image"
	_ "image/png"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// counter answers each message with who heard it.
func counter() *ncat.Bot {
	b := ncat.New()
	b.OnCommand("who", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, b.Account())
	})
	return b
}

// TestTwoAccountsHear: both accounts hear what is said in a group that the test
// named for both, and each other.
func TestTwoAccountsHear(t *testing.T) {
	ncattest.Run(t, counter(), func(h *ncattest.Harness) {
		other := h.Account("other", 20002)
		alice := h.Group(100).From(1)
		alice.Says("/who")
		h.Want("main")
		other.WantNothing()
		other.Group(100)
		id := alice.Says("/who")
		h.Want("main")
		other.Want("other")
		if _, err := other.Bot().SendGroup(h.Context(), 100, "/who"); err != nil {
			t.Fatal(err)
		}
		h.Settle()
		h.Want("main") // it heard the other account
		if m, err := other.Bot().API().GetMsg(h.Context(), onebot.GetMsgParams{MessageID: id}); err != nil || m.Message.Text() != "/who" {
			t.Errorf("%v, %v", m, err)
		}
	})
}

// TestServerOfTwoAccounts is the same over the wire.
func TestServerOfTwoAccounts(t *testing.T) {
	s := ncattest.NewServer(t, ncattest.ServerOptions{})
	other := s.Account(ncattest.ServerOptions{Self: 20002})
	newBot := func(name string) *ncat.Bot {
		b := ncat.New()
		b.OnCommand("who", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error { return b.Reply(ctx, m, name) })
		return b
	}
	s.Run(newBot("one"))
	other.Run(newBot("two"))
	other.Group(100)
	s.Group(100).From(1).Says("/who")
	s.Want("one")
	other.Want("two")
}

// TestStrictWorld lets a bot meet what NapCat would refuse or do: the harness is
// no kinder.
func TestStrictWorld(t *testing.T) {
	b := ncat.New()
	var decreased []string
	ncat.On(b, func(_ context.Context, _ *ncat.Bot, e *onebot.GroupDecrease) error {
		decreased = append(decreased, e.SubType)
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		ctx, api := h.Context(), h.Bot().API()
		boss := h.Group(100).Owner(9)
		h.Group(100).From(5)
		if err := h.Bot().Ban(ctx, 100, 9, time.Minute); err == nil {
			t.Error("an administrator muted the owner")
		}
		if err := h.Bot().Kick(ctx, 100, 5, false); err != nil {
			t.Error(err)
		}
		h.Settle()
		if len(decreased) != 1 || decreased[0] != "kick" {
			t.Errorf("the bot heard of its own kick: %q", decreased)
		}
		if _, err := api.GetGroupMemberInfo(ctx, onebot.GetGroupMemberInfoParams{GroupID: 100, UserID: 5}); !onebot.IsRefused(err) {
			t.Errorf("one who was removed is a member: %v", err)
		}
		if err := h.Bot().Call(ctx, "fly", nil, nil); !onebot.IsUnsupported(err) {
			t.Errorf("an action that does not exist: %v", err)
		}
		if err := h.Bot().Recall(ctx, 12345); !onebot.IsRefused(err) {
			t.Errorf("recall of nothing: %v", err)
		}
		long := onebot.Message{onebot.Text(strings.Repeat("字", onebot.MaxText+1))}
		if _, err := api.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 100, Message: long}); !onebot.IsRefused(err) {
			t.Errorf("a text too long: %v", err)
		}
		if _, err := api.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: 100, Message: onebot.Message{
			onebot.Node(1, "a", onebot.Text("x")), onebot.Text("y")}}); !onebot.IsRefused(err) {
			t.Errorf("nodes beside text: %v", err)
		}
		first, second := boss.Says("1"), h.Group(200).From(9).Says("2")
		third := boss.Says("3")
		seq := func(id onebot.MessageID) string {
			m, err := api.GetMsg(ctx, onebot.GetMsgParams{MessageID: id})
			if err != nil {
				t.Fatal(err)
			}
			return m.RealSeq
		}
		if a, b, c := seq(first), seq(second), seq(third); a == c || len(a) != len(b) {
			t.Errorf("sequences %s, %s, %s", a, b, c)
		}
		h.Sent()
	})
}

// TestWebOfATest: files of messages, avatars and what the test says are there;
// nothing else is.
func TestWebOfATest(t *testing.T) {
	picture := []byte("\x89PNG\r\n\x1a\npicture")
	var got onebot.Segment
	b := ncat.New()
	b.OnMessage(func(_ context.Context, _ *ncat.Bot, m onebot.MessageEvent) error {
		got = m.Msg().Message[0]
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		get := func(url string) (string, error) {
			res, err := h.Bot().HTTP().Get(url) //nolint:noctx // there is no network
			if err != nil {
				return "", err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			return string(body), err
		}
		h.Friend(1).Says(&onebot.ImageSegment{File: onebot.Base64(picture)})
		img := got.(*onebot.ImageSegment)
		if body, err := get(img.URL); err != nil || body != string(picture) {
			t.Errorf("the picture's address has %q, %v", body, err)
		}
		var to bytes.Buffer
		if _, err := h.Bot().Download(h.Context(), &to, img); err != nil || !bytes.Equal(to.Bytes(), picture) {
			t.Errorf("downloaded %q, %v", &to, err)
		}
		for _, url := range []string{ncat.AvatarURL(1, 40), ncat.GroupAvatarURL(100, 100)} {
			body, err := get(url)
			if c, _, derr := image.DecodeConfig(strings.NewReader(body)); err != nil || derr != nil || c.Width == 0 {
				t.Errorf("%s: %v, %v", url, err, derr)
			}
		}
		if _, err := get("https://example.com/"); err == nil || !strings.Contains(err.Error(), "Harness.Web") {
			t.Errorf("what nobody said: %v", err)
		}
		h.Web("POST example.com/{name}", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.PathValue("name")+" "+string(body))
		})
		res, err := h.Bot().HTTP().Post("https://example.com/x", "text/plain", strings.NewReader("hi")) //nolint:noctx // as above
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); string(body) != "x hi" {
			t.Errorf("it answered %q", body)
		}
		if _, err := h.Bot().SendPrivate(h.Context(), 1, ncat.Image(ncat.URL("https://example.org/a/cat.png"))); err != nil {
			t.Fatal(err)
		}
		if sent := h.One().Message[0].(*onebot.ImageSegment); sent.File != "cat.png" || sent.URL != "https://example.org/a/cat.png" {
			t.Errorf("sent %+v", sent)
		}
	})
}

// TestMissedWhileStopped: what is said while no bot runs is fetched afterwards.
func TestMissedWhileStopped(t *testing.T) {
	newBot := func() *ncat.Bot {
		b := ncat.New()
		b.OnMessage(func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			return b.Reply(ctx, m, "re: "+m.Text())
		})
		return b
	}
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		alice := h.Group(100).From(1)
		alice.Says("one")
		h.Want("re: one")
		h.Pass(time.Minute)
		h.Stop()
		alice.Says("two")
		h.Pass(time.Minute)
		h.Start(newBot())
		h.Pass(time.Minute)
		h.Want("re: two")
	})
}
