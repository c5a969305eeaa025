// Package jsonscan reads JSON without copying it, for the way that every OneBot
// frame takes: encoding/json spends more on one group message than a bare socket
// does on reading it and writing the answer. It validates a whole text in one
// pass, and all it hands out are slices of that text. The central functions are
// [Members] and [Fields], the top level of an object, and [Elements], that of an
// array. It decodes nothing into Go values but strings. A differential fuzz test
// holds it to encoding/json.
//
// Every function takes time and stack in proportion to the text.
package jsonscan

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deeply values may nest; encoding/json has the same limit.
const MaxDepth = 10000

// Text is what can be scanned.
type Text interface{ string | []byte }

// Member is one key of a JSON object with the text of its value.
type Member struct{ Key, Val string }

// Members returns the members of the JSON object that is the whole of s, in
// order, appended to buf. It reports false if s is not one valid JSON object.
func Members(s string, buf []Member) ([]Member, bool) {
	o, ok := open(s)
	for ok && !o.done {
		var k, v string
		if k, v, ok = o.next(); !ok {
			break
		}
		key := k[1 : len(k)-1]
		if !o.plain {
			key = Unquote(k)
		}
		buf = append(buf, Member{key, v})
	}
	return buf, ok && skipSpace(s, o.i) == len(s)
}

// Fields calls f for the members of the JSON object that is the whole of s, in
// order, with the key as it is written between its quotes and the text of the
// value. It reports false if s is not one valid JSON object; f may have been
// called by then.
func Fields[T Text](s T, f func(key, val T)) bool {
	o, ok := open(s)
	for ok && !o.done {
		var k, v T
		if k, v, ok = o.next(); !ok {
			break
		}
		f(k[1:len(k)-1], v)
	}
	return ok && skipSpace(s, o.i) == len(s)
}

// Valid reports whether s is one valid JSON value.
func Valid[T Text](s T) bool {
	i := skipValue(s, skipSpace(s, 0), 0)
	return i >= 0 && skipSpace(s, i) == len(s)
}

// Prefix returns how long the valid JSON value is with which s begins, -1 if it
// begins with none.
func Prefix[T Text](s T) int { return skipValue(s, 0, 0) }

// Elements calls f with the text of every element of the array s, which must be
// valid JSON. It stops when f returns false.
func Elements[T Text](s T, f func(val T) bool) {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return
	}
	i = skipSpace(s, i+1)
	for i < len(s) && s[i] != ']' {
		end := skipValue(s, i, 0)
		if end < 0 || !f(s[i:end]) {
			return
		}
		i = skipSpace(s, end)
		if i < len(s) && s[i] == ',' {
			i = skipSpace(s, i+1)
		}
	}
}

func skipSpace[T Text](s T, i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the value that begins at s[i], or -1 if
// there is no valid one.
func skipValue[T Text](s T, i, depth int) int {
	if i >= len(s) {
		return -1
	}
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{':
		o := object[T]{s: s, i: i, depth: depth}
		for ok := o.begin(); ok && !o.done; {
			if _, _, ok = o.next(); !ok {
				return -1
			}
		}
		if !o.done {
			return -1
		}
		return o.i
	case '[':
		return skipArray(s, i, depth)
	case 't':
		return skipWord(s, i, "true")
	case 'f':
		return skipWord(s, i, "false")
	case 'n':
		return skipWord(s, i, "null")
	}
	return skipNumber(s, i)
}

func skipWord[T Text](s T, i int, w string) int {
	if end := i + len(w); end <= len(s) && string(s[i:end]) == w {
		return end
	}
	return -1
}

// object walks over the members of one object.
type object[T Text] struct {
	s     T
	i     int // of what comes next
	depth int
	done  bool // i is behind its end
	plain bool // the key that next returned says what it looks like
}

// open begins the object with which s begins.
func open[T Text](s T) (object[T], bool) {
	o := object[T]{s: s, i: skipSpace(s, 0)}
	return o, o.i < len(s) && s[o.i] == '{' && o.begin()
}

func (o *object[T]) begin() bool {
	if o.depth >= MaxDepth {
		return false
	}
	o.i = skipSpace(o.s, o.i+1)
	if o.i < len(o.s) && o.s[o.i] == '}' {
		o.i, o.done = o.i+1, true
	}
	return true
}

// next returns the next key, in its quotes, and its value.
func (o *object[T]) next() (key, val T, ok bool) {
	s, k := o.s, o.i
	if k >= len(s) || s[k] != '"' {
		return key, val, false
	}
	kEnd := plainEnd(s, k+1) + 1
	if o.plain = kEnd > 0; !o.plain {
		if kEnd = skipString(s, k); kEnd < 0 {
			return key, val, false
		}
	}
	v := skipSpace(s, kEnd)
	if v >= len(s) || s[v] != ':' {
		return key, val, false
	}
	v = skipSpace(s, v+1)
	end := skipValue(s, v, o.depth+1)
	if end < 0 {
		return key, val, false
	}
	i := skipSpace(s, end)
	switch {
	case i >= len(s):
		return key, val, false
	case s[i] == '}':
		o.i, o.done = i+1, true
	case s[i] == ',':
		o.i = skipSpace(s, i+1)
	default:
		return key, val, false
	}
	return s[k:kEnd], s[v:end], true
}

func skipArray[T Text](s T, i, depth int) int {
	if depth >= MaxDepth {
		return -1
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		i = skipValue(s, i, depth+1)
		if i < 0 {
			return -1
		}
		i = skipSpace(s, i)
		if i >= len(s) {
			return -1
		}
		if s[i] == ']' {
			return i + 1
		}
		if s[i] != ',' {
			return -1
		}
		i = skipSpace(s, i+1)
	}
}

// plainEnd returns the index of the quote that ends a string of which s[i:] is the
// rest, or -1 if there is anything before it that is not printable ASCII.
func plainEnd[T Text](s T, i int) int {
	for i < len(s) && !odd[s[i]] {
		i++
	}
	if i < len(s) && s[i] == '"' {
		return i
	}
	return -1
}

// special are the bytes that end or interrupt the plain run of a string.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// odd are the bytes that a string cannot have that says what it looks like.
var odd = func() (t [256]bool) {
	t = special
	for c := utf8.RuneSelf; c < len(t); c++ {
		t[c] = true
	}
	return t
}()

// skipString returns the index after the string that begins at s[i] == '"', or
// -1. Bytes that are not UTF-8 pass, as they do in encoding/json.
func skipString[T Text](s T, i int) int {
	for i++; i < len(s); i++ {
		c := s[i]
		if !special[c] {
			continue
		}
		switch c {
		default: // a control character
			return -1
		case '"':
			return i + 1
		case '\\':
			i++
			if i >= len(s) {
				return -1
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(s) || hex4(s[i+1:i+5]) < 0 {
					return -1
				}
				i += 4
			default:
				return -1
			}
		}
	}
	return -1
}

func skipNumber[T Text](s T, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i >= len(s):
		return -1
	case s[i] == '0':
		i++
	case s[i] >= '1' && s[i] <= '9':
		i = skipDigits(s, i)
	default:
		return -1
	}
	if i < len(s) && s[i] == '.' {
		end := skipDigits(s, i+1)
		if end == i+1 {
			return -1
		}
		i = end
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		end := skipDigits(s, i)
		if end == i {
			return -1
		}
		i = end
	}
	return i
}

func skipDigits[T Text](s T, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

// hex4 returns the value of four hexadecimal digits, or -1.
func hex4[T Text](s T) rune {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// simpleString returns what the quoted string q says if that is a slice of q:
// no escapes, and nothing but UTF-8.
func simpleString(q string) (string, bool) {
	s := q[1 : len(q)-1]
	if plainEnd(q, 1) == len(s)+1 {
		return s, true
	}
	if strings.IndexByte(s, '\\') >= 0 {
		return "", false
	}
	return s, utf8.ValidString(s)
}

// Unquote returns what the valid quoted string q says. What cannot be text
// becomes U+FFFD, as in encoding/json.
func Unquote(q string) string {
	if s, ok := simpleString(q); ok {
		return s
	}
	s := q[1 : len(q)-1]
	b := make([]byte, 0, len(s)+2*utf8.UTFMax)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\':
			i++
			switch s[i] {
			case 'b':
				b = append(b, '\b')
			case 'f':
				b = append(b, '\f')
			case 'n':
				b = append(b, '\n')
			case 'r':
				b = append(b, '\r')
			case 't':
				b = append(b, '\t')
			case 'u':
				r := hex4(s[i+1:])
				i += 4
				if utf16.IsSurrogate(r) {
					low := rune(-1)
					if i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
						low = hex4(s[i+3:])
					}
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
						i += 6
					} else {
						r = utf8.RuneError
					}
				}
				b = utf8.AppendRune(b, r)
			default:
				b = append(b, s[i])
			}
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return string(b)
}
