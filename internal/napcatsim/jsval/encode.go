package jsval

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Append appends v as JSON.stringify(v) writes it: no spaces, keys in order,
// nothing escaped that need not be, members that are undefined left out,
// numbers that are not finite as null. A value of another type than this
// package names is a programmer's error and panics.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil, undefined:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return AppendString(dst, v)
	case float64:
		return append(dst, formatJSONNumber(v)...)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int32:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10)
	case json.RawMessage:
		return append(dst, v...)
	case *Object:
		if v == nil {
			return append(dst, "null"...)
		}
		dst = append(dst, '{')
		first := true
		for _, m := range v.Members {
			if IsUndefined(m.Value) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendString(dst, m.Key)
			dst = append(dst, ':')
			dst = Append(dst, m.Value)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, e)
		}
		return append(dst, ']')
	}
	panic(fmt.Sprintf("jsval: cannot encode %T", v))
}

// Stringify returns v as JSON.stringify(v) writes it.
func Stringify(v any) string { return string(Append(nil, v)) }

// Indent returns v as JSON.stringify(v, null, 2) writes it.
func Indent(v any) string {
	var b strings.Builder
	indent(&b, v, "\n")
	return b.String()
}

func indent(b *strings.Builder, v any, nl string) {
	switch v := v.(type) {
	case *Object:
		if v == nil || len(v.Members) == 0 {
			b.Write(Append(nil, v))
			return
		}
		b.WriteByte('{')
		sep := ""
		for _, m := range v.Members {
			if IsUndefined(m.Value) {
				continue
			}
			b.WriteString(sep + nl + "  ")
			b.Write(AppendString(nil, m.Key))
			b.WriteString(": ")
			indent(b, m.Value, nl+"  ")
			sep = ","
		}
		b.WriteString(nl + "}")
	case []any:
		if len(v) == 0 {
			b.WriteString("[]")
			return
		}
		b.WriteByte('[')
		sep := ""
		for _, e := range v {
			b.WriteString(sep + nl + "  ")
			indent(b, e, nl+"  ")
			sep = ","
		}
		b.WriteString(nl + "]")
	default:
		b.Write(Append(nil, v))
	}
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaping only what JSON.stringify
// escapes: quote, backslash and the control characters.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				i++
				start = i
				continue
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func formatJSONNumber(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "null"
	}
	return FormatNumber(f)
}

// FormatNumber returns f as JavaScript's Number.prototype.toString does.
func FormatNumber(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	if a := math.Abs(f); a >= 1e21 || a < 1e-6 {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		// Go writes at least two digits of exponent, JavaScript as few as it can.
		mant, exp, _ := strings.Cut(s, "e")
		return mant + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
