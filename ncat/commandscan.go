package ncat

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ncatd/ncatd/onebot"
)

// scanner walks over the arguments in a message. It is copied to look ahead.
type scanner struct {
	msg onebot.Message
	i   int // segment
	off int // byte within it, if it is text

	loc   *time.Location // of its tokens
	flags bool           // quotes may begin within a word, after the = of a flag
}

// token is one argument: a text or another segment.
type token struct {
	text   string
	seg    onebot.Segment // nil for a text
	quoted bool
	open   bool           // a quote that has no end
	loc    *time.Location // in which a time is meant; nil: time.Local
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
	tok, ok = s.take()
	tok.loc = s.loc
	return tok, ok
}

func (s *scanner) take() (tok token, ok bool) {
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
	first, _ := utf8.DecodeRuneInString(text)
	if closing(first) != 0 {
		value, n, closed := quotation(text)
		s.off += n
		if !closed {
			return token{text: text, open: true}, true
		}
		return token{text: value, quoted: true}, true
	}
	n := strings.IndexFunc(text, unicode.IsSpace)
	if n < 0 {
		n = len(text)
	}
	if eq := strings.IndexByte(text[:n], '=') + 1; s.flags && first == '-' && eq > 0 {
		if r, _ := utf8.DecodeRuneInString(text[eq:]); closing(r) != 0 {
			value, m, closed := quotation(text[eq:])
			s.off += eq + m
			return token{text: text[:eq] + value, open: !closed}, true
		}
	}
	s.off += n
	return token{text: text[:n]}, true
}

// quotation returns what the quotes hold that text begins with, and how long it
// is with them. If it has no end it is all of text, as it stands.
func quotation(text string) (value string, n int, closed bool) {
	first, size := utf8.DecodeRuneInString(text)
	end := closing(first)
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
			return b.String(), size + i + utf8.RuneLen(r), true
		default:
			b.WriteRune(r)
		}
	}
	return text, len(text), false
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
