package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a Chinese keyboard types where YAML wants plain punctuation.

var wideColon = regexp.MustCompile(`^[ -]*["'“”]?[A-Za-z0-9_]+["'“”]? *：`)

// wideDash is what stands for the dash of a list.
var wideDash = regexp.MustCompile(`^ *[－—–•·] *[^ \n]`)

// curly are the quotes that a word processor makes of plain ones.
const curly = "“”„‘’＂＇"

// plainOf returns what YAML wants in place of r, "" if r is nothing of ours.
func plainOf(r rune) string {
	switch {
	case r == '“' || r == '”' || r == '„' || r == '＂':
		return `"`
	case r == '‘' || r == '’' || r == '＇':
		return "'"
	case r == '、' || r == '；':
		return ","
	case r == '「' || r == '」' || r == '『' || r == '』':
		return `"`
	case r == '【':
		return "["
	case r == '】':
		return "]"
	case r > utf8.RuneSelf && unicode.IsSpace(r):
		return " "
	case r >= 0xff01 && r <= 0xff5e: // full-width forms of ! to ~
		return string(r - 0xfee0)
	}
	return ""
}

// visible returns r for people, who cannot see a space.
func visible(r rune) string {
	if r == ' ' || plainOf(r) == " " {
		return fmt.Sprintf("U+%04X", r)
	}
	return string(r)
}

// wide returns the arguments of wide_char for r.
func wide(r rune) []any {
	plain, _ := utf8.DecodeRuneInString(plainOf(r))
	return []any{visible(r), visible(plain)}
}

// slips looks in a text for what people most often get wrong, of which the parser
// speaks in its own terms and often a line too early or late. broken says that
// the text is no YAML: then quotes and other punctuation count as well.
func slips(file string, src []byte, broken bool) []Problem {
	var out []Problem
	n := 0
	for line := range strings.Lines(string(src)) {
		n++
		at := Place{File: file, Line: n}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if i := strings.IndexByte(indent, '\t'); broken && i >= 0 && strings.TrimSpace(line) != "" {
			at.Column = i + 1
			out = append(out, Problem{Place: at, Code: "tab"})
			continue
		}
		if r, _ := utf8.DecodeRuneInString(line[len(indent):]); plainOf(r) == " " && strings.TrimSpace(line) != "" {
			at.Column = len(indent) + 1
			out = append(out, Problem{Place: at, Code: "wide_char", Args: wide(r)})
			continue
		}
		if wideDash.MatchString(line) {
			at.Column = len(indent) + 1
			r, _ := utf8.DecodeRuneInString(line[len(indent):])
			out = append(out, Problem{Place: at, Code: "wide_char", Args: []any{string(r), "-"}})
			continue
		}
		if m := wideColon.FindString(line); m != "" {
			at.Column = len([]rune(m))
			out = append(out, Problem{Place: at, Code: "wide_colon"})
			continue
		}
		if !broken {
			continue
		}
		if col, r := strange(line); col > 0 {
			at.Column = col
			out = append(out, Problem{Place: at, Code: "wide_char", Args: wide(r)})
		}
	}
	return out
}

// strange finds the first full-width or curly character of a line outside plain
// quotes and comments, and its column.
func strange(line string) (col int, r rune) {
	var quote rune
	before := ' '
	for _, r := range line {
		col++
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '#' && (before == ' ' || before == '\t'):
			return 0, 0
		case (r == '"' || r == '\'') && strings.ContainsRune(" \t[{,:", before):
			quote = r
		case plainOf(r) != "":
			return col, r
		}
		before = r
	}
	return 0, 0
}

// mistyped reports a value or key that was written with full-width or curly
// punctuation where plain was meant. asText: any text would do here, so that
// only what is unmistakable counts.
func (d *decoder) mistyped(n *yaml.Node, key string, asText bool) bool {
	if n.Style != 0 && n.Style != yaml.TaggedStyle || strings.Contains(n.Value, "\n") {
		return false
	}
	col := 0
	before := rune(0)
	for i, r := range n.Value {
		col++
		p := plainOf(r)
		sure := !asText || strings.ContainsRune(curly+"「『", r) && i == 0 ||
			r == '＃' && before == ' ' ||
			(r == '［' || r == '｛' || r == '【') && i == 0
		if p != "" && sure {
			at := d.place(n)
			if at.Column > 0 {
				at.Column += col - 1
			}
			d.add(at, key, "wide_char", wide(r)...)
			return true
		}
		before = r
	}
	return false
}

// wideComma reports an item of a list that is several, with a Chinese comma
// between them.
func (d *decoder) wideComma(n *yaml.Node, key string) bool {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return false
	}
	runes := []rune(n.Value)
	for i, r := range runes {
		if (r == '，' || r == '、' || r == '；') && i > 0 && i+1 < len(runes) {
			at := d.place(n)
			if at.Column > 0 {
				at.Column += i
			}
			d.add(at, key, "wide_char", string(r), ",")
			return true
		}
	}
	return false
}

// settle puts slips in the place of problems that are but their consequence.
func (d *decoder) settle(src []byte) {
	found := slips(d.file, src, false)
	lines := map[int]bool{}
	for _, p := range found {
		lines[p.Line] = true
	}
	var rest []Problem
	for _, p := range d.problems {
		if p.Source != "" || !lines[p.Line] {
			rest = append(rest, p)
		}
	}
	if len(rest) == len(d.problems) {
		return // what looks like a slip is text
	}
	for i := range found {
		found[i].Text = d.line(found[i].Line)
	}
	d.problems = append(rest, found...)
}
