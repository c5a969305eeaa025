package onebot

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

// Message is a message's content: a list of segments. It decodes from a list of
// segments, a single one or a text with CQ codes, and encodes as a list.
type Message []Segment

// Text returns the plain text of m: all its text segments joined.
func (m Message) Text() string {
	if len(m) == 1 {
		if t, ok := m[0].(*TextSegment); ok {
			return t.Text
		}
		return ""
	}
	var b strings.Builder
	for _, s := range m {
		if t, ok := s.(*TextSegment); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// Mentions reports whether m mentions the user by name. Mentions of everybody
// do not count, see [Message.MentionsAll].
func (m Message) Mentions(id UserID) bool {
	for _, s := range m {
		if a, ok := s.(*AtSegment); ok && a.UserID() == id && id != 0 {
			return true
		}
	}
	return false
}

// MentionsAll reports whether m mentions everybody.
func (m Message) MentionsAll() bool {
	return slices.ContainsFunc(m, func(s Segment) bool {
		a, ok := s.(*AtSegment)
		return ok && a.All()
	})
}

// Mentioned returns the users m mentions by name, in order.
func (m Message) Mentioned() []UserID {
	var ids []UserID
	for _, s := range m {
		if a, ok := s.(*AtSegment); ok && a.UserID() != 0 {
			ids = append(ids, a.UserID())
		}
	}
	return ids
}

// ReplyTo returns the message that m quotes, 0 if none.
func (m Message) ReplyTo() MessageID {
	if r, ok := First[*ReplySegment](m); ok {
		return r.ID
	}
	return 0
}

// Only returns the segments of m whose type is one of types.
func (m Message) Only(types ...string) Message {
	return slices.DeleteFunc(slices.Clone(m), func(s Segment) bool {
		return !slices.Contains(types, s.SegmentType())
	})
}

// Without returns the segments of m whose type is none of types.
func (m Message) Without(types ...string) Message {
	return slices.DeleteFunc(slices.Clone(m), func(s Segment) bool {
		return slices.Contains(types, s.SegmentType())
	})
}

// Plus returns m followed by segs. It never changes m; neighbouring texts are
// kept apart.
func (m Message) Plus(segs ...Segment) Message {
	return slices.Concat(m, Message(segs))
}

// Trim returns m without leading and trailing white space in its first and last
// text, dropping texts that become empty.
func (m Message) Trim() Message {
	m = slices.Clone(m)
	for len(m) > 0 {
		t, ok := m[0].(*TextSegment)
		if !ok {
			break
		}
		if s := strings.TrimLeftFunc(t.Text, unicode.IsSpace); s != "" {
			m[0] = &TextSegment{Text: s}
			break
		}
		m = m[1:]
	}
	for len(m) > 0 {
		t, ok := m[len(m)-1].(*TextSegment)
		if !ok {
			break
		}
		if s := strings.TrimRightFunc(t.Text, unicode.IsSpace); s != "" {
			m[len(m)-1] = &TextSegment{Text: s}
			break
		}
		m = m[:len(m)-1]
	}
	return m
}

// First returns the first segment of type S, a pointer to a segment struct.
func First[S Segment](m Message) (S, bool) {
	for _, s := range m {
		if t, ok := s.(S); ok {
			return t, true
		}
	}
	var none S
	return none, false
}

// All returns every segment of type S, a pointer to a segment struct.
func All[S Segment](m Message) []S {
	var out []S
	for _, s := range m {
		if t, ok := s.(S); ok {
			out = append(out, t)
		}
	}
	return out
}

// AppendJSON appends m as a JSON list.
func (m Message) AppendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, s := range m {
		if i > 0 {
			dst = append(dst, ',')
		}
		if s == nil {
			s = &UnknownSegment{}
		}
		dst = s.AppendJSON(dst)
	}
	return append(dst, ']')
}

// MarshalJSON implements [encoding/json.Marshaler].
func (m Message) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }

// UnmarshalJSON takes a list of segments, a single one, or a text with CQ codes.
func (m *Message) UnmarshalJSON(b []byte) error {
	s := string(b)
	if !jsonscan.Valid(s) {
		return syntaxError(b)
	}
	*m = decodeMessage(strings.TrimSpace(s), 1)
	return nil
}

// MaxSegments is how many segments a message has at most: QQ's own stay far
// below. What a longer list or text holds beyond them is left to the Raw of what
// the message stands in.
const MaxSegments = 2000

// decodeMessage returns the message whose JSON is s, which must be valid. The
// result shares memory with s. depth is how many messages it lies in, itself
// included; one that lies too deep is a single UnknownSegment.
func decodeMessage(s string, depth int) Message {
	if depth > maxNesting && s[0] != 'n' {
		return Message{&UnknownSegment{Raw: json.RawMessage(s)}}
	}
	switch s[0] {
	case '[':
		m := make(Message, 0, 1)
		jsonscan.Elements(s, func(val string) bool {
			m = append(m, decodeSegment(val, depth))
			return len(m) < MaxSegments
		})
		return m
	case '"':
		return ParseCQ(jsonscan.Unquote(s))
	case 'n':
		return nil
	}
	return Message{decodeSegment(s, depth)}
}

var _ json.Unmarshaler = (*Message)(nil)
