package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/ncatd/ncatd/ncattest"
	"github.com/ncatd/ncatd/onebot"
)

// files are a machine with one font, which has no Chinese glyphs and is in any case there.
var files = fstest.MapFS{"Windows/Fonts/simhei.ttf": {Data: goregular.TTF}}

func TestPicture(t *testing.T) {
	ncattest.Run(t, newBot(files), func(h *ncattest.Harness) {
		var heights []int
		for _, text := range []string{"hello", strings.Repeat("hello ", 40)} {
			h.Group(100).From(1).Says("/图 " + text)
			segs := onebot.All[*onebot.ImageSegment](h.One().Message)
			if len(segs) != 1 {
				t.Fatal("no picture")
			}
			b, ok := h.Content(segs[0])
			if !ok {
				t.Fatal("a picture without content")
			}
			img, err := png.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if ink(img) == 0 || img.Bounds().Dx() != 600 {
				t.Errorf("%q: %d dark points in %v", text, ink(img), img.Bounds())
			}
			heights = append(heights, img.Bounds().Dy())
		}
		if heights[1] < 2*heights[0] {
			t.Errorf("heights %v", heights)
		}
	})
}

// ink counts the dark points of a picture.
func ink(img image.Image) (n int) {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, _, _, _ := img.At(x, y).RGBA(); r < 0x8000 {
				n++
			}
		}
	}
	return n
}

func TestWithoutFont(t *testing.T) {
	for name, fs := range map[string]fstest.MapFS{"none": {}, "broken": {"Windows/Fonts/simhei.ttf": {Data: []byte("no font")}}} {
		t.Run(name, func(t *testing.T) {
			ncattest.Run(t, newBot(fs), func(h *ncattest.Harness) {
				h.Friend(1).Says("/图 春眠不觉晓")
				h.Want("春眠不觉晓")
			})
		})
	}
}

func TestWrap(t *testing.T) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 20, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"one\n\ntwo":             {"one", "", "two"},
		"some words that go on":  {"some words ", "that go on"},
		"somelongwordthatgoeson": {"somelongwo", "rdthatgoeson"},
		"":                       nil,
	} {
		if got := wrap(face, text, fixed.I(118)); !slices.Equal(got, want) {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := wrap(face, "wide", fixed.I(1)); len(got) != 4 {
		t.Errorf("a narrow picture has %q", got)
	}
}

// TestChinese draws with what the system has.
func TestChinese(t *testing.T) {
	f, err := findFont(os.DirFS("/"))
	if err != nil {
		t.Skip(err)
	}
	var all [][]byte
	for _, text := range []string{"永", "水", "\U0010fffd"} { // the last is in no font
		b, err := drawText(f, text, 28, 100)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(all, func(other []byte) bool { return bytes.Equal(b, other) }) {
			t.Errorf("%q looks like another", text)
		}
		all = append(all, b)
	}
}
