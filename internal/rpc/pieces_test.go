package rpc

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// A stream's pieces are what stands between its ends, wherever the network cuts
// it; the last one needs no end.
func TestPiecesOfAStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]string{"\n", "\r\n\r\n"}).Draw(t, "end")
		var text strings.Builder
		for _, s := range rapid.SliceOf(rapid.SampledFrom([]string{"a", "bc", "\r", "\n", "\r\n", "\r\n\r", end})).Draw(t, "text") {
			text.WriteString(s)
		}
		want := strings.Split(text.String(), end)
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		cut := rapid.SampledFrom([]func(io.Reader) io.Reader{
			iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r },
		}).Draw(t, "cut")
		var got []string
		s := newScanner(cut(strings.NewReader(text.String())), text.Len(), end)
		for s.Scan() {
			got = append(got, s.Text())
		}
		if s.Err() != nil || !slices.Equal(got, want) {
			t.Fatalf("%q is %q, %v, want %q", text.String(), got, s.Err(), want)
		}
	})
	for _, n := range []int{10_000, 10_001} {
		s := newScanner(strings.NewReader(strings.Repeat("x", n)+"\r\n\r\n"), 10_000, "\r\n\r\n")
		if ok := s.Scan(); ok != (n == 10_000) || (s.Err() == bufio.ErrTooLong) == ok {
			t.Errorf("a piece of %d bytes: %v, %v", n, ok, s.Err())
		}
	}
}
