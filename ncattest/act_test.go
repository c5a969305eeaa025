package ncattest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

func TestForwardOfThreeIsOneMessage(t *testing.T) {
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		var ids []onebot.MessageID
		for _, text := range []string{"a", "b", "c"} {
			ids = append(ids, h.Group(200).From(1).Named("Alice").Says(text))
		}
		if _, err := h.Bot().Forward(h.Context(), ncat.Group(100), ids...); err != nil {
			t.Fatal(err)
		}
		m := h.One()
		if n := len(h.Calls("send_group_forward_msg")); n != 1 || m.Chat != ncat.Group(100) || len(m.Message) != 3 {
			t.Fatalf("%d calls, sent %v", n, m)
		}
		for i, s := range m.Message {
			if n, ok := s.(*onebot.NodeSegment); !ok || n.Nickname != "Alice" || n.Content.Text() != []string{"a", "b", "c"}[i] {
				t.Errorf("node %d is %v", i, s)
			}
		}
		if _, err := h.Bot().Forward(h.Context(), ncat.Group(100)); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("forward of nothing: %v", err)
		}
	})
}

func TestRequests(t *testing.T) {
	b := ncat.New()
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, r *onebot.FriendRequest) error { return b.Approve(ctx, r) })
	ncat.On(b, func(ctx context.Context, b *ncat.Bot, r *onebot.GroupRequest) error { return b.Reject(ctx, r, "full") })
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		h.Event(ncattest.WantsFriend(1, "hi"))
		h.Event(ncattest.WantsIn(100, 2, "hi"))
		for i, want := range []struct {
			action, flag, reason string
			approve              bool
		}{{"set_friend_add_request", "friend-1", "", true}, {"set_group_add_request", "group-2", "full", false}} {
			calls := h.Calls(want.action)
			var p struct {
				Flag, Reason string
				Approve      bool
			}
			if len(calls) != 1 || calls[0].Decode(&p) != nil || p.Flag != want.flag || p.Reason != want.reason || p.Approve != want.approve {
				t.Errorf("answer %d: %v, %+v", i, calls, p)
			}
		}
	})
}

func TestSendRate(t *testing.T) {
	b := ncat.New(ncat.WithSendRate(2, 10*time.Second))
	ncattest.Run(t, b, func(h *ncattest.Harness) {
		start := time.Now()
		for range 5 {
			if _, err := h.Bot().SendGroup(h.Context(), 100, "x"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("five messages took %v", took)
		}
		ctx, cancel := context.WithTimeout(h.Context(), time.Second)
		defer cancel()
		if _, err := h.Bot().SendGroup(ctx, 100, "x"); !errors.Is(err, onebot.ErrNotSent) {
			t.Errorf("a message that is out of time: %v", err)
		}
	})
}
