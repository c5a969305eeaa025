package napcatsim

import (
	"strings"

	"rsc.io/qr"
)

// drawQR draws text as NapCat does: two modules to a character, the light ones
// inked, framed by one light module on the top and at the sides.
func drawQR(text string) (string, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", err
	}
	light := func(x, y int) bool { return y >= c.Size || !c.Black(x, y) }
	var b strings.Builder
	b.WriteString(strings.Repeat("▄", c.Size+2))
	b.WriteByte('\n')
	for y := 0; y < c.Size; y += 2 {
		b.WriteString("█")
		for x := range c.Size {
			switch up, down := light(x, y), light(x, y+1); {
			case up && down:
				b.WriteString("█")
			case up:
				b.WriteString("▀")
			case down:
				b.WriteString("▄")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("█\n")
	}
	return b.String(), nil
}

// pngQR is text as the picture that QQ delivers.
func pngQR(text string) ([]byte, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	return c.PNG(), nil
}
