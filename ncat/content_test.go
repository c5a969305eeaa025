package ncat_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncatd/ncatd/ncat"
	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

type level int

func (l level) String() string { return fmt.Sprintf("level %d", int(l)) }

// What has a text is content.
func TestContent(t *testing.T) {
	type name string
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ncattest.Run(t, ncat.New(), func(h *ncattest.Harness) {
		send := func(content ...any) (string, error) {
			if _, err := h.Bot().SendGroup(h.Context(), 700000001, content...); err != nil {
				return "", err
			}
			return h.One().Message.Text(), nil
		}
		for _, tc := range []struct {
			content []any
			want    string
		}{
			{[]any{"n = ", 42, ", ", int8(-7), ", ", uint64(1 << 63)}, "n = 42, -7, 9223372036854775808"},
			{[]any{0.1, " ", float32(2.5), " ", 1e21}, "0.1 2.5 1000000000000000000000"},
			{[]any{true, " ", name("x"), " ", level(3)}, "true x level 3"},
			{[]any{errors.New("no"), " ", at, " ", 90 * time.Second}, "no 2026-01-02 03:04:05 1m30s"},
			{[]any{onebot.UserID(5), " ", []any{"a", 1}, []onebot.Segment{onebot.Text("s")}}, "5 a1s"},
		} {
			if got, err := send(tc.content...); err != nil || got != tc.want {
				t.Errorf("%v: sent %q, %v; want %q", tc.content, got, err, tc.want)
			}
		}
		var none error
		var nobody *onebot.TextSegment
		for _, bad := range []any{nil, none, nobody, struct{}{}, []byte("x"), map[string]int{"a": 1}, func() {}, (*level)(nil)} {
			if _, err := send("x", bad); !errors.Is(err, onebot.ErrNotSent) {
				t.Errorf("%T: %v", bad, err)
			}
		}
	})
}

// Validate and Split see what a Media is.
func TestSplitSeesMedia(t *testing.T) {
	voice := ncat.Voice(ncat.Bytes([]byte("x")))
	m := onebot.Message{onebot.Text("before"), voice, ncat.Image(ncat.Bytes([]byte("x"))), onebot.Text("after")}
	var problems onebot.Problems
	if err := m.Validate(onebot.ChatGroup); !errors.As(err, &problems) || problems[0].Code != onebot.ProblemNotAlone || problems[0].Index != 1 {
		t.Errorf("a voice beside text: %v", err)
	}
	var got []string
	for _, part := range m.Split(onebot.ChatGroup) {
		var types []string
		for _, s := range part {
			types = append(types, s.SegmentType())
		}
		got = append(got, strings.Join(types, "+"))
	}
	if want := []string{"text", "record", "image+text"}; !slices.Equal(got, want) {
		t.Errorf("split into %v, want %v", got, want)
	}
}

// After a quotation one mention is skipped, whoever it names: QQ adds it itself.
func TestQuoteThenCommand(t *testing.T) {
	b, err := os.ReadFile("testdata/quote-then-command.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	frames := strings.Split(strings.TrimSpace(string(b)), "\n")
	const frame = `{"time":1,"self_id":3889001001,"post_type":"message","message_type":"group","group_id":700000001,"user_id":3001000001,"message_id":%d,"message":[%s{"type":"text","data":{"text":" /ping"}}]}`
	reply, at := `{"type":"reply","data":{"id":"7"}},`, func(id string) string { return `{"type":"at","data":{"qq":"` + id + `"}},` }
	for i, tc := range []struct {
		before string
		runs   bool
	}{
		{reply, true},
		{reply + at("3001000002") + at("3889001001"), true},
		{at("3889001001") + reply + at("3001000002"), true},
		{reply + `{"type":"text","data":{"text":" "}},` + at("3001000002"), true},
		{at("3001000002"), false},
		{reply + at("3001000002") + at("3001000002"), false},
		{at("3001000002") + reply, false},
	} {
		f := fmt.Sprintf(frame, 2000+i, tc.before)
		if tc.runs {
			frames = append(frames, f)
		} else {
			frames = append(frames, "no "+f)
		}
	}
	ran := 0
	bot := ncat.New()
	bot.OnCommand("ping", func(context.Context, *ncat.Bot, onebot.MessageEvent) error { ran++; return nil })
	ncattest.Run(t, bot, func(h *ncattest.Harness) {
		for _, f := range frames {
			text, quiet := strings.CutPrefix(f, "no ")
			e, err := onebot.Decode([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			before := ran
			h.Event(e)
			if want := map[bool]int{true: 0, false: 1}[quiet]; ran-before != want {
				t.Errorf("%s: ran %d times, want %d", text, ran-before, want)
			}
		}
	})
}
