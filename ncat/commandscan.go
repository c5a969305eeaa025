package ncat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// scanner walks over the arguments in a message. It is copied to look ahead.
type scanner struct {
	msg onebot.Message
	i   int // segment
	off int // byte within it, if it is text
}

// token is one argument: a text or another segment.
type token struct {
	text   string
	seg    onebot.Segment // nil for a text
	quoted bool
	open   bool // a quote that has no end
}

// closing returns the quote that ends the one r begins, 0 if r is none.
func closing(r rune) rune {
	switch r {
	case '"', '\'':
		return r
	case '“':
		return '”'
	case '‘':
		return '’'
	case '「':
		return '」'
	}
	return 0
}

// skip moves over white space; ok is false at the end.
func (s *scanner) skip() (ok bool) {
	for s.i < len(s.msg) {
		t, isText := s.msg[s.i].(*onebot.TextSegment)
		if !isText {
			return true
		}
		rest := strings.TrimLeftFunc(t.Text[s.off:], unicode.IsSpace)
		s.off = len(t.Text) - len(rest)
		if rest != "" {
			return true
		}
		s.i, s.off = s.i+1, 0
	}
	return false
}

// next returns the next argument; ok is false at the end.
func (s *scanner) next() (tok token, ok bool) {
	if !s.skip() {
		return token{}, false
	}
	t, isText := s.msg[s.i].(*onebot.TextSegment)
	if !isText {
		tok.seg = s.msg[s.i]
		s.i++
		return tok, true
	}
	text := t.Text[s.off:]
	first, size := utf8.DecodeRuneInString(text)
	end := closing(first)
	if end == 0 {
		n := strings.IndexFunc(text, unicode.IsSpace)
		if n < 0 {
			n = len(text)
		}
		s.off += n
		return token{text: text[:n]}, true
	}
	var b strings.Builder
	escapes := first == '"' || first == '\''
	escaped := false
	for i, r := range text[size:] {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case escapes && r == '\\':
			escaped = true
		case r == end:
			s.off += size + i + utf8.RuneLen(r)
			return token{text: b.String(), quoted: true}, true
		default:
			b.WriteRune(r)
		}
	}
	s.off = len(t.Text)
	return token{text: text, open: true}, true
}

// rest returns all that is left as it stands, without surrounding white space.
func (s *scanner) rest() onebot.Message {
	if !s.skip() {
		return nil
	}
	out := make(onebot.Message, 0, len(s.msg)-s.i)
	if t, ok := s.msg[s.i].(*onebot.TextSegment); ok && s.off > 0 {
		out = append(out, &onebot.TextSegment{Text: t.Text[s.off:]})
	} else {
		out = append(out, s.msg[s.i])
	}
	out = append(out, s.msg[s.i+1:]...)
	s.i, s.off = len(s.msg), 0
	return out.Trim()
}
