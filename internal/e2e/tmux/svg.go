package tmux

import (
	"fmt"
	"html"
	"image/color"
	"strings"

	"github.com/mattn/go-runewidth"
)

const svgW, svgH = 9, 18 // of a cell

// SVG draws a screen with its SGR sequences for a document: blocks as areas, so
// that codes stay codes, the rest as text.
func SVG(cells string, theme Theme) string {
	lines := strings.Split(strings.TrimRight(cells, "\n"), "\n")
	cols := 1
	var areas, texts strings.Builder
	p := pen{theme: theme}
	p.reset()
	for row, l := range lines {
		cols = max(cols, width(l))
		p.row(l, (row+1)*svgH, &areas, &texts)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace" font-size="14" shape-rendering="crispEdges">
<rect width="100%%" height="100%%" rx="6" fill="%s"/>
%s%s</svg>
`, (cols+2)*svgW, (len(lines)+2)*svgH, hex(theme.Bg), areas.String(), texts.String())
}

// row draws a line of a screen whose upper edge is at y.
func (p *pen) row(line string, y int, areas, texts *strings.Builder) {
	// Equal halves of neighbouring cells become one area.
	var top, bottom run
	flush := func(r *run, y int) {
		if r.n > 0 && r.c != p.theme.Bg {
			fmt.Fprintf(areas, `<path fill="%s" d="M%d %dh%dv%dh-%dz"/>`+"\n", hex(r.c), r.x, y, r.n*svgW, svgH/2, r.n*svgW)
		}
		r.n = 0
	}
	put := func(r *run, x, y int, c color.RGBA) {
		if r.n > 0 && (r.c != c || r.x+r.n*svgW != x) {
			flush(r, y)
		}
		if r.n == 0 {
			r.x, r.c = x, c
		}
		r.n++
	}
	var t word
	col := 1
	rest := []rune(line)
	for len(rest) > 0 {
		if params, n, ok := escape(rest); ok {
			p.sgr(params)
			rest = rest[n:]
			continue
		}
		r := rest[0]
		rest = rest[1:]
		x, cw := col*svgW, runewidth.RuneWidth(r)
		up, down := p.bg, p.bg
		switch r {
		case '█':
			up, down = p.fg, p.fg
		case '▀':
			up = p.fg
		case '▄':
			down = p.fg
		case ' ':
		default:
			if p.fg != p.bg {
				if t.n > 0 && (t.c != p.fg || t.wide != cw || t.x+t.n*svgW != x) {
					t.flush(texts, y)
				}
				t.add(x, cw, p.fg, r)
			}
		}
		for range cw {
			put(&top, x, y, up)
			put(&bottom, x, y+svgH/2, down)
			x += svgW
		}
		col += cw
	}
	flush(&top, y)
	flush(&bottom, y+svgH/2)
	t.flush(texts, y)
}

// word is a row of characters of one colour and width without blanks, which
// textLength keeps in their cells whatever the viewer's font is.
type word struct {
	run
	wide int
	text []rune
}

func (w *word) add(x, wide int, c color.RGBA, r rune) {
	if w.n == 0 {
		w.x, w.c, w.wide = x, c, wide
	}
	w.n += wide
	w.text = append(w.text, r)
}

func (w *word) flush(texts *strings.Builder, y int) {
	if w.n > 0 {
		fmt.Fprintf(texts, `<text x="%d" y="%d" textLength="%d" fill="%s">%s</text>`+"\n", w.x, y+svgH-5, w.n*svgW, hex(w.c), html.EscapeString(string(w.text)))
	}
	*w = word{}
}

// run is a row of half cells of one colour.
type run struct {
	x, n int
	c    color.RGBA
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
