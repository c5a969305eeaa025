package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// errNotRegular says that something else than a file lies where a file should.
var errNotRegular = errors.New("not a regular file")

// readBounded reads a regular file of at most maxFile bytes and one more, by which
// the caller sees that it is too large. A pipe or device is not waited for.
func readBounded(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// encoding reports a file that is no UTF-8, at the first place that shows it.
func (d *decoder) encoding(src []byte) (ok bool) {
	at := Place{File: d.file}
	switch {
	case len(src) > 0 && len(bytes.Trim(src, "\x00")) == 0:
		d.add(at, "", "zeroed")
		return false
	case bytes.HasPrefix(src, []byte{0xff, 0xfe}), bytes.HasPrefix(src, []byte{0xfe, 0xff}), everyOtherZero(src):
		d.add(at, "", "utf16")
		return false
	}
	at.Line, at.Column = 1, 1
	for i, r := range string(src) { // each byte that is no letter is a RuneError
		if _, n := utf8.DecodeRune(src[i:]); r == utf8.RuneError && n == 1 {
			break
		}
		if (r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f) && utf8.Valid(src) {
			d.add(at, "", "syntax", fmt.Sprintf("control characters (U+%04X) are not allowed", r))
			return false
		}
		if at.Column++; r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
	}
	if utf8.Valid(src) {
		return true
	}
	code := "not_utf8"
	if looksGBK(src) {
		code = "gbk"
	}
	d.add(at, "", code)
	p := &d.problems[len(d.problems)-1]
	p.Text = strings.ToValidUTF8(p.Text, "\ufffd")
	return false
}

// everyOtherZero reports whether src looks like UTF-16 without a mark.
func everyOtherZero(src []byte) bool {
	if len(src) < 4 || len(src)%2 != 0 {
		return false
	}
	zeros := [2]int{}
	for i, b := range src {
		if b == 0 {
			zeros[i%2]++
		}
	}
	half := len(src) / 2
	return zeros[0] > half*2/3 && zeros[1] == 0 || zeros[1] > half*2/3 && zeros[0] == 0
}

// looksGBK reports whether all that is not ASCII comes in GBK's pairs (or GB 18030's
// fours).
func looksGBK(src []byte) bool {
	for i := 0; i < len(src); i++ {
		if src[i] < 0x80 {
			continue
		}
		if src[i] == 0x80 || src[i] == 0xff || i+1 == len(src) {
			return false
		}
		i++
		switch b := src[i]; {
		case b >= 0x40 && b <= 0xfe && b != 0x7f:
		case b >= '0' && b <= '9' && i+2 < len(src):
			i += 2
		default:
			return false
		}
	}
	return true
}
