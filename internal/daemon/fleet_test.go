package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
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
