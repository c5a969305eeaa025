package onebot

import (
	"encoding/json"
	"strings"
)

// Message is a message's content: a list of segments.
type Message []Segment

// Segment is one part of a message. The concrete type is always a pointer to
// one of the segment structs of this package, [*UnknownSegment] for what it
// does not know.
type Segment interface {
	// SegmentType returns the segment's type on the wire, such as "text".
	SegmentType() string
}

// TextSegment is plain text.
type TextSegment struct {
	Text string `json:"text"`
}

// SegmentType implements [Segment].
func (*TextSegment) SegmentType() string { return "text" }

// Text returns a segment of plain text.
func Text(s string) Segment { return &TextSegment{Text: s} }

// UnknownSegment is a segment whose type this package does not know. It encodes
// to the bytes it was decoded from.
type UnknownSegment struct {
	Type string
	Raw  json.RawMessage // the whole segment, type and data
}

// SegmentType implements [Segment].
func (s *UnknownSegment) SegmentType() string { return s.Type }

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
