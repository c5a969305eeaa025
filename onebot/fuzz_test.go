package onebot

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// FuzzDecodeEvent holds Decode to encoding/json: the same frames are valid, the
// same words come out of them, and nothing is lost on the way back.
func FuzzDecodeEvent(f *testing.F) {
	for _, e := range eventFixtures(f) {
		f.Add([]byte(e.Event))
	}
	for _, l := range lines(f, "answers.jsonl") {
		f.Add(l)
	}
	f.Add([]byte(`{"post_type":"message","message_type":"group","message":"\ud83d\ude00\udead[CQ:at,qq=1]","group_id":1e3}`))
	f.Add([]byte(`{"post_type":"message","message_type":"group","message":{"type":"text"},"user_id":"x","sender":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if jsonscan.Valid(string(data)) != json.Valid(data) {
			t.Fatalf("validJSON says %t", !json.Valid(data))
		}
		holdBounds(t, string(data), readFrame)
		e, err := Decode(data)
		data = bytes.TrimPrefix(data, []byte(bom))
		var ref map[string]json.RawMessage
		isObject := json.Unmarshal(data, &ref) == nil && ref != nil
		switch {
		case !json.Valid(data):
			if err == nil || errors.Is(err, ErrNotEvent) {
				t.Fatalf("got %v for what is no JSON", err)
			}
			return
		case !isObject:
			if !errors.Is(err, ErrNotEvent) {
				t.Fatalf("got %v for what is no object", err)
			}
			return
		case err != nil:
			if post, ok := refText(ref["post_type"]); ok && post != "" {
				t.Fatalf("%v for an event", err)
			}
			return
		}
		if m, ok := e.(MessageEvent); ok {
			compareMessage(t, m.Msg(), ref)
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(data) {
			return // encoding/json mends what it compacts
		}
		var want bytes.Buffer
		if err := json.Compact(&want, data); err != nil {
			t.Fatal(err)
		}
		var escaped bytes.Buffer
		json.HTMLEscape(&escaped, want.Bytes())
		if !bytes.Equal(out, escaped.Bytes()) {
			t.Fatalf("encodes to %s", out)
		}
	})
}

func refText(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

func compareMessage(t *testing.T, m *MessageBase, ref map[string]json.RawMessage) {
	t.Helper()
	for key, got := range map[string]string{
		"raw_message": m.RawMessage, "real_seq": m.RealSeq, "message_format": m.MessageFormat, "sub_type": m.SubType,
	} {
		if want, ok := refText(ref[key]); ok && got != want {
			t.Fatalf("%s is %q, want %q", key, got, want)
		}
	}
	for key, got := range map[string]int64{
		"user_id": int64(m.UserID), "message_id": int64(m.MessageID), "time": m.Time, "self_id": int64(m.SelfID),
	} {
		var want int64
		if json.Unmarshal(ref[key], &want) == nil && got != want {
			t.Fatalf("%s is %d, want %d", key, got, want)
		}
	}
	var sender map[string]json.RawMessage
	if json.Unmarshal(ref["sender"], &sender) == nil {
		if want, ok := refText(sender["nickname"]); ok && m.Sender.Nickname != want {
			t.Fatalf("nickname is %q, want %q", m.Sender.Nickname, want)
		}
	}
	if raw := ref["message"]; len(raw) > 0 && raw[0] == '[' {
		compareSegments(t, m.Message, raw)
	}
}

func compareSegments(t *testing.T, m Message, raw json.RawMessage) {
	t.Helper()
	var elems []json.RawMessage
	if json.Unmarshal(raw, &elems) != nil {
		return
	}
	if len(elems) != len(m) {
		t.Fatalf("%d segments of %d", len(m), len(elems))
	}
	for i, el := range elems {
		var seg map[string]json.RawMessage
		if json.Unmarshal(el, &seg) != nil {
			continue
		}
		if typ, ok := refText(seg["type"]); ok && m[i].SegmentType() != typ {
			t.Fatalf("segment %d is %q, want %q", i, m[i].SegmentType(), typ)
		}
		var data map[string]json.RawMessage
		txt, ok := m[i].(*TextSegment)
		if !ok || json.Unmarshal(seg["data"], &data) != nil {
			continue
		}
		if want, ok := refText(data["text"]); ok && txt.Text != want {
			t.Fatalf("text is %q, want %q", txt.Text, want)
		}
	}
}

// FuzzDecodeMessage holds that a message loses nothing on its way in and out,
// whatever is in it, and that its helpers take everything.
func FuzzDecodeMessage(f *testing.F) {
	for _, s := range segmentFixtures(f) {
		f.Add([]byte("[" + string(s.Segment) + "]"))
		f.Add([]byte(s.Segment))
	}
	f.Add([]byte(`"a&#91;b[CQ:at,qq=1,name=x&#44;y]c"`))
	f.Add([]byte(`[{"type":"text","data":{"text":"a","text":"b"}},null,5,"x",[]]`))
	f.Add([]byte(`[{"type":"node","data":{"content":[{"type":"node","data":{"content":"[CQ:face,id=1]"}}]}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Message
		if err := m.UnmarshalJSON(data); (err == nil) != json.Valid(data) {
			t.Fatalf("got %v", err)
		} else if err != nil {
			return
		}
		out := m.AppendJSON(nil)
		if !json.Valid(out) {
			t.Fatalf("encodes to %s", out)
		}
		var elems []json.RawMessage
		if json.Unmarshal(data, &elems) == nil && elems != nil && utf8.Valid(data) {
			// The two forms the fast path rewrites are equal in value; the rest is
			// equal byte for byte.
			var back []json.RawMessage
			if err := json.Unmarshal(out, &back); err != nil || len(back) != len(elems) {
				t.Fatalf("%d of %d elements come back", len(back), len(elems))
			}
			for i := range elems {
				if !bytes.Equal(elems[i], back[i]) && !loose(elems[i], back[i]) {
					t.Fatalf("%s becomes %s", elems[i], back[i])
				}
			}
		}
		var again Message
		if err := again.UnmarshalJSON(out); err != nil {
			t.Fatal(err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(second, out) {
			t.Fatalf("%s becomes %s", out, second)
		}
		_ = m.Validate(ChatGroup)
		for _, part := range m.Split(ChatPrivate) {
			if len(part) == 0 {
				t.Fatal("an empty part")
			}
		}
		_, _ = m.CQ(), m.Trim().Text()
	})
}

// loose reports whether two segments say the same.
func loose(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// FuzzCQ holds that every text parses, and that what was parsed survives being
// written and parsed again.
func FuzzCQ(f *testing.F) {
	for _, s := range []string{
		"", "hello", "a&#91;b[CQ:at,qq=1,name=x&#44;y]c", "[CQ:face,id=1]", "[CQ:dice]", "[CQ:", "[CQ:at,qq=1", "[CQ:at,qq]", "[CQ:,a=b]",
		"[CQ:image,file=a&#44;b&#91;c&#93;&amp;,sub_type=0]", "[[CQ:at,qq=all]]", "&amp;#91;", "[CQ:at,qq=1][CQ:at,qq=2]x", "[CQ:x-y,a=b]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		holdBounds(t, s, func(s string) { _ = ParseCQ(s).CQ() })
		m := ParseCQ(s)
		out := m.CQ()
		again := ParseCQ(out).CQ()
		if again != out {
			t.Fatalf("%q becomes %q, then %q", s, out, again)
		}
		if !strings.Contains(s, "[CQ:") && utf8.ValidString(s) {
			if m.Text() != UnescapeCQ(s) {
				t.Fatalf("%q reads %q", s, m.Text())
			}
		}
		if text := ParseCQ(EscapeCQ(s)); text.Text() != s || len(text) > 1 {
			t.Fatalf("%q escaped reads %q", s, text.Text())
		}
	})
}
