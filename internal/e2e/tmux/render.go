package tmux

import (
	"image"
	"image/color"
	"image/draw"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Theme is a terminal's default colours.
type Theme struct {
	Name   string
	Fg, Bg color.RGBA
}

// The themes that people use: a code must be read on both.
var (
	Dark  = Theme{"dark", color.RGBA{0xcc, 0xcc, 0xcc, 0xff}, color.RGBA{0x1e, 0x1e, 0x1e, 0xff}}
	Light = Theme{"light", color.RGBA{0x33, 0x33, 0x33, 0xff}, color.RGBA{0xfd, 0xf6, 0xe3, 0xff}}
)

// A cell is as wide as half its height, as in most fonts.
const (
	cellW = 8
	cellH = 16
)

// sixteen is a palette of the first colours; in real themes they are anything.
var sixteen = [16]color.RGBA{
	{0x07, 0x36, 0x42, 0xff}, {0xdc, 0x32, 0x2f, 0xff}, {0x85, 0x99, 0, 0xff}, {0xb5, 0x89, 0, 0xff},
	{0x26, 0x8b, 0xd2, 0xff}, {0xd3, 0x36, 0x82, 0xff}, {0x2a, 0xa1, 0x98, 0xff}, {0xee, 0xe8, 0xd5, 0xff},
	{0, 0x2b, 0x36, 0xff}, {0xcb, 0x4b, 0x16, 0xff}, {0x58, 0x6e, 0x75, 0xff}, {0x65, 0x7b, 0x83, 0xff},
	{0x83, 0x94, 0x96, 0xff}, {0x6c, 0x71, 0xc4, 0xff}, {0x93, 0xa1, 0xa1, 0xff}, {0xfd, 0xf6, 0xe3, 0xff},
}

// indexed is xterm's palette of 256.
func indexed(n int) color.RGBA {
	switch {
	case n < 16:
		return sixteen[max(n, 0)]
	case n < 232:
		n -= 16
		level := func(v int) uint8 {
			if v == 0 {
				return 0
			}
			return uint8(55 + 40*v)
		}
		return color.RGBA{level(n / 36), level(n / 6 % 6), level(n % 6), 0xff}
	}
	g := uint8(8 + 10*(min(n, 255)-232))
	return color.RGBA{g, g, g, 0xff}
}

// pen is the state of the SGR sequences.
type pen struct {
	theme   Theme
	fg, bg  color.RGBA
	reverse bool
}

func (p *pen) reset() { p.fg, p.bg, p.reverse = p.theme.Fg, p.theme.Bg, false }

func (p *pen) sgr(params string) {
	f := strings.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ':' })
	if len(f) == 0 {
		p.reset()
	}
	for i := 0; i < len(f); i++ {
		n, _ := strconv.Atoi(f[i])
		at := func(k int) int {
			if i+k >= len(f) {
				return 0
			}
			v, _ := strconv.Atoi(f[i+k])
			return v
		}
		switch {
		case n == 0:
			p.reset()
		case n == 7:
			p.reverse = true
		case n == 27:
			p.reverse = false
		case n >= 30 && n <= 37:
			p.fg = indexed(n - 30)
		case n >= 90 && n <= 97:
			p.fg = indexed(n - 82)
		case n >= 40 && n <= 47:
			p.bg = indexed(n - 40)
		case n >= 100 && n <= 107:
			p.bg = indexed(n - 92)
		case n == 39:
			p.fg = p.theme.Fg
		case n == 49:
			p.bg = p.theme.Bg
		case n == 38 || n == 48:
			c, skip := indexed(at(2)), 2
			if at(1) == 2 {
				c, skip = color.RGBA{uint8(at(2)), uint8(at(3)), uint8(at(4)), 0xff}, 4
			}
			if n == 38 {
				p.fg = c
			} else {
				p.bg = c
			}
			i += skip
		}
	}
}

// Render draws a screen with its SGR sequences as a terminal of the theme
// would. Block characters are drawn exactly, every other one as a hatch of its
// colour, which is all that a reader of QR codes cares about.
func Render(cells string, theme Theme) image.Image {
	lines := strings.Split(strings.TrimRight(cells, "\n"), "\n")
	cols := 1
	for _, l := range lines {
		cols = max(cols, width(l))
	}
	img := image.NewRGBA(image.Rect(0, 0, (cols+4)*cellW, (len(lines)+4)*cellH))
	draw.Draw(img, img.Bounds(), image.NewUniform(theme.Bg), image.Point{}, draw.Src)
	p := pen{theme: theme}
	p.reset()
	for row, l := range lines {
		col := 0
		rest := []rune(l)
		for len(rest) > 0 {
			if params, n, ok := escape(rest); ok {
				p.sgr(params)
				rest = rest[n:]
				continue
			}
			r := rest[0]
			rest = rest[1:]
			w := runewidth.RuneWidth(r)
			for k := range w {
				drawCell(img, (col+k+2)*cellW, (row+2)*cellH, r, p)
			}
			col += w
		}
	}
	return img
}

// escape reads an SGR sequence (or skips another one) at the start of rs.
func escape(rs []rune) (params string, n int, ok bool) {
	if rs[0] != '\x1b' || len(rs) < 2 || rs[1] != '[' {
		return "", 0, false
	}
	for n = 2; n < len(rs); n++ {
		if rs[n] >= 0x40 && rs[n] <= 0x7e {
			if rs[n] == 'm' {
				return string(rs[2:n]), n + 1, true
			}
			return "39", n + 1, true
		}
	}
	return "39", n, true
}

func width(l string) int {
	w := 0
	rest := []rune(l)
	for len(rest) > 0 {
		if _, n, ok := escape(rest); ok {
			rest = rest[n:]
			continue
		}
		w += runewidth.RuneWidth(rest[0])
		rest = rest[1:]
	}
	return w
}

func drawCell(img *image.RGBA, x, y int, r rune, p pen) {
	fg, bg := p.fg, p.bg
	if p.reverse {
		fg, bg = bg, fg
	}
	for dy := range cellH {
		for dx := range cellW {
			ink := false
			switch r {
			case ' ':
			case '█':
				ink = true
			case '▀':
				ink = dy < cellH/2
			case '▄':
				ink = dy >= cellH/2
			case '#':
				// Solid: what ASCII codes are printed with for paper.
				ink = true
			default:
				ink = dx > 0 && dx < cellW-1 && dy > 2 && dy < cellH-3 && (dx+dy)%2 == 0
			}
			c := bg
			if ink {
				c = fg
			}
			img.SetRGBA(x+dx, y+dy, c)
		}
	}
}
