package qrterm

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// realistic is as long as the codes that QQ issues.
const realistic = "https://txz.qq.com/p?k=D8*Y2cwjIjxe2CRxMZnyzGFmXkvNa6jX&f=1600001604"

// TestCharacters reads the modules back from the characters of every style.
func TestCharacters(t *testing.T) {
	for _, text := range []string{"1", realistic, strings.Repeat("long ", 60)} {
		c, err := New(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Style{{Plain: true, Quiet: 4}, {Plain: true, Quiet: 1}, {Plain: true, ASCII: true, Quiet: 4}} {
			lines := c.Lines(s)
			cols, rows := c.Cells(s)
			if len(lines) != rows {
				t.Fatalf("%+v: %d lines, Cells says %d", s, len(lines), rows)
			}
			n := c.Size()
			for y := -s.Quiet; y < n+s.Quiet; y++ {
				for x := -s.Quiet; x < n+s.Quiet; x++ {
					var got bool
					if s.ASCII {
						row := []rune(lines[y+s.Quiet])
						if len(row) != cols {
							t.Fatalf("%+v: row of %d columns, Cells says %d", s, len(row), cols)
						}
						got = row[2*(x+s.Quiet)] == '#'
					} else {
						row := []rune(lines[(y+s.Quiet)/2])
						if len(row) != cols {
							t.Fatalf("%+v: row of %d columns, Cells says %d", s, len(row), cols)
						}
						r := row[x+s.Quiet]
						got = r == '█' || r == '▀' && (y+s.Quiet)%2 == 0 || r == '▄' && (y+s.Quiet)%2 == 1
					}
					if got != c.code.Black(x, y) {
						t.Fatalf("%+v: module %d,%d is %v", s, x, y, got)
					}
				}
			}
		}
	}
}

// TestColouredLines reads the modules back from the colours of every cell, and
// holds that each line sets its colours itself and does not end in a blank.
func TestColouredLines(t *testing.T) {
	c, err := New(realistic)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Style{{Quiet: 4}, {Quiet: 1}, {ASCII: true, Quiet: 4}, {ASCII: true, Quiet: 2}} {
		for row, l := range c.Lines(s) {
			body, ok := strings.CutSuffix(l, reset)
			if !ok || !strings.HasPrefix(l, "\x1b[") || strings.HasSuffix(body, " ") {
				t.Fatalf("line %d of %+v: %q", row, s, l)
			}
			x, black := -s.Quiet*2, [2]bool{} // ink, ground
			for len(body) > 0 {
				if seq, rest, ok := strings.Cut(body, "m"); ok && body[0] == '\x1b' {
					black = map[string][2]bool{whiteOnBlack: {false, true}, whiteOnWhite: {}, whiteOnAny: {}, blackOnBlack: {true, true}}[seq+"m"]
					body = rest
					continue
				}
				r, n := utf8.DecodeRuneInString(body)
				body = body[n:]
				if s.ASCII {
					if black[0] != black[1] || (r == '#') != black[0] || black[0] != c.code.Black(x>>1, row-s.Quiet) {
						t.Fatalf("%+v: line %d column %d is %q %v", s, row, x, r, black)
					}
					x++
					continue
				}
				for half, inked := range []bool{r == '█' || r == '▀', r == '█' || r == '▄'} {
					is := black[1]
					if inked {
						is = black[0]
					}
					y := 2*row + half - s.Quiet
					if y < c.Size()+s.Quiet && is != c.code.Black(x>>1, y) {
						t.Fatalf("%+v: module %d,%d is %v", s, x>>1, y, is)
					}
				}
				x += 2
			}
			if x != 2*(c.Size()+s.Quiet) {
				t.Fatalf("%+v: line %d ends at %d", s, row, x)
			}
		}
	}
}

func TestFit(t *testing.T) {
	c, err := New(realistic) // 33 modules
	if err != nil {
		t.Fatal(err)
	}
	if c.Size() != 33 {
		t.Fatalf("size %d", c.Size())
	}
	for _, tt := range []struct {
		ascii      bool
		cols, rows int
		quiet      int
		ok         bool
	}{
		{false, 80, 22, 4, true},
		{false, 80, 21, 4, true},
		{false, 80, 20, 3, true},
		{false, 80, 19, 2, true},
		{false, 80, 18, 1, true},
		{false, 80, 17, 4, false},
		{false, 35, 18, 1, true},
		{false, 34, 99, 4, false},
		{true, 80, 50, 3, true},
		{true, 82, 41, 4, true},
		{true, 80, 24, 4, false},
	} {
		s, ok := c.Fit(Style{ASCII: tt.ascii}, tt.cols, tt.rows)
		if s.Quiet != tt.quiet || ok != tt.ok {
			t.Errorf("Fit(ascii %v, %d, %d) = quiet %d, %v, want %d, %v", tt.ascii, tt.cols, tt.rows, s.Quiet, ok, tt.quiet, tt.ok)
		}
	}
}

func TestWritePNG(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "qr.png")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := New(realistic)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WritePNG(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for y := range (33 + 8) * 8 {
		for x := range (33 + 8) * 8 {
			r, _, _, _ := img.At(x, y).RGBA()
			if (r == 0) != c.code.Black(x/8-4, y/8-4) {
				t.Fatalf("pixel %d,%d", x, y)
			}
		}
	}
	if st, _ := os.Stat(path); runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if err := c.WritePNG(filepath.Join(dir, "none", "qr.png")); err == nil {
		t.Error("wrote into a directory that does not exist")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".qr-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTooLong(t *testing.T) {
	if _, err := New(strings.Repeat("x", 3000)); err == nil {
		t.Error("encoded 3000 bytes")
	}
}

// terminal is a small screen that knows the sequences that Screen uses.
type terminal struct {
	cells [][]rune
	x, y  int
}

func (t *terminal) Write(p []byte) (int, error) {
	rs := []rune(string(p))
	for i := 0; i < len(rs); i++ {
		for len(t.cells) <= t.y {
			t.cells = append(t.cells, nil)
		}
		switch rs[i] {
		case '\r':
			t.x = 0
		case '\n':
			t.y++
		case '\x1b':
			n := 0
			for i += 2; rs[i] >= '0' && rs[i] <= '9'; i++ {
				n = n*10 + int(rs[i]-'0')
			}
			switch rs[i] {
			case 'A':
				t.y -= n
			case 'H':
				t.x, t.y = 0, 0
			case 'K':
				if len(t.cells[t.y]) > t.x {
					t.cells[t.y] = t.cells[t.y][:t.x]
				}
			default:
				panic("unknown sequence")
			}
		default:
			for len(t.cells[t.y]) <= t.x {
				t.cells[t.y] = append(t.cells[t.y], ' ')
			}
			t.cells[t.y][t.x] = rs[i]
			t.x++
		}
	}
	return len(p), nil
}

func (t *terminal) String() string {
	var lines []string
	for _, l := range t.cells {
		lines = append(lines, strings.TrimRight(string(l), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestScreen(t *testing.T) {
	var tty terminal
	s := NewScreen(&tty)
	for i, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return s.Draw([]string{"one", "two", "three"}) }, "one\ntwo\nthree"},
		{func() error { return s.Draw([]string{"one", "2", "three"}) }, "one\n2\nthree"},
		{func() error { return s.Draw([]string{"one", "2", "3"}) }, "one\n2\n3"},
		{func() error { return s.Draw([]string{"1"}) }, "1"},
		{func() error { return s.Draw([]string{"a", "b"}) }, "a\nb"},
		{func() error { return s.Print("note") }, "note\na\nb"},
		{func() error { return s.Draw([]string{"a", "c", "d"}) }, "note\na\nc\nd"},
		{func() error { return s.Clear() }, "note"},
		{func() error { return s.Print("end") }, "note\nend"},
		{func() error { return s.Draw([]string{"x"}) }, "note\nend\nx"},
		{func() error { return s.Resized(5) }, ""},
		{func() error { return s.Draw([]string{"y", "z"}) }, "y\nz"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := tty.String(); got != step.want {
			t.Fatalf("step %d:\n%q, want\n%q", i, got, step.want)
		}
	}
}
