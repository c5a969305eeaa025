package tmux

import (
	"fmt"
	"html"
	"image/color"
	"strings"

	"github.com/mattn/go-runewidth"
)

// SVG draws a screen with its SGR sequences for a document: blocks as areas, so
// that codes stay codes, the rest as text.
func SVG(cells string, theme Theme) string {
	const w, h = 9, 18
	lines := strings.Split(strings.TrimRight(cells, "\n"), "\n")
	cols := 1
	for _, l := range lines {
		cols = max(cols, width(l))
	}
	var areas, texts strings.Builder
	area := func(x, y, dx, dy int, c color.RGBA) {
		if c != theme.Bg {
			fmt.Fprintf(&areas, `<path fill="%s" d="M%d %dh%dv%dh-%dz"/>`+"\n", hex(c), x, y, dx, dy, dx)
		}
	}
	p := pen{theme: theme}
	p.reset()
	for row, l := range lines {
		y := (row + 1) * h
		// Equal halves of neighbouring cells become one area.
		var top, bottom run
		flush := func(r *run, y int) {
			if r.n > 0 {
				area(r.x, y, r.n*w, h/2, r.c)
			}
			r.n = 0
		}
		put := func(r *run, x, y int, c color.RGBA) {
			if r.n > 0 && (r.c != c || r.x+r.n*w != x) {
				flush(r, y)
			}
			if r.n == 0 {
				r.x, r.c = x, c
			}
			r.n++
		}
		col := 1
		rest := []rune(l)
		for len(rest) > 0 {
			if params, n, ok := escape(rest); ok {
				p.sgr(params)
				rest = rest[n:]
				continue
			}
			r := rest[0]
			rest = rest[1:]
			x, cw := col*w, runewidth.RuneWidth(r)
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
					fmt.Fprintf(&texts, `<text x="%d" y="%d" textLength="%d" fill="%s">%s</text>`+"\n", x, y+h-5, cw*w, hex(p.fg), html.EscapeString(string(r)))
				}
			}
			for range cw {
				put(&top, x, y, up)
				put(&bottom, x, y+h/2, down)
				x += w
			}
			col += cw
		}
		flush(&top, y)
		flush(&bottom, y+h/2)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace" font-size="14" shape-rendering="crispEdges">
<rect width="100%%" height="100%%" rx="6" fill="%s"/>
%s%s</svg>
`, (cols+2)*w, (len(lines)+2)*h, hex(theme.Bg), areas.String(), texts.String())
}

// run is a row of half cells of one colour.
type run struct {
	x, n int
	c    color.RGBA
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
