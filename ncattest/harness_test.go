package ncattest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// TestEveryEventHasABuilder decodes what each builder makes and wants the type
// back, so that no field is on the wire under another name.
func TestEveryEventHasABuilder(t *testing.T) {
	for _, e := range []onebot.Event{
		ncattest.GroupMessage(100, 1, "a"), ncattest.PrivateMessage(1, "a"), ncattest.TempMessage(100, 1, "a"),
		ncattest.SentElsewhere(ncattest.GroupMessage(100, 1, "a")),
		ncattest.FriendAdded(1), ncattest.FriendRecall(1, 5), ncattest.GroupRecall(100, 1, 2, 5),
		ncattest.Joined(100, 1), ncattest.Left(100, 1), ncattest.Kicked(100, 1, 2), ncattest.Kicked(100, ncattest.Self, 2),
		ncattest.AdminSet(100, 1, true), ncattest.Muted(100, 1, 2, 60), ncattest.Muted(100, 0, 2, 60), ncattest.Uploaded(100, 1, "a.txt", 5),
		ncattest.CardChanged(100, 1, "a", "b"), ncattest.EssenceAdded(100, 1, 2, 5), ncattest.Reaction(100, 1, 5, "76", true),
		ncattest.GroupPoke(100, 1, 2), ncattest.FriendPoke(1), ncattest.Typing(1), ncattest.TitleGiven(100, 1, "t"),
		ncattest.GroupRenamed(100, 1, "n"), ncattest.ProfileLiked(1, 3), ncattest.GrayTip(100, 1, "c"), ncattest.WentOffline("t", "m"),
		ncattest.OnlineFileSent(1, true), ncattest.OnlineFileWithdrawn(1), ncattest.LuckyKing(100, 1, 2), ncattest.Honored(100, 1, "talkative"),
		ncattest.OfflineFile(1, "a", 5), ncattest.ClientSeen("pad", true), ncattest.WantsFriend(1, "c"), ncattest.WantsIn(100, 1, "c"),
		ncattest.Invited(100, 1), ncattest.Connected(), ncattest.Beat(true),
	} {
		got, err := onebot.Decode(ncattest.Frame(e))
		if err != nil {
			t.Errorf("%T: %v", e, err)
			continue
		}
		if g, w := ncattest.Frame(got), ncattest.Frame(e); string(g) != string(w) || strings.Contains(string(w), `"":`) {
			t.Errorf("%T comes back as %T\n%s\n%s", e, got, w, g)
		}
		if _, unknown := got.(*onebot.UnknownEvent); unknown {
			t.Errorf("%T is no event that package onebot knows", e)
		}
	}
}

func TestScenario(t *testing.T) {
	b := ncat.New()
	b.OnCommand("who", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		chat := ncat.ChatOf(m)
		info, err := b.API().GetGroupMemberInfo(ctx, onebot.GetGroupMemberInfoParams{GroupID: chat.Group, UserID: m.Msg().UserID})
		if err != nil {
			return err
		}
		return b.Mention(ctx, m, info.Nickname+" "+string(info.Role))
	})
	b.OnCommand("wait", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
		_, err := b.Ask(ctx, m, "well?", ncat.Within(time.Minute))
		if !errors.Is(err, ncat.ErrNoAnswer) {
			return err
		}
		return b.Reply(ctx, m, "too late")
	})
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, p *onebot.Poke) error {
		_, err := b.Send(ctx, ncat.ChatOf(p), "ouch")
		return err
	}, ncat.Where(ncat.NotSelf()))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		g := h.Group(100)
		g.Owner(1).Named("Alice").Says("/who")
		h.Want("[CQ:at,qq=1] Alice owner")
		g.From(2).Says("/who")
		h.Want("user 2 member") // the text alone will do
		g.From(2).Pokes(ncattest.Self)
		h.Friend(3).Pokes(ncattest.Self)
		h.Want("ouch", "ouch")
		g.From(2).Says("/wait")
		h.Want("well?")
		h.Pass(59 * time.Second)
		h.WantNothing()
		h.Pass(time.Second)
		h.Want("too late")

		h.On("get_group_member_info", ncattest.Times(1, ncattest.Refuse(1200, "nobody")))
		g.From(2).Says("/who")
		h.WantNothing()
		var refused *onebot.Error
		if errs := h.Errors(); len(errs) != 1 || !errors.As(errs[0], &refused) || refused.Message != "nobody" || refused.Action != "get_group_member_info" {
			t.Errorf("errors: %v", errs)
		}
		g.From(2).Says("/who")
		h.WantLike("member")
		h.WantCall("get_group_member_info", "group_id", 100, "user_id", "1")

		other := h.Account("second", 20002)
		other.Friend(9).Says("/wait")
		other.Want("well?")
		h.WantNothing()
		if other.Bot().Self() != 20002 || len(h.Bot().Accounts()) != 2 {
			t.Errorf("second account is %d of %d", other.Bot().Self(), len(h.Bot().Accounts()))
		}
	})
}

// TestWorldBehindTheCaller holds that what was said can be asked for again.
func TestWorldBehindTheCaller(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		id := h.Group(100).From(1).Says("first ", onebot.Face(14))
		if _, err := h.Bot().SendGroup(h.Context(), 100, "second"); err != nil {
			t.Fatal(err)
		}
		m, err := h.Bot().API().GetMsg(h.Context(), onebot.GetMsgParams{MessageID: id})
		if err != nil || m.Message.CQ() != "first [CQ:face,id=14]" {
			t.Errorf("get_msg: %v, %v", m, err)
		}
		if _, err := h.Bot().API().GetMsg(h.Context(), onebot.GetMsgParams{MessageID: 1}); !onebot.IsRefused(err) {
			t.Errorf("get_msg of nothing: %v", err)
		}
		var hist struct {
			Messages []struct {
				RawMessage string `json:"raw_message"`
				PostType   string `json:"post_type"`
			} `json:"messages"`
		}
		if err := h.Bot().Call(h.Context(), "get_group_msg_history", map[string]any{"group_id": 100, "count": 5}, &hist); err != nil || len(hist.Messages) != 2 ||
			hist.Messages[0].RawMessage != "first [CQ:face,id=14]" || hist.Messages[1].PostType != "message_sent" {
			t.Errorf("history: %+v, %v", hist, err)
		}
		h.Sent()
	})
}

// TestStartAgain holds that what the stores have outlives a bot, and time goes on.
func TestStartAgain(t *testing.T) {
	newBot := func() *ncat.Bot {
		b := ncat.New()
		b.OnCommand("count", func(ctx context.Context, b *ncat.Bot, m onebot.MessageEvent) error {
			n, err := ncat.Update(ctx, b.Store(), "n", func(n int, _ bool) (int, error) { return n + 1, nil })
			if err != nil {
				return err
			}
			return b.Reply(ctx, m, strings.Repeat("x", n))
		})
		return b
	}
	ncattest.Run(t, newBot(), func(h *ncattest.Harness) {
		h.Friend(1).Says("/count")
		h.Want("x")
		h.Stop()
		h.Pass(time.Hour)
		h.Start(newBot())
		h.Friend(1).Says("/count")
		h.Want("xx")
	})
}
