package onebot

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseCQ(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Message
	}{
		{"", nil},
		{"hello", Message{Text("hello")}},
		{"&#91;x&#93; &amp;amp;", Message{Text("[x] &amp;")}},
		{"[CQ:at,qq=all] hi", Message{AtAll(), Text(" hi")}},
		{"[CQ:at,qq=1][CQ:at,qq=2]", Message{At(1), At(2)}},
		{"[CQ:at,qq=1", Message{Text("[CQ:at,qq=1")}},
		{"[CQ:at,qq]", Message{Text("[CQ:at,qq]")}},
		{"[CQ:]x", Message{Text("[CQ:]x")}},
		{"x[y]", Message{Text("x[y]")}},
		{"[CQ:at,qq=[CQ:at,qq=7]", Message{Text("[CQ:at,qq="), At(7)}},
	} {
		if got := ParseCQ(tc.in); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: got %v, want %v", tc.in, got, tc.want)
		}
	}
	m := ParseCQ("a&#91;b[CQ:at,qq=1,name=x&#44;y]c")
	if len(m) != 3 || m.Text() != "a[bc" || m[1].(*AtSegment).Name != "x,y" {
		t.Errorf("got %#v", m)
	}
	u := ParseCQ("[CQ:hologram,depth=3]")
	if s, ok := u[0].(*UnknownSegment); !ok || s.Type != "hologram" || u.CQ() != "[CQ:hologram,depth=3]" {
		t.Errorf("got %#v", u[0])
	}
}

func TestFormatCQ(t *testing.T) {
	for _, tc := range []struct {
		m    Message
		want string
	}{
		{Message{Text("a[b]&,")}, "a&#91;b&#93;&amp;,"},
		{Message{Reply(5), At(7), Text("x")}, "[CQ:reply,id=5][CQ:at,qq=7]x"},
		{Message{&ImageSegment{File: "a,b[c]&"}}, "[CQ:image,file=a&#44;b&#91;c&#93;&amp;]"},
		{Message{Dice()}, "[CQ:dice]"},
		{Message{&UnknownSegment{Type: "x"}}, "[CQ:x]"},
		{Message{nil, Text("y")}, "y"},
		{Message{JSON(`{"a":[1,2]}`)}, `[CQ:json,data={"a":&#91;1&#44;2&#93;}]`},
	} {
		if got := tc.m.CQ(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestMessageForms(t *testing.T) {
	for in, want := range map[string]string{
		`[]`:                                    `[]`,
		`null`:                                  `[]`,
		`""`:                                    `[]`,
		`"[CQ:face,id=1]x"`:                     `[{"type":"face","data":{"id":"1"}},{"type":"text","data":{"text":"x"}}]`,
		` {"type":"text","data":{"text":"x"}} `: `[{"type":"text","data":{"text":"x"}}]`,
		`[null,5,{"type":"dice"}]`:              `[null,5,{"type":"dice"}]`,
	} {
		var m Message
		if err := json.Unmarshal([]byte(in), &m); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := string(m.AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	var m Message
	if err := m.UnmarshalJSON([]byte(`[{]`)); err == nil {
		t.Error("broken JSON was taken")
	}
}

func TestMessageHelpers(t *testing.T) {
	m := Message{Reply(9), At(7), Text(" /roll "), &ImageSegment{File: "a"}, Text("20 "), AtAll(), &ImageSegment{File: "b"}}
	if m.Text() != " /roll 20 " || m.ReplyTo() != 9 || !m.Mentions(7) || m.Mentions(8) || m.Mentions(0) || !m.MentionsAll() {
		t.Errorf("%v", m)
	}
	if got := m.Mentioned(); !slices.Equal(got, []UserID{7}) {
		t.Errorf("mentioned %v", got)
	}
	if got := All[*ImageSegment](m); len(got) != 2 || got[1].File != "b" {
		t.Errorf("images %v", got)
	}
	if _, ok := First[*VideoSegment](m); ok {
		t.Error("a video out of nowhere")
	}
	if got := m.Only("text", "at").CQ(); got != "[CQ:at,qq=7] /roll 20 [CQ:at,qq=all]" {
		t.Errorf("only: %s", got)
	}
	if got := m.Without("image", "reply", "at").CQ(); got != " /roll 20 " {
		t.Errorf("without: %s", got)
	}
	if got := (Message{Text(" \n"), Text(" a "), Face(1), Text("b\u3000"), Text(" ")}).Trim(); got.CQ() != "a [CQ:face,id=1]b" {
		t.Errorf("trim: %q", got.CQ())
	}
	base := make(Message, 1, 4)
	base[0] = Text("a")
	x, y := base.Plus(Text("x")), base.Plus(Text("y"))
	if x.Text() != "ax" || y.Text() != "ay" {
		t.Errorf("Plus shares memory: %s %s", x, y)
	}
	if m.Text() != " /roll 20 " || len(m) != 7 {
		t.Error("a helper changed the message")
	}
}

func TestValidate(t *testing.T) {
	node := Node(1, "a", Text("x"))
	deep := node
	for range 2 {
		deep = Node(1, "a", deep)
	}
	for name, tc := range map[string]struct {
		m    Message
		to   ChatKind
		want []ProblemCode
	}{
		"text":            {Message{Text("x")}, ChatGroup, nil},
		"mixed":           {Message{Reply(1), At(2), Text("x"), Face(3), &ImageSegment{File: "http://h/a.png"}}, ChatGroup, nil},
		"nothing":         {nil, ChatGroup, []ProblemCode{ProblemEmpty}},
		"file":            {Message{&FileSegment{File: "/a"}}, ChatPrivate, nil},
		"file and text":   {Message{Text("x"), &FileSegment{File: "/a"}}, ChatPrivate, []ProblemCode{ProblemNotAlone}},
		"nodes":           {Message{node, NodeOf(7)}, ChatGroup, nil},
		"node and text":   {Message{node, Text("x")}, ChatGroup, []ProblemCode{ProblemMixedNode}},
		"three deep":      {Message{deep}, ChatGroup, nil},
		"four deep":       {Message{Node(1, "a", deep)}, ChatGroup, []ProblemCode{ProblemTooDeep}},
		"empty node":      {Message{Node(1, "a")}, ChatGroup, []ProblemCode{ProblemBadNode}},
		"mixed in a node": {Message{Node(1, "a", node, Text("x"))}, ChatGroup, []ProblemCode{ProblemMixedNode}},
		"xml":             {Message{&XMLSegment{Data: "<a/>"}, Text("x")}, ChatGroup, []ProblemCode{ProblemSendsNone}},
		"only xml":        {Message{&XMLSegment{Data: "<a/>"}}, ChatGroup, []ProblemCode{ProblemSendsNone, ProblemEmpty}},
		"poke":            {Message{&PokeSegment{Type: "1"}, &MiniAppSegment{}, Text("x")}, ChatGroup, []ProblemCode{ProblemSendsNone, ProblemSendsNone}},
		"unknown":         {Message{&UnknownSegment{Type: "hologram"}}, ChatGroup, []ProblemCode{ProblemUnknownType}},
		"nil":             {Message{nil}, ChatGroup, []ProblemCode{ProblemUnknownType}},
		"at in private":   {Message{At(1), Text("x")}, ChatPrivate, []ProblemCode{ProblemNoMention}},
		"at nobody":       {Message{&AtSegment{QQ: "Bob"}}, ChatGroup, []ProblemCode{ProblemBadUser}},
		"bad reply":       {Message{Reply(0), Text("x")}, ChatGroup, []ProblemCode{ProblemBadID}},
		"reply by seq":    {Message{&ReplySegment{Seq: 5}, Text("x")}, ChatGroup, nil},
		"bad face":        {Message{&FaceSegment{ID: "smile"}, Text("x")}, ChatGroup, []ProblemCode{ProblemBadID}},
		"no source":       {Message{&ImageSegment{File: ""}}, ChatGroup, []ProblemCode{ProblemNoSource}},
		"ftp":             {Message{&ImageSegment{File: "ftp://h/a"}}, ChatGroup, []ProblemCode{ProblemBadSource}},
		"file URL":        {Message{&ImageSegment{File: "file://host/a"}}, ChatGroup, []ProblemCode{ProblemBadSource}},
		"windows path":    {Message{&ImageSegment{File: `C:\a.png`}}, ChatGroup, nil},
		"base64":          {Message{&ImageSegment{File: Base64([]byte("x"))}}, ChatGroup, nil},
		"empty base64":    {Message{&ImageSegment{File: Base64(nil)}}, ChatGroup, []ProblemCode{ProblemBadSource}},
		"data URL":        {Message{&ImageSegment{File: "data:image/png;base64,aGk="}}, ChatGroup, nil},
		"url wins":        {Message{&ImageSegment{File: "ftp://h/a", URL: "https://h/a"}}, ChatGroup, nil},
		"music":           {Message{Music("163", "5")}, ChatGroup, nil},
		"odd music":       {Message{Music("tidal", "5"), Text("x")}, ChatGroup, []ProblemCode{ProblemBadMusic}},
		"own music":       {Message{CustomMusic("t", "https://l", "https://a", "https://i")}, ChatGroup, nil},
		"no image":        {Message{CustomMusic("t", "https://l", "https://a", ""), Text("x")}, ChatGroup, []ProblemCode{ProblemBadMusic}},
		"markdown":        {Message{Markdown("# x")}, ChatGroup, []ProblemCode{ProblemOnlyForward}},
		"markdown within": {Message{Node(1, "a", Markdown("# x"))}, ChatGroup, nil},
		"location":        {Message{&LocationSegment{Lat: "1", Lon: "2"}}, ChatGroup, []ProblemCode{ProblemTestText}},
		"contact":         {Message{Contact(5)}, ChatGroup, nil},
		"bad contact":     {Message{&ContactSegment{Type: "band", ID: "5"}}, ChatGroup, []ProblemCode{ProblemBadUser}},
		"huge":            {Message{&ImageSegment{File: strings.Repeat("x", 51<<20)}}, ChatGroup, []ProblemCode{ProblemTooLarge}},
	} {
		err := tc.m.Validate(tc.to)
		var got []ProblemCode
		var ps Problems
		if errors.As(err, &ps) {
			for _, p := range ps {
				got = append(got, p.Code)
			}
		}
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	err := Message{Text("x"), &FileSegment{File: ""}}.Validate(ChatGroup)
	if got := err.Error(); got != "message: segment 1 (file): no_source; segment 1 (file): not_alone" {
		t.Errorf("got %q", got)
	}
}

func TestSplit(t *testing.T) {
	for name, tc := range map[string]struct {
		m    Message
		to   ChatKind
		want []string
	}{
		"nothing":     {nil, ChatGroup, nil},
		"whole":       {Message{Reply(1), Text("a"), &ImageSegment{File: "/i"}, At(2)}, ChatGroup, []string{"[CQ:reply,id=1]a[CQ:image,file=/i][CQ:at,qq=2]"}},
		"file last":   {Message{Text("a"), &FileSegment{File: "/f"}}, ChatGroup, []string{"a", "[CQ:file,file=/f]"}},
		"in order":    {Message{&RecordSegment{File: "/r"}, Text("a"), &VideoSegment{File: "/v"}, Text("b"), Face(1)}, ChatGroup, []string{"[CQ:record,file=/r]", "a", "[CQ:video,file=/v]", "b[CQ:face,id=1]"}},
		"late quote":  {Message{Reply(1), &VideoSegment{File: "/v"}, Text("b")}, ChatGroup, []string{"[CQ:video,file=/v]", "[CQ:reply,id=1]b"}},
		"no home":     {Message{Reply(1), &VideoSegment{File: "/v"}}, ChatGroup, []string{"[CQ:video,file=/v]"}},
		"quote last":  {Message{Text("a"), Reply(1)}, ChatGroup, []string{"[CQ:reply,id=1]a"}},
		"two quotes":  {Message{Reply(1), Text("a"), Dice(), Reply(2), Text("b")}, ChatGroup, []string{"[CQ:reply,id=1]a", "[CQ:dice]", "b"}},
		"dropped":     {Message{&XMLSegment{Data: "x"}, At(1), Text("a"), &UnknownSegment{Type: "u"}, nil}, ChatPrivate, []string{"a"}},
		"only nodes":  {Message{NodeOf(1), NodeOf(2)}, ChatGroup, []string{"[CQ:node,id=1][CQ:node,id=2]"}},
		"nodes apart": {Message{Text("a"), NodeOf(1), NodeOf(2), Text("b"), NodeOf(3)}, ChatGroup, []string{"a", "[CQ:node,id=1][CQ:node,id=2]", "b", "[CQ:node,id=3]"}},
	} {
		var got []string
		for _, m := range tc.m.Split(tc.to) {
			got = append(got, m.CQ())
			if err := m.Validate(tc.to); err != nil {
				t.Errorf("%s: a part of the split: %v", name, err)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestNodeFrom(t *testing.T) {
	e, err := Decode([]byte(`{"time":5,"self_id":1,"post_type":"message","message_type":"group","user_id":2,"sender":{"nickname":"n","card":"c"},"message":"hi","group_id":3}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"node","data":{"user_id":2,"nickname":"c","content":[{"type":"text","data":{"text":"hi"}}],"time":"5"}}`
	if got := string(NodeFrom(e.(MessageEvent)).AppendJSON(nil)); got != want {
		t.Errorf("got %s", got)
	}
}

func TestIDs(t *testing.T) {
	for in, want := range map[string]int64{`123`: 123, `"123"`: 123, `null`: 0, `""`: 0, `"7400000000000000001"`: 7400000000000000001, `1e3`: 1000, `-5`: -5} {
		var u UserID
		var g GroupID
		var m MessageID
		if json.Unmarshal([]byte(in), &u) != nil || json.Unmarshal([]byte(in), &g) != nil || json.Unmarshal([]byte(in), &m) != nil {
			t.Errorf("%s is refused", in)
		}
		if int64(u) != want || int64(g) != want || int64(m) != want {
			t.Errorf("%s: got %d %d %d", in, u, g, m)
		}
	}
	for _, in := range []string{`1.5`, `true`, `{}`, `[1]`} {
		var u UserID
		if json.Unmarshal([]byte(in), &u) == nil {
			t.Errorf("%s is taken for %d", in, u)
		}
	}
	if b, _ := json.Marshal(map[string]any{"a": MessageID(1 << 53), "b": MessageID(1<<53 - 1), "c": UserID(5)}); string(b) != `{"a":"9007199254740992","b":9007199254740991,"c":5}` {
		t.Errorf("got %s", b)
	}
}
