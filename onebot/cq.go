package onebot

import (
	"strings"

	"github.com/ncatd/ncatd/internal/jsonscan"
)

var (
	cqText     = strings.NewReplacer("&", "&amp;", "[", "&#91;", "]", "&#93;")
	cqValue    = strings.NewReplacer("&", "&amp;", "[", "&#91;", "]", "&#93;", ",", "&#44;")
	cqUnescape = strings.NewReplacer("&amp;", "&", "&#91;", "[", "&#93;", "]", "&#44;", ",")
)

// EscapeCQ returns s with the characters that CQ codes are made of escaped, so
// that it stands for itself in a text with CQ codes.
func EscapeCQ(s string) string { return cqText.Replace(s) }

// UnescapeCQ undoes [EscapeCQ], and the escape of the comma that values have.
func UnescapeCQ(s string) string { return cqUnescape.Replace(s) }

// ParseCQ returns the message that a text with CQ codes describes (contract
// H.3). It takes every text: what is no well-formed code is text, and so is all
// that comes after [MaxSegments].
func ParseCQ(s string) Message {
	var m Message
	text := 0 // start of the text not yet taken
	for i := 0; i < len(s) && len(m) < MaxSegments-2; {
		n := strings.Index(s[i:], "[CQ:")
		if n < 0 {
			break
		}
		i += n
		seg, end := parseCode(s, i)
		if end < 0 {
			i += len("[CQ:")
			continue
		}
		if text < i {
			m = append(m, &TextSegment{Text: UnescapeCQ(s[text:i])})
		}
		m = append(m, seg)
		i, text = end, end
	}
	if text < len(s) {
		m = append(m, &TextSegment{Text: UnescapeCQ(s[text:])})
	}
	return m
}

// parseCode returns the segment in the code at s[i:] and the index after it, or
// -1 if there is none.
func parseCode(s string, i int) (Segment, int) {
	j := i + len("[CQ:")
	start := j
	for j < len(s) && isWord(s[j]) {
		j++
	}
	typ := s[start:j]
	if typ == "" || j == len(s) || s[j] != ',' && s[j] != ']' {
		return nil, -1
	}
	end := strings.IndexAny(s[j:], "[]")
	if end < 0 || s[j+end] != ']' {
		return nil, -1
	}
	end += j
	dst := []byte(`{"type":`)
	dst = appendString(dst, typ)
	dst = append(dst, `,"data":{`...)
	if body := s[j:end]; body != "" {
		for k, pair := range strings.Split(body[1:], ",") {
			key, val, ok := strings.Cut(pair, "=")
			if pair == "" && k > 0 && k == strings.Count(body, ",")-1 {
				break // a comma before the bracket
			}
			if !ok || !allWord(key) {
				return nil, -1
			}
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, key)
			dst = append(dst, ':')
			dst = appendString(dst, UnescapeCQ(val))
		}
	}
	dst = append(dst, "}}"...)
	return decodeSegment(string(dst), 1), end + 1
}

// isWord reports whether c may be in the type and the keys of a code: what
// OneBot 11 allows, which is more than NapCat knows.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func allWord(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) {
			return false
		}
	}
	return s != ""
}

// CQ returns m as a text with CQ codes (contract H.3). Values that are empty
// are left out and objects are written as JSON, as NapCat does.
func (m Message) CQ() string {
	var b strings.Builder
	for _, s := range m {
		if t, ok := s.(*TextSegment); ok {
			b.WriteString(cqText.Replace(t.Text))
			continue
		}
		if s != nil {
			writeCode(&b, s)
		}
	}
	return b.String()
}

// String returns m as a text with CQ codes.
func (m Message) String() string { return m.CQ() }

func writeCode(b *strings.Builder, s Segment) {
	_, data, _ := segmentParts(string(s.AppendJSON(nil)))
	b.WriteString("[CQ:")
	b.WriteString(s.SegmentType())
	ms, _ := jsonscan.Members(data, nil)
	for _, f := range ms {
		val := fastText(f.Val)
		if val == "" || f.Val == "[]" {
			continue
		}
		b.WriteByte(',')
		b.WriteString(f.Key)
		b.WriteByte('=')
		b.WriteString(cqValue.Replace(val))
	}
	b.WriteByte(']')
}
