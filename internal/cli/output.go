package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/ncatd/ncatd/internal/cli/text"
)

// output is where a command speaks: results on stdout, the rest on stderr. It
// escapes every argument that is not [painted]. It is safe for concurrent use.
type output struct {
	mu     sync.Mutex
	outW   io.Writer
	errW   io.Writer
	lang   text.Lang
	outTTY bool
	errTTY bool
	colour bool // of stdout
	colerr bool // of stderr
	line   bool // a passing line stands on the terminal
}

func newOutput(stdout, stderr io.Writer, lang text.Lang, getenv func(string) string) *output {
	plain := getenv("NO_COLOR") != "" || getenv("TERM") == "dumb"
	o := &output{outW: stdout, errW: stderr, lang: lang, outTTY: isTerminal(stdout), errTTY: isTerminal(stderr)}
	o.colour = o.outTTY && !plain
	o.colerr = o.errTTY && !plain
	return o
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// print writes a line of the result.
func (o *output) print(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passed()
	fmt.Fprintf(o.outW, format+"\n", escaped(args)...)
}

// raw writes bytes of the result.
func (o *output) raw(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.outW.Write(b) // nobody could be told
}

// json writes v indented, or on one line for streams.
func (o *output) json(v any, oneLine bool) error {
	var b []byte
	var err error
	if oneLine {
		b, err = marshal(v, "")
	} else {
		b, err = marshal(v, "  ")
	}
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	o.raw(b)
	return nil
}

// marshal encodes v for a reader: no HTML escapes, a final newline.
func marshal(v any, indent string) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeJSON([]byte(b.String())), nil
}

// say writes a line for a person: "ncatd: …".
func (o *output) say(format string, args ...any) {
	o.stderr("ncatd: "+format, args...)
}

// errorf writes an error, in red on a terminal.
func (o *output) errorf(format string, args ...any) {
	if o.colerr {
		o.stderr("\x1b[31mncatd:\x1b[0m "+format, args...)
		return
	}
	o.stderr("ncatd: "+format, args...)
}

// hint writes what may help.
func (o *output) hint(s string) {
	for _, line := range strings.Split(s, "\n") {
		o.stderr("hint: %s", line)
	}
}

// stderr writes a line to stderr.
func (o *output) stderr(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passed()
	fmt.Fprintf(o.errW, format+"\n", escaped(args)...)
}

// passing shows s on a terminal until anything else is written; "" takes it away.
func (o *output) passing(s string) {
	if !o.colerr {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passed()
	if s != "" {
		cols, _ := terminalSize(o.errW)
		fmt.Fprint(o.errW, runewidth.Truncate("ncatd: "+printable(s), cols-1, "…"))
		o.line = true
	}
}

// passed takes the passing line away. The caller holds mu.
func (o *output) passed() {
	if o.line {
		fmt.Fprint(o.errW, "\r\x1b[K")
		o.line = false
	}
}

// paint escapes s and puts it into a colour if stdout takes it.
func (o *output) paint(sgr, s string) painted {
	s = escape(s)
	if !o.colour || sgr == "" {
		return painted(s)
	}
	return painted("\x1b[" + sgr + "m" + s + "\x1b[0m")
}

// table writes rows in columns, wide characters counted as two cells. The first
// row is the head. paint, if not nil, colours a cell after it was padded.
func (o *output) table(rows [][]string, paint func(row, col int, padded string) painted) {
	rows = oneLine(rows)
	width := columnWidths(rows)
	var b strings.Builder
	for ri, r := range rows {
		for i, c := range r {
			if i > 0 {
				b.WriteString("  ")
			}
			if i < len(r)-1 {
				c = runewidth.FillRight(c, width[i])
			}
			if paint != nil {
				c = string(paint(ri, i, c))
			}
			b.WriteString(c)
		}
		b.WriteByte('\n')
	}
	o.raw([]byte(b.String()))
}

// oneLine makes every cell printable.
func oneLine(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		for _, c := range r {
			out[i] = append(out[i], printable(c))
		}
	}
	return out
}

// columnWidths returns the cells that each column of a table needs.
func columnWidths(rows [][]string) []int {
	var width []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], runewidth.StringWidth(c))
		}
	}
	return width
}

// tableWidth is the cells of a table's longest line.
func tableWidth(rows [][]string) int {
	n := 0
	for i, w := range columnWidths(rows) {
		if i > 0 {
			n += 2
		}
		n += w
	}
	return n
}

// columnWidth is the number of cells before column col (in characters, from 1)
// of a line.
func columnWidth(line string, col int) int {
	r := []rune(line)
	return runewidth.StringWidth(string(r[:min(max(col-1, 0), len(r))]))
}
