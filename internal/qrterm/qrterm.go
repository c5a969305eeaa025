// Package qrterm draws QR codes where a person can scan them: on a terminal with
// half blocks or in ASCII, and as a PNG. [New] makes a [Code]; [Code.Fit]
// chooses the form for a window; [Screen] redraws a frame in its place. It knows
// nothing of logins and asks the terminal nothing: sizes come from the caller.
//
// Rules of the drawing. On a terminal every line sets black and white itself, so
// that neither the theme nor the background matters, and no line ends in a
// blank, because whatever copies a screen cuts blanks off and with them the
// quiet zone. Without colours the dark modules are the ink, as on paper. The
// quiet zone is drawn, not left to the window. Nothing is scaled or cut to fit: a
// code that does not fit is reported as such, because half a code is worth
// nothing.
package qrterm

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strings"

	"rsc.io/qr"

	"github.com/ncatd/ncatd/internal/atomicfile"
)

const (
	// quietZone is what the QR standard asks for around a code, in modules.
	quietZone = 4
	// minQuiet is what phones and zbar still read on an even background.
	minQuiet = 1
	// pngScale is how many pixels a side of a module has in a PNG.
	pngScale = 8

	// Colours 16 and 231 of the 256 are black and white in every theme; the
	// first sixteen are not.
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
	whiteOnAny   = "\x1b[38;5;231;49m"
	whiteOnWhite = "\x1b[38;5;231;48;5;231m"
	blackOnBlack = "\x1b[38;5;16;48;5;16m"
	reset        = "\x1b[0m"
)

// Code is one QR code. It is immutable.
type Code struct {
	code *qr.Code
}

// New encodes text with the least redundancy, which keeps the modules few: a
// screen is not a scratched parcel. It fails only for texts over 2,953 bytes.
func New(text string) (*Code, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("encode qr code: %w", err)
	}
	return &Code{c}, nil
}

// Size returns how many modules a side has without the quiet zone, 21 to 177.
func (c *Code) Size() int { return c.code.Size }

// Style is a way to draw a code with characters.
type Style struct {
	ASCII bool // two columns and one row a module; else half blocks
	Plain bool // no escape sequences
	Quiet int  // modules around the code
}

// Cells returns how many columns and rows the code takes in style s.
func (c *Code) Cells(s Style) (cols, rows int) {
	n := c.code.Size + 2*s.Quiet
	if s.ASCII {
		return 2 * n, n
	}
	return n, (n + 1) / 2
}

// Fit returns s with the widest quiet zone up to the standard's four modules
// that cols by rows cells have room for. If there is no room even with one
// module, it returns s with four and false.
func (c *Code) Fit(s Style, cols, rows int) (Style, bool) {
	for s.Quiet = quietZone; s.Quiet >= minQuiet; s.Quiet-- {
		if w, h := c.Cells(s); w <= cols && h <= rows {
			return s, true
		}
	}
	s.Quiet = quietZone
	return s, false
}

// Lines draws the code in style s, one string a row, without line ends.
func (c *Code) Lines(s Style) []string {
	var lines []string
	if s.ASCII {
		for y := -s.Quiet; y < c.code.Size+s.Quiet; y++ {
			lines = append(lines, c.asciiLine(s, y))
		}
		return lines
	}
	for y := -s.Quiet; y < c.code.Size+s.Quiet; y += 2 {
		lines = append(lines, c.blockLine(s, y))
	}
	return lines
}

// blockLine draws rows y and y+1 of the code.
func (c *Code) blockLine(s Style, y int) string {
	// In colour the ink is white: the quiet zone is then made of characters.
	ink := func(x, y int) bool {
		inside := y < c.code.Size+s.Quiet // the last line of an odd number is half a line
		return inside && c.code.Black(x, y) == s.Plain
	}
	var b strings.Builder
	switch {
	case s.Plain:
	case y+1 < c.code.Size+s.Quiet:
		b.WriteString(whiteOnBlack)
	default:
		b.WriteString(whiteOnAny) // its lower half is not ours
	}
	for x := -s.Quiet; x < c.code.Size+s.Quiet; x++ {
		switch top, bottom := ink(x, y), ink(x, y+1); {
		case top && bottom:
			b.WriteRune('█')
		case top:
			b.WriteRune('▀')
		case bottom:
			b.WriteRune('▄')
		default:
			b.WriteByte(' ')
		}
	}
	if !s.Plain {
		b.WriteString(reset)
	}
	return b.String()
}

// asciiLine draws row y of the code. The characters of the dark modules are not
// solid, so in colour the ground under them is black too.
func (c *Code) asciiLine(s Style, y int) string {
	var b strings.Builder
	colour := ""
	set := func(to string) {
		if !s.Plain && colour != to {
			colour = to
			b.WriteString(to)
		}
	}
	end := c.code.Size + s.Quiet - 1
	for x := -s.Quiet; x <= end; x++ {
		switch {
		case c.code.Black(x, y):
			set(blackOnBlack)
			b.WriteString("##")
		case x == end && !s.Plain:
			set(whiteOnWhite)
			b.WriteString(" .") // unseen
		default:
			set(whiteOnWhite)
			b.WriteString("  ")
		}
	}
	if !s.Plain {
		b.WriteString(reset)
	}
	return b.String()
}

// PNG returns the code as a black and white PNG with the full quiet zone, eight
// pixels a module.
func (c *Code) PNG() ([]byte, error) {
	n := (c.code.Size + 2*quietZone) * pngScale
	img := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.White, color.Black})
	for y := range n {
		for x := range n {
			if c.code.Black(x/pngScale-quietZone, y/pngScale-quietZone) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encode png: %w", err)
	}
	return b.Bytes(), nil
}

// WritePNG writes the PNG to path, replacing what is there in one step, so that
// a viewer that reloads never sees half a picture. Only the user may read it:
// whoever scans the code decides which account logs in.
func (c *Code) WritePNG(path string) error {
	b, err := c.PNG()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, b, 0o600)
}

// Screen redraws a frame of lines in its place at the bottom of a terminal's
// output. The lines must be narrower than the window and fewer than its rows
// plus one; everything else that is written to the terminal goes through
// [Screen.Print]. It is not safe for concurrent use.
type Screen struct {
	w     io.Writer
	lines []string
}

// NewScreen returns a screen that writes to w.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Draw replaces the frame. The cursor stays at the end of its last line.
func (s *Screen) Draw(lines []string) error {
	if slices.Equal(s.lines, lines) {
		return nil
	}
	var b strings.Builder
	s.home(&b)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		// Lines that did not change are passed over: a code that is being
		// scanned must not flicker.
		if i >= len(s.lines) || s.lines[i] != l || i == len(lines)-1 {
			b.WriteString(l)
			b.WriteString("\x1b[K")
		}
	}
	if more := len(s.lines) - len(lines); more > 0 {
		if len(lines) == 0 {
			b.WriteString("\x1b[K")
			more--
		}
		erase(&b, more)
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\r%s", lines[len(lines)-1])
		}
	}
	s.lines = slices.Clone(lines)
	_, err := io.WriteString(s.w, b.String())
	return err
}

// erase empties n lines below the cursor and comes back to its line. Line by
// line: the sequence that empties the rest of a screen makes some terminals keep
// what stood there in their scroll-back.
func erase(b *strings.Builder, n int) {
	for range n {
		b.WriteString("\r\n\x1b[K")
	}
	if n > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r", n)
	}
}

// Print writes a line above the frame, where it stays.
func (s *Screen) Print(line string) error {
	var b strings.Builder
	s.home(&b)
	b.WriteString(line)
	b.WriteString("\x1b[K\r\n")
	frame := s.lines
	s.lines = nil
	if _, err := io.WriteString(s.w, b.String()); err != nil {
		return err
	}
	return s.Draw(frame)
}

// Clear removes the frame, so that what follows is written in its place.
func (s *Screen) Clear() error { return s.Draw(nil) }

// Resized says that the window now has that many rows: the terminal may have
// wrapped or moved the frame, so the window is emptied before the next Draw.
func (s *Screen) Resized(rows int) error {
	s.lines = nil
	var b strings.Builder
	b.WriteString("\x1b[H\x1b[K")
	erase(&b, rows-1)
	_, err := io.WriteString(s.w, b.String())
	return err
}

// home moves the cursor to the first cell of the frame.
func (s *Screen) home(b *strings.Builder) {
	if len(s.lines) > 1 {
		fmt.Fprintf(b, "\x1b[%dA", len(s.lines)-1)
	}
	if len(s.lines) > 0 {
		b.WriteByte('\r')
	}
}
