package ncat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/internal/botlink"
	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// What waits is sent together as far as it fits one message and can be part of one.
// Whoever gives up leaves the others where they are.
func TestMerging(t *testing.T) {
	type send struct {
		content any
		gives   time.Duration // up after
	}
	long := strings.Repeat("长", 1000)
	for name, c := range map[string]struct {
		sends  []send
		sent   []string
		merged uint64
		errs   string // of each send: + sent, - not sent, ? unknown
	}{
		"texts":           {[]send{{"a", 0}, {"b", 0}, {"c", 0}}, []string{"first", "a\nb\nc"}, 2, "+++"},
		"texts and faces": {[]send{{onebot.Face(1), 0}, {"b", 0}, {onebot.Face(2), 0}}, []string{"first", "[CQ:face,id=1]\nb\n[CQ:face,id=2]"}, 2, "+++"},
		"not a voice":     {[]send{{"a", 0}, {&onebot.RecordSegment{File: "http://x/a.amr"}, 0}, {"b", 0}}, []string{"first", "a\nb", "[CQ:record,file=a.amr,url=http://x/a.amr,file_size=0]"}, 1, "+++"},
		"as much as fits": {[]send{{long, 0}, {long, 0}}, []string{"first", long, long}, 0, "++"},
		"the only one":    {[]send{{"a", time.Second}}, []string{"first"}, 0, "-"},
		"the first":       {[]send{{"a", time.Second}, {"b", 0}}, []string{"first", "a\nb"}, 1, "++"},
		"the second":      {[]send{{"a", 0}, {"b", time.Second}, {"c", 0}}, []string{"first", "a\nb\nc"}, 2, "+?+"},
	} {
		t.Run(name, func(t *testing.T) {
			b := ncat.New(ncat.WithChatSendRate(1, 10*time.Second), ncat.WithSendPolicy(ncat.SendMerge))
			ncattest.Run(t, b, func(h *ncattest.Harness) {
				if _, err := h.Bot().SendGroup(h.Context(), groupA, "first"); err != nil {
					t.Fatal(err)
				}
				outcomes, ids := make([]string, len(c.sends)), make([]onebot.MessageID, len(c.sends))
				for i, s := range c.sends {
					go func() {
						ctx := h.Context()
						if s.gives > 0 {
							var cancel func()
							ctx, cancel = context.WithTimeout(ctx, s.gives)
							defer cancel()
						}
						id, err := h.Bot().SendGroup(ctx, groupA, s.content)
						switch ids[i] = id; {
						case err == nil && id != 0:
							outcomes[i] = "+"
						case errors.Is(err, onebot.ErrNotSent) && errors.Is(err, context.DeadlineExceeded):
							outcomes[i] = "-"
						case errors.Is(err, onebot.ErrUnknownOutcome) && errors.Is(err, context.DeadlineExceeded):
							outcomes[i] = "?"
						default:
							outcomes[i] = fmt.Sprint(err)
						}
					}()
					synctest.Wait()
				}
				h.Pass(time.Minute)
				h.Want(c.sent...)
				if got := strings.Join(outcomes, ""); got != c.errs {
					t.Errorf("outcomes %s, want %s", got, c.errs)
				}
				if c.merged == 2 && c.errs == "+++" && (ids[0] != ids[1] || ids[1] != ids[2]) {
					t.Errorf("one message has the ids %v", ids)
				}
				if s := botlink.Of(h.Bot()).Session().Stats(); s.Merged != c.merged || s.Refused != 0 {
					t.Errorf("%+v", s)
				}
				if _, err := h.Bot().SendGroup(h.Context(), groupA, "afterwards"); err != nil {
					t.Error(err)
				}
				h.Want("afterwards")
			})
		})
	}
}
