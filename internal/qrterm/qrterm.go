// Package qrterm draws QR codes where a person can scan them: on a terminal with
// half blocks or in ASCII, and as a PNG. [New] makes a [Code]; [Code.Fit]
// chooses the form for a window; [Screen] redraws a frame in its place. It knows
// nothing of logins and asks the terminal nothing: sizes come from the caller.
//
// Rules of the drawing. The ink is the dark modules, so that the bare characters
// are a code on white paper; on a terminal every line sets black ink on a white
// ground itself, so that neither the theme nor the background matters. The quiet
// zone around the code is drawn, not left to the window. Nothing is scaled or
// cut to fit: a code that does not fit is reported as such, because half a code
// is worth nothing.
package qrterm

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rsc.io/qr"
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
	inkOnPaper = "\x1b[38;5;16;48;5;231m"
	reset      = "\x1b[0m"
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
	n := c.code.Size
	dark := func(x, y int) bool { return c.code.Black(x, y) } // false outside the code
	var lines []string
	step := 2
	if s.ASCII {
		step = 1
	}
	for y := -s.Quiet; y < n+s.Quiet; y += step {
		var b strings.Builder
		if !s.Plain {
			b.WriteString(inkOnPaper)
		}
		for x := -s.Quiet; x < n+s.Quiet; x++ {
			switch {
			case s.ASCII && dark(x, y):
				b.WriteString("##")
			case s.ASCII:
				b.WriteString("  ")
			case dark(x, y) && dark(x, y+1):
				b.WriteRune('█')
			case dark(x, y):
				b.WriteRune('▀')
			case dark(x, y+1):
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		if !s.Plain {
			b.WriteString(reset)
		}
		lines = append(lines, b.String())
	}
	if s.ASCII && !s.Plain {
		// The ink characters are not solid, so the ground under them is dark too.
		for i, l := range lines {
			lines[i] = solid(l)
		}
	}
	return lines
}

// solid gives each run of ## in a coloured ASCII line a black ground.
func solid(line string) string {
	const dark = "\x1b[38;5;16;48;5;16m"
	body := strings.TrimSuffix(strings.TrimPrefix(line, inkOnPaper), reset)
	var b strings.Builder
	last := byte(0)
	for i := 0; i < len(body); i++ {
		if body[i] != last {
			last = body[i]
			if last == '#' {
				b.WriteString(dark)
			} else {
				b.WriteString(inkOnPaper)
			}
		}
		b.WriteByte(last)
	}
	b.WriteString(reset)
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
func (c *Code) WritePNG(path string) (err error) {
	b, err := c.PNG()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".qr-*.png") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
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
	var b strings.Builder
	if same(s.lines, lines) {
		return nil
	}
	s.home(&b)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		// Lines that did not change are passed over: a code that is being
		// scanned must not flicker.
		if i >= len(s.lines) || s.lines[i] != l {
			b.WriteString(l)
			b.WriteString("\x1b[K")
		} else if i == len(lines)-1 {
			b.WriteString(l)
		}
	}
	if len(lines) < len(s.lines) {
		b.WriteString("\x1b[J")
	}
	s.lines = append(s.lines[:0:0], lines...)
	_, err := io.WriteString(s.w, b.String())
	return err
}

// Print writes a line above the frame, where it stays.
func (s *Screen) Print(line string) error {
	var b strings.Builder
	s.home(&b)
	b.WriteString(line)
	b.WriteString("\x1b[K\r\n")
	frame := s.lines
	s.lines = nil
	if len(frame) > 0 {
		b.WriteString("\x1b[J")
	}
	if _, err := io.WriteString(s.w, b.String()); err != nil {
		return err
	}
	return s.Draw(frame)
}

// Clear removes the frame, so that what follows is written in its place.
func (s *Screen) Clear() error {
	if len(s.lines) == 0 {
		return nil
	}
	var b strings.Builder
	s.home(&b)
	b.WriteString("\x1b[J")
	s.lines = nil
	_, err := io.WriteString(s.w, b.String())
	return err
}

// Resized says that the window has another size: the terminal may have wrapped
// or moved the frame, so the whole window is cleared before the next Draw.
func (s *Screen) Resized() error {
	s.lines = nil
	_, err := io.WriteString(s.w, "\x1b[H\x1b[2J")
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

func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
