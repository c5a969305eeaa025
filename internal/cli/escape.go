package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// painted is a text with escape sequences of our own, which [output] prints as
// it is. All other text is escaped: it may come from a chat, a nickname, QQ's
// output, a package or a file name.
type painted string

// escape makes every character of s that a terminal would obey instead of show
// visible, but for line ends and tabs: C0 and C1 controls, DEL, what turns the
// direction of writing, and bytes that are no UTF-8.
func escape(s string) string {
	if !strings.ContainsFunc(s, hostile) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hostile(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hostile reports whether a terminal obeys r, or r makes other text read
// differently than it is.
func hostile(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // bidi
		return true
	case r == 0x2028, r == 0x2029: // line ends of their own
		return true
	}
	return unicode.IsControl(r)
}

// printable is escape for a text that must stay on one line.
func printable(s string) string {
	return escape(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(s))
}

// escaped returns args with all texts escaped that are not painted.
func escaped(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch x := a.(type) {
		case painted:
			out[i] = string(x)
		case string:
			out[i] = escape(x)
		case error:
			out[i] = escape(x.Error())
		case fmt.Stringer:
			out[i] = escape(x.String())
		case bool, int, int64, uint64, float64, rune:
			out[i] = a
		default:
			out[i] = escape(fmt.Sprint(a))
		}
	}
	return out
}

// escapeJSON writes the characters of escape as JSON escapes; encoding/json
// itself escapes C0 only. What is hostile can stand in strings only.
func escapeJSON(b []byte) []byte {
	if !strings.ContainsFunc(string(b), hostile) {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for _, r := range string(b) {
		if hostile(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// escapingWriter escapes what commands print that do not print through output.
type escapingWriter struct{ w io.Writer }

// Write implements io.Writer. p holds whole characters.
func (e escapingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
