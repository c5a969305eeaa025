package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncatd/ncatd/onebot"
)

// What came while ncatd was away is fetched back to where it must be known already,
// over as many pages as that takes.
func TestMessagesSince(t *testing.T) {
	const all, size = 130, 20
	began := time.Unix(1_700_000_000, 0)
	message := func(n int) *onebot.ChatMessage {
		m := new(onebot.ChatMessage)
		raw := fmt.Sprintf(`{"time":%d,"self_id":1,"post_type":"message","message_type":"group","sub_type":"normal","message_id":%d,"user_id":2,"group_id":3,"message":[],"raw_message":"","sender":{"user_id":2}}`, began.Unix()+int64(n), n)
		if err := json.Unmarshal([]byte(raw), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	pages := 0
	page := func(from onebot.MessageID) (out []*onebot.ChatMessage, err error) {
		pages++
		last := int(from)
		if from == 0 {
			last = all
		}
		for n := max(1, last-size+1); n <= last; n++ {
			out = append(out, message(n))
		}
		return out, nil
	}
	got, err := messagesSince(began.Add(38*time.Second), page)
	if err != nil || len(got) != all-37 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if int(m.Msg().MessageID) != 38+i {
			t.Fatalf("message %d is %d", i, m.Msg().MessageID)
		}
	}
	if got, err = messagesSince(began, page); err != nil || len(got) != all {
		t.Fatalf("to the beginning: %d messages, %v", len(got), err)
	}
	if pages = 0; true {
		got, err = messagesSince(began.Add(all*time.Second), page)
	}
	if err != nil || len(got) != 1 || pages != 2 {
		t.Errorf("of what is old %d messages, %d pages, %v", len(got), pages, err)
	}
	failed := errors.New("lost")
	got, err = messagesSince(began, func(from onebot.MessageID) ([]*onebot.ChatMessage, error) {
		if from != 0 {
			return nil, failed
		}
		return page(0)
	})
	if !errors.Is(err, failed) || len(got) != size {
		t.Errorf("%d messages before an error, %v", len(got), err)
	}
}

// earlier is the link of an account with one chat, whose message 3 is the last one that
// had its turn. Its first calls fail.
type earlier struct {
	failing int
	began   time.Time
}

func (l *earlier) Had(m onebot.MessageEvent) bool { return m.Msg().MessageID <= 3 }

func (l *earlier) Call(_ context.Context, action string, _, result any) error {
	if l.failing > 0 {
		l.failing--
		return onebot.ErrNotSent
	}
	text := fmt.Sprintf(`[{"peerUin":"3","chatType":2,"msgTime":"%d"}]`, l.began.Unix()+5)
	if action == "get_group_msg_history" {
		text = `{"messages":[`
		for n := 1; n <= 5; n++ {
			text += fmt.Sprintf(`{"time":%d,"self_id":1,"post_type":"message","message_type":"group","sub_type":"normal","message_id":%d,"user_id":2,"group_id":3,"message":[],"raw_message":"","sender":{"user_id":2}},`, l.began.Unix()+int64(n), n)
		}
		text = text[:len(text)-1] + "]}"
	}
	return json.Unmarshal([]byte(text), result)
}

// An ncatd that was killed may have left messages unpublished that had their turn: they
// are found, also if the link fails at first. What had no turn is left out: it comes by
// itself, after what was missed before it.
func TestCatchUp(t *testing.T) {
	for failing := range 4 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), catchUpWait)
			defer cancel()
			l := &earlier{failing, time.Now()}
			p := &publisher{name: "main", link: l}
			found, err := p.catchUp(ctx, onebot.NewClient(l))
			var ids []string
			for _, e := range found {
				if ids = append(ids, e.ID); e.Account != "main" || e.Self != 1 || e.Chat != "g3" || !e.Backfilled || e.Kind != "message" {
					t.Errorf("%+v", e)
				}
			}
			if err != nil || !slices.Equal(ids, []string{"1", "2", "3"}) {
				t.Errorf("after %d calls that fail: %v, %v", failing, ids, err)
			}
		})
	}
}
