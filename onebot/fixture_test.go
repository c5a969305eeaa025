package onebot

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot/schema"
)

// lines returns the lines of a file in testdata.
func lines(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

type eventFixture struct {
	Want, Note string
	Event      json.RawMessage
}

func eventFixtures(t testing.TB) []eventFixture {
	var out []eventFixture
	for _, l := range lines(t, "events.jsonl") {
		var f eventFixture
		if err := json.Unmarshal(l, &f); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		out = append(out, f)
	}
	return out
}

type segmentFixture struct {
	Want, Kind, Note string
	Segment          json.RawMessage
}

func segmentFixtures(t testing.TB) []segmentFixture {
	var out []segmentFixture
	for _, l := range lines(t, "segments.jsonl") {
		var f segmentFixture
		if err := json.Unmarshal(l, &f); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		out = append(out, f)
	}
	return out
}

func typeName(v any) string { return reflect.TypeOf(v).Elem().Name() }

// sameJSON reports whether a and b say the same.
func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	return reflect.DeepEqual(anyJSON(t, a), anyJSON(t, b))
}

func anyJSON(t testing.TB, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func TestEveryEventRoundTrips(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range eventFixtures(t) {
		seen[f.Want] = true
		e, err := Decode(f.Event)
		if err != nil {
			t.Errorf("%s: %v", f.Event, err)
			continue
		}
		if typeName(e) != f.Want {
			t.Errorf("%s: got %T, want %s", f.Event, e, f.Want)
			continue
		}
		out, err := json.Marshal(e)
		if err != nil || !sameJSON(t, out, f.Event) {
			t.Errorf("%s %s: encodes to %s (%v)", f.Want, f.Note, out, err)
		}
		again := reflect.New(reflect.TypeOf(e).Elem()).Interface()
		if err := json.Unmarshal(f.Event, again); err != nil {
			t.Errorf("%s %s: %v", f.Want, f.Note, err)
		} else if !reflect.DeepEqual(again, e) {
			t.Errorf("%s %s: Decode and Unmarshal differ:\n%+v\n%+v", f.Want, f.Note, e, again)
		}
	}
	for _, m := range []map[string]func() Event{notices, notifies} {
		for kind, mk := range m {
			if !seen[typeName(mk())] {
				t.Errorf("%s has no fixture", kind)
			}
		}
	}
	for _, want := range []string{"PrivateMessage", "GroupMessage", "Lifecycle", "Heartbeat", "FriendRequest", "GroupRequest", "UnknownEvent"} {
		if !seen[want] {
			t.Errorf("%s has no fixture", want)
		}
	}
}

// The typed fields alone, without the JSON they came from, must carry all that
// the contract lists; only what the structs leave out on purpose may be missing.
func TestEventFieldsAreComplete(t *testing.T) {
	left := map[string]bool{ // copies and constants
		"message_seq": true, "real_id": true, "font": true, "raw": true, "message_sent_type": true, "novel": true,
	}
	for _, f := range eventFixtures(t) {
		if f.Want == "UnknownEvent" {
			continue
		}
		e, err := Decode(f.Event)
		if err != nil {
			t.Fatal(err)
		}
		p := planOf(reflect.TypeOf(e).Elem())
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(f.Event, &keys); err != nil {
			t.Fatal(err)
		}
		for k := range keys {
			if _, ok := p.byName[k]; !ok && !left[k] {
				t.Errorf("%s has no field for %s", f.Want, k)
			}
		}
	}
}

func TestChangedEventKeepsTheRest(t *testing.T) {
	e, err := Decode([]byte(`{"time":1,"self_id":2,"post_type":"notice","notice_type":"group_card","group_id":"3","user_id":4,"card_new":"a","card_old":"","novel":{"x":[1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	e.(*GroupCard).CardNew = "b"
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"time":1,"self_id":2,"post_type":"notice","notice_type":"group_card","group_id":"3","user_id":4,"card_new":"b","card_old":"","novel":{"x":[1]}}`
	if string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
}

func TestEventMadeByHand(t *testing.T) {
	e := &GroupMessage{GroupID: 3, MessageBase: MessageBase{
		EventBase:   EventBase{Time: 1, SelfID: 2, PostType: PostMessage},
		MessageType: "group", SubType: "normal", MessageID: 9, UserID: 4, Message: Message{Text("x")},
	}}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	g := got.(*GroupMessage)
	if g.GroupID != 3 || g.Text() != "x" || g.UserID != 4 || g.MessageID != 9 || g.SelfID != 2 {
		t.Errorf("%s decodes to %+v", b, g)
	}
}

func TestMessageWithUnknownSegmentIsWhole(t *testing.T) {
	for _, f := range eventFixtures(t) {
		if f.Note != "unknown segment and field" {
			continue
		}
		e, err := Decode(f.Event)
		if err != nil {
			t.Fatal(err)
		}
		m := e.(*GroupMessage).Message
		if len(m) != 3 || m.Text() != "look " || m[1].(*UnknownSegment).Type != "hologram" || m[2].(*ImageSegment).FileSize != 88213 {
			t.Fatalf("got %s", m)
		}
		if !strings.Contains(string(m[2].(*ImageSegment).Raw()), `"later":"kept"`) {
			t.Error("the unknown field of the image is gone")
		}
		return
	}
	t.Fatal("no such fixture")
}

func TestAnswersAreNoEvents(t *testing.T) {
	for _, l := range lines(t, "answers.jsonl") {
		if e, err := Decode(l); !errors.Is(err, ErrNotEvent) {
			t.Errorf("%s: got %v, %v", l, e, err)
		}
	}
	for _, bad := range []string{"", "{", `{"post_type":"notice"`, `{"post_type":"notice"}x`, `{"a":01}`, "\"\x01\"", `{"post_type":"message",}`} {
		if _, err := Decode([]byte(bad)); err == nil || errors.Is(err, ErrNotEvent) {
			t.Errorf("%q: got %v, want a syntax error", bad, err)
		}
	}
}

// otherName has the keys that come out under another, or not at all since
// NapCat ignores them.
var otherName = map[string]string{"NodeSegment uin": "user_id", "NodeSegment name": "nickname", "JSONSegment config": ""}

func TestEverySegmentRoundTrips(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range segmentFixtures(t) {
		seen[f.Want] = true
		var m Message
		if err := json.Unmarshal([]byte("["+string(f.Segment)+"]"), &m); err != nil {
			t.Errorf("%s: %v", f.Segment, err)
			continue
		}
		if len(m) != 1 || typeName(m[0]) != f.Want {
			t.Errorf("%s: got %T, want %s", f.Segment, m[0], f.Want)
			continue
		}
		if out := m[0].AppendJSON(nil); !bytes.Equal(out, f.Segment) {
			t.Errorf("%s %s: encodes to %s", f.Want, f.Segment, out)
		}
		again := reflect.New(reflect.TypeOf(m[0]).Elem()).Interface()
		if err := json.Unmarshal(f.Segment, again); err != nil || !reflect.DeepEqual(again, any(m[0])) {
			t.Errorf("%s: Unmarshal differs: %+v, %v", f.Want, again, err)
		}
		// Without what it came from, the segment must say the same by its fields.
		if k, ok := again.(keeper); ok {
			k.keepRaw("")
			lean := again.(Segment).AppendJSON(nil)
			back := decodeSegment(string(lean), 1)
			if k, ok := back.(keeper); ok {
				k.keepRaw("")
			}
			data := anyJSON(t, lean).(map[string]any)["data"].(map[string]any)
			for key, val := range anyJSON(t, f.Segment).(map[string]any)["data"].(map[string]any) {
				if name, ok := otherName[typeName(back)+" "+key]; ok {
					key = name
				}
				if _, ok := data[key]; !ok && key != "" && val != false {
					t.Errorf("%s has no field for %s: %s", f.Want, key, lean)
				}
			}
			if !sameJSON(t, back.AppendJSON(nil), lean) {
				t.Errorf("%s: %s becomes %s", f.Want, lean, back.AppendJSON(nil))
			}
		}
		if single := decodeMessage(string(f.Segment), 1); f.Segment[0] == '{' && !reflect.DeepEqual(single, m) {
			t.Errorf("%s: as a single object it is %v", f.Segment, single)
		}
	}
	for kind, mk := range segments {
		if !seen[typeName(mk())] {
			t.Errorf("%s has no fixture", kind)
		}
	}
}

func TestSegmentValues(t *testing.T) {
	m := decodeMessage(`[{"type":"reply","data":{"id":"1187465321"}},{"type":"at","data":{"qq":20002}},{"type":"image","data":{"file":"a","file_size":"12","sub_type":1}},{"type":"forward","data":{"id":"7400000000000000001","content":[{"user_id":5,"message":[{"type":"text","data":{"text":"in"}}],"message_id":7}]}},{"type":"node","data":{"uin":"20002","name":"a","content":"[CQ:face,id=1]x"}},{"type":"json","data":{"data":{"app":"x"}}}]`, 1)
	if m.ReplyTo() != 1187465321 || !m.Mentions(20002) || m.MentionsAll() {
		t.Errorf("reply %v, mentioned %v", m.ReplyTo(), m.Mentioned())
	}
	img, _ := First[*ImageSegment](m)
	if img.FileSize != 12 || img.SubType != 1 {
		t.Errorf("image %+v", img)
	}
	fw, _ := First[*ForwardSegment](m)
	if len(fw.Content) != 1 || fw.Content[0].Text() != "in" || fw.Content[0].UserID != 5 || fw.Content[0].MessageID != 7 {
		t.Errorf("forward %+v", fw)
	}
	if n, _ := First[*NodeSegment](m); n.UserID != 20002 || n.Nickname != "a" || len(n.Content) != 2 || n.Content.Text() != "x" {
		t.Errorf("node %+v", n)
	}
	if j, _ := First[*JSONSegment](m); j.Data != `{"app":"x"}` {
		t.Errorf("json %q", j.Data)
	}
}

// What a filter can name is what this package decodes.
func TestEventTypes(t *testing.T) {
	want := []string{"message.group", "message.private", "message_sent.group", "message_sent.private", "request.friend", "request.group"}
	for _, m := range []map[string]func() Event{notices, notifies} {
		for kind := range m {
			want = append(want, "notice."+kind)
		}
	}
	slices.Sort(want)
	if got := schema.EventTypes(); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
