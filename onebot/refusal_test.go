package onebot_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ncatd/ncatd/onebot"
)

// Every rule of what NapCat refuses, drops or replaces (contract H.2) stands
// here once: what Validate says of the message, and what becomes of it on the
// other side of a socket. Both must agree, and what Split makes of it must
// arrive.
func TestRulesOfSending(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	ctx := t.Context()
	const (
		friend = 3001000001
		group  = 700000001
	)
	text := onebot.Text("x")
	png := &onebot.ImageSegment{File: onebot.Base64([]byte("\x89PNG\r\n\x1a\n"))}
	node := onebot.Node(friend, "a", text)
	deep := func(n int) onebot.Segment {
		s := node
		for range n - 1 {
			s = onebot.Node(friend, "a", s)
		}
		return s
	}
	type M = onebot.Message
	said, err := client.SendGroupMsg(ctx, onebot.SendGroupMsgParams{GroupID: group, Message: M{text}})
	if err != nil {
		t.Fatal(err)
	}
	saidPrivately, err := client.SendPrivateMsg(ctx, onebot.SendPrivateMsgParams{UserID: friend, Message: M{text}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		m       M
		private bool
		codes   []onebot.ProblemCode // that Validate finds
		refused string               // words of the refusal; "" if it is sent
		arrives []string             // types of the segments that arrive
		split   [][]string           // types of the messages Split makes; nil: as it is
	}{
		// Sent as it stands.
		"text":             {m: M{text}, arrives: []string{"text"}},
		"mention":          {m: M{onebot.At(friend), text}, arrives: []string{"at", "text"}},
		"mention of all":   {m: M{onebot.AtAll(), text}, arrives: []string{"at", "text"}},
		"quotation":        {m: M{onebot.Reply(said.MessageID), text}, arrives: []string{"reply", "text"}},
		"picture and text": {m: M{text, png}, arrives: []string{"text", "image"}},
		"private picture":  {m: M{png}, private: true, arrives: []string{"image"}},
		"face":             {m: M{onebot.Face(14)}, arrives: []string{"face"}},
		"card":             {m: M{onebot.JSON(`{"app":"a"}`)}, arrives: []string{"json"}},
		"dice":             {m: M{onebot.Dice()}, arrives: []string{"dice"}},
		"rps":              {m: M{onebot.RPS()}, arrives: []string{"rps"}},
		"nodes":            {m: M{node, onebot.NodeOf(said.MessageID)}, arrives: []string{"forward"}},
		"nodes three deep": {m: M{deep(3)}, arrives: []string{"forward"}},

		// Refused whole.
		"nothing":           {m: M{}, codes: codes(onebot.ProblemEmpty), refused: "消息体无法解析", split: [][]string{}},
		"unknown type":      {m: M{text, &onebot.UnknownSegment{Type: "hologram"}}, codes: codes(onebot.ProblemUnknownType), refused: "未知的消息类型：hologram", split: [][]string{{"text"}}},
		"node and text":     {m: M{node, text}, codes: codes(onebot.ProblemMixedNode), refused: "转发消息不能和普通消息混在一起发送", split: [][]string{{"node"}, {"text"}}},
		"text and node":     {m: M{text, node}, private: true, codes: codes(onebot.ProblemMixedNode), refused: "转发消息不能和普通消息混在一起发送", split: [][]string{{"text"}, {"node"}}},
		"picture of naught": {m: M{text, &onebot.ImageSegment{}}, codes: codes(onebot.ProblemNoSource), refused: "文件消息缺少参数", split: [][]string{{"text"}}},
		"voice of naught":   {m: M{&onebot.RecordSegment{}}, codes: codes(onebot.ProblemNoSource), refused: "文件消息缺少参数", split: [][]string{}},
		"video of naught":   {m: M{&onebot.VideoSegment{}}, codes: codes(onebot.ProblemNoSource), refused: "文件消息缺少参数", split: [][]string{}},
		"file of naught":    {m: M{&onebot.FileSegment{}}, codes: codes(onebot.ProblemNoSource), refused: "文件消息缺少参数", split: [][]string{}},
		"picture by ftp":    {m: M{&onebot.ImageSegment{File: "ftp://h/a.png"}}, codes: codes(onebot.ProblemBadSource), refused: "识别URL失败", split: [][]string{}},
		"picture by file:":  {m: M{&onebot.ImageSegment{File: "file://h/a.png"}}, codes: codes(onebot.ProblemBadSource), refused: "识别URL失败, uri= file://h/a.png", split: [][]string{}},
		"data, not base64":  {m: M{&onebot.ImageSegment{File: "data:image/png,abc"}}, codes: codes(onebot.ProblemBadSource), refused: "识别URL失败", split: [][]string{}},
		"nodes four deep":   {m: M{deep(4)}, codes: codes(onebot.ProblemTooDeep), refused: "嵌套", split: [][]string{}},
		"only xml":          {m: M{&onebot.XMLSegment{Data: "<a/>"}}, codes: codes(onebot.ProblemSendsNone, onebot.ProblemEmpty), refused: "消息体无法解析", split: [][]string{}},
		"only a mention":    {m: M{onebot.At(friend)}, private: true, codes: codes(onebot.ProblemNoMention, onebot.ProblemEmpty), refused: "消息体无法解析", split: [][]string{}},

		// Dropped without a word.
		"xml":               {m: M{&onebot.XMLSegment{Data: "<a/>"}, text}, codes: codes(onebot.ProblemSendsNone), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"poke":              {m: M{text, &onebot.PokeSegment{Type: "1", ID: "-1"}}, codes: codes(onebot.ProblemSendsNone), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"miniapp":           {m: M{text, &onebot.MiniAppSegment{}}, codes: codes(onebot.ProblemSendsNone), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"online file":       {m: M{text, &onebot.OnlineFileSegment{}}, codes: codes(onebot.ProblemSendsNone), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"flash transfer":    {m: M{text, &onebot.FlashTransferSegment{}}, codes: codes(onebot.ProblemSendsNone), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"private mention":   {m: M{onebot.At(friend), text}, private: true, codes: codes(onebot.ProblemNoMention), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"quotation of none": {m: M{&onebot.ReplySegment{}, text}, codes: codes(onebot.ProblemBadID), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"face of none":      {m: M{&onebot.FaceSegment{ID: "x"}, text}, codes: codes(onebot.ProblemBadID), arrives: []string{"text"}, split: [][]string{{"text"}}},
		"bad music":         {m: M{&onebot.MusicSegment{Type: "custom"}, text}, codes: codes(onebot.ProblemBadMusic), arrives: []string{"text"}, split: [][]string{{"text"}}},

		// Replaced.
		"location": {m: M{&onebot.LocationSegment{Lat: "1", Lon: "2"}}, codes: codes(onebot.ProblemTestText), arrives: []string{"text"}},

		// What only NapCat can know: no word before, dropped or refused there.
		"quotation of the forgotten": {m: M{onebot.Reply(1), text}, arrives: []string{"text"}},
		"mention of a stranger":      {m: M{onebot.At(1), text}, refused: "Get Uid Error"},
		"file URL of nothing":        {m: M{&onebot.ImageSegment{File: "file:///no/such/file.png"}}, refused: "文件处理失败: ENOENT"},
		"picture that is not there":  {m: M{&onebot.ImageSegment{File: "/no/such/file.png"}}, refused: "文件处理失败"},
		"private quotation":          {m: M{onebot.Reply(saidPrivately.MessageID), text}, private: true, arrives: []string{"reply", "text"}},
	} {
		t.Run(name, func(t *testing.T) {
			to := onebot.ChatGroup
			if tc.private {
				to = onebot.ChatPrivate
			}
			send := func(m M) (*onebot.ChatMessage, error) {
				p := onebot.SendMsgParams{Message: m}
				if tc.private {
					p.UserID = friend
				} else {
					p.GroupID = group
				}
				r, err := client.SendMsg(ctx, p)
				if err != nil {
					return nil, err
				}
				return client.GetMsg(ctx, onebot.GetMsgParams{MessageID: r.MessageID})
			}
			var problems onebot.Problems
			errors.As(tc.m.Validate(to), &problems)
			var got []onebot.ProblemCode
			refuses := false
			for _, p := range problems {
				got = append(got, p.Code)
				refuses = refuses || p.Refused()
			}
			if !slices.Equal(got, tc.codes) || tc.codes != nil && refuses != (tc.refused != "") {
				t.Errorf("Validate says %v, refused %t", got, refuses)
			}
			arrived, err := send(tc.m)
			switch {
			case tc.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.refused == "":
				if types := typesOf(arrived.Message); !slices.Equal(types, tc.arrives) {
					t.Errorf("%v arrived", types)
				}
			case !onebot.IsRefused(err) || !says(err, tc.refused):
				t.Errorf("got %v", err)
			}
			if tc.codes == nil && tc.refused != "" {
				return // Split cannot know either
			}
			parts := tc.m.Split(to)
			if tc.split != nil {
				var types [][]string
				for _, p := range parts {
					types = append(types, typesOf(p))
				}
				if !slices.EqualFunc(types, tc.split, slices.Equal[[]string]) {
					t.Errorf("split into %v", types)
				}
			} else if len(parts) != 1 || parts[0].String() != tc.m.String() {
				t.Errorf("split into %v", parts)
			}
			for _, p := range parts {
				if _, err := send(p); err != nil {
					t.Errorf("a part of the split, %v: %v", p, err)
				}
			}
		})
	}
}

func codes(c ...onebot.ProblemCode) []onebot.ProblemCode { return c }

func typesOf(m onebot.Message) []string {
	var types []string
	for _, s := range m {
		types = append(types, s.SegmentType())
	}
	return types
}

// says reports whether err is a refusal in these words.
func says(err error, words string) bool {
	var e *onebot.Error
	return errors.As(err, &e) && strings.Contains(e.Message, words)
}
