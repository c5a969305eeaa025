package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Format is a kind of archive.
type Format string

// The formats that can be unpacked.
const (
	Zip Format = "zip"
	Deb Format = "deb"
)

// sniffLen is enough for every magic number and for recognising a web page.
const sniffLen = 512

// Sniff says which archive begins with head, of which the first 512 bytes are
// looked at. It returns [ErrHTML] for a web page and [ErrFormat] for anything
// else that is not known.
func Sniff(head []byte) (Format, error) {
	if len(head) > sniffLen {
		head = head[:sniffLen]
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return Zip, nil
	case bytes.HasPrefix(head, []byte(arMagic)):
		return Deb, nil
	}
	text := bytes.ToLower(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"))
	for _, p := range [][]byte{[]byte("<!doctype"), []byte("<html"), []byte("<head"), []byte("<body"), []byte("<?xml"), []byte("<!--")} {
		if bytes.HasPrefix(text, p) {
			return "", ErrHTML
		}
	}
	if len(text) > 0 && utf8.Valid(text) && !bytes.ContainsRune(text, 0) {
		line, _, _ := bytes.Cut(text, []byte("\n"))
		return "", fmt.Errorf("%w: text beginning %.60q", ErrFormat, line)
	}
	return "", ErrFormat
}

// SniffFile is [Sniff] of what r begins with.
func SniffFile(r io.ReaderAt) (Format, error) {
	head := make([]byte, sniffLen)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if n == 0 {
		return "", fmt.Errorf("%w: empty file", ErrFormat)
	}
	return Sniff(head[:n])
}
