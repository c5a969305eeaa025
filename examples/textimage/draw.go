package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// fonts are where systems keep fonts with Chinese glyphs, the better ones first.
var fonts = []string{
	"usr/share/fonts/*/noto*/NotoSansCJK-Regular.ttc",                    // Debian, Ubuntu, Arch
	"usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc", // Fedora
	"usr/share/fonts/*/wqy/wqy-zenhei.ttc",
	"usr/share/fonts/*/*/DroidSansFallback*.ttf",
	"System/Library/Fonts/Hiragino Sans GB.ttc", // macOS
	"System/Library/Fonts/STHeiti Light.ttc",
	"Windows/Fonts/msyh.ttc", // on the drive of the program
	"Windows/Fonts/simhei.ttf",
}

// findFont returns the first of fonts that files has and that can be read.
func findFont(files fs.FS) (*sfnt.Font, error) {
	var all error
	for _, pattern := range fonts {
		paths, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			f, err := readFont(files, path)
			if err == nil {
				return f, nil
			}
			all = errors.Join(all, fmt.Errorf("%s: %w", path, err))
		}
	}
	if all == nil {
		all = errors.New("no font with Chinese glyphs is installed")
	}
	return nil, all
}

// readFont reads a font, the simplified Chinese one of a collection.
func readFont(files fs.FS, path string) (*sfnt.Font, error) {
	b, err := fs.ReadFile(files, path)
	if err != nil {
		return nil, err
	}
	c, err := opentype.ParseCollection(b)
	if err != nil {
		return nil, err
	}
	for i := range c.NumFonts() {
		f, err := c.Font(i)
		if err != nil {
			return nil, err
		}
		if name, err := f.Name(nil, sfnt.NameIDFamily); err == nil && strings.HasSuffix(name, " SC") {
			return f, nil
		}
	}
	return c.Font(0)
}

// drawText draws text black on white in lines that are at most width pixels wide,
// and returns the picture as a PNG. Each picture has a face of its own: a face is
// not safe for concurrent use.
func drawText(f *sfnt.Font, text string, size float64, width int) ([]byte, error) {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	margin, m := int(size), face.Metrics()
	lines := wrap(face, text, fixed.I(width-2*margin))
	height := (m.Height * fixed.Int26_6(len(lines))).Ceil() + 2*margin
	if height > 8000 {
		return nil, fmt.Errorf("the text has %d lines, more than a picture takes", len(lines))
	}
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	d := font.Drawer{Dst: img, Src: image.Black, Face: face}
	for i, line := range lines {
		d.Dot = fixed.Point26_6{X: fixed.I(margin), Y: fixed.I(margin) + m.Ascent + m.Height*fixed.Int26_6(i)}
		d.DrawString(line)
	}
	var out bytes.Buffer
	err = png.Encode(&out, img)
	return out.Bytes(), err
}

// wrap breaks text into lines of at most width: at the ends of its own lines, at
// spaces, and else between any two characters, as Chinese may be broken.
func wrap(face font.Face, text string, width fixed.Int26_6) []string {
	var out []string
	for line := range strings.Lines(text) {
		rest := []rune(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), "\r\n"))
		for {
			n := fitting(face, rest, width)
			out = append(out, string(rest[:n]))
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
	}
	return out
}

// fitting returns how many characters make the next line.
func fitting(face font.Face, text []rune, width fixed.Int26_6) int {
	used, space := fixed.Int26_6(0), 0
	for i, r := range text {
		advance, _ := face.GlyphAdvance(r)
		if used += advance; used > width && i > 0 {
			if space > 0 && r < 0x2e80 { // inside of a word
				return space
			}
			return i
		}
		if r == ' ' {
			space = i + 1
		} else if r >= 0x2e80 {
			space = i + 1 // after a Chinese character too
		}
	}
	return len(text)
}
