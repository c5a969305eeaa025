package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// indentStep is how far a new level is indented.
const indentStep = 2

// editor changes a YAML text at the places that its nodes name. It gives up
// with ErrEdit where it is not sure; the caller checks what came out.
type editor struct {
	src    []byte
	starts []int // offset of each line
}

func newEditor(src []byte) *editor {
	e := &editor{src: src, starts: []int{0}}
	for i, b := range src {
		if b == '\n' {
			e.starts = append(e.starts, i+1)
		}
	}
	return e
}

// editBytes replaces or inserts the value at path and touches nothing else.
func editBytes(src []byte, path []string, text string) ([]byte, error) {
	e := newEditor(src)
	root, p := parse("", src)
	if p != nil {
		return nil, ErrEdit
	}
	if root == nil {
		return e.top(path, text), nil
	}
	n := root
	var key *yaml.Node // of n
	for i, part := range path {
		switch n.Kind {
		case yaml.SequenceNode:
			k, err := strconv.Atoi(part)
			if err != nil || k >= len(n.Content) {
				return nil, ErrEdit
			}
			key, n = nil, n.Content[k]
			continue
		case yaml.MappingNode:
			var child, childKey *yaml.Node
			for j := 0; j+1 < len(n.Content); j += 2 {
				if n.Content[j].Value == part {
					childKey, child = n.Content[j], n.Content[j+1]
				}
			}
			if child == nil && part == "accounts" && len(path) > 2 {
				return e.top(path, text), nil
			}
			if child == nil {
				return e.insert(n, path[i:], text)
			}
			key, n = childKey, child
		default:
			if key != nil && isNull(n) {
				return e.fill(key, path[i:], text)
			}
			return nil, ErrEdit
		}
	}
	if key == nil {
		return nil, ErrEdit
	}
	return e.replace(key, n, text)
}

// offset is where a line and column (in characters, from 1) are in the text.
func (e *editor) offset(line, col int) int {
	if line < 1 || line > len(e.starts) {
		return len(e.src)
	}
	off := e.starts[line-1]
	if line == 1 {
		off += len(bom(e.src))
	}
	for i := 1; i < col && off < len(e.src); i++ {
		_, n := utf8.DecodeRune(e.src[off:])
		off += n
	}
	return off
}

func bom(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\ufeff")) {
		return b[:3]
	}
	return nil
}

// lineEnd is the offset of the newline (or the end) after off.
func (e *editor) lineEnd(off int) int {
	if i := bytes.IndexByte(e.src[off:], '\n'); i >= 0 {
		return off + i
	}
	return len(e.src)
}

func (e *editor) lineOf(off int) int {
	n := 0
	for n < len(e.starts) && e.starts[n] <= off {
		n++
	}
	return n
}

// splice returns the text with [from,to) replaced.
func (e *editor) splice(from, to int, s string) []byte {
	out := make([]byte, 0, len(e.src)+len(s))
	out = append(out, e.src[:from]...)
	out = append(out, s...)
	return append(out, e.src[to:]...)
}

func (e *editor) newline() string {
	if bytes.Contains(e.src, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// replace puts text in place of the value of key.
func (e *editor) replace(key, val *yaml.Node, text string) ([]byte, error) {
	start := e.offset(val.Line, val.Column)
	flow := val.Style&yaml.FlowStyle != 0
	switch {
	case val.Anchor != "" || val.Style&yaml.TaggedStyle != 0:
		return nil, ErrEdit
	case isNull(val) && val.Value == "":
		after, err := e.afterColon(key)
		if err != nil {
			return nil, err
		}
		return e.splice(after, after, " "+text), nil
	case val.Kind == yaml.ScalarNode && val.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0, flow:
		end, err := e.valueEnd(val, start)
		if err != nil {
			return nil, err
		}
		return e.splice(start, end, text), nil
	}
	// A block: it begins below the key (or at its line, for | and >) and ends
	// with its last line. What stands behind the colon is kept if a comment.
	after, err := e.afterColon(key)
	if err != nil {
		return nil, err
	}
	end := e.lineEnd(e.starts[e.lastLine(key.Column-1, key.Line, val)-1])
	comment := ""
	if rest := strings.TrimSpace(string(e.src[after:e.lineEnd(after)])); strings.HasPrefix(rest, "#") {
		comment = " " + rest
	}
	if end > 0 && end <= len(e.src) && e.src[end-1] == '\r' {
		end--
	}
	return e.splice(after, end, " "+text+comment), nil
}

// afterColon is the offset behind the colon of a key.
func (e *editor) afterColon(key *yaml.Node) (int, error) {
	off := e.offset(key.Line, key.Column)
	end, err := e.valueEnd(key, off)
	if err != nil {
		return 0, err
	}
	for end < len(e.src) && e.src[end] == ' ' {
		end++
	}
	if end >= len(e.src) || e.src[end] != ':' {
		return 0, ErrEdit
	}
	return end + 1, nil
}

// valueEnd is the offset behind a scalar or a flow collection that begins at
// off, which must end on the line it began on if it is a plain scalar.
func (e *editor) valueEnd(n *yaml.Node, off int) (int, error) {
	if off >= len(e.src) {
		return 0, ErrEdit
	}
	switch c := e.src[off]; {
	case c == '"' || c == '\'':
		return e.quoteEnd(off)
	case c == '[' || c == '{':
		depth := 0
		for i := off; i < len(e.src); i++ {
			switch e.src[i] {
			case '[', '{':
				depth++
			case ']', '}':
				if depth--; depth == 0 {
					return i + 1, nil
				}
			case '"', '\'':
				if prev := e.src[i-1]; prev == ' ' || prev == ',' || prev == '[' || prev == '{' || prev == ':' || prev == '\n' {
					end, err := e.quoteEnd(i)
					if err != nil {
						return 0, err
					}
					i = end - 1
				}
			case '#':
				if prev := e.src[i-1]; prev == ' ' || prev == '\t' || prev == '\n' {
					i = e.lineEnd(i)
				}
			}
		}
		return 0, ErrEdit
	case n.Kind != yaml.ScalarNode:
		return 0, ErrEdit
	}
	// A plain scalar on one line is what its value says, letter by letter.
	end := off + len(n.Value)
	if end > len(e.src) || string(e.src[off:end]) != n.Value {
		return 0, ErrEdit
	}
	return end, nil
}

// quoteEnd is the offset behind the quoted scalar at off.
func (e *editor) quoteEnd(off int) (int, error) {
	q := e.src[off]
	for i := off + 1; i < len(e.src); i++ {
		switch {
		case e.src[i] == '\\' && q == '"':
			i++
		case e.src[i] == q && q == '\'' && i+1 < len(e.src) && e.src[i+1] == q:
			i++
		case e.src[i] == q:
			return i + 1, nil
		}
	}
	return 0, ErrEdit
}

// lastLine is the last line of a value that begins at line (its key's or its own).
// Lines indented deeper than indent belong to a text without quotes.
func (e *editor) lastLine(indent, line int, val *yaml.Node) int {
	switch {
	case val.Kind == yaml.ScalarNode && val.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return e.lastDeeper(indent, line, false)
	case val.Kind == yaml.ScalarNode || val.Style&yaml.FlowStyle != 0:
		if isNull(val) && val.Value == "" {
			return line
		}
		end, err := e.valueEnd(val, e.offset(val.Line, val.Column))
		if err != nil { // a text over several lines
			return e.lastDeeper(indent, val.Line, true)
		}
		return e.lineOf(end - 1)
	}
	last := val.Line
	for i, c := range val.Content {
		switch {
		case val.Kind == yaml.SequenceNode:
			last = max(last, e.lastLine(val.Column-1, c.Line, c))
		case i%2 == 1:
			k := val.Content[i-1]
			last = max(last, e.lastLine(k.Column-1, k.Line, c))
		}
	}
	return last
}

// lastDeeper is the last line behind line that is indented deeper than indent, less
// blank lines at the end. A plain text ends before a comment; a block has none.
func (e *editor) lastDeeper(indent, line int, plain bool) int {
	last := line
	for l := line + 1; l <= len(e.starts); l++ {
		text := e.line(l)
		if strings.TrimSpace(text) == "" {
			continue
		}
		if indentOf(text) <= indent || plain && strings.HasPrefix(strings.TrimSpace(text), "#") {
			break
		}
		last = l
	}
	return last
}

// line returns a line of the text, from 1, without its newline.
func (e *editor) line(n int) string {
	return string(e.src[e.starts[n-1]:e.lineEnd(e.starts[n-1])])
}

func indentOf(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// insert adds a new key (with new levels under it) to a mapping.
func (e *editor) insert(m *yaml.Node, path []string, text string) ([]byte, error) {
	if m.Style&yaml.FlowStyle != 0 || len(m.Content) == 0 {
		return e.insertFlow(m, path, text)
	}
	lastKey, lastVal := m.Content[len(m.Content)-2], m.Content[len(m.Content)-1]
	end := e.lineEnd(e.starts[e.lastLine(lastKey.Column-1, lastKey.Line, lastVal)-1])
	indent := m.Content[0].Column - 1
	nl := e.newline()
	s := e.block(indent, path, text)
	if end == len(e.src) {
		if end > 0 && e.src[end-1] == '\n' {
			return e.splice(end, end, s), nil
		}
		return e.splice(end, end, nl+strings.TrimSuffix(s, nl)), nil
	}
	return e.splice(end+1, end+1, s), nil
}

// insertFlow adds a new key behind the last one of a mapping in braces, before
// the comma and the comment that may follow there.
func (e *editor) insertFlow(m *yaml.Node, path []string, text string) ([]byte, error) {
	s := path[len(path)-1] + ": " + text
	for i := len(path) - 2; i >= 0; i-- {
		s = path[i] + ": {" + s + "}"
	}
	if len(m.Content) == 0 {
		at := e.offset(m.Line, m.Column) + 1
		return e.splice(at, at, s), nil
	}
	key, val := m.Content[len(m.Content)-2], m.Content[len(m.Content)-1]
	if isNull(val) && val.Value == "" {
		at, err := e.afterColon(key)
		return e.splice(at, at, " , "+s), err // a comma right behind a colon is part of a text
	}
	at, err := e.valueEnd(val, e.offset(val.Line, val.Column))
	return e.splice(at, at, ", "+s), err
}

// fill puts new levels under a key that has no value yet.
func (e *editor) fill(key *yaml.Node, path []string, text string) ([]byte, error) {
	end := e.lineEnd(e.offset(key.Line, key.Column))
	s := e.block(key.Column-1+indentStep, path, text)
	if end == len(e.src) {
		return e.splice(end, end, e.newline()+s), nil
	}
	return e.splice(end+1, end+1, s), nil
}

// block writes path and value as nested block mappings.
func (e *editor) block(indent int, path []string, text string) string {
	var b strings.Builder
	nl := e.newline()
	for i, p := range path {
		b.WriteString(strings.Repeat(" ", indent+i*indentStep) + p + ":")
		if i == len(path)-1 {
			b.WriteString(" " + text)
		}
		b.WriteString(nl)
	}
	return b.String()
}

// top adds a key at the end of a file. The only account there is by default
// becomes an item of a list.
func (e *editor) top(path []string, text string) []byte {
	nl := e.newline()
	s := ""
	if len(e.src) > 0 && e.src[len(e.src)-1] != '\n' {
		s = nl
	}
	if path[0] == "accounts" && len(path) > 2 {
		s += "accounts:" + nl + "  - name: main" + nl
		s += e.block(4, path[2:], text)
	} else {
		s += e.block(0, path, text)
	}
	return append(bytes.Clone(e.src), s...)
}
