package onebot

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// This file is a JSON scanner for the path every event takes. encoding/json
// spends more on one group message than a bare socket does on reading it and
// writing the answer. The scanner validates the whole frame in one pass, and
// all it hands out are slices of that frame. A differential fuzz test holds it
// to encoding/json.

// maxDepth is how deeply values may nest; encoding/json has the same limit.
const maxDepth = 10000

// member is one key of a JSON object with the text of its value.
type member struct{ key, val string }

// parseObject returns the members of the JSON object that is the whole of s, in
// order, appended to buf. It reports false if s is not one valid JSON object.
func parseObject(s string, buf []member) ([]member, bool) {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return buf, false
	}
	buf, i = scanObject(s, i, 0, buf, true)
	if i < 0 || skipSpace(s, i) != len(s) {
		return buf, false
	}
	return buf, true
}

// validJSON reports whether s is one valid JSON value.
func validJSON(s string) bool {
	i := skipValue(s, skipSpace(s, 0), 0)
	return i >= 0 && skipSpace(s, i) == len(s)
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the value that begins at s[i], or -1 if
// there is no valid one.
func skipValue(s string, i, depth int) int {
	if i >= len(s) {
		return -1
	}
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{':
		_, i = scanObject(s, i, depth, nil, false)
		return i
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

func skipWord(s string, i int, w string) int {
	if strings.HasPrefix(s[i:], w) {
		return i + len(w)
	}
	return -1
}

// scanObject validates the object at s[i] == '{' and, if asked, collects its
// members.
func scanObject(s string, i, depth int, buf []member, collect bool) ([]member, int) {
	if depth >= maxDepth {
		return buf, -1
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return buf, i + 1
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return buf, -1
		}
		k := i
		i = skipString(s, i)
		if i < 0 {
			return buf, -1
		}
		kEnd := i
		i = skipSpace(s, i)
		if i >= len(s) || s[i] != ':' {
			return buf, -1
		}
		i = skipSpace(s, i+1)
		v := i
		i = skipValue(s, i, depth+1)
		if i < 0 {
			return buf, -1
		}
		if collect {
			key, ok := simpleString(s[k:kEnd])
			if !ok {
				key = unquote(s[k:kEnd])
			}
			buf = append(buf, member{key, s[v:i]})
		}
		i = skipSpace(s, i)
		if i >= len(s) {
			return buf, -1
		}
		if s[i] == '}' {
			return buf, i + 1
		}
		if s[i] != ',' {
			return buf, -1
		}
		i = skipSpace(s, i+1)
	}
}

func skipArray(s string, i, depth int) int {
	if depth >= maxDepth {
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

// eachElement calls f with the text of every element of the array s, which must
// be valid JSON. It stops when f returns false.
func eachElement(s string, f func(val string) bool) {
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

// special are the bytes that end or interrupt the plain run of a string.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// skipString returns the index after the string that begins at s[i] == '"', or
// -1. Bytes that are not UTF-8 pass, as they do in encoding/json.
func skipString(s string, i int) int {
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

func skipNumber(s string, i int) int {
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

func skipDigits(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

// hex4 returns the value of four hexadecimal digits, or -1.
func hex4(s string) rune {
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
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			return "", false
		}
		if s[i] >= utf8.RuneSelf {
			ascii = false
		}
	}
	return s, ascii || utf8.ValidString(s)
}

// unquote returns what the valid quoted string q says. What cannot be text
// becomes U+FFFD, as in encoding/json.
func unquote(q string) string {
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

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
