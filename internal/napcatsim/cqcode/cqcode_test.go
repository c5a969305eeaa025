package cqcode

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ncatd/ncatd/internal/napcatsim/jsval"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`a&#91;b[CQ:at,qq=1,name=x&#44;y]c`, `[{"type":"text","data":{"text":"a[b"}},{"type":"at","data":{"qq":"1","name":"x,y"}},{"type":"text","data":{"text":"c"}}]`},
		{`[CQ:face,id=1]`, `[{"type":"face","data":{"id":"1"}}]`},
		{`[CQ:shake]`, `[{"type":"shake","data":{}}]`},
		{`[CQ:a-b,c=1]`, `[{"type":"text","data":{"text":"[CQ:a-b,c=1]"}}]`},
		{`[CQ:at`, `[{"type":"text","data":{"text":"[CQ:at"}}]`},
		{``, `[]`},
	} {
		if got := jsval.Stringify(Array(Parse(tt.in))); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	segs := []world.Segment{
		world.Text("[&]"),
		{Type: "image", Data: jsval.Obj("file", "a,b[c]&", "summary", "", "sub_type", 0, "url", jsval.Undefined, "x", nil)},
		{Type: "forward", Data: jsval.Obj("id", "1", "content", []any{jsval.Obj("a", 1)})},
	}
	if got, want := Format(segs), `&#91;&amp;&#93;[CQ:image,file=a&#44;b&#91;c&#93;&amp;,sub_type=0][CQ:forward,id=1,content=&#91;{"a":1}&#93;]`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, value := rapid.StringN(1, 20, -1).Draw(t, "text"), rapid.StringN(1, 20, -1).Draw(t, "value")
		in := []world.Segment{world.Text(text), {Type: "at", Data: jsval.Obj("qq", value)}}
		if got, want := jsval.Stringify(Array(Parse(Format(in)))), jsval.Stringify(Array(in)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestSegments(t *testing.T) {
	a := []any{jsval.Obj("type", "text", "data", jsval.Obj("text", "x")), 5, jsval.Obj("data", nil), jsval.Obj("type", "dice")}
	if got := jsval.Stringify(Array(Segments(a))); got != `[{"type":"text","data":{"text":"x"}},{"type":"dice","data":{}}]` {
		t.Errorf("got %s", got)
	}
}
