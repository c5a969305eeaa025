package onebot

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ChatKind is the kind of chat a message goes to; its values are those of
// message_type.
type ChatKind string

// The kinds of chats.
const (
	ChatGroup   ChatKind = "group"
	ChatPrivate ChatKind = "private"
)

// ProblemCode is one word for what is wrong with a message.
type ProblemCode string

// What NapCat would refuse, with the whole message.
const (
	ProblemEmpty       ProblemCode = "empty"         // nothing is left to send
	ProblemNotAlone    ProblemCode = "not_alone"     // a segment that must be the only one is not
	ProblemMixedNode   ProblemCode = "mixed_node"    // nodes beside other segments
	ProblemUnknownType ProblemCode = "unknown_type"  // NapCat knows no such segment
	ProblemNoSource    ProblemCode = "no_source"     // media without file, url and path
	ProblemBadSource   ProblemCode = "bad_source"    // media from an address NapCat cannot fetch
	ProblemBadUser     ProblemCode = "bad_user"      // a mention or a card of what is no QQ number
	ProblemTooDeep     ProblemCode = "too_deep"      // forwards nested deeper than three
	ProblemTooLarge    ProblemCode = "too_large"     // larger than a frame may be
	ProblemTooLong     ProblemCode = "too_long"      // more text than [MaxText]
	ProblemBadNode     ProblemCode = "bad_node"      // a node with neither an id nor content
	ProblemBadMusic    ProblemCode = "bad_music"     // a music card without what it needs
	ProblemNoMention   ProblemCode = "no_mention"    // dropped: mentions count only in groups
	ProblemSendsNone   ProblemCode = "sends_nothing" // dropped: can be received, not sent
	ProblemBadID       ProblemCode = "bad_id"        // dropped: a reply or a face without an id
	ProblemOnlyForward ProblemCode = "only_forward"  // may be dropped: Markdown works only inside forwards
	ProblemTestText    ProblemCode = "test_text"     // replaced: NapCat sends a fixed text instead
)

// refuses lists the problems for which NapCat refuses the whole message. The
// others make it drop or replace the segment without a word.
var refuses = []ProblemCode{
	ProblemEmpty, ProblemNotAlone, ProblemMixedNode, ProblemUnknownType, ProblemNoSource, ProblemBadSource,
	ProblemBadUser, ProblemTooDeep, ProblemTooLarge, ProblemTooLong, ProblemBadNode,
}

// Problem is something in a message that would not arrive as it stands there.
type Problem struct {
	Code  ProblemCode
	Index int     // of the segment; -1 for the whole message
	Seg   Segment // nil for the whole message
}

// Refused reports whether NapCat refuses the whole message because of p, rather
// than dropping the segment.
func (p Problem) Refused() bool { return slices.Contains(refuses, p.Code) }

// String describes p.
func (p Problem) String() string {
	if p.Seg == nil {
		return string(p.Code)
	}
	return fmt.Sprintf("segment %d (%s): %s", p.Index, p.Seg.SegmentType(), p.Code)
}

// Problems is the error of [Message.Validate].
type Problems []Problem

// Error implements error.
func (ps Problems) Error() string {
	var b strings.Builder
	b.WriteString("message")
	for i, p := range ps {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(p.String())
	}
	return b.String()
}

const (
	maxNodeDepth = 3        // contract H.2
	maxFrame     = 50 << 20 // contract E.1
	frameSlack   = 4 << 10  // what a frame holds beside the message
)

// Validate returns nil if NapCat would send m as it stands to a chat of the
// given kind, and [Problems] with everything it would refuse, drop or replace.
// What only NapCat or QQ can know is not looked at: whether a path exists, a
// message is remembered, a face has that id. [Message.Split] cures most of it.
func (m Message) Validate(to ChatKind) error {
	var ps Problems
	add := func(c ProblemCode, i int) { ps = append(ps, Problem{c, i, m[i]}) }
	nodes, alone, sent := 0, -1, 0
	for i, s := range m {
		if c := problemOf(s, to, 1); c != "" {
			add(c, i)
			if !slices.Contains(refuses, c) && c != ProblemOnlyForward && c != ProblemTestText {
				continue
			}
		}
		sent++
		if _, ok := s.(*NodeSegment); ok {
			nodes++
		} else if goesAlone(s) && alone < 0 {
			alone = i
		}
	}
	if nodes > 0 && nodes < sent {
		for i, s := range m {
			if _, ok := s.(*NodeSegment); !ok {
				add(ProblemMixedNode, i)
			}
		}
	} else if alone >= 0 && len(m) > 1 {
		add(ProblemNotAlone, alone)
	}
	if sent == 0 {
		ps = append(ps, Problem{Code: ProblemEmpty, Index: -1})
	} else if size(m) > maxFrame-frameSlack {
		ps = append(ps, Problem{Code: ProblemTooLarge, Index: -1})
	} else if textLen(m) > MaxText {
		ps = append(ps, Problem{Code: ProblemTooLong, Index: -1})
	}
	if ps == nil {
		return nil
	}
	return ps
}

// problemOf returns what is wrong with one segment by itself, "" if nothing is.
func problemOf(s Segment, to ChatKind, depth int) ProblemCode {
	switch s := s.(type) {
	case *AtSegment:
		switch {
		case to == ChatPrivate:
			return ProblemNoMention
		case !s.All() && s.UserID() <= 0:
			return ProblemBadUser
		}
	case *ReplySegment:
		if s.ID == 0 && s.Seq == 0 {
			return ProblemBadID
		}
	case *FaceSegment:
		if n, err := strconv.Atoi(s.ID); err != nil || n < 0 {
			return ProblemBadID
		}
	case *ImageSegment:
		return sourceProblem(s.URL, s.File, s.Path)
	case *RecordSegment:
		return sourceProblem(s.URL, s.File, s.Path)
	case *VideoSegment:
		return sourceProblem(s.URL, s.File, s.Path)
	case *FileSegment:
		return sourceProblem(s.URL, s.File, s.Path)
	case *MusicSegment:
		return musicProblem(s)
	case *ContactSegment:
		if n, err := strconv.ParseInt(s.ID, 10, 64); err != nil || n <= 0 || s.Type != "qq" && s.Type != "group" {
			return ProblemBadUser
		}
	case *NodeSegment:
		return nodeProblem(s, to, depth)
	case *MarkdownSegment:
		if depth == 1 {
			return ProblemOnlyForward
		}
	case *LocationSegment:
		return ProblemTestText
	case *XMLSegment, *PokeSegment, *MiniAppSegment, *OnlineFileSegment, *FlashTransferSegment:
		return ProblemSendsNone
	case *UnknownSegment, nil:
		return ProblemUnknownType
	case *ForwardSegment:
		if s.ID == "" {
			return ProblemBadID
		}
	}
	return ""
}

func nodeProblem(s *NodeSegment, to ChatKind, depth int) ProblemCode {
	if depth > maxNodeDepth {
		return ProblemTooDeep
	}
	if s.ID != 0 {
		return ""
	}
	if len(s.Content) == 0 {
		return ProblemBadNode
	}
	nodes := 0
	for _, in := range s.Content {
		if c := problemOf(in, to, depth+1); slices.Contains(refuses, c) {
			return c
		}
		if _, ok := in.(*NodeSegment); ok {
			nodes++
		}
	}
	if nodes > 0 && nodes < len(s.Content) {
		return ProblemMixedNode
	}
	return ""
}

func musicProblem(s *MusicSegment) ProblemCode {
	platform := slices.Contains([]string{"qq", "163", "kugou", "kuwo", "migu"}, s.Type)
	switch {
	case s.ID != "" && platform:
	case s.ID == "" && (platform || s.Type == "custom") && s.URL != "" && s.Image != "":
	default:
		return ProblemBadMusic
	}
	return ""
}

// sourceProblem looks at the source NapCat would take: the first that is given.
func sourceProblem(sources ...string) ProblemCode {
	for _, src := range sources {
		if src == "" {
			continue
		}
		scheme, rest, ok := strings.Cut(src, ":")
		if !ok || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) {
			return "" // a path, or the id of a received file
		}
		switch strings.ToLower(scheme) {
		case "http", "https":
			if u, err := url.Parse(src); err != nil || u.Host == "" {
				return ProblemBadSource
			}
		case "base64":
			if len(rest) <= len("//") {
				return ProblemBadSource
			}
		case "file":
			if !strings.HasPrefix(rest, "///") {
				return ProblemBadSource
			}
		case "data":
			if !strings.Contains(rest, ";base64,") {
				return ProblemBadSource
			}
		default:
			if strings.HasPrefix(rest, "//") {
				return ProblemBadSource
			}
		}
		return ""
	}
	return ProblemNoSource
}

// size returns about how long the JSON of m is, without making it.
func size(m Message) int {
	n := 0
	for _, s := range m {
		switch s := s.(type) {
		case *ImageSegment:
			n += len(s.File) + len(s.URL)
		case *RecordSegment:
			n += len(s.File) + len(s.URL)
		case *VideoSegment:
			n += len(s.File) + len(s.URL) + len(s.Thumb)
		case *FileSegment:
			n += len(s.File) + len(s.URL)
		case *NodeSegment:
			n += size(s.Content)
		case nil:
		default:
			n += len(s.AppendJSON(nil))
		}
		n += 64
	}
	return n
}

// textLen returns how many characters of text m has by itself, forwards left out.
func textLen(m Message) int {
	n := 0
	for _, s := range m {
		if t, ok := s.(*TextSegment); ok {
			n += utf8.RuneCountInString(t.Text)
		}
	}
	return n
}

// goesAlone reports whether QQ wants s to be the only segment of its message.
func goesAlone(s Segment) bool {
	if s == nil {
		return false
	}
	switch s.SegmentType() { // of whatever Go type: media may come from the SDK
	case "file", "record", "video", "json", "music", "contact", "dice", "rps", "mface", "forward", "markdown", "location":
		return true
	}
	return false
}

// Split returns the messages to send, one after the other, so that all of m
// that can be sent arrives in order: files, voices, videos, cards and the like
// alone, nodes together as one forward, everything else in as few messages as
// possible, and text of at most [MaxText] characters in each. Segments that NapCat
// would drop are left out, and so are mentions in
// private chats. A quotation goes with the first message that can carry it, and
// is left out if none can. The result is empty if nothing can be sent.
func (m Message) Split(to ChatKind) []Message {
	var out []Message
	var cur Message   // mixed segments
	var nodes Message // of one forward
	var quote Segment
	flush := func() {
		if len(nodes) > 0 {
			out = append(out, nodes)
			nodes = nil
		}
		if len(cur) > 0 {
			if quote != nil {
				cur = append(Message{quote}, cur...)
				quote = nil
			}
			out = append(out, cur)
			cur = nil
		}
	}
	for _, s := range m {
		if c := problemOf(s, to, 1); c != "" && c != ProblemOnlyForward && c != ProblemTestText {
			continue
		}
		_, isNode := s.(*NodeSegment)
		if r, ok := s.(*ReplySegment); ok {
			if quote == nil && !quoted(out) {
				quote = r
			}
			continue
		}
		switch {
		case isNode:
			if len(cur) > 0 {
				flush()
			}
			nodes = append(nodes, s)
		case goesAlone(s):
			flush()
			out = append(out, Message{s})
		default:
			if len(nodes) > 0 {
				flush()
			}
			cur = append(cur, s)
		}
	}
	flush()
	return shorten(out)
}

// shorten cuts messages with too much text into several.
func shorten(ms []Message) []Message {
	if !slices.ContainsFunc(ms, func(m Message) bool { return textLen(m) > MaxText }) {
		return ms
	}
	var out []Message
	for _, m := range ms {
		var cur Message
		left := MaxText
		for _, s := range m {
			t, ok := s.(*TextSegment)
			if !ok {
				cur = append(cur, s)
				continue
			}
			if n := utf8.RuneCountInString(t.Text); n <= left {
				cur, left = append(cur, s), left-n
				continue
			}
			if left < MaxText/2 && len(cur) > 0 {
				out, cur = append(out, cur), nil
			}
			parts := SplitText(t.Text, MaxText)
			for i, p := range parts {
				if i > 0 || len(cur) > 0 && textLen(cur)+utf8.RuneCountInString(p) > MaxText {
					out, cur = append(out, cur), nil
				}
				cur = append(cur, Text(p))
				left = MaxText - utf8.RuneCountInString(p)
			}
		}
		if len(cur) > 0 {
			out = append(out, cur)
		}
	}
	return out
}

// NeedsSplit reports whether m must be sent as several messages; see
// [Message.Split].
func (m Message) NeedsSplit() bool {
	return len(m) > 1 && slices.ContainsFunc(m, goesAlone) || textLen(m) > MaxText
}

func quoted(ms []Message) bool {
	return slices.ContainsFunc(ms, func(m Message) bool { return m.ReplyTo() != 0 })
}
