package ncattest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/onebot"
)

// witness takes the failures of a test that is to fail.
type witness struct {
	testing.TB
	text string
}

func (w *witness) Helper()           {}
func (w *witness) Error(args ...any) { w.text = fmt.Sprint(args...) }
func (w *witness) Fatal(args ...any) { w.text = fmt.Sprint(args...) }

// TestFailuresExplain holds what a beginner reads when his test fails.
func TestFailuresExplain(t *testing.T) {
	b := ncat.New()
	b.OnGroup(func(ctx context.Context, b *ncat.Bot, m *onebot.GroupMessage) error {
		if m.Text() == "boom" {
			return errors.New("no luck")
		}
		if err := b.Call(ctx, "set_group_name", map[string]any{"group_id": 7, "group_name": "x"}, nil); err != nil {
			return err
		}
		return b.Mention(ctx, m, "积分不够")
	})
	Run(t, b, func(h *Harness) {
		fail := func(f func(w *witness)) string {
			w := &witness{TB: t}
			f(w)
			return w.text
		}
		h.Group(100).From(1).Says("/sign")
		for _, x := range []struct{ got, want string }{
			{fail(func(w *witness) { wantTexts(w, h.Sent(), []string{"签到成功"}, h.report()) }), `the bot did not send what was wanted
  sent:
    1. group 100: "[CQ:at,qq=1] 积分不够"   <- not wanted here
  wanted:
    1. "签到成功"
  after: user 1 in group 100 said "/sign"
  it also called:
    set_group_name {"group_id":7,"group_name":"x"}`},
			{fail(func(w *witness) { h.noCall(w, "set_group_name", map[string]any{"group_id": 8}, report{}) }), `the bot did not call set_group_name as wanted
  1. set_group_name {"group_id":7,"group_name":"x"}
       group_id is 7, want 8`},
			{fail(func(w *witness) { wantNoCall(w, h.unclaimed("set_group_name"), report{}) }), `the bot made a call that was not wanted:
  set_group_name {"group_id":7,"group_name":"x"}`},
			{fail(func(w *witness) { h.noCall(w, "set_group_kick", nil, report{others: []string{"x"}}) }), `the bot did not call set_group_kick
  it also called:
    x`},
		} {
			if x.got != x.want {
				t.Errorf("it says\n%s\nwant\n%s", x.got, x.want)
			}
		}
		h.Group(100).From(1).Named("Alice").Says("boom")
		got := fail(func(w *witness) { wantOne(w, h.Sent(), h.report()) })
		for _, part := range []string{"sent 0 messages, want one", "sent: nothing", `after: Alice (1) in group 100 said "boom"`, "a handler failed: no luck"} {
			if !strings.Contains(got, part) {
				t.Errorf("%q is not in\n%s", part, got)
			}
		}
		h.Errors()
	})
}
