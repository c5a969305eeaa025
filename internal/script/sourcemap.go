package script

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// sourceMap finds the places of a plugin's source from those of its bundle.
type sourceMap struct {
	files []string
	lines [][]mapping // by line of the bundle
}

// mapping is where a piece of a line of the bundle comes from, all from 0.
type mapping struct{ column, file, line, sourceColumn int }

const vlqDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// parseSourceMap reads version 3 of the format.
func parseSourceMap(b []byte) (*sourceMap, error) {
	var raw struct {
		Sources  []string `json:"sources"`
		Mappings string   `json:"mappings"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("source map: %w", err)
	}
	m := &sourceMap{files: raw.Sources}
	var at mapping
	for line := range strings.SplitSeq(raw.Mappings, ";") {
		at.column = 0
		var row []mapping
		for seg := range strings.SplitSeq(line, ",") {
			n := vlq(seg)
			if len(n) > 0 {
				at.column += n[0]
			}
			if len(n) >= 4 {
				at.file, at.line, at.sourceColumn = at.file+n[1], at.line+n[2], at.sourceColumn+n[3]
				row = append(row, at)
			}
		}
		m.lines = append(m.lines, row)
	}
	return m, nil
}

// vlq decodes the numbers of one segment.
func vlq(s string) []int {
	var out []int
	n, shift := 0, 0
	for i := range len(s) {
		d := strings.IndexByte(vlqDigits, s[i])
		if d < 0 {
			return nil
		}
		n |= (d & 31) << shift
		if shift += 5; d&32 != 0 {
			continue
		}
		v := n >> 1
		if n&1 == 1 {
			v = -v
		}
		out = append(out, v)
		n, shift = 0, 0
	}
	return out
}

// find returns the place in the source of one in the bundle, all from 1.
func (m *sourceMap) find(line, column int) (file string, sourceLine, sourceColumn int, ok bool) {
	if m == nil || line < 1 || line > len(m.lines) {
		return "", 0, 0, false
	}
	row := m.lines[line-1]
	i := sort.Search(len(row), func(i int) bool { return row[i].column > column-1 }) - 1
	if i < 0 || row[i].file >= len(m.files) {
		return "", 0, 0, false
	}
	return strings.TrimPrefix(m.files[row[i].file], "ncat:"), row[i].line + 1, row[i].sourceColumn + 1, true
}

var frame = regexp.MustCompile(`^\s*at (?:(.*?) \()?([^()\s]+?):(\d+)(?::(\d+))?\)?$`)

// stack rewrites a stack: frames of the bundle, whose name is bundle, get their
// places in the source, those of the prelude and the bundler are left out. An async function has
// two frames, of the generator that it was made and of what has its name: they
// become one.
func (m *sourceMap) stack(bundle, stack string) string {
	var out []string
	wrapped := false // the next frame is that of an async function, whose generator was the one before
	for line := range strings.SplitSeq(stack, "\n") {
		f := frame.FindStringSubmatch(line)
		if f == nil || f[2] != bundle {
			wrapped = wrapped || f != nil && f[1] == "runAsync"
			continue
		}
		name := ""
		if f[1] != "" && f[1] != "<anonymous>" && f[1] != "<eval>" {
			name = " in " + f[1]
		}
		if last := len(out) - 1; wrapped && last >= 0 {
			wrapped = false
			if !strings.Contains(out[last], " in ") {
				out[last] += name
			}
			continue
		}
		n, _ := strconv.Atoi(f[3])
		col, _ := strconv.Atoi(f[4])
		file, l, c, ok := m.find(n, max(col, 1))
		if !ok {
			continue // one of the bundler's own functions
		}
		place := fmt.Sprintf("%s:%d:%d", file, l, c)
		if at := "    at " + place + name; !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return strings.Join(out, "\n")
}
