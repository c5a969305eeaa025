package logfile

import (
	"bytes"
	"strings"
)

// Plain removes escape sequences and control characters from a line that a
// program printed, and reports whether there was an escape character. Bytes that are no UTF-8 become U+FFFD.
func Plain(raw []byte) (text string, escaped bool) {
	plain := true
	for _, c := range raw {
		if c < 0x20 && c != '\t' || c == 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToValidUTF8(string(raw), "\uFFFD"), false
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == 0x1b:
			escaped = true
			i += escapeLen(raw[i:])
		case c < 0x20 && c != '\t' || c == 0x7f:
			i++
		default:
			out = append(out, c)
			i++
		}
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), escaped
}

// escapeLen returns the length of the escape sequence at the beginning of b.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return len(b)
	}
	switch b[1] {
	case '[': // CSI: parameters, then one byte from @ to ~
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
			if b[i] < 0x20 {
				return i
			}
		}
		return len(b)
	case ']': // OSC: ends with BEL or ESC \
		if i := bytes.IndexAny(b[2:], "\a\x1b"); i >= 0 {
			i += 2
			if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\' {
				return i + 2
			}
			if b[i] == 0x1b {
				return i
			}
			return i + 1
		}
		return len(b)
	}
	return 2
}
