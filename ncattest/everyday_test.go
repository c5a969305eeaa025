package ncattest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestKeepRecent shows what was taken back, and not what is no longer held.
func TestKeepRecent(t *testing.T) {
	b := ncat.New()
	recent := b.KeepRecent(2)
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, e *onebot.GroupRecall) error {
		m, ok := recent.Of(e)
		if !ok {
			_, err := b.SendGroup(ctx, e.GroupID, "gone")
			return err
		}
		_, err := b.SendGroup(ctx, e.GroupID, m.Msg().Sender.Nickname, ": ", m.Msg().Message)
		return err
	})
	b.OnCommand("ping", ncat.Say("pong"))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		p := h.InGroup(100, 1)
		old, cmd, next := p.Says("old"), p.Says("/ping"), p.Says("secret", onebot.Face(14))
		h.Want("pong")
		p.Recalls(next)
		h.WantLike(": secret[CQ:face,id=14]")
		p.Recalls(cmd)
		h.WantLike(": /ping")
		p.Recalls(old)
		h.Want("gone")
		friend := h.Friend(5)
		id := friend.Says("private")
		friend.Says("/ping")
		h.Want("pong")
		for _, e := range []onebot.Event{
			&onebot.FriendRecall{EventBase: ncattest.Base(onebot.PostNotice), UserID: 5, MessageID: id},
			&onebot.FriendRecall{EventBase: ncattest.Base(onebot.PostNotice), UserID: 6, MessageID: id}, ncattest.Joined(100, 5),
		} {
			m, ok := recent.Of(e)
			if f, is := e.(*onebot.FriendRecall); ok != (is && f.UserID == 5) || ok && m.Msg().Text() != "private" {
				t.Errorf("%T: %v, %v", e, m, ok)
			}
		}
	})
}

// TestCopy relays between three groups: quotes lead to the copies, in each
// direction, also between two copies.
func TestCopy(t *testing.T) {
	b := ncat.New()
	copies := ncat.NewCopies(100)
	groups := []onebot.GroupID{100, 200, 300}
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		for _, g := range groups {
			if g != m.GroupID {
				if _, err := b.Copy(ctx, m, ncat.Group(g), copies, "> "); err != nil {
					return err
				}
			}
		}
		return nil
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		first := h.InGroup(100, 1).Says("hi")
		sent := h.Sent()
		if len(sent) != 2 || sent[0].Message.CQ() != "> hi" {
			t.Fatalf("sent: %v", sent)
		}
		in200, in300 := sent[0].ID, sent[1].ID
		h.InGroup(200, 2).Says(onebot.Reply(in200), "yes")
		sent = h.Sent()
		for i, want := range []onebot.MessageID{first, in300} {
			if q, ok := sent[i].Message[0].(*onebot.ReplySegment); !ok || q.ID != want || sent[i].Message.Text() != "> yes" {
				t.Errorf("%v, want a quote of %d", sent[i], want)
			}
		}
		for _, c := range []struct {
			chat, other ncat.Chat
			id, want    onebot.MessageID
		}{{ncat.Group(100), ncat.Group(200), first, in200}, {ncat.Group(200), ncat.Group(100), in200, first}, {ncat.Group(100), ncat.Group(400), first, 0}, {ncat.Group(100), ncat.Group(200), 99, 0}, {ncat.Group(200), ncat.Group(100), first, 0}} {
			if got, ok := copies.In(c.chat, c.id, c.other); got != c.want || ok != (c.want != 0) {
				t.Errorf("%+v: %d, %v", c, got, ok)
			}
		}
		h.InGroup(100, 1).Says(onebot.Reply(99), "what")
		h.Want("> what", "> what")
	})
}

// TestOnRepeat joins in once when three people have said the same.
func TestOnRepeat(t *testing.T) {
	b := ncat.New()
	b.OnRepeat(3, func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		return b.Reply(ctx, m, m.Msg().Message)
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		say := func(group onebot.GroupID, user onebot.UserID, text string) { h.InGroup(group, user).Says(text) }
		say(100, 1, "哈哈")
		say(100, 1, "哈哈")
		say(100, 2, "哈哈")
		say(200, 3, "哈哈") // another group
		h.WantNothing()
		say(100, 3, "哈哈")
		h.Want("哈哈")
		say(100, 4, "哈哈")
		h.WantNothing()
		say(100, 4, "x")
		for u := range onebot.UserID(3) {
			say(100, u+1, "哈哈")
		}
		h.Want("哈哈")
		for u := range onebot.UserID(3) { // the same picture has another address each time
			h.InGroup(100, u+1).Says(&onebot.ImageSegment{File: "A.jpg", URL: "http://127.0.0.1/" + u.String()})
		}
		if s := h.Sent(); len(s) != 1 {
			t.Errorf("the same picture three times: %v", s)
		}
		for u := range onebot.UserID(3) {
			h.Friend(u + 1).Says("哈哈")
		}
		h.WantNothing()
	})
}

// TestGroupSwitches: who runs a group switches plugins there, nobody else does, and
// other groups go on.
func TestGroupSwitches(t *testing.T) {
	newBot := func() *ncat.Bot {
		b := ncat.New()
		b.AddGroupSwitches("points")
		for _, id := range []string{"points", "core"} {
			b.AddPlugin(&plugin{id: id, setup: func(_ context.Context, h *ncat.Host) error {
				h.OnText(id, ncat.Say(id+" here"))
				return nil
			}})
		}
		return b
	}
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		owner, other := h.InGroup(100, 1), h.InGroup(100, 2)
		owner.Role = onebot.RoleOwner
		other.Says("/disable points")
		h.Want("没有权限使用此命令")
		owner.Says("/disable")
		h.Want("points：本群已启用")
		owner.Says("/停用 points")
		h.Want("points：本群已停用")
		owner.Says("/disable")
		h.Want("points：本群已停用")
		other.Says("points")
		other.Says("core")
		h.InGroup(200, 2).Says("points")
		h.Want("core here", "points here")
		owner.Says("/disable core")
		h.Want("没有插件 core")
		h.Stop()
		h.Start(newBot())
		other.Says("points")
		h.WantNothing()
		owner.Says("/enable points")
		other.Says("points")
		h.Want("points：本群已启用", "points here")
	})
}

// TestDir: a plugin's folder is its own and stays.
func TestDir(t *testing.T) {
	var dirs []string
	b := ncat.New()
	b.AddPlugin(&plugin{id: "points", setup: func(_ context.Context, h *ncat.Host) error {
		dir, err := h.Dir()
		dirs = append(dirs, dir)
		return errors.Join(err, os.WriteFile(filepath.Join(dir, "x"), []byte("1"), 0o600))
	}})
	b.OnText("dir", func(_ context.Context, b *ncat.Bot, _ onebot.MessageEvent) error {
		dir, err := b.Dir()
		dirs = append(dirs, dir)
		return err
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Friend(1).Says("dir")
		if len(dirs) != 2 || !strings.HasSuffix(dirs[0], filepath.Join("plugins", "points")) || filepath.Base(dirs[1]) != "bot" {
			t.Errorf("folders: %v", dirs)
		}
		if info, err := os.Stat(dirs[1]); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
	})
	if _, err := ncat.New().Dir(); !errors.Is(err, ncat.ErrNoDir) {
		t.Errorf("without a folder: %v", err)
	}
}

// TestHTTP: an answer that is too large ends with an error, whether or not it says
// its length, and one of just the limit does not.
func TestHTTP(t *testing.T) {
	size, length := 0, false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := bytes.Repeat([]byte("x"), size)
		if !length {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(body) // the client may have gone
	}))
	defer s.Close()
	b := ncat.New()
	for _, tt := range []struct {
		size   int
		length bool
		want   error
	}{{3, true, nil}, {3, false, nil}, {ncat.MaxBody, false, nil}, {ncat.MaxBody + 1, false, ncat.ErrTooLarge}, {ncat.MaxBody + 1, true, ncat.ErrTooLarge}} {
		size, length = tt.size, tt.length
		got := 0
		res, err := b.HTTP().Get(s.URL)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(res.Body)
			got = len(body)
			err = errors.Join(err, res.Body.Close())
		}
		if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || got != tt.size) || got > ncat.MaxBody {
			t.Errorf("%d bytes, length told %v: %d, %v", tt.size, tt.length, got, err)
		}
	}
	if client := b.HTTP(); client.Timeout == 0 || client != b.HTTP() {
		t.Error("the client has no limit, or is another each time")
	}
	own := &http.Client{}
	if ncat.New(ncat.WithHTTP(own)).HTTP() != own {
		t.Error("WithHTTP is not taken")
	}
}

// TestTimeZone: schedules, also those from before the zone was known, During and
// times in arguments are in the bot's zone; what names its own is not.
func TestTimeZone(t *testing.T) {
	zone := time.FixedZone("far", 11*60*60+30*60)
	b := ncat.New()
	note := func(text string) func(ctx context.Context, b *ncat.Bot) error {
		return func(ctx context.Context, b *ncat.Bot) error {
			_, err := b.For(ncattest.Self).SendPrivate(ctx, 1, text, " ", time.Now().In(zone).Format("15:04"))
			return err
		}
	}
	early := func(name string, opts ...ncat.ScheduleOption) {
		t.Helper()
		if _, err := b.Schedule(name, "@daily", note(name), opts...); err != nil {
			t.Fatal(err)
		}
	}
	early("ours")
	early("theirs", ncat.InZone(time.FixedZone("near", 10*60*60+30*60)))
	botlink.Apply(b, ncat.WithTimeZone(zone))
	early("late")
	b.OnText("now", ncat.Say("it is noon"), ncat.Where(ncat.During("12:00", "12:01", nil)))
	type at struct {
		When time.Time `arg:"when"`
	}
	ncat.Command(b, "at", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent, a at) error {
		return b.Reply(ctx, m, a.When.In(zone).Format("15:04"))
	})
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		until := func(clock string) { // in the zone
			now := time.Now().In(zone)
			c, err := time.Parse("15:04", clock)
			if err != nil {
				t.Fatal(err)
			}
			next := time.Date(now.Year(), now.Month(), now.Day(), c.Hour(), c.Minute(), 0, 0, zone)
			if !next.After(now) {
				next = next.AddDate(0, 0, 1)
			}
			h.Pass(next.Sub(now))
		}
		until("23:00")
		h.Sent()
		until("00:01")
		got := map[string]bool{}
		for _, s := range h.Sent() {
			got[s.Text()] = true
		}
		if len(got) != 2 || !got["ours 00:00"] || !got["late 00:00"] {
			t.Errorf("at midnight: %v", got)
		}
		until("01:01")
		h.Want("theirs 01:00")
		until("11:59")
		h.Friend(1).Says("now")
		h.WantNothing()
		until("12:00")
		h.Friend(1).Says("now")
		h.Friend(1).Says("/at 08:30")
		h.Want("it is noon", "08:30")
	})
}
