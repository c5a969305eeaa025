package jsval

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting that Parse follows, so that hostile input cannot
// exhaust the stack.
const maxDepth = 5000

// SyntaxError is text that is not JSON5.
type SyntaxError struct {
	Offset int // bytes before the offending place
	What   string
}

// Error implements error. The text resembles what the JSON5 library says.
func (e *SyntaxError) Error() string { return fmt.Sprintf("JSON5: %s at %d", e.What, e.Offset) }

// Parse reads one JSON5 value. Object keys that are array indexes come first in
// rising order, as JavaScript keeps them; a repeated key keeps its first place
// and its last value.
func Parse(s string) (v any, err error) {
	p := parser{s: s}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*SyntaxError)
			if !ok {
				panic(r)
			}
			v, err = nil, e
		}
	}()
	p.space()
	v = p.value(0)
	p.space()
	if p.i < len(p.s) {
		p.fail("invalid character")
	}
	return v, nil
}

type parser struct {
	s string
	i int
}

func (p *parser) fail(what string) {
	if p.i >= len(p.s) {
		what = "invalid end of input"
	}
	panic(&SyntaxError{Offset: p.i, What: what})
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) space() {
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f':
			p.i++
		case c == '/':
			p.comment()
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(p.s[p.i:])
			if r != 0xFEFF && r != 0x2028 && r != 0x2029 && !unicode.Is(unicode.Zs, r) {
				return
			}
			p.i += n
		default:
			return
		}
	}
}

func (p *parser) comment() {
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, "//"):
		if n := strings.IndexAny(rest, "\n\r\u2028\u2029"); n >= 0 {
			p.i += n
		} else {
			p.i = len(p.s)
		}
	case strings.HasPrefix(rest, "/*"):
		n := strings.Index(rest[2:], "*/")
		if n < 0 {
			p.i = len(p.s)
			p.fail("")
		}
		p.i += n + 4
	default:
		p.fail("invalid character '/'")
	}
}

func (p *parser) value(depth int) any {
	if depth > maxDepth {
		p.fail("nested too deep")
	}
	switch c := p.peek(); c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"', '\'':
		return p.text()
	case 'n':
		p.word("null")
		return nil
	case 't':
		p.word("true")
		return true
	case 'f':
		p.word("false")
		return false
	default:
		return p.number()
	}
}

func (p *parser) word(w string) {
	if !strings.HasPrefix(p.s[p.i:], w) {
		p.fail("invalid character")
	}
	p.i += len(w)
}

func (p *parser) array(depth int) any {
	p.i++
	a := []any{}
	for {
		p.space()
		if p.peek() == ']' {
			p.i++
			return a
		}
		a = append(a, p.value(depth+1))
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case ']':
		default:
			p.fail("invalid character")
		}
	}
}

func (p *parser) object(depth int) any {
	p.i++
	o := &Object{}
	var at map[string]int // only for large objects
	for {
		p.space()
		if p.peek() == '}' {
			p.i++
			orderIndexes(o)
			return o
		}
		key := p.key()
		p.space()
		if p.peek() != ':' {
			p.fail("invalid character")
		}
		p.i++
		p.space()
		v := p.value(depth + 1)
		switch {
		case len(o.Members) < 16:
			o.Set(key, v)
		case at == nil:
			at = make(map[string]int)
			for i, m := range o.Members {
				at[m.Key] = i
			}
			fallthrough
		default:
			if i, ok := at[key]; ok {
				o.Members[i].Value = v
			} else {
				at[key] = len(o.Members)
				o.Members = append(o.Members, Member{Key: key, Value: v})
			}
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
		case '}':
		default:
			p.fail("invalid character")
		}
	}
}

// orderIndexes puts the keys that are array indexes first, as JavaScript does.
func orderIndexes(o *Object) {
	index := func(k string) (uint64, bool) {
		if k == "" || len(k) > 10 || k[0] < '0' || k[0] > '9' || (k[0] == '0' && len(k) > 1) {
			return 0, false
		}
		n, err := strconv.ParseUint(k, 10, 32)
		return n, err == nil && n < math.MaxUint32
	}
	if !slices.ContainsFunc(o.Members, func(m Member) bool { _, ok := index(m.Key); return ok }) {
		return
	}
	sort.SliceStable(o.Members, func(i, j int) bool {
		x, xi := index(o.Members[i].Key)
		y, yi := index(o.Members[j].Key)
		return xi && (!yi || x < y)
	})
}

func (p *parser) key() string {
	if c := p.peek(); c == '"' || c == '\'' {
		return p.text()
	}
	var b strings.Builder
	for first := true; ; first = false {
		r, n := utf8.DecodeRuneInString(p.s[p.i:])
		if r == '\\' {
			if p.i+1 >= len(p.s) || p.s[p.i+1] != 'u' {
				p.fail("invalid character")
			}
			p.i += 2
			r, n = rune(p.hex(4)), 0
			if !identifier(r, first) {
				p.fail("invalid identifier character")
			}
		} else if n == 0 || !identifier(r, first) {
			if first {
				p.fail("invalid character")
			}
			return b.String()
		}
		b.WriteRune(r)
		p.i += n
	}
}

func identifier(r rune, first bool) bool {
	if r == '$' || r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) {
		return true
	}
	return !first && (unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Pc) || r == 0x200C || r == 0x200D)
}

func (p *parser) hex(n int) uint32 {
	if p.i+n > len(p.s) {
		p.i = len(p.s)
		p.fail("")
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+n], 16, 32)
	if err != nil || strings.ContainsAny(p.s[p.i:p.i+n], "+-_") {
		p.fail("invalid character")
	}
	p.i += n
	return uint32(v)
}

func (p *parser) text() string {
	quote := p.s[p.i]
	p.i++
	// The common case, a string without an escape, is a piece of the input.
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case quote:
			p.i++
			return valid(p.s[start : p.i-1])
		case '\n', '\r':
			p.fail("invalid character")
		case '\\':
			return p.escaped(start, quote)
		}
		p.i++
	}
	p.fail("")
	return ""
}

// valid replaces every byte that is no UTF-8.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func (p *parser) escaped(start int, quote byte) string {
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch c {
		case quote:
			p.i++
			return valid(b.String())
		case '\n', '\r':
			p.fail("invalid character")
		case '\\':
			p.i++
			p.escape(&b)
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	p.fail("")
	return ""
}

func (p *parser) escape(b *strings.Builder) {
	if p.i >= len(p.s) {
		p.fail("")
	}
	r, n := utf8.DecodeRuneInString(p.s[p.i:])
	p.i += n
	switch r {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'v':
		b.WriteByte('\v')
	case '0':
		if c := p.peek(); c >= '0' && c <= '9' {
			p.fail("invalid character")
		}
		b.WriteByte(0)
	case 'x':
		b.WriteRune(rune(p.hex(2)))
	case 'u':
		p.unicode(b)
	case '\r':
		if p.peek() == '\n' {
			p.i++
		}
	case '\n', 0x2028, 0x2029:
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		p.fail("invalid character")
	default:
		b.WriteRune(r)
	}
}

// unicode reads the four digits after \u, joining a pair of surrogates. A lone one
// cannot be held in a Go string and becomes U+FFFD.
func (p *parser) unicode(b *strings.Builder) {
	u := p.hex(4)
	if u < 0xD800 || u > 0xDFFF {
		b.WriteRune(rune(u))
		return
	}
	if u < 0xDC00 && strings.HasPrefix(p.s[p.i:], `\u`) {
		save := p.i
		p.i += 2
		if lo := p.hex(4); lo >= 0xDC00 && lo <= 0xDFFF {
			b.WriteRune(rune((u-0xD800)<<10 + (lo - 0xDC00) + 0x10000))
			return
		}
		p.i = save
	}
	b.WriteRune(utf8.RuneError)
}

func (p *parser) number() any {
	sign := 1.0
	if c := p.peek(); c == '+' || c == '-' {
		if c == '-' {
			sign = -1
		}
		p.i++
	}
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, "Infinity"):
		p.i += len("Infinity")
		return math.Inf(int(sign))
	case strings.HasPrefix(rest, "NaN"):
		p.i += len("NaN")
		return math.NaN()
	case strings.HasPrefix(rest, "0x") || strings.HasPrefix(rest, "0X"):
		p.i += 2
		start, v := p.i, 0.0
		for ; p.i < len(p.s); p.i++ {
			d, err := strconv.ParseUint(p.s[p.i:p.i+1], 16, 8)
			if err != nil {
				break
			}
			v = v*16 + float64(d)
		}
		if p.i == start {
			p.fail("invalid character")
		}
		return sign * v
	}
	start := p.i
	digits := func() int {
		n := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i - n
	}
	whole := digits()
	if whole > 1 && p.s[start] == '0' {
		p.i = start + 1
		p.fail("invalid character")
	}
	if p.peek() == '.' {
		p.i++
		if digits() == 0 && whole == 0 {
			p.fail("invalid character")
		}
	} else if whole == 0 {
		p.fail("invalid character")
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if digits() == 0 {
			p.fail("invalid character")
		}
	}
	f, _ := strconv.ParseFloat(p.s[start:p.i], 64) // out of range gives infinity, as in JavaScript
	return sign * f
}
